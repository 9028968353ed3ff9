/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two ways to do the same, timed in turns in one run. Of each the fastest of many short slices
 * counts: that is the one which nobody interrupted, so that the ratio holds on a busy machine.
 */
#pragma once

#include <stdbool.h>
#include <stdio.h>

#include "base/clock.h"

enum { TW_BENCH_SLICES = 2000 };

struct tw_bench_result {
    uint64_t ns[2]; /* the fastest slice of each */
};

/* Each function is called once a slice and does the same amount of work. */
static inline struct tw_bench_result tw_bench(void (*first)(void *), void (*second)(void *),
                                              void *arg)
{
    void (*const run[2])(void *) = {first, second};
    struct tw_bench_result best = {{UINT64_MAX, UINT64_MAX}};

    for (int slice = 0; slice < TW_BENCH_SLICES; slice++) {
        for (int i = 0; i < 2; i++) {
            uint64_t begin = tw_clock_ns(CLOCK_MONOTONIC), ns;

            run[i](arg);
            ns = tw_clock_ns(CLOCK_MONOTONIC) - begin;
            if (ns < best.ns[i])
                best.ns[i] = ns;
        }
    }
    return best;
}

/* One of several pieces of work that are timed in turns. */
struct tw_bench_part {
    const char *name;
    void (*run)(void);
    uint64_t (*time)(void); /* runs and tells the nanoseconds itself; NULL: run is timed */
};

static inline uint64_t tw_bench_time(const struct tw_bench_part *part)
{
    uint64_t begin = tw_clock_ns(CLOCK_MONOTONIC);

    if (part->time)
        return part->time();
    part->run();
    return tw_clock_ns(CLOCK_MONOTONIC) - begin;
}

/* ret_ns: the fastest slice of each. */
static inline void tw_bench_parts(const struct tw_bench_part *parts, size_t n, uint64_t *ret_ns)
{
    for (size_t i = 0; i < n; i++)
        ret_ns[i] = UINT64_MAX;
    for (int slice = 0; slice < TW_BENCH_SLICES; slice++) {
        for (size_t i = 0; i < n; i++) {
            uint64_t ns = tw_bench_time(&parts[i]);

            if (ns < ret_ns[i])
                ret_ns[i] = ns;
        }
    }
}

/* Prints what a bound says about a figure; false when it does not hold. */
static inline bool tw_bench_at_least(const char *what, double got, double bound)
{
    printf("%-4s %s: %.2f, at least %.2f\n", got >= bound ? "ok" : "FAIL", what, got, bound);
    return got >= bound;
}

static inline bool tw_bench_at_most(const char *what, double got, double bound)
{
    printf("%-4s %s: %.2f, at most %.2f\n", got <= bound ? "ok" : "FAIL", what, got, bound);
    return got <= bound;
}
