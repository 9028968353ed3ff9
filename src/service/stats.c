/* SPDX-License-Identifier: Apache-2.0 */
#include "service/stats.h"

#include <string.h>

#include "base/req.h"
#include "service/own_packet.h"
#include "service/sequences.h"

#define SET(msg, field, v)                                                                         \
    do {                                                                                           \
        (msg)->has_##field = true;                                                                 \
        (msg)->field = (v);                                                                        \
    } while (0)

static Tw__TraceStats__BufferStats *buffer_stats(const struct tw_trace_buffer *tb,
                                                 struct tw_arena *arena)
{
    REQ("TW-BUF-080");
    const struct tw_trace_buffer_stats *s = tw_trace_buffer_stats(tb);
    Tw__TraceStats__BufferStats *out = tw_arena_alloc(arena, sizeof(*out));

    if (!out)
        return NULL;
    tw__trace_stats__buffer_stats__init(out);
    SET(out, buffer_size, s->buffer_size);
    SET(out, bytes_written, s->bytes_written);
    SET(out, bytes_overwritten, s->bytes_overwritten);
    SET(out, bytes_read, s->bytes_read);
    SET(out, padding_bytes_written, s->padding_bytes_written);
    SET(out, padding_bytes_cleared, s->padding_bytes_cleared);
    SET(out, chunks_written, s->chunks_written);
    SET(out, chunks_rewritten, s->chunks_rewritten);
    SET(out, chunks_relocated, s->chunks_relocated);
    SET(out, chunks_overwritten, s->chunks_overwritten);
    SET(out, chunks_discarded, s->chunks_discarded);
    SET(out, chunks_read, s->chunks_read);
    SET(out, chunks_committed_out_of_order, s->chunks_committed_out_of_order);
    SET(out, write_wrap_count, s->write_wrap_count);
    SET(out, patches_succeeded, s->patches_succeeded);
    SET(out, patches_failed, s->patches_failed);
    SET(out, readaheads_succeeded, s->readaheads_succeeded);
    SET(out, readaheads_failed, s->readaheads_failed);
    SET(out, abi_violations, s->abi_violations);
    SET(out, trace_writer_packet_loss, s->trace_writer_packet_loss);
    return out;
}

static Tw__TraceStats__WriterStats *writer_stats(struct tw_session *session,
                                                 const struct tw_writer_info *info, size_t buffer,
                                                 struct tw_arena *arena)
{
    REQ("TW-BUF-081");
    Tw__TraceStats__WriterStats *out = tw_arena_alloc(arena, sizeof(*out));
    struct tw_writer_histogram *h = tw_arena_alloc(arena, sizeof(*h));
    const struct tw_sequence *seq = tw_sequence(session, info->seq);

    if (!out || !h || !seq)
        return NULL;
    *h = info->histogram;
    tw__trace_stats__writer_stats__init(out);
    SET(out, sequence_id, seq->id);
    SET(out, buffer, (uint32_t)buffer);
    out->n_chunk_payload_histogram_counts = TW_WRITER_HISTOGRAM_SIZE;
    out->chunk_payload_histogram_counts = h->counts;
    out->n_chunk_payload_histogram_sum = TW_WRITER_HISTOGRAM_SIZE;
    out->chunk_payload_histogram_sum = (int64_t *)h->sums; /* never near 2^63 */
    return out;
}

static size_t count_writers(const struct tw_session *session)
{
    struct tw_writer_info info;
    size_t n = 0;

    for (size_t i = 0; i < session->n_buffers; i++) {
        size_t at = 0;

        while (!tw_trace_buffer_next_writer(session->service->buffers[session->buffer_ids[i]], &at,
                                            &info))
            n++;
    }
    return n;
}

static void add_writers(struct tw_session *session, Tw__TraceStats *stats, struct tw_arena *arena)
{
    size_t max = count_writers(session);
    struct tw_writer_info info;
    int64_t *ends = tw_arena_alloc(arena, sizeof(tw_writer_histogram_ends));

    stats->writer_stats = tw_arena_alloc(arena, (max + 1) * sizeof(*stats->writer_stats));
    if (!stats->writer_stats || !ends || max == 0)
        return;
    memcpy(ends, tw_writer_histogram_ends, sizeof(tw_writer_histogram_ends));
    stats->chunk_payload_histogram_def = ends;
    stats->n_chunk_payload_histogram_def = TW_WRITER_HISTOGRAM_SIZE - 1; /* the last has no end */
    for (size_t i = 0; i < session->n_buffers; i++) {
        size_t at = 0;

        while (stats->n_writer_stats < max &&
               !tw_trace_buffer_next_writer(session->service->buffers[session->buffer_ids[i]], &at,
                                            &info)) {
            Tw__TraceStats__WriterStats *w = writer_stats(session, &info, i, arena);

            if (!w)
                return;
            stats->writer_stats[stats->n_writer_stats++] = w;
        }
    }
}

static void add_buffers(struct tw_session *session, Tw__TraceStats *stats, struct tw_arena *arena)
{
    stats->buffer_stats =
        tw_arena_alloc(arena, (session->n_buffers + 1) * sizeof(*stats->buffer_stats));
    for (size_t i = 0; stats->buffer_stats && i < session->n_buffers; i++) {
        Tw__TraceStats__BufferStats *b =
            buffer_stats(session->service->buffers[session->buffer_ids[i]], arena);

        if (!b)
            return;
        stats->buffer_stats[stats->n_buffer_stats++] = b;
    }
}

static void add_service(const struct tw_service *service, Tw__TraceStats *stats)
{
    const struct tw_session *session;
    uint32_t n_sessions = 0, n_buffers = 0;

    TAILQ_FOREACH (session, &service->sessions, next) {
        n_sessions++;
        n_buffers += (uint32_t)session->n_buffers;
    }
    SET(stats, producers_connected, (uint32_t)service->n_producers);
    SET(stats, producers_seen, service->producers_seen);
    SET(stats, data_sources_registered, (uint32_t)service->n_data_sources);
    SET(stats, data_sources_seen, service->data_sources_seen);
    SET(stats, tracing_sessions, n_sessions);
    SET(stats, total_buffers, n_buffers);
    SET(stats, chunks_discarded, service->chunks_discarded);
    SET(stats, patches_discarded, service->patches_discarded);
}

Tw__TraceStats *tw_stats(struct tw_session *session, struct tw_arena *arena)
{
    Tw__TraceStats *stats = tw_arena_alloc(arena, sizeof(*stats));

    if (!stats)
        return NULL;
    tw__trace_stats__init(stats);
    add_service(session->service, stats);
    SET(stats, invalid_packets, session->invalid_packets);
    SET(stats, flushes_requested, session->flushes_requested);
    SET(stats, flushes_succeeded, session->flushes_succeeded);
    SET(stats, flushes_failed, session->flushes_failed);
    SET(stats, final_flush_outcome, (Tw__TraceStats__FinalFlushOutcome)session->final_flush);
    add_buffers(session, stats, arena);
    if (!tw_builtin_sources(session)->disable_chunk_usage_histograms)
        add_writers(session, stats, arena);
    return stats;
}
