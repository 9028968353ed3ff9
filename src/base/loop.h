/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The event loop: one thread, epoll for descriptors, one timerfd for all timers, one signalfd. No
 * callback may block. Not thread-safe.
 */
#pragma once

#include <signal.h>
#include <sys/epoll.h>

#include "base/timers.h"

struct tw_loop;

/* One descriptor in the loop. The owner embeds it, keeps the descriptor and closes it itself,
 * after tw_loop_del(). */
struct tw_io {
    int fd;
    uint32_t events; /* EPOLLIN, EPOLLOUT; level-triggered */
    void (*fn)(struct tw_io *io, uint32_t events);
};

TW_MUST_USE int tw_loop_new(struct tw_loop **ret_loop);
void tw_loop_free(struct tw_loop *loop);
/* The loop's timers, on CLOCK_MONOTONIC. */
struct tw_timers *tw_loop_timers(struct tw_loop *loop);

TW_MUST_USE int tw_loop_add(struct tw_loop *loop, struct tw_io *io);
/* Changes what is waited for; a no-op (and no system call) when it is the same already. */
TW_MUST_USE int tw_loop_mod(struct tw_loop *loop, struct tw_io *io, uint32_t events);
/* After this fn is not called again, even for events already fetched. */
void tw_loop_del(struct tw_loop *loop, struct tw_io *io);

/* Blocks the signals in set and calls fn for each that arrives. Once a loop. */
TW_MUST_USE int tw_loop_signals(struct tw_loop *loop, const sigset_t *set,
                                void (*fn)(int signo, void *user), void *user);

/* Waits at most timeout_ms (-1: for ever) and dispatches once. */
TW_MUST_USE int tw_loop_once(struct tw_loop *loop, int timeout_ms);
/* Dispatches until tw_loop_quit(). */
TW_MUST_USE int tw_loop_run(struct tw_loop *loop);
void tw_loop_quit(struct tw_loop *loop);
/* A descriptor that is readable when tw_loop_once() has something to do. */
int tw_loop_fd(const struct tw_loop *loop);
