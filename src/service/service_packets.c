/* SPDX-License-Identifier: Apache-2.0 */
#include "service/service_packets.h"

#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/req.h"
#include "service/clone.h"
#include "service/relay.h"
#include "service/sequences.h"
#include "service/stats.h"
#include "trace.pb-c.h"
#include "wire/writer.h"

enum { TRACE_PACKET_FIELD = 1 };

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

/* Lets a reader find the packets of a broken file again. The figure is the protocol's
 * (src/tracing/service/tracing_service_impl.h at v58.2). */
static const uint8_t sync_marker[16] = {0x82, 0x47, 0x7a, 0x76, 0xb2, 0x8d, 0x42, 0xba,
                                        0x81, 0xdc, 0x33, 0x32, 0x6d, 0x57, 0xa0, 0x79};

static void random_uuid(struct tw_session *session)
{
    int64_t random[2] = {0};

    /* 16 bytes come whole or, early in the life of a machine, not at all. */
    if (getrandom(random, sizeof(random), GRND_NONBLOCK) != (ssize_t)sizeof(random))
        return;
    session->uuid_msb = (int64_t)(((uint64_t)random[0] & ~UINT64_C(0xf000)) | UINT64_C(0x4000));
    session->uuid_lsb = (int64_t)(((uint64_t)random[1] & (UINT64_MAX >> 2)) | UINT64_C(1) << 63);
}

void tw_service_uuid(struct tw_session *session)
{
    const Tw__TraceConfig *c = session->config;

    session->uuid_msb = c->has_trace_uuid_msb ? c->trace_uuid_msb : 0;
    session->uuid_lsb = c->has_trace_uuid_lsb ? c->trace_uuid_lsb : 0;
    if (!session->uuid_msb && !session->uuid_lsb)
        random_uuid(session);
}

void tw_service_uuid_of_clone(struct tw_session *session, const struct tw_session *from)
{
    session->uuid_msb = session->uuid_lsb = 0;
    random_uuid(session);
    if (from->uuid_lsb)
        session->uuid_lsb = from->uuid_lsb;
}

static const Tw__TraceConfig__BuiltinDataSource *builtin(const struct tw_session *session)
{
    static const Tw__TraceConfig__BuiltinDataSource none =
        TW__TRACE_CONFIG__BUILTIN_DATA_SOURCE__INIT;
    const Tw__TraceConfig__BuiltinDataSource *b = session->config->builtin_data_sources;

    return b ? b : &none;
}

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
    if (builtin(session)->disable_clock_snapshotting)
        return;
    /* The first of a session converts what was written before any other: it is kept, and the
     * oldest of the rest makes room. */
    if (session->n_clocks == TW_CLOCK_SNAPSHOTS_MAX)
        memmove(&session->clocks[1], &session->clocks[2],
                (--session->n_clocks - 1) * sizeof(session->clocks[0]));
    tw_read_clocks(session->service, &session->clocks[session->n_clocks++]);
}

/* The oldest of those that come again and again, so that many flushes do not hide when the session
 * started. */
static void forget_event(struct tw_session *session)
{
    size_t i = 0;

    while (i + 1 < session->n_events && session->events[i].kind != TW_LIFECYCLE_FLUSH_STARTED &&
           session->events[i].kind != TW_LIFECYCLE_ALL_FLUSHED &&
           session->events[i].kind != TW_LIFECYCLE_READ_COMPLETE)
        i++;
    memmove(&session->events[i], &session->events[i + 1],
            (--session->n_events - i) * sizeof(session->events[0]));
}

void tw_lifecycle_event_at(struct tw_session *session, enum tw_lifecycle kind, uint64_t ns)
{
    REQ("TW-LIM-022");
    if (builtin(session)->disable_service_events)
        return;
    if (session->n_events == TW_LIFECYCLE_EVENTS_MAX)
        forget_event(session);
    session->events[session->n_events++] = (struct tw_lifecycle_event){
        .kind = kind,
        .ns = ns,
    };
}

void tw_lifecycle_event(struct tw_session *session, enum tw_lifecycle kind)
{
    tw_lifecycle_event_at(session, kind, tw_service_now(session->service, CLOCK_BOOTTIME));
}

/* Adds what every packet of ours has, and appends it as one field of a Trace. */
static int append(Tw__TracePacket *packet, struct tw_buf *out)
{
    uint8_t head[16];
    struct tw_writer w = tw_writer_of(head, sizeof(head));
    int rc;

    packet->has_trusted_uid = true;
    packet->trusted_uid = (int32_t)geteuid();
    packet->has_trusted_packet_sequence_id = true;
    packet->trusted_packet_sequence_id = TW_SERVICE_SEQUENCE_ID;
    tw_put_len(&w, TRACE_PACKET_FIELD, protobuf_c_message_get_packed_size(&packet->base));
    rc = tw_buf_append(out, head, tw_writer_size(&w));
    return rc ? rc : tw_pbc_pack(&packet->base, out);
}

static int append_clocks(struct tw_session *session, const struct tw_clock_snapshot *s,
                         struct tw_buf *out)
{
    Tw__ClockSnapshot__Clock clocks[TW_CLOCKS], *list[TW_CLOCKS];
    Tw__ClockSnapshot snapshot = TW__CLOCK_SNAPSHOT__INIT;
    Tw__TracePacket packet = TW__TRACE_PACKET__INIT;
    const Tw__TraceConfig__BuiltinDataSource *b = builtin(session);

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
    return append(&packet, out);
}

static int append_all_clocks(struct tw_session *session, struct tw_buf *out)
{
    int rc = 0;

    for (size_t i = 0; i < session->n_clocks && !rc; i++)
        rc = append_clocks(session, &session->clocks[i], out);
    session->n_clocks = 0;
    return rc;
}

static int append_sync_marker(struct tw_session *session, struct tw_buf *out)
{
    Tw__TracePacket packet = TW__TRACE_PACKET__INIT;
    uint8_t marker[sizeof(sync_marker)];

    if (!session->emit_sync_marker)
        return 0;
    session->emit_sync_marker = false;
    memcpy(marker, sync_marker, sizeof(marker));
    packet.data_case = TW__TRACE_PACKET__DATA_SYNCHRONIZATION_MARKER;
    packet.synchronization_marker = (ProtobufCBinaryData){.len = sizeof(marker), .data = marker};
    return append(&packet, out);
}

static int append_uuid(struct tw_session *session, struct tw_buf *out)
{
    Tw__TracePacket packet = TW__TRACE_PACKET__INIT;
    Tw__TraceUuid uuid = TW__TRACE_UUID__INIT;

    uuid.has_msb = uuid.has_lsb = true;
    uuid.msb = session->uuid_msb;
    uuid.lsb = session->uuid_lsb;
    packet.data_case = TW__TRACE_PACKET__DATA_TRACE_UUID;
    packet.trace_uuid = &uuid;
    return append(&packet, out);
}

static int append_config(struct tw_session *session, struct tw_buf *out)
{
    Tw__TracePacket packet = TW__TRACE_PACKET__INIT;

    if (builtin(session)->disable_trace_config)
        return 0;
    packet.data_case = TW__TRACE_PACKET__DATA_TRACE_CONFIG;
    packet.trace_config = session->config;
    return append(&packet, out);
}

static int append_system_info(struct tw_session *session, struct tw_buf *out)
{
    Tw__TracePacket packet = TW__TRACE_PACKET__INIT;
    Tw__SystemInfo info = TW__SYSTEM_INFO__INIT;
    Tw__Utsname name = TW__UTSNAME__INIT;
    const char *given = session->service->options.version;
    char version[TW_NAME_MAX];
    struct utsname uts;
    time_t now = time(NULL);
    struct tm local;

    if (builtin(session)->disable_system_info)
        return 0;
    snprintf(version, sizeof(version), "tracewire v%s", given ? given : TW_VERSION);
    info.tracing_service_version = version;
    info.has_page_size = info.has_num_cpus = info.has_system_ram_bytes = true;
    info.page_size = (uint32_t)sysconf(_SC_PAGESIZE);
    info.num_cpus = session->service->n_cpus;
    info.system_ram_bytes = (uint64_t)sysconf(_SC_PHYS_PAGES) * info.page_size;
    if (localtime_r(&now, &local)) {
        info.has_timezone_off_mins = true;
        info.timezone_off_mins = (int32_t)(local.tm_gmtoff / 60);
    }
    if (uname(&uts) == 0) {
        name.sysname = uts.sysname;
        name.version = uts.version;
        name.release = uts.release;
        name.machine = uts.machine;
        info.utsname = &name;
    }
    packet.data_case = TW__TRACE_PACKET__DATA_SYSTEM_INFO;
    packet.system_info = &info;
    return append(&packet, out);
}

/* Every kind of event is a field of its own, and most are set to true. */
static int append_event(const struct tw_lifecycle_event *event, struct tw_buf *out)
{
    Tw__TracePacket packet = TW__TRACE_PACKET__INIT;
    Tw__TracingServiceEvent service_event = TW__TRACING_SERVICE_EVENT__INIT;

    service_event.event_type_case = (Tw__TracingServiceEvent__EventTypeCase)event->kind;
    if (event->kind == TW_LIFECYCLE_BUFFER_CLONED)
        service_event.buffer_cloned = event->value;
    else
        service_event.all_data_sources_started = true;
    packet.has_timestamp = true;
    packet.timestamp = event->ns;
    packet.data_case = TW__TRACE_PACKET__DATA_SERVICE_EVENT;
    packet.service_event = &service_event;
    return append(&packet, out);
}

/* When each buffer of a clone was copied. */
static int append_buffers_cloned(struct tw_session *session, struct tw_buf *out)
{
    REQ("TW-CONS-057");
    int rc = 0;

    if (session->state != TW_SESSION_CLONED || builtin(session)->disable_service_events)
        return 0;
    for (size_t i = 0; i < session->n_buffers && !rc; i++) {
        struct tw_lifecycle_event event = {
            .kind = TW_LIFECYCLE_BUFFER_CLONED,
            .value = (uint32_t)i,
            .ns = session->copied_ns[tw_clone_takes_away(session, i)],
        };

        rc = append_event(&event, out);
    }
    return rc;
}

static int append_clone_trigger(struct tw_session *session, struct tw_buf *out)
{
    REQ("TW-CONS-057");
    const struct tw_clone_trigger *of = &session->clone_trigger;
    Tw__TracePacket packet = TW__TRACE_PACKET__INIT;
    Tw__Trigger trigger = TW__TRIGGER__INIT;

    if (!of->name || !of->name[0])
        return 0;
    trigger.trigger_name = of->name;
    trigger.producer_name = of->producer;
    trigger.has_trusted_producer_uid = trigger.has_stop_delay_ms = true;
    trigger.trusted_producer_uid = of->uid;
    trigger.stop_delay_ms = of->delay_ms;
    packet.has_timestamp = true;
    packet.timestamp = of->ns;
    packet.data_case = TW__TRACE_PACKET__DATA_CLONE_SNAPSHOT_TRIGGER;
    packet.clone_snapshot_trigger = &trigger;
    return append(&packet, out);
}

static int append_events(struct tw_session *session, struct tw_buf *out)
{
    int rc = 0;

    for (size_t i = 0; i < session->n_events && !rc; i++)
        rc = append_event(&session->events[i], out);
    session->n_events = 0;
    return rc;
}

static int append_stats(struct tw_session *session, struct tw_buf *out)
{
    Tw__TracePacket packet = TW__TRACE_PACKET__INIT;
    Tw__TraceStats *stats = tw_stats(session, &session->service->arena);

    if (!session->emit_stats || !stats)
        return 0;
    session->emit_stats = false;
    packet.data_case = TW__TRACE_PACKET__DATA_TRACE_STATS;
    packet.trace_stats = stats;
    return append(&packet, out);
}

static int append_trigger(const struct tw_trigger_hit *hit, struct tw_buf *out)
{
    Tw__TracePacket packet = TW__TRACE_PACKET__INIT;
    Tw__Trigger trigger = TW__TRIGGER__INIT;

    trigger.trigger_name = hit->name;
    trigger.producer_name = hit->producer_name;
    trigger.has_trusted_producer_uid = trigger.has_stop_delay_ms = true;
    trigger.trusted_producer_uid = hit->producer_uid;
    trigger.stop_delay_ms = hit->delay_ms;
    packet.has_timestamp = true;
    packet.timestamp = hit->ns;
    packet.data_case = TW__TRACE_PACKET__DATA_TRIGGER;
    packet.trigger = &trigger;
    return append(&packet, out);
}

static int append_triggers(struct tw_session *session, struct tw_buf *out)
{
    REQ("TW-TRIG-009");
    const struct tw_trigger_hit *hit = NULL;
    int rc = 0;

    if (builtin(session)->disable_trace_config)
        return 0;
    while (!rc && (hit = tw_triggers_unwritten(session, hit)))
        rc = append_trigger(hit, out);
    tw_triggers_written(session);
    return rc;
}

typedef int (*append_fn)(struct tw_session *session, struct tw_buf *out);

static int append_each(const append_fn *fns, size_t n, struct tw_session *session,
                       struct tw_buf *out)
{
    int rc = 0;

    for (size_t i = 0; i < n && !rc; i++)
        rc = fns[i](session, out);
    return rc;
}

int tw_service_packets_before(struct tw_session *session, struct tw_buf *out)
{
    static const append_fn always[] = {append_all_clocks, append_sync_marker};
    static const append_fn once[] = {append_config, append_uuid, append_system_info,
                                     append_clone_trigger, append_buffers_cloned};
    static const append_fn then[] = {append_triggers, append_events, tw_relay_packets};
    int rc = append_each(always, TW_ARRAY_LEN(always), session, out);

    if (!rc && !session->emitted_initial)
        rc = append_each(once, TW_ARRAY_LEN(once), session, out);
    session->emitted_initial = true;
    return rc ? rc : append_each(then, TW_ARRAY_LEN(then), session, out);
}

int tw_service_packets_after(struct tw_session *session, struct tw_buf *out)
{
    static const append_fn all[] = {append_events, append_stats};

    tw_lifecycle_event(session, TW_LIFECYCLE_READ_COMPLETE);
    return append_each(all, TW_ARRAY_LEN(all), session, out);
}
