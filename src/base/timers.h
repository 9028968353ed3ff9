/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Timers without a clock of their own: the owner says what time it is. A fake clock in a test and
 * a timerfd in the daemon drive them alike. Not thread-safe.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

#define TW_NEVER UINT64_MAX

struct tw_timer {
    void (*fn)(struct tw_timer *timer); /* called once when due; may set or clear any timer */
    uint64_t due_ns;
    size_t index; /* 1 + place in the heap; 0 when not set */
};

struct tw_timers {
    struct tw_timer **heap;
    size_t n, cap;
    uint64_t earliest_ns; /* what is set during a run is due no earlier; 0 outside of runs */
};

void tw_timers_deinit(struct tw_timers *timers);
/* (Re)arms timer, whose fn is set, for due_ns. -ENOMEM leaves it cleared. */
TW_MUST_USE int tw_timer_set(struct tw_timers *timers, struct tw_timer *timer, uint64_t due_ns);
/* A timer that is not set is fine. */
void tw_timer_clear(struct tw_timers *timers, struct tw_timer *timer);
static inline bool tw_timer_is_set(const struct tw_timer *timer)
{
    return timer->index != 0;
}
/* When the next one is due, TW_NEVER if none is set. */
uint64_t tw_timers_next(const struct tw_timers *timers);
/* Calls every timer due at now_ns, in order. One that a callback sets is due after now_ns, so that
 * it waits for the next call and the work is bounded. */
void tw_timers_run(struct tw_timers *timers, uint64_t now_ns);
