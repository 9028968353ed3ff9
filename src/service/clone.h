/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CloneSession: a copy of what a session has recorded so far, which belongs to the connection that
 * asked for it, while the original goes on. The data sources are flushed first. Buffers that the
 * clone takes away (transfer_on_clone) are flushed and taken for themselves, so that slow ones do
 * not hold up the copies of the others.
 *
 * A clone is under way until it has its buffers: it hangs on its session, and the connection that
 * waits for it points to it. The one of a session that writes into a file needs a file, too: its
 * writer (file_writer.h) fills that before the call is answered.
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
/* A pass of the session's file writer is over, or there will be no other. */
void tw_clones_pass_over(struct tw_session *session);
/* All of the clone is in its file, or session->error says why not: then it goes. */
void tw_clone_written(struct tw_session *session);
/* The clone leaves its connection: the call that waits for its file is answered, if there is one.
 */
void tw_clone_left(struct tw_session *session);
/* Descriptors of the clone that the connection waits for. */
size_t tw_clone_n_fds(const struct tw_service_conn *conn);
/* The connection goes: nobody waits for its clone. */
void tw_clone_of_conn_end(struct tw_service_conn *conn);

/* Whether the consumer may have a clone of the session, and may know of it. */
bool tw_clone_allowed(const struct tw_service_conn *conn, const struct tw_session *session);
/* Whether the session's i-th buffer goes to the clone, and leaves an empty one behind. */
bool tw_clone_takes_away(const struct tw_session *session, size_t i);
