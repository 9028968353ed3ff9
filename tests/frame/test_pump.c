/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes and descriptors through a real socket. */
#include "tests/frame/frames.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/macros.h"
#include "base/req.h"
#include "frame/pump.h"

struct wire {
    int sock[2]; /* ours and the peer's */
    struct tw_rx rx;
    struct tw_tx tx;
};

static void wire_open(struct wire *w, int send_buffer)
{
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, w->sock), 0);
    if (send_buffer)
        assert_int_equal(
            setsockopt(w->sock[1], SOL_SOCKET, SO_SNDBUF, &send_buffer, sizeof(send_buffer)), 0);
    assert_int_equal(tw_rx_init(&w->rx), 0);
    w->tx = TW_TX_INIT;
}

static void wire_close(struct wire *w)
{
    tw_rx_deinit(&w->rx);
    tw_tx_deinit(&w->tx);
    tw_fd_close(&w->sock[0]);
    tw_fd_close(&w->sock[1]);
}

/* Sends bytes with n_fds new descriptors from the peer's end in one call. */
static void peer_sends(struct wire *w, const char *bytes, size_t n, size_t n_fds)
{
    union {
        struct cmsghdr align;
        char room[CMSG_SPACE(64 * sizeof(int))];
    } control = {0};
    char copy[64];
    struct iovec iov = {.iov_base = copy, .iov_len = n};
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
    int fds[64];

    assert_true(n <= sizeof(copy) && n_fds <= TW_ARRAY_LEN(fds));
    memcpy(copy, bytes, n);
    for (size_t i = 0; i < n_fds; i++)
        fds[i] = new_fd();
    if (n_fds) {
        struct cmsghdr *c = &control.align;

        msg.msg_control = &control;
        msg.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(n_fds * sizeof(int));
        memcpy(CMSG_DATA(c), fds, n_fds * sizeof(int));
    }
    assert_int_equal(sendmsg(w->sock[1], &msg, MSG_NOSIGNAL), n);
    for (size_t i = 0; i < n_fds; i++)
        tw_fd_close(&fds[i]);
}

static void nothing_there_wants_more(void **state)
{
    struct wire w;

    (void)state;
    wire_open(&w, 0);
    assert_int_equal(tw_pump_in(w.sock[0], &w.rx), TW_MORE);
    assert_int_equal(tw_pump_out(w.sock[0], &w.tx), 0);
    wire_close(&w);
}

static void received_descriptors_close_on_exec(void **state)
{
    REQ("TW-FD-005");
    struct wire w;
    struct tw_bytes payload;
    int fd;

    (void)state;
    REQ("TW-FD-005");
    wire_open(&w, 0);
    peer_sends(&w, "\0\0\0\0", 4, 1);
    assert_int_equal(tw_pump_in(w.sock[0], &w.rx), 0);
    assert_int_equal(tw_rx_next(&w.rx, &payload), 0);
    fd = tw_rx_take_fd(&w.rx);
    assert_true(fd >= 0);
    assert_int_equal(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
    tw_fd_close(&fd);
    wire_close(&w);
}

static void most_descriptors_of_one_message(void **state)
{
    int before = tw_fd_count_open();
    struct tw_bytes payload;
    struct wire w;

    (void)state;
    wire_open(&w, 0);
    peer_sends(&w, "\0\0\0", 3, TW_RX_FDS_MAX);
    assert_int_equal(tw_pump_in(w.sock[0], &w.rx), 0);
    assert_int_equal(tw_fd_count_open(), before + 2 + TW_RX_FDS_MAX);
    peer_sends(&w, "\0", 1, 0);
    assert_int_equal(tw_pump_in(w.sock[0], &w.rx), 0);
    assert_int_equal(tw_rx_next(&w.rx, &payload), 0);
    assert_int_equal(tw_fd_count_open(), before + 2 + 1);
    wire_close(&w);
}

/* The kernel cuts off what does not fit and says so: the connection is over, nothing leaks. */
static void lost_descriptors_are_an_error(void **state)
{
    REQ("TW-FD-003");
    static const size_t counts[] = {TW_RX_FDS_MAX + 1, TW_RX_FDS_MAX + 2, 64};

    (void)state;
    for (size_t i = 0; i < TW_ARRAY_LEN(counts); i++) {
        int before = tw_fd_count_open();
        struct wire w;

        wire_open(&w, 0);
        peer_sends(&w, "\0\0\0\0", 4, counts[i]);
        assert_int_equal(tw_pump_in(w.sock[0], &w.rx), TW_E_PROTOCOL);
        wire_close(&w);
        assert_int_equal(tw_fd_count_open(), before);
    }
}

/* Whoever made the socket may have asked for the peer's credentials with every message. */
static void numbers_of_another_kind_are_no_descriptors(void **state)
{
    const int on = 1;
    struct wire w;

    (void)state;
    wire_open(&w, 0);
    assert_int_equal(setsockopt(w.sock[0], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)), 0);
    peer_sends(&w, "x", 1, 0);
    assert_int_equal(tw_pump_in(w.sock[0], &w.rx), 0);
    assert_int_equal(w.rx.n_fds, 0);
    wire_close(&w);
}

static void peer_that_closes_is_closed(void **state)
{
    REQ("TW-NET-010");
    REQ("TW-NET-011");
    struct tw_frame frame = reply_frame(1, false, "x");
    struct tw_bytes payload;
    struct wire w;

    (void)state;
    wire_open(&w, 0);
    peer_sends(&w, "\0\0\0\0", 4, 0);
    tw_fd_close(&w.sock[1]);
    assert_int_equal(tw_pump_in(w.sock[0], &w.rx), 0); /* what it said before is heard */
    assert_int_equal(tw_rx_next(&w.rx, &payload), 0);
    assert_int_equal(tw_rx_next(&w.rx, &payload), TW_MORE);
    assert_int_equal(tw_pump_in(w.sock[0], &w.rx), TW_E_CLOSED);
    assert_int_equal(tw_tx_frame(&w.tx, &frame, -1), 0);
    assert_int_equal(tw_pump_out(w.sock[0], &w.tx), TW_E_CLOSED); /* and no SIGPIPE */
    wire_close(&w);
}

static void peer_that_leaves_bytes_unread_is_closed(void **state)
{
    struct tw_frame frame = reply_frame(1, false, "x");
    struct wire w;

    (void)state;
    wire_open(&w, 0);
    assert_int_equal(tw_tx_frame(&w.tx, &frame, -1), 0);
    assert_int_equal(tw_pump_out(w.sock[0], &w.tx), 0);
    tw_fd_close(&w.sock[1]); /* with our frame unread: the kernel resets the connection */
    assert_int_equal(tw_pump_in(w.sock[0], &w.rx), TW_E_CLOSED);
    wire_close(&w);
}

static void other_errors_come_through(void **state)
{
    struct tw_frame frame = reply_frame(1, false, "x");
    struct wire w;

    (void)state;
    wire_open(&w, 0);
    assert_int_equal(tw_pump_in(-1, &w.rx), -EBADF);
    assert_int_equal(tw_tx_frame(&w.tx, &frame, -1), 0);
    assert_int_equal(tw_pump_out(-1, &w.tx), -EBADF);
    wire_close(&w);
}

/* One frame of the flow below, checked when it arrives: every third carries a descriptor. */
struct flow {
    size_t queued, received;
    uint8_t body[5000];
};

enum { FLOW_FRAMES = 300 };

static struct tw_frame flow_frame(struct flow *flow, size_t i)
{
    struct tw_frame frame = {.kind = TW_FRAME_INVOKE_REPLY, .request_id = i};

    memset(flow->body, (int)i, sizeof(flow->body));
    frame.invoke_reply.has_reply = true;
    frame.invoke_reply.reply = (struct tw_bytes){flow->body, i * 61 % sizeof(flow->body)};
    return frame;
}

static void flow_queue(struct flow *flow, struct tw_tx *tx)
{
    while (flow->queued < FLOW_FRAMES) {
        struct tw_frame frame = flow_frame(flow, flow->queued);
        int fd = flow->queued % 3 == 0 ? new_fd() : -1;

        if (tw_tx_frame(tx, &frame, fd)) {
            tw_fd_close(&fd);
            return;
        }
        flow->queued++;
    }
}

static void flow_take(struct flow *flow, struct tw_rx *rx)
{
    struct tw_bytes payload;
    struct tw_frame got, want;
    int rc;

    while (!(rc = tw_rx_next(rx, &payload))) {
        int fd = tw_rx_take_fd(rx);

        assert_int_equal(tw_frame_decode(payload, &got, NULL), 0);
        want = flow_frame(flow, flow->received);
        assert_int_equal(got.request_id, flow->received);
        assert_int_equal(got.invoke_reply.reply.n, want.invoke_reply.reply.n);
        if (want.invoke_reply.reply.n)
            assert_memory_equal(got.invoke_reply.reply.p, want.invoke_reply.reply.p,
                                want.invoke_reply.reply.n);
        assert_int_equal(fd >= 0, flow->received % 3 == 0);
        tw_fd_close(&fd);
        flow->received++;
    }
    assert_int_equal(rc, TW_MORE);
}

/* Hundreds of frames through a socket whose buffer holds hardly one: sends are cut anywhere, and
 * every descriptor still arrives with its own frame. */
static void tiny_socket_buffer_loses_nothing(void **state)
{
    REQ("TW-FRAME-005");
    REQ("TW-FD-010");
    static struct flow flow;
    struct wire w;
    size_t waits = 0;

    (void)state;
    flow = (struct flow){0};
    wire_open(&w, 1); /* the kernel makes it its least, some 4 KiB */
    while (flow.received < FLOW_FRAMES) {
        int rc;

        flow_queue(&flow, &w.tx);
        rc = tw_pump_out(w.sock[1], &w.tx);
        assert_true(rc == 0 || rc == TW_MORE);
        waits += rc == TW_MORE;
        rc = tw_pump_in(w.sock[0], &w.rx);
        assert_int_equal(rc, 0);
        flow_take(&flow, &w.rx);
    }
    assert_true(waits > 10);
    wire_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        tw_unit_test(nothing_there_wants_more),
        tw_unit_test(received_descriptors_close_on_exec),
        tw_unit_test(most_descriptors_of_one_message),
        tw_unit_test(lost_descriptors_are_an_error),
        tw_unit_test(numbers_of_another_kind_are_no_descriptors),
        tw_unit_test(peer_that_closes_is_closed),
        tw_unit_test(peer_that_leaves_bytes_unread_is_closed),
        tw_unit_test(other_errors_come_through),
        tw_unit_test(tiny_socket_buffer_loses_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
