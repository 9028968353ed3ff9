/* SPDX-License-Identifier: Apache-2.0 */
#include "service/session.h"

#include <stdlib.h>

#include "base/fd.h"
#include "base/req.h"
#include "service/clock_snapshot.h"
#include "service/clone.h"
#include "service/concurrent_sessions.h"
#include "service/config_check.h"
#include "service/data_source.h"
#include "service/file_writer.h"
#include "service/flush.h"
#include "service/instance.h"
#include "service/observe.h"
#include "service/read_buffers.h"
#include "service/scrape.h"
#include "service/sequences.h"
#include "service/service_events.h"
#include "service/session_buffers.h"
#include "service/session_rules.h"
#include "service/session_timers.h"
#include "service/trace_uuid.h"

uint32_t tw_session_stop_timeout_ms(const struct tw_session *session)
{
    const Tw__TraceConfig *c = session->config;

    return c->has_data_source_stop_timeout_ms && c->data_source_stop_timeout_ms
               ? c->data_source_stop_timeout_ms
               : TW_STOP_TIMEOUT_MS;
}

static void on_scraped(struct tw_scrape *scrape);

struct tw_session *tw_session_new(struct tw_service_conn *conn, struct tw_bytes config,
                                  const char **ret_error)
{
    REQ("TW-LIM-025");
    struct tw_session *session = calloc(1, sizeof(*session));
    ProtobufCMessage *msg;

    *ret_error = "the service is out of memory";
    if (!session)
        return NULL;
    session->service = conn->service;
    session->conn = conn;
    session->uid = conn->peer.uid;
    session->arena = TW_ARENA_INIT(TW_SESSION_ARENA_MAX);
    session->filters = TW_ARENA_INIT(TW_SESSION_ARENA_MAX);
    session->last_sequence_id = TW_SERVICE_SEQUENCE_ID;
    TAILQ_INIT(&session->instances);
    TAILQ_INIT(&session->flushes);
    TAILQ_INIT(&session->clones);
    TAILQ_INIT(&session->untold);
    TAILQ_INIT(&session->changes);
    tw_session_timers_init(session);
    session->scrape.session = session;
    session->scrape.done = on_scraped;
    if (!tw_charge_open(&session->charge, &conn->service->accounts, session->uid)) {
        *ret_error = "the trace config is malformed or costs too much to decode";
        if (!tw_pbc_unpack(&tw__trace_config__descriptor, &session->arena, config, &msg)) {
            session->config = (Tw__TraceConfig *)msg;
            if (!tw_triggers_init(session))
                return session;
        }
    }
    tw_charge_close(&session->charge);
    tw_arena_deinit(&session->arena);
    free(session);
    return NULL;
}

void tw_session_delete(struct tw_session *session)
{
    tw_scrape_cancel(session->service, &session->scrape);
    tw_session_timers_clear(session);
    tw_triggers_forget(session);
    tw_patterns_deinit(&session->patterns);
    tw_file_writer_free(session);
    tw_flushes_free(session);
    tw_instances_free(session);
    tw_session_free_buffers(session);
    tw_sequences_free(session);
    tw_charge_close(&session->charge);
    free(session->detach_key);
    tw_trigger_info_deinit(&session->clone_trigger);
    tw_events_forget(session);
    tw_session_changes_forget(session);
    tw_arena_deinit(&session->filters);
    tw_arena_deinit(&session->arena);
    free(session);
}

void tw_session_join_all(struct tw_session *session)
{
    struct tw_producer *producer;
    struct tw_data_source *source;

    TAILQ_FOREACH (producer, &session->service->producers, next)
        TAILQ_FOREACH (source, &producer->data_sources, next)
            tw_instances_join(session, source);
}

void tw_session_publish(struct tw_session *session)
{
    session->id = ++session->service->last_session_id;
    TAILQ_INSERT_TAIL(&session->service->sessions, session, next);
    session->conn->session = session;
}

static int check(struct tw_session *session, const char **ret_error)
{
    int rc = tw_config_check(session, ret_error);
    const char *why;

    if (!rc)
        rc = tw_patterns_init(&session->patterns, session->config, ret_error);
    why = rc ? NULL : tw_session_rules_check(session);
    if (why)
        *ret_error = why;
    return why ? TW_E_REFUSED : rc;
}

int tw_session_enable(struct tw_service_conn *conn, struct tw_bytes config, int fd,
                      const char **ret_error)
{
    struct tw_session *session = tw_session_new(conn, config, ret_error);
    int rc;

    if (!session) {
        tw_fd_close(&fd);
        return TW_E_REFUSED;
    }
    rc = check(session, ret_error);
    if (!rc) {
        REQ("TW-LIM-011");
        tw_session_rules_end_others(session);
        *ret_error = tw_quotas[TW_QUOTA_SESSIONS].passed;
        rc = tw_charge_set(&session->charge, TW_QUOTA_SESSIONS, 1);
    }
    if (!rc)
        rc = tw_file_writer_open(session, tw_fd_take(&fd), ret_error);
    tw_fd_close(&fd);
    if (!rc) {
        *ret_error = "the service cannot allocate the trace buffers";
        rc = tw_session_make_buffers(session);
    }
    if (rc) {
        tw_session_delete(session);
        return rc;
    }
    tw_trace_uuid(session);
    tw_session_publish(session);
    tw_session_rules_begun(session);
    tw_session_join_all(session);
    tw_session_enter(session, TW_SESSION_CONFIGURED);
    tw_session_meet_others(session);
    if (!tw_triggers_wait(session) && !session->config->deferred_start)
        TW_IGNORE(tw_session_start(session)); /* cannot fail: it was enabled just now */
    return 0;
}

int tw_session_start(struct tw_session *session)
{
    if (session->state != TW_SESSION_CONFIGURED)
        return TW_E_INVALID;
    tw_session_enter(session, TW_SESSION_STARTED);
    session->started_realtime_ns = tw_service_now(session->service, CLOCK_REALTIME);
    tw_snapshot_clocks(session);
    tw_event(session, TW_LIFECYCLE_STARTED);
    tw_session_timers_start(session);
    tw_instances_start(session);
    tw_session_check_started(session);
    return 0;
}

void tw_session_check_started(struct tw_session *session)
{
    if (session->state != TW_SESSION_STARTED || session->told_all_started ||
        !tw_instances_all_started(session))
        return;
    session->told_all_started = true;
    tw_timer_clear(session->service->timers, &session->slow_start);
    tw_snapshot_clocks(session);
    tw_event(session, TW_LIFECYCLE_ALL_STARTED);
    tw_observe_all_started(session);
}

/* The end: what is left in shared memory is taken first. */
static void wind_up(struct tw_session *session)
{
    if (session->last_scrape)
        return;
    tw_instances_give_up(session);
    tw_session_timers_clear(session);
    session->last_scrape = tw_scrape(session->service, &session->scrape);
}

/* Then the consumer is told. Frees a session that was let go. */
static void disabled(struct tw_session *session)
{
    tw_session_enter(session, TW_SESSION_DISABLED);
    tw_snapshot_clocks(session);
    tw_event(session, TW_LIFECYCLE_DISABLED);
    tw_file_writer_finish(session);
}

/* The end frees a session that was let go; the last flush may free any. */
static void on_scraped(struct tw_scrape *scrape)
{
    struct tw_session *session = TW_CONTAINER_OF(scrape, struct tw_session, scrape);
    bool ends = session->state == TW_SESSION_STOPPING && tw_scraped(scrape, session->last_scrape);
    bool may_go = ends && session->let_go;

    tw_flushes_scraped(session);
    if (ends)
        disabled(session);
    if (!may_go)
        tw_flush_last_scraped(session);
}

/* at_once: nobody waits for the data sources to stop. */
static void end_tracing(struct tw_session *session, bool at_once)
{
    if (session->state > TW_SESSION_STARTED)
        return;
    tw_instances_stop(session, at_once);
    tw_session_timers_clear(session);
    if (tw_instances_all_stopped(session)) {
        session->state = TW_SESSION_STOPPING; /* for the scrape alone, which others need not know */
        wind_up(session);
        return;
    }
    tw_session_enter(session, TW_SESSION_STOPPING);
    tw_service_arm(session->service, &session->stop_timeout, tw_session_stop_timeout_ms(session));
}

void tw_session_disable(struct tw_session *session)
{
    end_tracing(session, session->state == TW_SESSION_CONFIGURED);
}

void tw_session_check_stopped(struct tw_session *session)
{
    if (session->state == TW_SESSION_STOPPING && tw_instances_all_stopped(session))
        wind_up(session);
}

void tw_session_stop_timed_out(struct tw_session *session)
{
    wind_up(session);
}

void tw_session_run_out(struct tw_session *session)
{
    REQ("TW-CONS-015");

    if (session->conn)
        tw_session_disable(session);
    else
        tw_session_let_go(session);
}

void tw_session_end(struct tw_session *session)
{
    if (session->state == TW_SESSION_STARTED)
        tw_flush_and_stop(session);
    else
        tw_session_disable(session); /* it waited for a trigger or for StartTracing */
}

static void end_at_once(struct tw_session *session)
{
    end_tracing(session, true);
    if (session->state == TW_SESSION_STOPPING)
        wind_up(session);
}

static void remove_session(struct tw_session *session)
{
    tw_clones_of_session_end(session);
    tw_session_leave(session);
    if (session->state != TW_SESSION_DISABLED) /* a clone, or what nobody waits for */
        tw_session_enter(session, TW_SESSION_DISABLED);
    TAILQ_REMOVE(&session->service->sessions, session, next);
    tw_session_delete(session);
}

void tw_session_let_go(struct tw_session *session)
{
    REQ("TW-CONS-007");

    end_at_once(session);
    tw_observe_disabled(session);
    session->let_go = tw_file_writer_busy(session);
    if (!session->let_go) {
        remove_session(session);
        return;
    }
    tw_session_leave(session);
}

void tw_session_free(struct tw_session *session)
{
    session->let_go = false;
    end_at_once(session);
    tw_scrape_complete(session->service, &session->scrape);
    if (session->state == TW_SESSION_STOPPING)
        disabled(session);
    tw_file_writer_complete(session);
    remove_session(session);
}

void tw_session_written(struct tw_session *session)
{
    tw_observe_disabled(session);
    if (session->let_go)
        remove_session(session);
}

void tw_session_leave(struct tw_session *session)
{
    if (!session->conn)
        return;
    REQ("TW-CONS-013");

    tw_observe_run(session->conn); /* as much as fits; nobody is left to wait for the rest */
    tw_observe_forget(session);
    tw_clone_left(session);
    tw_flushes_refuse(session);
    tw_reading_cancel(session->conn);
    session->conn->session = NULL;
    session->conn = NULL;
}
