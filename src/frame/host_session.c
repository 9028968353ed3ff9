/* SPDX-License-Identifier: Apache-2.0 */
#include "frame/host_session.h"

#include "base/bytes.h"

int tw_host_init(struct tw_host *host, const struct tw_port *port)
{
    *host = (struct tw_host){.port = port, .tx = TW_TX_INIT};
    return tw_rx_init(&host->rx);
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

static int reply_bound(struct tw_host *host, const struct tw_frame *request)
{
    struct tw_method_info list[TW_METHOD_MAX];
    struct tw_frame reply = {.kind = TW_FRAME_BIND_REPLY, .request_id = request->request_id};

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

static int send_reply(struct tw_host *host, uint64_t id, const struct tw_bytes *body, bool more,
                      int fd)
{
    struct tw_frame reply = {.kind = TW_FRAME_INVOKE_REPLY, .request_id = id};

    reply.invoke_reply.success = body != NULL;
    reply.invoke_reply.has_more = more;
    reply.invoke_reply.has_reply = body != NULL;
    if (body)
        reply.invoke_reply.reply = *body;
    return tw_tx_frame(&host->tx, &reply, fd);
}

static int refuse(struct tw_host *host, const struct tw_frame *request)
{
    if (request->invoke.drop_reply)
        return 0;
    return send_reply(host, request->request_id, NULL, false, -1);
}

static enum tw_host_event classify_invoke(struct tw_host *host, const struct tw_frame *frame)
{
    const struct tw_port *port = host->port;

    if (frame->invoke.service_id != port->service_id || frame->invoke.method_id == 0 ||
        frame->invoke.method_id > port->n_methods)
        return TW_HOST_EVENT_INVOKE_UNKNOWN;
    if (frame->invoke.drop_reply)
        return TW_HOST_EVENT_INVOKE_KNOWN;
    if (tw_requests_find(&host->requests, frame->request_id))
        return TW_HOST_EVENT_INVOKE_REPEATED;
    if (host->requests.n == TW_REQUESTS_MAX)
        return TW_HOST_EVENT_INVOKE_TOO_MANY;
    return TW_HOST_EVENT_INVOKE_KNOWN;
}

static enum tw_host_event classify(struct tw_host *host, const struct tw_frame *frame)
{
    switch (frame->kind) {
    case TW_FRAME_BIND:
        return tw_bytes_eq_str(frame->bind.service_name, host->port->service_name)
                   ? TW_HOST_EVENT_BIND_KNOWN
                   : TW_HOST_EVENT_BIND_UNKNOWN;
    case TW_FRAME_INVOKE:
        return classify_invoke(host, frame);
    case TW_FRAME_PEER_IDENTITY:
        return TW_HOST_EVENT_IDENTITY;
    default:
        return TW_HOST_EVENT_NOT_A_REQUEST;
    }
}

static int dispatch(struct tw_host *host, const struct tw_frame *frame,
                    struct tw_host_call *ret_call)
{
    if (!frame->invoke.drop_reply) {
        struct tw_request req = {.id = frame->request_id, .method = frame->invoke.method_id};
        int rc = tw_requests_add(&host->requests, req);

        if (rc)
            return rc;
    }
    *ret_call = (struct tw_host_call){
        .request_id = frame->request_id,
        .method = frame->invoke.method_id,
        .drop_reply = frame->invoke.drop_reply,
        .args = frame->invoke.args,
    };
    return 0;
}

/* What the table says for this event. 0: *ret_call is set; TW_MORE: handled here, go on. */
static int act(struct tw_host *host, enum tw_host_event event, const struct tw_frame *frame,
               struct tw_host_call *ret_call)
{
    const struct tw_host_cell *cell = &tw_host_table[host->state][event];
    int rc = 0;

    host->state = cell->next;
    switch (cell->action) {
    case TW_HOST_ACTION_DISPATCH:
        return dispatch(host, frame, ret_call);
    case TW_HOST_ACTION_REPLY_BOUND:
        rc = reply_bound(host, frame);
        break;
    case TW_HOST_ACTION_REPLY_BIND_FAILED:
        rc = reply_bind_failed(host, frame);
        break;
    case TW_HOST_ACTION_REFUSE:
        rc = refuse(host, frame);
        break;
    case TW_HOST_ACTION_REPLY_ERROR:
        rc = reply_error(host, frame);
        break;
    case TW_HOST_ACTION_CLOSE:
        host->why = host->why ? host->why : cell->rule;
        break;
    case TW_HOST_ACTION_IGNORE:
    case TW_HOST_ACTION_MAX:
        break;
    }
    if (rc == TW_E_LIMIT) {
        host->why = "TW-LIM-004: the peer does not read its replies";
        host->state = TW_HOST_STATE_CLOSED;
        rc = 0;
    }
    return rc ? rc : TW_MORE;
}

/* The next frame as an event of the table. TW_MORE when there is no whole one. */
static int next_event(struct tw_host *host, struct tw_frame *frame, enum tw_host_event *ret_event)
{
    struct tw_frame_fault fault;
    struct tw_bytes payload;
    int rc = tw_rx_next(&host->rx, &payload);

    if (rc == TW_MORE)
        return rc;
    *ret_event = TW_HOST_EVENT_BAD_FRAME;
    if (rc)
        host->why = tw_frame_reason_text(TW_FRAME_TOO_LARGE);
    else if (payload.n == 0)
        *ret_event = TW_HOST_EVENT_EMPTY;
    else if (!tw_frame_decode(payload, frame, &fault))
        *ret_event = classify(host, frame);
    else
        host->why = tw_frame_reason_text(fault.reason);
    return 0;
}

int tw_host_next(struct tw_host *host, struct tw_host_call *ret_call)
{
    while (host->state != TW_HOST_STATE_CLOSED) {
        struct tw_frame frame = {.kind = TW_FRAME_NONE};
        enum tw_host_event event;
        int rc = next_event(host, &frame, &event);

        if (!rc)
            rc = act(host, event, &frame, ret_call);
        else
            return rc;
        if (rc != TW_MORE)
            return rc;
    }
    return TW_E_CLOSED;
}

int tw_host_reply(struct tw_host *host, uint64_t request_id, const struct tw_bytes *reply,
                  bool has_more, int fd)
{
    struct tw_request *req = tw_requests_find(&host->requests, request_id);
    int rc;

    if (host->state == TW_HOST_STATE_CLOSED)
        return TW_E_CLOSED;
    if (!req)
        return TW_E_NOT_FOUND;
    if (has_more && !host->port->method[req->method].stream)
        return TW_E_INVALID;
    rc = send_reply(host, request_id, reply, has_more, fd);
    if (rc)
        return rc;
    if (!has_more)
        tw_requests_remove(&host->requests, req);
    return 0;
}

void tw_host_end(struct tw_host *host, const char *why)
{
    const struct tw_host_cell *cell = &tw_host_table[host->state][TW_HOST_EVENT_END];

    if (host->state == TW_HOST_STATE_CLOSED)
        return;
    host->state = cell->next;
    host->why = why;
}
