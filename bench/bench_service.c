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
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/macros.h"
#include "bench/measure.h"
#include "bench/serve.h"

enum { COUNTED = 1000, ROUNDS = 100, PRODUCERS_MAX = 2000, CALLS = 512 };
enum { ATTEMPTS = 3 }; /* to time, as other programs use the same caches */

#define SYSTEM_CALLS_AT_MOST 4.0
#define RATIO_AT_MOST        1.7
#define GROWTH_AT_MOST       1.15 /* of the ratio, from one connection to the most */

static struct peer *producers;

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
        producer_sync(&producers[0]);
    _exit(0);
}

/* Lets the service go on to its next stop. It stops at each system call twice. */
static void note_stop(pid_t pid, int status, long counts[CALLS])
{
    struct __ptrace_syscall_info info;
    int signo = WSTOPSIG(status);

    if (signo == (SIGTRAP | 0x80)) {
        serve_must(ptrace(PTRACE_GET_SYSCALL_INFO, pid, (void *)sizeof(info), &info) > 0,
                   "cannot look at a system call");
        if (info.op == PTRACE_SYSCALL_INFO_ENTRY && info.entry.nr < CALLS)
            counts[info.entry.nr]++;
        signo = 0;
    } else if (signo == SIGTRAP) {
        signo = 0; /* we stopped it */
    }
    serve_must(!ptrace(PTRACE_SYSCALL, pid, NULL, (void *)(long)signo), "cannot go on tracing");
}

static void count_calls(const struct serve *s, long counts[CALLS])
{
    pid_t worker, stopped = 0;
    int status;

    serve_must(!ptrace(PTRACE_SEIZE, s->pid, NULL, (void *)PTRACE_O_TRACESYSGOOD) &&
                   !ptrace(PTRACE_INTERRUPT, s->pid, NULL, NULL),
               "cannot trace the service");
    worker = fork();
    if (worker == 0)
        sync_rounds();
    while ((stopped = waitpid(-1, &status, __WALL)) == s->pid && WIFSTOPPED(status))
        note_stop(s->pid, status, counts);
    serve_must(stopped == worker && WIFEXITED(status) && !WEXITSTATUS(status), "no round trips");
    serve_must(!ptrace(PTRACE_INTERRUPT, s->pid, NULL, NULL) &&
                   waitpid(s->pid, &status, __WALL) == s->pid &&
                   !ptrace(PTRACE_DETACH, s->pid, NULL, NULL),
               "cannot leave the service alone again");
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

static struct {
    struct tw_bytes request; /* a Sync as it goes over the socket, always the same */
    uint8_t bytes[256];
    size_t n_reply;
    int raw[PRODUCERS_MAX][2]; /* socket pairs; another process answers at the second ends */
    size_t n, at;
} trips;

static void exchange(int fd)
{
    uint8_t reply[256];

    serve_must(send(fd, trips.request.p, trips.request.n, MSG_NOSIGNAL) ==
                       (ssize_t)trips.request.n &&
                   recv(fd, reply, sizeof(reply), 0) == (ssize_t)trips.n_reply,
               "a round trip went wrong");
}

static void raw_trips(void *unused)
{
    (void)unused;
    for (int i = 0; i < ROUNDS; i++)
        exchange(trips.raw[(trips.at + (size_t)i) % trips.n][0]);
}

static void service_trips(void *unused)
{
    (void)unused;
    for (int i = 0; i < ROUNDS; i++) {
        exchange(producers[trips.at].fd);
        trips.at = (trips.at + 1) % trips.n;
    }
}

/* The same request again and again: its id is free as soon as it is answered. */
static void prepare_request(const struct peer *peer)
{
    struct tw_frame frame = {.kind = TW_FRAME_INVOKE, .request_id = 1000000};
    uint8_t reply[256];
    ssize_t n;

    frame.invoke.service_id = peer->client.service_id;
    frame.invoke.method_id = peer->client.method_id[TW_PRODUCER_SYNC];
    serve_must(!tw_frame_encode(&frame, trips.bytes, sizeof(trips.bytes), &trips.request.n),
               "cannot encode a frame");
    trips.request.p = trips.bytes;
    serve_must(send(peer->fd, trips.request.p, trips.request.n, 0) > 0, "cannot send");
    n = recv(peer->fd, reply, sizeof(reply), 0);
    serve_must(n > 0, "no reply");
    trips.n_reply = (size_t)n;
}

/* Answers at one after another of the pairs, as the requests come: it needs not ask who is next. */
static void answer_raw(void)
{
    uint8_t bytes[256] = {0};
    size_t at = 0;

    while (recv(trips.raw[at][1], bytes, sizeof(bytes), 0) > 0) {
        if (send(trips.raw[at][1], bytes, trips.n_reply, MSG_NOSIGNAL) < 0)
            break;
        at = (at + 1) % trips.n;
    }
    _exit(0);
}

static pid_t start_raw(void)
{
    pid_t pid;

    for (size_t i = 0; i < trips.n; i++)
        serve_must(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, trips.raw[i]),
                   "no socket pair");
    pid = fork();
    serve_must(pid >= 0, "cannot fork");
    if (pid == 0)
        answer_raw();
    return pid;
}

static void stop_raw(pid_t pid)
{
    serve_must(!kill(pid, SIGKILL) && waitpid(pid, NULL, 0) == pid, "cannot end a child");
    for (size_t i = 0; i < trips.n; i++) {
        close(trips.raw[i][0]);
        close(trips.raw[i][1]);
    }
}

/* Both sides have as many sockets and use them in turn, so that what the kernel's own memory of
 * them costs is in both. */
static double measure(const struct serve *s, size_t n)
{
    struct tw_bench_result r;
    double ratio = 0;
    pid_t raw;

    for (; trips.n < n; trips.n++)
        producer_open(&producers[trips.n], s);
    trips.at = 0;
    raw = start_raw();
    for (int attempt = 1; attempt <= ATTEMPTS; attempt++) {
        r = tw_bench(raw_trips, service_trips, NULL);
        ratio = (double)r.ns[1] / (double)r.ns[0];
        printf("round trip with %zu connections: %.1f us, raw %.1f us, attempt %d\n", n,
               (double)r.ns[1] / ROUNDS / 1000, (double)r.ns[0] / ROUNDS / 1000, attempt);
        if (ratio <= RATIO_AT_MOST)
            break;
    }
    stop_raw(raw);
    return ratio;
}

static bool bench_time(const struct serve *s)
{
    const size_t sizes[] = {1, 100, PRODUCERS_MAX};
    double first = 0, last = 0;
    bool good = true;

    trips.n = 1;
    prepare_request(&producers[0]);
    for (size_t i = 0; i < TW_ARRAY_LEN(sizes); i++) {
        last = measure(s, sizes[i]);
        first = i ? first : last;
        good &= tw_bench_at_most("times a raw round trip", last, RATIO_AT_MOST);
    }
    good &= tw_bench_at_most("times as long with many connections", last / first, GROWTH_AT_MOST);
    return good;
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
    producers = calloc(PRODUCERS_MAX, sizeof(*producers));
    serve_must(producers, "no memory");
    serve_many_descriptors(PRODUCERS_MAX);
    stay_on_one_processor();
    serve_start(&s, argv[0]);
    producer_open(&producers[0], &s);
    good = bench_calls(&s);
    if (!only_calls)
        good = bench_time(&s) && good;
    for (size_t i = 0; i < tw_max(trips.n, 1); i++)
        peer_close(&producers[i]);
    serve_stop(&s);
    free(producers);
    return good ? 0 : 1;
}
