/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Instants of signal handlers, which may have interrupted their thread anywhere: in an event, in
 * malloc(), with any lock held. They are noted in a ring of the thread, and written as events when
 * it is safe: by the thread itself or by the producer's.
 *
 * Handlers add, on one thread, and may interrupt each other. One at a time takes.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tracewire/track_event.h"

struct tw_signal_instant {
    const struct tw_category *category;
    const char *name;
    uint64_t at_ns;    /* BOOTTIME */
    int tid;           /* the thread's */
    uint32_t sessions; /* that wanted it then */
};

struct tw_signal_ring {
    _Atomic uint32_t begun, taken; /* how many, since the beginning */
    atomic_bool taking;
    struct {
        atomic_bool ready;
        struct tw_signal_instant instant;
    } list[TW_SIGNAL_INSTANTS_MAX];
};

/* For signal handlers. False: the ring is full. */
bool tw_signal_ring_add(struct tw_signal_ring *ring, const struct tw_signal_instant *instant);
/* One relaxed look. */
static inline bool tw_signal_ring_waits(const struct tw_signal_ring *ring)
{
    return atomic_load_explicit(&ring->begun, memory_order_relaxed) !=
           atomic_load_explicit(&ring->taken, memory_order_relaxed);
}
/* The oldest, up to max; returns how many. None while another thread takes. Any thread but a signal
 * handler's. */
size_t tw_signal_ring_take(struct tw_signal_ring *ring, struct tw_signal_instant *out, size_t max);
