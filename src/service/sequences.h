/* SPDX-License-Identifier: Apache-2.0 */
/* The ids that sequences have in a session's trace. */
#pragma once

#include "service/core.h"

/* The service's own packets. */
enum { TW_SERVICE_SEQUENCE_ID = 1 };

/* The same for the same producer and writer throughout the session; 0 when memory is short. */
uint32_t tw_sequence_id(struct tw_session *session, struct tw_writer_key key);
void tw_sequences_free(struct tw_session *session);
