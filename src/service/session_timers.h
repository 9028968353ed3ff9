/* SPDX-License-Identifier: Apache-2.0 */
/* What a session does by the clock: its end, snapshots, flushes, clearing of incremental state. */
#pragma once

#include "service/core.h"

void tw_session_timers_init(struct tw_session *session);
/* Those that the config wants, when the session starts. */
void tw_session_timers_start(struct tw_session *session);
void tw_session_timers_clear(struct tw_session *session);
/* In session.c: data sources did not say in time that they stopped. */
void tw_session_stop_timed_out(struct tw_session *session);
