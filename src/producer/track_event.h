/* SPDX-License-Identifier: Apache-2.0 */
/* One event of a sequence. */
#pragma once

#include "producer/event_sequence.h"
#include "producer/event_signals.h"
#include "tracewire/track_event.h"

/* name is NULL at the end of a slice. Results as tw_writer_end(). */
int tw_track_event(struct tw_event_sequence *ev, enum tw_event_type type, const char *category,
                   const char *name, const struct tw_extra *extras, size_t n_extras);
/* On the track of its own thread, whosever sequence it is. */
int tw_track_signal_instant(struct tw_event_sequence *ev, const struct tw_signal_instant *instant);
int tw_track_counter(struct tw_event_sequence *ev, const char *name, int64_t value);

/* ---- what is beside its name (event_extras.c) ---- */

/* The track that the extras put it on, described if it has to be; 0: the thread's. */
TW_MUST_USE int tw_extras_track(struct tw_event_sequence *ev, const struct tw_extra *extras,
                                size_t n, uint64_t *ret_uuid);
/* The name that is not static, or NULL. */
const char *tw_extras_name(const struct tw_extra *extras, size_t n);
/* Names of arguments, into interned_data, which is open from then on. */
void tw_extras_tell(struct tw_event_sequence *ev, const struct tw_extra *extras, size_t n,
                    bool *open);
/* Arguments and flows, into the open TrackEvent. */
void tw_extras_put(struct tw_event_sequence *ev, const struct tw_extra *extras, size_t n);

/* The uuid of a track of the process. */
uint64_t tw_track_uuid(const struct tw_event_sequence *ev, const char *name, uint64_t id);
/* Whether the sequence has described the track; from now on it has. */
bool tw_track_is_known(struct tw_event_sequence *ev, uint64_t uuid);

/* Gives a string a number, and tells of it in interned_data, which is open from then on. */
void tw_tell_of(struct tw_trace_writer *w, struct tw_intern_table *table, uint32_t field,
                struct tw_bytes text, bool *open);
/* Its number, or the string itself. */
void tw_put_string(struct tw_trace_writer *w, struct tw_intern_table *table, uint32_t iid_field,
                   uint32_t text_field, struct tw_bytes text);
