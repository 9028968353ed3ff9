/* SPDX-License-Identifier: Apache-2.0 */
/* All clocks of the machine at one moment, which is what converts timestamps between them. */
#pragma once

#include "service/core.h"

/* The clocks as they are now, and the BuiltinClock that the ith of them is. */
void tw_read_clocks(struct tw_service *service, struct tw_clock_snapshot *ret_snapshot);
uint32_t tw_clock_id(size_t i);

/* Remembers the clocks as they are now, to be written with the next read. */
void tw_snapshot_clocks(struct tw_session *session);
/* Appends the snapshots remembered, each as a packet, and forgets them. -ENOMEM, TW_E_LIMIT. */
TW_MUST_USE int tw_clock_packets(struct tw_session *session, struct tw_buf *out);
