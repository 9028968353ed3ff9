/* SPDX-License-Identifier: Apache-2.0 */
/* Bugs that upstream's trace buffers once had, each re-created: museum_N is number N of them. */
#include <stdlib.h>
#include <string.h>

#include "base/req.h"
#include "tests/service/tb_helpers.h"

enum {
    FIRST = TW_CHUNK_FIRST_CONTINUES,
    LAST = TW_CHUNK_LAST_CONTINUES,
    PATCH = TW_CHUNK_NEEDS_PATCHING,
    START = TW_LOSS_PRESENT,
    ROOMY = 65536, /* bytes */
};

static void museum_1_counts_that_lie_and_sizes_cut_short(void **state)
{
    REQ("TW-BUF-052");
    REQ("TW-SHM-050");
    static const uint8_t bad_ends[][3] = {{0x80, 0x80, 0x80}, {0x7f, 1, 2}, {0xff, 0xff, 0x03}};

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct tw_trace_buffer *tb = tb_new(ROOMY, TW_FILL_RING);
        struct tb_chunk chunk;

        tb_make(&chunk, 0, LAST | PATCH, "sound");
        tb_raw(&chunk, bad_ends[i], sizeof(bad_ends[i]));
        chunk.in.n_fragments = 5;
        assert_int_equal(tb_write(tb, &chunk), 0);
        assert_int_equal(tb_put(tb, 1, 0, "next"), 0);
        tw_trace_buffer_begin_read(tb, false);
        tb_expect(tb, "sound", START);
        tb_expect(tb, "next", TW_LOSS_PRESENT | TW_LOSS_CHUNK_CORRUPTED);
        assert_int_equal(tw_trace_buffer_stats(tb)->abi_violations, 1);
        tw_trace_buffer_free(tb);
    }
}

static void museum_1_a_count_that_is_too_small(void **state)
{
    REQ("TW-BUF-010");
    struct tw_trace_buffer *tb = tb_new(ROOMY, TW_FILL_RING);
    struct tb_chunk chunk;

    (void)state;
    tb_make(&chunk, 0, 0, "one", "not counted");
    chunk.in.n_fragments = 1;
    assert_int_equal(tb_write(tb, &chunk), 0);
    tw_trace_buffer_begin_read(tb, false);
    tb_expect(tb, "one", START);
    tb_expect_none(tb);
    tw_trace_buffer_free(tb);
}

static void museum_2_patch_offsets_at_the_end(void **state)
{
    REQ("TW-BUF-040");
    struct tw_trace_buffer *tb = tb_new(ROOMY, TW_FILL_RING);

    (void)state;
    assert_int_equal(tb_put(tb, 0, PATCH, "abcdefg"), 0); /* eight bytes of payload */
    assert_int_equal(tb_patch(tb, 0, 5, "XXXX"), TW_E_INVALID);
    assert_int_equal(tb_patch(tb, 0, 8, "XXXX"), TW_E_INVALID);
    assert_int_equal(tb_patch(tb, 0, 9, "XXXX"), TW_E_INVALID);
    assert_int_equal(tb_patch(tb, 0, UINT32_MAX, "XXXX"), TW_E_INVALID);
    assert_int_equal(tb_patch(tb, 0, 4, "OKAY"), 0);
    tw_trace_buffer_begin_read(tb, false);
    tb_expect(tb, "abcOKAY", START);
    assert_int_equal(tw_trace_buffer_stats(tb)->patches_failed, 4);
    tw_trace_buffer_free(tb);
}

static void museum_2_one_bad_patch_applies_none(void **state)
{
    REQ("TW-BUF-041");
    REQ("TW-BUF-042");
    struct tw_trace_buffer *tb = tb_new(ROOMY, TW_FILL_RING);
    const struct tw_patch patches[] = {
        {.offset = 1, .data = {'X', 'X', 'X', 'X'}},
        {.offset = 100, .data = {'X', 'X', 'X', 'X'}},
    };
    struct tw_writer_key key = {.producer = 1, .writer_id = 1};

    (void)state;
    assert_int_equal(tb_put(tb, 0, PATCH, "abcdefg"), 0);
    assert_int_equal(tw_trace_buffer_patch(tb, key, 0, patches, 2, false), TW_E_INVALID);
    assert_int_equal(tb_patch(tb, 0, 4, "OKAY"), 0);
    tw_trace_buffer_begin_read(tb, false);
    tb_expect(tb, "abcOKAY", START);
    tw_trace_buffer_free(tb);
}

static void museum_3_patching_chunks_smaller_than_a_patch(void **state)
{
    REQ("TW-BUF-040");
    (void)state;
    for (size_t n = 0; n < 4; n++) {
        struct tw_trace_buffer *tb = tb_new(ROOMY, TW_FILL_RING);
        struct tb_chunk chunk;

        tb_begin(&chunk, 0, PATCH);
        if (n)
            tb_fill(&chunk, 'x', n - 1);
        assert_int_equal(chunk.n, n);
        assert_int_equal(tb_write(tb, &chunk), 0);
        for (uint32_t offset = 0; offset < 8; offset++)
            assert_int_equal(tb_patch(tb, 0, offset, "XXXX"), TW_E_INVALID);
        assert_int_equal(tb_patch(tb, 0, UINT32_MAX - 3, "XXXX"), TW_E_INVALID);
        tw_trace_buffer_free(tb);
    }
}

static void fill(struct tw_trace_buffer *tb, uint32_t id, size_t size)
{
    assert_int_equal(tb_put_fill(tb, 2, id, 'f', size), 0);
}

static void museum_4_scraped_then_filled_to_the_end_then_committed(void **state)
{
    REQ("TW-BUF-033");
    struct tw_trace_buffer *tb = tb_new(8192, TW_FILL_RING);
    struct tb_chunk chunk;

    (void)state;
    tb_make(&chunk, 0, 0, "a", "b");
    assert_int_equal(tb_scrape(tb, &chunk, 2000), 0); /* 48 + 2000 bytes */
    fill(tb, 0, 4000);
    fill(tb, 1, 8192 - 2048 - 4064 - 50); /* not one byte left */
    chunk.n = 2000;
    assert_int_equal(tb_write(tb, &chunk), 0);
    tw_trace_buffer_begin_read(tb, false);
    assert_int_equal(tw_trace_buffer_stats(tb)->chunks_relocated, 1);
    tb_expect_fill(tb, 'f', 4000, START);
    tb_expect_fill(tb, 'f', 8192 - 2048 - 4064 - 50, 0);
    tb_expect(tb, "a", START);
    tb_expect(tb, "b", 0);
    tb_expect_none(tb);
    tw_trace_buffer_free(tb);
}

static void museum_5_every_order_of_ids_across_the_wrap(void **state)
{
    REQ("TW-BUF-001");
    static const char *const texts[] = {"0", "1", "2", "3"};
    static const uint32_t first_ids[] = {0,        7, UINT32_MAX, UINT32_MAX - 1, UINT32_MAX - 2,
                                         INT32_MAX};

    (void)state;
    for (size_t f = 0; f < 6; f++) {
        for (unsigned int code = 0; code < 256; code++) {
            unsigned int order[] = {code & 3, code >> 2 & 3, code >> 4 & 3, code >> 6};
            struct tw_trace_buffer *tb;

            if ((1u << order[0] | 1u << order[1] | 1u << order[2] | 1u << order[3]) != 15)
                continue; /* not a permutation */
            tb = tb_new(ROOMY, TW_FILL_RING);
            for (size_t i = 0; i < 4; i++)
                assert_int_equal(tb_put(tb, first_ids[f] + order[i], 0, texts[order[i]]), 0);
            tw_trace_buffer_begin_read(tb, false);
            for (size_t i = 0; i < 4; i++)
                tb_expect(tb, texts[i], i ? 0 : START);
            tb_expect_none(tb);
            tw_trace_buffer_free(tb);
        }
    }
}

static void museum_6_incomplete_and_in_need_of_patches(void **state)
{
    REQ("TW-BUF-010");
    struct tw_trace_buffer *tb = tb_new(ROOMY, TW_FILL_RING);
    struct tb_chunk chunk;

    (void)state;
    tb_make(&chunk, 0, LAST | PATCH, "a", "b", "....");
    assert_int_equal(tb_scrape(tb, &chunk, 100), 0);
    tw_trace_buffer_begin_read(tb, false);
    tb_expect(tb, "a", START);
    tb_expect(tb, "b", 0);
    tb_expect_none(tb);
    tw_trace_buffer_free(tb);
}

static void museum_7_evicted_incomplete_then_committed(void **state)
{
    REQ("TW-BUF-032");
    struct tw_trace_buffer *tb = tb_new(8192, TW_FILL_RING);
    struct tb_chunk chunk;

    (void)state;
    tb_make(&chunk, 0, 0, "read", "not read", "unfinished");
    chunk.in.n_fragments = 2;
    assert_int_equal(tb_scrape(tb, &chunk, 1000), 0);
    tw_trace_buffer_begin_read(tb, false);
    tb_expect(tb, "read", START);
    tb_expect_none(tb);
    fill(tb, 0, 4000);
    fill(tb, 1, 4000);
    chunk.in.n_fragments = 3;
    assert_int_equal(tb_write(tb, &chunk), 0);
    assert_int_equal(tb_put(tb, 1, 0, "after"), 0);
    tw_trace_buffer_begin_read(tb, false);
    tb_expect_fill(tb, 'f', 4000, START | TW_LOSS_OVERWRITE);
    tb_expect(tb, "not read", 0);
    tb_expect(tb, "unfinished", 0);
    tb_expect(tb, "after", 0);
    tb_expect_none(tb);
    tw_trace_buffer_free(tb);
}

static void museum_7_evicted_unread_then_committed(void **state)
{
    struct tw_trace_buffer *tb = tb_new(8192, TW_FILL_RING);
    struct tb_chunk chunk;

    (void)state;
    tb_make(&chunk, 0, 0, "a", "b");
    assert_int_equal(tb_scrape(tb, &chunk, 1000), 0);
    fill(tb, 0, 4000);
    fill(tb, 1, 4000);
    assert_int_equal(tb_write(tb, &chunk), 0);
    tw_trace_buffer_begin_read(tb, false);
    tb_expect_fill(tb, 'f', 4000, START | TW_LOSS_OVERWRITE);
    tb_expect(tb, "a", START);
    tb_expect(tb, "b", 0);
    tb_expect_none(tb);
    tw_trace_buffer_free(tb);
}

static void museum_8_a_commit_that_would_evict_its_own_scraped_copy(void **state)
{
    REQ("TW-BUF-002");
    REQ("TW-BUF-033");
    struct tw_trace_buffer *tb = tb_new(8192, TW_FILL_RING);
    struct tb_chunk chunk;

    (void)state;
    tb_make(&chunk, 0, 0, "once", "then");
    assert_int_equal(tb_scrape(tb, &chunk, 3000), 0);
    tw_trace_buffer_begin_read(tb, false);
    tb_expect(tb, "once", START);
    fill(tb, 0, 3950); /* what is left is too small: the commit begins over at the scraped copy */
    chunk.n = 3000;
    assert_int_equal(tb_write(tb, &chunk), 0);
    tw_trace_buffer_begin_read(tb, false);
    tb_expect_fill(tb, 'f', 3950, START);
    tb_expect(tb, "then", 0);
    tb_expect_none(tb);
    assert_int_equal(tb_write(tb, &chunk), TW_E_EXISTS);
    tw_trace_buffer_begin_read(tb, false);
    tb_expect_none(tb);
    tw_trace_buffer_free(tb);
}

static void museum_9_discard_filled_exactly_to_the_end(void **state)
{
    REQ("TW-BUF-061");
    struct tw_trace_buffer *tb = tb_new(4096, TW_FILL_DISCARD);

    (void)state;
    for (uint32_t id = 0; id < 4; id++)
        assert_int_equal(tb_put_fill(tb, 1, id, (char)('0' + id), 1024 - 48 - 2), 0);
    assert_int_equal(tw_trace_buffer_stats(tb)->bytes_written, 4096);
    assert_int_equal(tb_put(tb, 4, 0, "4"), TW_E_LIMIT);
    tw_trace_buffer_begin_read(tb, false);
    for (uint32_t id = 0; id < 4; id++)
        tb_expect_fill(tb, (char)('0' + id), 1024 - 48 - 2, id ? 0 : START);
    tb_expect_none(tb);
    assert_int_equal(tb_put(tb, 4, 0, "4"), TW_E_LIMIT);
    tw_trace_buffer_free(tb);
}

static void museum_10_a_packet_its_writer_gave_up(void **state)
{
    REQ("TW-BUF-057");
    static const uint8_t drop[] = {0xff, 0xff, 0xff, 0x7f};
    struct tw_trace_buffer *tb = tb_new(ROOMY, TW_FILL_RING);
    struct tb_chunk chunk;

    (void)state;
    tb_make(&chunk, 0, LAST, "whole", "begin");
    assert_int_equal(tb_write(tb, &chunk), 0);
    tb_begin(&chunk, 1, FIRST);
    tb_raw(&chunk, drop, sizeof(drop));
    chunk.in.n_fragments = 1;
    assert_int_equal(tb_write(tb, &chunk), 0);
    assert_int_equal(tb_put(tb, 2, 0, "next"), 0);
    tw_trace_buffer_begin_read(tb, false);
    tb_expect(tb, "whole", START);
    tb_expect(tb, "next", TW_LOSS_PRESENT | TW_LOSS_WRITER_ABORT);
    assert_int_equal(tw_trace_buffer_stats(tb)->abi_violations, 0);
    assert_int_equal(tw_trace_buffer_stats(tb)->trace_writer_packet_loss, 1);
    tw_trace_buffer_free(tb);
}

static void museum_10_given_up_by_a_patch(void **state)
{
    REQ("TW-BUF-043");
    struct tw_trace_buffer *tb = tb_new(ROOMY, TW_FILL_RING);

    (void)state;
    assert_int_equal(tb_put(tb, 0, PATCH, "abcdefg"), 0);
    assert_int_equal(tb_put(tb, 1, 0, "next"), 0);
    assert_int_equal(tb_patch(tb, 0, 0, "\xff\xff\xff\x7f"), 0);
    tw_trace_buffer_begin_read(tb, false);
    tb_expect(tb, "next", START | TW_LOSS_WRITER_ABORT);
    assert_int_equal(tw_trace_buffer_stats(tb)->abi_violations, 0);
    assert_int_equal(tw_trace_buffer_stats(tb)->trace_writer_packet_loss, 1);
    tw_trace_buffer_free(tb);
}

/* Nothing reads a byte before or behind the payload, or takes it for text. */
static void museum_11_bytes_without_an_end(void **state)
{
    struct tw_trace_buffer *tb = tb_new(ROOMY, TW_FILL_RING), *clone;
    uint8_t *exact = malloc(64); /* not a byte more, which ASan sees to */
    struct tw_packet_out packet;
    struct tb_chunk chunk;

    (void)state;
    assert_non_null(exact);
    memset(exact, 'x', 64);
    exact[0] = 63;
    tb_begin(&chunk, 0, 0);
    chunk.in.n_fragments = 1;
    chunk.in.payload = (struct tw_shared_bytes){tw_shared_of(exact), 64};
    assert_int_equal(tw_trace_buffer_write(tb, &chunk.in), 0);
    memset(exact, 0, 64);
    free(exact);
    assert_int_equal(tw_trace_buffer_clone(tb, &clone), 0);
    for (int i = 0; i < 2; i++) {
        tw_trace_buffer_begin_read(i ? tb : clone, false);
        assert_int_equal(tw_trace_buffer_next_packet(i ? tb : clone, &packet), 0);
        assert_int_equal(packet.n_slices, 1);
        assert_int_equal(packet.size, 63);
        for (size_t k = 0; k < packet.size; k++)
            assert_int_equal(packet.slices[0].p[k], 'x');
    }
    tw_trace_buffer_free(clone);
    tw_trace_buffer_free(tb);
}

static void chains_of_fragments_that_are_broken(void **state)
{
    REQ("TW-BUF-053");
    REQ("TW-BUF-055");
    struct tw_trace_buffer *tb = tb_new(ROOMY, TW_FILL_RING);

    (void)state;
    assert_int_equal(tb_put(tb, 0, LAST, "begin"), 0);
    assert_int_equal(tb_put(tb, 1, 0, "whole"), 0);
    assert_int_equal(tb_put(tb, 2, FIRST, "orphan"), 0);
    assert_int_equal(tb_put(tb, 3, 0, "last"), 0);
    tw_trace_buffer_begin_read(tb, false);
    tb_expect(tb, "whole", START | TW_LOSS_REASSEMBLY_BROKEN_CHAIN);
    tb_expect(tb, "last", TW_LOSS_PRESENT | TW_LOSS_ORPHAN_CONTINUATION);
    tw_trace_buffer_free(tb);
}

static void a_commit_that_takes_packets_back(void **state)
{
    REQ("TW-BUF-031");
    struct tw_trace_buffer *tb = tb_new(ROOMY, TW_FILL_RING);
    struct tb_chunk chunk;

    (void)state;
    tb_make(&chunk, 0, 0, "a", "b", "c");
    assert_int_equal(tb_scrape(tb, &chunk, 100), 0);
    chunk.in.n_fragments = 1;
    assert_int_equal(tb_write(tb, &chunk), TW_E_PROTOCOL);
    assert_int_equal(tb_put(tb, 1, 0, "next"), 0);
    tw_trace_buffer_begin_read(tb, false);
    tb_expect(tb, "a", START);
    tb_expect(tb, "b", 0);
    tb_expect(tb, "next", TW_LOSS_PRESENT | TW_LOSS_CHUNK_CORRUPTED);
    tw_trace_buffer_free(tb);
}

/* Work would be quadratic if the place of a chunk were found by walking: minutes, not a moment. */
static void ids_in_descending_order_cost_no_more(void **state)
{
    struct tw_trace_buffer *tb = tb_new(UINT64_C(16) << 20, TW_FILL_RING);
    const uint32_t n = 200000;

    (void)state;
    for (uint32_t i = 0; i < n; i++)
        assert_int_equal(tb_put(tb, 2 * (n - i), 0, "x"), 0);
    tw_trace_buffer_begin_read(tb, true);
    for (uint32_t i = 0; i < n; i++)
        tb_expect(tb, "x", i ? TW_LOSS_PRESENT | TW_LOSS_READ_GAP : START);
    tb_expect_none(tb);
    tw_trace_buffer_free(tb);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        tw_unit_test(museum_1_counts_that_lie_and_sizes_cut_short),
        tw_unit_test(museum_1_a_count_that_is_too_small),
        tw_unit_test(museum_2_patch_offsets_at_the_end),
        tw_unit_test(museum_2_one_bad_patch_applies_none),
        tw_unit_test(museum_3_patching_chunks_smaller_than_a_patch),
        tw_unit_test(museum_4_scraped_then_filled_to_the_end_then_committed),
        tw_unit_test(museum_5_every_order_of_ids_across_the_wrap),
        tw_unit_test(museum_6_incomplete_and_in_need_of_patches),
        tw_unit_test(museum_7_evicted_incomplete_then_committed),
        tw_unit_test(museum_7_evicted_unread_then_committed),
        tw_unit_test(museum_8_a_commit_that_would_evict_its_own_scraped_copy),
        tw_unit_test(museum_9_discard_filled_exactly_to_the_end),
        tw_unit_test(museum_10_a_packet_its_writer_gave_up),
        tw_unit_test(museum_10_given_up_by_a_patch),
        tw_unit_test(museum_11_bytes_without_an_end),
        tw_unit_test(chains_of_fragments_that_are_broken),
        tw_unit_test(a_commit_that_takes_packets_back),
        tw_unit_test(ids_in_descending_order_cost_no_more),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
