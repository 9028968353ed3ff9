/* SPDX-License-Identifier: Apache-2.0 */
#include "base/macros.h"
#include "service/packet_check.h"
#include "tests/harness.h"
#include "wire/reader.h"
#include "wire/writer.h"

/* The check of n bytes, which must not depend on how they are cut into slices. */
static int check(const uint8_t *p, size_t n)
{
    struct tw_bytes whole = {.p = p, .n = n};
    struct tw_bytes single[64];
    int rc = tw_packet_check(&whole, 1);

    assert_true(n <= TW_ARRAY_LEN(single));
    for (size_t i = 0; i < n; i++)
        single[i] = (struct tw_bytes){.p = p + i, .n = 1};
    assert_int_equal(tw_packet_check(single, n), rc);
    for (size_t cut = 0; cut <= n; cut++) {
        struct tw_bytes two[] = {{.p = p, .n = cut}, {.p = p + cut, .n = n - cut}};

        assert_int_equal(tw_packet_check(two, 2), rc);
    }
    return rc;
}

static size_t put_tag(uint8_t *p, uint32_t field, uint32_t type, size_t padding)
{
    struct tw_writer w = tw_writer_of(p, 10);

    tw_put_varint(&w, (uint64_t)field << 3 | type);
    for (; padding; padding--) {
        w.p[-1] |= 0x80;
        *w.p++ = 0;
    }
    return tw_writer_size(&w);
}

/* A packet of one field with this tag and a fitting body. */
static int check_field(uint32_t field, uint32_t type, size_t padding)
{
    static const size_t bodies[8] = {1, 8, 1, 0, 0, 4, 0, 0};
    uint8_t packet[32] = {0};
    size_t n = put_tag(packet, field, type, padding);

    return check(packet, n + bodies[type]);
}

static void accepts_all_wire_types_and_nothing(void **state)
{
    uint8_t packet[64];
    struct tw_writer w = tw_writer_of(packet, sizeof(packet));

    (void)state;
    tw_put_u64(&w, 8, UINT64_MAX);
    tw_put_fixed64(&w, 1, 5);
    tw_put_str(&w, 900, "for testing");
    tw_put_str(&w, TW_WIRE_FIELD_MAX, "");
    assert_int_equal(check(packet, tw_writer_size(&w)), 0);
    assert_int_equal(check_field(13, 5, 0), 0);
    assert_int_equal(tw_packet_check(NULL, 0), 0);
}

static void museum_43_refuses_every_reserved_field_however_written(void **state)
{
    static const uint32_t reserved[] = {3, 10, 33, 35, 36, 50, 69, 79, 98, 107, 124, 125, 133};
    static const uint32_t types[] = {0, 1, 2, 5};

    (void)state;
    for (uint32_t field = 1; field < 200; field++) {
        bool is_reserved = false;

        for (size_t i = 0; i < TW_ARRAY_LEN(reserved); i++)
            is_reserved = is_reserved || reserved[i] == field;
        for (size_t t = 0; t < TW_ARRAY_LEN(types); t++) {
            for (size_t padding = 0; padding <= 3; padding++)
                assert_int_equal(check_field(field, types[t], padding),
                                 is_reserved ? TW_E_PROTOCOL : 0);
        }
    }
}

static void refuses_a_reserved_field_behind_others(void **state)
{
    REQ("TW-PROD-022");
    uint8_t packet[64];
    struct tw_writer w = tw_writer_of(packet, sizeof(packet));

    (void)state;
    tw_put_u64(&w, 8, 1);
    tw_put_str(&w, 900, "\x18\x01 looks like a uid but is a body");
    assert_int_equal(check(packet, tw_writer_size(&w)), 0);
    tw_put_u64(&w, 3, 0);
    assert_int_equal(check(packet, tw_writer_size(&w)), TW_E_PROTOCOL);
}

static void refuses_tags_that_readers_disagree_about(void **state)
{
    static const uint8_t zero_field[] = {0x00, 0x01};
    static const uint8_t too_large[] = {0x80, 0x80, 0x80, 0x80, 0x10, 0x01};
    static const uint8_t uid_in_32_bits[] = {0x98, 0x80, 0x80, 0x80, 0x10, 0x01};
    static const uint8_t uid_padded_to_six[] = {0x98, 0x80, 0x80, 0x80, 0x80, 0x00, 0x01};
    static const uint8_t padded_to_six[] = {0xc0, 0x80, 0x80, 0x80, 0x80, 0x00, 0x01};

    (void)state;
    assert_int_equal(check(zero_field, sizeof(zero_field)), TW_E_PROTOCOL);
    assert_int_equal(check(too_large, sizeof(too_large)), TW_E_PROTOCOL);
    assert_int_equal(check(uid_in_32_bits, sizeof(uid_in_32_bits)), TW_E_PROTOCOL);
    assert_int_equal(check(uid_padded_to_six, sizeof(uid_padded_to_six)), TW_E_PROTOCOL);
    assert_int_equal(check(padded_to_six, sizeof(padded_to_six)), TW_E_PROTOCOL);
}

static void refuses_groups_and_unknown_types(void **state)
{
    (void)state;
    for (uint32_t type = 0; type < 8; type++) {
        bool known = type <= 2 || type == 5;

        assert_int_equal(check_field(8, type, 0), known ? 0 : TW_E_PROTOCOL);
    }
}

static void museum_42_refuses_varints_that_do_not_end(void **state)
{
    uint8_t packet[32] = {0x40}; /* field 8, varint */

    (void)state;
    for (size_t i = 1; i < sizeof(packet); i++)
        packet[i] = 0xff;
    assert_int_equal(check(packet, sizeof(packet)), TW_E_PROTOCOL);
    packet[10] = 0x01; /* 64 bits */
    assert_int_equal(check(packet, 11), 0);
    packet[10] = 0x02; /* 65 bits */
    assert_int_equal(check(packet, 11), TW_E_PROTOCOL);
    packet[0] = 0xff; /* the tag itself */
    assert_int_equal(check(packet, sizeof(packet)), TW_E_PROTOCOL);
}

static void refuses_every_truncation(void **state)
{
    REQ("TW-PROD-022");
    uint8_t packet[64];
    struct tw_writer w = tw_writer_of(packet, sizeof(packet));
    size_t ends[3];

    (void)state;
    tw_put_u64(&w, 900, 1000);
    ends[0] = tw_writer_size(&w);
    tw_put_fixed64(&w, 8, 1);
    ends[1] = tw_writer_size(&w);
    tw_put_str(&w, 900, "some bytes");
    ends[2] = tw_writer_size(&w);
    for (size_t n = 1; n <= ends[2]; n++) {
        bool at_end = n == ends[0] || n == ends[1] || n == ends[2];

        assert_int_equal(check(packet, n), at_end ? 0 : TW_E_PROTOCOL);
    }
}

static void refuses_lengths_over_the_largest_message(void **state)
{
    uint8_t packet[] = {0x42, 0x80, 0x80, 0x80, 0x80, 0x01};

    (void)state;
    assert_int_equal(check(packet, sizeof(packet)), TW_E_PROTOCOL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        tw_unit_test(accepts_all_wire_types_and_nothing),
        tw_unit_test(museum_43_refuses_every_reserved_field_however_written),
        tw_unit_test(refuses_a_reserved_field_behind_others),
        tw_unit_test(refuses_tags_that_readers_disagree_about),
        tw_unit_test(refuses_groups_and_unknown_types),
        tw_unit_test(museum_42_refuses_varints_that_do_not_end),
        tw_unit_test(refuses_every_truncation),
        tw_unit_test(refuses_lengths_over_the_largest_message),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
