/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Events of LTTng-UST for bench_producer, in a session of bench/lttng_session: for each number that
 * comes on standard input, a uint32_t, it writes so many, and tells on standard output how many
 * nanoseconds that took, a uint64_t.
 */
#define LTTNG_UST_TRACEPOINT_CREATE_PROBES
#define LTTNG_UST_TRACEPOINT_DEFINE
#include "bench/lttng_event.h"

#include <stdint.h>
#include <unistd.h>

#include "base/clock.h"

int main(void)
{
    uint32_t n;

    if (!lttng_ust_tracepoint_enabled(tracewire_bench, instant))
        return 1;
    while (read(STDIN_FILENO, &n, sizeof(n)) == sizeof(n)) {
        uint64_t begin = tw_clock_ns(CLOCK_MONOTONIC);

        for (uint32_t i = 0; i < n; i++)
            lttng_ust_tracepoint(tracewire_bench, instant, 1);
        begin = tw_clock_ns(CLOCK_MONOTONIC) - begin;
        if (write(STDOUT_FILENO, &begin, sizeof(begin)) != sizeof(begin))
            return 1;
    }
    return 0;
}
