/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lines for people, on standard error: "tracewire: text", or "<N>text" with the level of syslog for
 * the journal. Libraries never log; the command and the daemon do. A level above the threshold
 * costs one comparison. Not thread-safe but for tw_log().
 */
#pragma once

#include "base/macros.h"

enum tw_log_level { TW_LOG_ERROR, TW_LOG_WARN, TW_LOG_INFO, TW_LOG_DEBUG };

/* Lines above this level are dropped. INFO at the start. Set before threads start. */
void tw_log_set_level(enum tw_log_level level);
/* "error", "warn", "info" or "debug"; TW_E_INVALID. */
TW_MUST_USE int tw_log_parse_level(const char *text, enum tw_log_level *ret_level);
/* From now on in the journal's form, if JOURNAL_STREAM says that standard error goes there. */
void tw_log_for_journal(void);
void tw_log(enum tw_log_level level, const char *fmt, ...) TW_PRINTF(2, 3);

/* Lines in a row that peers may cause, and the time after which there may be one more, in
 * milliseconds: enough to see what happens, less than ten megabytes a day. TW-LIM-069, TW-LIM-070
 */
enum {
    TW_LOG_BURST = 60,
    TW_LOG_PERIOD_MS = 1000,
};

struct tw_log_bucket {
    uint64_t full_ns;    /* when there will be room for a whole burst again */
    uint64_t suppressed; /* lines, since the last that was written */
};

/* Whether one more line may be written at now_ns. *ret_suppressed: how many were not, before it. */
bool tw_log_bucket_take(struct tw_log_bucket *bucket, uint64_t now_ns, uint64_t *ret_suppressed);
/* A line that peers can cause as often as they like: written as long as there are not too many of
 * all such lines, else only counted; the count is in the next one that is written. */
void tw_log_peer(enum tw_log_level level, const char *fmt, ...) TW_PRINTF(2, 3);
