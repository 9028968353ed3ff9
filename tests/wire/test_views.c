/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/harness.h"

#include <string.h>

#include "base/macros.h"
#include "base/req.h"
#include "wire/views.h"

static const uint8_t commit[] = {
    0x12, 0x1c,                                                /* patches may come first */
    0x08, 0x03, 0x10, 0x04, 0x18, 0x05, 0x28, 0x01,            /* buffer, writer, chunk, more */
    0x22, 0x08, 0x08, 0x09, 0x12, 0x04, 'a',  'b',  'c',  'd', /* two patches */
    0x22, 0x08, 0x12, 0x04, 'e',  'f',  'g',  'h',  0x08, 0x0a, 0x18, 0x07, /* the flush, */
    0x0a, 0x06, 0x08, 0x01, 0x10, 0x02, 0x18, 0x03,       /* page, chunk, buffer */
    0x78, 0x01,                                           /* unknown */
    0x18, 0x08,                                           /* of which the last counts */
    0x0a, 0x07, 0x22, 0x03, 'x',  0x00, 'y',  0x28, 0x02, /* data, incomplete */
    0x0a, 0x00, 0x12, 0x00,
};

static void assert_bytes(struct tw_bytes b, const void *want, size_t n)
{
    assert_int_equal(b.n, n);
    assert_true(n == 0 || memcmp(b.p, want, n) == 0);
}

static void moves_are_read_where_they_lie(void **state)
{
    struct tw_bytes message = {commit, sizeof(commit)};
    struct tw_reader at = tw_reader_of(message);
    struct tw_move_view move;
    uint64_t flush_id = 0;

    (void)state;
    assert_int_equal(tw_view_commit(message, &flush_id, NULL), 0);
    assert_int_equal(flush_id, 8);
    assert_true(tw_view_move(&at, &move));
    assert_int_equal(move.page, 1);
    assert_int_equal(move.chunk, 2);
    assert_int_equal(move.target_buffer, 3);
    assert_bytes(move.data, "", 0);
    assert_false(move.incomplete);
    assert_true(tw_view_move(&at, &move));
    assert_int_equal(move.page + move.chunk + move.target_buffer, 0);
    assert_bytes(move.data, "x\0y", 3);
    assert_true(move.data.p > commit && move.data.p < commit + sizeof(commit));
    assert_true(move.incomplete);
    assert_true(tw_view_move(&at, &move));
    assert_false(move.incomplete);
    assert_false(tw_view_move(&at, &move));
    assert_int_equal(tw_view_commit((struct tw_bytes){commit, 0}, &flush_id, NULL), 0);
    assert_int_equal(flush_id, 0); /* absent */
}

static void patches_are_read_where_they_lie(void **state)
{
    struct tw_reader at = tw_reader_of((struct tw_bytes){commit, sizeof(commit)}), inner;
    struct tw_patches_view patches;
    struct tw_patch_view patch;

    (void)state;
    assert_true(tw_view_patches(&at, &patches));
    assert_int_equal(patches.target_buffer, 3);
    assert_int_equal(patches.writer_id, 4);
    assert_int_equal(patches.chunk_id, 5);
    assert_true(patches.has_more);
    inner = tw_reader_of(patches.message);
    assert_true(tw_view_patch(&inner, &patch));
    assert_int_equal(patch.offset, 9);
    assert_bytes(patch.data, "abcd", 4);
    assert_true(tw_view_patch(&inner, &patch));
    assert_int_equal(patch.offset, 10);
    assert_bytes(patch.data, "efgh", 4);
    assert_false(tw_view_patch(&inner, &patch));
    assert_true(tw_view_patches(&at, &patches));
    assert_int_equal(patches.writer_id, 0);
    assert_false(patches.has_more);
    inner = tw_reader_of(patches.message);
    assert_false(tw_view_patch(&inner, &patch));
    assert_false(tw_view_patches(&at, &patches));
}

static void slices_are_read_where_they_lie(void **state)
{
    static const uint8_t response[] = {0x12, 0x03, 0x0a, 0x01, 'a',  0x78, 0x01, 0x12,
                                       0x05, 0x10, 0x01, 0x0a, 0x01, 'b',  0x12, 0x00};
    struct tw_bytes message = {response, sizeof(response)};
    struct tw_reader at = tw_reader_of(message);
    struct tw_slice_view slice;

    (void)state;
    assert_int_equal(tw_view_slices(message, NULL), 0);
    assert_true(tw_view_slice(&at, &slice));
    assert_bytes(slice.data, "a", 1);
    assert_false(slice.last);
    assert_true(tw_view_slice(&at, &slice));
    assert_bytes(slice.data, "b", 1);
    assert_true(slice.last);
    assert_true(tw_view_slice(&at, &slice));
    assert_bytes(slice.data, "", 0);
    assert_false(tw_view_slice(&at, &slice));
}

/* Nothing of a message is seen before all of it is known to be good. */
static void what_the_scan_refuses_has_no_view(void **state)
{
    static const uint8_t late[] = {0x18, 0x07, 0x0a, 0x02, 0x08, 0x01, 0x0a, 0x02, 0x0a, 0x00};
    static const uint8_t cut[] = {0x12, 0x02, 0x10, 0x01, 0x12};
    struct tw_scan_fault fault;
    uint64_t flush_id = 99;

    (void)state;
    REQ("TW-ENC-011");
    assert_int_equal(tw_view_commit((struct tw_bytes){late, sizeof(late)}, &flush_id, &fault),
                     TW_E_PROTOCOL);
    assert_int_equal(flush_id, 99);
    assert_int_equal(fault.offset, 8);
    assert_int_equal(tw_view_slices((struct tw_bytes){cut, sizeof(cut)}, &fault), TW_E_PROTOCOL);
    assert_int_equal(fault.offset, 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        tw_unit_test(moves_are_read_where_they_lie),
        tw_unit_test(patches_are_read_where_they_lie),
        tw_unit_test(slices_are_read_where_they_lie),
        tw_unit_test(what_the_scan_refuses_has_no_view),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
