/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One session of `tracewire record`, from the connection to the trace file: bind, trace until the
 * service or a signal ends it, read the buffers, free them. Blocks; runs its own event loop.
 */
#pragma once

#include "tool/record_config.h"

struct tw_record_options {
    const char *socket;
    const char *out; /* "-": standard output; NULL: the config names the file */
    bool verbose;
};

/* Returns the exit status; what went wrong has been said on standard error. */
TW_MUST_USE int tw_record_session(const struct tw_record_options *options,
                                  const struct tw_record_config *config);
