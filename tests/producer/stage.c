/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/producer/stage.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/macros.h"
#include "base/sock.h"
#include "tests/harness.h"

enum {
    PACKET_FOR_TESTING = 900,
    TEST_STR = 1,
    TEST_SEQ_VALUE = 2,
    IDLE_TURNS = 3, /* without a byte, after which all is said: each side may owe an answer */
    TURNS_MAX = 100000,
};

static void on_setup(void *user, struct tw_instance *instance)
{
    (void)instance;
    ((struct stage *)user)->setups++;
}

static void on_start(void *user, struct tw_instance *instance)
{
    struct stage *s = user;

    tw_instance_unref(s->instance);
    s->instance = tw_instance_ref(instance);
    s->starts++; /* the test may be on another thread: now it can see the instance */
}

static void on_stop(void *user, struct tw_instance *instance)
{
    ((struct stage *)user)->stops++;
    tw_instance_done(instance);
}

void stage_init_limited(struct stage *s, const uint64_t limits[TW_QUOTAS])
{
    *s = (struct stage){.fd = -1, .config = {.name = "test"}};
    rig_init_limited(&s->rig, limits);
    s->consumer = rig_consumer(&s->rig);
}

void stage_init(struct stage *s)
{
    stage_init_limited(s, (const uint64_t[TW_QUOTAS]){0});
}

static void on_wake(void *user)
{
    (void)user; /* the test looks anyhow */
}

static void serve(struct stage *s, int fd)
{
    struct tw_peer peer = {.pid = RIG_FIRST_PID, .uid = s->remote ? -1 : RIG_UID};

    peer.remote = s->remote;
    s->fd = fd;
    assert_int_equal(
        tw_service_connect(s->rig.service, TW_SERVICE_PRODUCER, peer, on_wake, s, &s->conn), 0);
}

int stage_connect(struct stage *s)
{
    int fds[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    serve(s, fds[0]);
    return fds[1];
}

void stage_name(struct stage *s, char name[64])
{
    static int n;

    snprintf(name, 64, "@tracewire-stage-%d-%d", (int)getpid(), n++);
    s->config.socket = name;
}

int stage_listen(const struct stage *s)
{
    struct tw_sock_access access = {0600, (gid_t)-1};
    int listener;

    assert_int_equal(tw_sock_listen(s->config.socket, &access, &listener), 0);
    return listener;
}

void stage_accept(struct stage *s, int listener)
{
    int fd = -1;

    for (int i = 0; fd < 0; i++) {
        assert_true(i < TURNS_MAX);
        assert_int_equal(tw_producer_dispatch(s->producer, 1), 0);
        fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    }
    serve(s, fd);
}

void stage_open_source(struct stage *s)
{
    struct tw_data_source_config source = {
        .name = "tw.test",
        .ops = {.setup = on_setup, .start = on_start, .stop = on_stop},
        .user = s};

    assert_int_equal(tw_producer_register(s->producer, &source), 0);
}

void stage_open(struct stage *s)
{
    int fd = -1;

    if (!s->config.socket) {
        fd = stage_connect(s);
        s->config.fd = &fd;
    }
    assert_int_equal(tw_producer_open(&s->producer, &s->config), 0);
    s->config.fd = NULL;
    stage_open_source(s);
}

void stage_begin(struct stage *s, bool remote)
{
    stage_init(s);
    s->remote = remote;
    stage_open(s);
}

void stage_hang_up(struct stage *s)
{
    tw_service_disconnect(s->conn);
    s->conn = NULL;
    tw_fd_close(&s->fd);
}

void stage_end(struct stage *s)
{
    tw_instance_unref(s->instance);
    tw_producer_close(s->producer);
    stage_hang_up(s);
    rig_free(&s->rig);
}

/* ---- the service's end ---- */

union control {
    struct cmsghdr align;
    char room[CMSG_SPACE(sizeof(int))];
};

static bool receive(struct stage *s)
{
    union control control;
    struct iovec iov;
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.room};
    int fd = -1;
    uint8_t *to;
    ssize_t n;

    msg.msg_controllen = sizeof(control.room);
    tw_service_space(s->conn, &to, &iov.iov_len);
    iov.iov_base = to;
    n = recvmsg(s->fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (n <= 0)
        return false;
    if (CMSG_FIRSTHDR(&msg))
        memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(fd));
    if (s->remote)
        tw_fd_close(&fd); /* no descriptor passes */
    s->received += (size_t)n;
    tw_service_received(s->conn, (size_t)n, &fd, fd >= 0);
    return true;
}

static bool send_some(struct stage *s)
{
    union control control = {0};
    struct iovec iov;
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
    struct tw_bytes bytes;
    ssize_t n;
    int fd;

    if (tw_service_peek(s->conn, &bytes, &fd))
        return false;
    iov = (struct iovec){.iov_base = (void *)(uintptr_t)bytes.p, .iov_len = bytes.n};
    if (fd >= 0) {
        msg.msg_control = control.room;
        msg.msg_controllen = sizeof(control.room);
        control.align = (struct cmsghdr){
            .cmsg_len = CMSG_LEN(sizeof(fd)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
        memcpy(CMSG_DATA(&control.align), &fd, sizeof(fd));
    }
    n = sendmsg(s->fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n <= 0)
        return false;
    tw_service_sent(s->conn, (size_t)n);
    return true;
}

static bool turn_of_service(struct stage *s)
{
    bool moved = false;
    int r = s->conn ? tw_service_run(s->conn) : 0;

    assert_true(r == 0 || r == TW_MORE);
    if (s->conn) {
        while (send_some(s))
            moved = true;
        moved = (r == 0 && receive(s)) || moved;
    }
    rig_pump(&s->rig);
    return moved || r == TW_MORE;
}

void stage_wait(struct stage *s)
{
    struct pollfd fd = {.fd = s->fd, .events = POLLIN};

    TW_IGNORE(poll(&fd, 1, 1)); /* it is only not to be busy */
    while (turn_of_service(s)) {
    }
}

void stage_turn(struct stage *s)
{
    for (int i = 0, idle = 0; idle < IDLE_TURNS; i++) {
        assert_true(i < TURNS_MAX);
        TW_IGNORE(tw_producer_dispatch(s->producer, 0)); /* the test sees what comes of it */
        idle = turn_of_service(s) ? 0 : idle + 1;
    }
}

/* ---- sessions ---- */

uint64_t stage_trace(struct stage *s, uint32_t buffer_kb)
{
    Tw__TraceConfig *config = rig_config(&s->rig, "tw.test");
    uint64_t id;

    config->buffers[0]->size_kb = buffer_kb;
    id = rig_enable(s->consumer, config);
    stage_turn(s);
    return id;
}

void stage_stop(struct stage *s)
{
    assert_true(rig_call(s->consumer, TW_CONSUMER_DISABLE_TRACING, NULL)->success);
    stage_turn(s);
}

static char letter(uint32_t number, size_t at)
{
    return (char)('a' + (number * 7 + at) % 26);
}

int stage_write(struct tw_trace_writer *w, uint32_t number, size_t bytes)
{
    char text[256];

    tw_writer_begin(w);
    tw_writer_nest(w, PACKET_FOR_TESTING);
    tw_writer_u64(w, TEST_SEQ_VALUE, number);
    for (size_t at = 0; at < bytes;) { /* of a field that comes again the last one counts */
        size_t n = tw_min(bytes - at, sizeof(text) - 1);

        for (size_t i = 0; i < n; i++)
            text[i] = letter(number, i);
        text[n] = '\0';
        tw_writer_str(w, TEST_STR, text);
        at += n;
    }
    tw_writer_unnest(w);
    return tw_writer_end(w);
}

void stage_assert_numbers(struct stage *s, uint32_t first, uint32_t end)
{
    struct rig_trace trace = rig_read(s->consumer);
    uint32_t next = first;

    assert_true(trace.whole);
    for (size_t i = 0; i < trace.n; i++) {
        Tw__TracePacket *packet = trace.decoded[i];

        assert_non_null(packet);
        if (packet->data_case != TW__TRACE_PACKET__DATA_FOR_TESTING)
            continue;
        assert_int_equal(packet->for_testing->seq_value, next);
        for (size_t n = 0; packet->for_testing->str && packet->for_testing->str[n]; n++)
            assert_int_equal(packet->for_testing->str[n], letter(next, n));
        next++;
    }
    assert_int_equal(next, end);
}
