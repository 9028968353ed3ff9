/* SPDX-License-Identifier: Apache-2.0 */
#include "base/bytes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { BUF_FIRST_CAP = 256 }; /* bytes; most control messages fit */

bool tw_bytes_eq_str(struct tw_bytes b, const char *str)
{
    size_t n = strlen(str);

    return b.n == n && (n == 0 || memcmp(b.p, str, n) == 0);
}

struct tw_bytes tw_bytes_of_str(const char *str)
{
    return (struct tw_bytes){.p = (const uint8_t *)str, .n = strlen(str)};
}

void tw_buf_deinit(struct tw_buf *buf)
{
    if (!buf)
        return;
    free(buf->p);
    *buf = TW_BUF_INIT(buf->max);
}

int tw_buf_reserve(struct tw_buf *buf, size_t more)
{
    size_t need, cap;
    uint8_t *p;

    if (more > buf->max - buf->n)
        return TW_E_LIMIT;
    need = buf->n + more;
    if (need <= buf->cap)
        return 0;
    cap = buf->cap ? buf->cap : BUF_FIRST_CAP;
    while (cap < need)
        cap = cap > buf->max / 2 ? buf->max : cap * 2;
    cap = tw_min(cap, tw_max(buf->max, need));
    p = realloc(buf->p, cap);
    if (!p)
        return -ENOMEM;
    buf->p = p;
    buf->cap = cap;
    return 0;
}

int tw_buf_append(struct tw_buf *buf, const void *p, size_t n)
{
    int r = tw_buf_reserve(buf, n);

    if (r)
        return r;
    if (n)
        memcpy(buf->p + buf->n, p, n);
    buf->n += n;
    return 0;
}
