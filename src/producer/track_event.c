/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An event as a packet. Most are a few numbers, once the sequence knows the strings: the time, the
 * category, the name. So these are put together first, and written at once.
 */
#include "producer/track_event.h"

#include "base/bytes.h"
#include "base/req.h"
#include "producer/category_rules.h"
#include "producer/packet_put.h"

/* Field numbers of TrackEvent, and values. */
enum {
    EVENT_CATEGORY_IIDS = 3,
    EVENT_TYPE = 9,
    EVENT_NAME_IID = 10,
    EVENT_TRACK_UUID = 11,
    EVENT_CATEGORIES = 22,
    EVENT_NAME = 23,
    EVENT_COUNTER_VALUE = 30,
    EVENT_DOUBLE_COUNTER_VALUE = 44,
};

/* What stands for a name that the session does not want to see. */
#define FILTERED "FILTERED"

/* ---- strings ---- */

void tw_tell_of(struct tw_trace_writer *w, struct tw_intern_table *table, uint32_t field,
                struct tw_bytes text, bool *open)
{
    uint32_t iid;

    if (tw_interned(table, text.p))
        return;
    iid = tw_intern(table, text.p);
    if (!iid)
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
    uint32_t iid = tw_interned(table, text.p);

    if (iid)
        tw_writer_u64(w, iid_field, iid);
    else
        tw_writer_bytes(w, text_field, text);
}

/* An event, and what it is written with. */
struct writing {
    struct tw_event_sequence *ev;
    const struct tw_event *event;
    struct tw_event_said said;
    const char *category, *name;     /* static, and to be interned; NULL: none */
    uint32_t category_iid, name_iid; /* 0: not one number, or none yet */
    uint64_t track;                  /* 0: the thread's */
};

static void look_up(struct writing *x)
{
    struct tw_event_sequence *ev = x->ev;

    if (x->category && !x->event->category->is_group)
        x->category_iid = tw_interned(&ev->categories, x->category);
    if (x->name)
        x->name_iid = tw_interned(&ev->names, x->name);
}

static bool is_known(const struct writing *x)
{
    return (!x->category || x->category_iid) && (!x->name || x->name_iid) &&
           x->event->n_extras == 0;
}

/* Into interned_data, whatever the sequence has not been told of. */
static void tell_of_strings(struct writing *x)
{
    struct tw_bytes rest = tw_bytes_of_str(x->category ? x->category : ""), part;
    struct tw_event_sequence *ev = x->ev;
    bool open = false;

    while (tw_next_part(&rest, &part))
        tw_tell_of(ev->writer, &ev->categories, TW_INTERNED_CATEGORIES, part, &open);
    if (x->name)
        tw_tell_of(ev->writer, &ev->names, TW_INTERNED_NAMES, tw_bytes_of_str(x->name), &open);
    tw_extras_tell(ev, x->event, &open);
    if (open)
        tw_writer_unnest(ev->writer);
}

static void put_categories(struct writing *x)
{
    REQ("TW-EVT-004");
    struct tw_bytes rest = tw_bytes_of_str(x->category ? x->category : ""), part;
    struct tw_event_sequence *ev = x->ev;

    if (x->said.category)
        tw_writer_str(ev->writer, EVENT_CATEGORIES, x->said.category);
    while (tw_next_part(&rest, &part))
        tw_put_string(ev->writer, &ev->categories, EVENT_CATEGORY_IIDS, EVENT_CATEGORIES, part);
}

static void put_name(struct writing *x)
{
    REQ("TW-EVT-043");
    struct tw_trace_writer *w = x->ev->writer;

    if (x->name)
        tw_writer_str(w, EVENT_NAME, x->name);
    else if (x->said.name)
        tw_writer_str(w, EVENT_NAME, x->ev->config.without_dynamic_names ? FILTERED : x->said.name);
}

/* ---- numbers ---- */

/* Those of an event: type, category, name and track. Their size takes one byte. */
enum { HEAD_MAX = 4 * TW_RAW_FIELD_MAX };

_Static_assert(HEAD_MAX < 0x80, "a varint of one byte");

/* Where the next byte goes; HEAD_MAX at most. */
static uint8_t *put_head(uint8_t *p, const struct writing *x)
{
    p = tw_raw_field(p, EVENT_TYPE, TW_WIRE_VARINT, x->event->type);
    if (x->category_iid)
        p = tw_raw_field(p, EVENT_CATEGORY_IIDS, TW_WIRE_VARINT, x->category_iid);
    if (x->name_iid)
        p = tw_raw_field(p, EVENT_NAME_IID, TW_WIRE_VARINT, x->name_iid);
    if (x->track)
        p = tw_raw_field(p, EVENT_TRACK_UUID, TW_WIRE_VARINT, x->track);
    return p;
}

/* An event that is all numbers, where there is room for it. */
static void write_head(struct writing *x)
{
    struct tw_trace_writer *w = x->ev->writer;
    uint8_t *p = tw_raw_varint(w->p, TW_PACKET_TRACK_EVENT << 3 | TW_WIRE_LEN), *size = p++;

    w->p = put_head(p, x);
    *size = (uint8_t)(w->p - p);
}

static void put_value(struct tw_trace_writer *w, const struct tw_extra *value)
{
    if (value->kind == TW_EXTRA_COUNT)
        tw_writer_u64(w, EVENT_COUNTER_VALUE, value->number);
    else
        tw_writer_fixed64(w, EVENT_DOUBLE_COUNTER_VALUE, value->number);
}

/* Whatever is more than numbers. */
static void write_whole(struct writing *x)
{
    struct tw_trace_writer *w = x->ev->writer;
    uint8_t head[HEAD_MAX];

    tell_of_strings(x);
    look_up(x);
    tw_writer_nest(w, TW_PACKET_TRACK_EVENT);
    tw_trace_writer_put(w, head, (size_t)(put_head(head, x) - head));
    if (!x->category_iid)
        put_categories(x);
    if (!x->name_iid)
        put_name(x);
    if (x->said.value)
        put_value(w, x->said.value);
    tw_extras_put(x->ev, x->event);
    tw_writer_unnest(w);
}

static int write_event(struct writing *x)
{
    struct tw_trace_writer *w = x->ev->writer;

    look_up(x);
    tw_sequence_begin_packet(x->ev, x->said.at);
    if (__builtin_expect(is_known(x) && tw_packet_has_room(w, 2 + HEAD_MAX), 1))
        write_head(x);
    else
        write_whole(x);
    return tw_writer_end(w);
}

/* ---- events ---- */

/* Whether the session wants a category that is known only now. */
static bool is_wanted(const struct tw_event_sequence *ev, const char *category)
{
    REQ("TW-EVT-061");
    return tw_category_is_wanted(&ev->config, tw_bytes_of_str(category), (struct tw_bytes){0});
}

static int read_extras(struct writing *x)
{
    const struct tw_event *event = x->event;
    int r = 0;

    x->said = tw_extras_said(event);
    if (x->said.track)
        r = tw_event_track(x->ev, x->said.track, &x->track);
    if (x->said.name)
        x->name = NULL;
    if (x->said.category)
        x->category = NULL;
    return r;
}

static bool has_category(const struct tw_event *event)
{
    return event->category &&
           (event->type == TW_EVENT_SLICE_BEGIN || event->type == TW_EVENT_MOMENT);
}

int tw_track_event(struct tw_event_sequence *ev, const struct tw_event *event)
{
    struct writing x = {.ev = ev, .event = event, .name = event->name};
    int r = tw_sequence_ensure_state(ev);

    if (has_category(event))
        x.category = event->category->name;
    if (!r && event->n_extras > 0)
        r = read_extras(&x);
    if (r)
        return r;
    return !x.said.category || is_wanted(ev, x.said.category) ? write_event(&x) : TW_E_NOT_FOUND;
}
