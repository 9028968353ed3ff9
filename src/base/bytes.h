/* SPDX-License-Identifier: Apache-2.0 */
/* A bounded buffer that grows and owns its bytes, and helpers for bytes that it does not own. */
#pragma once

#include "base/err.h"

bool tw_bytes_eq_str(struct tw_bytes b, const char *str);
/* The bytes of str without its NUL. */
struct tw_bytes tw_bytes_of_str(const char *str);

/* A buffer of at most max bytes. All zero but max is a valid empty buffer. */
struct tw_buf {
    uint8_t *p;
    size_t n;   /* bytes used */
    size_t cap; /* bytes allocated */
    size_t max; /* never more than this; 0 holds nothing */
};

#define TW_BUF_INIT(limit) ((struct tw_buf){.max = (limit)})

/* Frees the bytes; the buffer is empty afterwards and may be used again. NULL is fine. */
void tw_buf_deinit(struct tw_buf *buf);
/* Room for more bytes behind n, at buf->p + buf->n. TW_E_LIMIT past max, -ENOMEM. */
TW_MUST_USE int tw_buf_reserve(struct tw_buf *buf, size_t more);
TW_MUST_USE int tw_buf_append(struct tw_buf *buf, const void *p, size_t n);

static inline struct tw_bytes tw_buf_bytes(const struct tw_buf *buf)
{
    return (struct tw_bytes){.p = buf->p, .n = buf->n};
}
