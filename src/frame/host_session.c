/* SPDX-License-Identifier: Apache-2.0 */
#include "frame/host_session.h"

#include "base/bytes.h"
#include "base/req.h"
#include "base/visit.h"

int tw_host_init(struct tw_host *host, const struct tw_port *port)
{
    *host = (struct tw_host){.port = port, .tx = TW_TX_INIT};
    return tw_rx_init(&host->rx);
}

void tw_host_init_pooled(struct tw_host *host, const struct tw_port *port, struct tw_rxpool *pool)
{
    *host = (struct tw_host){.port = port, .tx = TW_TX_INIT};
    tw_rx_init_pooled(&host->rx, pool);
}

void tw_host_deinit(struct tw_host *host)
{
    if (!host)
        return;
    tw_requests_deinit(&host->requests);
    tw_rx_deinit(&host->rx);
    tw_tx_deinit(&host->tx);
    host->state = TW_HOST_STATE_CLOSED;
}

/* Which of the services on offer has this name; NULL if none. */
static const struct tw_port *offered(const struct tw_host *host, struct tw_bytes name)
{
    if (tw_bytes_eq_str(name, host->port->service_name))
        return host->port;
    return host->other && tw_bytes_eq_str(name, host->other->service_name) ? host->other : NULL;
}

/* From now on the connection speaks that one service: its requests have the methods of one port. */
static int reply_bound(struct tw_host *host, const struct tw_frame *request)
{
    REQ("TW-SESS-018");
    REQ("TW-RELAY-002");
    struct tw_method_info list[TW_METHOD_MAX];
    struct tw_frame reply = {.kind = TW_FRAME_BIND_REPLY, .request_id = request->request_id};

    host->port = offered(host, request->bind.service_name);
    host->other = NULL;
    for (uint32_t i = 0; i < host->port->n_methods; i++) {
        const char *name = host->port->method[i + 1].name;

        list[i].id = i + 1;
        list[i].name = tw_bytes_of_str(name);
    }
    reply.bind_reply.success = true;
    reply.bind_reply.service_id = host->port->service_id;
    reply.bind_reply.method = list;
    reply.bind_reply.n_methods = host->port->n_methods;
    return tw_tx_frame(&host->tx, &reply, -1);
}

static int reply_bind_failed(struct tw_host *host, const struct tw_frame *request)
{
    struct tw_frame reply = {.kind = TW_FRAME_BIND_REPLY, .request_id = request->request_id};

    return tw_tx_frame(&host->tx, &reply, -1);
}

static int reply_error(struct tw_host *host, const struct tw_frame *request)
{
    struct tw_frame reply = {
        .kind = TW_FRAME_REQUEST_ERROR,
        .request_id = request->request_id,
        .request_error.text = tw_bytes_of_str("unknown request"),
    };

    return tw_tx_frame(&host->tx, &reply, -1);
}

/* What a call is answered with: bytes, or bytes that lie in several places, or no. */
struct answer {
    const struct tw_bytes *body;
    const struct tw_gather *from;
    int fd;
};

static int send_reply(struct tw_host *host, uint64_t id, const struct answer *a, bool more)
{
    struct tw_frame reply = {.kind = TW_FRAME_INVOKE_REPLY, .request_id = id};

    reply.invoke_reply.success = a->body || a->from;
    reply.invoke_reply.has_more = more;
    reply.invoke_reply.has_reply = a->body != NULL;
    if (a->body)
        reply.invoke_reply.reply = *a->body;
    return a->from ? tw_tx_reply(&host->tx, &reply, a->from)
                   : tw_tx_frame(&host->tx, &reply, a->fd);
}

static enum tw_host_event classify_invoke(struct tw_host *host, const struct tw_frame *frame)
{
    const struct tw_port *port = host->port;
    bool known = frame->invoke.service_id == port->service_id && frame->invoke.method_id != 0 &&
                 frame->invoke.method_id <= port->n_methods;

    if (frame->invoke.drop_reply)
        return known ? TW_HOST_EVENT_INVOKE_KNOWN_DROP : TW_HOST_EVENT_INVOKE_UNKNOWN_DROP;
    REQ("TW-SESS-005");
    REQ("TW-SESS-014");
    if (tw_requests_find(&host->requests, frame->request_id))
        return TW_HOST_EVENT_INVOKE_REPEATED;
    REQ("TW-SESS-003");
    if (!known)
        return TW_HOST_EVENT_INVOKE_UNKNOWN;
    REQ("TW-SESS-006");
    REQ("TW-LIM-005");
    return host->requests.n == TW_REQUESTS_MAX ? TW_HOST_EVENT_INVOKE_TOO_MANY
                                               : TW_HOST_EVENT_INVOKE_KNOWN;
}

/* Why a request ends the connection, for people; bytes that do have a text of their own. */
static const char *reason(enum tw_host_event event)
{
    if (event == TW_HOST_EVENT_INVOKE_REPEATED)
        return "TW-SESS-005: a call has the id of one that is outstanding";
    if (event == TW_HOST_EVENT_INVOKE_TOO_MANY)
        return "TW-SESS-006: too many calls are outstanding";
    return NULL;
}

static enum tw_host_event classify(struct tw_host *host, const struct tw_frame *frame)
{
    switch (frame->kind) {
    case TW_FRAME_BIND:
        return offered(host, frame->bind.service_name) ? TW_HOST_EVENT_BIND_KNOWN
                                                       : TW_HOST_EVENT_BIND_UNKNOWN;
    case TW_FRAME_INVOKE:
        return classify_invoke(host, frame);
    case TW_FRAME_PEER_IDENTITY:
        return host->wants_identity ? TW_HOST_EVENT_IDENTITY_WANTED
                                    : TW_HOST_EVENT_IDENTITY_UNWANTED;
    default:
        return TW_HOST_EVENT_NOT_A_REQUEST;
    }
}

static int dispatch(struct tw_host *host, const struct tw_frame *frame,
                    struct tw_host_call *ret_call)
{
    struct tw_request req = {.id = frame->request_id, .method = frame->invoke.method_id};
    int rc = frame->invoke.drop_reply ? 0 : tw_requests_add(&host->requests, req);

    if (rc)
        return rc;
    *ret_call = (struct tw_host_call){
        .request_id = frame->request_id,
        .method = frame->invoke.method_id,
        .drop_reply = frame->invoke.drop_reply,
        .args = frame->invoke.args,
    };
    return 0;
}

static void tell_identity(struct tw_host *host, const struct tw_frame *frame,
                          struct tw_host_call *ret_call)
{
    host->wants_identity = false;
    *ret_call = (struct tw_host_call){
        .method = TW_HOST_IDENTITY,
        .drop_reply = true,
        .identity = frame->peer_identity,
    };
}

/* Leaves the state as the table says; the first reason for the end is kept. */
static const struct tw_host_cell *step(struct tw_host *host, enum tw_host_event event,
                                       const char *why)
{
    const struct tw_host_cell *cell = &tw_host_table[host->state][event];

    TW_VISIT(host, host->state, event);
    host->state = cell->next;
    if (cell->action == TW_HOST_ACTION_CLOSE)
        host->why = why ? why : cell->rule;
    return cell;
}

/* What the table says for this frame. 0: *ret_call is set; TW_MORE: handled here, go on. */
static int act(struct tw_host *host, enum tw_host_event event, const struct tw_frame *frame,
               const char *why, struct tw_host_call *ret_call)
{
    int rc = 0;

    switch (step(host, event, why)->action) {
    case TW_HOST_ACTION_DISPATCH:
    case TW_HOST_ACTION_DISPATCH_DROP:
        return dispatch(host, frame, ret_call);
    case TW_HOST_ACTION_TELL_IDENTITY:
        tell_identity(host, frame, ret_call);
        return 0;
    case TW_HOST_ACTION_REPLY_BOUND:
        rc = reply_bound(host, frame);
        break;
    case TW_HOST_ACTION_REPLY_BIND_FAILED:
        rc = reply_bind_failed(host, frame);
        break;
    case TW_HOST_ACTION_REFUSE:
        rc = send_reply(host, frame->request_id, &(struct answer){.fd = -1}, false);
        break;
    case TW_HOST_ACTION_REPLY_ERROR:
        rc = reply_error(host, frame);
        break;
    default:
        break; /* to close and to ignore need no more; the rest is no answer to a frame */
    }
    if (rc == TW_E_FULL) {
        step(host, TW_HOST_EVENT_OVERFLOW, "TW-LIM-004: the peer does not read its replies");
        rc = 0;
    }
    return rc ? rc : TW_MORE;
}

/* The next frame as an event of the table. TW_MORE when there is no whole one. */
static int next_event(struct tw_host *host, struct tw_frame *frame, enum tw_host_event *ret_event,
                      const char **ret_why)
{
    REQ("TW-FRAME-003");
    REQ("TW-ENC-017");
    REQ("TW-SESS-009");
    struct tw_frame_fault fault = {.reason = TW_FRAME_TOO_LARGE};
    struct tw_bytes payload;
    int rc = tw_rx_next(&host->rx, &payload);

    if (rc == TW_MORE)
        return rc;
    if (!rc && payload.n == 0) {
        *ret_event = TW_HOST_EVENT_EMPTY;
    } else if (!rc && !tw_frame_decode(payload, frame, &fault)) {
        *ret_event = classify(host, frame);
        *ret_why = reason(*ret_event);
    } else {
        *ret_event = TW_HOST_EVENT_BAD_FRAME;
        *ret_why = tw_frame_reason_text(fault.reason);
    }
    return 0;
}

int tw_host_next(struct tw_host *host, struct tw_host_call *ret_call)
{
    for (int i = 0; host->state != TW_HOST_STATE_CLOSED; i++) {
        struct tw_frame frame = {.kind = TW_FRAME_NONE};
        enum tw_host_event event;
        const char *why = NULL;
        int rc;

        REQ("TW-SESS-032");
        REQ("TW-LIM-040");
        if (i == TW_FRAMES_PER_CALL)
            return TW_AGAIN;
        rc = next_event(host, &frame, &event, &why);
        if (rc)
            return rc;
        rc = act(host, event, &frame, why, ret_call);
        if (rc != TW_MORE)
            return rc;
    }
    return TW_E_CLOSED;
}

static enum tw_host_event classify_answer(const struct tw_host *host, const struct tw_request *req,
                                          bool has_more)
{
    if (!req)
        return TW_HOST_EVENT_ANSWER_UNWANTED;
    if (!has_more)
        return TW_HOST_EVENT_ANSWER_LAST;
    return host->port->method[req->method].stream ? TW_HOST_EVENT_ANSWER_MORE
                                                  : TW_HOST_EVENT_ANSWER_MORE_UNARY;
}

static int answer(struct tw_host *host, uint64_t request_id, const struct answer *a, bool has_more)
{
    struct tw_request *req = tw_requests_find(&host->requests, request_id);
    const struct tw_host_cell *cell = step(host, classify_answer(host, req, has_more), NULL);
    int rc;

    switch (cell->action) {
    case TW_HOST_ACTION_SEND_MORE:
        return send_reply(host, request_id, a, true);
    case TW_HOST_ACTION_SEND_LAST:
        rc = send_reply(host, request_id, a, false);
        if (!rc)
            tw_requests_remove(&host->requests, req);
        return rc;
    case TW_HOST_ACTION_TELL_NOT_FOUND:
        return TW_E_NOT_FOUND;
    case TW_HOST_ACTION_TELL_CLOSED:
        return TW_E_CLOSED;
    default:
        return TW_E_INVALID;
    }
}

int tw_host_reply(struct tw_host *host, uint64_t request_id, const struct tw_bytes *reply,
                  bool has_more, int fd)
{
    return answer(host, request_id, &(struct answer){.body = reply, .fd = fd}, has_more);
}

int tw_host_reply_from(struct tw_host *host, uint64_t request_id, const struct tw_gather *body,
                       bool has_more)
{
    return answer(host, request_id, &(struct answer){.from = body, .fd = -1}, has_more);
}

void tw_host_end(struct tw_host *host, const char *why)
{
    step(host, TW_HOST_EVENT_END, why);
}
