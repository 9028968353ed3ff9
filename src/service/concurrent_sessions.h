/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a session is told of the others when its config asks for it
 * (enable_concurrent_session_events): in which state they are when it begins, and each that they
 * come to later.
 */
#pragma once

#include "service/core.h"

/* The session comes to that state, and all others that ask for it are told. */
void tw_session_enter(struct tw_session *session, enum tw_session_state state);
/* A new session is told of those that there are. */
void tw_session_meet_others(struct tw_session *session);

/* All that from has not written yet goes into to as well. */
void tw_session_changes_copy(struct tw_session *to, const struct tw_session *from);
void tw_session_changes_forget(struct tw_session *session);
/* Appends each as a packet, the oldest first, and forgets them. -ENOMEM, TW_E_LIMIT. */
TW_MUST_USE int tw_session_change_packets(struct tw_session *session, struct tw_buf *out);
