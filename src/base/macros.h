/* SPDX-License-Identifier: Apache-2.0 */
/* Small helpers that every layer uses. */
#pragma once

#include "tracewire/common.h"

#define TW_PRINTF(fmt, args)               __attribute__((format(printf, fmt, args)))
#define TW_ARRAY_LEN(a)                    (sizeof(a) / sizeof((a)[0]))
#define TW_CONTAINER_OF(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

/* What the compiler should lay out as the straight way. */
#define TW_LIKELY(condition) __builtin_expect(condition, 1)

/* For a must-use result that changes nothing here; a comment beside it says why. */
#define TW_IGNORE(call)                                                                            \
    do {                                                                                           \
        if (call) {                                                                                \
        }                                                                                          \
    } while (0)

static inline size_t tw_min(size_t a, size_t b)
{
    return a < b ? a : b;
}

static inline size_t tw_max(size_t a, size_t b)
{
    return a > b ? a : b;
}
