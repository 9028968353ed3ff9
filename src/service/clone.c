/* SPDX-License-Identifier: Apache-2.0 */
#include "service/clone.h"

#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "base/req.h"
#include "service/clone_session.h"
#include "service/file_writer.h"
#include "service/flush.h"
#include "service/session.h"
#include "service/session_buffers.h"

/* Stands for the session with the highest bugreport_score (basic_types.h at v58.2). */
#define BUGREPORT_ID UINT64_MAX

static const char no_memory[] = "the service is out of memory";

/* Who asks, why, and for what, as producers are told; see flush.c. */
enum { FLUSH_FOR_CLONE = 0x13, FLUSH_FOR_BUGREPORT = 0x100 };

bool tw_clone_takes_away(const struct tw_session *session, size_t i)
{
    return session->config->buffers[i]->transfer_on_clone;
}

/* Success is that the connection has its clone. */
static void answer(struct tw_service_conn *conn, struct tw_later *reply, const char *error)
{
    Tw__CloneSessionResponse response = TW__CLONE_SESSION_RESPONSE__INIT;

    if (error)
        tw_conn_explain(conn, error);
    if (!reply->wanted)
        return;
    reply->wanted = false;
    response.has_success = true;
    response.success = !error;
    response.error = tw_pbc_str(error);
    if (!error) {
        response.has_uuid_msb = response.has_uuid_lsb = true;
        response.uuid_msb = conn->session->uuid_msb;
        response.uuid_lsb = conn->session->uuid_lsb;
        response.has_was_write_into_file = true;
        response.was_write_into_file = conn->session->writer != NULL;
    }
    tw_conn_reply(conn, reply->id, &response.base, false, -1);
}

static void free_clone(struct tw_clone *clone)
{
    TAILQ_REMOVE(&clone->session->clones, clone, next);
    tw_flushes_forget_clone(clone);
    for (size_t i = 0; i < TW_SESSION_BUFFERS_MAX; i++)
        tw_trace_buffer_free(clone->buffers[i]);
    tw_output_close(&clone->out);
    tw_extract_close(&clone->before);
    tw_trigger_info_deinit(&clone->trigger);
    free(clone);
}

static void end_clone(struct tw_clone *clone, const char *error)
{
    clone->conn->cloning = NULL;
    answer(clone->conn, &clone->reply, error);
    free_clone(clone);
}

size_t tw_clone_n_fds(const struct tw_service_conn *conn)
{
    const struct tw_clone *clone = conn->cloning;

    return clone ? tw_output_n_fds(&clone->out) + (size_t)(clone->before.fd >= 0) : 0;
}

bool tw_clone_allowed(const struct tw_service_conn *conn, const struct tw_session *session)
{
    REQ("TW-CONS-052");
    return conn->peer.uid == 0 || conn->peer.uid == session->uid;
}

static struct tw_session *by_score(const struct tw_service *service)
{
    REQ("TW-CONS-051");
    struct tw_session *best = NULL, *session;

    TAILQ_FOREACH (session, &service->sessions, next)
        if (session->state == TW_SESSION_STARTED && session->config->bugreport_score > 0 &&
            (!best || session->config->bugreport_score > best->config->bugreport_score))
            best = session;
    return best;
}

static struct tw_session *by_id(const struct tw_service *service, uint64_t id)
{
    struct tw_session *session;

    TAILQ_FOREACH (session, &service->sessions, next)
        if (session->id == id)
            return session;
    return NULL;
}

static struct tw_session *by_name(const struct tw_service *service, const char *name)
{
    struct tw_session *session;

    if (!name[0])
        return NULL;
    TAILQ_FOREACH (session, &service->sessions, next)
        if (session->state != TW_SESSION_CLONED && session->config->unique_session_name &&
            strcmp(session->config->unique_session_name, name) == 0)
            return session;
    return NULL;
}

static bool by_its_id(const Tw__CloneSessionRequest *req)
{
    return req->selector_case == TW__CLONE_SESSION_REQUEST__SELECTOR_SESSION_ID;
}

static uint64_t flags_of(const Tw__CloneSessionRequest *req)
{
    bool bugreport = req->for_bugreport || (by_its_id(req) && req->session_id == BUGREPORT_ID);

    return bugreport ? FLUSH_FOR_CLONE | FLUSH_FOR_BUGREPORT : FLUSH_FOR_CLONE;
}

static struct tw_session *find(const struct tw_service *service, const Tw__CloneSessionRequest *req)
{
    REQ("TW-CONS-051");
    if (by_its_id(req))
        return req->session_id == BUGREPORT_ID ? by_score(service)
                                               : by_id(service, req->session_id);
    return req->selector_case == TW__CLONE_SESSION_REQUEST__SELECTOR_UNIQUE_SESSION_NAME
               ? by_name(service, req->unique_session_name)
               : NULL;
}

/* An empty buffer in place of one that may hold something. */
static int replace(struct tw_trace_buffer **tb, const Tw__TraceConfig__BufferConfig *config,
                   struct tw_trace_buffer **ret_old)
{
    struct tw_trace_buffer *fresh;
    int rc = tw_session_new_buffer(config, &fresh);

    if (rc)
        return rc;
    *ret_old = *tb;
    *tb = fresh;
    return 0;
}

/* What is in these buffers is not to be in a clone. */
static int clear_buffers(struct tw_session *session)
{
    REQ("TW-CONS-055");
    for (size_t i = 0; i < session->n_buffers; i++) {
        struct tw_trace_buffer **tb = &session->service->buffers[session->buffer_ids[i]], *old;
        int rc;

        if (!session->config->buffers[i]->clear_before_clone ||
            tw_trace_buffer_stats(*tb)->chunks_written == 0)
            continue;
        rc = replace(tb, session->config->buffers[i], &old);
        if (rc)
            return rc;
        tw_trace_buffer_free(old);
    }
    return 0;
}

static struct tw_clone *new_clone(struct tw_service_conn *conn, struct tw_session *session,
                                  const Tw__CloneSessionRequest *req)
{
    struct tw_clone *clone = calloc(1, sizeof(*clone));

    if (!clone)
        return NULL;
    clone->session = session;
    clone->conn = conn;
    clone->out = TW_OUTPUT_INIT;
    clone->before = TW_EXTRACT_INIT;
    clone->started_ns = tw_service_now(session->service, CLOCK_BOOTTIME);
    clone->trigger.ns = req->clone_trigger_boot_time_ns;
    clone->trigger.delay_ms = req->clone_trigger_delay_ms;
    clone->trigger.uid = req->clone_trigger_trusted_producer_uid;
    if (req->clone_trigger_name)
        clone->trigger.name = strdup(req->clone_trigger_name);
    if (req->clone_trigger_producer_name)
        clone->trigger.producer = strdup(req->clone_trigger_producer_name);
    TAILQ_INSERT_TAIL(&session->clones, clone, next);
    conn->cloning = clone;
    return clone;
}

static const char *refusal(const struct tw_service_conn *conn, const struct tw_session *session)
{
    REQ("TW-CONS-050");
    if (conn->cloning)
        return "TW-CONS-058: this consumer waits for a clone already";
    if (conn->session)
        return "this consumer has a session already; FreeBuffers ends it";
    if (!session)
        return "there is no such session";
    if (!tw_clone_allowed(conn, session))
        return "the session belongs to another user";
    return NULL;
}

/* The file that goes on in another, as far as it is not written yet: both are open from now on. */
static const char *open_files(struct tw_clone *clone, int *fd)
{
    REQ("TW-CONS-091");
    REQ("TW-CONS-092");
    REQ("TW-CONS-093");
    const char *error = NULL;

    if (!tw_file_writer_busy(clone->session))
        return NULL;
    if (*fd < 0)
        return "TW-CONS-091: the session writes into a file: its clone needs one, too";
    if (tw_output_open(&clone->out, fd, &error))
        return error;
    if (tw_extract_open(&clone->before, &clone->session->writer->out))
        return "TW-CONS-092: the session's file cannot be read back";
    return NULL;
}

/* One flush for the buffers that are taken away, one for the others; whichever there are. The clone
 * may have ended with the first of them. */
static void flush(struct tw_service_conn *conn, struct tw_clone *clone, uint64_t flags)
{
    bool has[2] = {false, false};

    for (size_t i = 0; i < clone->session->n_buffers; i++)
        has[tw_clone_takes_away(clone->session, i)] = true;
    clone->n_flushes = (size_t)has[0] + has[1];
    for (size_t taken_away = 0; taken_away < 2 && conn->cloning == clone; taken_away++)
        if (has[taken_away] && tw_flush_for_clone(clone, taken_away, flags))
            tw_clone_flushed(clone, taken_away, false);
}

void tw_clone_begin(struct tw_service_conn *conn, const struct tw_host_call *call,
                    const Tw__CloneSessionRequest *req)
{
    REQ("TW-CONS-053");
    int fd = tw_rx_take_fd(&conn->host.rx); /* for the file of sessions that write one */
    struct tw_session *session = find(conn->service, req);
    struct tw_later reply = {.wanted = !call->drop_reply, .id = call->request_id};
    const char *error = refusal(conn, session);
    struct tw_clone *clone = error ? NULL : new_clone(conn, session, req);

    if (!clone) {
        answer(conn, &reply, error ? error : no_memory);
    } else {
        clone->reply = reply;
        error = open_files(clone, &fd);
        if (!error && clear_buffers(session))
            error = no_memory;
        if (error)
            end_clone(clone, error);
        else
            flush(conn, clone, flags_of(req));
    }
    tw_fd_close(&fd);
}

static int copy_buffers(struct tw_clone *clone, bool taken_away)
{
    REQ("TW-CONS-054");
    struct tw_session *session = clone->session;

    clone->copied_ns[taken_away] = tw_service_now(session->service, CLOCK_BOOTTIME);
    for (size_t i = 0; i < session->n_buffers; i++) {
        struct tw_trace_buffer **tb = &session->service->buffers[session->buffer_ids[i]];
        int rc;

        if (tw_clone_takes_away(session, i) != taken_away)
            continue;
        rc = taken_away ? replace(tb, session->config->buffers[i], &clone->buffers[i])
                        : tw_trace_buffer_clone(*tb, &clone->buffers[i]);
        if (rc)
            return rc;
    }
    return 0;
}

static const char no_buffers[] = "the service cannot allocate the trace buffers of the clone";

/* What is in the file now and what is in the buffers now is all there is. */
static const char *make_with_file(struct tw_clone *clone)
{
    REQ("TW-CONS-092");
    const struct tw_file_writer *w = clone->session->writer;

    if (w->error[0] || tw_extract_last(&clone->before, w->bytes))
        return "TW-CONS-092: the session's file is not as the service wrote it";
    if (copy_buffers(clone, false) || copy_buffers(clone, true))
        return no_buffers;
    return tw_clone_make_session(clone);
}

/* In the middle of a pass some of the trace is in neither. */
static void go_on_with_file(struct tw_clone *clone)
{
    if (clone->n_flushes == 0 && !tw_file_writer_passing(clone->session))
        end_clone(clone, make_with_file(clone));
}

void tw_clone_flushed(struct tw_clone *clone, bool taken_away, bool success)
{
    clone->flush_failed |= !success;
    clone->n_flushes--;
    if (clone->out.fd >= 0)
        go_on_with_file(clone);
    else if (copy_buffers(clone, taken_away))
        end_clone(clone, no_buffers);
    else if (clone->n_flushes == 0)
        end_clone(clone, tw_clone_make_session(clone));
}

void tw_clones_pass_over(struct tw_session *session)
{
    struct tw_clone *clone, *next;

    for (clone = TAILQ_FIRST(&session->clones); clone; clone = next) {
        next = TAILQ_NEXT(clone, next);
        if (clone->out.fd >= 0)
            go_on_with_file(clone);
    }
}

void tw_clone_written(struct tw_session *session)
{
    if (session->conn)
        answer(session->conn, &session->writer->cloned, session->error);
    if (session->error)
        tw_session_let_go(session);
    else
        tw_session_written(session);
}

void tw_clone_left(struct tw_session *session)
{
    struct tw_file_writer *w = session->writer;

    if (w && w->cloned.wanted)
        answer(session->conn, &w->cloned, "the clone has ended before its file was complete");
}

void tw_clones_of_session_end(struct tw_session *session)
{
    REQ("TW-CONS-056");
    struct tw_clone *clone;

    while ((clone = TAILQ_FIRST(&session->clones)))
        end_clone(clone, "the session has ended");
}

void tw_clone_of_conn_end(struct tw_service_conn *conn)
{
    if (conn->cloning)
        free_clone(conn->cloning);
    conn->cloning = NULL;
}
