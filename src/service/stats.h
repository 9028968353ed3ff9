/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "service/core.h"
#include "trace_stats.pb-c.h"

/* The session's stats as they are now, in the arena; NULL when that is full. */
Tw__TraceStats *tw_stats(struct tw_session *session, struct tw_arena *arena);
