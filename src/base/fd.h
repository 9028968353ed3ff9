/* SPDX-License-Identifier: Apache-2.0 */
/* File descriptors: close-on-exec from birth, owned by exactly one variable, -1 when there is none.
 */
#pragma once

#include "base/err.h"

/* Closes *fd unless it is negative and sets it to -1. errno is kept. NULL is fine. */
void tw_fd_close(int *fd);
/* Hands over *fd: returns it and sets it to -1. */
int tw_fd_take(int *fd);
/* How many descriptors this process has open, from /proc/self/fd; negative errno if unreadable. */
TW_MUST_USE int tw_fd_count_open(void);
