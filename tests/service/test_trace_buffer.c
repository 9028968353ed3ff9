/* SPDX-License-Identifier: Apache-2.0 */
/* What the trace buffer does for writers that keep the rules, whatever becomes of their chunks. */
#include <string.h>

#include "service/limits.h"
#include "tests/service/sim_writer.h"
#include "tests/service/tb_helpers.h"

enum {
    FIRST = TW_CHUNK_FIRST_CONTINUES,
    LAST = TW_CHUNK_LAST_CONTINUES,
    PATCH = TW_CHUNK_NEEDS_PATCHING,
    START = TW_LOSS_PRESENT, /* on the first packet of every sequence */
    ROOMY = 65536,           /* bytes: nothing gets old in it by a few small chunks */
};

static void gives_packets_back_in_order(void **state)
{
    REQ("TW-BUF-001");
    REQ("TW-BUF-050");
    struct tw_trace_buffer *tb = tb_new(ROOMY, TW_FILL_RING);
    struct tb_chunk chunk;

    (void)state;
    tb_make(&chunk, 0, 0, "one", "", "two");
    assert_int_equal(tb_write(tb, &chunk), 0);
    assert_int_equal(tb_put(tb, 1, 0, "three"), 0);
    tw_trace_buffer_begin_read(tb, false);
    tb_expect(tb, "one", START);
    tb_expect(tb, "two", 0);
    tb_expect(tb, "three", 0);
    tb_expect_none(tb);
    tw_trace_buffer_begin_read(tb, false);
    tb_expect_none(tb);
    tw_trace_buffer_free(tb);
}

static void joins_fragments_over_any_number_of_chunks(void **state)
{
    REQ("TW-BUF-011");
    struct tw_trace_buffer *tb = tb_new(ROOMY, TW_FILL_RING);
    struct tb_chunk empty;

    (void)state;
    assert_int_equal(tb_put(tb, 0, LAST, "a"), 0);
    for (uint32_t id = 1; id < 100; id++)
        assert_int_equal(tb_put(tb, id, FIRST | LAST, "b"), 0);
    tb_begin(&empty, 100, 0);
    assert_int_equal(tb_write(tb, &empty), 0);
    tw_trace_buffer_begin_read(tb, false);
    tb_expect_none(tb);
    assert_int_equal(tb_put(tb, 101, FIRST, "c"), 0);
    tw_trace_buffer_begin_read(tb, false);
    tb_expect(tb,
              "abbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
              "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbc",
              START);
    tb_expect_none(tb);
    assert_int_equal(tw_trace_buffer_stats(tb)->readaheads_succeeded, 1);
    assert_int_equal(tw_trace_buffer_stats(tb)->readaheads_failed, 1);
    tw_trace_buffer_free(tb);
}

static void stops_at_a_hole_until_it_is_filled(void **state)
{
    REQ("TW-BUF-020");
    struct tw_trace_buffer *tb = tb_new(ROOMY, TW_FILL_RING);

    (void)state;
    assert_int_equal(tb_put(tb, 0, 0, "0"), 0);
    assert_int_equal(tb_put(tb, 2, 0, "2"), 0);
    tw_trace_buffer_begin_read(tb, false);
    tb_expect(tb, "0", START);
    tb_expect_none(tb);
    assert_int_equal(tb_put(tb, 1, 0, "1"), 0);
    tw_trace_buffer_begin_read(tb, false);
    tb_expect(tb, "1", 0);
    tb_expect(tb, "2", 0);
    assert_int_equal(tw_trace_buffer_stats(tb)->chunks_committed_out_of_order, 1);
    tw_trace_buffer_free(tb);
}

static void skips_a_hole_in_the_last_read_and_tells(void **state)
{
    REQ("TW-BUF-023");
    REQ("TW-BUF-051");
    REQ("TW-SHM-030");
    struct tw_trace_buffer *tb = tb_new(ROOMY, TW_FILL_RING);

    (void)state;
    assert_int_equal(tb_put(tb, 0, LAST, "0"), 0);
    assert_int_equal(tb_put(tb, 2, FIRST, "end"), 0);
    assert_int_equal(tb_put(tb, 3, 0, "3"), 0);
    assert_int_equal(tb_put(tb, 5, 0, "5"), 0);
    tw_trace_buffer_begin_read(tb, true);
    tb_expect(tb, "3",
              START | TW_LOSS_REASSEMBLY_GAP | TW_LOSS_READ_GAP | TW_LOSS_ORPHAN_CONTINUATION);
    tb_expect(tb, "5", TW_LOSS_PRESENT | TW_LOSS_READ_GAP);
    assert_int_equal(tb_put(tb, 4, 0, "late"), TW_E_EXISTS);
    assert_int_equal(tw_trace_buffer_stats(tb)->chunks_discarded, 1);
    tw_trace_buffer_free(tb);
}

static void skips_a_hole_before_what_waits_is_overwritten(void **state)
{
    REQ("TW-BUF-023");
    struct tw_trace_buffer *tb = tb_new(16384, TW_FILL_RING);

    (void)state;
    assert_int_equal(tb_put(tb, 0, 0, "0"), 0);
    assert_int_equal(tb_put(tb, 2, 0, "2"), 0);
    for (uint32_t i = 0; i < 3; i++)
        assert_int_equal(tb_put_fill(tb, 2, i, 'x', 4000), 0);
    tw_trace_buffer_begin_read(tb, false);
    tb_expect(tb, "0", START);
    tb_expect(tb, "2", TW_LOSS_PRESENT | TW_LOSS_READ_GAP);
    assert_int_equal(tw_trace_buffer_stats(tb)->chunks_overwritten, 0);
    tw_trace_buffer_free(tb);
}

static void ring_overwrites_the_oldest_and_tells(void **state)
{
    REQ("TW-BUF-056");
    REQ("TW-BUF-060");
    REQ("TW-SHM-030");
    struct tw_trace_buffer *tb = tb_new(16384, TW_FILL_RING);
    const struct tw_trace_buffer_stats *stats = tw_trace_buffer_stats(tb);

    (void)state;
    for (uint32_t id = 0; id < 8; id++)
        assert_int_equal(tb_put_fill(tb, 1, id, (char)('0' + id), 3900), 0);
    assert_int_equal(stats->chunks_overwritten, 4);
    assert_int_equal(stats->bytes_overwritten, stats->bytes_written / 2);
    assert_int_equal(stats->write_wrap_count, 1);
    assert_int_equal(stats->buffer_size, 16384);
    tw_trace_buffer_begin_read(tb, false);
    tb_expect_fill(tb, '4', 3900, TW_LOSS_PRESENT | TW_LOSS_OVERWRITE);
    tb_expect_fill(tb, '5', 3900, 0);
    tb_expect_fill(tb, '6', 3900, 0);
    tb_expect_fill(tb, '7', 3900, 0);
    tb_expect_none(tb);
    assert_int_equal(stats->chunks_read, 4);
    assert_int_equal(stats->bytes_read, stats->bytes_written / 2);
    tw_trace_buffer_free(tb);
}

static void what_was_read_is_not_lost_when_overwritten(void **state)
{
    struct tw_trace_buffer *tb = tb_new(8192, TW_FILL_RING);

    (void)state;
    for (uint32_t id = 0; id < 50; id++) {
        struct tb_chunk chunk;

        tb_begin(&chunk, id, 0);
        tb_fill(&chunk, 'r', 3000);
        assert_int_equal(tb_scrape(tb, &chunk, 3500), 0);
        tb_add(&chunk, "unfinished");
        assert_int_equal(tb_scrape(tb, &chunk, 3500), 0);
        tw_trace_buffer_begin_read(tb, false);
        tb_expect_fill(tb, 'r', 3000, id ? 0 : START);
        chunk.in.n_fragments--;
        chunk.n = 3500;
        assert_int_equal(tb_write(tb, &chunk), 0);
    }
    assert_int_equal(tw_trace_buffer_stats(tb)->chunks_overwritten, 0);
    tw_trace_buffer_free(tb);
}

static void a_commit_without_news_is_read_when_it_comes(void **state)
{
    REQ("TW-BUF-030");
    struct tw_trace_buffer *tb = tb_new(8192, TW_FILL_RING);
    struct tb_chunk chunk;

    (void)state;
    tb_make(&chunk, 0, 0, "read", "never finished");
    assert_int_equal(tb_scrape(tb, &chunk, 100), 0);
    tw_trace_buffer_begin_read(tb, false);
    tb_expect(tb, "read", START);
    chunk.in.n_fragments = 1;
    assert_int_equal(tb_write(tb, &chunk), 0);
    assert_int_equal(tw_trace_buffer_stats(tb)->chunks_read, 1);
    for (uint32_t i = 0; i < 3; i++)
        assert_int_equal(tb_put_fill(tb, 2, i, 'x', 4000), 0);
    tw_trace_buffer_begin_read(tb, false);
    tb_expect_fill(tb, 'x', 4000, TW_LOSS_PRESENT | TW_LOSS_OVERWRITE);
    tb_expect_fill(tb, 'x', 4000, 0);
    assert_int_equal(tb_put(tb, 1, 0, "next"), 0);
    tw_trace_buffer_begin_read(tb, false);
    tb_expect(tb, "next", 0);
    tw_trace_buffer_free(tb);
}

static void losses_inside_an_overwritten_chunk_are_told_too(void **state)
{
    REQ("TW-SHM-030");
    struct tw_trace_buffer *tb = tb_new(8192, TW_FILL_RING);
    struct tb_chunk chunk;

    (void)state;
    tb_make(&chunk, 0, 0, "sound");
    chunk.in.n_fragments = 2;
    assert_int_equal(tb_write(tb, &chunk), 0);
    for (uint32_t id = 1; id < 3; id++)
        assert_int_equal(tb_put_fill(tb, 1, id, 'x', 4040), 0);
    tw_trace_buffer_begin_read(tb, false);
    tb_expect_fill(tb, 'x', 4040, TW_LOSS_PRESENT | TW_LOSS_OVERWRITE | TW_LOSS_CHUNK_CORRUPTED);
    tw_trace_buffer_free(tb);
}

static void overwriting_the_middle_of_a_sequence_loses_only_that(void **state)
{
    struct tw_trace_buffer *tb = tb_new(8192, TW_FILL_RING);
    static const uint32_t ids[] = {1, 0, 2, 3};

    (void)state;
    for (size_t i = 0; i < 4; i++) /* the last overwrites id 1, which came first */
        assert_int_equal(tb_put_fill(tb, 1, ids[i], (char)('0' + ids[i]), 2300), 0);
    tw_trace_buffer_begin_read(tb, false);
    tb_expect_fill(tb, '0', 2300, START);
    tb_expect_fill(tb, '2', 2300, TW_LOSS_PRESENT | TW_LOSS_OVERWRITE);
    tb_expect_fill(tb, '3', 2300, 0);
    tw_trace_buffer_free(tb);
}

static void discard_keeps_the_oldest_and_takes_nothing_more(void **state)
{
    REQ("TW-BUF-061");
    struct tw_trace_buffer *tb = tb_new(4096, TW_FILL_DISCARD);
    struct tb_chunk chunk;

    (void)state;
    for (uint32_t id = 0; id < 4; id++) {
        tb_begin(&chunk, id, 0);
        tb_fill(&chunk, (char)('0' + id), 1500);
        assert_int_equal(tb_write(tb, &chunk), id < 2 ? 0 : TW_E_LIMIT);
    }
    assert_int_equal(tb_put(tb, 4, 0, "small"), TW_E_LIMIT);
    tw_trace_buffer_begin_read(tb, false);
    tb_expect_fill(tb, '0', 1500, START);
    tb_expect_fill(tb, '1', 1500, 0);
    tb_expect_none(tb);
    assert_int_equal(tw_trace_buffer_stats(tb)->chunks_discarded, 3);
    assert_int_equal(tw_trace_buffer_stats(tb)->chunks_overwritten, 0);
    tw_trace_buffer_free(tb);
}

static void discard_reuses_what_was_read(void **state)
{
    REQ("TW-BUF-062");
    struct tw_trace_buffer *tb = tb_new(4096, TW_FILL_DISCARD);

    (void)state;
    for (uint32_t id = 0; id < 20; id++) {
        assert_int_equal(tb_put_fill(tb, 1, id, 'd', 1500), 0);
        tw_trace_buffer_begin_read(tb, false);
        tb_expect_fill(tb, 'd', 1500, id ? 0 : START);
    }
    tw_trace_buffer_free(tb);
}

static void a_patch_lets_a_waiting_packet_go(void **state)
{
    REQ("TW-BUF-022");
    REQ("TW-BUF-042");
    struct tw_trace_buffer *tb = tb_new(ROOMY, TW_FILL_RING);
    struct tb_chunk chunk;

    (void)state;
    tb_make(&chunk, 0, LAST | PATCH, "whole", "....");
    assert_int_equal(tb_write(tb, &chunk), 0);
    assert_int_equal(tb_put(tb, 1, FIRST, "tail"), 0);
    tw_trace_buffer_begin_read(tb, false);
    tb_expect(tb, "whole", START);
    tb_expect_none(tb);
    assert_int_equal(tb_patch(tb, 0, 2, "read"), TW_E_INVALID);
    assert_int_equal(tb_patch(tb, 0, 7, "size"), 0);
    tw_trace_buffer_begin_read(tb, false);
    tb_expect(tb, "sizetail", 0);
    assert_int_equal(tb_patch(tb, 0, 7, "gone"), TW_E_NOT_FOUND);
    assert_int_equal(tw_trace_buffer_stats(tb)->patches_succeeded, 1);
    assert_int_equal(tw_trace_buffer_stats(tb)->patches_failed, 2);
    tw_trace_buffer_free(tb);
}

static void a_patch_that_never_comes_costs_only_its_packet(void **state)
{
    REQ("TW-BUF-054");
    struct tw_trace_buffer *tb = tb_new(ROOMY, TW_FILL_RING);

    (void)state;
    assert_int_equal(tb_put(tb, 0, LAST | PATCH, "...."), 0);
    assert_int_equal(tb_put(tb, 1, FIRST, "tail"), 0);
    assert_int_equal(tb_put(tb, 2, 0, "next"), 0);
    tw_trace_buffer_begin_read(tb, false);
    tb_expect_none(tb);
    tw_trace_buffer_begin_read(tb, true);
    tb_expect(tb, "next", START | TW_LOSS_REASSEMBLY_GAP | TW_LOSS_ORPHAN_CONTINUATION);
    tw_trace_buffer_free(tb);
}

static void a_chunk_patched_in_place_after_scraping_is_taken_again(void **state)
{
    REQ("TW-BUF-030");
    struct tw_trace_buffer *tb = tb_new(ROOMY, TW_FILL_RING);
    struct tb_chunk chunk;

    (void)state;
    tb_make(&chunk, 0, LAST | PATCH, "....");
    assert_int_equal(tb_write(tb, &chunk), 0);
    memcpy(chunk.bytes + 1, "size", 4);
    chunk.in.flags = LAST;
    assert_int_equal(tb_write(tb, &chunk), 0);
    assert_int_equal(tb_write(tb, &chunk), TW_E_EXISTS);
    assert_int_equal(tb_put(tb, 1, FIRST, "tail"), 0);
    tw_trace_buffer_begin_read(tb, false);
    tb_expect(tb, "sizetail", START);
    tw_trace_buffer_free(tb);
}

static void an_incomplete_chunk_stops_the_sequence_until_committed(void **state)
{
    REQ("TW-BUF-002");
    REQ("TW-BUF-021");
    struct tw_trace_buffer *tb = tb_new(ROOMY, TW_FILL_RING);
    struct tb_chunk chunk;

    (void)state;
    tb_make(&chunk, 0, 0, "a", "b, unfin");
    assert_int_equal(tb_scrape(tb, &chunk, 100), 0);
    assert_int_equal(tb_put(tb, 1, 0, "d"), 0);
    tw_trace_buffer_begin_read(tb, false);
    tb_expect(tb, "a", START);
    tb_expect_none(tb);
    assert_int_equal(tb_scrape(tb, &chunk, 100), TW_E_EXISTS);
    tb_add(&chunk, "c");
    assert_int_equal(tb_scrape(tb, &chunk, 100), 0);
    tw_trace_buffer_begin_read(tb, false);
    tb_expect(tb, "b, unfin", 0);
    tb_expect_none(tb);
    assert_int_equal(tb_write(tb, &chunk), 0);
    tw_trace_buffer_begin_read(tb, false);
    tb_expect(tb, "c", 0);
    tb_expect(tb, "d", 0);
    assert_int_equal(tb_write(tb, &chunk), TW_E_EXISTS);
    tw_trace_buffer_free(tb);
}

static void tells_how_large_the_chunks_of_each_writer_were(void **state)
{
    struct tw_trace_buffer *tb = tb_new(ROOMY, TW_FILL_RING);
    struct tw_writer_info info;
    struct tb_chunk chunk;
    size_t at = 0;

    (void)state;
    tb_make(&chunk, 0, 0, "12345678");
    assert_int_equal(tb_write(tb, &chunk), 0);
    assert_int_equal(tb_put_fill(tb, 7, 0, 'x', 4000), 0);
    assert_int_equal(tw_trace_buffer_next_writer(tb, &at, &info), 0);
    assert_int_equal(info.seq.writer_id, 1);
    assert_int_equal(info.histogram.counts[1], 1);
    assert_int_equal(info.histogram.sums[1], 9);
    assert_int_equal(tw_trace_buffer_next_writer(tb, &at, &info), 0);
    assert_int_equal(info.seq.writer_id, 7);
    assert_int_equal(info.histogram.counts[6], 1);
    assert_int_equal(info.histogram.sums[6], 4002);
    assert_int_equal(tw_trace_buffer_next_writer(tb, &at, &info), TW_MORE);
    tw_trace_buffer_free(tb);
}

static void refuses_sizes_that_cannot_be(void **state)
{
    REQ("TW-BUF-012");
    REQ("TW-LIM-130");
    REQ("TW-LIM-131");
    struct tw_trace_buffer *tb = NULL;
    static uint8_t zeros[TW_CHUNK_PAYLOAD_MAX + 1];
    struct tb_chunk chunk;

    (void)state;
    assert_int_equal(tw_trace_buffer_new(&tb, UINT64_MAX, TW_FILL_RING), TW_E_LIMIT);
    assert_int_equal(tw_trace_buffer_new(&tb, TW_TRACE_BUFFER_SIZE_MAX + 1, TW_FILL_RING),
                     TW_E_LIMIT);
    assert_null(tb);
    tb = tb_new(0, TW_FILL_RING);
    assert_int_equal(tw_trace_buffer_stats(tb)->buffer_size, 4096);
    tb_begin(&chunk, 0, 0);
    chunk.in.payload = (struct tw_shared_bytes){.p = tw_shared_of(zeros), .n = 4096};
    assert_int_equal(tw_trace_buffer_write(tb, &chunk.in), TW_E_LIMIT);
    chunk.in.payload.n = sizeof(zeros);
    assert_int_equal(tw_trace_buffer_write(tb, &chunk.in), TW_E_LIMIT);
    assert_int_equal(tw_trace_buffer_stats(tb)->abi_violations, 2);
    tw_trace_buffer_free(tb);
    tw_trace_buffer_free(NULL);
}

/* A fixed sequence of numbers that look random. */
static uint32_t roll(uint32_t *seed, uint32_t sides)
{
    *seed = *seed * 1664525u + 1013904223u;
    return (*seed >> 8) % sides;
}

static void read_and_judge(struct tw_trace_buffer *tb, struct sim_writer *writers, bool last)
{
    struct tw_packet_out packet;

    tw_trace_buffer_begin_read(tb, last);
    while (!tb_next(tb, &packet)) {
        const char *wrong = sim_judge(&writers[packet.seq.writer_id], &packet);

        if (wrong)
            fail_msg("writer %u: %s", packet.seq.writer_id, wrong);
    }
}

static void live(struct tw_trace_buffer *tb, struct sim_writer *w, uint32_t *seed)
{
    switch (roll(seed, 6)) {
    case 0:
        sim_scrape(w, tb);
        break;
    case 1:
        sim_patch_all(w, tb);
        break;
    case 2:
        (void)sim_commit(w, roll(seed, SIM_CHUNKS), tb);
        break;
    case 3:
        (void)sim_commit(w, 0, tb);
        break;
    default:
        (void)sim_write(w, false);
        break;
    }
}

/* Lets four writers live at random; returns when the buffer has had everything. */
static void live_all(struct tw_trace_buffer *tb, struct sim_writer writers[4], uint32_t seed)
{
    for (uint16_t i = 0; i < 4; i++)
        sim_init(&writers[i], i, i * 0x55555555u - 3, 100 + i * 300u, 20 + i * 700u);
    for (int step = 0; step < 2000; step++) {
        live(tb, &writers[roll(&seed, 4)], &seed);
        if (roll(&seed, 50) == 0)
            read_and_judge(tb, writers, false);
    }
    for (size_t i = 0; i < 4; i++)
        sim_finish(&writers[i], tb);
    read_and_judge(tb, writers, true);
}

static void loses_nothing_when_there_is_room(void **state)
{
    struct sim_writer writers[4];

    (void)state;
    for (uint32_t seed = 1; seed <= 20; seed++) {
        struct tw_trace_buffer *tb = tb_new(UINT64_C(4) << 20, TW_FILL_RING);

        live_all(tb, writers, seed);
        for (size_t i = 0; i < 4; i++) {
            assert_true(writers[i].n_written > 50);
            assert_int_equal(writers[i].n_read, writers[i].n_written);
        }
        assert_int_equal(tw_trace_buffer_stats(tb)->abi_violations, 0);
        assert_int_equal(tw_trace_buffer_stats(tb)->patches_failed, 0);
        tw_trace_buffer_free(tb);
    }
}

static void tells_every_loss_when_there_is_not(void **state)
{
    REQ("TW-SHM-030");
    struct sim_writer writers[4];

    (void)state;
    for (uint32_t seed = 1; seed <= 60; seed++) {
        struct tw_trace_buffer *tb =
            tb_new(4096 * (1 + seed % 8), seed % 5 ? TW_FILL_RING : TW_FILL_DISCARD);

        live_all(tb, writers, seed);
        assert_int_equal(tw_trace_buffer_stats(tb)->abi_violations, 0);
        tw_trace_buffer_free(tb);
    }
}

static void what_is_passed_over_is_so_in_parts(void **state)
{
    enum { N = 10 * TW_READ_STEPS };
    struct tw_trace_buffer *tb = tb_new(1024 * 1024, TW_FILL_RING);
    struct tw_packet_out packet;
    struct tb_chunk chunk;
    size_t n = 1;

    REQ("TW-LIM-163");
    (void)state;
    for (uint32_t id = 0; id < N; id++) {
        tb_begin(&chunk, id, 0);
        tb_raw(&chunk, "\0", 1); /* a packet without bytes */
        chunk.in.n_fragments = 1;
        assert_int_equal(tb_write(tb, &chunk), 0);
    }
    assert_int_equal(tb_put(tb, N, 0, "text"), 0);
    tw_trace_buffer_begin_read(tb, false);
    while (tw_trace_buffer_next_packet(tb, &packet) == TW_AGAIN)
        n++;
    assert_int_equal(packet.size, 4);
    assert_in_range(n, N / TW_READ_STEPS, N / TW_READ_STEPS + 1);
    tw_trace_buffer_free(tb);
}

static void put_in_fragments(struct tw_trace_buffer *tb, uint32_t *id, size_t n)
{
    for (size_t i = 0; i < n; i++)
        assert_int_equal(tb_put(tb, (*id)++,
                                (uint8_t)((i ? TW_CHUNK_FIRST_CONTINUES : 0) |
                                          (i + 1 < n ? TW_CHUNK_LAST_CONTINUES : 0)),
                                "x"),
                         0);
}

static void a_packet_of_too_many_fragments_is_lost(void **state)
{
    struct tw_trace_buffer *tb = tb_new(UINT64_C(64) * 1024 * 1024, TW_FILL_RING);
    struct tw_packet_out packet;
    uint32_t id = 0;

    REQ("TW-LIM-164");
    (void)state;
    put_in_fragments(tb, &id, TW_PACKET_FRAGMENTS_MAX + 1);
    put_in_fragments(tb, &id, TW_PACKET_FRAGMENTS_MAX);
    tw_trace_buffer_begin_read(tb, false);
    assert_int_equal(tb_next(tb, &packet), 0);
    assert_int_equal(packet.size, TW_PACKET_FRAGMENTS_MAX);
    assert_true(packet.dropped & TW_LOSS_CHUNK_CORRUPTED);
    assert_int_equal(tb_next(tb, &packet), TW_MORE);
    tw_trace_buffer_free(tb);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        tw_unit_test(gives_packets_back_in_order),
        tw_unit_test(joins_fragments_over_any_number_of_chunks),
        tw_unit_test(stops_at_a_hole_until_it_is_filled),
        tw_unit_test(skips_a_hole_in_the_last_read_and_tells),
        tw_unit_test(skips_a_hole_before_what_waits_is_overwritten),
        tw_unit_test(ring_overwrites_the_oldest_and_tells),
        tw_unit_test(what_was_read_is_not_lost_when_overwritten),
        tw_unit_test(a_commit_without_news_is_read_when_it_comes),
        tw_unit_test(losses_inside_an_overwritten_chunk_are_told_too),
        tw_unit_test(overwriting_the_middle_of_a_sequence_loses_only_that),
        tw_unit_test(discard_keeps_the_oldest_and_takes_nothing_more),
        tw_unit_test(discard_reuses_what_was_read),
        tw_unit_test(a_patch_lets_a_waiting_packet_go),
        tw_unit_test(a_patch_that_never_comes_costs_only_its_packet),
        tw_unit_test(a_chunk_patched_in_place_after_scraping_is_taken_again),
        tw_unit_test(an_incomplete_chunk_stops_the_sequence_until_committed),
        tw_unit_test(tells_how_large_the_chunks_of_each_writer_were),
        tw_unit_test(refuses_sizes_that_cannot_be),
        tw_unit_test(loses_nothing_when_there_is_room),
        tw_unit_test(tells_every_loss_when_there_is_not),
        tw_unit_test(what_is_passed_over_is_so_in_parts),
        tw_unit_test(a_packet_of_too_many_fragments_is_lost),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
