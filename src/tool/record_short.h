/* SPDX-License-Identifier: Apache-2.0 */
/* The short form of a trace config: what -t, -b, -s, -a and names on the command line mean. */
#pragma once

#include "base/bytes.h"
#include "wire/writer.h"

/* What to trace, as upstream's command line has it: events of ftrace (a name with a slash),
 * categories of atrace and, ours alone, of track events. */
struct tw_record_short_form {
    uint64_t duration_ms, buffer_kb, file_kb; /* all fit 32 bits; the last 0: no file */
    char *const *categories;
    size_t n_categories;
    const char *const *apps; /* of Android */
    size_t n_apps;
};

/* Writes a TraceConfig: w tells whether it fitted. */
void tw_record_short_put(struct tw_writer *w, const struct tw_record_short_form *form);
