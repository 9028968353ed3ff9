/* SPDX-License-Identifier: Apache-2.0 */
/* The trace config of `tracewire record`: from a file, or made from the short form. */
#pragma once

#include "base/bytes.h"
#include "tool/record_short.h"

/* What the caller has to know of a config; the service gets it as it is. */
struct tw_record_config {
    struct tw_buf encoded; /* a TraceConfig */
    uint64_t duration_ms;  /* 0: until stopped */
    uint64_t patience_ms;  /* how much longer the service may take to flush and stop */
    uint32_t delay_min_ms, delay_max_ms; /* wait so long before it starts */
    bool waits_for_trigger;
    bool fires_triggers;    /* and is not for tracing */
    bool clones_on_trigger; /* wants somebody to do that */
    bool into_file;         /* the service writes the file */
    bool names_file;        /* and makes it, too */
    bool deferred_start;
};

/* Bytes that a text may have for its error: a path, a place and why. */
enum { TW_RECORD_WHY_MAX = 512 };

/*
 * Reads a config, binary or in text format, from a file or from standard input ("-"). Positive or
 * negative when it cannot be used: then ret_why says so in one line.
 */
TW_MUST_USE int tw_record_config_read(const char *path, bool text, struct tw_record_config *ret,
                                      char ret_why[TW_RECORD_WHY_MAX]);
TW_MUST_USE int tw_record_config_make(const struct tw_record_short_form *form,
                                      struct tw_record_config *ret,
                                      char ret_why[TW_RECORD_WHY_MAX]);
/* Adds "KEY" or "KEY=VALUE" to what the trace says of itself. TW_E_INVALID without a key. */
TW_MUST_USE int tw_record_config_attribute(struct tw_record_config *config, const char *text);
/* NULL is fine. */
void tw_record_config_deinit(struct tw_record_config *config);
