/* SPDX-License-Identifier: Apache-2.0 */
/* The sending half: order, descriptors, limits, partial sends. */
#include "tests/frame/frames.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/macros.h"
#include "base/req.h"

static struct tw_frame frame_with_body(uint64_t id, struct tw_buf *body, size_t n)
{
    struct tw_frame frame = {.kind = TW_FRAME_INVOKE_REPLY, .request_id = id};

    body->n = 0;
    assert_int_equal(tw_buf_reserve(body, n), 0);
    for (size_t i = 0; i < n; i++)
        body->p[body->n++] = (uint8_t)i;
    frame.invoke_reply.has_reply = true;
    frame.invoke_reply.reply = tw_buf_bytes(body);
    return frame;
}

static void empty_queue_has_nothing(void **state)
{
    struct tw_tx tx = TW_TX_INIT;
    struct tw_bytes bytes;
    int fd;

    (void)state;
    assert_int_equal(tw_tx_peek(&tx, &bytes, &fd), TW_MORE);
    assert_int_equal(tw_tx_queued(&tx), 0);
    tw_tx_deinit(&tx);
    tw_tx_deinit(&tx);
    tw_tx_deinit(NULL);
}

static void frames_wait_in_order(void **state)
{
    struct tw_tx tx = TW_TX_INIT;
    struct tw_buf want = WIRE_INIT;
    struct tw_bytes bytes;
    int fd;

    (void)state;
    for (uint64_t id = 1; id < 50; id++) {
        struct tw_frame frame = reply_frame(id, false, "body");

        wire_put(&want, &frame);
        assert_int_equal(tw_tx_frame(&tx, &frame, -1), 0);
        assert_int_equal(tw_tx_queued(&tx), want.n);
    }
    assert_int_equal(tw_tx_peek(&tx, &bytes, &fd), 0);
    assert_int_equal(fd, -1);
    assert_int_equal(bytes.n, want.n);
    assert_memory_equal(bytes.p, want.p, want.n);
    tw_tx_deinit(&tx);
    tw_buf_deinit(&want);
}

/* Queues five frames, the second, third and fifth with descriptors, and sends at most step bytes at
 * a time: the bytes come whole and each descriptor goes with the first byte of its own frame and,
 * in that send, with nothing of another. */
static void send_in_steps_of(size_t step)
{
    static const bool with_fd[] = {false, true, true, false, true};
    struct tw_tx tx = TW_TX_INIT;
    struct tw_buf want = WIRE_INIT, got = WIRE_INIT;
    size_t begin[TW_ARRAY_LEN(with_fd) + 1], next_fd = 0;
    int fds[TW_ARRAY_LEN(with_fd)], fd;
    struct tw_bytes bytes;

    for (size_t i = 0; i < TW_ARRAY_LEN(with_fd); i++) {
        struct tw_frame frame = reply_frame(i, false, "0123456789");

        begin[i] = want.n;
        wire_put(&want, &frame);
        fds[i] = with_fd[i] ? new_fd() : -1;
        assert_int_equal(tw_tx_frame(&tx, &frame, fds[i]), 0);
    }
    begin[TW_ARRAY_LEN(with_fd)] = want.n;
    while (!tw_tx_peek(&tx, &bytes, &fd)) {
        size_t n = tw_min(step, bytes.n);

        if (fd >= 0) {
            while (!with_fd[next_fd])
                next_fd++;
            assert_int_equal(fd, fds[next_fd]);
            assert_int_equal(got.n, begin[next_fd]);
            assert_true(got.n + bytes.n <= begin[next_fd + 1]);
            next_fd++;
        }
        assert_int_equal(tw_buf_append(&got, bytes.p, n), 0);
        tw_tx_sent(&tx, n);
        assert_true(fd < 0 || fcntl(fd, F_GETFD) < 0); /* closed once it is gone */
    }
    assert_int_equal(next_fd, TW_ARRAY_LEN(with_fd));
    assert_int_equal(got.n, want.n);
    assert_memory_equal(got.p, want.p, want.n);
    tw_tx_deinit(&tx);
    tw_buf_deinit(&want);
    tw_buf_deinit(&got);
}

static void descriptors_go_with_their_own_frame(void **state)
{
    REQ("TW-FD-001");
    (void)state;
    for (size_t step = 1; step < 150; step++)
        send_in_steps_of(step);
}

/* What one half sends the other half gets, whatever the sends are: a frame with a descriptor that
 * waits before another frame must not lose it to that one. */
static void receiver_binds_what_sender_meant(void **state)
{
    REQ("TW-FD-001");
    REQ("TW-FD-002");
    struct tw_frame frame = reply_frame(1, true, "x"), next = reply_frame(2, false, "y");
    struct tw_tx tx = TW_TX_INIT;
    struct tw_rx rx;
    struct tw_bytes bytes, payload;
    int sent = new_fd(), fd, got;

    (void)state;
    assert_int_equal(tw_rx_init(&rx), 0);
    assert_int_equal(tw_tx_frame(&tx, &frame, sent), 0);
    assert_int_equal(tw_tx_frame(&tx, &next, -1), 0);
    while (!tw_tx_peek(&tx, &bytes, &fd)) {
        int copy = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 3);

        rx_put(&rx, bytes, &copy, fd >= 0);
        tw_tx_sent(&tx, bytes.n);
    }
    assert_int_equal(tw_rx_next(&rx, &payload), 0);
    got = tw_rx_take_fd(&rx);
    assert_true(got >= 0);
    tw_fd_close(&got);
    assert_int_equal(tw_rx_next(&rx, &payload), 0);
    assert_int_equal(tw_rx_take_fd(&rx), -1);
    tw_rx_deinit(&rx);
    tw_tx_deinit(&tx);
}

static void waiting_descriptors_are_bounded(void **state)
{
    struct tw_frame frame = reply_frame(1, true, "x");
    struct tw_tx tx = TW_TX_INIT;
    int fd;

    (void)state;
    for (int i = 0; i < TW_TX_FDS_MAX; i++)
        assert_int_equal(tw_tx_frame(&tx, &frame, new_fd()), 0);
    fd = new_fd();
    assert_int_equal(tw_tx_frame(&tx, &frame, fd), TW_E_FULL);
    assert_true(fcntl(fd, F_GETFD) >= 0); /* still the caller's */
    assert_int_equal(tw_tx_frame(&tx, &frame, -1), 0);
    tw_fd_close(&fd);
    tw_tx_deinit(&tx); /* closes those that wait: the harness counts */
}

static void too_large_frame_is_refused(void **state)
{
    struct tw_tx tx = TW_TX_INIT;
    struct tw_buf body = WIRE_INIT;
    struct tw_frame frame = frame_with_body(1, &body, TW_FRAME_PAYLOAD_MAX);

    (void)state;
    assert_int_equal(tw_tx_frame(&tx, &frame, -1), TW_E_LIMIT);
    assert_int_equal(tw_tx_queued(&tx), 0);
    tw_tx_deinit(&tx);
    tw_buf_deinit(&body);
}

/* The limit is on what waits: it is the same whatever was sent before. */
static void limit_counts_what_waits(void **state)
{
    const size_t body_size = 10000, n_sent = 20;
    struct tw_tx tx = TW_TX_INIT;
    struct tw_buf body = WIRE_INIT;
    struct tw_frame frame = frame_with_body(1, &body, body_size);
    size_t size = tw_frame_size(&frame);
    int fd = new_fd();

    (void)state;
    for (size_t i = 0; i < TW_TX_MAX / size; i++)
        assert_int_equal(tw_tx_frame(&tx, &frame, -1), 0);
    assert_int_equal(tw_tx_frame(&tx, &frame, fd), TW_E_FULL);
    assert_true(fcntl(fd, F_GETFD) >= 0);
    tw_fd_close(&fd);
    for (size_t i = 0; i < n_sent * size; i++) /* far less than half: nothing is moved yet */
        tw_tx_sent(&tx, 1);
    for (size_t i = 0; i < n_sent; i++)
        assert_int_equal(tw_tx_frame(&tx, &frame, -1), 0);
    assert_int_equal(tw_tx_frame(&tx, &frame, -1), TW_E_FULL);
    assert_int_equal(tw_tx_queued(&tx), TW_TX_MAX / size * size);
    tw_tx_deinit(&tx);
    tw_buf_deinit(&body);
}

/* For ever filling and sending, with descriptors in between: bytes stay right across every move. */
static void survives_moving(void **state)
{
    struct tw_tx tx = TW_TX_INIT;
    struct tw_buf body = WIRE_INIT, want = WIRE_INIT, got = WIRE_INIT;
    struct tw_bytes bytes;
    size_t n_fds = 0;
    int fd;

    (void)state;
    for (uint64_t round = 0; round < 400; round++) {
        struct tw_frame frame = frame_with_body(round, &body, (size_t)(round * 37 % 3000));

        wire_put(&want, &frame);
        assert_int_equal(tw_tx_frame(&tx, &frame, round % 5 == 0 && tx.n_fds < 3 ? new_fd() : -1),
                         0);
        assert_int_equal(tw_tx_peek(&tx, &bytes, &fd), 0);
        n_fds += fd >= 0;
        assert_int_equal(tw_buf_append(&got, bytes.p, bytes.n / 2 + 1), 0);
        tw_tx_sent(&tx, bytes.n / 2 + 1);
    }
    while (!tw_tx_peek(&tx, &bytes, &fd)) {
        n_fds += fd >= 0;
        assert_int_equal(tw_buf_append(&got, bytes.p, bytes.n), 0);
        tw_tx_sent(&tx, bytes.n);
    }
    assert_true(n_fds > 10);
    assert_int_equal(got.n, want.n);
    assert_memory_equal(got.p, want.p, want.n);
    tw_tx_deinit(&tx);
    tw_buf_deinit(&body);
    tw_buf_deinit(&want);
    tw_buf_deinit(&got);
}

/* A peer that is always one frame behind, for longer than the buffer may ever be. */
static void a_queue_that_is_never_empty_stays_small(void **state)
{
    struct tw_tx tx = TW_TX_INIT;
    struct tw_buf body = WIRE_INIT;
    struct tw_frame frame = frame_with_body(1, &body, 10000);
    size_t size = tw_frame_size(&frame);

    REQ("TW-LIM-004");
    (void)state;
    assert_int_equal(tw_tx_frame(&tx, &frame, -1), 0);
    for (size_t sent = 0; sent < 4 * TW_TX_MAX; sent += size) {
        assert_int_equal(tw_tx_frame(&tx, &frame, -1), 0);
        tw_tx_sent(&tx, size);
        assert_int_equal(tw_tx_queued(&tx), size);
        assert_true(tx.queue.own.n <= 3 * size);
    }
    tw_tx_deinit(&tx);
    tw_buf_deinit(&body);
}

static void large_buffer_goes_back_when_all_is_sent(void **state)
{
    struct tw_tx tx = TW_TX_INIT;
    struct tw_buf body = WIRE_INIT;
    struct tw_frame large = frame_with_body(1, &body, 100000), small = reply_frame(2, false, "x");

    (void)state;
    assert_int_equal(tw_tx_frame(&tx, &large, -1), 0);
    assert_true(tx.queue.own.cap >= 100000);
    tw_tx_sent(&tx, tw_tx_queued(&tx));
    assert_int_equal(tx.queue.own.cap, 0);
    assert_int_equal(tw_tx_frame(&tx, &small, -1), 0);
    tw_tx_sent(&tx, tw_tx_queued(&tx));
    assert_true(tx.queue.own.cap > 0);
    tw_tx_deinit(&tx);
    tw_buf_deinit(&body);
}

/* Frames whose body is lent between others with descriptors, sent in steps, settled after some. */
static void send_lent_in_steps_of(size_t step, size_t settle_after)
{
    static const char body[] = "a body that lies elsewhere";
    struct tw_gather lent = TW_GATHER_INIT(sizeof(body));
    struct tw_tx tx = TW_TX_INIT;
    struct tw_buf want = WIRE_INIT, got = WIRE_INIT;
    struct tw_frame frame, head = reply_frame(7, true, "");
    struct tw_bytes bytes;
    int fd, fds = 0;

    head.invoke_reply.has_reply = false;
    assert_int_equal(tw_gather_put(&lent, tw_bytes_of_str("a body ")), 0);
    assert_int_equal(tw_gather_lend(&lent, tw_bytes_of_str(body + 7)), 0);
    for (int i = 0; i < 3; i++) {
        frame = reply_frame(7, true, body);
        wire_put(&want, &frame);
        assert_int_equal(tw_tx_reply(&tx, &head, &lent), 0);
        frame = reply_frame(8, true, "with a descriptor");
        wire_put(&want, &frame);
        assert_int_equal(tw_tx_frame(&tx, &frame, new_fd()), 0);
    }
    for (size_t sends = 0; !tw_tx_peek(&tx, &bytes, &fd); sends++) {
        fds += fd >= 0;
        bytes.n = tw_min(step, bytes.n);
        assert_int_equal(tw_buf_append(&got, bytes.p, bytes.n), 0);
        tw_tx_sent(&tx, bytes.n);
        if (sends == settle_after)
            assert_int_equal(tw_tx_settle(&tx), 0);
    }
    assert_int_equal(fds, 3);
    assert_int_equal(got.n, want.n);
    assert_memory_equal(got.p, want.p, want.n);
    tw_tx_deinit(&tx);
    tw_gather_deinit(&lent);
    tw_buf_deinit(&want);
    tw_buf_deinit(&got);
}

static void a_lent_body_is_sent_as_if_it_were_copied(void **state)
{
    (void)state;
    for (size_t step = 1; step < 60; step++)
        for (size_t settle_after = 0; settle_after < 12; settle_after++)
            send_lent_in_steps_of(step, settle_after);
}

static void a_lent_body_counts(void **state)
{
    REQ("TW-LIM-004");
    REQ("TW-FRAME-002");
    static uint8_t large[TW_FRAME_PAYLOAD_MAX];
    struct tw_frame head = reply_frame(1, true, "");
    struct tw_gather body = TW_GATHER_INIT(0);
    struct tw_tx tx = TW_TX_INIT;
    int rc;

    (void)state;
    assert_int_equal(tw_gather_lend(&body, (struct tw_bytes){large, sizeof(large)}), 0);
    assert_int_equal(tw_tx_reply(&tx, &head, &body), TW_E_LIMIT);
    assert_int_equal(tw_tx_queued(&tx), 0);
    tw_gather_clear(&body);
    assert_int_equal(tw_gather_lend(&body, (struct tw_bytes){large, sizeof(large) - 64}), 0);
    while (!(rc = tw_tx_reply(&tx, &head, &body)))
        assert_true(tw_tx_queued(&tx) <= TW_TX_MAX);
    assert_int_equal(rc, TW_E_FULL);
    assert_in_range(tw_tx_queued(&tx), TW_TX_MAX - sizeof(large), TW_TX_MAX);
    assert_int_equal(tw_tx_settle(&tx), 0);
    assert_in_range(tw_tx_queued(&tx), TW_TX_MAX - sizeof(large), TW_TX_MAX);
    tw_tx_deinit(&tx);
    tw_gather_deinit(&body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        tw_unit_test(empty_queue_has_nothing),
        tw_unit_test(frames_wait_in_order),
        tw_unit_test(descriptors_go_with_their_own_frame),
        tw_unit_test(receiver_binds_what_sender_meant),
        tw_unit_test(waiting_descriptors_are_bounded),
        tw_unit_test(too_large_frame_is_refused),
        tw_unit_test(limit_counts_what_waits),
        tw_unit_test(survives_moving),
        tw_unit_test(a_queue_that_is_never_empty_stays_small),
        tw_unit_test(a_lent_body_is_sent_as_if_it_were_copied),
        tw_unit_test(a_lent_body_counts),
        tw_unit_test(large_buffer_goes_back_when_all_is_sent),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
