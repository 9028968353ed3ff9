/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a peer owes the service, and until when: first to say who it is, then the rest of every
 * frame that it began. Who owes nothing may be silent for ever. TW-LIM-068
 */
#pragma once

#include "base/timers.h"

struct tw_service_conn;

struct tw_deadline {
    struct tw_timer timer; /* set while something is owed */
    uint64_t frame;        /* place in the stream of the frame that is */
};

/* The connection is new. -ENOMEM. */
TW_MUST_USE int tw_deadline_begin(struct tw_service_conn *conn);
/* What does the peer owe now? idle: all that came has been worked on, it is the peer's turn. */
void tw_deadline_look(struct tw_service_conn *conn, bool idle);
void tw_deadline_end(struct tw_service_conn *conn);
