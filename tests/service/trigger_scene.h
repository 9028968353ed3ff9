/* SPDX-License-Identifier: Apache-2.0 */
/* One session that waits for triggers, and who calls them out. */
#pragma once

#include "tests/service/rig.h"

#define MODE(m)   TW__TRACE_CONFIG__TRIGGER_CONFIG__TRIGGER_MODE__##m
#define STARTS(p) rig_commands(p, TW__GET_ASYNC_COMMAND_RESPONSE__CMD_START_DATA_SOURCE)
#define STOPS(p)  rig_commands(p, TW__GET_ASYNC_COMMAND_RESPONSE__CMD_STOP_DATA_SOURCE)

enum { TIMEOUT_MS = 10000, DELAY_MS = 2000 };

struct trigger_scene {
    struct rig rig;
    struct rig_peer *producer, *caller, *consumer;
    Tw__TraceConfig *config;
    Tw__TraceConfig__TriggerConfig triggers;
    Tw__TraceConfig__TriggerConfig__Trigger list[2];
    Tw__TraceConfig__TriggerConfig__Trigger *pointers[2];
    uint64_t enabled;
};

/* A config that waits for the triggers "go" and "too". Freed with rig_free(). */
void trigger_scene(struct trigger_scene *s, Tw__TraceConfig__TriggerConfig__TriggerMode mode);
/* ActivateTriggers; what it was answered with, NULL when it was not. */
const struct rig_reply *trigger_call(struct rig_peer *producer, const char *const *names, size_t n);
/* One name, which is acknowledged. */
void trigger_once(struct trigger_scene *s, const char *name);
