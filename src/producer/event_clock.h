/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Timestamps of a sequence of track events, in the clock that the session's config asks for:
 * BOOTTIME, or a clock of the sequence's own, which counts in units and whose timestamps are
 * deltas, so that most take one or two bytes.
 */
#pragma once

#include "producer/event_config.h"
#include "tracewire/producer.h"

enum tw_event_clock_id {
    TW_CLOCK_BOOTTIME = 6,
    TW_CLOCK_INCREMENTAL = 64, /* since the packet before, */
    TW_CLOCK_ABSOLUTE = 65,    /* since BOOTTIME began, in units of the config */
};

/* Field numbers of TracePacket. */
enum { TW_PACKET_TIMESTAMP = 8, TW_PACKET_TIMESTAMP_CLOCK_ID = 58 };

struct tw_event_clock {
    enum tw_event_clock_id id; /* of packets that name none */
    uint64_t unit_ns;          /* nanoseconds a tick, at least 1 */
    uint64_t last_ns;          /* incremental: BOOTTIME of where the sequence has come to */
};

struct tw_event_clock tw_event_clock_of(const struct tw_event_config *config);
/* Tells readers of the clock in the packet that is open, if it is one of the sequence's. Such a
 * packet must not hold anything else that is to be read. TW-EVT-022 */
void tw_event_clock_tell(struct tw_event_clock *clock, struct tw_trace_writer *writer,
                         uint64_t now_ns);
/* What a packet of now has for a timestamp in the clock; false when it has to say it in BOOTTIME,
 * since a delta cannot go back. */
static inline bool tw_event_clock_next(struct tw_event_clock *clock, uint64_t now_ns,
                                       uint64_t *ret_ticks)
{
    bool incremental = clock->id == TW_CLOCK_INCREMENTAL;
    uint64_t from = incremental ? clock->last_ns : 0, ticks = now_ns - from;

    if (now_ns < from)
        return false;
    if (clock->unit_ns > 1) /* mostly it is 1, and a division takes as long as all the rest */
        ticks /= clock->unit_ns;
    if (incremental) /* what is less than a tick is not forgotten, but comes with a later packet */
        clock->last_ns += ticks * clock->unit_ns;
    *ret_ticks = ticks;
    return true;
}

/* The timestamp of the packet that is open; now_ns is BOOTTIME. */
void tw_event_clock_stamp(struct tw_event_clock *clock, struct tw_trace_writer *writer,
                          uint64_t now_ns);
