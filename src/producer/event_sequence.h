/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A sequence of track events: one thread's, for one session. What it has been told (descriptors,
 * strings, its clock) is its state, which begins anew when the service asks for it or a packet was
 * lost.
 */
#pragma once

#include "producer/event_clock.h"
#include "producer/event_process.h"
#include "producer/instance.h"
#include "producer/interning.h"
#include "producer/trace_writer.h"
#include "tracewire/track_event.h"

/* Field numbers of TracePacket, TrackDescriptor and InternedData. */
enum {
    TW_PACKET_TRACK_EVENT = 11,
    TW_PACKET_INTERNED_DATA = 12,
    TW_PACKET_SEQUENCE_FLAGS = 13,
    TW_PACKET_TRACK_DESCRIPTOR = 60,
    TW_TRACK_UUID = 1,
    TW_TRACK_NAME = 2,
    TW_TRACK_PARENT_UUID = 5,
    TW_TRACK_COUNTER_FIELD = 8,
    TW_INTERNED_CATEGORIES = 1,
    TW_INTERNED_NAMES = 2,
    TW_INTERNED_ANNOTATION_NAMES = 3,
};

/* Values of TW_PACKET_SEQUENCE_FLAGS. */
enum {
    TW_SEQUENCE_CLEARED = 1, /* forget what you have been told */
    TW_SEQUENCE_NEEDED = 2,  /* cannot be read without it */
};

/* Tracks of the program that a sequence remembers to have described; a power of two. One that was
 * forgotten is described again. */
enum { TW_TRACKS_KNOWN = 64 };

struct tw_known_track {
    uint64_t key;  /* of what it is */
    uint64_t uuid; /* 0: none */
};

struct tw_event_sequence {
    struct tw_trace_writer *writer;
    struct tw_instance *instance; /* a reference */
    const struct tw_event_process *process;
    struct tw_event_config config; /* points into the instance's */
    uint64_t thread_uuid;
    bool has_state;            /* the sequence has been told who we are */
    uint32_t state_generation; /* of the instance, when it was */
    uint64_t state_lost;       /* losses, when it was */
    struct tw_event_clock clock;
    /* The state. */
    struct tw_intern_table categories, names, annotation_names;
    struct tw_known_track tracks[TW_TRACKS_KNOWN];
};

/* The calling thread's, which it describes in the trace. process is kept. Results as
 * tw_writer_new(), and TW_E_PROTOCOL, TW_E_TRUNCATED or TW_E_LIMIT for a config that cannot be
 * read.
 */
TW_MUST_USE int tw_event_sequence_new(struct tw_event_sequence **ret_sequence,
                                      struct tw_instance *instance,
                                      const struct tw_event_process *process,
                                      enum tw_exhausted policy);
/* NULL is fine. */
void tw_event_sequence_free(struct tw_event_sequence *sequence);

/* Tells it all anew. */
TW_MUST_USE int tw_sequence_begin_state(struct tw_event_sequence *ev);

/* Whether the sequence knows what every event builds on. */
static inline bool tw_sequence_has_state(const struct tw_event_sequence *ev)
{
    return ev->has_state && ev->state_lost == ev->writer->stats.lost &&
           ev->state_generation ==
               atomic_load_explicit(&ev->instance->generation, memory_order_relaxed);
}

/* Makes sure of it. As tw_writer_end(). */
TW_MUST_USE static inline int tw_sequence_ensure_state(struct tw_event_sequence *ev)
{
    return tw_sequence_has_state(ev) ? 0 : tw_sequence_begin_state(ev);
}

/* Begins a packet that builds on it. at: when it was, or NULL: now. */
void tw_sequence_begin_packet(struct tw_event_sequence *ev, const struct tw_extra *at);

uint64_t tw_sequence_thread_uuid(const struct tw_event_sequence *ev, uint64_t tid);
/* Into an open TrackDescriptor. name NULL: not known. */
void tw_sequence_put_thread(struct tw_event_sequence *ev, uint64_t tid, const char *name);
