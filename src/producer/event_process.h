/* SPDX-License-Identifier: Apache-2.0 */
/* What the process that writes track events is, found out once. */
#pragma once

#include "tracewire/common.h"

/* Bytes of the command line that go into a trace; what is longer is cut. TW-LIM-221 */
enum { TW_CMDLINE_MAX = 1024 };

struct tw_event_process {
    uint64_t uuid; /* of its track; not 0 */
    int32_t pid;
    char cmdline[TW_CMDLINE_MAX]; /* arguments with a NUL between them */
    size_t cmdline_n;             /* 0: not known */
};

void tw_event_process_read(struct tw_event_process *ret_process);
