/* SPDX-License-Identifier: Apache-2.0 */
/* A producer, a consumer and one session, in which the producer has one data source. */
#pragma once

#include "tests/service/rig.h"

struct session_scene {
    struct rig rig;
    struct rig_peer *producer, *consumer;
    Tw__TraceConfig *config; /* wants the data source "source" */
    uint16_t buffer;
};

/* There is no data source yet, and no session. */
void session_peers(struct session_scene *s);
/* With both. */
void session_run(struct session_scene *s);
void session_scene(struct session_scene *s);
Tw__TraceStats *session_stats(struct rig_peer *consumer);
