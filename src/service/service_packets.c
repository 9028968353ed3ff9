/* SPDX-License-Identifier: Apache-2.0 */
#include "service/service_packets.h"

#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/req.h"
#include "service/clock_snapshot.h"
#include "service/concurrent_sessions.h"
#include "service/own_packet.h"
#include "service/provenance.h"
#include "service/relay.h"
#include "service/service_events.h"
#include "service/stats.h"

/* Lets a reader find the packets of a broken file again. The figure is the protocol's
 * (src/tracing/service/tracing_service_impl.h at v58.2). */
static const uint8_t sync_marker[16] = {0x82, 0x47, 0x7a, 0x76, 0xb2, 0x8d, 0x42, 0xba,
                                        0x81, 0xdc, 0x33, 0x32, 0x6d, 0x57, 0xa0, 0x79};

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
    return tw_own_packet_append(&packet, out);
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
    return tw_own_packet_append(&packet, out);
}

static int append_config(struct tw_session *session, struct tw_buf *out)
{
    REQ("TW-TRACE-045");
    Tw__TracePacket packet = TW__TRACE_PACKET__INIT;

    if (tw_builtin_sources(session)->disable_trace_config)
        return 0;
    packet.data_case = TW__TRACE_PACKET__DATA_TRACE_CONFIG;
    packet.trace_config = session->config;
    return tw_own_packet_append(&packet, out);
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

    if (tw_builtin_sources(session)->disable_system_info)
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
    return tw_own_packet_append(&packet, out);
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
    return tw_own_packet_append(&packet, out);
}

/* What either kind of trigger packet says. */
static int append_trigger(Tw__TracePacket__DataCase data_case, const struct tw_trigger_info *info,
                          struct tw_buf *out)
{
    Tw__TracePacket packet = TW__TRACE_PACKET__INIT;
    Tw__Trigger trigger = TW__TRIGGER__INIT;

    trigger.trigger_name = info->name;
    trigger.producer_name = info->producer;
    trigger.has_trusted_producer_uid = trigger.has_stop_delay_ms = true;
    trigger.trusted_producer_uid = info->uid;
    trigger.stop_delay_ms = info->delay_ms;
    packet.has_timestamp = true;
    packet.timestamp = info->ns;
    packet.data_case = data_case;
    packet.trigger = &trigger; /* all messages of data_case are one pointer */
    return tw_own_packet_append(&packet, out);
}

static int append_clone_trigger(struct tw_session *session, struct tw_buf *out)
{
    REQ("TW-CONS-057");
    const struct tw_trigger_info *info = &session->clone_trigger;

    if (!info->name || !info->name[0] || tw_builtin_sources(session)->disable_trace_config)
        return 0;
    return append_trigger(TW__TRACE_PACKET__DATA_CLONE_SNAPSHOT_TRIGGER, info, out);
}

static int append_triggers(struct tw_session *session, struct tw_buf *out)
{
    REQ("TW-TRIG-009");
    const struct tw_trigger_hit *hit;
    int rc = 0;

    if (tw_builtin_sources(session)->disable_trace_config)
        return 0;
    TAILQ_FOREACH (hit, &session->triggers.hits, next)
        if (!rc)
            rc = append_trigger(TW__TRACE_PACKET__DATA_TRIGGER, &hit->info, out);
    tw_triggers_forget(session);
    return rc;
}

/* In the order in which they stand in the trace; some only in the first pass over it. */
static const struct {
    int (*append)(struct tw_session *session, struct tw_buf *out);
    bool first_pass_only;
} before_buffers[] = {
    {tw_clock_packets, false},          {append_sync_marker, false}, {append_config, true},
    {append_clone_trigger, true},       {append_triggers, false},    {append_uuid, true},
    {tw_provenance_packet, true},       {append_system_info, true},  {tw_event_packets, false},
    {tw_session_change_packets, false}, {tw_relay_packets, false},
};

int tw_service_packets_before(struct tw_session *session, struct tw_buf *out)
{
    REQ("TW-TRACE-022");
    int rc = 0;

    for (size_t i = 0; i < TW_ARRAY_LEN(before_buffers) && !rc; i++)
        if (!before_buffers[i].first_pass_only || !session->emitted_initial)
            rc = before_buffers[i].append(session, out);
    session->emitted_initial = true;
    return rc;
}

int tw_service_packets_after(struct tw_session *session, struct tw_buf *out)
{
    int rc;

    tw_event(session, TW_LIFECYCLE_READ_COMPLETE);
    rc = tw_event_packets(session, out);
    return rc ? rc : append_stats(session, out);
}
