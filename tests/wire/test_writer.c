/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/harness.h"

#include <string.h>
#include <sys/mman.h>

#include "base/macros.h"
#include "wire/reader.h"
#include "wire/writer.h"

static void expect_bytes(const struct tw_writer *w, const void *want, size_t n)
{
    assert_false(w->overflow);
    assert_int_equal(tw_writer_size(w), n);
    assert_memory_equal(w->begin, want, n);
}

static void varint_sizes_change_every_seven_bits(void **state)
{
    (void)state;
    assert_int_equal(tw_varint_size(0), 1);
    for (size_t bits = 1; bits <= 64; bits++)
        assert_int_equal(tw_varint_size(UINT64_MAX >> (64 - bits)), (bits + 6) / 7);
}

static void varints_read_back(void **state)
{
    (void)state;
    for (unsigned bit = 0; bit < 64; bit++) {
        for (uint64_t delta = 0; delta < 3; delta++) {
            uint64_t want = (UINT64_C(1) << bit) + delta - 1, got = 0;
            uint8_t buf[TW_WIRE_VARINT_MAX];
            struct tw_writer w = tw_writer_of(buf, sizeof(buf));
            struct tw_reader r;

            tw_put_varint(&w, want);
            assert_int_equal(tw_writer_size(&w), tw_varint_size(want));
            r = tw_reader_of((struct tw_bytes){buf, tw_writer_size(&w)});
            assert_int_equal(tw_read_varint(&r, &got), 0);
            assert_true(got == want);
            assert_int_equal(tw_reader_left(&r), 0);
        }
    }
}

static void scalar_fields_have_the_bytes_of_protobuf(void **state)
{
    uint8_t buf[128];
    struct tw_writer w = tw_writer_of(buf, sizeof(buf));
    static const uint8_t want[] = {
        0x08, 0x96, 0x01,                                                 /* u64 1: 150 */
        0x10, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01, /* i64 2: -1 */
        0x18, 0x01,                                                       /* bool 3 */
        0x18, 0x00,                                                       /* bool 3 */
        0x21, 0x08, 0x07, 0x06, 0x05, 0x04, 0x03, 0x02, 0x01,             /* fixed64 4 */
        0x29, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0xf8, 0xbf,             /* double 5: -1.5 */
        0xa2, 0x38, 0x02, 'o',  'k',                                      /* str 900 */
        0x32, 0x00,                                                       /* bytes 6: none */
        0xfa, 0xff, 0xff, 0xff, 0x0f, 0x01, 0x00,                         /* largest field */
    };

    (void)state;
    tw_put_u64(&w, 1, 150);
    tw_put_i64(&w, 2, -1);
    tw_put_bool(&w, 3, true);
    tw_put_bool(&w, 3, false);
    tw_put_fixed64(&w, 4, UINT64_C(0x0102030405060708));
    tw_put_double(&w, 5, -1.5);
    tw_put_str(&w, 900, "ok");
    tw_put_bytes(&w, 6, (struct tw_bytes){0});
    tw_put_len(&w, TW_WIRE_FIELD_MAX, 1);
    tw_put_raw(&w, "\0", 1);
    expect_bytes(&w, want, sizeof(want));
}

static void nested_messages_get_a_padded_size(void **state)
{
    uint8_t buf[64];
    struct tw_writer w = tw_writer_of(buf, sizeof(buf));
    uint8_t *outer, *inner;
    static const uint8_t want[] = {
        0x0a, 0x89, 0x80, 0x80, 0x00, 0x08, 0x01, 0x12, 0x82, 0x80, 0x80, 0x00, 0x08, 0x02, 0x18, 3,
    };

    (void)state;
    outer = tw_put_begin(&w, 1);
    tw_put_u64(&w, 1, 1);
    inner = tw_put_begin(&w, 2);
    tw_put_u64(&w, 1, 2);
    tw_put_end(&w, inner);
    tw_put_end(&w, outer);
    tw_put_u64(&w, 3, 3);
    expect_bytes(&w, want, sizeof(want));
}

static void padded_sizes_read_back(void **state)
{
    static const uint32_t sizes[] = {0, 1, 127, 128, 16383, 16384, 2097152, TW_WIRE_SIZE_MAX};

    (void)state;
    for (size_t i = 0; i < TW_ARRAY_LEN(sizes); i++) {
        uint8_t dst[TW_WIRE_SIZE_BYTES];
        struct tw_reader r = tw_reader_of((struct tw_bytes){dst, sizeof(dst)});
        uint64_t got = 0;

        tw_write_padded_size(dst, sizes[i]);
        assert_int_equal(tw_read_varint(&r, &got), 0);
        assert_int_equal(got, sizes[i]);
        assert_int_equal(tw_reader_left(&r), 0);
    }
}

/* The same fields into every smaller room: never past it, and overflow says so. */
static void too_little_room_sets_overflow_for_good(void **state)
{
    enum { WHOLE = 3 + 5 + 6 + 9 };
    uint8_t buf[WHOLE + 8];

    (void)state;
    for (size_t room = 0; room <= WHOLE; room++) {
        struct tw_writer w = tw_writer_of(buf, room);
        uint8_t *nested;

        memset(buf, 0xee, sizeof(buf));
        tw_put_u64(&w, 1, 300);
        nested = tw_put_begin(&w, 2);
        tw_put_str(&w, 3, "text");
        tw_put_end(&w, nested);
        tw_put_fixed64(&w, 4, 1);
        assert_int_equal(w.overflow, room < WHOLE);
        assert_true(tw_writer_size(&w) <= room);
        for (size_t i = room; i < sizeof(buf); i++)
            assert_int_equal(buf[i], 0xee);
        tw_put_raw(&w, NULL, 0);
        assert_int_equal(w.overflow, room < WHOLE);
    }
}

/* After the first write that does not fit nothing is written, however small, and no size. */
static void nothing_follows_an_overflow(void **state)
{
    uint8_t buf[8], before[8];
    struct tw_writer w = tw_writer_of(buf, sizeof(buf));
    uint8_t *nested;

    (void)state;
    memset(buf, 0xee, sizeof(buf));
    nested = tw_put_begin(&w, 1);
    memcpy(before, buf, sizeof(buf));
    tw_put_raw(&w, "1234", 4);
    tw_put_varint(&w, 1);
    tw_put_raw(&w, "1", 1);
    tw_put_end(&w, nested);
    assert_int_equal(tw_writer_size(&w), 1 + TW_WIRE_SIZE_BYTES);
    assert_memory_equal(buf, before, sizeof(buf));
}

/* The largest nested message has a size of four bytes; one byte more has none. Nothing touches the
 * pages between its ends. */
static void nested_messages_have_a_largest_size(void **state)
{
    const size_t room = TW_WIRE_SIZE_BYTES + (size_t)TW_WIRE_SIZE_MAX + 1;
    uint8_t *p = mmap(NULL, room, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    struct tw_writer w;

    (void)state;
    assert_true(p != MAP_FAILED);
    w = tw_writer_of(p, room);
    w.p = p + room;
    tw_put_end(&w, p);
    assert_true(w.overflow);
    assert_int_equal(p[0], 0);
    w.overflow = false;
    w.p = p + room - 1;
    tw_put_end(&w, p);
    assert_false(w.overflow);
    assert_memory_equal(p, "\xff\xff\xff\x7f", TW_WIRE_SIZE_BYTES);
    assert_int_equal(munmap(p, room), 0);
}

static void a_writer_without_memory_overflows(void **state)
{
    struct tw_writer w = tw_writer_of(NULL, 0);

    (void)state;
    tw_put_raw(&w, NULL, 0);
    assert_false(w.overflow);
    assert_null(tw_put_begin(&w, 1));
    tw_put_end(&w, NULL);
    assert_true(w.overflow);
    assert_int_equal(tw_writer_size(&w), 0);

    w = tw_writer_of(NULL, 100); /* as malloc() gives when there is none */
    tw_put_u64(&w, 1, 1);
    assert_true(w.overflow);
    assert_int_equal(tw_writer_size(&w), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        tw_unit_test(varint_sizes_change_every_seven_bits),
        tw_unit_test(varints_read_back),
        tw_unit_test(scalar_fields_have_the_bytes_of_protobuf),
        tw_unit_test(nested_messages_get_a_padded_size),
        tw_unit_test(padded_sizes_read_back),
        tw_unit_test(too_little_room_sets_overflow_for_good),
        tw_unit_test(nothing_follows_an_overflow),
        tw_unit_test(nested_messages_have_a_largest_size),
        tw_unit_test(a_writer_without_memory_overflows),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
