/* SPDX-License-Identifier: Apache-2.0 */
#include "frame/rxbuf.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/req.h"

/* Guard, data, guard, and when hardened stage, guard. TW_FRAME_MAX is a multiple of every page size
 * Linux uses up to 64 KiB, so there is no slack between a last byte and its guard. */
static size_t map_size(const struct tw_rxbuf *buf)
{
    return (TW_FRAME_MAX + buf->page) * (buf->stage ? 2 : 1) + buf->page;
}

static bool open_up(uint8_t *area)
{
    REQ("TW-LIM-041");
    return !area || mprotect(area, TW_FRAME_MAX, PROT_READ | PROT_WRITE) == 0;
}

int tw_rxbuf_init(struct tw_rxbuf *buf, bool hardened)
{
    struct tw_rxbuf b = {.page = (size_t)sysconf(_SC_PAGESIZE)};
    size_t size = (TW_FRAME_MAX + b.page) * (hardened ? 2 : 1) + b.page;

    b.map = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (b.map == MAP_FAILED)
        return -errno;
    b.data = b.map + b.page;
    if (hardened)
        b.stage = b.data + TW_FRAME_MAX + b.page;
    if (!open_up(b.data) || !open_up(b.stage)) {
        int r = -errno;

        munmap(b.map, size);
        return r;
    }
    *buf = b;
    return 0;
}

void tw_rxbuf_deinit(struct tw_rxbuf *buf)
{
    if (!buf || !buf->map)
        return;
    munmap(buf->map, map_size(buf));
    *buf = (struct tw_rxbuf){0};
}

void tw_rxbuf_space(struct tw_rxbuf *buf, size_t want, uint8_t **ret_p, size_t *ret_n)
{
    size_t left = TW_FRAME_MAX - buf->end;

    if (buf->start > 0 && (left == 0 || left < want)) {
        memmove(buf->data, buf->data + buf->start, buf->end - buf->start);
        buf->moved += buf->end - buf->start;
        buf->end -= buf->start;
        buf->start = 0;
        left = TW_FRAME_MAX - buf->end;
    }
    *ret_p = buf->data + buf->end;
    *ret_n = left;
}

void tw_rxbuf_filled(struct tw_rxbuf *buf, size_t n)
{
    buf->end += n;
    if (buf->end > buf->high)
        buf->high = buf->end;
}

struct tw_bytes tw_rxbuf_pending(const struct tw_rxbuf *buf)
{
    if (!buf->map) /* of a pool, and nothing came */
        return (struct tw_bytes){0};
    return (struct tw_bytes){.p = buf->data + buf->start, .n = buf->end - buf->start};
}

struct tw_bytes tw_rxbuf_first(struct tw_rxbuf *buf, size_t n)
{
    uint8_t *p = buf->data + buf->start;

    if (buf->stage)
        p = memcpy(buf->stage + TW_FRAME_MAX - n, p, n);
    return (struct tw_bytes){.p = p, .n = n};
}

void tw_rxbuf_consume(struct tw_rxbuf *buf, size_t n)
{
    /* Bytes up to the last of the buffer: more of a stream is waiting, and would want the pages
     * back at once. One frame that takes it all is no stream. */
    bool streaming = buf->end == TW_FRAME_MAX && n < TW_FRAME_MAX;

    buf->start += n;
    if (buf->start < buf->end)
        return;
    buf->start = buf->end = 0;
    REQ("TW-LIM-042");
    if (streaming || buf->high <= buf->page)
        return;
    /* Only advice: when it fails the pages just stay. */
    (void)madvise(buf->data + buf->page, TW_FRAME_MAX - buf->page, MADV_DONTNEED);
    buf->high = 0;
}

int tw_rxpool_take(struct tw_rxpool *pool, struct tw_rxbuf *ret_buf)
{
    if (!pool->spare.map)
        return tw_rxbuf_init(ret_buf, false);
    *ret_buf = pool->spare;
    pool->spare = (struct tw_rxbuf){0};
    return 0;
}

void tw_rxpool_give(struct tw_rxpool *pool, struct tw_rxbuf *buf)
{
    REQ("TW-LIM-140");
    if (!buf->map)
        return;
    if (pool->spare.map) {
        tw_rxbuf_deinit(buf);
        return;
    }
    tw_rxbuf_consume(buf, buf->end - buf->start);
    pool->spare = *buf;
    *buf = (struct tw_rxbuf){0};
}

void tw_rxpool_deinit(struct tw_rxpool *pool)
{
    tw_rxbuf_deinit(&pool->spare);
}
