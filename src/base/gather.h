/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A queue of bytes that lie in several places: our own, and between them pieces that somebody
 * lends, which are sent from where they lie. Lent bytes must stay as they are until they are
 * consumed or settled.
 */
#pragma once

#include <sys/uio.h>

#include "base/bytes.h"

struct tw_piece {
    size_t at; /* it goes before the own byte at this place */
    struct tw_bytes bytes;
};

struct tw_gather {
    struct tw_buf own;
    size_t head; /* own bytes that are consumed */
    struct tw_piece *pieces;
    size_t first, n_pieces, cap_pieces; /* those before first are consumed */
    size_t lent;                        /* bytes in the others */
};

#define TW_GATHER_INIT(limit) ((struct tw_gather){.own = TW_BUF_INIT(limit)})

/* Frees everything; the queue is empty afterwards and may be used again. */
void tw_gather_deinit(struct tw_gather *g);
/* Forgets all bytes and keeps the memory. */
void tw_gather_clear(struct tw_gather *g);

/* At the end of the queue: copies bytes (TW_E_LIMIT over the limit of own ones, -ENOMEM), or points
 * at bytes, which are at least one (-ENOMEM). */
TW_MUST_USE int tw_gather_put(struct tw_gather *g, struct tw_bytes bytes);
TW_MUST_USE int tw_gather_lend(struct tw_gather *g, struct tw_bytes bytes);
/* All that waits in from, which stays as it is. */
TW_MUST_USE int tw_gather_append(struct tw_gather *g, const struct tw_gather *from);
/* Moves own bytes to the front when that frees more than it moves, so that a byte is moved once on
 * average. */
void tw_gather_compact(struct tw_gather *g);

static inline size_t tw_gather_size(const struct tw_gather *g)
{
    return g->own.n - g->head + g->lent;
}

/* Where the first bytes are, limit at most, in max runs at most; returns how many runs. Nothing is
 * written through them. */
size_t tw_gather_peek(const struct tw_gather *g, size_t limit, struct iovec *iov, size_t max);
/* The first n bytes are done with. */
void tw_gather_consume(struct tw_gather *g, size_t n);
/* Copies what is lent, so that the lender has it back. As tw_gather_put(); nothing has changed when
 * it fails. */
TW_MUST_USE int tw_gather_settle(struct tw_gather *g);
