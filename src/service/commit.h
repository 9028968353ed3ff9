/* SPDX-License-Identifier: Apache-2.0 */
/* CommitData: chunks that a producer has finished, and patches for earlier ones. */
#pragma once

#include "service/core.h"

/* The whole request, where it lies. False when it is malformed: nothing was done then. */
bool tw_commit(struct tw_producer *producer, struct tw_bytes request);

/*
 * Copies one chunk into a trace buffer, if the producer and the writer may write there
 * (TW-PROD-020, TW-PROD-021); else it counts as discarded. payload may be shared memory.
 */
void tw_commit_chunk(struct tw_producer *producer, uint32_t buffer_id,
                     const struct tw_chunk_header *header, bool complete,
                     struct tw_shared_bytes payload);
