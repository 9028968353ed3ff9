/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sending half of a connection: frames with their descriptors in, bytes and descriptors out.
 * What is queued for a peer that does not read is bounded. The body of a reply may lie elsewhere
 * (base/gather.h): then it is sent from there, and what is not sent at once is copied. Not
 * thread-safe.
 */
#pragma once

#include "base/gather.h"
#include "tracewire/frame.h"

/* Bytes that may wait for one peer: several of the largest frames, so that a reader with a short
 * pause loses nothing, and little enough that a thousand peers that never read are harmless.
 * TW-LIM-004 */
#define TW_TX_MAX ((size_t)1024 * 1024)
/* Descriptors that may wait with them. A service sends one in the life of a connection. */
enum { TW_TX_FDS_MAX = 4 };
/* Runs of bytes that are sent in one go: 3 KiB of stack, and some 10 KiB of the smallest packets,
 * which are two runs each. */
enum { TW_TX_RUNS_MAX = 192 };

struct tw_tx_fd {
    int fd;
    uint64_t at;  /* place in the stream of the first byte it goes with */
    uint64_t end; /* place behind the last byte that may go with it, the end of its frame */
};

struct tw_tx {
    struct tw_gather queue; /* up to TW_TX_MAX bytes that wait */
    uint64_t sent;          /* bytes of the stream before them */
    struct tw_tx_fd fds[TW_TX_FDS_MAX];
    size_t n_fds;
};

/* Up to TW_TX_MAX bytes that wait, behind at most as many that are sent. */
#define TW_TX_INIT ((struct tw_tx){.queue = TW_GATHER_INIT(2 * TW_TX_MAX)})

void tw_tx_deinit(struct tw_tx *tx);

/* Queues a frame. fd is -1 or goes with its first byte; it is taken on success and stays the
 * caller's otherwise. TW_E_FULL when too much waits already, TW_E_LIMIT when the frame would be
 * over TW_FRAME_MAX and never fits (TW-FRAME-002), -ENOMEM. */
TW_MUST_USE int tw_tx_frame(struct tw_tx *tx, const struct tw_frame *frame, int fd);
/* The same for an InvokeMethodReply whose body is given apart. What body points at must stay as it
 * is until it is sent or tw_tx_settle() is called. */
TW_MUST_USE int tw_tx_reply(struct tw_tx *tx, const struct tw_frame *frame,
                            const struct tw_gather *body);
/* Copies what is lent and was not sent. On failure, which is as tw_tx_frame()'s, nothing waits any
 * more and the connection must be closed. */
TW_MUST_USE int tw_tx_settle(struct tw_tx *tx);

/* Bytes that are waiting. */
static inline size_t tw_tx_queued(const struct tw_tx *tx)
{
    return tw_gather_size(&tx->queue);
}

/* The next bytes to send in one go, and the descriptor that must go with them or -1; it stays in
 * the queue's hands until tw_tx_sent(). A descriptor goes with bytes of its own frame only, so that
 * the receiver can tell whose it is (TW-FD-001). TW_MORE when nothing is waiting. */
TW_MUST_USE int tw_tx_peek(const struct tw_tx *tx, struct tw_bytes *ret_bytes, int *ret_fd);
/* The same, in up to max runs at iov. */
TW_MUST_USE int tw_tx_peekv(const struct tw_tx *tx, struct iovec *iov, size_t max, size_t *ret_n,
                            int *ret_fd);
/* n of those bytes, at least one, were sent, and the descriptor with them. */
void tw_tx_sent(struct tw_tx *tx, size_t n);
