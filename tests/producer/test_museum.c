/* SPDX-License-Identifier: Apache-2.0 */
/* What went wrong in other implementations of a producer. Others of these are where their subject
 * has its tests: 26 to 28 and 31 in test_link.c, 37 and 39 in test_writer.c, 40 in test_arbiter.c.
 */
#include <stdlib.h>
#include <string.h>

#include "producer/trace_writer.h"
#include "tests/producer/fake_service.h"
#include "tests/producer/world.h"
#include "wire/reader.h"

/* ---- writers ---- */

enum { PAGE = 4096 };

static struct tw_trace_writer *new_writer(struct fake_service *s)
{
    struct tw_trace_writer *w;

    assert_int_equal(tw_trace_writer_new(&w, s->arbiter, 1, TW_EXHAUSTED_DROP), 0);
    return w;
}

/* A writer went on in a chunk that it had handed over by a flush. */
static void museum_38_a_chunk_that_was_flushed_is_let_alone(void **state)
{
    struct fake_service s = {.arbiter = fake_arbiter(2 * PAGE, PAGE, TW_PAGE_DIV1, false)};
    struct tw_trace_writer *w = new_writer(&s);
    uint8_t *page = tw_shared_own(s.arbiter->smb.base), before[PAGE];

    (void)state;
    tw_writer_begin(w);
    assert_int_equal(tw_writer_end(w), 0);
    tw_writer_flush(w);
    memcpy(before, page, PAGE);
    tw_writer_str(w, 1, "behind the end");
    tw_writer_nest(w, 2);
    tw_writer_unnest(w);
    assert_int_equal(tw_writer_end(w), TW_E_INVALID);
    tw_writer_flush(w);
    tw_writer_begin(w);
    tw_writer_str(w, 1, "in the next chunk");
    assert_int_equal(tw_writer_end(w), 0);
    tw_writer_free(w);
    assert_memory_equal(page, before, PAGE);
    (void)fake_service_pump(&s);
    assert_int_equal(s.moves, 2);
    fake_service_deinit(&s);
}

/* Nothing may be built on zeros that were there before: a reader that wanted them where sizes are
 * patched refused what others write. */
static void museum_41_what_was_in_the_memory_before_does_not_matter(void **state)
{
    static const uint8_t bytes[3 * PAGE];

    (void)state;
    for (int direct = 0; direct <= 1; direct++) {
        struct fake_service s = {.arbiter = fake_arbiter(8 * PAGE, PAGE, TW_PAGE_DIV1, direct)};
        struct tw_trace_writer *w = new_writer(&s);
        uint16_t id = w->reg->id;
        struct fake_packets packets;

        for (int i = 0; i < 8; i++)
            memset(tw_shared_own(s.arbiter->smb.base) + i * PAGE + TW_PAGE_HEADER_SIZE, 0xa5,
                   PAGE - TW_PAGE_HEADER_SIZE);
        tw_writer_begin(w);
        tw_writer_nest(w, 900);
        tw_writer_nest(w, 5);
        tw_writer_bytes(w, 1, (struct tw_bytes){bytes, sizeof(bytes)});
        assert_int_equal(tw_writer_end(w), 0);
        tw_writer_free(w);
        (void)fake_service_pump(&s);
        assert_int_equal(s.patches, direct ? 0 : 2);
        packets = fake_service_packets(&s, id);
        assert_int_equal(packets.n, 1);
        assert_int_equal(packets.dropped, 0);
        fake_packets_free(&packets);
        fake_service_deinit(&s);
    }
}

static struct tw_field next_field(struct tw_reader *r)
{
    struct tw_field f;

    assert_int_equal(tw_read_field(r, &f), 0);
    return f;
}

/* Shifts of negatives, sizes added to pointers, fields written beside an open message, and nesting
 * without a bound. */
static void museum_47_writing_stays_within_its_types_and_bounds(void **state)
{
    struct fake_service s = {.arbiter = fake_arbiter(8 * PAGE, PAGE, TW_PAGE_DIV1, false)};
    struct tw_trace_writer *w = new_writer(&s);
    struct fake_packets packets;
    struct tw_reader r, nested;
    uint16_t id = w->reg->id;

    (void)state;
    tw_writer_begin(w);
    for (int i = 0; i <= TW_NEST_MAX; i++)
        tw_writer_nest(w, 1);
    assert_int_equal(tw_writer_end(w), TW_E_INVALID);
    tw_writer_begin(w);
    tw_writer_i64(w, 1, INT64_MIN);
    tw_writer_i64(w, (1 << 29) - 1, -1);
    tw_writer_nest(w, 3);
    tw_writer_bytes(w, 4, (struct tw_bytes){0}); /* of no memory */
    tw_writer_begin(w);                          /* ends the one before, with all that is open */
    assert_int_equal(tw_writer_end(w), 0);
    tw_writer_free(w);
    (void)fake_service_pump(&s);

    packets = fake_service_packets(&s, id);
    assert_int_equal(packets.n, 2);
    r = tw_reader_of((struct tw_bytes){packets.list[0].p, packets.list[0].n});
    while (next_field(&r).number != 1) {
    }
    assert_true(next_field(&r).value == UINT64_MAX);
    nested = tw_reader_of(next_field(&r).bytes);
    assert_int_equal(next_field(&nested).bytes.n, 0);
    assert_int_equal(tw_reader_left(&nested) + tw_reader_left(&r), 0);
    fake_packets_free(&packets);
    fake_service_deinit(&s);
}

/* ---- commands ---- */

/* A reply to GetAsyncCommand, as it is. */
static void give(struct world *w, const void *bytes, size_t n)
{
    world_reply(w, w->async_id, (struct tw_bytes){bytes, n}, true, -1);
}

/* A whole message was thrown away because of one field with a number over 16 bits, which a newer
 * service had added. */
static void museum_45_fields_of_any_number_are_passed_over(void **state)
{
    static const uint8_t flush[] = {
        0x82, 0x80, 0x20, 1,    '?',           /* field 65536 of the answer */
        0x2a, 11,   0x08, 5,    0x10, 33,      /* flush the fifth, number 33 */
        0xfa, 0xff, 0xff, 0xff, 0x0f, 1,  '?', /* field 2^29 - 1 of that */
    };
    struct world w;

    (void)state;
    world_init(&w);
    world_bring_up(&w);
    world_start_instance(&w, 5);
    give(&w, flush, sizeof(flush));
    UNTIL(&w, w.flush_done == 33);
    assert_int_equal(w.flushes, 1);
    world_deinit(&w);
}

/* Accessors that took a packed field for a plain one, what is missing for something, or the first
 * of several for the last. */
static void museum_46_fields_packed_missing_and_repeated(void **state)
{
    static const uint8_t packed[] = {0x2a, 7, 0x0a, 3, 9, 5, 7, 0x10, 33};
    static const uint8_t plain[] = {0x2a, 8, 0x08, 9, 0x08, 5, 0x08, 7, 0x10, 34};
    static const uint8_t missing[] = {0x2a, 0};
    static const uint8_t last_wins[] = {0x2a, 6, 0x08, 5, 0x10, 99, 0x10, 35};
    static const uint8_t none_of_a_kind[] = {0x12, 3, 0x0a, 1, 5}; /* stop: the id is not packed */
    struct world w;

    (void)state;
    world_init(&w);
    world_bring_up(&w);
    world_start_instance(&w, 5);
    give(&w, packed, sizeof(packed));
    UNTIL(&w, w.flush_done == 33);
    assert_int_equal(w.flushes, 1);
    give(&w, plain, sizeof(plain));
    UNTIL(&w, w.flush_done == 34);
    assert_int_equal(w.flushes, 2);
    give(&w, missing, sizeof(missing));
    give(&w, none_of_a_kind, sizeof(none_of_a_kind));
    give(&w, last_wins, sizeof(last_wins));
    UNTIL(&w, w.flush_done == 35);
    assert_int_equal(w.flushes, 3);
    assert_int_equal(w.stops, 0);
    world_deinit(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        tw_unit_test(museum_38_a_chunk_that_was_flushed_is_let_alone),
        tw_unit_test(museum_41_what_was_in_the_memory_before_does_not_matter),
        tw_unit_test(museum_45_fields_of_any_number_are_passed_over),
        tw_unit_test(museum_46_fields_packed_missing_and_repeated),
        tw_unit_test(museum_47_writing_stays_within_its_types_and_bounds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
