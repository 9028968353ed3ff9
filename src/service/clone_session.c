/* SPDX-License-Identifier: Apache-2.0 */
#include "service/clone_session.h"

#include <string.h>

#include "base/req.h"
#include "service/account.h"
#include "service/clock_snapshot.h"
#include "service/concurrent_sessions.h"
#include "service/file_writer.h"
#include "service/service_events.h"
#include "service/session.h"
#include "service/session_buffers.h"
#include "service/session_rules.h"
#include "service/trace_uuid.h"
#include "trace_stats.pb-c.h"

static void copy_what_was_counted(struct tw_session *to, const struct tw_session *from)
{
    to->started_realtime_ns = from->started_realtime_ns;
    memcpy(to->clocks, from->clocks, from->n_clocks * sizeof(from->clocks[0]));
    to->n_clocks = from->n_clocks;
    tw_events_copy(to, from);
    tw_session_changes_copy(to, from);
    to->invalid_packets = from->invalid_packets;
    to->flushes_requested = from->flushes_requested;
    to->flushes_succeeded = from->flushes_succeeded;
    to->flushes_failed = from->flushes_failed;
}

/* When it was begun and its buffers were copied, of which there may be only one kind. */
static void tell_when(struct tw_session *session, const struct tw_clone *clone)
{
    struct tw_lifecycle_event started = {
        .kind = TW_LIFECYCLE_CLONE_STARTED,
        .ns = clone->started_ns,
    };

    tw_event_with(session, started);
    for (int taken_away = 0; taken_away < 2; taken_away++) {
        struct tw_lifecycle_event cloned = {
            .kind = TW_LIFECYCLE_BUFFER_CLONED,
            .ns = clone->copied_ns[taken_away],
            .taken_away = taken_away,
        };

        if (cloned.ns)
            tw_event_with(session, cloned);
    }
}

/* What the clone has to say of itself. */
static void tell(struct tw_session *session, struct tw_clone *clone)
{
    copy_what_was_counted(session, clone->session);
    tw_triggers_move(clone->session, session);
    session->clone_trigger = clone->trigger;
    clone->trigger = (struct tw_trigger_info){.name = NULL};
    session->emit_stats = true;
    session->final_flush = clone->flush_failed
                               ? TW__TRACE_STATS__FINAL_FLUSH_OUTCOME__FINAL_FLUSH_FAILED
                               : TW__TRACE_STATS__FINAL_FLUSH_OUTCOME__FINAL_FLUSH_SUCCEEDED;
    tell_when(session, clone);
    tw_snapshot_clocks(session);
    tw_event(session, TW_LIFECYCLE_DISABLED);
}

static struct tw_session *new_session(struct tw_service_conn *conn, const struct tw_session *from,
                                      const char **ret_error)
{
    struct tw_buf config = TW_BUF_INIT(TW_SCAN_MESSAGE_MAX);
    struct tw_session *session = NULL;

    *ret_error = "the service is out of memory";
    if (!tw_pbc_pack(&from->config->base, &config))
        session = tw_session_new(conn, tw_buf_bytes(&config), ret_error);
    tw_buf_deinit(&config);
    return session;
}

static const char *check_room(struct tw_session *session)
{
    const char *why = tw_session_rules_full(session);

    if (!why && tw_charge_set(&session->charge, TW_QUOTA_SESSIONS, 1))
        why = tw_quotas[TW_QUOTA_SESSIONS].passed;
    return why;
}

static const char *take_buffers(struct tw_session *session, struct tw_clone *clone)
{
    for (size_t i = 0; i < session->config->n_buffers; i++) {
        if (tw_session_add_buffer(session, clone->buffers[i]))
            return "the service has no room for the trace buffers of the clone";
        clone->buffers[i] = NULL;
    }
    return NULL;
}

const char *tw_clone_make_session(struct tw_clone *clone)
{
    REQ("TW-CONS-050");
    REQ("TW-CONS-057");
    const char *error;
    struct tw_session *session;

    if (clone->conn->session)
        return "this consumer has got another session meanwhile";
    session = new_session(clone->conn, clone->session, &error);
    if (!session)
        return error;
    error = check_room(session);
    if (!error)
        error = take_buffers(session, clone);
    if (!error && clone->out.fd >= 0)
        error = tw_file_writer_clone(session, clone);
    if (error) {
        tw_session_delete(session);
        return error;
    }
    tw_trace_uuid_of_clone(session, clone->session);
    tell(session, clone);
    tw_session_publish(session);
    tw_session_enter(session, TW_SESSION_CLONED);
    return NULL;
}
