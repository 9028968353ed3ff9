/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ReadBuffers stream: packets of a session in frames under the limit. A packet too large for a
 * frame goes in slices over several; no more is queued than the consumer takes.
 */
#pragma once

#include "service/core.h"

void tw_reading_init(struct tw_reading *reading);
void tw_reading_deinit(struct tw_reading *reading);
/* Starts a stream for conn's session. NULL, or why not: a static text. */
TW_MUST_USE const char *tw_reading_begin(struct tw_service_conn *conn, uint64_t request_id);
/* Sends what fits now; does nothing when no stream is under way. */
void tw_reading_run(struct tw_service_conn *conn);
/* The session goes: a stream under way ends here. */
void tw_reading_cancel(struct tw_service_conn *conn);
