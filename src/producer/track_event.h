/* SPDX-License-Identifier: Apache-2.0 */
/* One event of a sequence. */
#pragma once

#include "producer/event_sequence.h"
#include "tracewire/track_event.h"

struct tw_event {
    enum tw_event_type type;
    const struct tw_category *category; /* NULL: none */
    const char *name;                   /* static; NULL: none */
    const struct tw_extra *extras;
    size_t n_extras;
};

/* Results as tw_writer_end(), and TW_E_NOT_FOUND: the session does not want the category that it
 * has by tw_in(). */
int tw_track_event(struct tw_event_sequence *ev, const struct tw_event *event);

/* ---- what is beside its name (event_extras.c) ---- */

/* What the extras say that is no argument and no flow. */
struct tw_event_said {
    const struct tw_track *track; /* NULL: the thread's */
    const char *name, *category;  /* in place of those that are static, or NULL */
    const struct tw_extra *at;    /* when; NULL: now */
    const struct tw_extra *value; /* of a counter, or NULL */
};

struct tw_event_said tw_extras_said(const struct tw_event *event);
/* Names of arguments that the sequence has not been told of, into interned_data, which is open from
 * then on. */
void tw_extras_tell(struct tw_event_sequence *ev, const struct tw_event *event, bool *open);
/* Arguments and flows, into the open TrackEvent. */
void tw_extras_put(struct tw_event_sequence *ev, const struct tw_event *event);

/* Gives a string a number if it has none, and tells of it in interned_data, which is open from then
 * on. */
void tw_tell_of(struct tw_trace_writer *w, struct tw_intern_table *table, uint32_t field,
                struct tw_bytes text, bool *open);
/* Its number, or the string itself. */
void tw_put_string(struct tw_trace_writer *w, struct tw_intern_table *table, uint32_t iid_field,
                   uint32_t text_field, struct tw_bytes text);

/* ---- tracks (event_tracks.c) ---- */

/* Its uuid. What it is, and what it is part of, is described if the sequence has not been told yet.
 * Results as tw_writer_end(). */
TW_MUST_USE int tw_event_track(struct tw_event_sequence *ev, const struct tw_track *track,
                               uint64_t *ret_uuid);
