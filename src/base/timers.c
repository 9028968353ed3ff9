/* SPDX-License-Identifier: Apache-2.0 */
/* A binary heap of pointers; each timer knows its place, so that clearing one needs no search. */
#include "base/timers.h"

#include <errno.h>
#include <stdlib.h>

static void place(struct tw_timers *t, size_t i, struct tw_timer *timer)
{
    t->heap[i] = timer;
    timer->index = i + 1;
}

static void sift_up(struct tw_timers *t, size_t i, struct tw_timer *timer)
{
    while (i > 0) {
        size_t parent = (i - 1) / 2;

        if (t->heap[parent]->due_ns <= timer->due_ns)
            break;
        place(t, i, t->heap[parent]);
        i = parent;
    }
    place(t, i, timer);
}

static void sift_down(struct tw_timers *t, size_t i, struct tw_timer *timer)
{
    for (;;) {
        size_t child = 2 * i + 1;

        if (child >= t->n)
            break;
        if (child + 1 < t->n && t->heap[child + 1]->due_ns < t->heap[child]->due_ns)
            child++;
        if (timer->due_ns <= t->heap[child]->due_ns)
            break;
        place(t, i, t->heap[child]);
        i = child;
    }
    place(t, i, timer);
}

void tw_timers_deinit(struct tw_timers *timers)
{
    if (!timers)
        return;
    for (size_t i = 0; i < timers->n; i++)
        timers->heap[i]->index = 0;
    free(timers->heap);
    *timers = (struct tw_timers){0};
}

int tw_timer_set(struct tw_timers *timers, struct tw_timer *timer, uint64_t due_ns)
{
    tw_timer_clear(timers, timer);
    if (timers->n == timers->cap) {
        size_t cap = timers->cap ? timers->cap * 2 : 16;
        struct tw_timer **heap = reallocarray(timers->heap, cap, sizeof(*heap));

        if (!heap)
            return -ENOMEM;
        timers->heap = heap;
        timers->cap = cap;
    }
    timer->due_ns = due_ns < timers->earliest_ns ? timers->earliest_ns : due_ns;
    timers->n++;
    sift_up(timers, timers->n - 1, timer);
    return 0;
}

void tw_timer_clear(struct tw_timers *timers, struct tw_timer *timer)
{
    size_t i = timer->index - 1;
    struct tw_timer *last;

    if (timer->index == 0)
        return;
    timer->index = 0;
    last = timers->heap[--timers->n];
    if (last == timer)
        return;
    sift_down(timers, i, last);
    sift_up(timers, last->index - 1, last);
}

uint64_t tw_timers_next(const struct tw_timers *timers)
{
    return timers->n ? timers->heap[0]->due_ns : TW_NEVER;
}

void tw_timers_run(struct tw_timers *timers, uint64_t now_ns)
{
    timers->earliest_ns = now_ns + 1;
    while (timers->n && timers->heap[0]->due_ns <= now_ns) {
        struct tw_timer *timer = timers->heap[0];

        tw_timer_clear(timers, timer);
        timer->fn(timer);
    }
    timers->earliest_ns = 0;
}
