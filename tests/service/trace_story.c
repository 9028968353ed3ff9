/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/service/trace_story.h"

#include <stdio.h>

#include "tests/harness.h"

static const char *name_of(const Tw__TracePacket *packet)
{
    unsigned field = packet->data_case;
    const ProtobufCMessageDescriptor *d = &tw__trace_packet__descriptor;

    if (packet->data_case == TW__TRACE_PACKET__DATA_SERVICE_EVENT) {
        d = &tw__tracing_service_event__descriptor;
        field = packet->service_event->event_type_case;
    }
    return protobuf_c_message_descriptor_get_field(d, field)->name;
}

const char *trace_story(const struct rig_trace *trace)
{
    static char text[4096];
    uint64_t ns = 0;
    size_t n = 0;

    assert_true(trace->whole);
    text[0] = 0;
    for (size_t i = 0; i < trace->n; i++) {
        const Tw__TracePacket *packet = trace->decoded[i];

        if (packet->data_case == TW__TRACE_PACKET__DATA_SERVICE_EVENT) {
            assert_true(packet->timestamp >= ns);
            ns = packet->timestamp;
        }
        if (i == 0 || packet->data_case != TW__TRACE_PACKET__DATA_CLOCK_SNAPSHOT ||
            trace->decoded[i - 1]->data_case != TW__TRACE_PACKET__DATA_CLOCK_SNAPSHOT)
            n +=
                (size_t)snprintf(text + n, sizeof(text) - n, "%s%s", n ? " " : "", name_of(packet));
        assert_true(n < sizeof(text));
    }
    return text;
}

Tw__TracePacket *trace_event(const struct rig_trace *trace,
                             Tw__TracingServiceEvent__EventTypeCase kind)
{
    Tw__TracePacket *packet;

    for (size_t i = 0; (packet = rig_kind(trace, TW__TRACE_PACKET__DATA_SERVICE_EVENT, i)); i++)
        if (packet->service_event->event_type_case == kind)
            return packet;
    return NULL;
}

const char *trace_slow_ones(const struct rig_trace *trace,
                            Tw__TracingServiceEvent__EventTypeCase kind)
{
    static char text[4096];
    const Tw__TracePacket *packet = trace_event(trace, kind);
    const Tw__TracingServiceEvent__DataSources *list;
    size_t n = 0;

    if (!packet)
        return NULL;
    list = packet->service_event->slow_starting_data_sources; /* both kinds are one pointer */
    text[0] = 0;
    for (size_t i = 0; i < list->n_data_source; i++)
        n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%s/%s", n ? " " : "",
                              list->data_source[i]->producer_name,
                              list->data_source[i]->data_source_name);
    assert_true(n < sizeof(text));
    return text;
}
