/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/harness.h"

#include <stdlib.h>
#include <string.h>

#include "producer/trace_writer.h"
#include "tests/producer/fake_service.h"
#include "wire/reader.h"

enum { SHM = 64 * 1024, TEXT_MAX = 20000 };

static char text[TEXT_MAX];

static void write_numbered(struct tw_trace_writer *w, uint32_t n, size_t payload)
{
    tw_writer_begin(w);
    tw_writer_u64(w, 8, n);
    tw_writer_nest(w, 900);
    tw_writer_u64(w, 2, n);
    tw_writer_nest(w, 5);
    tw_writer_bytes(w, 1, (struct tw_bytes){(uint8_t *)text, payload});
    tw_writer_unnest(w);
    tw_writer_unnest(w);
}

static struct tw_bytes field_of(struct tw_bytes message, uint32_t number, uint64_t *ret_value)
{
    struct tw_reader r = tw_reader_of(message);
    struct tw_bytes found = {0};
    struct tw_field f;

    while (tw_read_field(&r, &f) == 0)
        if (f.number == number) {
            found = f.bytes;
            *ret_value = f.value;
        }
    assert_int_equal(tw_reader_left(&r), 0);
    return found;
}

static void assert_numbered(const struct fake_packet *packet, uint32_t n, size_t payload)
{
    uint64_t value = UINT64_MAX;
    struct tw_bytes b = {packet->p, packet->n};

    (void)field_of(b, 8, &value);
    assert_int_equal(value, n);
    b = field_of(b, 900, &value);
    (void)field_of(b, 2, &value);
    assert_int_equal(value, n);
    b = field_of(b, 5, &value);
    b = field_of(b, 1, &value);
    assert_int_equal(b.n, payload);
    if (payload)
        assert_memory_equal(b.p, text, payload);
}

static struct tw_trace_writer *new_writer(struct fake_service *s)
{
    struct tw_trace_writer *w;

    assert_int_equal(tw_trace_writer_new(&w, s->arbiter, 1, TW_EXHAUSTED_DROP), 0);
    return w;
}

static void round_trip(size_t page_size, enum tw_page_layout layout, bool direct)
{
    static const size_t sizes[] = {0,    1,    100,  3,    280,  1000, 4070, 4076, 4080,
                                   4084, 4096, 5000, 8192, 9999, 7,    16,   20000};
    struct fake_service s = {.arbiter = fake_arbiter(SHM, page_size, layout, direct)};
    struct tw_trace_writer *w = new_writer(&s);
    uint16_t id = w->reg->id;
    struct fake_packets packets;
    uint32_t n = 0;

    for (int round = 0; round < 3; round++)
        for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
            write_numbered(w, n++, sizes[i]);
            assert_int_equal(tw_writer_end(w), 0);
            if (i % 4 == 3)
                tw_writer_flush(w);
            (void)fake_service_pump(&s);
        }
    tw_writer_free(w);
    (void)fake_service_pump(&s);
    packets = fake_service_packets(&s, id);
    assert_int_equal(packets.n, n);
    assert_int_equal(packets.dropped + packets.told, 0);
    for (uint32_t i = 0; i < n; i++)
        assert_numbered(&packets.list[i], i, sizes[i % (sizeof(sizes) / sizeof(*sizes))]);
    fake_packets_free(&packets);
    fake_service_deinit(&s);
}

static void packets_of_all_sizes_come_back_from_all_layouts(void **state)
{
    REQ("TW-SHM-045");
    static const size_t page_sizes[] = {4096, 8192, 32768};

    (void)state;
    for (size_t i = 0; i < sizeof(page_sizes) / sizeof(*page_sizes); i++)
        for (int layout = TW_PAGE_DIV1; layout <= TW_PAGE_DIV14; layout++) {
            round_trip(page_sizes[i], (enum tw_page_layout)layout, false);
            round_trip(page_sizes[i], (enum tw_page_layout)layout, true);
        }
}

static void the_first_packet_says_so_and_no_other(void **state)
{
    struct fake_service s = {.arbiter = fake_arbiter(SHM, 4096, TW_PAGE_DIV1, false)};
    struct tw_trace_writer *w = new_writer(&s);
    struct fake_packets packets;
    uint64_t value = 0;

    (void)state;
    for (uint32_t i = 0; i < 2; i++) {
        write_numbered(w, i, 0);
        assert_int_equal(tw_writer_end(w), 0);
    }
    tw_writer_flush(w);
    (void)fake_service_pump(&s);
    packets = fake_service_packets(&s, w->reg->id);
    (void)field_of((struct tw_bytes){packets.list[0].p, packets.list[0].n}, 87, &value);
    assert_int_equal(value, 1);
    value = 0;
    (void)field_of((struct tw_bytes){packets.list[1].p, packets.list[1].n}, 87, &value);
    assert_int_equal(value, 0);
    fake_packets_free(&packets);
    tw_writer_free(w);
    fake_service_deinit(&s);
}

/* The count has ten bits; one more packet would run into the flags. */
static void museum_37_a_chunk_never_counts_more_packets_than_fit(void **state)
{
    REQ("TW-SHM-043");
    enum { N = 5000 };
    struct fake_service s = {.arbiter = fake_arbiter(SHM, 32768, TW_PAGE_DIV1, false)};
    struct tw_trace_writer *w = new_writer(&s);
    struct fake_packets packets;

    (void)state;
    for (uint32_t i = 0; i < N; i++) {
        tw_writer_begin(w);
        assert_int_equal(tw_writer_end(w), 0);
        (void)fake_service_pump(&s);
    }
    tw_writer_flush(w);
    (void)fake_service_pump(&s);
    for (size_t i = 0; i < s.n; i++) {
        assert_in_range(s.chunks[i].header.n_packets, 1, TW_CHUNK_PACKETS_MAX);
        assert_int_equal(s.chunks[i].header.flags, 0);
    }
    packets = fake_service_packets(&s, w->reg->id);
    assert_int_equal(packets.n, N);
    fake_packets_free(&packets);
    tw_writer_free(w);
    fake_service_deinit(&s);
}

static void sizes_whose_chunk_is_gone_are_patched_unless_it_can_be_done_in_place(void **state)
{
    REQ("TW-SHM-046");
    (void)state;
    for (int direct = 0; direct <= 1; direct++) {
        struct fake_service s = {.arbiter = fake_arbiter(SHM, 4096, TW_PAGE_DIV1, direct)};
        struct tw_trace_writer *w = new_writer(&s);

        write_numbered(w, 1, 10000); /* nothing is taken while it is written */
        assert_int_equal(tw_writer_end(w), 0);
        tw_writer_flush(w);
        (void)fake_service_pump(&s);
        assert_int_equal(s.patches, direct ? 0 : 2);
        tw_writer_free(w);
        (void)fake_service_pump(&s);
        fake_service_deinit(&s);
    }
}

/* One is always left over, so that the complete chunk counts more than was scraped of it. */
static void a_scraper_finds_all_packets_but_the_last(void **state)
{
    REQ("TW-SHM-043");
    REQ("TW-SHM-020");
    struct fake_service s = {.arbiter = fake_arbiter(SHM, 4096, TW_PAGE_DIV1, false)};
    struct tw_trace_writer *w = new_writer(&s);
    struct tw_smb_walk walk = {0};
    struct tw_smb_scrape scrape;

    (void)state;
    for (uint32_t i = 0; i < 3; i++) {
        write_numbered(w, i, 10);
        assert_int_equal(tw_writer_end(w), 0);
    }
    assert_int_equal(tw_smb_walk_next(&s.arbiter->smb, &walk, &scrape), 0);
    assert_false(scrape.complete);
    assert_int_equal(scrape.header.n_packets - 1, 2);
    write_numbered(w, 3, 10); /* not finished: it does not count */
    walk = (struct tw_smb_walk){0};
    assert_int_equal(tw_smb_walk_next(&s.arbiter->smb, &walk, &scrape), 0);
    assert_int_equal(scrape.header.n_packets - 1, 3);
    tw_writer_free(w);
    (void)fake_service_pump(&s);
    fake_service_deinit(&s);
}

static void what_is_lost_to_a_full_buffer_is_told_and_counted(void **state)
{
    REQ("TW-SHM-047");
    REQ("TW-SHM-030");
    struct fake_service s = {.arbiter = fake_arbiter(2 * 4096, 4096, TW_PAGE_DIV1, false)};
    struct tw_trace_writer *w = new_writer(&s);
    struct tw_writer_stats stats;
    struct fake_packets packets;
    uint32_t written = 0, lost = 0;
    uint16_t id = w->reg->id;

    (void)state;
    for (uint32_t i = 0; i < 200; i++) {
        int r;

        write_numbered(w, i, 150 * (i % 37));
        r = tw_writer_end(w);
        assert_true(r == 0 || r == TW_E_LIMIT);
        *(r ? &lost : &written) += 1;
        if (i % 10 == 9) /* the service keeps up with a part of it */
            (void)fake_service_pump(&s);
    }
    tw_writer_stats(w, &stats);
    assert_int_equal(stats.packets, written);
    assert_int_equal(stats.lost, lost);
    assert_true(lost > 10 && written > 10);
    (void)fake_service_pump(&s);
    tw_writer_free(w);
    (void)fake_service_pump(&s);
    packets = fake_service_packets(&s, id);
    assert_true(packets.told > 0);
    assert_true(packets.dropped > 0);
    /* Besides the caller's, there may be one packet that only tells of the last loss. */
    assert_in_range(packets.n, written, written + 1);
    fake_packets_free(&packets);
    fake_service_deinit(&s);
}

static void a_loss_at_the_very_end_is_told_by_flush(void **state)
{
    struct fake_service s = {.arbiter = fake_arbiter(4096, 4096, TW_PAGE_DIV1, false)};
    struct tw_trace_writer *w = new_writer(&s);
    struct fake_packets packets;

    (void)state;
    write_numbered(w, 0, 4000);
    assert_int_equal(tw_writer_end(w), 0);
    write_numbered(w, 1, 200);
    assert_int_equal(tw_writer_end(w), TW_E_LIMIT);
    (void)fake_service_pump(&s);
    tw_writer_flush(w);
    (void)fake_service_pump(&s);
    packets = fake_service_packets(&s, w->reg->id);
    assert_int_equal(packets.n, 2);
    assert_int_equal(packets.told, 1);
    fake_packets_free(&packets);
    tw_writer_free(w);
    (void)fake_service_pump(&s);
    fake_service_deinit(&s);
}

/* Earlier fragments that wait for patches would keep the reader waiting for ever. */
static void a_packet_given_up_leaves_no_chunk_waiting_for_patches(void **state)
{
    struct fake_service s = {.arbiter = fake_arbiter(3 * 4096, 4096, TW_PAGE_DIV1, false)};
    struct tw_trace_writer *w = new_writer(&s);

    (void)state;
    write_numbered(w, 0, 20000);
    assert_int_equal(tw_writer_end(w), TW_E_LIMIT);
    (void)fake_service_pump(&s);
    assert_int_equal(s.n, 3);
    for (size_t i = 0; i < s.n; i++)
        assert_false(s.chunks[i].header.flags & TW_CHUNK_NEEDS_PATCHING);
    tw_writer_free(w);
    (void)fake_service_pump(&s);
    fake_service_deinit(&s);
}

static void nesting_is_bounded_and_wrong_use_is_an_outcome(void **state)
{
    struct fake_service s = {.arbiter = fake_arbiter(SHM, 4096, TW_PAGE_DIV1, false)};
    struct tw_trace_writer *w = new_writer(&s);

    (void)state;
    assert_int_equal(tw_writer_end(w), TW_E_INVALID);
    tw_writer_u64(w, 1, 1);
    tw_writer_nest(w, 1);
    tw_writer_unnest(w);
    tw_writer_begin(w);
    tw_writer_unnest(w);
    for (int i = 0; i < TW_NEST_MAX; i++)
        tw_writer_nest(w, 5);
    assert_int_equal(tw_writer_end(w), 0); /* ends what is open */
    tw_writer_begin(w);
    for (int i = 0; i < TW_NEST_MAX + 1; i++)
        tw_writer_nest(w, 5);
    tw_writer_str(w, 1, "swallowed");
    assert_int_equal(tw_writer_end(w), TW_E_INVALID);
    tw_writer_begin(w);
    tw_writer_begin(w); /* ends the one before */
    tw_writer_free(w);  /* gives this one up */
    (void)fake_service_pump(&s);
    fake_service_deinit(&s);
}

static void every_kind_of_field_is_encoded(void **state)
{
    struct fake_service s = {.arbiter = fake_arbiter(SHM, 4096, TW_PAGE_DIV1, false)};
    struct tw_trace_writer *w = new_writer(&s);
    struct fake_packets packets;
    struct tw_bytes p;
    uint64_t value = 0;

    (void)state;
    tw_writer_begin(w);
    tw_writer_i64(w, 1, -2);
    tw_writer_bool(w, 2, true);
    tw_writer_fixed64(w, 3, UINT64_C(0x0102030405060708));
    tw_writer_double(w, 4, 0.5);
    tw_writer_str(w, 0x1fffffff, "abc");
    assert_int_equal(tw_writer_end(w), 0);
    tw_writer_flush(w);
    (void)fake_service_pump(&s);
    packets = fake_service_packets(&s, w->reg->id);
    p = (struct tw_bytes){packets.list[0].p, packets.list[0].n};
    (void)field_of(p, 1, &value);
    assert_true(value == (uint64_t)-2);
    (void)field_of(p, 2, &value);
    assert_true(value == 1);
    (void)field_of(p, 3, &value);
    assert_true(value == UINT64_C(0x0102030405060708));
    (void)field_of(p, 4, &value);
    assert_true(value == UINT64_C(0x3fe0000000000000));
    p = field_of(p, 0x1fffffff, &value);
    assert_int_equal(p.n, 3);
    assert_memory_equal(p.p, "abc", 3);
    fake_packets_free(&packets);
    tw_writer_free(w);
    (void)fake_service_pump(&s);
    fake_service_deinit(&s);
}

/* Random nesting in a tiny buffer whose reader comes and goes: what comes back parses to the same
 * depths, whole or not at all. */
static void museum_39_random_nesting_comes_back_whole_or_not_at_all(void **state)
{
    uint32_t random = 42;

    (void)state;
    for (int round = 0; round < 60; round++) {
        struct fake_service s = {
            .arbiter =
                fake_arbiter(2 * 4096, 4096, (enum tw_page_layout)(1 + round % 5), round & 1)};
        struct tw_trace_writer *w = new_writer(&s);
        struct tw_writer_stats stats;
        struct fake_packets packets;
        uint16_t id = w->reg->id;
        size_t told_only;

        for (int i = 0; i < 40; i++) {
            int steps;

            random = random * 1664525 + 1013904223;
            steps = (int)(random >> 26);
            tw_writer_begin(w);
            for (int k = 0; k < steps; k++) {
                random = random * 1664525 + 1013904223;
                if (random >> 30 == 0)
                    tw_writer_unnest(w);
                else if (random >> 30 == 1 && w->depth < TW_NEST_MAX)
                    tw_writer_nest(w, 900);
                else
                    tw_writer_bytes(w, 7, (struct tw_bytes){(uint8_t *)text, random >> 16 & 0xff});
            }
            if (tw_writer_end(w) == TW_E_LIMIT || i % 3 == 0)
                (void)fake_service_pump(&s);
        }
        (void)fake_service_pump(&s);
        tw_writer_stats(w, &stats);
        tw_writer_free(w);
        (void)fake_service_pump(&s);
        packets = fake_service_packets(&s, id);
        told_only = packets.n - (size_t)stats.packets;
        assert_in_range(told_only, 0, 1);
        assert_int_equal(stats.packets + stats.lost, 40);
        fake_packets_free(&packets);
        fake_service_deinit(&s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        tw_unit_test(packets_of_all_sizes_come_back_from_all_layouts),
        tw_unit_test(the_first_packet_says_so_and_no_other),
        tw_unit_test(museum_37_a_chunk_never_counts_more_packets_than_fit),
        tw_unit_test(sizes_whose_chunk_is_gone_are_patched_unless_it_can_be_done_in_place),
        tw_unit_test(a_scraper_finds_all_packets_but_the_last),
        tw_unit_test(what_is_lost_to_a_full_buffer_is_told_and_counted),
        tw_unit_test(a_loss_at_the_very_end_is_told_by_flush),
        tw_unit_test(a_packet_given_up_leaves_no_chunk_waiting_for_patches),
        tw_unit_test(nesting_is_bounded_and_wrong_use_is_an_outcome),
        tw_unit_test(every_kind_of_field_is_encoded),
        tw_unit_test(museum_39_random_nesting_comes_back_whole_or_not_at_all),
    };

    for (size_t i = 0; i < sizeof(text); i++)
        text[i] = (char)('a' + i % 26);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
