/* SPDX-License-Identifier: Apache-2.0 */
/* Time in nanoseconds. CLOCK_MONOTONIC drives timers; CLOCK_BOOTTIME stamps what goes into traces.
 */
#pragma once

#include <stdint.h>
#include <time.h>

#define TW_NS_PER_MS UINT64_C(1000000)
#define TW_NS_PER_S  UINT64_C(1000000000)

uint64_t tw_clock_ns(clockid_t id);
