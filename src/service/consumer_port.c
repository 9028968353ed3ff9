/* SPDX-License-Identifier: Apache-2.0 */
/* ConsumerPort: the methods a consumer calls. */
#include "base/req.h"
#include "consumer_port.pb-c.h"
#include "service/change_config.h"
#include "service/clone.h"
#include "service/detach.h"
#include "service/file_writer.h"
#include "service/flush.h"
#include "service/observe.h"
#include "service/query.h"
#include "service/read_buffers.h"
#include "service/session.h"
#include "service/stats.h"
#include "wire/reader.h"

/* Fields of EnableTracingRequest; ChangeTraceConfigRequest has the first of them. */
enum { ARG_TRACE_CONFIG = 1, ARG_ATTACH_NOTIFICATION_ONLY = 2 };

/* Arguments with a config. That stays as it came: it is decoded into memory that lives with the
 * session. */
struct config_args {
    struct tw_bytes config;
    bool has_config, attach_notification_only;
};

static bool read_config_arg(const struct tw_field *f, struct config_args *args)
{
    switch (f->number) {
    case ARG_TRACE_CONFIG:
        if (f->type != TW_WIRE_LEN || args->has_config)
            return false;
        args->config = f->bytes;
        args->has_config = true;
        return true;
    case ARG_ATTACH_NOTIFICATION_ONLY:
        args->attach_notification_only = f->value != 0;
        return f->type == TW_WIRE_VARINT;
    default:
        return true;
    }
}

static bool read_config_args(struct tw_bytes bytes, struct config_args *ret_args)
{
    struct tw_reader r = tw_reader_of(bytes);
    struct config_args args = {.has_config = false};
    struct tw_field f;
    int rc;

    while (!(rc = tw_read_field(&r, &f)))
        if (!read_config_arg(&f, &args))
            return false;
    *ret_args = args;
    return rc == TW_MORE;
}

static void answer_enable_error(struct tw_service_conn *conn, const struct tw_host_call *call,
                                const char *error)
{
    Tw__EnableTracingResponse response = TW__ENABLE_TRACING_RESPONSE__INIT;

    tw_conn_explain(conn, error);
    if (call->drop_reply)
        return;
    response.has_disabled = response.disabled = true;
    response.error = tw_pbc_str(error);
    tw_conn_reply(conn, call->request_id, &response.base, false, -1);
}

/* This call is answered when the connection's session ends; no other waits for that any longer. */
static void answer_at_the_end(struct tw_service_conn *conn, const struct tw_host_call *call)
{
    if (conn->ended.wanted)
        tw_conn_refuse(conn, conn->ended.id,
                       "TW-CONS-003: a later EnableTracing waits in its place");
    conn->ended = (struct tw_later){.wanted = !call->drop_reply, .id = call->request_id};
    if (conn->session && conn->session->state >= TW_SESSION_DISABLED &&
        !tw_file_writer_busy(conn->session))
        tw_observe_disabled(conn->session);
}

/* A session for the config. On failure *ret_error is a text for the consumer. */
static int enable(struct tw_service_conn *conn, const struct config_args *args,
                  const char **ret_error)
{
    REQ("TW-CONS-001");
    *ret_error = "TW-CONS-001: this consumer has a session already; FreeBuffers ends it";
    if (conn->session)
        return TW_E_REFUSED;
    *ret_error = "TW-CONS-080: there is no trace config";
    if (!args->has_config)
        return TW_E_INVALID;
    return tw_session_enable(conn, args->config, tw_rx_take_fd(&conn->host.rx), ret_error);
}

static void enable_tracing(struct tw_service_conn *conn, const struct tw_host_call *call,
                           const ProtobufCMessage *msg)
{
    REQ("TW-CONS-003");
    REQ("TW-CONS-004");
    struct config_args args;
    const char *error;

    (void)msg;
    if (!read_config_args(call->args, &args))
        tw_call_refuse(conn, call, tw_malformed_args);
    else if (!args.attach_notification_only && enable(conn, &args, &error))
        answer_enable_error(conn, call, error);
    else
        answer_at_the_end(conn, call);
}

static void change_trace_config(struct tw_service_conn *conn, const struct tw_host_call *call,
                                const ProtobufCMessage *msg)
{
    struct config_args args;

    (void)msg;
    if (!read_config_args(call->args, &args))
        tw_call_refuse(conn, call, tw_malformed_args);
    else if (!conn->session || !args.has_config)
        tw_call_refuse(conn, call, "TW-CONS-021: there is no session, or no config");
    else
        tw_call_settle(conn, call, tw_session_change_config(conn->session, args.config));
}

static void start_tracing(struct tw_service_conn *conn, const struct tw_host_call *call,
                          const ProtobufCMessage *msg)
{
    REQ("TW-CONS-005");
    const char *why = NULL;

    (void)msg;
    if (!conn->session || tw_session_start(conn->session))
        why = "TW-CONS-005: no session that waits for its start";
    tw_call_settle(conn, call, why);
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
    REQ("TW-CONS-006");

    REQ("TW-TRACE-011");
    const char *why;

    (void)msg;
    if (!conn->session || conn->session->writer) {
        tw_call_acknowledge(conn, call);
        return;
    }
    why = call->drop_reply ? NULL : tw_reading_begin(conn, call->request_id);
    if (why)
        tw_conn_refuse(conn, call->request_id, why);
}

static void free_buffers(struct tw_service_conn *conn, const struct tw_host_call *call,
                         const ProtobufCMessage *msg)
{
    (void)msg;
    if (conn->session)
        tw_session_let_go(conn->session);
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
        tw_call_refuse(conn, call, "TW-CONS-005: there is no session to flush");
}

static void detach(struct tw_service_conn *conn, const struct tw_host_call *call,
                   const ProtobufCMessage *msg)
{
    const Tw__DetachRequest *req = (const void *)msg;

    tw_call_settle(conn, call, tw_session_detach(conn, req->key));
}

static void attach(struct tw_service_conn *conn, const struct tw_host_call *call,
                   const ProtobufCMessage *msg)
{
    const Tw__AttachRequest *req = (const void *)msg;
    Tw__AttachResponse response = TW__ATTACH_RESPONSE__INIT;
    const char *why = tw_session_attach(conn, req->key);

    if (why) {
        tw_call_refuse(conn, call, why);
        return;
    }
    response.trace_config = conn->session->config;
    if (!call->drop_reply)
        tw_conn_reply(conn, call->request_id, &response.base, false, -1);
    REQ("TW-CONS-014");
    tw_observe_now(conn);
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
        tw_conn_refuse(conn, call->request_id,
                       conn->session ? "out of memory for the stats"
                                     : "TW-CONS-005: there is no session to tell of");
        return;
    }
    /* One reply is all this method has, and producers decide how many writers there are; those are
     * in the trace as well. */
    if (protobuf_c_message_get_packed_size(&response.base) > TW_NESTED_MAX)
        response.trace_stats->n_writer_stats = 0;
    tw_conn_reply(conn, call->request_id, &response.base, false, -1);
}

static void end_observing(struct tw_service_conn *conn)
{
    if (conn->observing.wanted)
        tw_conn_reply_bytes(conn, conn->observing.id, (struct tw_bytes){0}, false, -1);
    conn->observing.wanted = false;
}

/* A new call replaces what was observed before; the earlier stream ends. */
static void observe_events(struct tw_service_conn *conn, const struct tw_host_call *call,
                           const ProtobufCMessage *msg)
{
    REQ("TW-CONS-041");
    const Tw__ObserveEventsRequest *req = (const void *)msg;

    end_observing(conn);
    conn->observing = (struct tw_later){.wanted = !call->drop_reply, .id = call->request_id};
    conn->observed = 0;
    for (size_t i = 0; i < req->n_events_to_observe; i++)
        conn->observed |= (uint32_t)req->events_to_observe[i];
    if (!conn->observed)
        end_observing(conn);
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

/* As the original answers since it was replaced. */
static void save_trace_for_bugreport(struct tw_service_conn *conn, const struct tw_host_call *call,
                                     const ProtobufCMessage *msg)
{
    REQ("TW-CONS-060");
    Tw__SaveTraceForBugreportResponse response = TW__SAVE_TRACE_FOR_BUGREPORT_RESPONSE__INIT;

    (void)msg;
    if (call->drop_reply)
        return;
    response.has_success = true;
    response.msg = tw_pbc_str("SaveTraceForBugreport is no more; use CloneSession");
    tw_conn_reply(conn, call->request_id, &response.base, false, -1);
}

static void clone_session(struct tw_service_conn *conn, const struct tw_host_call *call,
                          const ProtobufCMessage *msg)
{
    tw_clone_begin(conn, call, (const void *)msg);
}

const struct tw_port_handler tw_consumer_handlers[TW_CONSUMER_METHOD_MAX] = {
    [TW_CONSUMER_ENABLE_TRACING] = {NULL, enable_tracing, true},
    [TW_CONSUMER_DISABLE_TRACING] = {&tw__disable_tracing_request__descriptor, disable_tracing,
                                     false},
    [TW_CONSUMER_READ_BUFFERS] = {&tw__read_buffers_request__descriptor, read_buffers, false},
    [TW_CONSUMER_FREE_BUFFERS] = {&tw__free_buffers_request__descriptor, free_buffers, false},
    [TW_CONSUMER_FLUSH] = {&tw__flush_request__descriptor, flush, false},
    [TW_CONSUMER_START_TRACING] = {&tw__start_tracing_request__descriptor, start_tracing, false},
    [TW_CONSUMER_CHANGE_TRACE_CONFIG] = {NULL, change_trace_config, true},
    [TW_CONSUMER_DETACH] = {&tw__detach_request__descriptor, detach, false},
    [TW_CONSUMER_ATTACH] = {&tw__attach_request__descriptor, attach, false},
    [TW_CONSUMER_GET_TRACE_STATS] = {&tw__get_trace_stats_request__descriptor, get_trace_stats,
                                     false},
    [TW_CONSUMER_OBSERVE_EVENTS] = {&tw__observe_events_request__descriptor, observe_events, false},
    [TW_CONSUMER_QUERY_SERVICE_STATE] = {&tw__query_service_state_request__descriptor,
                                         query_service_state, false},
    [TW_CONSUMER_SAVE_TRACE_FOR_BUGREPORT] = {&tw__save_trace_for_bugreport_request__descriptor,
                                              save_trace_for_bugreport, false},
    [TW_CONSUMER_CLONE_SESSION] = {&tw__clone_session_request__descriptor, clone_session, false},
    [TW_CONSUMER_QUERY_CAPABILITIES] = {&tw__query_capabilities_request__descriptor,
                                        query_capabilities, false},
};
