/* SPDX-License-Identifier: Apache-2.0 */
#include "frame/rx.h"

#include <string.h>

#include "base/fd.h"
#include "base/req.h"

int tw_rx_init(struct tw_rx *rx)
{
    *rx = (struct tw_rx){.frame_fd = -1};
    return tw_rxbuf_init(&rx->buf, false);
}

void tw_rx_init_pooled(struct tw_rx *rx, struct tw_rxpool *pool)
{
    *rx = (struct tw_rx){.frame_fd = -1, .pool = pool};
}

int tw_rx_harden(struct tw_rx *rx)
{
    struct tw_rxbuf buf;
    int rc = tw_rxbuf_init(&buf, true);

    if (rc)
        return rc;
    tw_rxbuf_deinit(&rx->buf);
    rx->buf = buf;
    rx->pool = NULL;
    return 0;
}

void tw_rx_deinit(struct tw_rx *rx)
{
    if (!rx || (!rx->buf.map && !rx->pool))
        return;
    for (size_t i = 0; i < rx->n_fds; i++)
        tw_fd_close(&rx->fds[i].fd);
    tw_fd_close(&rx->frame_fd);
    if (rx->pool)
        tw_rxpool_give(rx->pool, &rx->buf);
    tw_rxbuf_deinit(&rx->buf);
    *rx = (struct tw_rx){.frame_fd = -1};
}

/* Ends the life of the frame handed out last, and of its descriptor if nobody took it. */
static void finish_current(struct tw_rx *rx)
{
    REQ("TW-FD-004");
    tw_fd_close(&rx->frame_fd);
    if (rx->current == 0)
        return;
    tw_rxbuf_consume(&rx->buf, rx->current);
    rx->offset += rx->current;
    rx->current = 0;
}

void tw_rx_space(struct tw_rx *rx, uint8_t **ret_p, size_t *ret_n)
{
    finish_current(rx);
    *ret_p = NULL;
    *ret_n = 0;
    if (rx->buf.map || !tw_rxpool_take(rx->pool, &rx->buf))
        tw_rxbuf_space(&rx->buf, rx->want, ret_p, ret_n);
}

void tw_rx_filled(struct tw_rx *rx, size_t n, const int *fds, size_t n_fds)
{
    REQ("TW-FD-004");
    REQ("TW-LIM-003");
    uint64_t last;

    tw_rxbuf_filled(&rx->buf, n);
    last = rx->offset + tw_rxbuf_pending(&rx->buf).n - 1;
    for (size_t i = 0; i < n_fds; i++) {
        int fd = fds[i];

        REQ("TW-FD-004");
        REQ("TW-LIM-003");
        if (n == 0 || rx->n_fds == TW_RX_FDS_MAX)
            tw_fd_close(&fd);
        else
            rx->fds[rx->n_fds++] = (struct tw_rx_fd){.fd = fd, .at = last};
    }
}

/* The first descriptor of the frame that ends before offset end becomes its own, others close. */
static void bind_fds(struct tw_rx *rx, uint64_t end)
{
    REQ("TW-FD-010");
    size_t n = 0;

    REQ("TW-FD-001");
    REQ("TW-FD-002");
    while (n < rx->n_fds && rx->fds[n].at < end) {
        if (rx->frame_fd < 0)
            rx->frame_fd = tw_fd_take(&rx->fds[n].fd);
        else
            tw_fd_close(&rx->fds[n].fd);
        n++;
    }
    rx->n_fds -= n;
    memmove(rx->fds, rx->fds + n, rx->n_fds * sizeof(rx->fds[0]));
}

/* How many bytes the frame at the start still lacks, so that room is made for it once. */
static size_t missing(struct tw_bytes pending)
{
    size_t size;

    if (pending.n < TW_FRAME_HEADER)
        return TW_FRAME_HEADER - pending.n;
    size = (size_t)pending.p[0] | (size_t)pending.p[1] << 8 | (size_t)pending.p[2] << 16;
    return TW_FRAME_HEADER + size - pending.n;
}

int tw_rx_next(struct tw_rx *rx, struct tw_bytes *ret_payload)
{
    struct tw_bytes pending, payload;
    int rc;

    finish_current(rx);
    pending = tw_rxbuf_pending(&rx->buf);
    if (pending.n == 0 && rx->pool)
        tw_rxpool_give(rx->pool, &rx->buf);
    rc = tw_frame_split(pending, &payload);
    if (rc) {
        rx->want = rc == TW_MORE ? missing(pending) : 0;
        return rc;
    }
    rx->current = TW_FRAME_HEADER + payload.n;
    bind_fds(rx, rx->offset + rx->current);
    payload = tw_rxbuf_first(&rx->buf, rx->current);
    *ret_payload = (struct tw_bytes){payload.p + TW_FRAME_HEADER, payload.n - TW_FRAME_HEADER};
    return 0;
}

int tw_rx_take_fd(struct tw_rx *rx)
{
    return tw_fd_take(&rx->frame_fd);
}
