/* SPDX-License-Identifier: Apache-2.0 */
#include "frame/tx.h"

#include <string.h>

#include "base/fd.h"
#include "base/req.h"

/* An empty queue keeps a buffer of at most this many bytes for the next frame. */
enum { TX_KEEP = 4096 };

void tw_tx_deinit(struct tw_tx *tx)
{
    if (!tx)
        return;
    for (size_t i = 0; i < tx->n_fds; i++)
        tw_fd_close(&tx->fds[i].fd);
    tw_gather_deinit(&tx->queue);
    *tx = TW_TX_INIT;
}

/* One that never fits is told from one that does not fit now. */
static int check_room(const struct tw_tx *tx, size_t size, int fd)
{
    REQ("TW-FRAME-002");
    if (size > TW_FRAME_MAX)
        return TW_E_LIMIT;
    REQ("TW-LIM-004");
    if (size > TW_TX_MAX - tw_tx_queued(tx) || (fd >= 0 && tx->n_fds == TW_TX_FDS_MAX))
        return TW_E_FULL;
    return 0;
}

/* Encodes the frame into the queue, but for the last bytes of its body, which follow apart. fd is
 * only counted. */
static int put_frame(struct tw_tx *tx, const struct tw_frame *frame, size_t apart, int fd)
{
    struct tw_buf *own = &tx->queue.own;
    size_t size = tw_frame_size(frame), n;
    int rc = check_room(tx, size, fd);

    if (rc)
        return rc;
    tw_gather_compact(&tx->queue);
    rc = tw_buf_reserve(own, size);
    if (!rc)
        rc = tw_frame_encode(frame, own->p + own->n, size, &n);
    if (!rc)
        own->n += n - apart;
    return rc;
}

int tw_tx_frame(struct tw_tx *tx, const struct tw_frame *frame, int fd)
{
    REQ("TW-FD-002");
    uint64_t at = tx->sent + tw_tx_queued(tx);
    int rc = put_frame(tx, frame, 0, fd);

    if (rc || fd < 0)
        return rc;
    tx->fds[tx->n_fds++] =
        (struct tw_tx_fd){.fd = fd, .at = at, .end = tx->sent + tw_tx_queued(tx)};
    return 0;
}

int tw_tx_reply(struct tw_tx *tx, const struct tw_frame *frame, const struct tw_gather *body)
{
    struct tw_frame whole = *frame;
    size_t before, n = tw_gather_size(body);
    int rc;

    whole.invoke_reply.has_reply = true;
    whole.invoke_reply.reply = (struct tw_bytes){.n = n};
    tw_gather_compact(&tx->queue);
    before = tx->queue.own.n;
    rc = put_frame(tx, &whole, n, -1);
    if (rc)
        return rc;
    rc = tw_gather_append(&tx->queue, body);
    if (rc)
        tx->queue.own.n = before;
    return rc;
}

int tw_tx_settle(struct tw_tx *tx)
{
    int rc = tx->queue.lent ? tw_gather_settle(&tx->queue) : 0;

    if (rc)
        tw_tx_deinit(tx);
    return rc;
}

int tw_tx_peekv(const struct tw_tx *tx, struct iovec *iov, size_t max, size_t *ret_n, int *ret_fd)
{
    uint64_t end = tx->sent + tw_tx_queued(tx);
    int fd = -1;

    if (tw_tx_queued(tx) == 0)
        return TW_MORE;
    REQ("TW-FD-001");
    if (tx->n_fds > 0 && tx->fds[0].at == tx->sent) {
        fd = tx->fds[0].fd;
        end = tx->fds[0].end;
    } else if (tx->n_fds > 0) {
        end = tx->fds[0].at;
    }
    *ret_n = tw_gather_peek(&tx->queue, (size_t)(end - tx->sent), iov, max);
    *ret_fd = fd;
    return 0;
}

int tw_tx_peek(const struct tw_tx *tx, struct tw_bytes *ret_bytes, int *ret_fd)
{
    struct iovec iov;
    size_t n;
    int rc = tw_tx_peekv(tx, &iov, 1, &n, ret_fd);

    if (!rc)
        *ret_bytes = (struct tw_bytes){.p = iov.iov_base, .n = iov.iov_len};
    return rc;
}

void tw_tx_sent(struct tw_tx *tx, size_t n)
{
    REQ("TW-FRAME-005");
    if (tx->n_fds > 0 && tx->fds[0].at == tx->sent) {
        tw_fd_close(&tx->fds[0].fd);
        tx->n_fds--;
        memmove(tx->fds, tx->fds + 1, tx->n_fds * sizeof(tx->fds[0]));
    }
    tx->sent += n;
    tw_gather_consume(&tx->queue, n);
    if (tw_tx_queued(tx) == 0 && (tx->queue.own.cap > TX_KEEP || tx->queue.pieces))
        tw_gather_deinit(&tx->queue);
}
