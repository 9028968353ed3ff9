/* SPDX-License-Identifier: Apache-2.0 */
#include "frame/client_session.h"

#include <string.h>

#include "base/bytes.h"

int tw_client_init(struct tw_client *client, const struct tw_port *port)
{
    *client = (struct tw_client){.port = port, .tx = TW_TX_INIT};
    return tw_rx_init(&client->rx);
}

void tw_client_deinit(struct tw_client *client)
{
    if (!client)
        return;
    tw_requests_deinit(&client->requests);
    tw_rx_deinit(&client->rx);
    tw_tx_deinit(&client->tx);
    client->state = TW_CLIENT_STATE_CLOSED;
}

int tw_client_bind(struct tw_client *client)
{
    struct tw_frame frame = {
        .kind = TW_FRAME_BIND,
        .request_id = client->last_id + 1,
        .bind.service_name = tw_bytes_of_str(client->port->service_name),
    };
    int rc;

    if (client->state != TW_CLIENT_STATE_IDLE)
        return TW_E_INVALID;
    rc = tw_tx_frame(&client->tx, &frame, -1);
    if (rc)
        return rc;
    client->bind_id = ++client->last_id;
    client->state = TW_CLIENT_STATE_BINDING;
    return 0;
}

static int may_call(const struct tw_client *client, uint32_t method)
{
    if (client->state == TW_CLIENT_STATE_CLOSED)
        return TW_E_CLOSED;
    if (client->state != TW_CLIENT_STATE_BOUND)
        return TW_E_INVALID;
    if (method == 0 || method > client->port->n_methods || client->method_id[method] == 0)
        return TW_E_NOT_FOUND;
    return 0;
}

int tw_client_call(struct tw_client *client, uint32_t method, struct tw_bytes args, bool drop_reply,
                   int fd, void *user, uint64_t *ret_request_id)
{
    struct tw_frame frame = {.kind = TW_FRAME_INVOKE, .request_id = client->last_id + 1};
    struct tw_request req = {.id = frame.request_id, .method = method, .user = user};
    int rc = may_call(client, method);

    if (rc)
        return rc;
    frame.invoke.service_id = client->service_id;
    frame.invoke.method_id = client->method_id[method];
    frame.invoke.args = args;
    frame.invoke.drop_reply = drop_reply;
    if (!drop_reply && (rc = tw_requests_add(&client->requests, req)))
        return rc;
    rc = tw_tx_frame(&client->tx, &frame, fd);
    if (rc) {
        if (!drop_reply)
            tw_requests_remove(&client->requests, tw_requests_find(&client->requests, req.id));
        return rc;
    }
    client->last_id++;
    if (ret_request_id)
        *ret_request_id = client->last_id;
    return 0;
}

static enum tw_client_event classify_reply(const struct tw_client *client,
                                           const struct tw_frame *frame)
{
    const struct tw_request *req = tw_requests_find(&client->requests, frame->request_id);

    if (!req)
        return TW_CLIENT_EVENT_REPLY_UNKNOWN;
    if (!frame->invoke_reply.has_more)
        return TW_CLIENT_EVENT_REPLY_LAST;
    return client->port->method[req->method].stream ? TW_CLIENT_EVENT_REPLY_MORE
                                                    : TW_CLIENT_EVENT_REPLY_MORE_UNARY;
}

static enum tw_client_event classify(const struct tw_client *client, const struct tw_frame *frame)
{
    switch (frame->kind) {
    case TW_FRAME_BIND_REPLY:
        if (frame->request_id != client->bind_id)
            return TW_CLIENT_EVENT_REPLY_UNKNOWN;
        return frame->bind_reply.success ? TW_CLIENT_EVENT_BIND_OK : TW_CLIENT_EVENT_BIND_FAILED;
    case TW_FRAME_INVOKE_REPLY:
        return classify_reply(client, frame);
    case TW_FRAME_REQUEST_ERROR:
        if (client->state == TW_CLIENT_STATE_BINDING && frame->request_id == client->bind_id)
            return TW_CLIENT_EVENT_REQUEST_ERROR;
        return tw_requests_find(&client->requests, frame->request_id)
                   ? TW_CLIENT_EVENT_REQUEST_ERROR
                   : TW_CLIENT_EVENT_REPLY_UNKNOWN;
    default:
        return TW_CLIENT_EVENT_NOT_A_REPLY;
    }
}

/* Learns the ids of the methods we know. A service may have more; the first of two with one name
 * counts. */
static void learn_methods(struct tw_client *client, const struct tw_frame *frame)
{
    struct tw_bytes left = frame->bind_reply.methods;
    struct tw_method_info info;

    client->service_id = frame->bind_reply.service_id;
    memset(client->method_id, 0, sizeof(client->method_id));
    while (!tw_frame_next_method(&left, &info)) {
        for (uint32_t i = 1; i <= client->port->n_methods; i++)
            if (!client->method_id[i] && tw_bytes_eq_str(info.name, client->port->method[i].name))
                client->method_id[i] = info.id;
    }
}

/* An event about an outstanding request; done takes it off the list. */
static int report(struct tw_client *client, enum tw_client_event_kind kind,
                  const struct tw_frame *frame, bool done, struct tw_client_event_out *ret_event)
{
    struct tw_request *req = tw_requests_find(&client->requests, frame->request_id);

    *ret_event = (struct tw_client_event_out){
        .kind = kind,
        .request_id = req->id,
        .method = req->method,
        .user = req->user,
    };
    if (kind == TW_CLIENT_REPLY) {
        ret_event->success = frame->invoke_reply.success;
        ret_event->has_more = frame->invoke_reply.has_more;
        ret_event->reply = frame->invoke_reply.reply;
    }
    if (done)
        tw_requests_remove(&client->requests, req);
    return 0;
}

static int report_bind(enum tw_client_event_kind kind, uint64_t id,
                       struct tw_client_event_out *ret_event)
{
    *ret_event = (struct tw_client_event_out){.kind = kind, .request_id = id};
    return 0;
}

/* What the table says for this event. 0: *ret_event is set; TW_MORE: handled here, go on. */
static int act(struct tw_client *client, enum tw_client_event event, const struct tw_frame *frame,
               struct tw_client_event_out *ret_event)
{
    const struct tw_client_cell *cell = &tw_client_table[client->state][event];

    client->state = cell->next;
    switch (cell->action) {
    case TW_CLIENT_ACTION_REPORT_BOUND:
        learn_methods(client, frame);
        return report_bind(TW_CLIENT_BOUND, client->bind_id, ret_event);
    case TW_CLIENT_ACTION_REPORT_BIND_FAILED:
        return report_bind(TW_CLIENT_BIND_FAILED, client->bind_id, ret_event);
    case TW_CLIENT_ACTION_REPORT_REPLY:
        return report(client, TW_CLIENT_REPLY, frame, true, ret_event);
    case TW_CLIENT_ACTION_REPORT_MORE:
        return report(client, TW_CLIENT_REPLY, frame, false, ret_event);
    case TW_CLIENT_ACTION_REPORT_REFUSED:
        return report(client, TW_CLIENT_REFUSED, frame, true, ret_event);
    case TW_CLIENT_ACTION_CLOSE:
        client->why = client->why ? client->why : cell->rule;
        break;
    case TW_CLIENT_ACTION_IGNORE:
    case TW_CLIENT_ACTION_MAX:
        break;
    }
    return TW_MORE;
}

/* The next frame as an event of the table. TW_MORE when there is no whole one. */
static int next_event(struct tw_client *client, struct tw_frame *frame,
                      enum tw_client_event *ret_event)
{
    struct tw_frame_fault fault;
    struct tw_bytes payload;
    int rc = tw_rx_next(&client->rx, &payload);

    if (rc == TW_MORE)
        return rc;
    *ret_event = TW_CLIENT_EVENT_BAD_FRAME;
    if (rc)
        client->why = tw_frame_reason_text(TW_FRAME_TOO_LARGE);
    else if (payload.n == 0)
        *ret_event = TW_CLIENT_EVENT_EMPTY;
    else if (!tw_frame_decode(payload, frame, &fault))
        *ret_event = classify(client, frame);
    else
        client->why = tw_frame_reason_text(fault.reason);
    return 0;
}

/* After the end: the oldest outstanding request is refused, one a call. */
static int refuse_next(struct tw_client *client, struct tw_client_event_out *ret_event)
{
    struct tw_frame of = {.kind = TW_FRAME_NONE};

    if (client->requests.n == 0)
        return TW_E_CLOSED;
    of.request_id = client->requests.list[0].id;
    return report(client, TW_CLIENT_REFUSED, &of, true, ret_event);
}

int tw_client_next(struct tw_client *client, struct tw_client_event_out *ret_event)
{
    while (client->state != TW_CLIENT_STATE_CLOSED) {
        struct tw_frame frame = {.kind = TW_FRAME_NONE};
        enum tw_client_event event;

        if (next_event(client, &frame, &event))
            return TW_MORE;
        if (act(client, event, &frame, ret_event) != TW_MORE)
            return 0;
    }
    return refuse_next(client, ret_event);
}

void tw_client_end(struct tw_client *client, const char *why)
{
    const struct tw_client_cell *cell = &tw_client_table[client->state][TW_CLIENT_EVENT_END];

    if (client->state == TW_CLIENT_STATE_CLOSED)
        return;
    client->state = cell->next;
    client->why = why;
}
