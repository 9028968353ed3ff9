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
/* The timestamp of the packet that is open; now_ns is BOOTTIME. */
void tw_event_clock_stamp(struct tw_event_clock *clock, struct tw_trace_writer *writer,
                          uint64_t now_ns);
