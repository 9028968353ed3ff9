/* SPDX-License-Identifier: Apache-2.0 */
#include "producer/event_clock.h"

#include "base/req.h"

/* Field numbers of TracePacket and ClockSnapshot. */
enum {
    PACKET_CLOCK_SNAPSHOT = 6,
    SNAPSHOT_CLOCKS = 1,
    CLOCK_ID = 1,
    CLOCK_TIMESTAMP = 2,
    CLOCK_IS_INCREMENTAL = 3,
    CLOCK_UNIT_MULTIPLIER_NS = 4,
};

struct tw_event_clock tw_event_clock_of(const struct tw_event_config *config)
{
    REQ("TW-EVT-020");
    struct tw_event_clock clock = {.id = TW_CLOCK_INCREMENTAL, .unit_ns = config->unit_ns};

    if (config->absolute_timestamps)
        clock.id = clock.unit_ns == 1 ? TW_CLOCK_BOOTTIME : TW_CLOCK_ABSOLUTE;
    return clock;
}

static void put_clock(struct tw_trace_writer *w, enum tw_event_clock_id id, uint64_t timestamp,
                      uint64_t unit_ns)
{
    tw_writer_nest(w, SNAPSHOT_CLOCKS);
    tw_writer_u64(w, CLOCK_ID, id);
    tw_writer_u64(w, CLOCK_TIMESTAMP, timestamp);
    if (id == TW_CLOCK_INCREMENTAL)
        tw_writer_bool(w, CLOCK_IS_INCREMENTAL, true);
    if (unit_ns > 1)
        tw_writer_u64(w, CLOCK_UNIT_MULTIPLIER_NS, unit_ns);
    tw_writer_unnest(w);
}

void tw_event_clock_tell(struct tw_event_clock *clock, struct tw_trace_writer *writer,
                         uint64_t now_ns)
{
    REQ("TW-EVT-021");
    REQ("TW-EVT-022"); /* the caller puts events and descriptors into other packets */
    clock->last_ns = now_ns;
    if (clock->id == TW_CLOCK_BOOTTIME)
        return;
    tw_writer_nest(writer, PACKET_CLOCK_SNAPSHOT);
    put_clock(writer, TW_CLOCK_BOOTTIME, now_ns, 1);
    put_clock(writer, clock->id, now_ns / clock->unit_ns, clock->unit_ns);
    tw_writer_unnest(writer);
}

void tw_event_clock_stamp(struct tw_event_clock *clock, struct tw_trace_writer *writer,
                          uint64_t now_ns)
{
    REQ("TW-EVT-023");
    uint64_t ticks;

    if (tw_event_clock_next(clock, now_ns, &ticks)) {
        tw_writer_u64(writer, TW_PACKET_TIMESTAMP, ticks);
        return;
    }
    tw_writer_u64(writer, TW_PACKET_TIMESTAMP, now_ns);
    tw_writer_u64(writer, TW_PACKET_TIMESTAMP_CLOCK_ID, TW_CLOCK_BOOTTIME);
}
