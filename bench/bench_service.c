/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a request costs the service: system calls of a Sync round trip, counted by the kernel, and
 * its time as a ratio to the same bytes going to and fro between two processes that do nothing
 * else, with 1, 100 and 2,000 producers that ask in turn. Everything is on one processor, so that
 * the time is that of the work and not of waking another one. Ends with status 1 when a bound is
 * missed.
 */
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/macros.h"
#include "bench/calls.h"
#include "bench/measure.h"
#include "bench/serve.h"

enum { COUNTED = 1000, ROUNDS = 50, PRODUCERS_MAX = 2000 };
/* Slices of time. The one that a quarter of them beat counts: slices that somebody interrupted are
 * among the longest, and the shortest found everything in the caches by chance. */
enum { SLICES = 2000, SLICE_THAT_COUNTS = SLICES / 4 };

#define SYSTEM_CALLS_AT_MOST 4.0
#define RATIO_AT_MOST        1.7
#define GROWTH_AT_MOST       1.15 /* of the ratio, from one connection to two thousand */

static struct peer asker; /* of what is counted */

/* System calls. */

static const struct {
    long number;
    const char *name;
} timer_calls[] = {
    {SYS_timerfd_settime, "timerfd_settime"},
    {SYS_timerfd_gettime, "timerfd_gettime"},
    {SYS_clock_gettime, "clock_gettime"},
    {SYS_clock_nanosleep, "clock_nanosleep"},
    {SYS_nanosleep, "nanosleep"},
    {SYS_gettimeofday, "gettimeofday"},
    {SYS_timer_settime, "timer_settime"},
    {SYS_setitimer, "setitimer"},
};

static void sync_rounds(void)
{
    for (int i = 0; i < COUNTED; i++)
        producer_sync(&asker);
    _exit(0);
}

static void count_calls(const struct serve *s, long counts[CALLS])
{
    pid_t worker, stopped = 0;
    int status;

    calls_trace(s->pid);
    worker = fork();
    if (worker == 0)
        sync_rounds();
    while ((stopped = waitpid(-1, &status, __WALL)) == s->pid && WIFSTOPPED(status)) {
        long call = calls_go_on(s->pid, status);

        if (call >= 0 && call < CALLS)
            counts[call]++;
    }
    serve_must(stopped == worker && WIFEXITED(status) && !WEXITSTATUS(status), "no round trips");
    calls_leave(s->pid);
}

static bool bench_calls(const struct serve *s)
{
    long counts[CALLS] = {0}, all = 0, timers = 0;
    bool few;

    count_calls(s, counts);
    for (int i = 0; i < CALLS; i++)
        all += counts[i];
    for (size_t i = 0; i < TW_ARRAY_LEN(timer_calls); i++) {
        timers += counts[timer_calls[i].number];
        if (counts[timer_calls[i].number])
            printf("%s: %ld\n", timer_calls[i].name, counts[timer_calls[i].number]);
    }
    printf(
        "system calls of %d Sync round trips: epoll_wait %ld, recvmsg %ld, sendmsg %ld, of %ld\n",
        COUNTED, counts[SYS_epoll_wait], counts[SYS_recvmsg], counts[SYS_sendmsg], all);
    serve_must(counts[SYS_recvmsg] >= COUNTED, "the calls were not seen");
    few = tw_bench_at_most("system calls a Sync round trip", (double)all / COUNTED,
                           SYSTEM_CALLS_AT_MOST);
    return tw_bench_at_most("timer calls of all of them", (double)timers, 0) && few;
}

/* Time. */

/* Some producers of one service, and as many socket pairs at whose second ends another process
 * answers. Both sides use theirs in turn, so that what the kernel's own memory of so many sockets
 * costs is in both. */
struct crowd {
    size_t n;
    struct serve serve;
    struct peer *producers;
    int (*raw)[2];
    pid_t answerer;
    size_t at[2];           /* whose turn it is: of the pairs, of the producers */
    uint64_t ns[2][SLICES]; /* what ROUNDS trips took: in the end in order */
};

static struct crowd crowds[] = {{.n = 1}, {.n = 100}, {.n = PRODUCERS_MAX}};

/* A Sync as it goes over the socket, always the same: its id is free as soon as it is answered. */
static struct {
    struct tw_bytes bytes;
    uint8_t room[256];
    size_t n_reply;
} request;

static void exchange(int fd)
{
    uint8_t reply[256];

    serve_must(send(fd, request.bytes.p, request.bytes.n, MSG_NOSIGNAL) ==
                       (ssize_t)request.bytes.n &&
                   recv(fd, reply, sizeof(reply), 0) == (ssize_t)request.n_reply,
               "a round trip went wrong");
}

static void trips(struct crowd *c, bool to_service)
{
    size_t *at = &c->at[to_service];

    for (int i = 0; i < ROUNDS; i++) {
        exchange(to_service ? c->producers[*at].fd : c->raw[*at][0]);
        *at = (*at + 1) % c->n;
    }
}

static void prepare_request(const struct peer *peer)
{
    struct tw_frame frame = {.kind = TW_FRAME_INVOKE, .request_id = 1000000};
    uint8_t reply[256];
    ssize_t n;

    frame.invoke.service_id = peer->client.service_id;
    frame.invoke.method_id = peer->client.method_id[TW_PRODUCER_SYNC];
    serve_must(!tw_frame_encode(&frame, request.room, sizeof(request.room), &request.bytes.n),
               "cannot encode a frame");
    request.bytes.p = request.room;
    serve_must(send(peer->fd, request.bytes.p, request.bytes.n, 0) > 0, "cannot send");
    n = recv(peer->fd, reply, sizeof(reply), 0);
    serve_must(n > 0, "no reply");
    request.n_reply = (size_t)n;
}

/* Answers at one after another of the pairs, as the requests come: it needs not ask who is next. */
static void answer_raw(const struct crowd *c)
{
    uint8_t bytes[256] = {0};
    size_t at = 0;

    while (recv(c->raw[at][1], bytes, sizeof(bytes), 0) > 0) {
        if (send(c->raw[at][1], bytes, request.n_reply, MSG_NOSIGNAL) < 0)
            break;
        at = (at + 1) % c->n;
    }
    _exit(0);
}

static void gather(struct crowd *c, const char *argv0)
{
    serve_start(&c->serve, argv0);
    c->producers = calloc(c->n, sizeof(*c->producers));
    c->raw = calloc(c->n, sizeof(*c->raw));
    serve_must(c->producers && c->raw, "no memory");
    for (size_t i = 0; i < c->n; i++) {
        producer_open(&c->producers[i], &c->serve);
        serve_must(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, c->raw[i]),
                   "no socket pair");
    }
    if (!request.bytes.p)
        prepare_request(&c->producers[0]);
    c->answerer = fork();
    serve_must(c->answerer >= 0, "cannot fork");
    if (c->answerer == 0)
        answer_raw(c);
}

static void disperse(struct crowd *c)
{
    serve_must(!kill(c->answerer, SIGKILL) && waitpid(c->answerer, NULL, 0) == c->answerer,
               "cannot end a child");
    for (size_t i = 0; i < c->n; i++) {
        peer_close(&c->producers[i]);
        close(c->raw[i][0]);
        close(c->raw[i][1]);
    }
    serve_stop(&c->serve);
    free(c->producers);
    free(c->raw);
}

static void time_slice(struct crowd *c, bool to_service, size_t slice)
{
    uint64_t begin = tw_clock_ns(CLOCK_MONOTONIC);

    trips(c, to_service);
    c->ns[to_service][slice] = tw_clock_ns(CLOCK_MONOTONIC) - begin;
}

static int compare(const void *a, const void *b)
{
    const uint64_t *p = a, *q = b;

    return (*p > *q) - (*p < *q);
}

/* Microseconds of one trip. */
static double trip_us(struct crowd *c, bool to_service)
{
    uint64_t *ns = c->ns[to_service];

    qsort(ns, SLICES, sizeof(*ns), compare);
    return (double)ns[SLICE_THAT_COUNTS] / ROUNDS / 1000;
}

/* All crowds in turns, so that whatever else the machine does meets each of them. */
static bool bench_time(const char *argv0)
{
    double ratio[TW_ARRAY_LEN(crowds)];
    bool good = true;

    for (size_t i = 0; i < TW_ARRAY_LEN(crowds); i++)
        gather(&crowds[i], argv0);
    for (size_t slice = 0; slice < SLICES; slice++)
        for (size_t i = 0; i < TW_ARRAY_LEN(crowds); i++)
            for (int to_service = 0; to_service < 2; to_service++)
                time_slice(&crowds[i], to_service, slice);
    for (size_t i = 0; i < TW_ARRAY_LEN(crowds); i++) {
        double raw = trip_us(&crowds[i], false), us = trip_us(&crowds[i], true);

        ratio[i] = us / raw;
        printf("round trip with %zu connections: %.1f us, raw %.1f us\n", crowds[i].n, us, raw);
        good &= tw_bench_at_most("times a raw round trip", ratio[i], RATIO_AT_MOST);
        disperse(&crowds[i]);
    }
    return tw_bench_at_most("times as long with many connections",
                            ratio[TW_ARRAY_LEN(crowds) - 1] / ratio[0], GROWTH_AT_MOST) &&
           good;
}

/* Children stay there, too. */
static void stay_on_one_processor(void)
{
    cpu_set_t all, one;

    CPU_ZERO(&one);
    serve_must(!sched_getaffinity(0, sizeof(all), &all), "no processor");
    for (size_t i = 0; i < CPU_SETSIZE && CPU_COUNT(&one) == 0; i++)
        if (CPU_ISSET(i, &all))
            CPU_SET(i, &one);
    serve_must(!sched_setaffinity(0, sizeof(one), &one), "cannot stay on one processor");
}

int main(int argc, char **argv)
{
    bool only_calls = argc == 2 && strcmp(argv[1], "--calls") == 0;
    struct serve s;
    bool good;

    serve_must(argc == 1 || only_calls, "usage: bench_service [--calls]");
    serve_many_descriptors(PRODUCERS_MAX);
    stay_on_one_processor();
    serve_start(&s, argv[0]);
    producer_open(&asker, &s);
    good = bench_calls(&s);
    peer_close(&asker);
    serve_stop(&s);
    if (!only_calls)
        good = bench_time(argv[0]) && good;
    return good ? 0 : 1;
}
