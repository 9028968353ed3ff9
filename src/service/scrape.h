/* SPDX-License-Identifier: Apache-2.0 */
/* Taking chunks that a producer has not committed out of its shared memory (TW-SHM-020). */
#pragma once

#include "service/core.h"

/* Copies what the producer's registered writers have finished in chunks for this session's buffers.
 * The chunks stay the producer's: it commits them later as if nothing had happened. */
void tw_scrape(struct tw_session *session, struct tw_producer *producer);
