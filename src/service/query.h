/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "service/core.h"

/* Answers QueryServiceState with as many parts as it takes. */
void tw_query_state(struct tw_service_conn *conn, uint64_t request_id, bool sessions_only);
void tw_query_capabilities(struct tw_service_conn *conn, uint64_t request_id);
