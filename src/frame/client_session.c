/* SPDX-License-Identifier: Apache-2.0 */
#include "frame/client_session.h"

#include <string.h>

#include "base/bytes.h"
#include "base/req.h"
#include "base/visit.h"

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

/* What the program hears when the table does not let it do this. */
static int told(const struct tw_client_cell *cell)
{
    switch (cell->action) {
    case TW_CLIENT_ACTION_TELL_CLOSED:
        return TW_E_CLOSED;
    case TW_CLIENT_ACTION_TELL_NOT_FOUND:
        return TW_E_NOT_FOUND;
    case TW_CLIENT_ACTION_TELL_LIMIT:
        return TW_E_LIMIT;
    default:
        return TW_E_INVALID;
    }
}

int tw_client_bind(struct tw_client *client)
{
    const struct tw_client_cell *cell = &tw_client_table[client->state][TW_CLIENT_EVENT_BIND];
    struct tw_frame frame = {
        .kind = TW_FRAME_BIND,
        .request_id = client->last_id + 1,
        .bind.service_name = tw_bytes_of_str(client->port->service_name),
    };
    int rc;

    REQ("TW-SESS-030");
    TW_VISIT(client, client->state, TW_CLIENT_EVENT_BIND);
    if (cell->action != TW_CLIENT_ACTION_SEND_BIND)
        return told(cell);
    rc = tw_tx_frame(&client->tx, &frame, -1);
    if (rc)
        return rc;
    client->bind_id = ++client->last_id;
    client->state = cell->next;
    return 0;
}

static enum tw_client_event classify_call(const struct tw_client *client, uint32_t method,
                                          bool drop_reply)
{
    REQ("TW-SESS-020");
    if (method == 0 || method > client->port->n_methods || client->method_id[method] == 0)
        return TW_CLIENT_EVENT_CALL_MISSING;
    if (drop_reply)
        return TW_CLIENT_EVENT_CALL_OFFERED_DROP;
    REQ("TW-SESS-006");
    return client->requests.n == TW_REQUESTS_MAX ? TW_CLIENT_EVENT_CALL_TOO_MANY
                                                 : TW_CLIENT_EVENT_CALL_OFFERED;
}

/* Queues a call whose reply is wanted: it is outstanding when, and only when, it is queued. */
static int send_call(struct tw_client *client, const struct tw_frame *frame, int fd,
                     struct tw_request req)
{
    int rc = tw_requests_add(&client->requests, req);

    if (rc)
        return rc;
    rc = tw_tx_frame(&client->tx, frame, fd);
    if (rc)
        tw_requests_remove(&client->requests, tw_requests_find(&client->requests, req.id));
    return rc;
}

static int send_call_drop(struct tw_client *client, const struct tw_frame *frame, int fd)
{
    int rc = tw_tx_frame(&client->tx, frame, fd);

    if (rc)
        return rc;
    client->dropped++;
    client->dropped_id = frame->request_id;
    return 0;
}

int tw_client_call(struct tw_client *client, uint32_t method, struct tw_bytes args, bool drop_reply,
                   int fd, void *user, uint64_t *ret_request_id)
{
    enum tw_client_event event = classify_call(client, method, drop_reply);
    const struct tw_client_cell *cell = &tw_client_table[client->state][event];
    REQ("TW-SESS-005"); /* ids only grow: none is given out twice */
    struct tw_frame frame = {.kind = TW_FRAME_INVOKE, .request_id = client->last_id + 1};
    struct tw_request req = {.id = frame.request_id, .method = method, .user = user};
    int rc;

    TW_VISIT(client, client->state, event);
    if (cell->action != TW_CLIENT_ACTION_SEND_CALL &&
        cell->action != TW_CLIENT_ACTION_SEND_CALL_DROP)
        return told(cell);
    frame.invoke.service_id = client->service_id;
    frame.invoke.method_id = client->method_id[method];
    frame.invoke.args = args;
    frame.invoke.drop_reply = drop_reply;
    rc = drop_reply ? send_call_drop(client, &frame, fd) : send_call(client, &frame, fd, req);
    if (rc)
        return rc;
    client->last_id++;
    if (ret_request_id)
        *ret_request_id = client->last_id;
    return 0;
}

/* A refusal that may be one of a call that wanted no reply: at most one each. What is kept is their
 * number, not their ids, so that it takes no memory. */
static bool may_be_dropped(const struct tw_client *client, const struct tw_frame *frame)
{
    REQ("TW-SESS-031");
    return !frame->invoke_reply.success && !frame->invoke_reply.has_more && client->dropped > 0 &&
           frame->request_id != 0 && frame->request_id <= client->dropped_id;
}

static enum tw_client_event classify_reply(const struct tw_client *client,
                                           const struct tw_frame *frame)
{
    const struct tw_request *req = tw_requests_find(&client->requests, frame->request_id);

    REQ("TW-SESS-022");
    if (!req)
        return may_be_dropped(client, frame) ? TW_CLIENT_EVENT_INVOKE_REPLY_DROPPED
                                             : TW_CLIENT_EVENT_INVOKE_REPLY_UNKNOWN;
    if (!frame->invoke_reply.has_more)
        return TW_CLIENT_EVENT_INVOKE_REPLY_LAST;
    REQ("TW-SESS-023");
    return client->port->method[req->method].stream ? TW_CLIENT_EVENT_INVOKE_REPLY_MORE
                                                    : TW_CLIENT_EVENT_INVOKE_REPLY_MORE_UNARY;
}

static enum tw_client_event classify_bind_reply(const struct tw_client *client,
                                                const struct tw_frame *frame)
{
    REQ("TW-SESS-021");
    if (frame->request_id != client->bind_id)
        return TW_CLIENT_EVENT_BIND_REPLY_UNASKED;
    return frame->bind_reply.success ? TW_CLIENT_EVENT_BIND_REPLY_OK
                                     : TW_CLIENT_EVENT_BIND_REPLY_FAILED;
}

static enum tw_client_event classify_error(const struct tw_client *client,
                                           const struct tw_frame *frame)
{
    REQ("TW-SESS-024");
    if (tw_requests_find(&client->requests, frame->request_id))
        return TW_CLIENT_EVENT_REQUEST_ERROR_OF_CALL;
    return frame->request_id == client->bind_id ? TW_CLIENT_EVENT_REQUEST_ERROR_OF_BIND
                                                : TW_CLIENT_EVENT_REQUEST_ERROR_UNKNOWN;
}

static enum tw_client_event classify(const struct tw_client *client, const struct tw_frame *frame)
{
    REQ("TW-SESS-015");
    switch (frame->kind) {
    case TW_FRAME_BIND_REPLY:
        return classify_bind_reply(client, frame);
    case TW_FRAME_INVOKE_REPLY:
        return classify_reply(client, frame);
    case TW_FRAME_REQUEST_ERROR:
        return classify_error(client, frame);
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

/* Leaves the state as the table says; the first reason for the end is kept. */
static const struct tw_client_cell *step(struct tw_client *client, enum tw_client_event event,
                                         const char *why)
{
    const struct tw_client_cell *cell = &tw_client_table[client->state][event];

    TW_VISIT(client, client->state, event);
    client->state = cell->next;
    if (cell->action == TW_CLIENT_ACTION_CLOSE)
        client->why = why ? why : cell->rule;
    return cell;
}

/* What the table says for this frame. 0: *ret_event is set; TW_MORE: handled here, go on. */
static int act(struct tw_client *client, enum tw_client_event event, const struct tw_frame *frame,
               const char *why, struct tw_client_event_out *ret_event)
{
    switch (step(client, event, why)->action) {
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
    case TW_CLIENT_ACTION_FORGET_DROP:
        client->dropped--;
        return TW_MORE;
    default:
        return TW_MORE; /* to close and to ignore need no more; the rest is no answer to a frame */
    }
}

/* The next frame as an event of the table. TW_MORE when there is no whole one. */
static int next_event(struct tw_client *client, struct tw_frame *frame,
                      enum tw_client_event *ret_event, const char **ret_why)
{
    REQ("TW-FRAME-003");
    REQ("TW-ENC-017");
    REQ("TW-SESS-009");
    struct tw_frame_fault fault = {.reason = TW_FRAME_TOO_LARGE};
    struct tw_bytes payload;
    int rc = tw_rx_next(&client->rx, &payload);

    if (rc == TW_MORE)
        return rc;
    if (!rc && payload.n == 0) {
        *ret_event = TW_CLIENT_EVENT_EMPTY;
    } else if (!rc && !tw_frame_decode(payload, frame, &fault)) {
        *ret_event = classify(client, frame);
    } else {
        *ret_event = TW_CLIENT_EVENT_BAD_FRAME;
        *ret_why = tw_frame_reason_text(fault.reason);
    }
    return 0;
}

/* After the end: the oldest outstanding request is refused, one a call. */
static int refuse_next(struct tw_client *client, struct tw_client_event_out *ret_event)
{
    struct tw_frame of = {.kind = TW_FRAME_NONE};

    REQ("TW-SESS-026");
    if (client->requests.n == 0)
        return TW_E_CLOSED;
    of.request_id = client->requests.list[0].id;
    return report(client, TW_CLIENT_REFUSED, &of, true, ret_event);
}

int tw_client_next(struct tw_client *client, struct tw_client_event_out *ret_event)
{
    for (int i = 0; client->state != TW_CLIENT_STATE_CLOSED; i++) {
        struct tw_frame frame = {.kind = TW_FRAME_NONE};
        enum tw_client_event event;
        const char *why = NULL;

        REQ("TW-SESS-032");
        REQ("TW-LIM-040");
        if (i == TW_FRAMES_PER_CALL)
            return TW_AGAIN;
        if (next_event(client, &frame, &event, &why))
            return TW_MORE;
        if (act(client, event, &frame, why, ret_event) != TW_MORE)
            return 0;
    }
    return refuse_next(client, ret_event);
}

void tw_client_end(struct tw_client *client, const char *why)
{
    step(client, TW_CLIENT_EVENT_END, why);
}
