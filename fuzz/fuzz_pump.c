/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pump, on a real socket whose other end does what the input says: sends bytes with
 * descriptors, too many of them at times, reads or does not, and goes. What comes in is what was
 * sent, and no descriptor is left.
 *
 *   input := step*      step := u8 what, operands
 */
#include "fuzz/input.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "frame/pump.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { STEPS_MAX = 64, BURST_FDS = 40 };
enum { ASK_WHO = 0xf7, LOSE_SOCKET = 0xff }; /* of what is a receive otherwise */

struct run {
    int sock[2]; /* the pump's and the peer's, -1 when it has gone */
    struct tw_rx rx;
    struct tw_tx tx;
    struct tw_bytes input;
    struct input_fds fds;
    bool over;
};

static void peer_sends(struct run *run, size_t n_fds)
{
    union {
        struct cmsghdr align;
        char room[CMSG_SPACE(BURST_FDS * sizeof(int))];
    } control = {0};
    struct tw_bytes bytes = input_list(&run->input);
    uint8_t copy[256] = {0};
    struct iovec iov = {.iov_base = copy, .iov_len = bytes.n};
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
    int fds[BURST_FDS];

    if (bytes.n)
        memcpy(copy, bytes.p, bytes.n);
    n_fds = input_open(&run->fds, n_fds, fds);
    if (n_fds) {
        struct cmsghdr *c = (struct cmsghdr *)control.room;

        msg.msg_control = control.room;
        msg.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
        *c = (struct cmsghdr){.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
        c->cmsg_len = CMSG_LEN(n_fds * sizeof(int));
        memcpy(CMSG_DATA(c), fds, n_fds * sizeof(int));
    }
    if (run->sock[1] >= 0 && bytes.n)
        TW_IGNORE(sendmsg(run->sock[1], &msg, MSG_DONTWAIT | MSG_NOSIGNAL) < 0);
    for (size_t i = 0; i < n_fds; i++)
        tw_fd_close(&fds[i]);
}

static void peer_reads(struct run *run)
{
    uint8_t room[4096];

    if (run->sock[1] >= 0)
        TW_IGNORE(recv(run->sock[1], room, sizeof(room), MSG_DONTWAIT) < 0);
}

/* The half of the connection is done when the pump says so. */
static void receive(struct run *run)
{
    struct tw_bytes payload;
    int rc = tw_pump_in(run->sock[0], &run->rx);

    CHECK(rc == 0 || rc == TW_MORE || rc == TW_E_CLOSED || rc == TW_E_PROTOCOL || rc == -EBADF);
    CHECK((rc == -EBADF) == (run->sock[0] < 0));
    run->over = rc != 0 && rc != TW_MORE;
    while (!run->over && !(rc = tw_rx_next(&run->rx, &payload)))
        input_touch(payload);
    run->over = run->over || rc == TW_E_PROTOCOL;
}

static void queue(struct run *run, bool with_fd)
{
    static const uint8_t text[60000];
    struct tw_frame frame = {.kind = TW_FRAME_INVOKE};
    int fd = -1, rc;

    frame.invoke.args = (struct tw_bytes){.p = text, .n = input_byte(&run->input) * 200u};
    if (with_fd && !input_open(&run->fds, 1, &fd))
        fd = -1;
    rc = tw_tx_frame(&run->tx, &frame, fd);
    CHECK(rc == 0 || rc == TW_E_FULL);
    if (rc)
        tw_fd_close(&fd);
}

/* From now on each message has other ancillary data in front of its descriptors. */
static void ask_who(struct run *run)
{
    int on = 1;

    if (run->sock[0] >= 0)
        CHECK(!setsockopt(run->sock[0], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)));
}

static void step(struct run *run)
{
    uint8_t what = input_byte(&run->input);
    int rc;

    switch (what & 7) {
    case 0:
        peer_sends(run, what >> 3);
        break;
    case 1:
        peer_sends(run, BURST_FDS); /* more than the pump has room for */
        break;
    case 2:
        peer_reads(run);
        break;
    case 3:
        tw_fd_close(&run->sock[1]);
        break;
    case 4:
        queue(run, what & 8);
        break;
    case 5:
        rc = tw_pump_out(run->sock[0], &run->tx);
        CHECK(rc == 0 || rc == TW_MORE || rc == TW_E_CLOSED || (rc == -EBADF && run->sock[0] < 0));
        CHECK(rc != 0 || tw_tx_queued(&run->tx) == 0);
        break;
    default:
        if (what == ASK_WHO)
            ask_who(run);
        else if (what == LOSE_SOCKET)
            tw_fd_close(&run->sock[0]);
        else
            receive(run);
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct run run;
    int room = 8192; /* of the socket, so that it is full before the queue is */

    run = (struct run){.input = {data, size}, .tx = TW_TX_INIT};
    CHECK(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, run.sock));
    CHECK(!setsockopt(run.sock[0], SOL_SOCKET, SO_SNDBUF, &room, sizeof(room)));
    CHECK(!tw_rx_init(&run.rx));
    for (int i = 0; i < STEPS_MAX && run.input.n && !run.over; i++)
        step(&run);
    tw_rx_deinit(&run.rx);
    tw_tx_deinit(&run.tx);
    tw_fd_close(&run.sock[0]);
    tw_fd_close(&run.sock[1]);
    input_check_closed(&run.fds);
    return 0;
}
