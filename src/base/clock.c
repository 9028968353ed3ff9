/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"

uint64_t tw_clock_ns(clockid_t id)
{
    struct timespec ts = {0};

    if (clock_gettime(id, &ts) != 0)
        return 0; /* only for a clock the kernel does not have */
    return (uint64_t)ts.tv_sec * TW_NS_PER_S + (uint64_t)ts.tv_nsec;
}
