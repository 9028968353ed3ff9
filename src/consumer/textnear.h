/* SPDX-License-Identifier: Apache-2.0 */
/* The nearest of several names to one that is unknown, for "did you mean". */
#pragma once

#include "base/macros.h"

struct tw_near {
    const char *best; /* NULL while nothing is near enough */
    size_t distance;
};

/* Keeps candidate if it is nearer to name than what was seen so far, and near enough that somebody
 * may have meant it. Starts from all zero. */
void tw_near_consider(struct tw_near *near, struct tw_bytes name, const char *candidate);
