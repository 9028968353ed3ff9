/* SPDX-License-Identifier: Apache-2.0 */
/* `tracewire produce` at work. */
#pragma once

#include "tracewire/common.h"

struct tw_produce_options {
    const char *socket, *name;
    uint64_t rate;        /* a second and thread; 0: as fast as it goes */
    uint64_t count;       /* a thread; 0: no end */
    uint64_t threads;     /* a data source */
    uint64_t payload;     /* bytes */
    uint64_t duration_ms; /* 0: no end */
    bool stall;
};

/* Runs until it is done or told to end, and prints what was written. Returns the exit status. */
int tw_produce_run(const struct tw_produce_options *options);
