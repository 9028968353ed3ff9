/* SPDX-License-Identifier: Apache-2.0 */
/* How a session ends: the service or a signal ends it, its losses are asked for, what it has
 * recorded is read, and it is freed. */
#include <stdio.h>

#include "base/req.h"
#include "consumer_port.pb-c.h"
#include "tool/recorder.h"
#include "trace_stats.pb-c.h"
#include "wire/pbc.h"

enum { SERVICE_TEXT_MAX = 1000 }; /* bytes of what the service says about an error */
/* Producers are told: the command, because the trace ends. */
enum { FLUSH_FLAGS = 0x22 };
/* Bytes that decoding the statistics may cost. */
#define STATS_MAX ((size_t)4 * 1024 * 1024)

static void on_freed(void *user, int result)
{
    if (result != TW_E_CLOSED) /* every packet is here; nothing else can matter */
        tw_recorder_over(user);
}

void tw_recorder_free(struct tw_recorder *r)
{
    tw_recorder_enter(r, TW_RECORDER_FREEING, TW_RECORDER_ANSWER_MS);
    (void)tw_recorder_sent(r, tw_consumer_free_buffers(r->consumer, on_freed, r));
}

static void on_packet(void *user, struct tw_bytes packet)
{
    struct tw_recorder *r = user;

    if (r->phase != TW_RECORDER_READING)
        return;
    tw_recorder_extend(r, TW_RECORDER_ANSWER_MS);
    if (!tw_trace_file_packet(r->out, packet))
        return;
    r->status = TW_EXIT_FAILURE; /* closing the file says why */
    tw_recorder_over(r);
}

static void on_read(void *user, int result)
{
    struct tw_recorder *r = user;

    if (result == TW_E_CLOSED || r->phase != TW_RECORDER_READING)
        return;
    if (result && r->status == TW_EXIT_OK) {
        tw_progress_say(&r->progress, "reading the trace: %s", tw_err_str(result));
        r->status = TW_EXIT_REFUSED;
    }
    r->whole = !result && (r->status == TW_EXIT_OK || tw_trace_file_packets(r->out) > 0);
    tw_recorder_free(r);
}

static void read_buffers(struct tw_recorder *r)
{
    tw_recorder_enter(r, TW_RECORDER_READING, TW_RECORDER_ANSWER_MS);
    (void)tw_recorder_sent(r, tw_consumer_read_buffers(r->consumer, on_packet, on_read, r));
}

static void take_stats(struct tw_recorder *r, const Tw__TraceStats *stats)
{
    r->n_bytes = 0;
    r->n_lost = stats->chunks_discarded + stats->patches_discarded + stats->invalid_packets;
    for (size_t i = 0; i < stats->n_buffer_stats; i++) {
        const Tw__TraceStats__BufferStats *b = stats->buffer_stats[i];

        r->n_bytes += b->bytes_written;
        r->n_lost += b->chunks_overwritten + b->chunks_discarded + b->patches_failed +
                     b->trace_writer_packet_loss;
    }
    r->counted = true;
}

static void take_answer(struct tw_recorder *r, int result, struct tw_bytes body)
{
    struct tw_arena arena = TW_ARENA_INIT(STATS_MAX);
    ProtobufCMessage *msg;

    if (!result && !tw_pbc_unpack(&tw__get_trace_stats_response__descriptor, &arena, body, &msg)) {
        const Tw__GetTraceStatsResponse *response = (const Tw__GetTraceStatsResponse *)msg;

        if (response->trace_stats)
            take_stats(r, response->trace_stats);
    }
    tw_arena_deinit(&arena);
}

static void on_stats(void *user, int result, struct tw_bytes body, bool more)
{
    struct tw_recorder *r = user;

    r->asking = more;
    take_answer(r, result, body);
}

void tw_recorder_count(struct tw_recorder *r)
{
    if (!r->asking)
        r->asking = tw_consumer_get_trace_stats(r->consumer, on_stats, r) == 0;
}

static void go_on(struct tw_recorder *r)
{
    if (r->into_file)
        tw_recorder_free(r);
    else
        read_buffers(r);
}

static void on_last_stats(void *user, int result, struct tw_bytes body, bool more)
{
    struct tw_recorder *r = user;

    if (result == TW_E_CLOSED || more || r->phase != TW_RECORDER_READING)
        return;
    take_answer(r, result, body);
    go_on(r);
}

void tw_recorder_read(struct tw_recorder *r)
{
    tw_recorder_enter(r, TW_RECORDER_READING, TW_RECORDER_ANSWER_MS);
    if (tw_consumer_get_trace_stats(r->consumer, on_last_stats, r))
        go_on(r); /* a service that has no such method */
}

static void say_error(struct tw_recorder *r, struct tw_bytes error)
{
    char text[SERVICE_TEXT_MAX];

    snprintf(text, sizeof(text), "%.*s", (int)tw_min(error.n, sizeof(text) - 1),
             (const char *)error.p);
    tw_progress_say(&r->progress, "the service ended the session: %s", text);
}

/* An error does not mean that nothing was recorded before it. */
void tw_recorder_ended(void *user, int result, struct tw_bytes error)
{
    struct tw_recorder *r = user;

    if (result == TW_E_CLOSED || r->phase == TW_RECORDER_OVER)
        return;
    if (error.n)
        say_error(r, error);
    else if (result)
        tw_progress_say(&r->progress, "the service refused the session: %s", tw_err_str(result));
    if (error.n || result)
        r->status = TW_EXIT_REFUSED;
    r->whole = r->into_file && r->status == TW_EXIT_OK;
    if (result)
        tw_recorder_free(r);
    else
        tw_recorder_read(r);
}

static void on_stopped(void *user, int result)
{
    (void)user; /* the end of the session is told by its own answer */
    (void)result;
}

static void on_flushed(void *user, int result)
{
    struct tw_recorder *r = user;

    if (result == TW_E_CLOSED || r->phase != TW_RECORDER_STOPPING)
        return;
    if (result)
        tw_progress_say(&r->progress, "not every producer handed over its last data in time");
    (void)tw_recorder_sent(r, tw_consumer_disable_tracing(r->consumer, on_stopped, r));
}

void tw_recorder_stop(struct tw_recorder *r)
{
    uint64_t patience_ms = r->config ? r->config->patience_ms : 0;

    tw_recorder_enter(r, TW_RECORDER_STOPPING, patience_ms + TW_RECORDER_PATIENCE_MS);
    tw_recorder_show(r);
    REQ("TW-TRACE-081");
    (void)tw_recorder_sent(r, tw_consumer_flush(r->consumer, 0, FLUSH_FLAGS, on_flushed, r));
}
