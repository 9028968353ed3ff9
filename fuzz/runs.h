/* SPDX-License-Identifier: Apache-2.0 */
/* What a service has to send, as the runs of bytes in which it gives them. */
#pragma once

#include <string.h>
#include <sys/uio.h>

#include "base/macros.h"

/* As much as there is room for; returns how much that was. */
static inline size_t runs_copy(uint8_t *to, size_t room, const struct iovec *runs, size_t n_runs)
{
    size_t n = 0;

    for (size_t i = 0; i < n_runs && n < room; i++) {
        size_t part = tw_min(runs[i].iov_len, room - n);

        memcpy(to + n, runs[i].iov_base, part);
        n += part;
    }
    return n;
}
