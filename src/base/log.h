/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lines for people, on standard error: "tracewire: text". Libraries never log; the command and the
 * daemon do. A level above the threshold costs one comparison.
 */
#pragma once

#include "base/macros.h"

enum tw_log_level { TW_LOG_ERROR, TW_LOG_WARN, TW_LOG_INFO, TW_LOG_DEBUG };

/* Lines above this level are dropped. INFO at the start. Set before threads start. */
void tw_log_set_level(enum tw_log_level level);
void tw_log(enum tw_log_level level, const char *fmt, ...) TW_PRINTF(2, 3);
