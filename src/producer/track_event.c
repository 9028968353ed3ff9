/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An event as a packet. Most are a few numbers, once the sequence knows the strings: the time, the
 * category, the name. So these are written at once, and whatever is more, or not as usual, goes the
 * long way.
 */
#include "producer/track_event.h"

#include "base/bytes.h"
#include "base/clock.h"
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

/* What of an event is a number; 0: none, or none yet. */
struct numbers {
    enum tw_event_type type;
    uint32_t category_iid, name_iid;
    uint64_t track; /* 0: the thread's */
};

/* Numbers of what the sequence has been told of. */
static inline void look_up(struct tw_event_sequence *ev, const struct tw_category *category,
                           const char *name, struct numbers *n)
{
    if (category && !category->is_group)
        n->category_iid = tw_interned(&ev->categories, category->name);
    if (name)
        n->name_iid = tw_interned(&ev->names, name);
}

/* An event that is more than numbers, and what it is written with. */
struct writing {
    struct tw_event_sequence *ev;
    const struct tw_event *event;
    struct tw_event_said said;
    const struct tw_category *category; /* to be interned, or NULL */
    const char *name;                   /* the same */
    struct numbers numbers;
};

static struct tw_bytes categories_of(const struct writing *x)
{
    return tw_bytes_of_str(x->category && x->category->name ? x->category->name : "");
}

/* Into interned_data, whatever the sequence has not been told of. */
static void tell_of_strings(struct writing *x)
{
    struct tw_bytes rest = categories_of(x), part;
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
    struct tw_bytes rest = categories_of(x), part;
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

enum { NUMBERS_MAX = 4 * TW_RAW_FIELD_MAX }; /* bytes */

/* Where the next byte goes. */
static inline uint8_t *put_numbers(uint8_t *p, const struct numbers *n)
{
    p = tw_raw_field(p, EVENT_TYPE, TW_WIRE_VARINT, n->type);
    if (n->category_iid)
        p = tw_raw_field(p, EVENT_CATEGORY_IIDS, TW_WIRE_VARINT, n->category_iid);
    if (n->name_iid)
        p = tw_raw_field(p, EVENT_NAME_IID, TW_WIRE_VARINT, n->name_iid);
    if (n->track)
        p = tw_raw_field(p, EVENT_TRACK_UUID, TW_WIRE_VARINT, n->track);
    return p;
}

static void put_value(struct tw_trace_writer *w, const struct tw_extra *value)
{
    if (value->kind == TW_EXTRA_COUNT)
        tw_writer_u64(w, EVENT_COUNTER_VALUE, value->number);
    else
        tw_writer_fixed64(w, EVENT_DOUBLE_COUNTER_VALUE, value->number);
}

static int write_whole(struct writing *x)
{
    struct tw_trace_writer *w = x->ev->writer;
    uint8_t numbers[NUMBERS_MAX];

    tw_sequence_begin_packet(x->ev, x->said.at);
    tell_of_strings(x);
    look_up(x->ev, x->category, x->name, &x->numbers);
    tw_writer_nest(w, TW_PACKET_TRACK_EVENT);
    tw_trace_writer_put(w, numbers, (size_t)(put_numbers(numbers, &x->numbers) - numbers));
    if (!x->numbers.category_iid)
        put_categories(x);
    if (!x->numbers.name_iid)
        put_name(x);
    if (x->said.value)
        put_value(w, x->said.value);
    tw_extras_put(x->ev, x->event);
    tw_writer_unnest(w);
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
        r = tw_event_track(x->ev, x->said.track, &x->numbers.track);
    if (x->said.name)
        x->name = NULL;
    if (x->said.category)
        x->category = NULL;
    return r;
}

/* NULL: it says none. */
static inline const struct tw_category *category_of(const struct tw_event *event)
{
    bool says = event->type == TW_EVENT_SLICE_BEGIN || event->type == TW_EVENT_MOMENT;

    return says ? event->category : NULL;
}

/* Not inline: the usual way would clear its part of the stack, too. */
__attribute__((noinline)) static int write_long(struct tw_event_sequence *ev,
                                                const struct tw_event *event)
{
    struct writing x = {.ev = ev,
                        .event = event,
                        .category = category_of(event),
                        .name = event->name,
                        .numbers = {.type = event->type}};
    int r = tw_sequence_ensure_state(ev);

    if (!r)
        r = read_extras(&x);
    if (r)
        return r;
    return !x.said.category || is_wanted(ev, x.said.category) ? write_whole(&x) : TW_E_NOT_FOUND;
}

/* ---- the usual way ---- */

/* Time, flags, and the event with its tag and size: each size takes one byte. */
enum { PACKET_MAX = 3 * TW_RAW_FIELD_MAX + NUMBERS_MAX };

_Static_assert(PACKET_MAX < 0x80, "varints of one byte");

static uint8_t *put_packet(uint8_t *p, uint64_t ticks, const struct numbers *numbers)
{
    REQ("TW-EVT-010");
    uint8_t *size;

    p = tw_raw_field(p, TW_PACKET_TIMESTAMP, TW_WIRE_VARINT, ticks);
    p = tw_raw_field(p, TW_PACKET_SEQUENCE_FLAGS, TW_WIRE_VARINT, TW_SEQUENCE_NEEDED);
    size = tw_raw_varint(p, TW_PACKET_TRACK_EVENT << 3 | TW_WIRE_LEN);
    p = put_numbers(size + 1, numbers);
    *size = (uint8_t)(p - size - 1);
    return p;
}

static bool write_numbers(struct tw_event_sequence *ev, const struct numbers *numbers,
                          uint64_t now_ns)
{
    uint64_t ticks;

    if (!tw_packet_fits(ev->writer, PACKET_MAX) || !tw_event_clock_next(&ev->clock, now_ns, &ticks))
        return false;
    tw_packet_done(ev->writer, put_packet(tw_packet_at(ev->writer), ticks, numbers));
    return true;
}

/* An event without extras. False: it is more than numbers, or does not fit, and nothing is written.
 * The clock comes first: a processor finishes all that is in front of it before it goes on, and so
 * the less is there, the more it does at once. */
static bool write_short(struct tw_event_sequence *ev, const struct tw_event *event)
{
    uint64_t now_ns = tw_clock_ns(CLOCK_BOOTTIME);
    const struct tw_category *category = category_of(event);
    struct numbers numbers = {.type = event->type};

    look_up(ev, category, event->name, &numbers);
    return tw_sequence_has_state(ev) && (!category || numbers.category_iid) &&
           (!event->name || numbers.name_iid) && write_numbers(ev, &numbers, now_ns);
}

int tw_track_event(struct tw_event_sequence *ev, const struct tw_event *event)
{
    if (TW_LIKELY(event->n_extras == 0 && write_short(ev, event)))
        return 0;
    return write_long(ev, event);
}
