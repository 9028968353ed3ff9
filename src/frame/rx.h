/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The receiving half of a connection: bytes and descriptors in, frames with their descriptor out,
 * one at a time. A descriptor belongs to the frame that holds the last byte it came with
 * (TW-FD-001); what a frame does not take is closed when the next one is asked for (TW-FD-002).
 * Not thread-safe.
 */
#pragma once

#include "frame/rxbuf.h"

/* Descriptors that may wait for the rest of their frame. One is all that any method takes; a few
 * more may come with frames that arrive together. TW-LIM-003 */
enum { TW_RX_FDS_MAX = 8 };

/* Frames that a session looks at in one call without anything to hand out (empty, unknown, refused)
 * before it gives its caller the chance to serve others: 64 of the costliest, binds, are worth less
 * than one recvmsg of 128 KiB. TW-LIM-040 */
enum { TW_FRAMES_PER_CALL = 64 };

struct tw_rx_fd {
    int fd;
    uint64_t at; /* stream offset of the last byte it came with */
};

struct tw_rx {
    struct tw_rxbuf buf;    /* of a pool: not initialised while nothing is pending */
    struct tw_rxpool *pool; /* where buf comes from, NULL when it is its own */
    uint64_t offset;        /* stream offset of the first pending byte */
    size_t current;         /* bytes of the frame handed out last, not consumed yet */
    size_t want;            /* bytes still missing of the frame at the start; 0 if unknown */
    int frame_fd;           /* of the frame handed out last */
    struct tw_rx_fd fds[TW_RX_FDS_MAX];
    size_t n_fds;
};

TW_MUST_USE int tw_rx_init(struct tw_rx *rx);
/* The same with buffers of a pool, which outlives it. */
void tw_rx_init_pooled(struct tw_rx *rx, struct tw_rxpool *pool);
/* From now on a read past the end of a frame is a fault (rxbuf.h), for a copy of each. Before
 * anything was received. */
TW_MUST_USE int tw_rx_harden(struct tw_rx *rx);
void tw_rx_deinit(struct tw_rx *rx);

/* Where to receive the next bytes, at least one, once tw_rx_next() has returned TW_MORE; with a
 * pool none when memory is short. */
void tw_rx_space(struct tw_rx *rx, uint8_t **ret_p, size_t *ret_n);
/* n bytes have been written there and n_fds descriptors came with them; takes the descriptors. */
void tw_rx_filled(struct tw_rx *rx, size_t n, const int *fds, size_t n_fds);

/*
 * The next whole payload: valid, like its descriptor, until the next call. 0, TW_MORE, or
 * TW_E_PROTOCOL for a frame that is too large (the connection cannot go on).
 */
TW_MUST_USE int tw_rx_next(struct tw_rx *rx, struct tw_bytes *ret_payload);
/* The descriptor of the frame handed out last, -1 if there is none; the caller owns it. */
int tw_rx_take_fd(struct tw_rx *rx);
