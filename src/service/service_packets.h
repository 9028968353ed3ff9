/* SPDX-License-Identifier: Apache-2.0 */
/* What the service itself writes into a trace: clocks, uuid, config, system, events, stats. */
#pragma once

#include "service/core.h"

/* The trace's uuid: the config's, or a new random one. */
void tw_service_uuid(struct tw_session *session);

/* The trace's uuid of a clone: its own, but for the lower half, which ties it to the original. */
void tw_service_uuid_of_clone(struct tw_session *session, const struct tw_session *from);

/* All clocks of a snapshot as they are now, and the BuiltinClock that the ith of them is. */
void tw_read_clocks(struct tw_service *service, struct tw_clock_snapshot *ret_snapshot);
uint32_t tw_clock_id(size_t i);

/* Remembers all clocks as they are now, to be written with the next read. */
void tw_snapshot_clocks(struct tw_session *session);
/* Remembers that something happened now. */
void tw_lifecycle_event(struct tw_session *session, enum tw_lifecycle kind);
/* The same, at that time of CLOCK_BOOTTIME. */
void tw_lifecycle_event_at(struct tw_session *session, enum tw_lifecycle kind, uint64_t ns);

/*
 * Appends what belongs before the packets of the buffers, or after the last of them, each as one
 * field of a Trace message. What was remembered is written once. Failures: -ENOMEM, TW_E_LIMIT.
 */
TW_MUST_USE int tw_service_packets_before(struct tw_session *session, struct tw_buf *out);
TW_MUST_USE int tw_service_packets_after(struct tw_session *session, struct tw_buf *out);
