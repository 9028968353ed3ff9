/* SPDX-License-Identifier: Apache-2.0 */
#include "service/concurrent_sessions.h"

#include <stdlib.h>
#include <string.h>

#include "base/req.h"
#include "service/own_packet.h"

static const Tw__ConcurrentSessionEvent__State states[] = {
    [TW_SESSION_CONFIGURED] = TW__CONCURRENT_SESSION_EVENT__STATE__STATE_CONFIGURED,
    [TW_SESSION_STARTED] = TW__CONCURRENT_SESSION_EVENT__STATE__STATE_STARTED,
    [TW_SESSION_STOPPING] = TW__CONCURRENT_SESSION_EVENT__STATE__STATE_DISABLING_WAITING_STOP_ACKS,
    [TW_SESSION_DISABLED] = TW__CONCURRENT_SESSION_EVENT__STATE__STATE_DISABLED,
    [TW_SESSION_CLONED] = TW__CONCURRENT_SESSION_EVENT__STATE__STATE_CLONED_READ_ONLY,
};

/* A copy of it, where it belongs by time: a session may be older than the one that is told. When
 * memory is short it is missing. */
static void add(struct tw_session *session, const struct tw_session_change *what, const char *name)
{
    REQ("TW-LIM-181");
    size_t size = strlen(name) + 1;
    struct tw_session_change *change, *at;

    if (session->n_changes == TW_SESSION_CHANGES_MAX)
        return;
    change = malloc(sizeof(*change) + size);
    if (!change)
        return;
    *change = *what;
    memcpy(change->name, name, size);
    TAILQ_FOREACH_REVERSE(at, &session->changes, tw_session_changes, next)
    if (at->ns <= change->ns)
        break;
    if (at)
        TAILQ_INSERT_AFTER(&session->changes, at, change, next);
    else
        TAILQ_INSERT_HEAD(&session->changes, change, next);
    session->n_changes++;
}

static void tell(struct tw_session *session, const struct tw_session *of)
{
    const char *name = of->config->unique_session_name;
    struct tw_session_change change = {
        .ns = of->state_since_ns,
        .session_id = of->id,
        .state = of->state,
        .uid = of->uid,
        .n_data_sources = (uint32_t)of->n_instances,
    };

    add(session, &change, name ? name : "");
}

void tw_session_enter(struct tw_session *session, enum tw_session_state state)
{
    REQ("TW-TRACE-046");
    struct tw_session *other;

    session->state = state;
    session->state_since_ns = tw_service_now(session->service, CLOCK_BOOTTIME);
    TAILQ_FOREACH (other, &session->service->sessions, next)
        if (other != session && other->state < TW_SESSION_DISABLED &&
            tw_builtin_sources(other)->enable_concurrent_session_events)
            tell(other, session);
}

void tw_session_meet_others(struct tw_session *session)
{
    const struct tw_session *other;

    if (!tw_builtin_sources(session)->enable_concurrent_session_events)
        return;
    TAILQ_FOREACH (other, &session->service->sessions, next)
        if (other != session)
            tell(session, other);
}

void tw_session_changes_copy(struct tw_session *to, const struct tw_session *from)
{
    const struct tw_session_change *change;

    TAILQ_FOREACH (change, &from->changes, next)
        add(to, change, change->name);
}

void tw_session_changes_forget(struct tw_session *session)
{
    struct tw_session_change *change;

    while ((change = TAILQ_FIRST(&session->changes))) {
        TAILQ_REMOVE(&session->changes, change, next);
        /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): it loses track of the list head */
        free(change);
    }
    session->n_changes = 0;
}

static int append(const struct tw_session_change *change, struct tw_buf *out)
{
    Tw__TracePacket packet = TW__TRACE_PACKET__INIT;
    Tw__ConcurrentSessionEvent event = TW__CONCURRENT_SESSION_EVENT__INIT;

    event.has_state = event.has_session_id = event.has_consumer_uid = event.has_num_data_sources =
        true;
    event.state = states[change->state];
    event.session_name = change->name[0] ? tw_pbc_str(change->name) : NULL;
    event.session_id = change->session_id;
    event.consumer_uid = change->uid;
    event.num_data_sources = change->n_data_sources;
    packet.has_timestamp = true;
    packet.timestamp = change->ns;
    packet.data_case = TW__TRACE_PACKET__DATA_CONCURRENT_SESSION_EVENT;
    packet.concurrent_session_event = &event;
    return tw_own_packet_append(&packet, out);
}

int tw_session_change_packets(struct tw_session *session, struct tw_buf *out)
{
    const struct tw_session_change *change;
    int rc = 0;

    TAILQ_FOREACH (change, &session->changes, next)
        if (!rc)
            rc = append(change, out);
    tw_session_changes_forget(session);
    return rc;
}
