/* SPDX-License-Identifier: Apache-2.0 */
/* What an event has besides category and name: its track, arguments, flows. */
#include <string.h>

#include "base/bytes.h"
#include "base/req.h"
#include "producer/track_event.h"

/* Field numbers of TrackEvent and DebugAnnotation. */
enum {
    EVENT_DEBUG_ANNOTATIONS = 4,
    EVENT_FLOW_IDS = 47,
    EVENT_TERMINATING_FLOW_IDS = 48,
    ANNOTATION_NAME_IID = 1,
    ANNOTATION_BOOL = 2,
    ANNOTATION_UINT = 3,
    ANNOTATION_INT = 4,
    ANNOTATION_DOUBLE = 5,
    ANNOTATION_STRING = 6,
    ANNOTATION_POINTER = 7,
    ANNOTATION_NAME = 10,
};

/* ---- tracks ---- */

uint64_t tw_track_uuid(const struct tw_event_sequence *ev, const char *name, uint64_t id)
{
    REQ("TW-EVT-033");
    uint64_t hash = tw_mix(ev->process_uuid ^ id);

    /* By its text: threads that have the same track share it. */
    for (; *name; name++)
        hash = tw_mix(hash ^ (uint8_t)*name);
    return hash ? hash : 1; /* 0 is the trace's own */
}

bool tw_track_is_known(struct tw_event_sequence *ev, uint64_t uuid)
{
    uint64_t *known = &ev->tracks[uuid % TW_TRACKS_KNOWN];
    bool is_known = *known == uuid;

    *known = uuid;
    return is_known;
}

static int describe_track(struct tw_event_sequence *ev, const struct tw_track *track, uint64_t uuid)
{
    REQ("TW-EVT-032");
    struct tw_trace_writer *w = ev->writer;

    tw_sequence_begin_packet(ev);
    tw_writer_nest(w, TW_PACKET_TRACK_DESCRIPTOR);
    tw_writer_u64(w, TW_TRACK_UUID, uuid);
    tw_writer_u64(w, TW_TRACK_PARENT_UUID, ev->process_uuid);
    tw_writer_str(w, TW_TRACK_NAME, track->name);
    tw_writer_unnest(w);
    return tw_writer_end(w);
}

int tw_extras_track(struct tw_event_sequence *ev, const struct tw_extra *extras, size_t n,
                    uint64_t *ret_uuid)
{
    const struct tw_track *track = NULL;
    uint64_t uuid = 0;
    int r = 0;

    for (size_t i = 0; i < n; i++)
        if (extras[i].kind == TW_EXTRA_TRACK)
            track = extras[i].track;
    if (track) {
        uuid = tw_track_uuid(ev, track->name, track->id);
        r = tw_track_is_known(ev, uuid) ? 0 : describe_track(ev, track, uuid);
    }
    if (!r)
        *ret_uuid = uuid;
    return r;
}

const char *tw_extras_name(const struct tw_extra *extras, size_t n)
{
    const char *name = NULL;

    for (size_t i = 0; i < n; i++)
        if (extras[i].kind == TW_EXTRA_NAME)
            name = extras[i].text;
    return name;
}

/* ---- arguments and flows ---- */

static bool is_argument(const struct tw_extra *extra)
{
    return extra->kind <= TW_EXTRA_POINTER;
}

static void put_value(struct tw_trace_writer *w, const struct tw_extra *extra)
{
    switch (extra->kind) {
    case TW_EXTRA_BOOL:
        tw_writer_bool(w, ANNOTATION_BOOL, extra->number != 0);
        break;
    case TW_EXTRA_UINT:
        tw_writer_u64(w, ANNOTATION_UINT, extra->number);
        break;
    case TW_EXTRA_INT:
        tw_writer_u64(w, ANNOTATION_INT, extra->number);
        break;
    case TW_EXTRA_DOUBLE:
        tw_writer_double(w, ANNOTATION_DOUBLE, extra->real);
        break;
    case TW_EXTRA_POINTER:
        tw_writer_u64(w, ANNOTATION_POINTER, extra->number);
        break;
    default:
        tw_writer_str(w, ANNOTATION_STRING, extra->text);
        break;
    }
}

static void put_argument(struct tw_event_sequence *ev, const struct tw_extra *extra)
{
    REQ("TW-EVT-042");
    tw_writer_nest(ev->writer, EVENT_DEBUG_ANNOTATIONS);
    tw_put_string(ev->writer, &ev->annotation_names, ANNOTATION_NAME_IID, ANNOTATION_NAME,
                  tw_bytes_of_str(extra->name));
    put_value(ev->writer, extra);
    tw_writer_unnest(ev->writer);
}

void tw_extras_tell(struct tw_event_sequence *ev, const struct tw_extra *extras, size_t n,
                    bool *open)
{
    for (size_t i = 0; i < n; i++)
        if (is_argument(&extras[i]) && !ev->without_annotations)
            tw_tell_of(ev->writer, &ev->annotation_names, TW_INTERNED_ANNOTATION_NAMES,
                       tw_bytes_of_str(extras[i].name), open);
}

void tw_extras_put(struct tw_event_sequence *ev, const struct tw_extra *extras, size_t n)
{
    REQ("TW-EVT-041");
    REQ("TW-EVT-043");
    for (size_t i = 0; i < n; i++) {
        const struct tw_extra *extra = &extras[i];

        /* A flow is the process's: others use the same small numbers. */
        if (extra->kind == TW_EXTRA_FLOW)
            tw_writer_fixed64(ev->writer, EVENT_FLOW_IDS, ev->process_uuid ^ extra->number);
        else if (extra->kind == TW_EXTRA_FLOW_END)
            tw_writer_fixed64(ev->writer, EVENT_TERMINATING_FLOW_IDS,
                              ev->process_uuid ^ extra->number);
        else if (is_argument(extra) && !ev->without_annotations)
            put_argument(ev, extra);
    }
}
