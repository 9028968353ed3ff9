/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/service/session_scene.h"

#include "tests/harness.h"

void session_peers(struct session_scene *s)
{
    rig_init(&s->rig);
    s->producer = rig_producer(&s->rig, "p");
    s->consumer = rig_consumer(&s->rig);
    s->config = rig_config(&s->rig, "source");
}

void session_run(struct session_scene *s)
{
    rig_register(s->producer, "source");
    rig_enable(s->consumer, s->config);
    s->buffer = rig_buffer(s->producer);
}

void session_scene(struct session_scene *s)
{
    session_peers(s);
    session_run(s);
}

Tw__TraceStats *session_stats(struct rig_peer *consumer)
{
    Tw__GetTraceStatsResponse *response =
        rig_decode(consumer, rig_call(consumer, TW_CONSUMER_GET_TRACE_STATS, NULL),
                   &tw__get_trace_stats_response__descriptor);

    assert_non_null(response);
    return response->trace_stats;
}
