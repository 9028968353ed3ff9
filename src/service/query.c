/* SPDX-License-Identifier: Apache-2.0 */
/*
 * QueryServiceState. The state is sent in parts, one object each: clients put them together by
 * protobuf's rule for merging, so repeated fields add up, and no part is near the frame limit
 * because names and descriptors came in frames themselves.
 */
#include "service/query.h"

#include "base/req.h"
#include "consumer_port.pb-c.h"
#include "service/clone.h"
#include "service/machine.h"

/* Bytes queued for the consumer above which no further part is sent. */
#define QUERY_BACKLOG ((size_t)128 * 1024)

static void send_part(struct tw_service_conn *conn, uint64_t id, Tw__TracingServiceState *state,
                      bool more)
{
    Tw__QueryServiceStateResponse response = TW__QUERY_SERVICE_STATE_RESPONSE__INIT;

    response.service_state = state;
    tw_conn_reply(conn, id, &response.base, more, -1);
}

static void send_producer(struct tw_service_conn *conn, uint64_t id, const struct tw_producer *p)
{
    Tw__TracingServiceState state = TW__TRACING_SERVICE_STATE__INIT;
    Tw__TracingServiceState__Producer producer = TW__TRACING_SERVICE_STATE__PRODUCER__INIT;
    Tw__TracingServiceState__Producer *list[] = {&producer};

    producer.has_id = producer.has_uid = producer.has_pid = true;
    producer.id = p->id;
    producer.name = p->name;
    producer.uid = p->conn->peer.uid;
    producer.pid = p->conn->peer.pid;
    producer.has_machine_id = p->conn->peer.machine_id != 0;
    producer.machine_id = p->conn->peer.machine_id;
    if (producer.has_machine_id && tw_machine_name(p->conn)[0])
        producer.machine_name = tw_pbc_str(tw_machine_name(p->conn));
    producer.sdk_version = p->sdk_version;
    state.n_producers = 1;
    state.producers = list;
    send_part(conn, id, &state, true);
}

static void send_data_source(struct tw_service_conn *conn, uint64_t id,
                             const struct tw_data_source *s)
{
    Tw__TracingServiceState state = TW__TRACING_SERVICE_STATE__INIT;
    Tw__TracingServiceState__DataSource source = TW__TRACING_SERVICE_STATE__DATA_SOURCE__INIT;
    Tw__TracingServiceState__DataSource *list[] = {&source};
    struct tw_bytes bytes = {.p = s->descriptor, .n = s->descriptor_size};
    ProtobufCMessage *descriptor;

    if (tw_pbc_unpack(&tw__data_source_descriptor__descriptor, &conn->service->arena, bytes,
                      &descriptor))
        return; /* it was one when it came: only memory can be short */
    source.ds_descriptor = (Tw__DataSourceDescriptor *)descriptor;
    source.has_producer_id = true;
    source.producer_id = s->producer->id;
    state.n_data_sources = 1;
    state.data_sources = list;
    send_part(conn, id, &state, true);
    tw_arena_reset(&conn->service->arena);
}

static void send_session(struct tw_service_conn *conn, uint64_t id, const struct tw_session *s)
{
    static const char *const names[] = {"CONFIGURED", "STARTED", "STOP_WAIT", "DISABLED",
                                        "CLONED_READ_ONLY"};
    Tw__TracingServiceState state = TW__TRACING_SERVICE_STATE__INIT;
    Tw__TracingServiceState__TracingSession session =
        TW__TRACING_SERVICE_STATE__TRACING_SESSION__INIT;
    Tw__TracingServiceState__TracingSession *list[] = {&session};
    uint32_t sizes[TW_SESSION_BUFFERS_MAX];

    for (size_t i = 0; i < s->n_buffers; i++)
        sizes[i] = s->config->buffers[i]->size_kb;
    session.has_id = session.has_consumer_uid = session.has_duration_ms = true;
    session.has_num_data_sources = session.has_start_realtime_ns = session.has_is_started = true;
    session.id = s->id;
    session.consumer_uid = s->uid;
    session.state = tw_pbc_str(names[s->state]);
    session.unique_session_name = s->config->unique_session_name;
    session.has_bugreport_score = s->config->has_bugreport_score;
    session.bugreport_score = s->config->bugreport_score;
    session.bugreport_filename = s->config->bugreport_filename;
    session.n_buffer_size_kb = s->n_buffers;
    session.buffer_size_kb = sizes;
    session.duration_ms = s->config->has_duration_ms ? s->config->duration_ms : 0;
    session.num_data_sources = (uint32_t)s->n_instances;
    session.start_realtime_ns = (int64_t)s->started_realtime_ns;
    session.is_started = s->state == TW_SESSION_STARTED;
    state.n_tracing_sessions = 1;
    state.tracing_sessions = list;
    send_part(conn, id, &state, true);
}

static void send_summary(struct tw_service_conn *conn, uint64_t id)
{
    static char version[] = "tracewire v" TW_VERSION;
    Tw__TracingServiceState state = TW__TRACING_SERVICE_STATE__INIT;
    const struct tw_session *session;

    state.has_num_sessions = state.has_num_sessions_started = true;
    state.has_supports_tracing_sessions = state.supports_tracing_sessions = true;
    state.tracing_service_version = version;
    TAILQ_FOREACH (session, &conn->service->sessions, next) {
        state.num_sessions++;
        state.num_sessions_started += session->state == TW_SESSION_STARTED;
    }
    send_part(conn, id, &state, false);
}

/* Whether the peer is to read first: producers decide how much there is to say. */
static bool full(const struct tw_service_conn *conn)
{
    return conn->doomed || tw_tx_queued(&conn->host.tx) >= QUERY_BACKLOG;
}

/* True when there are no more. */
static bool send_sessions(struct tw_service_conn *conn)
{
    struct tw_querying *q = &conn->querying;
    const struct tw_session *session;

    TAILQ_FOREACH (session, &conn->service->sessions, next) {
        if (session->id <= q->session_id || !tw_clone_allowed(conn, session))
            continue;
        if (full(conn))
            return false;
        send_session(conn, q->request_id, session);
        q->session_id = session->id;
    }
    return true;
}

static bool send_data_sources(struct tw_service_conn *conn, const struct tw_producer *producer)
{
    struct tw_querying *q = &conn->querying;
    const struct tw_data_source *source;

    TAILQ_FOREACH (source, &producer->data_sources, next) {
        if (source->serial <= q->source_serial)
            continue;
        if (full(conn))
            return false;
        send_data_source(conn, q->request_id, source);
        q->source_serial = source->serial;
    }
    return true;
}

static bool send_producers(struct tw_service_conn *conn)
{
    struct tw_querying *q = &conn->querying;
    const struct tw_producer *producer;

    TAILQ_FOREACH (producer, &conn->service->producers, next) {
        if (producer->left || producer->serial < q->producer_serial)
            continue;
        if (full(conn))
            return false;
        if (producer->serial > q->producer_serial) {
            send_producer(conn, q->request_id, producer);
            q->producer_serial = producer->serial;
            q->source_serial = 0;
        }
        if (!send_data_sources(conn, producer))
            return false;
    }
    return true;
}

void tw_query_begin(struct tw_service_conn *conn, uint64_t request_id, bool sessions_only)
{
    REQ("TW-CONS-043");
    conn->querying = (struct tw_querying){
        .active = true,
        .request_id = request_id,
        .sessions_only = sessions_only,
    };
}

void tw_query_run(struct tw_service_conn *conn)
{
    struct tw_querying *q = &conn->querying;

    if (!q->active || !send_sessions(conn) || (!q->sessions_only && !send_producers(conn)))
        return;
    send_summary(conn, q->request_id);
    q->active = false;
}

void tw_query_capabilities(struct tw_service_conn *conn, uint64_t request_id)
{
    REQ("TW-CONS-044");
    Tw__QueryCapabilitiesResponse response = TW__QUERY_CAPABILITIES_RESPONSE__INIT;
    Tw__TracingServiceCapabilities caps = TW__TRACING_SERVICE_CAPABILITIES__INIT;
    Tw__ObservableEvents__Type events[] = {
        TW__OBSERVABLE_EVENTS__TYPE__TYPE_DATA_SOURCES_INSTANCES,
        TW__OBSERVABLE_EVENTS__TYPE__TYPE_ALL_DATA_SOURCES_STARTED,
        TW__OBSERVABLE_EVENTS__TYPE__TYPE_CLONE_TRIGGER_HIT,
    };

    caps.has_has_query_capabilities = caps.has_query_capabilities = true;
    caps.n_observable_events = TW_ARRAY_LEN(events);
    caps.observable_events = events;
    caps.has_has_trace_config_output_path = true;
    caps.has_has_clone_session = caps.has_clone_session = true;
    caps.has_trace_config_output_path = conn->service->output_dir >= 0;
    response.capabilities = &caps;
    tw_conn_reply(conn, request_id, &response.base, false, -1);
}
