/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What waits to be told to the service in CommitData: chunks to move and sizes to patch. Plain
 * queues with a fixed capacity and an encoder; the arbiter locks them.
 */
#pragma once

#include "smb/smb.h"
#include "wire/writer.h"

struct tw_move {
    struct tw_smb_chunk chunk;
    uint32_t target_buffer, chunk_id;
    uint16_t writer_id;
    bool open; /* still being written: patches can be applied in place */
};

struct tw_late_patch {
    uint32_t target_buffer, chunk_id;
    uint16_t writer_id;
    uint16_t offset; /* bytes from the begin of the payload */
    bool has_more;   /* the chunk waits for further patches */
    uint64_t after;  /* set by the queue: how many moves have to go first */
    uint8_t bytes[TW_WIRE_SIZE_BYTES];
};

/* Bytes that one entry takes in a CommitDataRequest at most: four tags, three varints of five bytes
 * and the patch itself with its own two. */
enum { TW_COMMIT_ENTRY_MAX = 48 };
/* Entries in one request: keeps the frame well under its limit and the buffer for it small. */
enum { TW_COMMIT_ENTRIES_MAX = 512 };

struct tw_move_queue {
    struct tw_move *ring;
    size_t head, n, cap;
    uint64_t taken; /* since the beginning */
};

struct tw_patch_queue {
    struct tw_late_patch *ring;
    size_t head, n, cap;
};

struct tw_commits {
    struct tw_move_queue moves;
    struct tw_patch_queue patches;
};

/* Room for one move a chunk, which is all there can be unless the service frees chunks that it was
 * never told of. -ENOMEM. */
TW_MUST_USE int tw_commits_init(struct tw_commits *commits, size_t n_chunks);
/* Room for the patches that so many writers can have waiting: what is nested in the chunks they
 * hand over before the next time that patches are taken, and what is open all the while. -ENOMEM.
 */
TW_MUST_USE int tw_commits_reserve(struct tw_commits *commits, size_t n_writers);
void tw_commits_deinit(struct tw_commits *commits);

/* TW_E_LIMIT when the queue is full. */
TW_MUST_USE int tw_commits_add_move(struct tw_commits *commits, const struct tw_move *move);
TW_MUST_USE int tw_commits_add_patch(struct tw_commits *commits, const struct tw_late_patch *patch);
/* The move of this chunk that is still open, NULL if there is none. Valid until the next change. */
struct tw_move *tw_commits_find_open(const struct tw_commits *commits, uint16_t writer_id,
                                     uint32_t chunk_id);
/* Takes the oldest ones, up to max; returns how many. A patch comes out only after its chunk. */
size_t tw_commits_take_moves(struct tw_commits *commits, struct tw_move *out, size_t max);
size_t tw_commits_take_patches(struct tw_commits *commits, struct tw_late_patch *out, size_t max);

/* CommitDataRequest fields. The chunks themselves go with the moves if inlined; that is for those
 * who share no memory, whose chunks nobody else touches. */
void tw_commits_put_moves(struct tw_writer *w, const struct tw_move *moves, size_t n, bool inlined);
void tw_commits_put_patches(struct tw_writer *w, const struct tw_late_patch *patches, size_t n);
