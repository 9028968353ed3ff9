/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CloneSession: a copy of what a session has recorded so far, which belongs to the connection that
 * asked for it, while the original goes on. The data sources are flushed first. Buffers that the
 * clone takes away (transfer_on_clone) are flushed and taken for themselves, so that slow ones do
 * not hold up the copies of the others.
 *
 * A clone is under way from the call until it is answered: it hangs on its session, and the
 * connection that waits for it points to it.
 */
#pragma once

#include "consumer_port.pb-c.h"
#include "service/core.h"

/* Begins to clone the session that req names; the answer comes later, or now with an error. */
void tw_clone_begin(struct tw_service_conn *conn, const struct tw_host_call *call,
                    const Tw__CloneSessionRequest *req);
/* A flush for the clone has ended: the one of the buffers that it takes away, or of those that it
 * copies. The clone may be gone afterwards. */
void tw_clone_flushed(struct tw_clone *clone, bool taken_away, bool success);
/* The session goes: whoever waits for a clone of it is told. */
void tw_clones_of_session_end(struct tw_session *session);
/* The connection goes: nobody waits for its clone. */
void tw_clone_of_conn_end(struct tw_service_conn *conn);

/* Whether the consumer may have a clone of the session, and may know of it. */
bool tw_clone_allowed(const struct tw_service_conn *conn, const struct tw_session *session);
/* Whether the session's i-th buffer goes to the clone, and leaves an empty one behind. */
bool tw_clone_takes_away(const struct tw_session *session, size_t i);
