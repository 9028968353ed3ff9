/* SPDX-License-Identifier: Apache-2.0 */
/* Flushes: producers are asked to commit what they hold, and acknowledge or run out of time. */
#pragma once

#include "service/core.h"

/* On behalf of the consumer; reply says where to answer. timeout_ms 0: the config's. */
void tw_flush_for_consumer(struct tw_session *session, uint32_t timeout_ms, uint64_t flags,
                           struct tw_later reply);
/* For the buffers that a clone takes away, or the others. TW_E_REFUSED: there is no flush now, as
 * when the session does not run; else tw_clone_flushed() is called. */
TW_MUST_USE int tw_flush_for_clone(struct tw_clone *clone, bool taken_away, uint64_t flags);
/* The clone goes; its flushes go on. */
void tw_flushes_forget_clone(struct tw_clone *clone);
void tw_flush_periodic(struct tw_session *session);
/* Before what there is is written into the session's file. */
void tw_flush_and_write(struct tw_session *session);
/* The last flush; then the session stops. */
void tw_flush_and_stop(struct tw_session *session);
/* A scrape has ended: those that waited for it are over. None of them ends the session. */
void tw_flushes_scraped(struct tw_session *session);
/* The same for the last flush, which may free the session. */
void tw_flush_last_scraped(struct tw_session *session);
/* A producer has done every flush up to this one. */
void tw_flush_acknowledged(struct tw_service *service, uint16_t producer_id, uint64_t flush_id);
/* Its consumer goes: calls that wait are refused, the flushes go on. */
void tw_flushes_refuse(struct tw_session *session);
/* The session goes, after its consumer. */
void tw_flushes_free(struct tw_session *session);
