/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "service/core.h"

/* Begins to answer QueryServiceState. The connection has no other such stream under way. */
void tw_query_begin(struct tw_service_conn *conn, uint64_t request_id, bool sessions_only);
/* Sends what fits now, in as many parts as it takes; does nothing when no stream is under way. */
void tw_query_run(struct tw_service_conn *conn);
void tw_query_capabilities(struct tw_service_conn *conn, uint64_t request_id);
