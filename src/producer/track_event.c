/* SPDX-License-Identifier: Apache-2.0 */
#include "producer/track_event.h"

#include "base/bytes.h"
#include "base/req.h"
#include "producer/category_rules.h"

/* Field numbers of TrackEvent, and values. */
enum {
    EVENT_CATEGORY_IIDS = 3,
    EVENT_TYPE = 9,
    EVENT_NAME_IID = 10,
    EVENT_TRACK_UUID = 11,
    EVENT_CATEGORIES = 22,
    EVENT_NAME = 23,
    EVENT_COUNTER_VALUE = 30,
    TRACK_COUNTER = 8,
    TYPE_COUNTER = 4,
};

/* In place of the id of a track, so that a counter is no track of its name. */
#define COUNTER_ID UINT64_MAX

/* What stands for a name that the session does not want to see. */
#define FILTERED "FILTERED"

/* ---- strings ---- */

void tw_tell_of(struct tw_trace_writer *w, struct tw_intern_table *table, uint32_t field,
                struct tw_bytes text, bool *open)
{
    bool is_new;
    uint32_t iid = tw_intern(table, text.p, &is_new);

    if (!is_new || iid == 0)
        return;
    if (!*open)
        tw_writer_nest(w, TW_PACKET_INTERNED_DATA);
    *open = true;
    tw_writer_nest(w, field);
    tw_writer_u64(w, 1 /* iid */, iid);
    tw_writer_bytes(w, 2 /* name */, text);
    tw_writer_unnest(w);
}

void tw_put_string(struct tw_trace_writer *w, struct tw_intern_table *table, uint32_t iid_field,
                   uint32_t text_field, struct tw_bytes text)
{
    bool is_new;
    uint32_t iid = tw_intern(table, text.p, &is_new);

    if (iid)
        tw_writer_u64(w, iid_field, iid);
    else
        tw_writer_bytes(w, text_field, text);
}

/* An event, and the name that it is written with. */
struct event {
    enum tw_event_type type;
    const char *category, *name; /* NULL: none */
    const char *dynamic_name;    /* NULL: it is static */
    const struct tw_extra *extras;
    size_t n_extras;
};

static bool is_named(const struct event *event)
{
    return event->name || event->dynamic_name;
}

static void tell_of_strings(struct tw_event_sequence *ev, const struct event *event)
{
    struct tw_bytes rest = tw_bytes_of_str(is_named(event) ? event->category : ""), part;
    bool open = false;

    while (tw_next_part(&rest, &part))
        tw_tell_of(ev->writer, &ev->categories, TW_INTERNED_CATEGORIES, part, &open);
    if (event->name && !event->dynamic_name)
        tw_tell_of(ev->writer, &ev->names, TW_INTERNED_NAMES, tw_bytes_of_str(event->name), &open);
    tw_extras_tell(ev, event->extras, event->n_extras, &open);
    if (open)
        tw_writer_unnest(ev->writer);
}

static void put_name(struct tw_event_sequence *ev, const struct event *event)
{
    REQ("TW-EVT-043");
    if (!event->dynamic_name)
        tw_put_string(ev->writer, &ev->names, EVENT_NAME_IID, EVENT_NAME,
                      tw_bytes_of_str(event->name));
    else
        tw_writer_str(ev->writer, EVENT_NAME,
                      ev->without_dynamic_names ? FILTERED : event->dynamic_name);
}

static void put_strings(struct tw_event_sequence *ev, const struct event *event)
{
    REQ("TW-EVT-004");
    struct tw_bytes rest = tw_bytes_of_str(event->category), part;

    while (tw_next_part(&rest, &part))
        tw_put_string(ev->writer, &ev->categories, EVENT_CATEGORY_IIDS, EVENT_CATEGORIES, part);
    put_name(ev, event);
}

/* ---- slices and instants ---- */

/* In the packet that is open. */
static int write_on(struct tw_event_sequence *ev, const struct event *event, uint64_t track)
{
    struct tw_trace_writer *w = ev->writer;

    tell_of_strings(ev, event);
    tw_writer_nest(w, TW_PACKET_TRACK_EVENT);
    tw_writer_u64(w, EVENT_TYPE, event->type);
    if (is_named(event))
        put_strings(ev, event);
    if (track)
        tw_writer_u64(w, EVENT_TRACK_UUID, track);
    tw_extras_put(ev, event->extras, event->n_extras);
    tw_writer_unnest(w);
    return tw_writer_end(w);
}

int tw_track_event(struct tw_event_sequence *ev, enum tw_event_type type, const char *category,
                   const char *name, const struct tw_extra *extras, size_t n_extras)
{
    struct event event = {type, category, name, tw_extras_name(extras, n_extras), extras, n_extras};
    int r = tw_sequence_ensure_state(ev);
    uint64_t track;

    if (!r)
        r = tw_extras_track(ev, extras, n_extras, &track);
    if (r)
        return r;
    tw_sequence_begin_packet(ev);
    return write_on(ev, &event, track);
}

int tw_track_signal_instant(struct tw_event_sequence *ev, const struct tw_signal_instant *instant)
{
    REQ("TW-EVT-050");
    struct event event = {
        .type = TW_EVENT_MOMENT, .category = instant->category->name, .name = instant->name};
    uint64_t track = tw_thread_uuid(ev, instant->tid);
    int r = tw_sequence_ensure_state(ev);

    if (track == ev->thread_uuid)
        track = 0;
    else if (!r && !tw_track_is_known(ev, track))
        r = tw_sequence_describe_thread(ev, instant->tid);
    if (r)
        return r;
    tw_sequence_begin_packet_at(ev, instant->at_ns);
    return write_on(ev, &event, track);
}

/* ---- counters ---- */

static int describe_counter(struct tw_event_sequence *ev, const char *name, uint64_t uuid)
{
    REQ("TW-EVT-032");
    struct tw_trace_writer *w = ev->writer;

    tw_sequence_begin_packet(ev);
    tw_writer_nest(w, TW_PACKET_TRACK_DESCRIPTOR);
    tw_writer_u64(w, TW_TRACK_UUID, uuid);
    tw_writer_u64(w, TW_TRACK_PARENT_UUID, ev->process_uuid);
    tw_writer_str(w, TW_TRACK_NAME, name);
    tw_writer_nest(w, TRACK_COUNTER);
    tw_writer_unnest(w);
    tw_writer_unnest(w);
    return tw_writer_end(w);
}

int tw_track_counter(struct tw_event_sequence *ev, const char *name, int64_t value)
{
    struct tw_trace_writer *w = ev->writer;
    uint64_t uuid = tw_track_uuid(ev, name, COUNTER_ID);
    int r = tw_sequence_ensure_state(ev);

    if (!r && !tw_track_is_known(ev, uuid))
        r = describe_counter(ev, name, uuid);
    if (r)
        return r;
    tw_sequence_begin_packet(ev);
    tw_writer_nest(w, TW_PACKET_TRACK_EVENT);
    tw_writer_u64(w, EVENT_TYPE, TYPE_COUNTER);
    tw_writer_u64(w, EVENT_TRACK_UUID, uuid);
    tw_writer_i64(w, EVENT_COUNTER_VALUE, value);
    tw_writer_unnest(w);
    return tw_writer_end(w);
}
