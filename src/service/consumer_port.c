/* SPDX-License-Identifier: Apache-2.0 */
/* ConsumerPort: the methods a consumer calls. */
#include "consumer_port.pb-c.h"
#include "service/flush.h"
#include "service/observe.h"
#include "service/query.h"
#include "service/read_buffers.h"
#include "service/session.h"
#include "service/stats.h"
#include "wire/reader.h"

enum { ENABLE_TRACE_CONFIG = 1 }; /* field of EnableTracingRequest */

static void acknowledge_or_refuse(struct tw_service_conn *conn, const struct tw_host_call *call,
                                  bool ok)
{
    if (ok)
        tw_call_acknowledge(conn, call);
    else
        tw_call_refuse(conn, call);
}

/* The config's bytes, as they came: they are decoded into memory that lives with the session. */
static bool find_config(struct tw_bytes args, struct tw_bytes *ret_config)
{
    struct tw_reader r = tw_reader_of(args);
    bool found = false;
    struct tw_field f;
    int rc;

    while (!(rc = tw_read_field(&r, &f))) {
        if (f.number != ENABLE_TRACE_CONFIG)
            continue;
        if (f.type != TW_WIRE_LEN || found)
            return false;
        *ret_config = f.bytes;
        found = true;
    }
    return rc == TW_MORE && found;
}

static void answer_enable_error(struct tw_service_conn *conn, const struct tw_host_call *call,
                                const char *error)
{
    Tw__EnableTracingResponse response = TW__ENABLE_TRACING_RESPONSE__INIT;

    if (call->drop_reply)
        return;
    response.has_disabled = response.disabled = true;
    response.error = tw_pbc_str(error);
    tw_conn_reply(conn, call->request_id, &response.base, false, -1);
}

static void enable_tracing(struct tw_service_conn *conn, const struct tw_host_call *call,
                           const ProtobufCMessage *msg)
{
    const char *error = "this consumer has a session already; FreeBuffers ends it";
    struct tw_session *session;
    struct tw_bytes config;

    (void)msg;
    if (!find_config(call->args, &config)) {
        tw_call_refuse(conn, call);
        return;
    }
    if (conn->session || tw_session_enable(conn, config, &session, &error)) {
        answer_enable_error(conn, call, error);
        return;
    }
    session->enabled = (struct tw_later){.wanted = !call->drop_reply, .id = call->request_id};
}

static void start_tracing(struct tw_service_conn *conn, const struct tw_host_call *call,
                          const ProtobufCMessage *msg)
{
    (void)msg;
    acknowledge_or_refuse(conn, call, conn->session && !tw_session_start(conn->session));
}

static void disable_tracing(struct tw_service_conn *conn, const struct tw_host_call *call,
                            const ProtobufCMessage *msg)
{
    (void)msg;
    if (conn->session)
        tw_session_disable(conn->session);
    tw_call_acknowledge(conn, call);
}

static void read_buffers(struct tw_service_conn *conn, const struct tw_host_call *call,
                         const ProtobufCMessage *msg)
{
    (void)msg;
    if (!call->drop_reply && !tw_reading_begin(conn, call->request_id))
        tw_conn_refuse(conn, call->request_id);
}

static void free_buffers(struct tw_service_conn *conn, const struct tw_host_call *call,
                         const ProtobufCMessage *msg)
{
    (void)msg;
    if (conn->session)
        tw_session_free(conn->session);
    tw_call_acknowledge(conn, call);
}

static void flush(struct tw_service_conn *conn, const struct tw_host_call *call,
                  const ProtobufCMessage *msg)
{
    const Tw__FlushRequest *req = (const void *)msg;
    struct tw_later reply = {.wanted = !call->drop_reply, .id = call->request_id};

    if (conn->session)
        tw_flush_for_consumer(conn->session, req->has_timeout_ms ? req->timeout_ms : 0,
                              req->has_flags ? req->flags : 0, reply);
    else
        tw_call_refuse(conn, call);
}

static void get_trace_stats(struct tw_service_conn *conn, const struct tw_host_call *call,
                            const ProtobufCMessage *msg)
{
    Tw__GetTraceStatsResponse response = TW__GET_TRACE_STATS_RESPONSE__INIT;

    (void)msg;
    if (call->drop_reply)
        return;
    if (conn->session)
        response.trace_stats = tw_stats(conn->session, &conn->service->arena);
    if (!response.trace_stats) {
        tw_conn_refuse(conn, call->request_id);
        return;
    }
    /* One reply is all this method has, and producers decide how many writers there are; those are
     * in the trace as well. */
    if (protobuf_c_message_get_packed_size(&response.base) > TW_NESTED_MAX)
        response.trace_stats->n_writer_stats = 0;
    tw_conn_reply(conn, call->request_id, &response.base, false, -1);
}

/* A new call replaces what was observed before; the earlier stream ends. */
static void observe_events(struct tw_service_conn *conn, const struct tw_host_call *call,
                           const ProtobufCMessage *msg)
{
    const Tw__ObserveEventsRequest *req = (const void *)msg;

    if (conn->observing.wanted)
        tw_conn_reply_bytes(conn, conn->observing.id, (struct tw_bytes){0}, false, -1);
    conn->observing = (struct tw_later){.wanted = !call->drop_reply, .id = call->request_id};
    conn->observed = 0;
    for (size_t i = 0; i < req->n_events_to_observe; i++)
        conn->observed |= (uint32_t)req->events_to_observe[i];
    tw_observe_now(conn);
}

static void query_service_state(struct tw_service_conn *conn, const struct tw_host_call *call,
                                const ProtobufCMessage *msg)
{
    const Tw__QueryServiceStateRequest *req = (const void *)msg;

    if (!call->drop_reply)
        tw_query_begin(conn, call->request_id, req->has_sessions_only && req->sessions_only);
}

static void query_capabilities(struct tw_service_conn *conn, const struct tw_host_call *call,
                               const ProtobufCMessage *msg)
{
    (void)msg;
    if (!call->drop_reply)
        tw_query_capabilities(conn, call->request_id);
}

/* ChangeTraceConfig, Detach, Attach, SaveTraceForBugreport and CloneSession have no handler yet:
 * they are refused. */
const struct tw_port_handler tw_consumer_handlers[TW_CONSUMER_METHOD_MAX] = {
    [TW_CONSUMER_ENABLE_TRACING] = {NULL, enable_tracing, true},
    [TW_CONSUMER_DISABLE_TRACING] = {&tw__disable_tracing_request__descriptor, disable_tracing,
                                     false},
    [TW_CONSUMER_READ_BUFFERS] = {&tw__read_buffers_request__descriptor, read_buffers, false},
    [TW_CONSUMER_FREE_BUFFERS] = {&tw__free_buffers_request__descriptor, free_buffers, false},
    [TW_CONSUMER_FLUSH] = {&tw__flush_request__descriptor, flush, false},
    [TW_CONSUMER_START_TRACING] = {&tw__start_tracing_request__descriptor, start_tracing, false},
    [TW_CONSUMER_GET_TRACE_STATS] = {&tw__get_trace_stats_request__descriptor, get_trace_stats,
                                     false},
    [TW_CONSUMER_OBSERVE_EVENTS] = {&tw__observe_events_request__descriptor, observe_events, false},
    [TW_CONSUMER_QUERY_SERVICE_STATE] = {&tw__query_service_state_request__descriptor,
                                         query_service_state, false},
    [TW_CONSUMER_QUERY_CAPABILITIES] = {&tw__query_capabilities_request__descriptor,
                                        query_capabilities, false},
};
