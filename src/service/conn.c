/* SPDX-License-Identifier: Apache-2.0 */
/* One connection: received calls to the handlers of its port, replies and streams back. */
#include <errno.h>
#include <stdlib.h>

#include "base/fd.h"
#include "base/req.h"
#include "service/clone.h"
#include "service/core.h"
#include "service/machine.h"
#include "service/observe.h"
#include "service/producer.h"
#include "service/query.h"
#include "service/read_buffers.h"
#include "service/relay.h"
#include "service/scrape.h"
#include "service/session.h"

/* What any connection costs: itself, and the socket that carries it. */
static int charge_new(struct tw_service_conn *conn)
{
    REQ("TW-LIM-062");
    static const enum tw_quota quotas[] = {TW_QUOTA_CONNECTIONS, TW_QUOTA_DESCRIPTORS};
    int rc = tw_charge_open(&conn->charge, &conn->service->accounts, conn->peer.uid);

    for (size_t i = 0; !rc && i < TW_ARRAY_LEN(quotas); i++) {
        rc = tw_charge_set(&conn->charge, quotas[i], 1);
        if (rc)
            tw_service_refused(conn->service, &conn->peer, tw_quotas[quotas[i]].passed);
    }
    return rc;
}

int tw_service_connect(struct tw_service *service, enum tw_service_port port, struct tw_peer peer,
                       void (*wake)(void *user), void *user, struct tw_service_conn **ret_conn)
{
    struct tw_service_conn *conn = calloc(1, sizeof(*conn));
    int rc;

    if (!conn)
        return -ENOMEM;
    conn->service = service;
    conn->port = port;
    conn->peer = peer;
    conn->wake = wake;
    conn->user = user;
    tw_reading_init(&conn->reading);
    tw_host_init_pooled(&conn->host,
                        port == TW_SERVICE_PRODUCER ? &tw_producer_port : &tw_consumer_port,
                        &service->rxpool);
    rc = charge_new(conn);
    if (!rc)
        rc = tw_scrapes_prepare(service);
    if (!rc)
        rc = tw_deadline_begin(conn);
    if (rc) {
        tw_host_deinit(&conn->host);
        tw_charge_close(&conn->charge);
        free(conn);
        return rc;
    }
    conn->host.wants_identity = port == TW_SERVICE_PRODUCER && peer.remote;
    if (conn->host.wants_identity && peer.relay)
        conn->host.other = &tw_relay_port;
    TAILQ_INSERT_TAIL(&service->conns, conn, next);
    *ret_conn = conn;
    return 0;
}

void tw_service_disconnect(struct tw_service_conn *conn)
{
    if (!conn)
        return;
    if (conn->service->lending == conn)
        conn->service->lending = NULL; /* its queue goes with it */
    tw_service_settle(conn->service);
    conn->doomed = "disconnected"; /* nothing more is queued for it while its objects go */
    conn->wake = NULL;
    TAILQ_REMOVE(&conn->service->conns, conn, next);
    tw_deadline_end(conn);
    tw_relay_free(conn);
    tw_clone_of_conn_end(conn);
    if (conn->session)
        tw_session_let_go(conn->session);
    if (conn->producer)
        tw_producer_leave(conn->producer);
    else
        tw_conn_free(conn);
}

void tw_conn_free(struct tw_service_conn *conn)
{
    tw_reading_deinit(&conn->reading);
    tw_host_deinit(&conn->host);
    tw_charge_close(&conn->charge);
    free(conn->machine_name);
    free(conn);
}

void tw_service_space(struct tw_service_conn *conn, uint8_t **ret_p, size_t *ret_n)
{
    tw_rx_space(&conn->host.rx, ret_p, ret_n);
}

void tw_service_received(struct tw_service_conn *conn, size_t n, const int *fds, size_t n_fds)
{
    tw_rx_filled(&conn->host.rx, n, fds, n_fds);
    tw_conn_charge(conn);
}

int tw_service_peek(const struct tw_service_conn *conn, struct tw_bytes *ret_bytes, int *ret_fd)
{
    return tw_tx_peek(&conn->host.tx, ret_bytes, ret_fd);
}

int tw_service_peekv(const struct tw_service_conn *conn, struct iovec *iov, size_t max,
                     size_t *ret_n, int *ret_fd)
{
    return tw_tx_peekv(&conn->host.tx, iov, max, ret_n, ret_fd);
}

void tw_service_sent(struct tw_service_conn *conn, size_t n)
{
    tw_tx_sent(&conn->host.tx, n);
    tw_conn_charge(conn);
}

void tw_service_settle(struct tw_service *service)
{
    struct tw_service_conn *conn = service->lending;

    service->lending = NULL;
    if (conn && tw_tx_settle(&conn->host.tx))
        tw_conn_doom(conn, "out of memory for what waits to be sent");
}

const char *tw_service_why(const struct tw_service_conn *conn)
{
    return conn->doomed ? conn->doomed : conn->host.why;
}

void tw_conn_wake(struct tw_service_conn *conn)
{
    if (conn->wake)
        conn->wake(conn->user);
}

void tw_conn_doom(struct tw_service_conn *conn, const char *why)
{
    if (conn->doomed)
        return;
    conn->doomed = why;
    tw_conn_wake(conn);
}

static size_t n_descriptors(const struct tw_service_conn *conn)
{
    const struct tw_host *host = &conn->host;

    return 1 + host->rx.n_fds + (host->rx.frame_fd >= 0) + host->tx.n_fds +
           (conn->producer && conn->producer->shm.fd >= 0) + tw_clone_n_fds(conn);
}

void tw_conn_charge(struct tw_service_conn *conn)
{
    REQ("TW-LIM-064");
    REQ("TW-LIM-065");
    REQ("TW-LIM-066");
    const struct {
        enum tw_quota quota;
        size_t n;
    } now[] = {
        {TW_QUOTA_OUTPUT, tw_tx_queued(&conn->host.tx)},
        {TW_QUOTA_REQUESTS, conn->host.requests.n},
        {TW_QUOTA_DESCRIPTORS, n_descriptors(conn)},
    };

    for (size_t i = 0; i < TW_ARRAY_LEN(now); i++)
        if (tw_charge_set(&conn->charge, now[i].quota, now[i].n))
            tw_conn_doom(conn, tw_quotas[now[i].quota].passed);
}

/* What the socket takes at once need not wait in an account that is full: one large config goes to
 * all producers of a user before any of them has its turn to be sent to. */
static void make_room(struct tw_service_conn *conn)
{
    REQ("TW-LIM-064");
    const struct tw_service_options *options = &conn->service->options;

    if (options->send_now &&
        tw_charge_set(&conn->charge, TW_QUOTA_OUTPUT, tw_tx_queued(&conn->host.tx)))
        options->send_now(conn->user);
}

/* A reply is queued, or else there can be none any more. */
static void replied(struct tw_service_conn *conn, int rc)
{
    if (!rc) {
        make_room(conn);
        tw_conn_charge(conn);
        tw_conn_wake(conn);
    } else if (rc == TW_E_FULL) {
        tw_conn_doom(conn, "TW-LIM-004: the peer does not read its replies");
    } else {
        tw_conn_doom(conn, conn->host.why ? conn->host.why : "out of memory for a reply");
    }
}

static void reply(struct tw_service_conn *conn, uint64_t request_id, const struct tw_bytes *body,
                  bool has_more, int fd)
{
    int rc =
        conn->doomed ? TW_E_CLOSED : tw_host_reply(&conn->host, request_id, body, has_more, fd);

    if (rc)
        tw_fd_close(&fd);
    if (rc == TW_E_LIMIT) {
        tw_conn_explain(conn, "no frame holds the reply");
        rc = tw_host_reply(&conn->host, request_id, NULL, false, -1);
    }
    replied(conn, rc);
}

void tw_conn_reply_bytes(struct tw_service_conn *conn, uint64_t request_id, struct tw_bytes bytes,
                         bool has_more, int fd)
{
    reply(conn, request_id, &bytes, has_more, fd);
}

void tw_conn_reply_from(struct tw_service_conn *conn, uint64_t request_id,
                        const struct tw_gather *body, bool has_more)
{
    int rc =
        conn->doomed ? TW_E_CLOSED : tw_host_reply_from(&conn->host, request_id, body, has_more);

    conn->service->lending = conn;
    replied(conn, rc);
}

void tw_conn_explain(const struct tw_service_conn *conn, const char *why)
{
    const struct tw_service_options *options = &conn->service->options;

    if (options->call_refused)
        options->call_refused(conn->peer, why, options->user);
}

void tw_conn_refuse(struct tw_service_conn *conn, uint64_t request_id, const char *why)
{
    tw_conn_explain(conn, why);
    reply(conn, request_id, NULL, false, -1);
}

void tw_conn_reply(struct tw_service_conn *conn, uint64_t request_id, const ProtobufCMessage *msg,
                   bool has_more, int fd)
{
    struct tw_buf *scratch = &conn->service->scratch;
    struct tw_bytes body;

    scratch->n = 0;
    if (tw_pbc_pack(msg, scratch)) {
        tw_fd_close(&fd);
        tw_conn_doom(conn, "out of memory for a reply");
        return;
    }
    body = tw_buf_bytes(scratch);
    reply(conn, request_id, &body, has_more, fd);
}

void tw_call_acknowledge(struct tw_service_conn *conn, const struct tw_host_call *call)
{
    if (!call->drop_reply)
        tw_conn_reply_bytes(conn, call->request_id, (struct tw_bytes){0}, false, -1);
}

void tw_call_refuse(struct tw_service_conn *conn, const struct tw_host_call *call, const char *why)
{
    if (call->drop_reply)
        tw_conn_explain(conn, why);
    else
        tw_conn_refuse(conn, call->request_id, why);
}

void tw_call_settle(struct tw_service_conn *conn, const struct tw_host_call *call, const char *why)
{
    if (why)
        tw_call_refuse(conn, call, why);
    else
        tw_call_acknowledge(conn, call);
}

const char tw_malformed_args[] =
    "TW-SESS-016: the arguments are malformed or cost too much to decode";

static const struct tw_port_handler *handler_of(const struct tw_service_conn *conn, uint32_t method)
{
    if (conn->host.port == &tw_relay_port)
        return &tw_relay_handlers[method];
    return conn->host.port == &tw_producer_port ? &tw_producer_handlers[method]
                                                : &tw_consumer_handlers[method];
}

static void call_method(struct tw_service_conn *conn, const struct tw_host_call *call)
{
    REQ("TW-SESS-016");
    REQ("TW-PROD-001");
    const struct tw_port_handler *handler = handler_of(conn, call->method);
    struct tw_arena *arena = &conn->service->arena;
    ProtobufCMessage *req = NULL;

    if (!handler->fn)
        tw_call_refuse(conn, call, "this service has no such method");
    else if (conn->host.port == &tw_producer_port && !conn->producer &&
             call->method != TW_PRODUCER_INITIALIZE_CONNECTION)
        tw_call_refuse(conn, call, "TW-PROD-001: the producer has not initialised its connection");
    else if (!handler->raw && tw_pbc_unpack(handler->request, arena, call->args, &req))
        tw_call_refuse(conn, call, tw_malformed_args);
    else
        handler->fn(conn, call, req);
    tw_arena_reset(arena);
}

static void dispatch(struct tw_service_conn *conn, const struct tw_host_call *call)
{
    if (call->method == TW_HOST_IDENTITY)
        tw_machine_identify(conn, &call->identity);
    else
        call_method(conn, call);
}

/* Calls until there are none, too many or too long ones, or the peer has too much to read first. */
static int run_calls(struct tw_service_conn *conn)
{
    REQ("TW-LIM-023");
    REQ("TW-LIM-026");
    for (int i = 0; i < TW_CALLS_PER_TURN; i++) {
        struct tw_host_call call;
        int rc;

        if (conn->doomed)
            return TW_E_CLOSED;
        if (tw_tx_queued(&conn->host.tx) > TW_TX_BACKLOG || conn->querying.active)
            return 0;
        rc = tw_host_next(&conn->host, &call);
        if (rc)
            return rc == TW_AGAIN ? 0 : rc;
        dispatch(conn, &call);
        if (tw_turn_is_over(conn->service))
            break;
    }
    return 0;
}

int tw_service_run(struct tw_service_conn *conn)
{
    bool idle;
    int rc;

    tw_service_settle(conn->service);
    tw_turn_begin(conn->service);
    rc = run_calls(conn);
    if (rc && rc != TW_MORE)
        return rc;
    tw_reading_run(conn);
    tw_query_run(conn);
    tw_observe_run(conn);
    tw_conn_charge(conn);
    /* TW_MORE from the host session is "send me more bytes": everything received is done. */
    idle = rc == TW_MORE && !conn->reading.active && !conn->querying.active &&
           !tw_observe_pending(conn);
    tw_deadline_look(conn, idle);
    if (conn->doomed)
        return TW_E_CLOSED;
    return idle ? 0 : TW_MORE;
}
