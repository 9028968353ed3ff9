/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The hot messages, CommitDataRequest and ReadBuffersResponse, where they lie: nothing is unpacked
 * or copied. A message is first checked whole, by the same rules as every other (wire/scan.h); then
 * its members are handed out one after the other, each list by itself.
 *
 *     struct tw_reader at = tw_reader_of(message);
 *     while (tw_view_move(&at, &move))
 *         ...
 *
 * On bytes that were not checked nothing is read out of bounds, but a list may end early. What is
 * absent is 0, false or empty; bytes are inside the message.
 */
#pragma once

#include "wire/reader.h"
#include "wire/scan.h"

/* A member of chunks_to_move. */
struct tw_move_view {
    uint32_t page, chunk, target_buffer;
    bool has_data;
    struct tw_bytes data; /* the chunk itself, when memory is not shared */
    bool incomplete;
};

/* A member of chunks_to_patch. */
struct tw_patches_view {
    uint32_t target_buffer, writer_id, chunk_id;
    bool has_more;
    struct tw_bytes message; /* itself: its patches are read from here */
};

struct tw_patch_view {
    uint32_t offset; /* bytes from the start of the payload of the chunk */
    struct tw_bytes data;
};

struct tw_slice_view {
    struct tw_bytes data;
    bool last; /* of its packet */
};

/* As tw_scan(): 0, TW_E_PROTOCOL, TW_E_LIMIT. ret_fault may be NULL. */
TW_MUST_USE int tw_view_commit(struct tw_bytes message, uint64_t *ret_flush_id,
                               struct tw_scan_fault *ret_fault);
TW_MUST_USE int tw_view_slices(struct tw_bytes message, struct tw_scan_fault *ret_fault);

/* The next of its kind; false when there are no more, and *view is of no use then. */
bool tw_view_move(struct tw_reader *at, struct tw_move_view *view);
bool tw_view_patches(struct tw_reader *at, struct tw_patches_view *view);
bool tw_view_patch(struct tw_reader *at, struct tw_patch_view *view);
bool tw_view_slice(struct tw_reader *at, struct tw_slice_view *view);
