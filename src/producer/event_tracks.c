/* SPDX-License-Identifier: Apache-2.0 */
/* Tracks that the program names: their uuids, and what the sequence is told of them. */
#include "base/bytes.h"
#include "base/req.h"
#include "producer/track_event.h"

/* Field numbers of CounterDescriptor and TrackDescriptor, and values. */
enum {
    TRACK_SIBLING_MERGE_BEHAVIOR = 15,
    COUNTER_UNIT = 3,
    COUNTER_UNIT_NAME = 6,
    SIBLING_MERGE_NONE = 2, /* same names are not the same track */
};

/* By its text, and not by where that is: threads and processes that mean the same track agree. */
static uint64_t uuid_of(const struct tw_track *track, uint64_t parent)
{
    REQ("TW-EVT-033");
    const char *name = track->name ? track->name : "";
    uint64_t hash = tw_mix(tw_mix(parent ^ (uint64_t)track->kind) ^ track->id);

    for (; *name; name++)
        hash = tw_mix(hash ^ (uint8_t)*name);
    return hash ? hash : 1; /* 0 is the trace's own */
}

static void put_kind(struct tw_event_sequence *ev, const struct tw_track *track)
{
    REQ("TW-EVT-056");
    struct tw_trace_writer *w = ev->writer;

    if (track->kind == TW_TRACK_THREAD) {
        tw_sequence_put_thread(ev, track->id, track->name);
        return;
    }
    tw_writer_str(w, TW_TRACK_NAME, track->name ? track->name : "");
    tw_writer_u64(w, TRACK_SIBLING_MERGE_BEHAVIOR, SIBLING_MERGE_NONE);
    if (track->kind != TW_TRACK_COUNTER)
        return;
    tw_writer_nest(w, TW_TRACK_COUNTER_FIELD);
    if (track->unit_name)
        tw_writer_str(w, COUNTER_UNIT_NAME, track->unit_name);
    else if (track->unit != TW_UNIT_NONE)
        tw_writer_u64(w, COUNTER_UNIT, track->unit);
    tw_writer_unnest(w);
}

static int describe(struct tw_event_sequence *ev, const struct tw_track *track, uint64_t uuid,
                    uint64_t parent)
{
    REQ("TW-EVT-032");
    struct tw_trace_writer *w = ev->writer;

    tw_sequence_begin_packet(ev, NULL);
    tw_writer_nest(w, TW_PACKET_TRACK_DESCRIPTOR);
    tw_writer_u64(w, TW_TRACK_UUID, uuid);
    tw_writer_u64(w, TW_TRACK_PARENT_UUID, parent);
    put_kind(ev, track);
    tw_writer_unnest(w);
    return tw_writer_end(w);
}

/* Where it is remembered, or will be: with none free, in place of another. */
static struct tw_known_track *find(struct tw_event_sequence *ev, uint64_t key)
{
    size_t home = (size_t)key % TW_TRACKS_KNOWN;

    for (size_t n = 0; n < TW_TRACKS_KNOWN; n++) {
        struct tw_known_track *known = &ev->tracks[(home + n) % TW_TRACKS_KNOWN];

        if (known->key == key || !known->uuid)
            return known;
    }
    return &ev->tracks[home];
}

/* A track whose parent is known. */
static int resolve(struct tw_event_sequence *ev, const struct tw_track *track, uint64_t parent,
                   uint64_t *ret_uuid)
{
    uint64_t key = tw_mix(tw_mix(parent ^ (uintptr_t)track->name) ^ track->id) ^ track->kind;
    struct tw_known_track *known = find(ev, key);
    uint64_t uuid;
    int r;

    if (known->key != key || !known->uuid) {
        uuid = track->kind == TW_TRACK_THREAD ? tw_sequence_thread_uuid(ev, track->id)
                                              : uuid_of(track, parent);
        r = describe(ev, track, uuid, parent);
        if (r)
            return r;
        *known = (struct tw_known_track){key, uuid};
    }
    *ret_uuid = known->uuid;
    return 0;
}

int tw_event_track(struct tw_event_sequence *ev, const struct tw_track *track, uint64_t *ret_uuid)
{
    REQ("TW-EVT-055");
    REQ("TW-LIM-220");
    const struct tw_track *chain[TW_TRACK_DEPTH_MAX];
    uint64_t uuid = ev->process->uuid;
    size_t n = 0;
    int r = 0;

    for (; track && track->kind != TW_TRACK_PROCESS && n < TW_TRACK_DEPTH_MAX;
         track = track->parent)
        chain[n++] = track;
    while (!r && n > 0)
        r = resolve(ev, chain[--n], uuid, &uuid);
    if (!r)
        *ret_uuid = uuid;
    return r;
}
