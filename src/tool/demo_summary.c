/* SPDX-License-Identifier: Apache-2.0 */
#include "tool/demo_summary.h"

#include "tracewire/consumer.h"
#include "wire/reader.h"

/* Field numbers and values (spec/proto/trace.proto, track_event.proto). */
enum {
    PACKET_CLOCK_SNAPSHOT = 6,
    PACKET_TIMESTAMP = 8,
    PACKET_SEQUENCE_ID = 10,
    PACKET_TRACK_EVENT = 11,
    PACKET_TRACE_CONFIG = 33,
    PACKET_TRACE_STATS = 35,
    PACKET_SYNC_MARKER = 36,
    PACKET_DROPPED = 42,
    PACKET_SYSTEM_INFO = 45,
    PACKET_TRACK_DESCRIPTOR = 60,
    PACKET_SERVICE_EVENT = 69,
    PACKET_FIRST_ON_SEQUENCE = 87,
    PACKET_TRACE_UUID = 89,
    PACKET_TRACE_PROVENANCE = 124,
    PACKET_FOR_TESTING = 900,
    EVENT_TYPE = 9,
    EVENT_SLICE_BEGIN = 1,
    EVENT_INSTANT = 3,
    EVENT_COUNTER = 4,
};

struct packet {
    uint32_t data; /* field number of what it is about; 0: nothing counted here */
    uint64_t timestamp, sequence, event_type;
    bool dropped, first;
};

static int read_event_type(struct tw_bytes event, uint64_t *ret_type)
{
    struct tw_reader r = tw_reader_of(event);
    struct tw_field field;
    int rc;

    while (!(rc = tw_read_field(&r, &field)))
        if (field.number == EVENT_TYPE)
            *ret_type = field.value;
    return rc == TW_MORE ? 0 : TW_E_PROTOCOL;
}

static int take_field(const struct tw_field *field, struct packet *packet)
{
    switch (field->number) {
    case PACKET_TIMESTAMP:
        packet->timestamp = field->value;
        break;
    case PACKET_SEQUENCE_ID:
        packet->sequence = field->value;
        break;
    case PACKET_DROPPED:
        packet->dropped = field->value != 0;
        break;
    case PACKET_FIRST_ON_SEQUENCE:
        packet->first = field->value != 0;
        break;
    case PACKET_TRACK_EVENT:
        packet->data = field->number;
        return read_event_type(field->bytes, &packet->event_type);
    case PACKET_CLOCK_SNAPSHOT:
    case PACKET_TRACE_CONFIG:
    case PACKET_TRACE_STATS:
    case PACKET_SYNC_MARKER:
    case PACKET_SYSTEM_INFO:
    case PACKET_TRACK_DESCRIPTOR:
    case PACKET_SERVICE_EVENT:
    case PACKET_TRACE_UUID:
    case PACKET_TRACE_PROVENANCE:
    case PACKET_FOR_TESTING:
        packet->data = field->number;
        break;
    default:
        break;
    }
    return 0;
}

static void count_sequence(struct tw_summary *s, uint64_t id)
{
    for (size_t i = 0; i < s->n_sequences; i++)
        if (s->sequence[i] == id)
            return;
    if (s->n_sequences < TW_SUMMARY_SEQUENCES_MAX)
        s->sequence[s->n_sequences++] = (uint32_t)id;
}

static void count_time(struct tw_summary *s, uint64_t timestamp)
{
    if (!timestamp)
        return;
    if (!s->first_ns || timestamp < s->first_ns)
        s->first_ns = timestamp;
    if (timestamp > s->last_ns)
        s->last_ns = timestamp;
}

static void count_data(struct tw_summary *s, const struct packet *packet)
{
    switch (packet->data) {
    case PACKET_TRACK_EVENT:
        s->track_events++;
        s->slices += packet->event_type == EVENT_SLICE_BEGIN;
        s->instants += packet->event_type == EVENT_INSTANT;
        s->counters += packet->event_type == EVENT_COUNTER;
        break; /* its timestamp is a delta */
    case PACKET_FOR_TESTING:
        s->test_packets++;
        count_time(s, packet->timestamp);
        break;
    case PACKET_TRACK_DESCRIPTOR:
        s->descriptors++;
        break;
    case 0:
        break;
    default: /* a producer that has the service's own kinds may have them counted there */
        s->by_service++;
        break;
    }
}

static int count(struct tw_summary *s, struct tw_bytes bytes)
{
    struct tw_reader r = tw_reader_of(bytes);
    struct packet packet = {0};
    struct tw_field field;
    int rc;

    while (!(rc = tw_read_field(&r, &field)))
        if (take_field(&field, &packet))
            return TW_E_PROTOCOL;
    if (rc != TW_MORE)
        return TW_E_PROTOCOL;
    s->packets++;
    s->bytes += bytes.n;
    s->gaps += packet.dropped && !packet.first;
    if (packet.sequence)
        count_sequence(s, packet.sequence);
    count_data(s, &packet);
    return 0;
}

int tw_summary_read(const char *path, struct tw_summary *ret_summary)
{
    struct tw_summary summary = {0};
    struct tw_trace_reader *reader;
    struct tw_trace_packet packet;
    int rc = tw_trace_reader_open(path, &reader);

    if (rc)
        return rc;
    while (!(rc = tw_trace_reader_next(reader, &packet)))
        if ((rc = count(&summary, packet.packet)))
            break;
    tw_trace_reader_free(reader);
    if (rc != TW_MORE)
        return rc;
    *ret_summary = summary;
    return 0;
}
