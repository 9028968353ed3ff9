/* SPDX-License-Identifier: Apache-2.0 */
#include "service/file_writer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/req.h"
#include "service/clone.h"
#include "service/flush.h"
#include "service/observe.h"
#include "service/session.h"
#include "wire/writer.h"

enum {
    TRACE_PACKET = 1, /* field of Trace */
    HEAD_MAX = 8,     /* bytes: the tag and the length of a packet */
    LEND_MIN = 64,    /* bytes: to say where fewer are costs more than to copy them */
};

/* Own bytes that wait: those of one turn, or a packet that the other end does not take yet. */
#define WAITING_MAX (TW_PACKET_MAX + 8 * TW_FILE_BYTES_PER_TURN)

static bool is_set(const char *text)
{
    return text && text[0];
}

static void set_times(struct tw_file_writer *w, const Tw__TraceConfig *c)
{
    REQ("TW-TRACE-012");
    REQ("TW-TRACE-013");
    REQ("TW-LIM-112");
    REQ("TW-LIM-113");
    int mode = c->has_write_flush_mode ? (int)c->write_flush_mode : 0;

    w->period_ms = c->has_file_write_period_ms ? c->file_write_period_ms : 0;
    if (w->period_ms == 0)
        w->period_ms = TW_FILE_PERIOD_MS;
    w->period_ms = w->period_ms < TW_FILE_PERIOD_MIN_MS ? TW_FILE_PERIOD_MIN_MS : w->period_ms;
    if (mode == TW__TRACE_CONFIG__WRITE_FLUSH_MODE__WRITE_FLUSH_DISABLED)
        w->flush = TW_WRITE_FLUSH_AS_CONFIGURED;
    else if (mode == TW__TRACE_CONFIG__WRITE_FLUSH_MODE__WRITE_FLUSH_ENABLED ||
             w->period_ms > TW_FILE_PERIOD_MS)
        w->flush = TW_WRITE_FLUSH_FIRST;
    else
        w->flush = TW_WRITE_FLUSH_PERIODIC;
    w->sync = c->has_fflush_post_write &&
              c->fflush_post_write == TW__TRACE_CONFIG__FFLUSH_MODE__FFLUSH_ENABLED;
}

static void on_period(struct tw_timer *timer);
static void on_turn(struct tw_timer *timer);

static struct tw_file_writer *new_writer(struct tw_session *session)
{
    struct tw_file_writer *w = calloc(1, sizeof(*w));
    const Tw__TraceConfig *c = session->config;

    if (!w)
        return NULL;
    w->session = session;
    w->out = TW_OUTPUT_INIT;
    w->before = TW_EXTRACT_INIT;
    w->waiting = TW_GATHER_INIT(WAITING_MAX);
    w->max_bytes =
        c->has_max_file_size_bytes && c->max_file_size_bytes ? c->max_file_size_bytes : UINT64_MAX;
    w->period.fn = on_period;
    w->turn.fn = on_turn;
    tw_packet_source_init(&w->source);
    set_times(w, c);
    return w;
}

/* The descriptor that came, or that of a file made for it. */
static int choose(const struct tw_session *session, int *fd, const char **ret_error)
{
    REQ("TW-TRACE-011");
    REQ("TW-TRACE-014");
    const struct tw_service *service = session->service;
    const char *path = session->config->output_path;

    *ret_error = "write_into_file needs either a descriptor with the call or an output_path";
    if (is_set(path) == (*fd >= 0))
        return TW_E_INVALID;
    if (!is_set(path))
        return 0;
    *ret_error = "this service makes no files: it was started without a directory for them";
    if (service->output_dir < 0)
        return TW_E_REFUSED;
    *ret_error = "the file at output_path exists, is outside the directory for them, or cannot be "
                 "made";
    return tw_output_create(service->output_dir, service->options.output_dir, path, fd);
}

static int open_output(struct tw_file_writer *w, int *fd, const char **ret_error)
{
    int rc = choose(w->session, fd, ret_error);

    if (!rc)
        rc = tw_output_open(&w->out, fd, ret_error);
    if (rc)
        return rc;
    *ret_error = tw_quotas[TW_QUOTA_DESCRIPTORS].passed;
    return tw_charge_set(&w->session->charge, TW_QUOTA_DESCRIPTORS, tw_output_n_fds(&w->out));
}

int tw_file_writer_open(struct tw_session *session, int fd, const char **ret_error)
{
    REQ("TW-TRACE-011");
    const Tw__TraceConfig *c = session->config;
    int rc = 0;

    if (c->has_write_into_file && c->write_into_file) {
        *ret_error = "the service is out of memory";
        session->writer = new_writer(session);
        rc = session->writer ? open_output(session->writer, &fd, ret_error) : -ENOMEM;
    }
    tw_fd_close(&fd);
    return rc;
}

static void close_output(struct tw_file_writer *w)
{
    struct tw_timers *timers = w->session->service->timers;

    w->passing = w->again = false;
    tw_timer_clear(timers, &w->period);
    tw_timer_clear(timers, &w->turn);
    tw_packet_source_deinit(&w->source);
    tw_gather_deinit(&w->waiting);
    tw_output_close(&w->out);
    tw_extract_close(&w->before);
    TW_IGNORE(tw_charge_set(&w->session->charge, TW_QUOTA_DESCRIPTORS, 0)); /* less is possible */
}

void tw_file_writer_free(struct tw_session *session)
{
    struct tw_file_writer *w = session->writer;

    if (!w)
        return;
    if (w->out.fd >= 0)
        close_output(w);
    session->writer = NULL;
    free(w);
}

bool tw_file_writer_passing(const struct tw_session *session)
{
    return session->writer && session->writer->passing;
}

bool tw_file_writer_busy(const struct tw_session *session)
{
    return session->writer && session->writer->out.fd >= 0;
}

uint32_t tw_file_writer_flush_period(const struct tw_session *session, uint32_t configured_ms)
{
    REQ("TW-TRACE-013");
    if (!session->writer || session->writer->flush == TW_WRITE_FLUSH_AS_CONFIGURED)
        return configured_ms;
    return session->writer->flush == TW_WRITE_FLUSH_PERIODIC ? TW_FILE_PERIOD_MS : 0;
}

/* Nothing is written any more, all being written or nothing possible: the session is over. */
static void done(struct tw_file_writer *w)
{
    struct tw_session *session = w->session;

    close_output(w);
    if (session->state == TW_SESSION_STARTED)
        tw_session_disable(session);
    else if (session->state == TW_SESSION_DISABLED)
        tw_session_written(session);
    else if (session->state == TW_SESSION_CLONED)
        tw_clone_written(session);
}

static void fail(struct tw_file_writer *w, int rc)
{
    REQ("TW-TRACE-018");
    const char *why = rc < 0 ? strerrordesc_np(-rc) : tw_err_str(rc);

    snprintf(w->error, sizeof(w->error), "TW-TRACE-018: the trace file: %s", why);
    if (!w->session->error)
        w->session->error = w->error;
    w->passing = false;
    tw_clones_pass_over(w->session);
    done(w);
}

/* Periods begin at multiples of themselves, so that files of several sessions are cut alike. */
static void arm_period(struct tw_file_writer *w)
{
    REQ("TW-TRACE-012");
    uint64_t now_ms = tw_service_now(w->session->service, CLOCK_MONOTONIC) / TW_NS_PER_MS;

    if (w->session->state == TW_SESSION_STARTED)
        tw_service_arm(w->session->service, &w->period, w->period_ms - now_ms % w->period_ms);
}

static void arm_turn(struct tw_file_writer *w, uint32_t delay_ms)
{
    tw_service_arm(w->session->service, &w->turn, delay_ms);
    if (!tw_timer_is_set(&w->turn)) /* nothing else would go on with it */
        fail(w, -ENOMEM);
}

static int put_part(struct tw_file_writer *w, struct tw_bytes part, bool stays)
{
    if (part.n < LEND_MIN || !stays)
        return tw_gather_put(&w->waiting, part);
    return tw_gather_lend(&w->waiting, part);
}

/* As an element of the Trace message that the file is. TW_E_LIMIT when the file would be as large
 * as it may be, or larger. */
static int put_packet(struct tw_file_writer *w, const struct tw_packet *packet)
{
    REQ("TW-TRACE-011");
    REQ("TW-TRACE-017");
    uint8_t bytes[HEAD_MAX];
    struct tw_writer head = tw_writer_of(bytes, sizeof(bytes));
    uint64_t size;
    int rc;

    tw_put_len(&head, TRACE_PACKET, packet->size);
    size = tw_writer_size(&head) + packet->size;
    if (size >= w->max_bytes - w->bytes)
        return TW_E_LIMIT;
    rc = tw_gather_put(&w->waiting, (struct tw_bytes){bytes, tw_writer_size(&head)});
    for (size_t i = 0; i <= packet->n_slices && !rc; i++)
        rc = put_part(w, tw_packet_part(packet, i), packet->stays);
    w->bytes += size;
    return rc;
}

/* A turn's worth of what goes before the packets. */
static int gather_before(struct tw_file_writer *w)
{
    int rc = tw_extract_read(&w->before, &w->waiting, TW_FILE_BYTES_PER_TURN);

    if (rc || w->before.left > 0)
        return rc;
    tw_extract_close(&w->before);
    return tw_packet_source_begin(&w->source, w->session);
}

/* After a packet, or with none after a look for one. */
static bool is_enough(const struct tw_file_writer *w, bool packet)
{
    REQ("TW-LIM-110");
    if (tw_gather_size(&w->waiting) >= TW_FILE_BYTES_PER_TURN)
        return true;
    /* Compressed, it was made of many. */
    return packet ? w->source.compression.codec != 0 : tw_turn_is_over(w->session->service);
}

/* A turn's worth of packets. TW_MORE: the pass has no more; TW_E_LIMIT: nor may the file. */
static int gather(struct tw_file_writer *w)
{
    REQ("TW-LIM-111");
    if (w->before.fd >= 0)
        return gather_before(w);
    for (int i = 0; i < TW_FILE_PACKETS_PER_TURN; i++) {
        struct tw_packet packet;
        int rc = tw_packet_source_next(&w->source, &packet);

        if (!rc)
            rc = put_packet(w, &packet);
        if (rc && rc != TW_AGAIN)
            return rc;
        if (is_enough(w, !rc))
            return 0;
    }
    return 0;
}

static void end_pass(struct tw_file_writer *w)
{
    bool over = w->full || (w->last && !w->again);

    w->passing = false;
    tw_packet_source_deinit(&w->source);
    if (w->sync || over)
        tw_output_sync(&w->out);
    tw_clones_pass_over(w->session);
    if (over)
        done(w);
    else if (w->again)
        tw_file_writer_pass(w->session);
    else
        arm_period(w);
}

/* The other end takes nothing now: what it is owed is kept, and it has some time. */
static int wait_for_room(struct tw_file_writer *w, size_t before)
{
    REQ("TW-LIM-114");
    REQ("TW-LIM-115");
    uint64_t now = tw_service_now(w->session->service, CLOCK_MONOTONIC);

    if (tw_gather_size(&w->waiting) < before)
        w->moved_ns = now;
    if (now - w->moved_ns >= TW_FILE_STALL_MS * TW_NS_PER_MS)
        return -ETIMEDOUT;
    return tw_gather_settle(&w->waiting);
}

/* One turn of a pass: writes what waits, and if all of that went, fetches and writes more. */
static void take_turn(struct tw_file_writer *w)
{
    size_t before = tw_gather_size(&w->waiting);
    int more = 0, rc = tw_output_write(&w->out, &w->waiting);

    if (!rc && !w->full) {
        w->moved_ns = tw_service_now(w->session->service, CLOCK_MONOTONIC);
        more = gather(w);
        w->full = more == TW_E_LIMIT;
        before = tw_gather_size(&w->waiting);
        rc = more < 0 ? more : tw_output_write(&w->out, &w->waiting);
    }
    w->blocked = rc == TW_MORE;
    if (w->blocked)
        rc = wait_for_room(w, before);
    if (rc)
        fail(w, rc);
    else if (w->blocked)
        arm_turn(w, TW_FILE_RETRY_MS);
    else if (more || w->full)
        end_pass(w);
    else
        arm_turn(w, 0);
}

static void on_turn(struct tw_timer *timer)
{
    struct tw_file_writer *w = TW_CONTAINER_OF(timer, struct tw_file_writer, turn);

    tw_turn_begin(w->session->service);
    take_turn(w);
}

void tw_file_writer_complete(struct tw_session *session)
{
    struct tw_file_writer *w = session->writer;

    while (tw_file_writer_busy(session) && !w->blocked && session->state != TW_SESSION_CLONED) {
        tw_timer_clear(session->service->timers, &w->turn);
        take_turn(w);
    }
}

void tw_file_writer_pass(struct tw_session *session)
{
    struct tw_file_writer *w = session->writer;
    int rc;

    if (!tw_file_writer_busy(session) || w->passing)
        return;
    w->passing = true;
    w->again = false;
    rc = tw_packet_source_begin(&w->source, session);
    if (rc)
        fail(w, rc);
    else
        arm_turn(w, 0);
}

static void on_period(struct tw_timer *timer)
{
    struct tw_file_writer *w = TW_CONTAINER_OF(timer, struct tw_file_writer, period);

    if (w->session->state != TW_SESSION_STARTED)
        return;
    if (w->flush == TW_WRITE_FLUSH_FIRST)
        tw_flush_and_write(w->session);
    else
        tw_file_writer_pass(w->session);
}

const char *tw_file_writer_clone(struct tw_session *session, struct tw_clone *clone)
{
    REQ("TW-CONS-091");
    struct tw_file_writer *w = new_writer(session);
    size_t n_fds = tw_output_n_fds(&clone->out) + 1;

    session->writer = w;
    if (!w)
        return "the service is out of memory";
    if (tw_charge_set(&session->charge, TW_QUOTA_DESCRIPTORS, n_fds))
        return tw_quotas[TW_QUOTA_DESCRIPTORS].passed;
    tw_service_arm(session->service, &w->turn, 0);
    if (!tw_timer_is_set(&w->turn))
        return "the service is out of memory";
    w->passing = w->last = true;
    w->max_bytes = UINT64_MAX;
    w->out = clone->out;
    w->before = clone->before;
    w->cloned = clone->reply;
    clone->out = TW_OUTPUT_INIT;
    clone->before = TW_EXTRACT_INIT;
    clone->reply.wanted = false;
    return NULL;
}

void tw_file_writer_start(struct tw_session *session)
{
    if (session->writer)
        arm_period(session->writer);
}

void tw_file_writer_finish(struct tw_session *session)
{
    REQ("TW-TRACE-012");
    struct tw_file_writer *w = session->writer;

    if (!tw_file_writer_busy(session)) {
        tw_session_written(session);
        return;
    }
    tw_timer_clear(session->service->timers, &w->period);
    session->emit_stats = true;
    w->last = true;
    w->again = w->passing;
    tw_file_writer_pass(session);
}
