/* SPDX-License-Identifier: Apache-2.0 */
/* What an event has besides category and name: arguments, flows, and what says where and when. */
#include "base/bytes.h"
#include "base/req.h"
#include "producer/track_event.h"

/* Field numbers of TrackEvent and DebugAnnotation. */
enum {
    EVENT_DEBUG_ANNOTATIONS = 4,
    EVENT_FLOW_IDS = 47,
    EVENT_TERMINATING_FLOW_IDS = 48,
    ANNOTATION_NAME_IID = 1,
    ANNOTATION_NAME = 10,
    ANNOTATION_DICT_ENTRIES = 11,
    ANNOTATION_ARRAY_VALUES = 12,
};

struct tw_event_said tw_extras_said(const struct tw_event *event)
{
    struct tw_event_said said = {0};

    for (size_t i = 0; i < event->n_extras; i++) {
        const struct tw_extra *extra = &event->extras[i];

        if (extra->kind == TW_EXTRA_TRACK)
            said.track = extra->p;
        else if (extra->kind == TW_EXTRA_NAME)
            said.name = extra->p;
        else if (extra->kind == TW_EXTRA_CATEGORY)
            said.category = extra->p;
        else if (extra->kind == TW_EXTRA_TIME)
            said.at = extra;
        else if (extra->kind == TW_EXTRA_COUNT || extra->kind == TW_EXTRA_REAL)
            said.value = extra;
    }
    return said;
}

static bool is_argument(const struct tw_extra *extra)
{
    return extra->kind <= TW_EXTRA_ARRAY;
}

static bool has_members(const struct tw_extra *extra)
{
    return extra->kind == TW_EXTRA_DICT || extra->kind == TW_EXTRA_ARRAY;
}

/* ---- names of arguments ---- */

/* depth bounds the recursion: what is deeper cannot be written anyway. */
static void tell_names(struct tw_event_sequence *ev, const struct tw_extra *extras, size_t n,
                       uint32_t depth, bool *open)
{
    for (size_t i = 0; i < n && depth < TW_NEST_MAX; i++) {
        const struct tw_extra *extra = &extras[i];

        if (!is_argument(extra))
            continue;
        if (extra->name)
            tw_tell_of(ev->writer, &ev->annotation_names, TW_INTERNED_ANNOTATION_NAMES,
                       tw_bytes_of_str(extra->name), open);
        if (has_members(extra))
            tell_names(ev, extra->p, (size_t)extra->number, depth + 1, open);
    }
}

void tw_extras_tell(struct tw_event_sequence *ev, const struct tw_event *event, bool *open)
{
    if (!ev->config.without_annotations)
        tell_names(ev, event->extras, event->n_extras, 0, open);
}

/* ---- arguments and flows ---- */

/* By kind: the field of DebugAnnotation. */
static const uint8_t value_field[] = {
    [TW_EXTRA_BOOL] = 2,   [TW_EXTRA_UINT] = 3, [TW_EXTRA_INT] = 4,
    [TW_EXTRA_DOUBLE] = 5, [TW_EXTRA_STR] = 6,  [TW_EXTRA_POINTER] = 7,
};

static void put_arguments(struct tw_event_sequence *ev, uint32_t field,
                          const struct tw_extra *extras, size_t n);

static void put_value(struct tw_event_sequence *ev, const struct tw_extra *extra)
{
    struct tw_trace_writer *w = ev->writer;

    switch (extra->kind) {
    case TW_EXTRA_DICT:
        put_arguments(ev, ANNOTATION_DICT_ENTRIES, extra->p, (size_t)extra->number);
        break;
    case TW_EXTRA_ARRAY:
        put_arguments(ev, ANNOTATION_ARRAY_VALUES, extra->p, (size_t)extra->number);
        break;
    case TW_EXTRA_STR:
        tw_writer_str(w, value_field[extra->kind], extra->p ? extra->p : "");
        break;
    case TW_EXTRA_DOUBLE:
        tw_writer_fixed64(w, value_field[extra->kind], extra->number);
        break;
    default:
        tw_writer_u64(w, value_field[extra->kind], extra->number);
        break;
    }
}

/* The recursion ends: nested deeper than TW_NEST_MAX the packet is given up, and nothing is nested
 * any more. */
static void put_arguments(struct tw_event_sequence *ev, uint32_t field,
                          const struct tw_extra *extras, size_t n)
{
    REQ("TW-EVT-042");
    REQ("TW-EVT-058");
    for (size_t i = 0; i < n && ev->writer->state == TW_PACKET_OPEN; i++) {
        if (!is_argument(&extras[i]))
            continue;
        tw_writer_nest(ev->writer, field);
        if (extras[i].name)
            tw_put_string(ev->writer, &ev->annotation_names, ANNOTATION_NAME_IID, ANNOTATION_NAME,
                          tw_bytes_of_str(extras[i].name));
        put_value(ev, &extras[i]);
        tw_writer_unnest(ev->writer);
    }
}

/* Of the process, for others use the same small numbers; or agreed on with them. */
static void put_flows(struct tw_event_sequence *ev, const struct tw_event *event)
{
    REQ("TW-EVT-041");
    REQ("TW-EVT-057");
    for (size_t i = 0; i < event->n_extras; i++) {
        const struct tw_extra *extra = &event->extras[i];
        uint64_t in_process = ev->process->uuid ^ extra->number;

        if (extra->kind == TW_EXTRA_FLOW)
            tw_writer_fixed64(ev->writer, EVENT_FLOW_IDS, in_process);
        else if (extra->kind == TW_EXTRA_FLOW_END)
            tw_writer_fixed64(ev->writer, EVENT_TERMINATING_FLOW_IDS, in_process);
        else if (extra->kind == TW_EXTRA_GLOBAL_FLOW)
            tw_writer_fixed64(ev->writer, EVENT_FLOW_IDS, extra->number);
        else if (extra->kind == TW_EXTRA_GLOBAL_FLOW_END)
            tw_writer_fixed64(ev->writer, EVENT_TERMINATING_FLOW_IDS, extra->number);
    }
}

void tw_extras_put(struct tw_event_sequence *ev, const struct tw_event *event)
{
    REQ("TW-EVT-043");
    if (!ev->config.without_annotations)
        put_arguments(ev, EVENT_DEBUG_ANNOTATIONS, event->extras, event->n_extras);
    put_flows(ev, event);
}
