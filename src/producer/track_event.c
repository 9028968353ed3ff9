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

#include "base/clock.h"
#include "producer/instance.h"
#include "producer/trace_writer.h"

/* Field numbers of TracePacket and what it holds, and values. */
enum {
    PACKET_TIMESTAMP = 8,
    PACKET_TRACK_EVENT = 11,
    PACKET_INTERNED_DATA = 12,
    PACKET_SEQUENCE_FLAGS = 13,
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
    CLOCK_ID_BOOTTIME = 6,
    THREAD_NAME_MAX = 16, /* bytes with the NUL, as prctl says */
};

/* Strings a sequence knows by number; more are written out. A power of two. */
enum { INTERN_SLOTS = 256, INTERN_MAX = INTERN_SLOTS * 3 / 4 };

struct intern_table {
    const char *key[INTERN_SLOTS];
    uint32_t iid[INTERN_SLOTS]; /* from 1 */
    uint32_t n;
};

/* A string for the packet at hand: a number that the sequence knows or is told now, or itself. */
struct intern {
    const char *text;
    uint32_t iid; /* 0: written out */
    bool is_new;
};

struct tw_track_events {
    struct tw_trace_writer *writer;
    struct tw_instance *instance; /* a reference */
    uint64_t process_uuid, thread_uuid;
    bool has_state;            /* the sequence has been told who we are */
    uint32_t state_generation; /* of the instance, when it was */
    uint64_t state_lost;       /* losses, when it was */
    struct intern_table categories, names, counters;
};

/* The finaliser of SplitMix64: spreads what differs in few bits over all of them. */
static uint64_t mix(uint64_t x)
{
    x += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

static struct intern intern(struct intern_table *table, const char *text)
{
    size_t slot = (size_t)mix((uintptr_t)text) % INTERN_SLOTS;

    /* Ends because the table is never full. */
    for (; table->key[slot]; slot = (slot + 1) % INTERN_SLOTS)
        if (table->key[slot] == text)
            return (struct intern){.text = text, .iid = table->iid[slot]};
    if (table->n == INTERN_MAX)
        return (struct intern){.text = text, .is_new = true};
    table->key[slot] = text;
    table->iid[slot] = ++table->n;
    return (struct intern){.text = text, .iid = table->n, .is_new = true};
}

int tw_track_events_new(struct tw_track_events **ret_events, struct tw_instance *instance,
                        enum tw_exhausted policy)
{
    struct tw_track_events *ev = calloc(1, sizeof(*ev));
    int r;

    if (!ev)
        return -ENOMEM;
    r = tw_writer_new(&ev->writer, instance, policy);
    if (r) {
        free(ev);
        return r;
    }
    ev->instance = tw_instance_ref(instance);
    ev->process_uuid = mix((uint64_t)getpid());
    ev->thread_uuid = mix(ev->process_uuid ^ (uint64_t)gettid());
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

static void begin_packet(struct tw_track_events *ev, uint32_t sequence_flags)
{
    tw_writer_begin(ev->writer);
    tw_writer_u64(ev->writer, PACKET_TIMESTAMP, tw_clock_ns(CLOCK_BOOTTIME));
    tw_writer_u64(ev->writer, PACKET_SEQUENCE_FLAGS, sequence_flags);
}

static int describe_process(struct tw_track_events *ev)
{
    struct tw_trace_writer *w = ev->writer;

    begin_packet(ev, SEQ_INCREMENTAL_STATE_CLEARED | SEQ_NEEDS_INCREMENTAL_STATE);
    tw_writer_nest(w, PACKET_DEFAULTS);
    tw_writer_u64(w, DEFAULTS_CLOCK_ID, CLOCK_ID_BOOTTIME);
    tw_writer_nest(w, DEFAULTS_TRACK_EVENT);
    tw_writer_u64(w, DEFAULT_TRACK_UUID, ev->thread_uuid);
    tw_writer_unnest(w);
    tw_writer_unnest(w);
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
    struct tw_trace_writer *w = ev->writer;
    char name[THREAD_NAME_MAX] = "";

    begin_packet(ev, SEQ_NEEDS_INCREMENTAL_STATE);
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
    uint32_t generation = tw_instance_state_generation(ev->instance);
    uint64_t lost = tw_writer_lost(ev->writer);
    int r;

    if (ev->has_state && ev->state_generation == generation && ev->state_lost == lost)
        return 0;
    ev->has_state = false;
    memset(&ev->categories, 0, sizeof(ev->categories));
    memset(&ev->names, 0, sizeof(ev->names));
    memset(&ev->counters, 0, sizeof(ev->counters));
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

static void put_interned(struct tw_trace_writer *w, uint32_t field, const struct intern *in)
{
    if (!in->is_new || !in->iid)
        return;
    tw_writer_nest(w, field);
    tw_writer_u64(w, 1 /* iid */, in->iid);
    tw_writer_str(w, 2 /* name */, in->text);
    tw_writer_unnest(w);
}

static void put_string(struct tw_trace_writer *w, uint32_t iid_field, uint32_t text_field,
                       const struct intern *in)
{
    if (in->iid)
        tw_writer_u64(w, iid_field, in->iid);
    else
        tw_writer_str(w, text_field, in->text);
}

static int put_named(struct tw_track_events *ev, uint32_t type, const char *category,
                     const char *name)
{
    struct tw_trace_writer *w = ev->writer;
    struct intern c, n;
    int r = ensure_state(ev);

    if (r)
        return r;
    c = intern(&ev->categories, category);
    n = intern(&ev->names, name);
    begin_packet(ev, SEQ_NEEDS_INCREMENTAL_STATE);
    if ((c.is_new && c.iid) || (n.is_new && n.iid)) {
        tw_writer_nest(w, PACKET_INTERNED_DATA);
        put_interned(w, INTERNED_CATEGORIES, &c);
        put_interned(w, INTERNED_NAMES, &n);
        tw_writer_unnest(w);
    }
    tw_writer_nest(w, PACKET_TRACK_EVENT);
    tw_writer_u64(w, EVENT_TYPE, type);
    put_string(w, EVENT_CATEGORY_IIDS, EVENT_CATEGORIES, &c);
    put_string(w, EVENT_NAME_IID, EVENT_NAME, &n);
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
    begin_packet(events, SEQ_NEEDS_INCREMENTAL_STATE);
    tw_writer_nest(w, PACKET_TRACK_EVENT);
    tw_writer_u64(w, EVENT_TYPE, TYPE_SLICE_END);
    tw_writer_unnest(w);
    return tw_writer_end(w);
}

static int describe_counter(struct tw_track_events *ev, const char *name, uint64_t uuid)
{
    struct tw_trace_writer *w = ev->writer;

    begin_packet(ev, SEQ_NEEDS_INCREMENTAL_STATE);
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
        hash = mix(hash ^ (uint8_t)*name);
    return hash;
}

int tw_track_counter(struct tw_track_events *events, const char *name, int64_t value)
{
    struct tw_trace_writer *w = events->writer;
    uint64_t uuid = counter_uuid(events, name);
    int r = ensure_state(events);

    if (!r && intern(&events->counters, name).is_new)
        r = describe_counter(events, name, uuid);
    if (r)
        return r;
    begin_packet(events, SEQ_NEEDS_INCREMENTAL_STATE);
    tw_writer_nest(w, PACKET_TRACK_EVENT);
    tw_writer_u64(w, EVENT_TYPE, TYPE_COUNTER);
    tw_writer_u64(w, EVENT_TRACK_UUID, uuid);
    tw_writer_i64(w, EVENT_COUNTER_VALUE, value);
    tw_writer_unnest(w);
    return tw_writer_end(w);
}
