/* SPDX-License-Identifier: Apache-2.0 */
/* A clone reads like the original and is independent of it. */
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "fuzz/faults.h"
#include "service/trace_buffer_internal.h"
#include "tests/service/tb_helpers.h"

enum {
    FIRST = TW_CHUNK_FIRST_CONTINUES,
    LAST = TW_CHUNK_LAST_CONTINUES,
    PATCH = TW_CHUNK_NEEDS_PATCHING,
    START = TW_LOSS_PRESENT,
    ROOMY = 65536,
    PAGE = 4096,
};

static struct tw_trace_buffer *clone_of(const struct tw_trace_buffer *tb)
{
    struct tw_trace_buffer *clone = NULL;

    assert_int_equal(tw_trace_buffer_clone(tb, &clone), 0);
    return clone;
}

static void has_what_is_unread_and_says_so(void **state)
{
    REQ("TW-BUF-071");
    struct tw_trace_buffer *tb = tb_new(ROOMY, TW_FILL_RING), *clone;
    struct tb_chunk chunk;

    (void)state;
    assert_int_equal(tb_put(tb, 0, 0, "0"), 0);
    tb_make(&chunk, 1, 0, "1a", "1b");
    assert_int_equal(tb_write(tb, &chunk), 0);
    assert_int_equal(tb_put(tb, 2, 0, "2"), 0);
    tw_trace_buffer_begin_read(tb, false);
    tb_expect(tb, "0", START);
    tb_expect(tb, "1a", 0);
    clone = clone_of(tb);
    for (int i = 0; i < 2; i++) {
        struct tw_trace_buffer *reader = i ? tb : clone;

        tw_trace_buffer_begin_read(reader, false);
        tb_expect(reader, "1b", i ? 0 : START);
        tb_expect(reader, "2", 0);
        tb_expect_none(reader);
    }
    tw_trace_buffer_free(clone);
    tw_trace_buffer_free(tb);
}

static void what_happens_to_one_does_not_to_the_other(void **state)
{
    struct tw_trace_buffer *tb = tb_new(ROOMY, TW_FILL_RING), *clone;
    struct tb_chunk chunk;

    (void)state;
    tb_make(&chunk, 0, PATCH, "????");
    assert_int_equal(tb_write(tb, &chunk), 0);
    clone = clone_of(tb);
    assert_int_equal(tb_patch(tb, 0, 1, "done"), 0);
    assert_int_equal(tb_put(tb, 1, 0, "original"), 0);
    assert_int_equal(tb_patch(clone, 0, 1, "copy"), 0);
    assert_int_equal(tb_put(clone, 1, 0, "clone"), 0);
    tw_trace_buffer_begin_read(tb, false);
    tb_expect(tb, "done", START);
    tw_trace_buffer_begin_read(clone, false);
    tb_expect(clone, "copy", START);
    tb_expect(tb, "original", 0);
    tb_expect(clone, "clone", 0);
    tw_trace_buffer_free(tb);
    tb_expect_none(clone);
    tw_trace_buffer_free(clone);
}

static void waits_for_what_the_original_waits_for(void **state)
{
    struct tw_trace_buffer *tb = tb_new(ROOMY, TW_FILL_RING), *clone;
    struct tb_chunk chunk;

    (void)state;
    tb_make(&chunk, 0, 0, "a", "b");
    assert_int_equal(tb_scrape(tb, &chunk, 100), 0);
    assert_int_equal(tb_put(tb, 1, LAST, "begin and "), 0);
    assert_int_equal(tb_put(tb, 3, 0, "behind a hole"), 0);
    tw_trace_buffer_begin_read(tb, false);
    tb_expect(tb, "a", START);
    tb_expect_none(tb);
    clone = clone_of(tb);
    tw_trace_buffer_begin_read(clone, false);
    tb_expect_none(clone);
    assert_int_equal(tb_write(clone, &chunk), 0);
    assert_int_equal(tb_put(clone, 2, FIRST, "end"), 0);
    tw_trace_buffer_begin_read(clone, false);
    tb_expect(clone, "b", START);
    tb_expect(clone, "begin and end", 0);
    tb_expect(clone, "behind a hole", 0);
    tb_expect_none(clone);
    tw_trace_buffer_begin_read(tb, true);
    tb_expect(tb, "behind a hole", START | TW_LOSS_READ_GAP | TW_LOSS_REASSEMBLY_GAP);
    tw_trace_buffer_free(clone);
    tw_trace_buffer_free(tb);
}

/* At every place of the write position, twice round. */
static void a_wrapped_ring_is_cloned_where_it_stands(void **state)
{
    struct tw_trace_buffer *tb = tb_new(2 * PAGE, TW_FILL_RING);

    (void)state;
    for (uint32_t id = 0; id < 40; id++) {
        struct tw_trace_buffer *clone;
        struct tw_packet_out theirs, ours;
        struct tb_chunk chunk;

        tb_begin(&chunk, id, 0);
        tb_fill(&chunk, 'x', 300 + id);
        assert_int_equal(tb_write(tb, &chunk), 0);
        clone = clone_of(tb);
        assert_int_equal(tb_write(clone, &chunk), TW_E_EXISTS);
        chunk.in.chunk_id++;
        assert_int_equal(tb_write(clone, &chunk), 0);
        tw_trace_buffer_free(clone);
        if (id % 20 == 19) {
            clone = clone_of(tb);
            tw_trace_buffer_begin_read(tb, false);
            tw_trace_buffer_begin_read(clone, false);
            while (!tb_next(tb, &theirs)) {
                assert_int_equal(tb_next(clone, &ours), 0);
                assert_int_equal(ours.size, theirs.size);
                assert_true(ours.dropped == theirs.dropped || ours.dropped & START);
            }
            tb_expect_none(clone);
            tw_trace_buffer_free(clone);
        }
    }
    tw_trace_buffer_free(tb);
}

static void a_full_one_stays_full(void **state)
{
    struct tw_trace_buffer *tb = tb_new(PAGE, TW_FILL_DISCARD), *clone;
    struct tb_chunk chunk;

    (void)state;
    tb_begin(&chunk, 0, 0);
    tb_fill(&chunk, 'x', 3000);
    assert_int_equal(tb_write(tb, &chunk), 0);
    chunk.in.chunk_id = 1;
    assert_int_equal(tb_write(tb, &chunk), TW_E_LIMIT);
    clone = clone_of(tb);
    assert_int_equal(tb_put(clone, 1, 0, "small"), TW_E_LIMIT);
    tw_trace_buffer_free(clone);
    tw_trace_buffer_free(tb);
}

static void statistics_go_on_but_for_those_of_reading(void **state)
{
    REQ("TW-BUF-071");
    struct tw_trace_buffer *tb = tb_new(ROOMY, TW_FILL_RING), *clone;
    const struct tw_trace_buffer_stats *stats;
    struct tw_writer_info info;
    size_t at = 0;

    (void)state;
    assert_int_equal(tb_put(tb, 0, LAST, "a"), 0);
    assert_int_equal(tb_put(tb, 1, FIRST | LAST, "a"), 0);
    assert_int_equal(tb_put(tb, 2, FIRST, "a"), 0);
    assert_int_equal(tb_put(tb, 3, LAST, "a"), 0);
    assert_int_equal(tb_patch(tb, 9, 0, "gone"), TW_E_NOT_FOUND);
    tw_trace_buffer_begin_read(tb, false);
    tb_expect(tb, "aaa", START);
    tb_expect_none(tb);
    clone = clone_of(tb);
    stats = tw_trace_buffer_stats(clone);
    assert_int_equal(stats->buffer_size, ROOMY);
    assert_int_equal(stats->chunks_written, 4);
    assert_int_equal(stats->bytes_written, tw_trace_buffer_stats(tb)->bytes_written);
    assert_int_equal(stats->patches_failed, 1);
    assert_int_equal(stats->chunks_read, 0);
    assert_int_equal(stats->bytes_read, 0);
    assert_int_equal(stats->readaheads_succeeded, 0);
    assert_int_equal(stats->readaheads_failed, 0);
    assert_int_equal(tw_trace_buffer_stats(tb)->chunks_read, 3);
    assert_int_equal(tw_trace_buffer_stats(tb)->readaheads_failed, 1);
    assert_int_equal(tw_trace_buffer_next_writer(clone, &at, &info), 0);
    assert_int_equal(info.seq.writer_id, 1);
    assert_int_equal(info.histogram.counts[0], 4);
    tw_trace_buffer_free(clone);
    tw_trace_buffer_free(tb);
}

/* Pages of a buffer that are in memory. */
static size_t resident(const struct tw_trace_buffer *tb)
{
    size_t pages = (tb->map_size + PAGE - 1) / PAGE, n = 0;
    unsigned char *in_memory = calloc(pages, 1);

    assert_non_null(in_memory);
    assert_int_equal(mincore(tb->map, tb->map_size, in_memory), 0);
    for (size_t i = 0; i < pages; i++)
        n += in_memory[i] & 1;
    free(in_memory);
    return n;
}

static void costs_what_is_used(void **state)
{
    struct tw_trace_buffer *tb = tb_new((uint64_t)256 << 20, TW_FILL_RING), *clone;

    (void)state;
    for (uint32_t id = 0; id < 16; id++)
        assert_int_equal(tb_put_fill(tb, 1, id, 'x', 4000), 0);
    clone = clone_of(tb);
    assert_true(resident(clone) <= 2 * 16 + 8); /* a page and a bucket each, and the sequences */
    tw_trace_buffer_free(clone);
    tw_trace_buffer_free(tb);
}

static void no_memory_is_told(void **state)
{
    struct tw_trace_buffer *tb = tb_new(ROOMY, TW_FILL_RING), *clone = NULL;
    unsigned int nth = 0;
    int rc;

    (void)state;
    assert_int_equal(tb_put(tb, 0, 0, "still there"), 0);
    do {
        faults_arm(++nth);
        rc = tw_trace_buffer_clone(tb, &clone);
        if (rc)
            assert_int_equal(rc, -ENOMEM);
        assert_true(rc == 0 || !clone);
    } while (faults_disarm());
    assert_int_equal(rc, 0);
    /* The struct, the mapping, and then nothing fails. Where an offset has twice the size of a
     * pointer the mapping is another function's, mmap64(), which is not made to fail. */
    assert_int_equal(nth, sizeof(void *) < sizeof(off_t) ? 2 : 3);
    tw_trace_buffer_begin_read(tb, false);
    tb_expect(tb, "still there", START);
    tw_trace_buffer_free(clone);
    tw_trace_buffer_free(tb);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        tw_unit_test(has_what_is_unread_and_says_so),
        tw_unit_test(what_happens_to_one_does_not_to_the_other),
        tw_unit_test(waits_for_what_the_original_waits_for),
        tw_unit_test(a_wrapped_ring_is_cloned_where_it_stands),
        tw_unit_test(a_full_one_stays_full),
        tw_unit_test(statistics_go_on_but_for_those_of_reading),
        tw_unit_test(costs_what_is_used),
        tw_unit_test(no_memory_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
