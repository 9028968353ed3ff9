/* SPDX-License-Identifier: Apache-2.0 */
#include "frame/pump.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "base/macros.h"
#include "base/req.h"

union fd_control {
    struct cmsghdr align;
    char room[CMSG_SPACE(TW_RX_FDS_MAX * sizeof(int))];
};

static size_t take_fds(struct msghdr *msg, int fds[TW_RX_FDS_MAX])
{
    size_t n = 0;

    for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
        size_t bytes = c->cmsg_len - CMSG_LEN(0);

        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        for (size_t i = 0; i < bytes / sizeof(int) && n < TW_RX_FDS_MAX; i++)
            memcpy(&fds[n++], CMSG_DATA(c) + i * sizeof(int), sizeof(int));
    }
    return n;
}

static int outcome_of_errno(void)
{
    if (errno == EAGAIN || errno == EINTR)
        return TW_MORE;
    if (errno == ECONNRESET || errno == EPIPE)
        return TW_E_CLOSED;
    return -errno;
}

int tw_pump_in(int sock, struct tw_rx *rx)
{
    REQ("TW-FD-003");
    REQ("TW-FD-005");
    REQ("TW-NET-011");
    union fd_control control;
    struct iovec iov;
    struct msghdr msg = {.msg_iov = &iov,
                         .msg_iovlen = 1,
                         .msg_control = control.room,
                         .msg_controllen = sizeof(control.room)};
    int fds[TW_RX_FDS_MAX];
    uint8_t *p;
    ssize_t n;

    tw_rx_space(rx, &p, &iov.iov_len);
    iov.iov_base = p;
    if (!p)
        return -ENOMEM;
    REQ("TW-FD-005");
    n = recvmsg(sock, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (n < 0)
        return outcome_of_errno();
    tw_rx_filled(rx, (size_t)n, fds, take_fds(&msg, fds));
    REQ("TW-FD-003");
    if (msg.msg_flags & MSG_CTRUNC)
        return TW_E_PROTOCOL;
    return n == 0 ? TW_E_CLOSED : 0;
}

static ssize_t send_once(int sock, struct iovec *iov, size_t n, int fd)
{
    REQ("TW-NET-010");
    union fd_control control;
    struct msghdr msg = {.msg_iov = iov, .msg_iovlen = n};
    struct cmsghdr *c;

    if (fd >= 0) {
        memset(&control, 0, sizeof(control));
        msg.msg_control = control.room;
        msg.msg_controllen = CMSG_SPACE(sizeof(int));
        c = CMSG_FIRSTHDR(&msg);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(c), &fd, sizeof(int));
    }
    return sendmsg(sock, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
}

int tw_pump_out(int sock, struct tw_tx *tx)
{
    struct iovec iov[TW_TX_RUNS_MAX];
    size_t runs;
    int fd;

    while (!tw_tx_peekv(tx, iov, TW_TX_RUNS_MAX, &runs, &fd)) {
        ssize_t n = send_once(sock, iov, runs, fd);

        if (n < 0)
            return outcome_of_errno();
        tw_tx_sent(tx, (size_t)n);
    }
    return 0;
}
