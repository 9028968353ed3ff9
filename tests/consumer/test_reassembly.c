/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/harness.h"

#include <string.h>

#include "consumer/reassembly.h"
#include "wire/writer.h"

/* What was handed out, one packet after the other, each with a '|' behind it. */
struct seen {
    char text[256];
    size_t n;
    int answer;
};

static int see(void *user, struct tw_bytes packet)
{
    struct seen *seen = user;

    assert_true(packet.n < sizeof(seen->text) - seen->n - 2);
    if (packet.n)
        memcpy(seen->text + seen->n, packet.p, packet.n);
    seen->n += packet.n;
    seen->text[seen->n++] = '|';
    return seen->answer;
}

/* A slice as text; "+" in front: not the last of its packet. */
static struct tw_bytes response(uint8_t *p, size_t cap, const char *const *slices)
{
    struct tw_writer w = tw_writer_of(p, cap);

    for (; *slices; slices++) {
        uint8_t *slice = tw_put_begin(&w, 2);
        bool more = **slices == '+';

        tw_put_bytes(&w, 1, tw_bytes_of_str(*slices + more));
        if (!more)
            tw_put_bool(&w, 2, true);
        tw_put_end(&w, slice);
    }
    assert_false(w.overflow);
    return (struct tw_bytes){.p = p, .n = tw_writer_size(&w)};
}

static int feed(struct tw_reassembly *ra, struct seen *seen, const char *const *slices)
{
    uint8_t bytes[256];

    return tw_reassembly_feed(ra, response(bytes, sizeof(bytes), slices), see, seen);
}

#define SLICES(...) ((const char *const[]){__VA_ARGS__, NULL})

static void whole_slices_are_packets(void **state)
{
    struct tw_reassembly ra = TW_REASSEMBLY_INIT(100);
    struct seen seen = {0};

    (void)state;
    assert_int_equal(feed(&ra, &seen, SLICES("ab", "", "c")), 0);
    assert_string_equal(seen.text, "ab||c|");
    assert_null(ra.partial.p); /* nothing was copied */
    assert_int_equal(tw_reassembly_end(&ra), 0);
    tw_reassembly_deinit(&ra);
}

static void packets_go_on_over_slices_and_messages(void **state)
{
    struct tw_reassembly ra = TW_REASSEMBLY_INIT(100);
    struct seen seen = {0};

    (void)state;
    assert_int_equal(feed(&ra, &seen, SLICES("a", "+b")), 0);
    assert_int_equal(feed(&ra, &seen, SLICES("+c", "+")), 0);
    assert_string_equal(seen.text, "a|");
    assert_int_equal(feed(&ra, &seen, SLICES("d", "+e", "f", "g")), 0);
    assert_string_equal(seen.text, "a|bcd|ef|g|");
    assert_int_equal(tw_reassembly_end(&ra), 0);
    tw_reassembly_deinit(&ra);
}

static void a_packet_without_its_end_is_told_and_dropped(void **state)
{
    struct tw_reassembly ra = TW_REASSEMBLY_INIT(100);
    struct seen seen = {0};

    (void)state;
    assert_int_equal(feed(&ra, &seen, SLICES("+ab")), 0);
    assert_int_equal(tw_reassembly_end(&ra), TW_E_TRUNCATED);
    assert_int_equal(feed(&ra, &seen, SLICES("c")), 0);
    assert_string_equal(seen.text, "c|");
    tw_reassembly_deinit(&ra);
}

static void a_packet_may_not_pass_the_maximum(void **state)
{
    REQ("TW-LIM-006");
    struct tw_reassembly ra = TW_REASSEMBLY_INIT(4);
    struct seen seen = {0};

    (void)state;
    assert_int_equal(feed(&ra, &seen, SLICES("abcd", "+ab", "cd")), 0);
    assert_int_equal(feed(&ra, &seen, SLICES("abcde")), TW_E_LIMIT);
    assert_int_equal(feed(&ra, &seen, SLICES("+abc", "+de")), TW_E_LIMIT);
    assert_string_equal(seen.text, "abcd|abcd|");
    tw_reassembly_deinit(&ra);
}

static void malformed_messages_are_refused(void **state)
{
    static const struct {
        const char *bytes;
        size_t n;
    } bad[] = {
        {"\x12\x05\x0a\x01"
         "a",
         5},                         /* the slice is longer than the message */
        {"\x12\x03\x0a\x05\x61", 5}, /* the data is longer than the slice */
        {"\x10\x01", 2},             /* slices is no number */
        {"\x12\x02\x08\x01", 4},     /* nor is data */
        {"\x12\x03\x12\x01\x01", 5}, /* last is one */
        {"\x12\x02\x13\x01", 4},     /* a group */
        {"\x12", 1},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct tw_reassembly ra = TW_REASSEMBLY_INIT(100);
        struct seen seen = {0};
        struct tw_bytes in = {.p = (const uint8_t *)bad[i].bytes, .n = bad[i].n};

        assert_int_equal(tw_reassembly_feed(&ra, in, see, &seen), TW_E_PROTOCOL);
        assert_string_equal(seen.text, "");
        tw_reassembly_deinit(&ra);
    }
}

static void unknown_fields_are_skipped(void **state)
{
    static const uint8_t in[] = {0x08, 1, 0x12, 7, 0x1a, 1, 'x', 0x10, 1, 0x0a, 0};
    struct tw_reassembly ra = TW_REASSEMBLY_INIT(100);
    struct seen seen = {0};

    (void)state;
    assert_int_equal(
        tw_reassembly_feed(&ra, (struct tw_bytes){.p = in, .n = sizeof(in)}, see, &seen), 0);
    assert_string_equal(seen.text, "|");
    tw_reassembly_deinit(&ra);
}

static void what_the_taker_says_ends_the_message(void **state)
{
    struct tw_reassembly ra = TW_REASSEMBLY_INIT(100);
    struct seen seen = {.answer = TW_E_CLOSED};

    (void)state;
    assert_int_equal(feed(&ra, &seen, SLICES("a", "b")), TW_E_CLOSED);
    assert_string_equal(seen.text, "a|");
    tw_reassembly_deinit(&ra);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        tw_unit_test(whole_slices_are_packets),
        tw_unit_test(packets_go_on_over_slices_and_messages),
        tw_unit_test(a_packet_without_its_end_is_told_and_dropped),
        tw_unit_test(a_packet_may_not_pass_the_maximum),
        tw_unit_test(malformed_messages_are_refused),
        tw_unit_test(unknown_fields_are_skipped),
        tw_unit_test(what_the_taker_says_ends_the_message),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
