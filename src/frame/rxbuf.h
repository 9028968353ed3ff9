/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The receive buffer: 128 KiB in one mapping with an inaccessible page on both sides, so that a
 * read or write past either end is a fault at once. Pages a large frame has touched go back to the
 * system when the buffer is empty again. Not thread-safe.
 */
#pragma once

#include "tracewire/frame.h"

struct tw_rxbuf {
    uint8_t *map;  /* the first guard page; NULL when not initialised */
    uint8_t *data; /* TW_FRAME_MAX bytes */
    size_t page;   /* bytes of a page of this system */
    size_t start, end;
    size_t high; /* end of the bytes written since pages were last given back */
};

TW_MUST_USE int tw_rxbuf_init(struct tw_rxbuf *buf);
void tw_rxbuf_deinit(struct tw_rxbuf *buf);

/* Where to receive; never empty as long as every whole frame is consumed first. want is how many
 * more bytes the frame at the start needs at least, 0 if unknown. May move what is pending. */
void tw_rxbuf_space(struct tw_rxbuf *buf, size_t want, uint8_t **ret_p, size_t *ret_n);
/* n bytes, at most what tw_rxbuf_space() gave, have been written there. */
void tw_rxbuf_filled(struct tw_rxbuf *buf, size_t n);
/* What has been received and not consumed. */
struct tw_bytes tw_rxbuf_pending(const struct tw_rxbuf *buf);
/* n is at most what is pending. Bytes handed out before are no longer valid. */
void tw_rxbuf_consume(struct tw_rxbuf *buf, size_t n);
