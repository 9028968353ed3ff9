/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A table of descriptors that is too small, in every size from one that holds nothing new to one
 * that holds all that is asked for. The service is a process of its own, which has its own table;
 * it counts the turns of its loop.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/req.h"
#include "consumer_port.pb-c.h"
#include "frame/pump.h"
#include "service/core.h"
#include "tests/harness.h"
#include "tests/service/daemon_scene.h"
#include "wire/pbc.h"

enum {
    STD_FDS = 3,       /* the smallest table that there is */
    TABLE_MAX = 256,   /* what the test knows of a table */
    PAUSE_MS = 100,    /* TW-LIM-071 */
    LOOK_MS = 150,     /* how long the turns of the loop are counted */
    LISTENERS = 2,     /* what may be looked at again after a pause */
    TRY_TURNS = 2,     /* of the loop: the pause is over, and there is still no room */
    SPARE_TURNS = 4,   /* of the loop, for timers of other things */
    WAITING_TURNS = 8, /* without an answer: the connection is not taken */
};

/* ---- the service ---- */

static atomic_uint *turns; /* of the loop, shared with the service */

struct scene {
    struct daemon_scene daemon;
    pid_t service;
    struct client producer, consumer; /* who were there before */
    size_t n_fds;                     /* of the service, with these */
};

static void use_table(pid_t pid, rlim_t size)
{
    struct rlimit limit;

    assert_int_equal(prlimit(pid, RLIMIT_NOFILE, NULL, &limit), 0);
    limit.rlim_cur = size;
    assert_int_equal(prlimit(pid, RLIMIT_NOFILE, &limit, NULL), 0);
}

static size_t count_fds(pid_t pid)
{
    char path[64];
    size_t n = 0;
    DIR *dir;

    snprintf(path, sizeof(path), "/proc/%d/fd", pid);
    dir = opendir(path);
    assert_non_null(dir);
    while (readdir(dir))
        n++;
    closedir(dir);
    return n - 2; /* "." and ".." */
}

static void begin(struct scene *s)
{
    *s = (struct scene){0};
    turns = mmap(NULL, sizeof(*turns), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(turns != MAP_FAILED);
    tw_log_set_level(TW_LOG_ERROR);
    daemon_begin(&s->daemon, 0);
    s->service = fork();
    assert_true(s->service >= 0);
    if (s->service == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* a test that fails does not come to its end */
        while (!tw_loop_once(s->daemon.loop, -1))
            atomic_fetch_add(turns, 1);
        _exit(1);
    }
    s->daemon.elsewhere = true;
    client_producer(&s->daemon, &s->producer);
    client_join(&s->consumer, s->daemon.consumer, &tw_consumer_port);
    client_bound(&s->daemon, &s->consumer);
    s->n_fds = count_fds(s->service);
}

static void end(struct scene *s)
{
    int status;

    client_leave(&s->producer);
    client_leave(&s->consumer);
    assert_int_equal(kill(s->service, SIGKILL), 0);
    assert_int_equal(waitpid(s->service, &status, 0), s->service);
    assert_true(WIFSIGNALED(status)); /* it had not ended of itself */
    daemon_end(&s->daemon);
    tw_log_set_level(TW_LOG_INFO);
    munmap(turns, sizeof(*turns));
}

/* ---- those who come ---- */

enum outcome { WAITING, REFUSED, SERVED };

/* What becomes of what was asked for last. */
static enum outcome outcome(struct client *peer)
{
    unsigned from = atomic_load(turns);
    struct tw_client_event_out event;

    for (int i = 0; i < DAEMON_ROUNDS; i++) {
        int rc = tw_client_next(&peer->client, &event);
        struct pollfd wanted = {.fd = peer->fd, .events = POLLIN};

        if (rc != TW_MORE)
            return !rc && event.kind == TW_CLIENT_BOUND ? SERVED
                   : !rc && event.success               ? SERVED
                                                        : REFUSED;
        rc = tw_pump_out(peer->fd, &peer->client.tx);
        assert_true(!rc || rc == TW_E_CLOSED);
        if (poll(&wanted, 1, 1) == 0 && atomic_load(turns) - from > WAITING_TURNS)
            return WAITING;
        if (tw_pump_in(peer->fd, &peer->client.rx) == TW_E_CLOSED)
            tw_client_end(&peer->client, "closed");
    }
    fail();
    return REFUSED;
}

/* With memory that the service makes. */
static enum outcome try_producer(struct scene *s, struct client *peer)
{
    Tw__InitializeConnectionRequest hello = TW__INITIALIZE_CONNECTION_REQUEST__INIT;
    enum outcome got;

    client_join(peer, s->daemon.producer, &tw_producer_port);
    got = outcome(peer);
    if (got != SERVED)
        return got;
    client_call(peer, TW_PRODUCER_INITIALIZE_CONNECTION, &hello.base, false);
    return outcome(peer);
}

/* Hands in a file, into which the service writes: only when it says so there is something. */
static enum outcome try_consumer(struct scene *s, struct client *peer)
{
    Tw__EnableTracingRequest enable = TW__ENABLE_TRACING_REQUEST__INIT;
    Tw__TraceConfig config = TW__TRACE_CONFIG__INIT;
    Tw__TraceConfig__BufferConfig buffer = TW__TRACE_CONFIG__BUFFER_CONFIG__INIT;
    Tw__TraceConfig__BufferConfig *buffers[] = {&buffer};
    struct tw_buf buf = TW_BUF_INIT(TW_FRAME_PAYLOAD_MAX);
    int fd = memfd_create("trace", MFD_CLOEXEC), ours = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    enum outcome got;
    char tag;

    client_join(peer, s->daemon.consumer, &tw_consumer_port);
    got = outcome(peer);
    buffer.has_size_kb = config.has_duration_ms = config.has_write_into_file = true;
    buffer.size_kb = 64;
    config.duration_ms = 1;
    config.write_into_file = true;
    config.n_buffers = 1;
    config.buffers = buffers;
    enable.trace_config = &config;
    assert_int_equal(tw_pbc_pack(&enable.base, &buf), 0);
    if (got == SERVED) {
        assert_int_equal(tw_client_call(&peer->client, TW_CONSUMER_ENABLE_TRACING,
                                        tw_buf_bytes(&buf), false, fd, NULL, NULL),
                         0);
        fd = -1;
        got = outcome(peer);
        assert_int_equal(pread(ours, &tag, 1, 0), got == SERVED);
    }
    tw_buf_deinit(&buf);
    tw_fd_close(&fd);
    tw_fd_close(&ours);
    return got;
}

/* ---- what has to be so ---- */

static void old_peers_are_served(struct scene *s)
{
    client_call(&s->producer, TW_PRODUCER_SYNC, NULL, false);
    assert_int_equal(outcome(&s->producer), SERVED);
    client_call(&s->consumer, TW_CONSUMER_QUERY_CAPABILITIES, NULL, false);
    assert_int_equal(outcome(&s->consumer), SERVED);
}

/* The loop does not run in circles for those whom it cannot take. */
static void the_loop_rests(void)
{
    uint64_t since = tw_clock_ns(CLOCK_MONOTONIC), ms;
    unsigned from = atomic_load(turns), n;

    poll(NULL, 0, LOOK_MS);
    n = atomic_load(turns) - from;
    ms = (tw_clock_ns(CLOCK_MONOTONIC) - since) / TW_NS_PER_MS;
    assert_in_range(n, 0, LISTENERS * TRY_TURNS * (ms / PAUSE_MS + 1) + SPARE_TURNS);
}

/* With room again, who waited is served, and nothing is left of those who went. */
static void it_recovers(struct scene *s, struct client *peers[2], const enum outcome got[2])
{
    for (size_t i = 0; i < 2; i++) {
        if (got[i] == WAITING)
            client_bound(&s->daemon, peers[i]);
        client_leave(peers[i]);
    }
    for (int i = 0; count_fds(s->service) != s->n_fds; i++) {
        assert_true(i < DAEMON_ROUNDS);
        daemon_turn(&s->daemon);
    }
}

static void every_size_of_the_table_is_lived_with(void **state)
{
    enum outcome got[2] = {WAITING, WAITING};
    unsigned seen[SERVED + 1] = {0};
    struct scene s;

    REQ("TW-LIM-071");
    (void)state;
    begin(&s);
    for (rlim_t size = STD_FDS; got[0] != SERVED || got[1] != SERVED; size++) {
        struct client producer, consumer, *peers[] = {&producer, &consumer};

        assert_true(size < TABLE_MAX);
        use_table(s.service, size);
        got[0] = try_producer(&s, &producer);
        got[1] = try_consumer(&s, &consumer);
        old_peers_are_served(&s);
        the_loop_rests();
        use_table(s.service, TABLE_MAX);
        it_recovers(&s, peers, got);
        seen[got[0]]++;
        seen[got[1]]++;
    }
    assert_true(seen[WAITING] && seen[REFUSED] && seen[SERVED]);
    end(&s);
}

/* How it ends in a table of that size: 0 when it can start, else the error, and nothing is left. */
static int start_in(struct daemon_scene *s, rlim_t size)
{
    int status;
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0) {
        struct tw_bytes socket;
        int rc;

        use_table(0, size);
        rc = daemon_start(s, &s->daemon, &socket);
        if (!rc)
            tw_daemon_free(s->daemon);
        tw_loop_free(s->loop);
        _exit(-rc);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(access(s->producer, F_OK), -1);
    assert_int_equal(access(s->consumer, F_OK), -1);
    return WEXITSTATUS(status);
}

static void a_daemon_starts_or_says_why_not(void **state)
{
    struct daemon_scene s;
    rlim_t size = STD_FDS;

    (void)state;
    daemon_folder(&s);
    while (start_in(&s, size) == EMFILE)
        assert_true(++size < TABLE_MAX);
    assert_true(size > STD_FDS + LISTENERS); /* it could not have done with less */
    for (rlim_t more = size; more < size + LISTENERS; more++)
        assert_int_equal(start_in(&s, more), 0);
    daemon_end(&s);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        tw_unit_test(every_size_of_the_table_is_lived_with),
        tw_unit_test(a_daemon_starts_or_says_why_not),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
