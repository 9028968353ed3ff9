/* SPDX-License-Identifier: Apache-2.0 */
#include "service/observe.h"

#include "base/req.h"
#include "consumer_port.pb-c.h"

/* Bytes queued for the consumer above which changes wait. */
#define OBSERVE_BACKLOG ((size_t)128 * 1024)

static bool observes(const struct tw_service_conn *conn, uint32_t type)
{
    return conn && conn->observing.wanted && (conn->observed & type);
}

static void send_events(struct tw_service_conn *conn, Tw__ObservableEvents *events)
{
    Tw__ObserveEventsResponse response = TW__OBSERVE_EVENTS_RESPONSE__INIT;

    response.events = events;
    tw_conn_reply(conn, conn->observing.id, &response.base, true, -1);
}

static struct tw_instance *take_untold(struct tw_session *session)
{
    struct tw_instance *instance = TAILQ_FIRST(&session->untold);

    if (!instance)
        return NULL;
    TAILQ_REMOVE(&session->untold, instance, next_untold);
    instance->untold = false;
    return instance;
}

/* False while it stops, of which nobody is told; what has not started yet counts as stopped. */
static bool describe(const struct tw_instance *instance,
                     Tw__ObservableEvents__DataSourceInstanceStateChange *change)
{
    if (instance->state == TW_INSTANCE_STOPPING)
        return false;
    tw__observable_events__data_source_instance_state_change__init(change);
    change->producer_name = instance->producer->name;
    change->data_source_name = instance->source->name;
    change->has_state = true;
    change->state =
        instance->state == TW_INSTANCE_STARTED
            ? TW__OBSERVABLE_EVENTS__DATA_SOURCE_INSTANCE_STATE__DATA_SOURCE_INSTANCE_STATE_STARTED
            : TW__OBSERVABLE_EVENTS__DATA_SOURCE_INSTANCE_STATE__DATA_SOURCE_INSTANCE_STATE_STOPPED;
    return true;
}

static void send_batch(struct tw_service_conn *conn)
{
    REQ("TW-LIM-097");
    Tw__ObservableEvents events = TW__OBSERVABLE_EVENTS__INIT;
    Tw__ObservableEvents__DataSourceInstanceStateChange changes[TW_OBSERVE_BATCH];
    Tw__ObservableEvents__DataSourceInstanceStateChange *list[TW_OBSERVE_BATCH];
    const struct tw_instance *instance;
    size_t n = 0;

    while (n < TW_OBSERVE_BATCH && (instance = take_untold(conn->session))) {
        list[n] = &changes[n];
        n += describe(instance, &changes[n]);
    }
    if (n == 0)
        return;
    events.n_instance_state_changes = n;
    events.instance_state_changes = list;
    send_events(conn, &events);
}

static void send_all_started(struct tw_service_conn *conn)
{
    Tw__ObservableEvents events = TW__OBSERVABLE_EVENTS__INIT;

    conn->session->untold_all_started = false;
    events.has_all_data_sources_started = events.all_data_sources_started = true;
    send_events(conn, &events);
}

bool tw_observe_pending(const struct tw_service_conn *conn)
{
    return conn->session &&
           (!TAILQ_EMPTY(&conn->session->untold) || conn->session->untold_all_started);
}

void tw_observe_run(struct tw_service_conn *conn)
{
    REQ("TW-CONS-042");
    while (tw_observe_pending(conn) && !conn->doomed &&
           tw_tx_queued(&conn->host.tx) < OBSERVE_BACKLOG)
        if (!TAILQ_EMPTY(&conn->session->untold))
            send_batch(conn);
        else
            send_all_started(conn);
}

void tw_observe_instance(struct tw_instance *instance)
{
    REQ("TW-CONS-040");
    struct tw_session *session = instance->session;

    if (instance->untold ||
        !observes(session->conn, TW__OBSERVABLE_EVENTS__TYPE__TYPE_DATA_SOURCES_INSTANCES))
        return;
    TAILQ_INSERT_TAIL(&session->untold, instance, next_untold);
    instance->untold = true;
    tw_conn_wake(session->conn);
}

void tw_observe_instance_end(struct tw_instance *instance)
{
    struct tw_session *session = instance->session;
    Tw__ObservableEvents events = TW__OBSERVABLE_EVENTS__INIT;
    Tw__ObservableEvents__DataSourceInstanceStateChange change, *list[] = {&change};

    if (!instance->untold)
        return;
    TAILQ_REMOVE(&session->untold, instance, next_untold);
    instance->untold = false;
    if (!session->conn || !describe(instance, &change))
        return;
    events.n_instance_state_changes = 1;
    events.instance_state_changes = list;
    send_events(session->conn, &events);
}

void tw_observe_all_started(struct tw_session *session)
{
    REQ("TW-CONS-040");
    if (!observes(session->conn, TW__OBSERVABLE_EVENTS__TYPE__TYPE_ALL_DATA_SOURCES_STARTED))
        return;
    session->untold_all_started = true;
    tw_conn_wake(session->conn);
}

void tw_observe_clone_trigger(const struct tw_trigger_hit *hit)
{
    struct tw_service_conn *conn = hit->session->conn;
    Tw__ObservableEvents events = TW__OBSERVABLE_EVENTS__INIT;
    Tw__ObservableEvents__CloneTriggerHit told = TW__OBSERVABLE_EVENTS__CLONE_TRIGGER_HIT__INIT;

    if (!observes(conn, TW__OBSERVABLE_EVENTS__TYPE__TYPE_CLONE_TRIGGER_HIT))
        return;
    told.has_tracing_session_id = told.has_producer_uid = told.has_boot_time_ns =
        told.has_trigger_delay_ms = true;
    told.tracing_session_id = (int64_t)hit->session->id;
    told.trigger_name = hit->info.name;
    told.producer_name = hit->info.producer;
    told.producer_uid = (uint32_t)hit->info.uid;
    told.boot_time_ns = hit->info.ns;
    told.trigger_delay_ms = hit->info.delay_ms;
    events.clone_trigger_hit = &told;
    send_events(conn, &events);
}

void tw_observe_forget(struct tw_session *session)
{
    while (take_untold(session))
        ;
    session->untold_all_started = false;
}

void tw_observe_now(struct tw_service_conn *conn)
{
    struct tw_instance *instance;

    if (!conn->session)
        return;
    tw_observe_forget(conn->session);
    TAILQ_FOREACH (instance, &conn->session->instances, next)
        tw_observe_instance(instance);
    if (conn->session->told_all_started)
        tw_observe_all_started(conn->session);
}

void tw_observe_disabled(struct tw_session *session)
{
    REQ("TW-CONS-002");
    struct tw_service_conn *conn = session->conn;
    Tw__EnableTracingResponse response = TW__ENABLE_TRACING_RESPONSE__INIT;

    if (!conn || !conn->ended.wanted)
        return;
    tw_observe_run(conn); /* what came before the end is told before it */
    conn->ended.wanted = false;
    if (session->error)
        tw_conn_explain(conn, session->error);
    response.has_disabled = response.disabled = true;
    response.error = tw_pbc_str(session->error);
    tw_conn_reply(conn, conn->ended.id, &response.base, false, -1);
}
