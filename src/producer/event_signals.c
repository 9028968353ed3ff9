/* SPDX-License-Identifier: Apache-2.0 */
#include "producer/event_signals.h"

#include "base/req.h"

bool tw_signal_ring_add(struct tw_signal_ring *ring, const struct tw_signal_instant *instant)
{
    REQ("TW-LIM-215");
    uint32_t n = atomic_load_explicit(&ring->begun, memory_order_relaxed);

    do /* another handler may come in between */
        if (n - atomic_load_explicit(&ring->taken, memory_order_acquire) >= TW_SIGNAL_INSTANTS_MAX)
            return false;
    while (!atomic_compare_exchange_weak_explicit(&ring->begun, &n, n + 1, memory_order_relaxed,
                                                  memory_order_relaxed));
    n %= TW_SIGNAL_INSTANTS_MAX;
    ring->list[n].instant = *instant;
    atomic_store_explicit(&ring->list[n].ready, true, memory_order_release);
    return true;
}

/* What a handler is still writing is left, with what is behind it, for the next time. */
static size_t take(struct tw_signal_ring *ring, struct tw_signal_instant *out, size_t max)
{
    uint32_t n = atomic_load_explicit(&ring->taken, memory_order_relaxed), first = n;

    for (; n - first < max; n++) {
        uint32_t at = n % TW_SIGNAL_INSTANTS_MAX;

        if (!atomic_load_explicit(&ring->list[at].ready, memory_order_acquire))
            break;
        out[n - first] = ring->list[at].instant;
        atomic_store_explicit(&ring->list[at].ready, false, memory_order_relaxed);
    }
    atomic_store_explicit(&ring->taken, n, memory_order_release);
    return n - first;
}

size_t tw_signal_ring_take(struct tw_signal_ring *ring, struct tw_signal_instant *out, size_t max)
{
    size_t n;

    if (atomic_exchange_explicit(&ring->taking, true, memory_order_acquire))
        return 0;
    n = take(ring, out, max);
    atomic_store_explicit(&ring->taking, false, memory_order_release);
    return n;
}
