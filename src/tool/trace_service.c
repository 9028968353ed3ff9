/* SPDX-License-Identifier: Apache-2.0 */
/* What the service itself says in a trace, and whether it fits together (spec/trace-file.md). */
#include <stdio.h>

#include "tool/trace_survey.h"
#include "trace.pb-c.h"
#include "wire/pbc.h"

static void take_config(struct tw_survey *s, const ProtobufCMessage *message,
                        const struct tw_packet_facts *facts)
{
    const Tw__TraceConfig *config = (const Tw__TraceConfig *)message;

    (void)facts;
    s->has_config = true;
    s->n_buffers = config->n_buffers;
    s->clocks_left_out =
        config->builtin_data_sources && config->builtin_data_sources->disable_clock_snapshotting;
}

static void take_uuid(struct tw_survey *s, const ProtobufCMessage *message,
                      const struct tw_packet_facts *facts)
{
    const Tw__TraceUuid *uuid = (const Tw__TraceUuid *)message;

    if (s->has_uuid)
        tw_survey_find(s, TW_FIND_TWO_TRACES, facts);
    s->has_uuid = true;
    s->uuid_msb = (uint64_t)uuid->msb;
    s->uuid_lsb = (uint64_t)uuid->lsb;
}

static void take_system(struct tw_survey *s, const ProtobufCMessage *message,
                        const struct tw_packet_facts *facts)
{
    const Tw__SystemInfo *info = (const Tw__SystemInfo *)message;
    const Tw__Utsname *name = info->utsname;
    char text[sizeof(s->system)];

    (void)facts;
    if (info->tracing_service_version)
        tw_survey_name(s->version, sizeof(s->version), info->tracing_service_version);
    if (!name)
        return;
    snprintf(text, sizeof(text), "%.20s %.20s %.20s", name->sysname ? name->sysname : "",
             name->release ? name->release : "", name->machine ? name->machine : "");
    tw_survey_name(s->system, sizeof(s->system), text);
}

static void take_clocks(struct tw_survey *s, const ProtobufCMessage *message,
                        const struct tw_packet_facts *facts)
{
    (void)message; /* the original's go back by some microseconds, which harms no reader */
    (void)facts;
    s->snapshots++;
}

/* The last ones count: each says what came until then. */
static void count_losses(struct tw_survey *s, const Tw__TraceStats *stats)
{
    uint64_t *losses = s->losses;

    for (int i = TW_LOSS_OVERWRITTEN; i < TW_LOSSES; i++)
        losses[i] = 0;
    for (size_t i = 0; i < stats->n_buffer_stats; i++) {
        const Tw__TraceStats__BufferStats *buffer = stats->buffer_stats[i];

        losses[TW_LOSS_OVERWRITTEN] += buffer->chunks_overwritten;
        losses[TW_LOSS_FULL] += buffer->chunks_discarded;
        losses[TW_LOSS_WRITER] += buffer->trace_writer_packet_loss;
        losses[TW_LOSS_PATCHES] += buffer->patches_failed;
    }
    losses[TW_LOSS_REFUSED_CHUNKS] = stats->chunks_discarded;
    losses[TW_LOSS_REFUSED_PATCHES] = stats->patches_discarded;
    losses[TW_LOSS_INVALID] = stats->invalid_packets;
    losses[TW_LOSS_FLUSHES] = stats->flushes_failed;
    losses[TW_LOSS_FINAL_FLUSH] =
        stats->final_flush_outcome == TW__TRACE_STATS__FINAL_FLUSH_OUTCOME__FINAL_FLUSH_FAILED;
}

static void take_stats(struct tw_survey *s, const ProtobufCMessage *message,
                       const struct tw_packet_facts *facts)
{
    const Tw__TraceStats *stats = (const Tw__TraceStats *)message;

    if (s->has_config && stats->n_buffer_stats != s->n_buffers)
        tw_survey_find(s, TW_FIND_STATS_BUFFERS, facts);
    for (size_t i = 0; i < stats->n_buffer_stats && i < TW_SURVEY_BUFFERS_MAX; i++) {
        uint64_t written = stats->buffer_stats[i]->bytes_written;

        if (written < s->written[i])
            tw_survey_find(s, TW_FIND_STATS_BACK, facts);
        s->written[i] = written;
    }
    s->stats++;
    count_losses(s, stats);
}

static void take_event(struct tw_survey *s, const ProtobufCMessage *message,
                       const struct tw_packet_facts *facts)
{
    (void)message;
    s->events++;
    if (facts->timestamp < s->event_time)
        tw_survey_find(s, TW_FIND_EVENT_BACK, facts);
    s->event_time = facts->timestamp;
}

static const struct told {
    uint32_t kind;
    bool only_service; /* a producer's packet of this kind is dropped by the service */
    const ProtobufCMessageDescriptor *message;
    void (*take)(struct tw_survey *s, const ProtobufCMessage *message,
                 const struct tw_packet_facts *facts);
} told[] = {
    {TW_PACKET_CLOCK_SNAPSHOT, false, &tw__clock_snapshot__descriptor, take_clocks},
    {TW_PACKET_TRACE_CONFIG, true, &tw__trace_config__descriptor, take_config},
    {TW_PACKET_TRACE_STATS, true, &tw__trace_stats__descriptor, take_stats},
    {TW_PACKET_SYSTEM_INFO, false, &tw__system_info__descriptor, take_system},
    {TW_PACKET_SERVICE_EVENT, true, &tw__tracing_service_event__descriptor, take_event},
    {TW_PACKET_TRACE_UUID, false, &tw__trace_uuid__descriptor, take_uuid},
    {TW_PACKET_SYNC_MARKER, true, NULL, NULL},
    {TW_PACKET_REMOTE_CLOCK_SYNC, true, NULL, NULL},
    {TW_PACKET_TRACE_PROVENANCE, true, NULL, NULL},
};

static int take(struct tw_survey *s, const struct told *kind, const struct tw_packet_facts *facts)
{
    ProtobufCMessage *message;
    int rc = tw_pbc_unpack(kind->message, &s->arena, facts->body, &message);

    if (rc < 0)
        return rc;
    if (rc)
        tw_survey_find(s, TW_FIND_MALFORMED, facts);
    else
        kind->take(s, message, facts);
    tw_arena_reset(&s->arena);
    return 0;
}

static const struct told *told_by(uint32_t kind)
{
    for (size_t i = 0; i < TW_ARRAY_LEN(told); i++)
        if (told[i].kind == kind)
            return &told[i];
    return NULL;
}

int tw_survey_service_packet(struct tw_survey *s, const struct tw_packet_facts *facts)
{
    bool own = facts->sequence == TW_SURVEY_SERVICE_SEQ;
    const struct told *kind = told_by(facts->kind);

    if (!own && s->snapshots == 0)
        s->before_clocks++;
    if (!kind)
        return 0;
    if (!own && facts->has_sequence && kind->only_service)
        tw_survey_find(s, TW_FIND_FORGED, facts);
    /* What is about another machine says nothing of this one. */
    return own && facts->machine == 0 && kind->take ? take(s, kind, facts) : 0;
}

/* Old services write no uuid; all others write all of these, but for what the config leaves out. */
void tw_survey_service_end(struct tw_survey *s)
{
    if (!s->has_config)
        tw_survey_find(s, TW_FIND_NO_CONFIG, NULL);
    if (!s->has_uuid)
        tw_survey_find(s, TW_FIND_NO_UUID, NULL);
    if (!s->stats)
        tw_survey_find(s, TW_FIND_NO_STATS, NULL);
    if (!s->snapshots && !s->clocks_left_out)
        tw_survey_find(s, TW_FIND_NO_CLOCKS, NULL);
    else if (s->snapshots && s->before_clocks)
        tw_survey_find(s, TW_FIND_LATE_CLOCKS, NULL);
}
