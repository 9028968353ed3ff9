/* SPDX-License-Identifier: Apache-2.0 */
/* What a trace that was read tells, in words. Texts are valid until the next call. */
#pragma once

#include "tests/service/rig.h"

/* The names of all packets, those of events instead of service_event, and several clock snapshots
 * as one; and nothing may be out of the order of time among the events. */
const char *trace_story(const struct rig_trace *trace);
/* The first event of that kind; NULL when there is none. */
Tw__TracePacket *trace_event(const struct rig_trace *trace,
                             Tw__TracingServiceEvent__EventTypeCase kind);
/* "producer/source producer/source", of an event that lists data sources; NULL without one. */
const char *trace_slow_ones(const struct rig_trace *trace,
                            Tw__TracingServiceEvent__EventTypeCase kind);
