/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Triggers (spec/triggers.md): a producer calls out a name, and sessions whose config waits for it
 * start, stop, or have their consumer clone them.
 *
 * A hit is a trigger that a session has received. It is kept until it is written into the trace;
 * with CLONE_SNAPSHOT that is the trace of a clone made after the consumer was told.
 */
#pragma once

#include <sys/queue.h>

#include "base/timers.h"
#include "trace_config.pb-c.h"

struct tw_producer;
struct tw_session;

/* One trigger that somebody called out. */
struct tw_trigger_info {
    char *name, *producer;
    int32_t uid; /* of the producer */
    uint64_t ns; /* CLOCK_BOOTTIME */
    uint64_t delay_ms;
};

struct tw_trigger_hit {
    TAILQ_ENTRY(tw_trigger_hit) next;
    struct tw_session *session;
    struct tw_timer tell; /* CLONE_SNAPSHOT: when the consumer is told */
    struct tw_trigger_info info;
};

/* Of one session. */
struct tw_triggers {
    uint64_t *name_hashes; /* of the config's triggers, in its order; in the session's arena */
    bool hit;              /* one was received, ever */
    TAILQ_HEAD(, tw_trigger_hit) hits;
    size_t n_hits;
};

void tw_trigger_info_deinit(struct tw_trigger_info *info);

/* What triggers do to the session, with use_clone_snapshot_if_available applied. */
Tw__TraceConfig__TriggerConfig__TriggerMode tw_triggers_mode(const Tw__TraceConfig *config);

/* For a session with an arena and a checked config. -ENOMEM. */
TW_MUST_USE int tw_triggers_init(struct tw_session *session);
/* Forgets what was received, because the trace has it or the session goes. */
void tw_triggers_forget(struct tw_session *session);
/* What was received goes to a clone, but for what the consumer has still to be told of. */
void tw_triggers_move(struct tw_session *from, struct tw_session *to);
/* How long the session runs from its start when no trigger says otherwise, 0: no limit. */
uint32_t tw_triggers_duration_ms(const struct tw_session *session);
/* Whether a trigger has said when it ends. */
bool tw_triggers_set_end(const struct tw_session *session);
/* Arms the time-out of a session that has to wait for its start; false: it has not to. */
bool tw_triggers_wait(struct tw_session *session);
/* Whether the trace is to be read at all: not before the first trigger, and with CLONE_SNAPSHOT
 * only from the clones. */
bool tw_triggers_hide_trace(const struct tw_session *session);

/* A producer calls out a name: to every session that waits for it. */
void tw_trigger_activate(struct tw_producer *producer, const char *name);
