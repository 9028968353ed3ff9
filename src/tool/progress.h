/* SPDX-License-Identifier: Apache-2.0 */
/* Lines about work that goes on, on standard error: one line rewritten on a terminal, and plain
 * lines for what shall stay. */
#pragma once

#include "base/macros.h"

struct tw_progress {
    bool terminal; /* standard error is one */
    bool shown;    /* the line on the terminal is not empty */
};

void tw_progress_init(struct tw_progress *progress);
/* Replaces the line; nothing happens when there is no terminal. */
void tw_progress_show(struct tw_progress *progress, const char *fmt, ...) TW_PRINTF(2, 3);
/* A line that stays: "tracewire: text". */
void tw_progress_say(struct tw_progress *progress, const char *fmt, ...) TW_PRINTF(2, 3);
