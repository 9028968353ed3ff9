/* SPDX-License-Identifier: Apache-2.0 */
/* Counts how often a program asks for memory. Who links tw_allocations has the linker send the
 * calls of our own code here; those inside of libraries are not seen. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct tw_allocations {
    bool counted; /* whether they are, now */
    size_t n;
};

extern struct tw_allocations tw_allocations;
