/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/harness.h"

#include <stdlib.h>
#include <string.h>

#include "smb/smb.h"

enum { N_PAGES = 3 };

static const size_t page_sizes[] = {4096, 8192, 12288, 16384, 32768, 65536};
static const uint32_t chunks_of[] = {0, 1, 2, 4, 7, 14};

static struct tw_smb new_smb(size_t page_size)
{
    struct tw_smb smb;
    uint8_t *p = aligned_alloc(TW_PAGE_SIZE_MIN, N_PAGES * page_size);

    assert_non_null(p);
    memset(p, 0, N_PAGES * page_size);
    assert_int_equal(tw_smb_init(&smb, tw_shared_of(p), N_PAGES * page_size, page_size), 0);
    return smb;
}

static void set_bitmap(const struct tw_smb *smb, size_t page, uint32_t bitmap)
{
    uint32_t raw = htole32(bitmap);

    memcpy(tw_shared_own(smb->base) + page * smb->page_size, &raw, sizeof(raw));
}

static uint32_t bitmap_of(const struct tw_smb *smb, size_t page)
{
    return tw_page_load(tw_shared_at(smb->base, page * smb->page_size));
}

static const struct tw_chunk_header header_7_3 = {.chunk_id = 7, .writer_id = 3};

static void geometry_that_does_not_fit_is_invalid(void **state)
{
    static const size_t bad[][2] = {{0, 4096},      {4096, 0},        {4096, 2048},
                                    {8192, 4097},   {12288, 8192},    {131072, 131072},
                                    {65536, 69632}, {4096, SIZE_MAX}, {4095, 4096}};
    struct tw_smb smb;
    uint32_t words[2];

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        assert_int_equal(tw_smb_init(&smb, tw_shared_of(words), bad[i][0], bad[i][1]),
                         TW_E_INVALID);
    assert_int_equal(tw_smb_init(&smb, tw_shared_at(tw_shared_of(words), 1), 4096, 4096),
                     TW_E_INVALID);
}

static void assert_layout(const struct tw_smb *smb, uint32_t layout)
{
    REQ("TW-SHM-040");
    const uint8_t *end = tw_shared_own(smb->base), *page_end = end + 2 * smb->page_size;
    struct tw_smb_chunk c;

    assert_int_equal(tw_smb_partition(smb, 1, (enum tw_page_layout)layout), 0);
    assert_int_equal(tw_smb_partition(smb, 1, (enum tw_page_layout)layout), TW_E_REFUSED);
    for (uint32_t i = 0; i < chunks_of[layout]; i++) {
        assert_int_equal(tw_smb_chunk_locate(smb, 1, i, &c), 0);
        assert_true(tw_shared_is_aligned(c.header, 4));
        assert_ptr_equal(c.payload, tw_shared_at(c.header, 8));
        assert_true(tw_shared_own(c.header) >= end);
        /* All chunks are of one size, a multiple of 4 that wastes less than 4 bytes a chunk. */
        assert_int_equal(c.payload_size + 8, (smb->page_size - 8) / chunks_of[layout] / 4 * 4);
        end = tw_shared_own(c.payload) + c.payload_size;
        assert_true(end <= page_end);
    }
    assert_int_equal(tw_smb_chunk_locate(smb, 1, chunks_of[layout], &c), TW_E_INVALID);
    set_bitmap(smb, 1, 0);
}

static void every_layout_of_every_page_size_has_its_chunks(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(page_sizes) / sizeof(*page_sizes); i++) {
        struct tw_smb smb = new_smb(page_sizes[i]);

        for (uint32_t layout = TW_PAGE_DIV1; layout <= TW_PAGE_DIV14; layout++)
            assert_layout(&smb, layout);
        free(tw_shared_own(smb.base));
    }
}

static void reserved_layouts_and_free_pages_have_no_chunks(void **state)
{
    struct tw_smb smb = new_smb(4096);
    struct tw_smb_walk walk = {0};
    struct tw_smb_scrape scrape;
    struct tw_smb_chunk c;

    (void)state;
    assert_int_equal(tw_smb_partition(&smb, 0, TW_PAGE_FREE), TW_E_INVALID);
    assert_int_equal(tw_smb_partition(&smb, 0, (enum tw_page_layout)6), TW_E_INVALID);
    assert_int_equal(tw_smb_partition(&smb, 0, (enum tw_page_layout)7), TW_E_INVALID);
    assert_int_equal(tw_smb_partition(&smb, N_PAGES, TW_PAGE_DIV1), TW_E_INVALID);
    set_bitmap(&smb, 0, UINT32_C(0x6fffffff));
    set_bitmap(&smb, 1, UINT32_C(0xffffffff));
    for (uint32_t page = 0; page < N_PAGES; page++)
        for (uint32_t i = 0; i < 20; i++) {
            assert_int_equal(tw_smb_chunk_locate(&smb, page, i, &c), TW_E_INVALID);
            assert_int_equal(tw_smb_acquire_for_reading(&smb, page, i, &c), TW_E_INVALID);
            assert_int_equal(tw_smb_acquire_for_writing(&smb, page, i, &header_7_3, &c),
                             TW_E_INVALID);
        }
    assert_int_equal(tw_smb_walk_next(&smb, &walk, &scrape), TW_MORE);
    free(tw_shared_own(smb.base));
}

static void indices_out_of_range_are_invalid(void **state)
{
    static const uint32_t bad[] = {N_PAGES, N_PAGES + 1, 0x7fffffff, 0x80000000, 0xffffffff};
    struct tw_smb smb = new_smb(4096);
    struct tw_smb_chunk c;

    (void)state;
    set_bitmap(&smb, 0, UINT32_C(0x5fffffff));
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        assert_int_equal(tw_smb_chunk_locate(&smb, bad[i], 0, &c), TW_E_INVALID);
        assert_int_equal(tw_smb_acquire_for_reading(&smb, bad[i], 0, &c), TW_E_INVALID);
    }
    assert_int_equal(tw_smb_acquire_for_reading(&smb, 0, 14, &c), TW_E_INVALID);
    assert_int_equal(tw_smb_acquire_for_reading(&smb, 0, 0xffffffff, &c), TW_E_INVALID);
    assert_int_equal(tw_smb_acquire_for_reading(&smb, 0, 13, &c), 0);
    free(tw_shared_own(smb.base));
}

static void a_chunk_goes_round_its_states_and_frees_its_page(void **state)
{
    REQ("TW-SHM-041");
    REQ("TW-SHM-042");
    REQ("TW-SHM-001");
    struct tw_smb smb = new_smb(4096);
    struct tw_smb_chunk w0, w1, r;
    struct tw_chunk_header h;

    (void)state;
    assert_int_equal(tw_smb_partition(&smb, 2, TW_PAGE_DIV2), 0);
    assert_int_equal(tw_smb_acquire_for_reading(&smb, 2, 0, &r), TW_E_REFUSED);
    assert_int_equal(tw_smb_acquire_for_writing(&smb, 2, 0, &header_7_3, &w0), 0);
    assert_int_equal(tw_smb_acquire_for_writing(&smb, 2, 0, &header_7_3, &w1), TW_E_REFUSED);
    assert_int_equal(tw_smb_acquire_for_writing(&smb, 2, 1, &header_7_3, &w1), 0);
    assert_int_equal(tw_smb_acquire_for_reading(&smb, 2, 0, &r), TW_E_REFUSED);
    tw_chunk_store_packets(w0.header, 1023, TW_CHUNK_LAST_CONTINUES | TW_CHUNK_NEEDS_PATCHING);
    assert_int_equal(tw_smb_release_as_complete(&smb, &w0), 0);
    assert_int_equal(tw_smb_release_as_complete(&smb, &w0), TW_E_REFUSED);
    assert_int_equal(tw_smb_acquire_for_reading(&smb, 2, 0, &r), 0);
    h = tw_chunk_load(r.header);
    assert_int_equal(h.chunk_id, 7);
    assert_int_equal(h.writer_id, 3);
    assert_int_equal(h.n_packets, 1023);
    assert_int_equal(h.flags, TW_CHUNK_LAST_CONTINUES | TW_CHUNK_NEEDS_PATCHING);
    assert_int_equal(tw_smb_acquire_for_reading(&smb, 2, 0, &r), TW_E_REFUSED);
    assert_int_equal(tw_smb_release_as_free(&smb, &r), 0);
    assert_int_equal(tw_smb_release_as_free(&smb, &r), TW_E_REFUSED);
    h = tw_chunk_load(r.header);
    assert_int_equal(h.chunk_id + h.writer_id + h.n_packets + h.flags, 0);
    assert_int_not_equal(bitmap_of(&smb, 2), 0); /* chunk 1 is still being written */
    assert_int_equal(tw_smb_release_as_complete(&smb, &w1), 0);
    assert_int_equal(tw_smb_acquire_for_reading(&smb, 2, 1, &r), 0);
    assert_int_equal(tw_smb_release_as_free(&smb, &r), 0);
    assert_int_equal(bitmap_of(&smb, 2), 0);
    free(tw_shared_own(smb.base));
}

static void without_shared_memory_a_complete_chunk_becomes_free(void **state)
{
    struct tw_smb smb = new_smb(4096);
    struct tw_smb_chunk c;

    (void)state;
    assert_int_equal(tw_smb_partition(&smb, 0, TW_PAGE_DIV1), 0);
    assert_int_equal(tw_smb_acquire_for_writing(&smb, 0, 0, &header_7_3, &c), 0);
    assert_int_equal(tw_smb_release_as_sent(&smb, &c), TW_E_REFUSED);
    assert_int_equal(tw_smb_release_as_complete(&smb, &c), 0);
    assert_int_equal(tw_smb_release_as_sent(&smb, &c), 0);
    assert_int_equal(bitmap_of(&smb, 0), 0);
    free(tw_shared_own(smb.base));
}

static void a_layout_changed_behind_our_back_is_an_outcome(void **state)
{
    REQ("TW-SHM-049");
    REQ("TW-SHM-002");
    struct tw_smb smb = new_smb(4096);
    struct tw_smb_chunk c;

    (void)state;
    set_bitmap(&smb, 0, UINT32_C(0x3fffffff)); /* four chunks, all complete */
    assert_int_equal(tw_smb_acquire_for_reading(&smb, 0, 3, &c), 0);
    set_bitmap(&smb, 0, UINT32_C(0x1aaaaaaa)); /* one chunk, being read */
    assert_int_equal(tw_smb_release_as_free(&smb, &c), TW_E_INVALID);
    set_bitmap(&smb, 0, UINT32_C(0x5aaaaaaa)); /* fourteen */
    assert_int_equal(tw_smb_release_as_free(&smb, &c), TW_E_INVALID);
    set_bitmap(&smb, 0, 0);
    assert_int_equal(tw_smb_release_as_free(&smb, &c), TW_E_INVALID);
    set_bitmap(&smb, 0, UINT32_C(0x60000000));
    assert_int_equal(tw_smb_release_as_free(&smb, &c), TW_E_INVALID);
    free(tw_shared_own(smb.base));
}

static void the_walk_finds_what_can_be_scraped(void **state)
{
    REQ("TW-SHM-020");
    struct tw_smb smb = new_smb(4096);
    struct tw_smb_chunk c[7];
    struct tw_smb_walk walk = {0};
    struct tw_smb_scrape s;

    (void)state;
    assert_int_equal(tw_smb_partition(&smb, 1, TW_PAGE_DIV7), 0);
    for (uint32_t i = 0; i < 5; i++)
        assert_int_equal(
            tw_smb_acquire_for_writing(
                &smb, 1, i, &(struct tw_chunk_header){.chunk_id = 10 + i, .writer_id = 5}, &c[i]),
            0);
    tw_chunk_store_packets(c[0].header, 1, 0); /* its only packet may be unfinished */
    tw_chunk_store_packets(c[1].header, 2, 0);
    tw_chunk_store_packets(c[2].header, 0, 0);
    assert_int_equal(tw_smb_release_as_complete(&smb, &c[2]), 0);
    tw_chunk_store_packets(c[3].header, 9, 0);
    assert_int_equal(tw_smb_release_as_complete(&smb, &c[3]), 0);
    assert_int_equal(tw_smb_acquire_for_reading(&smb, 1, 3, &c[3]), 0);
    tw_chunk_store_packets(c[4].header, 3, TW_CHUNK_FIRST_CONTINUES);
    assert_int_equal(tw_smb_release_as_complete(&smb, &c[4]), 0);

    assert_int_equal(tw_smb_walk_next(&smb, &walk, &s), 0);
    assert_int_equal(s.chunk.idx, 1);
    assert_int_equal(s.header.chunk_id, 11);
    assert_int_equal(s.header.n_packets, 2);
    assert_false(s.complete);
    assert_int_equal(tw_smb_walk_next(&smb, &walk, &s), 0);
    assert_int_equal(s.chunk.idx, 2);
    assert_true(s.complete);
    assert_int_equal(tw_smb_walk_next(&smb, &walk, &s), 0);
    assert_int_equal(s.chunk.page, 1);
    assert_int_equal(s.chunk.idx, 4);
    assert_int_equal(s.header.writer_id, 5);
    assert_int_equal(s.header.flags, TW_CHUNK_FIRST_CONTINUES);
    assert_int_equal(tw_smb_walk_next(&smb, &walk, &s), TW_MORE);
    assert_int_equal(tw_smb_walk_next(&smb, &walk, &s), TW_MORE);
    free(tw_shared_own(smb.base));
}

static void a_walk_over_garbage_ends_and_stays_inside(void **state)
{
    REQ("TW-SHM-049");
    REQ("TW-SHM-002");
    struct tw_smb smb = new_smb(4096);
    struct tw_smb_scrape s;
    uint32_t random = 1;

    (void)state;
    for (int round = 0; round < 200; round++) {
        struct tw_smb_walk walk = {0};
        uint32_t n = 0;

        for (size_t i = 0; i < smb.size; i++) {
            random = random * 1664525 + 1013904223;
            tw_shared_own(smb.base)[i] = (uint8_t)(random >> 24);
        }
        while (tw_smb_walk_next(&smb, &walk, &s) == 0) {
            assert_true(tw_shared_own(s.chunk.header) >= tw_shared_own(smb.base));
            assert_true(tw_shared_own(s.chunk.payload) + s.chunk.payload_size <=
                        tw_shared_own(smb.base) + smb.size);
            assert_true(s.header.n_packets <= TW_CHUNK_PACKETS_MAX);
            assert_true(s.header.flags <= TW_CHUNK_FLAGS_MASK);
            n++;
        }
        assert_true(n <= N_PAGES * TW_PAGE_CHUNKS_MAX);
    }
    free(tw_shared_own(smb.base));
}

static void copies_are_exact(void **state)
{
    uint8_t src[5] = {1, 2, 3, 4, 5}, dst[5] = {0};

    (void)state;
    tw_shared_copy(dst, tw_shared_of(src), 0);
    assert_int_equal(dst[0], 0);
    tw_shared_copy(dst, tw_shared_of(src), 4);
    assert_memory_equal(dst, ((uint8_t[5]){1, 2, 3, 4, 0}), 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        tw_unit_test(geometry_that_does_not_fit_is_invalid),
        tw_unit_test(every_layout_of_every_page_size_has_its_chunks),
        tw_unit_test(reserved_layouts_and_free_pages_have_no_chunks),
        tw_unit_test(indices_out_of_range_are_invalid),
        tw_unit_test(a_chunk_goes_round_its_states_and_frees_its_page),
        tw_unit_test(without_shared_memory_a_complete_chunk_becomes_free),
        tw_unit_test(a_layout_changed_behind_our_back_is_an_outcome),
        tw_unit_test(the_walk_finds_what_can_be_scraped),
        tw_unit_test(a_walk_over_garbage_ends_and_stays_inside),
        tw_unit_test(copies_are_exact),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
