/* SPDX-License-Identifier: Apache-2.0 */
#include "base/loop.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"

enum { LOOP_BATCH = 64 }; /* events fetched at once; more wait for the next turn */

struct tw_loop {
    int epoll_fd;
    bool quit;
    struct tw_timers timers;
    uint64_t armed_ns; /* what the timerfd is set to */
    struct tw_io timer_io, signal_io;
    void (*signal_fn)(int signo, void *user);
    void *signal_user;
    struct epoll_event batch[LOOP_BATCH]; /* those still to dispatch have a data.ptr */
    int n_batch;
};

static void on_timerfd(struct tw_io *io, uint32_t events)
{
    struct tw_loop *loop = TW_CONTAINER_OF(io, struct tw_loop, timer_io);
    uint64_t expirations;

    (void)events;
    if (read(io->fd, &expirations, sizeof(expirations)) < 0)
        return; /* rearmed meanwhile: the timers run when it fires again */
    loop->armed_ns = TW_NEVER;
    tw_timers_run(&loop->timers, tw_clock_ns(CLOCK_MONOTONIC));
}

static void on_signalfd(struct tw_io *io, uint32_t events)
{
    struct tw_loop *loop = TW_CONTAINER_OF(io, struct tw_loop, signal_io);
    struct signalfd_siginfo info;

    (void)events;
    while (read(io->fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
        loop->signal_fn((int)info.ssi_signo, loop->signal_user);
}

int tw_loop_new(struct tw_loop **ret_loop)
{
    struct tw_loop *loop = calloc(1, sizeof(*loop));
    int r;

    if (!loop)
        return -ENOMEM;
    loop->armed_ns = TW_NEVER;
    loop->signal_io.fd = -1;
    loop->timer_io = (struct tw_io){
        .fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK),
        .events = EPOLLIN,
        .fn = on_timerfd,
    };
    loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (loop->timer_io.fd < 0 || loop->epoll_fd < 0)
        r = -errno;
    else
        r = tw_loop_add(loop, &loop->timer_io);
    if (r) {
        tw_loop_free(loop);
        return r;
    }
    *ret_loop = loop;
    return 0;
}

void tw_loop_free(struct tw_loop *loop)
{
    if (!loop)
        return;
    tw_fd_close(&loop->signal_io.fd);
    tw_fd_close(&loop->timer_io.fd);
    tw_fd_close(&loop->epoll_fd);
    tw_timers_deinit(&loop->timers);
    free(loop);
}

struct tw_timers *tw_loop_timers(struct tw_loop *loop)
{
    return &loop->timers;
}

int tw_loop_fd(const struct tw_loop *loop)
{
    return loop->epoll_fd;
}

static int control(struct tw_loop *loop, int op, struct tw_io *io)
{
    struct epoll_event ev = {.events = io->events, .data.ptr = io};

    return epoll_ctl(loop->epoll_fd, op, io->fd, &ev) < 0 ? -errno : 0;
}

int tw_loop_add(struct tw_loop *loop, struct tw_io *io)
{
    return control(loop, EPOLL_CTL_ADD, io);
}

int tw_loop_mod(struct tw_loop *loop, struct tw_io *io, uint32_t events)
{
    if (io->events == events)
        return 0;
    io->events = events;
    return control(loop, EPOLL_CTL_MOD, io);
}

void tw_loop_del(struct tw_loop *loop, struct tw_io *io)
{
    (void)epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, io->fd, NULL);
    for (int i = 0; i < loop->n_batch; i++)
        if (loop->batch[i].data.ptr == io)
            loop->batch[i].data.ptr = NULL;
}

int tw_loop_signals(struct tw_loop *loop, const sigset_t *set, void (*fn)(int, void *), void *user)
{
    if (sigprocmask(SIG_BLOCK, set, NULL) < 0)
        return -errno;
    loop->signal_io = (struct tw_io){
        .fd = signalfd(-1, set, SFD_CLOEXEC | SFD_NONBLOCK),
        .events = EPOLLIN,
        .fn = on_signalfd,
    };
    if (loop->signal_io.fd < 0)
        return -errno;
    loop->signal_fn = fn;
    loop->signal_user = user;
    return tw_loop_add(loop, &loop->signal_io);
}

/* The timerfd moves only when the next deadline comes earlier than what it is set to: one set too
 * early wakes us once for nothing, which is cheaper than a system call for every timer. */
static int arm(struct tw_loop *loop)
{
    uint64_t due = tw_timers_next(&loop->timers);
    struct itimerspec at = {0};

    if (due >= loop->armed_ns)
        return 0;
    due = due ? due : 1; /* zero would disarm it */
    at.it_value.tv_sec = (time_t)(due / TW_NS_PER_S);
    at.it_value.tv_nsec = (long)(due % TW_NS_PER_S);
    if (timerfd_settime(loop->timer_io.fd, TFD_TIMER_ABSTIME, &at, NULL) < 0)
        return -errno;
    loop->armed_ns = due;
    return 0;
}

int tw_loop_once(struct tw_loop *loop, int timeout_ms)
{
    int r = arm(loop);

    if (r)
        return r;
    loop->n_batch = epoll_wait(loop->epoll_fd, loop->batch, LOOP_BATCH, timeout_ms);
    if (loop->n_batch < 0) {
        loop->n_batch = 0;
        return errno == EINTR ? 0 : -errno;
    }
    for (int i = 0; i < loop->n_batch; i++) {
        struct tw_io *io = loop->batch[i].data.ptr;

        loop->batch[i].data.ptr = NULL;
        if (io)
            io->fn(io, loop->batch[i].events);
    }
    loop->n_batch = 0;
    return arm(loop);
}

int tw_loop_run(struct tw_loop *loop)
{
    int r = 0;

    while (!loop->quit && r == 0)
        r = tw_loop_once(loop, -1);
    loop->quit = false;
    return r;
}

void tw_loop_quit(struct tw_loop *loop)
{
    loop->quit = true;
}
