/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A client that floods the service with tiny frames. The service is a process of its own, so that
 * its memory can be measured; the flood and the client that wants to be served are this one.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "frame/client_session.h"
#include "frame/pump.h"
#include "service/daemon.h"
#include "tests/harness.h"

#if __has_include(<valgrind/valgrind.h>)
#include <valgrind/valgrind.h>
#else
#define RUNNING_ON_VALGRIND 0
#endif

/* Of frames that are answered, and as much again of frames that are not. */
#define FLOOD_BYTES          ((size_t)32 * 1024 * 1024)
#define FLOOD_BYTES_VALGRIND ((size_t)256 * 1024)
/* What the service may grow by meanwhile: the flood's own queues are under 3 MiB (TW_TX_MAX and
 * what is behind it, the receive buffer), the rest is room for what an allocator keeps. */
#define GROWTH_MAX ((size_t)12 * 1024 * 1024)
/* A bind takes a millisecond; this is for the busiest machine. */
enum { DEADLINE_MS = 10000, PROBES = 8, FRAME_BYTES = 6 };

/* Freed memory is not to be taken for growth. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "quarantine_size_mb=1:thread_local_quarantine_size_kb=64";
}

struct scene {
    char folder[64], producer[96], consumer[96];
    struct tw_loop *loop;
    struct tw_daemon *daemon;
    pid_t service;
    int flood;
    size_t sent, answered;
    size_t answer_bytes; /* of one answer, 0 when there is none */
    int64_t slowest_us;
};

static void begin(struct scene *s)
{
    struct tw_daemon_options options = {.access = {{0600, (gid_t)-1}, {0600, (gid_t)-1}}};
    struct tw_bytes socket;

    *s = (struct scene){.flood = -1};
    snprintf(s->folder, sizeof(s->folder), "/tmp/tracewire-test-XXXXXX");
    assert_non_null(mkdtemp(s->folder));
    snprintf(s->producer, sizeof(s->producer), "%s/p", s->folder);
    snprintf(s->consumer, sizeof(s->consumer), "%s/c", s->folder);
    options.producer_socket = s->producer;
    options.consumer_socket = s->consumer;
    options.service.patience_ms = 60 * DEADLINE_MS; /* the flood never says who it is */
    assert_int_equal(tw_loop_new(&s->loop), 0);
    assert_int_equal(tw_daemon_new(s->loop, &options, &s->daemon, &socket), 0);
    s->service = fork();
    assert_true(s->service >= 0);
    if (s->service == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* a test that fails does not come to its end */
        _exit(tw_loop_run(s->loop) != 0);
    }
}

static void end(struct scene *s)
{
    int status;

    tw_fd_close(&s->flood);
    assert_int_equal(kill(s->service, SIGKILL), 0);
    assert_int_equal(waitpid(s->service, &status, 0), s->service);
    assert_true(WIFSIGNALED(status)); /* it had not ended of itself */
    tw_daemon_free(s->daemon);
    tw_loop_free(s->loop);
    assert_int_equal(rmdir(s->folder), 0);
}

static int dial(const char *name)
{
    struct sockaddr_un addr;
    socklen_t len;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    assert_int_equal(tw_sock_address(name, &addr, &len), 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)&addr, len), 0);
    return fd;
}

/* Bytes of the service that are in memory. */
static size_t resident(const struct scene *s)
{
    char path[64];
    unsigned long size, pages;
    FILE *f;

    snprintf(path, sizeof(path), "/proc/%d/statm", s->service);
    f = fopen(path, "re");
    assert_non_null(f);
    assert_int_equal(fscanf(f, "%lu %lu", &size, &pages), 2);
    fclose(f);
    return pages * (size_t)sysconf(_SC_PAGESIZE);
}

/* A client that wants to be bound, and since when. */
struct probe {
    int fd;
    int64_t since;
    struct tw_client client;
};

static void probe_begin(struct scene *s, struct probe *probe)
{
    probe->since = (int64_t)tw_clock_ns(CLOCK_MONOTONIC);
    probe->fd = dial(s->consumer);
    assert_int_equal(tw_client_init(&probe->client, &tw_consumer_port), 0);
    assert_int_equal(tw_client_bind(&probe->client), 0);
    assert_int_equal(tw_pump_out(probe->fd, &probe->client.tx), 0);
}

/* Whether it is bound; then it has left. */
static bool probe_done(struct scene *s, struct probe *probe)
{
    struct tw_client_event_out event;
    int64_t us;
    int rc = tw_pump_in(probe->fd, &probe->client.rx);

    us = ((int64_t)tw_clock_ns(CLOCK_MONOTONIC) - probe->since) / 1000;
    assert_true(us < (int64_t)DEADLINE_MS * 1000);
    assert_true(rc == 0 || rc == TW_MORE);
    if (tw_client_next(&probe->client, &event))
        return false;
    assert_int_equal(event.kind, TW_CLIENT_BOUND);
    s->slowest_us = us > s->slowest_us ? us : s->slowest_us;
    tw_client_deinit(&probe->client);
    tw_fd_close(&probe->fd);
    return true;
}

static void pour(struct scene *s, const uint8_t frame[FRAME_BYTES], size_t total)
{
    static uint8_t frames[FRAME_BYTES * 10000];
    size_t at = s->sent % sizeof(frames), n = sizeof(frames) - at;
    ssize_t sent;

    for (size_t i = 0; i < sizeof(frames); i += FRAME_BYTES)
        memcpy(frames + i, frame, FRAME_BYTES);
    n = n < total - s->sent ? n : total - s->sent;
    sent = send(s->flood, frames + at, n, MSG_DONTWAIT | MSG_NOSIGNAL);
    assert_true(sent > 0 || errno == EAGAIN);
    s->sent += sent > 0 ? (size_t)sent : 0;
}

static void drink(struct scene *s)
{
    static uint8_t answers[1 << 18];
    ssize_t got = recv(s->flood, answers, sizeof(answers), MSG_DONTWAIT);

    assert_true(got > 0 || (got < 0 && errno == EAGAIN)); /* nobody drops it: it reads */
    if (got > 0 && s->answered == 0)
        s->answer_bytes = TW_FRAME_HEADER + answers[0];
    s->answered += got > 0 ? (size_t)got : 0;
}

/* Floods, reads what comes back, and has a client bind in the midst of it again and again. */
static void flood(struct scene *s, const uint8_t frame[FRAME_BYTES], size_t total, bool answers)
{
    struct probe probe = {.fd = -1};
    size_t probes = 0, before = 0;
    bool done = false;

    total -= total % FRAME_BYTES;
    s->flood = dial(s->producer);
    while (!done) {
        struct pollfd fds[2] = {{.fd = s->flood, .events = POLLIN},
                                {.fd = probe.fd, .events = POLLIN}};

        if (s->sent < total)
            fds[0].events |= POLLOUT;
        assert_true(poll(fds, 2, DEADLINE_MS) > 0);
        if (s->sent < total)
            pour(s, frame, total);
        if (fds[0].revents & POLLIN)
            drink(s);
        if (before == 0 && s->sent > total / 16)
            before = resident(s); /* what it needs for a flood at all, it has by now */
        if (probe.fd >= 0 && probe_done(s, &probe))
            probes++;
        if (probe.fd < 0 && probes < PROBES && s->sent > total * (probes + 1) / (PROBES + 2))
            probe_begin(s, &probe);
        done =
            s->sent == total && probes == PROBES && probe.fd < 0 &&
            (!answers || (s->answer_bytes && s->answered == total / FRAME_BYTES * s->answer_bytes));
    }
    printf("%zu frames, answered with %zu bytes; slowest of %d binds %lld us; resident before %zu, "
           "after %zu KiB\n",
           total / FRAME_BYTES, s->answered, PROBES, (long long)s->slowest_us, before / 1024,
           resident(s) / 1024);
    assert_true(answers || s->answered == 0);
    assert_true(resident(s) < before + GROWTH_MAX);
}

static size_t volume(void)
{
    return RUNNING_ON_VALGRIND ? FLOOD_BYTES_VALGRIND : FLOOD_BYTES;
}

/* A request id and nothing else: each is answered with RequestError, which its sender has to read.
 */
static void a_flood_that_is_answered_costs_its_sender(void **state)
{
    static const uint8_t frame[FRAME_BYTES] = {2, 0, 0, 0, 0x10, 1};
    struct scene s;

    (void)state;
    REQ("TW-SESS-008");
    REQ("TW-SESS-032");
    REQ("TW-LIM-040");
    begin(&s);
    flood(&s, frame, volume(), true);
    end(&s);
}

/* SetPeerIdentity leads to nothing. */
static void a_flood_of_nothing_holds_nobody_up(void **state)
{
    static const uint8_t frame[FRAME_BYTES] = {2, 0, 0, 0, 0x42, 0};
    struct scene s;

    (void)state;
    REQ("TW-SESS-007");
    REQ("TW-SESS-032");
    REQ("TW-LIM-040");
    begin(&s);
    flood(&s, frame, volume(), false);
    end(&s);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        tw_unit_test(a_flood_that_is_answered_costs_its_sender),
        tw_unit_test(a_flood_of_nothing_holds_nobody_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
