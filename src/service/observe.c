/* SPDX-License-Identifier: Apache-2.0 */
#include "service/observe.h"

#include "base/req.h"
#include "consumer_port.pb-c.h"

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

void tw_observe_instance(const struct tw_instance *instance)
{
    struct tw_service_conn *conn = instance->session->conn;
    Tw__ObservableEvents events = TW__OBSERVABLE_EVENTS__INIT;
    Tw__ObservableEvents__DataSourceInstanceStateChange change =
        TW__OBSERVABLE_EVENTS__DATA_SOURCE_INSTANCE_STATE_CHANGE__INIT;
    Tw__ObservableEvents__DataSourceInstanceStateChange *changes[] = {&change};

    if (!observes(conn, TW__OBSERVABLE_EVENTS__TYPE__TYPE_DATA_SOURCES_INSTANCES) ||
        (instance->state != TW_INSTANCE_STARTED && instance->state != TW_INSTANCE_STOPPED))
        return;
    change.producer_name = instance->producer->name;
    change.data_source_name = instance->source->name;
    change.has_state = true;
    change.state =
        instance->state == TW_INSTANCE_STARTED
            ? TW__OBSERVABLE_EVENTS__DATA_SOURCE_INSTANCE_STATE__DATA_SOURCE_INSTANCE_STATE_STARTED
            : TW__OBSERVABLE_EVENTS__DATA_SOURCE_INSTANCE_STATE__DATA_SOURCE_INSTANCE_STATE_STOPPED;
    events.n_instance_state_changes = 1;
    events.instance_state_changes = changes;
    send_events(conn, &events);
}

void tw_observe_all_started(struct tw_session *session)
{
    Tw__ObservableEvents events = TW__OBSERVABLE_EVENTS__INIT;

    if (!observes(session->conn, TW__OBSERVABLE_EVENTS__TYPE__TYPE_ALL_DATA_SOURCES_STARTED))
        return;
    events.has_all_data_sources_started = events.all_data_sources_started = true;
    send_events(session->conn, &events);
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
    told.trigger_name = hit->name;
    told.producer_name = hit->producer_name;
    told.producer_uid = (uint32_t)hit->producer_uid;
    told.boot_time_ns = hit->ns;
    told.trigger_delay_ms = hit->delay_ms;
    events.clone_trigger_hit = &told;
    send_events(conn, &events);
}

void tw_observe_now(struct tw_service_conn *conn)
{
    const struct tw_instance *instance;

    if (!conn->session)
        return;
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
    conn->ended.wanted = false;
    response.has_disabled = response.disabled = true;
    response.error = tw_pbc_str(session->error);
    tw_conn_reply(conn, conn->ended.id, &response.base, false, -1);
}
