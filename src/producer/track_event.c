/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Track events. What a sequence has been told (descriptors, interned strings) is kept by the
 * address of the string, and forgotten when the service asks for it or a packet was lost.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/req.h"
#include "producer/category_rules.h"
#include "producer/event_clock.h"
#include "producer/instance.h"
#include "producer/interning.h"
#include "producer/trace_writer.h"

/* Field numbers of TracePacket and what it holds, and values. */
enum {
    PACKET_TIMESTAMP = 8,
    PACKET_TRACK_EVENT = 11,
    PACKET_INTERNED_DATA = 12,
    PACKET_SEQUENCE_FLAGS = 13,
    PACKET_TIMESTAMP_CLOCK_ID = 58,
    PACKET_DEFAULTS = 59,
    PACKET_TRACK_DESCRIPTOR = 60,
    DEFAULTS_TRACK_EVENT = 11,
    DEFAULTS_CLOCK_ID = 58,
    DEFAULT_TRACK_UUID = 11,
    EVENT_CATEGORY_IIDS = 3,
    EVENT_TYPE = 9,
    EVENT_NAME_IID = 10,
    EVENT_TRACK_UUID = 11,
    EVENT_CATEGORIES = 22,
    EVENT_NAME = 23,
    EVENT_COUNTER_VALUE = 30,
    INTERNED_CATEGORIES = 1,
    INTERNED_NAMES = 2,
    TRACK_UUID = 1,
    TRACK_NAME = 2,
    TRACK_PROCESS = 3,
    TRACK_THREAD = 4,
    TRACK_PARENT_UUID = 5,
    TRACK_COUNTER = 8,

    TYPE_SLICE_BEGIN = 1,
    TYPE_SLICE_END = 2,
    TYPE_INSTANT = 3,
    TYPE_COUNTER = 4,

    SEQ_INCREMENTAL_STATE_CLEARED = 1,
    SEQ_NEEDS_INCREMENTAL_STATE = 2,
    THREAD_NAME_MAX = 16, /* bytes with the NUL, as prctl says */
};

struct tw_track_events {
    struct tw_trace_writer *writer;
    struct tw_instance *instance; /* a reference */
    uint64_t process_uuid, thread_uuid;
    bool has_state;            /* the sequence has been told who we are */
    uint32_t state_generation; /* of the instance, when it was */
    uint64_t state_lost;       /* losses, when it was */
    struct tw_event_clock clock;
    struct tw_intern_table categories, names, counters;
};

int tw_track_events_new(struct tw_track_events **ret_events, struct tw_instance *instance,
                        enum tw_exhausted policy)
{
    struct tw_event_config config;
    struct tw_track_events *ev;
    int r = tw_event_config_read(tw_instance_config_bytes(instance), &config);

    if (r)
        return r;
    ev = calloc(1, sizeof(*ev));
    if (!ev)
        return -ENOMEM;
    r = tw_writer_new(&ev->writer, instance, policy);
    if (r) {
        free(ev);
        return r;
    }
    ev->instance = tw_instance_ref(instance);
    ev->process_uuid = tw_mix((uint64_t)getpid());
    ev->thread_uuid = tw_mix(ev->process_uuid ^ (uint64_t)gettid());
    ev->clock = tw_event_clock_of(&config);
    *ret_events = ev;
    return 0;
}

void tw_track_events_free(struct tw_track_events *events)
{
    if (!events)
        return;
    tw_writer_free(events->writer);
    tw_instance_unref(events->instance);
    free(events);
}

struct tw_trace_writer *tw_track_events_writer(struct tw_track_events *events)
{
    return events->writer;
}

/* ---- who we are ---- */

static void begin_packet(struct tw_track_events *ev)
{
    REQ("TW-EVT-010");
    tw_writer_begin(ev->writer);
    tw_event_clock_stamp(&ev->clock, ev->writer, tw_clock_ns(CLOCK_BOOTTIME));
    tw_writer_u64(ev->writer, PACKET_SEQUENCE_FLAGS, SEQ_NEEDS_INCREMENTAL_STATE);
}

/* From here on nothing counts that the sequence was told before. */
static int clear_state(struct tw_track_events *ev)
{
    REQ("TW-EVT-011");
    REQ("TW-EVT-015");
    struct tw_trace_writer *w = ev->writer;
    uint64_t now = tw_clock_ns(CLOCK_BOOTTIME);

    memset(&ev->categories, 0, sizeof(ev->categories));
    memset(&ev->names, 0, sizeof(ev->names));
    memset(&ev->counters, 0, sizeof(ev->counters));
    tw_writer_begin(w);
    tw_writer_u64(w, PACKET_TIMESTAMP, now);
    tw_writer_u64(w, PACKET_TIMESTAMP_CLOCK_ID, TW_CLOCK_BOOTTIME);
    tw_writer_u64(w, PACKET_SEQUENCE_FLAGS, SEQ_INCREMENTAL_STATE_CLEARED);
    tw_writer_nest(w, PACKET_DEFAULTS);
    tw_writer_u64(w, DEFAULTS_CLOCK_ID, ev->clock.id);
    tw_writer_nest(w, DEFAULTS_TRACK_EVENT);
    tw_writer_u64(w, DEFAULT_TRACK_UUID, ev->thread_uuid);
    tw_writer_unnest(w);
    tw_writer_unnest(w);
    tw_event_clock_tell(&ev->clock, w, now);
    return tw_writer_end(w);
}

static int describe_process(struct tw_track_events *ev)
{
    REQ("TW-EVT-030");
    struct tw_trace_writer *w = ev->writer;

    begin_packet(ev);
    tw_writer_nest(w, PACKET_TRACK_DESCRIPTOR);
    tw_writer_u64(w, TRACK_UUID, ev->process_uuid);
    tw_writer_nest(w, TRACK_PROCESS);
    tw_writer_i64(w, 1 /* pid */, getpid());
    tw_writer_str(w, 6 /* process_name */, program_invocation_short_name);
    tw_writer_unnest(w);
    tw_writer_unnest(w);
    return tw_writer_end(w);
}

static int describe_thread(struct tw_track_events *ev)
{
    REQ("TW-EVT-031");
    struct tw_trace_writer *w = ev->writer;
    char name[THREAD_NAME_MAX] = "";

    begin_packet(ev);
    tw_writer_nest(w, PACKET_TRACK_DESCRIPTOR);
    tw_writer_u64(w, TRACK_UUID, ev->thread_uuid);
    tw_writer_u64(w, TRACK_PARENT_UUID, ev->process_uuid);
    tw_writer_nest(w, TRACK_THREAD);
    tw_writer_i64(w, 1 /* pid */, getpid());
    tw_writer_i64(w, 2 /* tid */, gettid());
    if (prctl(PR_GET_NAME, name) == 0)
        tw_writer_str(w, 5 /* thread_name */, name);
    tw_writer_unnest(w);
    tw_writer_unnest(w);
    return tw_writer_end(w);
}

/* Makes sure that the sequence knows what every event builds on. */
static int ensure_state(struct tw_track_events *ev)
{
    REQ("TW-EVT-012");
    REQ("TW-EVT-013");
    uint32_t generation = tw_instance_state_generation(ev->instance);
    uint64_t lost = tw_writer_lost(ev->writer);
    int r;

    if (ev->has_state && ev->state_generation == generation && ev->state_lost == lost)
        return 0;
    ev->has_state = false;
    r = clear_state(ev);
    if (!r)
        r = describe_process(ev);
    if (!r)
        r = describe_thread(ev);
    if (r)
        return r;
    ev->has_state = true;
    ev->state_generation = generation;
    ev->state_lost = lost;
    return 0;
}

/* ---- events ---- */

/* Gives the string a number, and tells of it in interned_data, which is then open. */
static void tell_of(struct tw_trace_writer *w, struct tw_intern_table *table, uint32_t field,
                    struct tw_bytes text, bool *open)
{
    bool is_new;
    uint32_t iid = tw_intern(table, text.p, &is_new);

    if (!is_new || iid == 0)
        return;
    if (!*open)
        tw_writer_nest(w, PACKET_INTERNED_DATA);
    *open = true;
    tw_writer_nest(w, field);
    tw_writer_u64(w, 1 /* iid */, iid);
    tw_writer_bytes(w, 2 /* name */, text);
    tw_writer_unnest(w);
}

static void tell_of_strings(struct tw_track_events *ev, const char *category, const char *name)
{
    struct tw_bytes rest = tw_bytes_of_str(category), part;
    bool open = false;

    while (tw_next_part(&rest, &part))
        tell_of(ev->writer, &ev->categories, INTERNED_CATEGORIES, part, &open);
    tell_of(ev->writer, &ev->names, INTERNED_NAMES, tw_bytes_of_str(name), &open);
    if (open)
        tw_writer_unnest(ev->writer);
}

static void put_string(struct tw_trace_writer *w, struct tw_intern_table *table, uint32_t iid_field,
                       uint32_t text_field, struct tw_bytes text)
{
    bool is_new;
    uint32_t iid = tw_intern(table, text.p, &is_new);

    if (iid)
        tw_writer_u64(w, iid_field, iid);
    else
        tw_writer_bytes(w, text_field, text);
}

static void put_strings(struct tw_track_events *ev, const char *category, const char *name)
{
    REQ("TW-EVT-004");
    struct tw_bytes rest = tw_bytes_of_str(category), part;

    while (tw_next_part(&rest, &part))
        put_string(ev->writer, &ev->categories, EVENT_CATEGORY_IIDS, EVENT_CATEGORIES, part);
    put_string(ev->writer, &ev->names, EVENT_NAME_IID, EVENT_NAME, tw_bytes_of_str(name));
}

static int put_named(struct tw_track_events *ev, uint32_t type, const char *category,
                     const char *name)
{
    struct tw_trace_writer *w = ev->writer;
    int r = ensure_state(ev);

    if (r)
        return r;
    begin_packet(ev);
    tell_of_strings(ev, category, name);
    tw_writer_nest(w, PACKET_TRACK_EVENT);
    tw_writer_u64(w, EVENT_TYPE, type);
    put_strings(ev, category, name);
    tw_writer_unnest(w);
    return tw_writer_end(w);
}

int tw_track_begin(struct tw_track_events *events, const char *category, const char *name)
{
    return put_named(events, TYPE_SLICE_BEGIN, category, name);
}

int tw_track_instant(struct tw_track_events *events, const char *category, const char *name)
{
    return put_named(events, TYPE_INSTANT, category, name);
}

int tw_track_end(struct tw_track_events *events)
{
    struct tw_trace_writer *w = events->writer;
    int r = ensure_state(events);

    if (r)
        return r;
    begin_packet(events);
    tw_writer_nest(w, PACKET_TRACK_EVENT);
    tw_writer_u64(w, EVENT_TYPE, TYPE_SLICE_END);
    tw_writer_unnest(w);
    return tw_writer_end(w);
}

static int describe_counter(struct tw_track_events *ev, const char *name, uint64_t uuid)
{
    REQ("TW-EVT-032");
    struct tw_trace_writer *w = ev->writer;

    begin_packet(ev);
    tw_writer_nest(w, PACKET_TRACK_DESCRIPTOR);
    tw_writer_u64(w, TRACK_UUID, uuid);
    tw_writer_u64(w, TRACK_PARENT_UUID, ev->process_uuid);
    tw_writer_str(w, TRACK_NAME, name);
    tw_writer_nest(w, TRACK_COUNTER);
    tw_writer_unnest(w);
    tw_writer_unnest(w);
    return tw_writer_end(w);
}

static uint64_t counter_uuid(const struct tw_track_events *ev, const char *name)
{
    uint64_t hash = ev->process_uuid;

    /* By its text: threads that count the same share the track. */
    for (; *name; name++)
        hash = tw_mix(hash ^ (uint8_t)*name);
    return hash;
}

/* Describes the track if the sequence has not done so yet. */
static int ensure_counter(struct tw_track_events *ev, const char *name, uint64_t uuid)
{
    bool is_new;

    (void)tw_intern(&ev->counters, name, &is_new);
    return is_new ? describe_counter(ev, name, uuid) : 0;
}

int tw_track_counter(struct tw_track_events *events, const char *name, int64_t value)
{
    struct tw_trace_writer *w = events->writer;
    uint64_t uuid = counter_uuid(events, name);
    int r = ensure_state(events);

    if (!r)
        r = ensure_counter(events, name, uuid);
    if (r)
        return r;
    begin_packet(events);
    tw_writer_nest(w, PACKET_TRACK_EVENT);
    tw_writer_u64(w, EVENT_TYPE, TYPE_COUNTER);
    tw_writer_u64(w, EVENT_TRACK_UUID, uuid);
    tw_writer_i64(w, EVENT_COUNTER_VALUE, value);
    tw_writer_unnest(w);
    return tw_writer_end(w);
}
