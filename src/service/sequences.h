/* SPDX-License-Identifier: Apache-2.0 */
/* The ids that sequences have in a session's trace. */
#pragma once

#include "service/core.h"

/* The service's own packets. */
enum { TW_SERVICE_SEQUENCE_ID = 1 };

struct tw_sequence {
    uint64_t key; /* tw_writer_key_number() */
    uint32_t id;
    uint32_t untold; /* enum tw_loss: what is to be told with its next packet */
};

/* The same for the same writer throughout the session; NULL when memory is short or
 * the session has TW_SEQUENCES_MAX of them. */
struct tw_sequence *tw_sequence(struct tw_session *session, struct tw_writer_key key);
void tw_sequences_free(struct tw_session *session);
