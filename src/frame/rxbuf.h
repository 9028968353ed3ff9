/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The receive buffer: 128 KiB in one mapping with an inaccessible page on both sides, so that a
 * read or write past either end is a fault at once (TW-LIM-041). Pages a large frame has touched go
 * back to the system when the buffer is empty again, unless it had been filled to its last byte,
 * with several frames: then more are on their way. An idle peer costs one page (TW-LIM-042). Not
 * thread-safe.
 *
 * A hardened buffer, for tests and fuzzing, hands out each frame in a second area of the same kind,
 * where its last byte touches the guard: a read past the frame is a fault, too, not only one past
 * the buffer. That costs a copy a frame.
 */
#pragma once

#include "tracewire/frame.h"

struct tw_rxbuf {
    uint8_t *map;   /* the first guard page; NULL when not initialised */
    uint8_t *data;  /* TW_FRAME_MAX bytes */
    uint8_t *stage; /* TW_FRAME_MAX bytes between guards, NULL if not hardened */
    size_t page;    /* bytes of a page of this system */
    size_t start, end;
    size_t high;  /* end of the bytes written since pages were last given back */
    size_t moved; /* bytes moved to make room, ever: none as long as frames come whole */
};

TW_MUST_USE int tw_rxbuf_init(struct tw_rxbuf *buf, bool hardened);
void tw_rxbuf_deinit(struct tw_rxbuf *buf);

/* Where to receive; never empty as long as every whole frame is consumed first. want is how many
 * more bytes the frame at the start needs at least, 0 if unknown. May move what is pending. */
void tw_rxbuf_space(struct tw_rxbuf *buf, size_t want, uint8_t **ret_p, size_t *ret_n);
/* n bytes, at most what tw_rxbuf_space() gave, have been written there. */
void tw_rxbuf_filled(struct tw_rxbuf *buf, size_t n);
/* What has been received and not consumed. */
struct tw_bytes tw_rxbuf_pending(const struct tw_rxbuf *buf);
/* The first n bytes pending, as they are to be handed out; valid until they are consumed. */
struct tw_bytes tw_rxbuf_first(struct tw_rxbuf *buf, size_t n);
/* n is at most what is pending. Bytes handed out before are no longer valid. */
void tw_rxbuf_consume(struct tw_rxbuf *buf, size_t n);

/*
 * What many connections of one owner receive into: only one that has a part of a frame pending
 * needs a buffer of its own, and the others, nearly always all of them, take the same one in turn
 * (TW-LIM-140). So an idle connection has none, and a service of thousands touches the same few
 * pages all the time. All zero is a good pool.
 */
struct tw_rxpool {
    struct tw_rxbuf spare; /* not initialised when somebody has it */
};

/* An empty buffer. -errno when there is no memory for it. */
TW_MUST_USE int tw_rxpool_take(struct tw_rxpool *pool, struct tw_rxbuf *ret_buf);
/* Takes it back, whatever is in it. One that is not initialised is fine. */
void tw_rxpool_give(struct tw_rxpool *pool, struct tw_rxbuf *buf);
void tw_rxpool_deinit(struct tw_rxpool *pool);
