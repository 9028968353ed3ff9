/* SPDX-License-Identifier: Apache-2.0 */
/* The processes of the demo: this program again, with other arguments. Not thread-safe. */
#pragma once

#include <sys/types.h>

#include "base/loop.h"

struct tw_demo_child {
    const char *name;
    pid_t pid;       /* 0: not started, or gone */
    struct tw_io io; /* its pidfd, in the loop while it runs */
    struct tw_loop *loop;
    bool ended;
    int status; /* its exit status once ended; 128 and the signal that killed it */
};

/* Descriptors the child gets as its own; -1: it shares ours. They stay the caller's. */
struct tw_demo_stdio {
    int out, err;
};

#define TW_DEMO_CHILD_INIT(child_name) ((struct tw_demo_child){.name = (child_name), .io.fd = -1})

/* Runs `tracewire NAME ARGS...`; argv begins with "tracewire" and ends with NULL. The loop sees
 * when it ends. The child dies with us, and gets no signal from the terminal. */
TW_MUST_USE int tw_demo_spawn(struct tw_demo_child *child, struct tw_loop *loop,
                              const char *const *argv, const struct tw_demo_stdio *stdio);
void tw_demo_signal(const struct tw_demo_child *child, int signo);
/* Kills it if it runs, and waits for it. */
void tw_demo_reap(struct tw_demo_child *child);
