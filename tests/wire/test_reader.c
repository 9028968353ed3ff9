/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/harness.h"

#include <stdlib.h>
#include <string.h>

#include "base/macros.h"
#include "base/req.h"
#include "wire/reader.h"

#define BYTES(...)                                                                                 \
    (struct tw_bytes)                                                                              \
    {                                                                                              \
        .p = (const uint8_t[]){__VA_ARGS__}, .n = sizeof((const uint8_t[]){__VA_ARGS__})           \
    }

/* An exact-size copy on the heap, so that a read past the end is seen. */
static uint8_t *tight(struct tw_bytes b)
{
    uint8_t *p = malloc(b.n ? b.n : 1);

    assert_non_null(p);
    if (b.n)
        memcpy(p, b.p, b.n);
    return p;
}

static void expect_varint(struct tw_bytes in, int want_r, uint64_t want, size_t want_used)
{
    uint8_t *p = tight(in);
    struct tw_reader r = {.p = p, .end = p + in.n};
    uint64_t value = 42;

    assert_int_equal(tw_read_varint(&r, &value), want_r);
    assert_true(value == (want_r ? 42 : want));
    assert_ptr_equal(r.p, p + (want_r ? 0 : want_used));
    free(p);
}

static void varints_of_every_length_are_read(void **state)
{
    (void)state;
    expect_varint(BYTES(0x00), 0, 0, 1);
    expect_varint(BYTES(0x7f), 0, 127, 1);
    expect_varint(BYTES(0x80, 0x01), 0, 128, 2);
    expect_varint(BYTES(0xff, 0xff, 0x03, 0xaa), 0, 65535, 3);
    expect_varint(BYTES(0xff, 0xff, 0xff, 0xff, 0x0f), 0, UINT32_MAX, 5);
    expect_varint(BYTES(0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01), 0, UINT64_MAX,
                  10);
}

static void padded_varints_are_accepted(void **state)
{
    (void)state;
    expect_varint(BYTES(0x80, 0x80, 0x80, 0x00), 0, 0, 4);
    expect_varint(BYTES(0x85, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00), 0, 5, 10);
}

static void varints_that_end_too_late_are_refused(void **state)
{
    (void)state;
    expect_varint(BYTES(0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00),
                  TW_E_PROTOCOL, 0, 0);
    expect_varint(BYTES(0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80), TW_E_PROTOCOL,
                  0, 0);
    expect_varint(BYTES(0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02), TW_E_PROTOCOL,
                  0, 0);
}

static void varints_cut_short_are_truncated(void **state)
{
    (void)state;
    expect_varint((struct tw_bytes){0}, TW_E_TRUNCATED, 0, 0);
    expect_varint(BYTES(0x80), TW_E_TRUNCATED, 0, 0);
    expect_varint(BYTES(0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff), TW_E_TRUNCATED, 0,
                  0);
}

static void expect_field(struct tw_bytes in, uint32_t number, enum tw_wire_type type,
                         uint64_t value, size_t len)
{
    uint8_t *p = tight(in);
    struct tw_reader r = {.p = p, .end = p + in.n};
    struct tw_field f;

    assert_int_equal(tw_read_field(&r, &f), 0);
    assert_int_equal(f.number, number);
    assert_int_equal(f.type, type);
    assert_true(f.value == value);
    assert_int_equal(f.bytes.n, len);
    if (len)
        assert_ptr_equal(f.bytes.p, p + in.n - len);
    assert_int_equal(tw_reader_left(&r), 0);
    assert_int_equal(tw_read_field(&r, &f), TW_MORE);
    free(p);
}

static void fields_of_every_wire_type_are_read(void **state)
{
    (void)state;
    expect_field(BYTES(0x08, 0x96, 0x01), 1, TW_WIRE_VARINT, 150, 0);
    expect_field(BYTES(0x11, 1, 2, 3, 4, 5, 6, 7, 0x88), 2, TW_WIRE_FIXED64,
                 UINT64_C(0x8807060504030201), 0);
    expect_field(BYTES(0x1a, 0x03, 'a', 'b', 'c'), 3, TW_WIRE_LEN, 0, 3);
    expect_field(BYTES(0x1a, 0x00), 3, TW_WIRE_LEN, 0, 0);
    expect_field(BYTES(0x25, 1, 2, 3, 0x84), 4, TW_WIRE_FIXED32, 0x84030201, 0);
}

static void field_numbers_reach_from_one_to_two_to_the_29(void **state)
{
    (void)state;
    expect_field(BYTES(0xf8, 0xff, 0xff, 0xff, 0x0f, 0x07), TW_WIRE_FIELD_MAX, TW_WIRE_VARINT, 7,
                 0);
    /* a tag that was padded, and a number past 16 bits */
    expect_field(BYTES(0x88, 0x80, 0x00, 0x07), 1, TW_WIRE_VARINT, 7, 0);
    expect_field(BYTES(0x80, 0x80, 0x20, 0x07), 0x10000, TW_WIRE_VARINT, 7, 0);
}

static void expect_no_field(struct tw_bytes in, int want)
{
    uint8_t *p = tight(in);
    struct tw_reader r = {.p = p, .end = p + in.n};
    struct tw_field f = {.number = 77};

    assert_int_equal(tw_read_field(&r, &f), want);
    assert_int_equal(f.number, 77);
    assert_ptr_equal(r.p, p);
    free(p);
}

static void bad_tags_are_refused(void **state)
{
    (void)state;
    expect_no_field(BYTES(0x00, 0x00), TW_E_PROTOCOL);                         /* number 0 */
    expect_no_field(BYTES(0x80, 0x80, 0x80, 0x80, 0x10, 0x00), TW_E_PROTOCOL); /* 2^29 */
    expect_no_field(BYTES(0x0b), TW_E_PROTOCOL);                               /* group start */
    expect_no_field(BYTES(0x0c), TW_E_PROTOCOL);                               /* group end */
    expect_no_field(BYTES(0x0e), TW_E_PROTOCOL);
    expect_no_field(BYTES(0x0f), TW_E_PROTOCOL);
}

static void lengths_past_the_end_are_truncated(void **state)
{
    (void)state;
    expect_no_field(BYTES(0x0a, 0x01), TW_E_TRUNCATED);
    expect_no_field(BYTES(0x0a, 0x04, 1, 2, 3), TW_E_TRUNCATED);
    expect_no_field(BYTES(0x0a, 0xff, 0xff, 0xff, 0xff, 0x7f, 9), TW_E_TRUNCATED);
}

static void tags_and_lengths_take_five_bytes_at_most(void **state)
{
    REQ("TW-ENC-009");
    (void)state;
    expect_field(BYTES(0x88, 0x80, 0x80, 0x80, 0x00, 7), 1, TW_WIRE_VARINT, 7, 0);
    expect_no_field(BYTES(0x88, 0x80, 0x80, 0x80, 0x80, 0x00, 7), TW_E_PROTOCOL);
    expect_field(BYTES(0x0a, 0x81, 0x80, 0x80, 0x80, 0x00, 9), 1, TW_WIRE_LEN, 0, 1);
    expect_no_field(BYTES(0x0a, 0x81, 0x80, 0x80, 0x80, 0x80, 0x00, 9), TW_E_PROTOCOL);
}

static void faults_are_told_apart(void **state)
{
    static const struct {
        uint8_t bytes[12];
        size_t n;
        enum tw_wire_fault fault;
        uint32_t number;
    } cases[] = {
        {{0x80}, 1, TW_WIRE_TRUNCATED, 0},
        {{0x18}, 1, TW_WIRE_TRUNCATED, 3},
        {{0x18, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2},
         11,
         TW_WIRE_BAD_VARINT,
         3},
        {{0x80, 0x80, 0x80, 0x80, 0x80}, 5, TW_WIRE_LONG_TAG, 0},
        {{0x1a, 0x80, 0x80, 0x80, 0x80, 0x80}, 6, TW_WIRE_LONG_TAG, 3},
        {{0x07}, 1, TW_WIRE_BAD_TAG, 0},
        {{0x1b}, 1, TW_WIRE_GROUP, 3},
        {{0x1c}, 1, TW_WIRE_GROUP, 3},
        {{0x1e}, 1, TW_WIRE_BAD_TYPE, 3},
        {{0x1f}, 1, TW_WIRE_BAD_TYPE, 3},
    };

    (void)state;
    for (size_t i = 0; i < TW_ARRAY_LEN(cases); i++) {
        struct tw_reader r = tw_reader_of((struct tw_bytes){cases[i].bytes, cases[i].n});
        uint32_t number = 77;

        assert_int_equal(tw_read_fault(&r, &number), cases[i].fault);
        assert_int_equal(number, cases[i].number);
        assert_ptr_equal(r.p, cases[i].bytes);
    }
}

static void every_prefix_of_a_field_is_truncated(void **state)
{
    const struct tw_bytes whole[] = {
        {(const uint8_t[]){0x08, 0x96, 0x01}, 3},
        {(const uint8_t[]){0x11, 1, 2, 3, 4, 5, 6, 7, 8}, 9},
        {(const uint8_t[]){0x9a, 0x80, 0x00, 0x03, 'a', 'b', 'c'}, 7},
        {(const uint8_t[]){0x25, 1, 2, 3, 4}, 5},
    };

    (void)state;
    for (size_t i = 0; i < TW_ARRAY_LEN(whole); i++) {
        expect_no_field((struct tw_bytes){0}, TW_MORE);
        for (size_t n = 1; n < whole[i].n; n++)
            expect_no_field((struct tw_bytes){whole[i].p, n}, TW_E_TRUNCATED);
    }
}

static void an_empty_run_without_memory_is_read(void **state)
{
    struct tw_reader r = tw_reader_of((struct tw_bytes){0});
    struct tw_field f;

    (void)state;
    assert_int_equal(tw_reader_left(&r), 0);
    assert_int_equal(tw_read_field(&r, &f), TW_MORE);
}

/* Whatever the bytes are, reading ends, stays inside, and moves with each field. */
static void noise_is_read_to_an_end(void **state)
{
    uint32_t seed = 1;

    (void)state;
    for (int round = 0; round < 20000; round++) {
        uint8_t noise[24];
        struct tw_reader r = tw_reader_of((struct tw_bytes){noise, (size_t)round % sizeof(noise)});
        struct tw_field f;
        const uint8_t *before = noise;

        for (size_t i = 0; i < sizeof(noise); i++) {
            seed = seed * 1664525 + 1013904223;
            noise[i] = (uint8_t)(seed >> 24 & (seed & 0x10000 ? 0x0f : 0xff));
        }
        while (!tw_read_field(&r, &f)) {
            assert_true(r.p > before && r.p <= r.end);
            before = r.p;
            assert_in_range(f.number, 1, TW_WIRE_FIELD_MAX);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        tw_unit_test(varints_of_every_length_are_read),
        tw_unit_test(padded_varints_are_accepted),
        tw_unit_test(varints_that_end_too_late_are_refused),
        tw_unit_test(varints_cut_short_are_truncated),
        tw_unit_test(fields_of_every_wire_type_are_read),
        tw_unit_test(field_numbers_reach_from_one_to_two_to_the_29),
        tw_unit_test(bad_tags_are_refused),
        tw_unit_test(lengths_past_the_end_are_truncated),
        tw_unit_test(tags_and_lengths_take_five_bytes_at_most),
        tw_unit_test(faults_are_told_apart),
        tw_unit_test(every_prefix_of_a_field_is_truncated),
        tw_unit_test(an_empty_run_without_memory_is_read),
        tw_unit_test(noise_is_read_to_an_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
