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
    tw_buf_deinit(&tx->buf);
    *tx = TW_TX_INIT;
}

/* Moves what is waiting to the front when that frees more than it moves, so that a byte is moved
 * once on average. */
static void compact(struct tw_tx *tx)
{
    if (tx->head == 0 || tx->head < tw_tx_queued(tx))
        return;
    memmove(tx->buf.p, tx->buf.p + tx->head, tw_tx_queued(tx));
    for (size_t i = 0; i < tx->n_fds; i++) {
        tx->fds[i].at -= tx->head;
        tx->fds[i].end -= tx->head;
    }
    tx->buf.n -= tx->head;
    tx->head = 0;
}

int tw_tx_frame(struct tw_tx *tx, const struct tw_frame *frame, int fd)
{
    REQ("TW-FD-002");
    size_t size = tw_frame_size(frame), n;
    int rc;

    REQ("TW-FRAME-002");
    if (size > TW_FRAME_MAX)
        return TW_E_LIMIT;
    REQ("TW-LIM-004");
    if (size > TW_TX_MAX - tw_tx_queued(tx) || (fd >= 0 && tx->n_fds == TW_TX_FDS_MAX))
        return TW_E_FULL;
    compact(tx);
    rc = tw_buf_reserve(&tx->buf, size);
    if (!rc)
        rc = tw_frame_encode(frame, tx->buf.p + tx->buf.n, size, &n);
    if (rc)
        return rc;
    if (fd >= 0)
        tx->fds[tx->n_fds++] = (struct tw_tx_fd){.fd = fd, .at = tx->buf.n, .end = tx->buf.n + n};
    tx->buf.n += n;
    return 0;
}

int tw_tx_peek(const struct tw_tx *tx, struct tw_bytes *ret_bytes, int *ret_fd)
{
    size_t end = tx->buf.n;
    int fd = -1;

    if (tw_tx_queued(tx) == 0)
        return TW_MORE;
    REQ("TW-FD-001");
    if (tx->n_fds > 0 && tx->fds[0].at == tx->head) {
        fd = tx->fds[0].fd;
        end = tx->fds[0].end;
    } else if (tx->n_fds > 0) {
        end = tx->fds[0].at;
    }
    *ret_bytes = (struct tw_bytes){.p = tx->buf.p + tx->head, .n = end - tx->head};
    *ret_fd = fd;
    return 0;
}

void tw_tx_sent(struct tw_tx *tx, size_t n)
{
    REQ("TW-FRAME-005");
    if (tx->n_fds > 0 && tx->fds[0].at == tx->head) {
        tw_fd_close(&tx->fds[0].fd);
        tx->n_fds--;
        memmove(tx->fds, tx->fds + 1, tx->n_fds * sizeof(tx->fds[0]));
    }
    tx->head += n;
    if (tw_tx_queued(tx) > 0)
        return;
    tx->head = tx->buf.n = 0;
    if (tx->buf.cap > TX_KEEP)
        tw_buf_deinit(&tx->buf);
}
