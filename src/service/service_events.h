/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What happened to a session, as its trace tells it: it started, was flushed, was read, ended, and
 * which data sources were slow. Events are remembered until they are read.
 */
#pragma once

#include "service/core.h"

/* Remembers that something happened now. */
void tw_event(struct tw_session *session, enum tw_lifecycle kind);
/* The same at that time of CLOCK_BOOTTIME, and with what else the event says. */
void tw_event_with(struct tw_session *session, struct tw_lifecycle_event event);

/* The data sources that an event names, as many as may be. */
struct tw_slow_sources {
    struct tw_buf list;
    size_t n;
};

struct tw_slow_sources tw_slow_sources(void);
void tw_slow_sources_add(struct tw_slow_sources *slow, const struct tw_instance *instance);
/* Remembers that they were slow, and takes the list. */
void tw_event_slow(struct tw_session *session, enum tw_lifecycle kind,
                   struct tw_slow_sources *slow);

/* All that from has not written yet goes into to as well. */
void tw_events_copy(struct tw_session *to, const struct tw_session *from);
void tw_events_forget(struct tw_session *session);
/* Those of one kind, which something newer makes meaningless. */
void tw_events_forget_kind(struct tw_session *session, enum tw_lifecycle kind);
/* Appends each as a packet, the oldest first, and forgets them. -ENOMEM, TW_E_LIMIT. */
TW_MUST_USE int tw_event_packets(struct tw_session *session, struct tw_buf *out);
