/* SPDX-License-Identifier: Apache-2.0 */
#include "service/clock_snapshot.h"

#include <string.h>

#include "base/req.h"
#include "service/own_packet.h"

enum { SNAPSHOT_BOOTTIME = 0, SNAPSHOT_MONOTONIC = 4 };

static const struct {
    clockid_t clock;
    uint32_t id;
} snapshot_clocks[TW_CLOCKS] = {
    [SNAPSHOT_BOOTTIME] = {CLOCK_BOOTTIME, TW__BUILTIN_CLOCK__BUILTIN_CLOCK_BOOTTIME},
    [1] = {CLOCK_REALTIME_COARSE, TW__BUILTIN_CLOCK__BUILTIN_CLOCK_REALTIME_COARSE},
    [2] = {CLOCK_MONOTONIC_COARSE, TW__BUILTIN_CLOCK__BUILTIN_CLOCK_MONOTONIC_COARSE},
    [3] = {CLOCK_REALTIME, TW__BUILTIN_CLOCK__BUILTIN_CLOCK_REALTIME},
    [SNAPSHOT_MONOTONIC] = {CLOCK_MONOTONIC, TW__BUILTIN_CLOCK__BUILTIN_CLOCK_MONOTONIC},
    [5] = {CLOCK_MONOTONIC_RAW, TW__BUILTIN_CLOCK__BUILTIN_CLOCK_MONOTONIC_RAW},
};

/* A difference of BOOTTIME and MONOTONIC that moved by more than this was moved by a suspend, and
 * not by the time that passes between two readings. Nanoseconds. */
#define SUSPEND_NS INT64_C(1000000)

/*
 * The kernel keeps BOOTTIME ahead of MONOTONIC by a constant but for suspends. Read one after the
 * other they differ by some hundred nanoseconds more or less each time, and a slice that began
 * before a snapshot and ended after it would get longer or shorter by that. So the difference is
 * taken from the first reading until a suspend changes it. TW-TRACE-010
 */
static void settle_monotonic(struct tw_service *service, struct tw_clock_snapshot *s)
{
    REQ("TW-TRACE-010");
    int64_t ahead = (int64_t)(s->ns[SNAPSHOT_BOOTTIME] - s->ns[SNAPSHOT_MONOTONIC]);
    int64_t moved = ahead - service->boot_ahead_ns;

    if (!service->boot_ahead_known || moved > SUSPEND_NS || moved < -SUSPEND_NS) {
        service->boot_ahead_ns = ahead;
        service->boot_ahead_known = true;
    }
    s->ns[SNAPSHOT_MONOTONIC] = s->ns[SNAPSHOT_BOOTTIME] - (uint64_t)service->boot_ahead_ns;
}

uint32_t tw_clock_id(size_t i)
{
    return snapshot_clocks[i].id;
}

void tw_read_clocks(struct tw_service *service, struct tw_clock_snapshot *ret_snapshot)
{
    for (size_t i = 0; i < TW_CLOCKS; i++)
        ret_snapshot->ns[i] = tw_service_now(service, snapshot_clocks[i].clock);
    settle_monotonic(service, ret_snapshot);
}

void tw_snapshot_clocks(struct tw_session *session)
{
    REQ("TW-LIM-021");
    if (tw_builtin_sources(session)->disable_clock_snapshotting)
        return;
    /* The first of a session converts what was written before any other: it is kept, and the
     * oldest of the rest makes room. */
    if (session->n_clocks == TW_CLOCK_SNAPSHOTS_MAX)
        memmove(&session->clocks[1], &session->clocks[2],
                (--session->n_clocks - 1) * sizeof(session->clocks[0]));
    tw_read_clocks(session->service, &session->clocks[session->n_clocks++]);
}

static int append_clocks(struct tw_session *session, const struct tw_clock_snapshot *s,
                         struct tw_buf *out)
{
    Tw__ClockSnapshot__Clock clocks[TW_CLOCKS], *list[TW_CLOCKS];
    Tw__ClockSnapshot snapshot = TW__CLOCK_SNAPSHOT__INIT;
    Tw__TracePacket packet = TW__TRACE_PACKET__INIT;
    const Tw__TraceConfig__BuiltinDataSource *b = tw_builtin_sources(session);

    for (size_t i = 0; i < TW_CLOCKS; i++) {
        tw__clock_snapshot__clock__init(&clocks[i]);
        clocks[i].has_clock_id = clocks[i].has_timestamp = true;
        clocks[i].clock_id = snapshot_clocks[i].id;
        clocks[i].timestamp = s->ns[i];
        list[i] = &clocks[i];
    }
    snapshot.n_clocks = TW_CLOCKS;
    snapshot.clocks = list;
    snapshot.has_primary_trace_clock = true;
    snapshot.primary_trace_clock = b->has_primary_trace_clock && b->primary_trace_clock
                                       ? b->primary_trace_clock
                                       : TW__BUILTIN_CLOCK__BUILTIN_CLOCK_BOOTTIME;
    packet.data_case = TW__TRACE_PACKET__DATA_CLOCK_SNAPSHOT;
    packet.clock_snapshot = &snapshot;
    return tw_own_packet_append(&packet, out);
}

int tw_clock_packets(struct tw_session *session, struct tw_buf *out)
{
    int rc = 0;

    for (size_t i = 0; i < session->n_clocks && !rc; i++)
        rc = append_clocks(session, &session->clocks[i], out);
    session->n_clocks = 0;
    return rc;
}
