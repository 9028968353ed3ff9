/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>

#include "base/fd.h"
#include "consumer/calls.h"
#include "consumer/connect.h"
#include "consumer/endpoint.h"
#include "frame/client_session.h"
#include "frame/pump.h"
#include "tracewire/consumer.h"

/* Receive calls of one dispatch: a service that never stops sending must not keep the caller's
 * other work waiting. */
enum { DISPATCH_RECEIVES = 16 };

struct tw_consumer {
    int sock;
    struct tw_client client;
    tw_consumer_done_fn bound; /* NULL once called */
    void *bound_user;
    struct tw_call *current; /* the call whose answer is being told */
    bool current_unlisted;   /* no request refers to it any more */
    bool dispatching;
    bool freed;       /* by the user, from a completion function */
    bool send_failed; /* what has been received is still worth reading */
};

static void destroy(struct tw_consumer *c)
{
    tw_client_deinit(&c->client);
    tw_fd_close(&c->sock);
    free(c);
}

int tw_consumer_new(int sock, tw_consumer_done_fn bound, void *user,
                    struct tw_consumer **ret_consumer)
{
    struct tw_consumer *c = calloc(1, sizeof(*c));
    int rc;

    if (!c)
        return -ENOMEM;
    c->sock = -1;
    c->bound = bound;
    c->bound_user = user;
    rc = tw_client_init(&c->client, &tw_consumer_port);
    if (rc) {
        free(c);
        return rc;
    }
    rc = tw_client_bind(&c->client);
    if (rc) {
        destroy(c);
        return rc;
    }
    c->sock = sock;
    *ret_consumer = c;
    return 0;
}

int tw_consumer_open(const char *address, uint32_t limit_ms, tw_consumer_done_fn bound, void *user,
                     struct tw_consumer **ret_consumer)
{
    int sock;
    int rc = tw_consumer_socket_open(address, limit_ms, &sock);

    if (rc)
        return rc;
    rc = tw_consumer_new(sock, bound, user, ret_consumer);
    if (rc)
        tw_fd_close(&sock);
    return rc;
}

int tw_consumer_connect(const char *address, tw_consumer_done_fn bound, void *user,
                        struct tw_consumer **ret_consumer)
{
    return tw_consumer_open(address, TW_CONSUMER_CONNECT_MS, bound, user, ret_consumer);
}

bool tw_consumer_dispatching(const struct tw_consumer *consumer)
{
    return consumer->dispatching;
}

int tw_consumer_fd(const struct tw_consumer *consumer)
{
    return consumer->sock;
}

uint32_t tw_consumer_events(const struct tw_consumer *consumer)
{
    bool write = consumer->send_failed || tw_tx_queued(&consumer->client.tx) > 0;

    return POLLIN | (write ? POLLOUT : 0);
}

const char *tw_consumer_why(const struct tw_consumer *consumer)
{
    return consumer->client.why;
}

static void tell_bound(struct tw_consumer *c, int result)
{
    tw_consumer_done_fn bound = c->bound;

    c->bound = NULL;
    if (bound)
        bound(c->bound_user, result);
}

/* The request of this call is off the session's list; its memory goes when nobody looks at it. */
static void unlist(struct tw_consumer *c, struct tw_call *call)
{
    if (call == c->current)
        c->current_unlisted = true;
    else
        tw_call_free(call);
}

static void on_refused(struct tw_consumer *c, struct tw_call *call)
{
    bool closed = c->client.state == TW_CLIENT_STATE_CLOSED;

    tw_call_complete(call, closed ? TW_E_CLOSED : TW_E_REFUSED);
    unlist(c, call);
}

static void tell_reply(struct tw_consumer *c, struct tw_call *call,
                       const struct tw_client_event_out *event)
{
    if (event->success) {
        if (tw_call_answer(call, event->reply, event->has_more))
            tw_client_end(&c->client, "the service's answer makes no sense");
        return;
    }
    if (event->has_more)
        tw_client_end(&c->client, "the service refused and promised more");
    tw_call_complete(call, event->has_more ? TW_E_PROTOCOL : TW_E_REFUSED);
}

static void on_reply(struct tw_consumer *c, const struct tw_client_event_out *event)
{
    struct tw_call *call = event->user;

    c->current = call;
    c->current_unlisted = !event->has_more;
    tell_reply(c, call, event);
    c->current = NULL;
    if (c->current_unlisted)
        tw_call_free(call);
}

static void on_event(struct tw_consumer *c, const struct tw_client_event_out *event)
{
    switch (event->kind) {
    case TW_CLIENT_BOUND:
        tell_bound(c, 0);
        break;
    case TW_CLIENT_BIND_FAILED:
        tell_bound(c, TW_E_REFUSED);
        break;
    case TW_CLIENT_REPLY:
        on_reply(c, event);
        break;
    case TW_CLIENT_REFUSED:
        on_refused(c, event->user);
        break;
    }
}

/* Every event there is, a receive buffer's worth at most: TW_MORE, or TW_E_CLOSED when the last has
 * been told. */
static int tell_all(struct tw_consumer *c)
{
    struct tw_client_event_out event;
    int rc;

    while (!(rc = tw_client_next(&c->client, &event)) || rc == TW_AGAIN)
        if (!rc)
            on_event(c, &event);
    if (rc == TW_E_CLOSED)
        tell_bound(c, TW_E_CLOSED);
    return rc;
}

static void send_queued(struct tw_consumer *c)
{
    int rc;

    if (c->send_failed)
        return;
    rc = tw_pump_out(c->sock, &c->client.tx);
    c->send_failed = rc != 0 && rc != TW_MORE;
}

/* Receives once. Whatever ends the connection ends the session. */
static int receive(struct tw_consumer *c)
{
    int rc = tw_pump_in(c->sock, &c->client.rx);

    if (rc == TW_MORE && !c->send_failed)
        return TW_MORE;
    if (rc == TW_E_PROTOCOL)
        tw_client_end(&c->client, "descriptors from the service were lost");
    else if (rc)
        tw_client_end(&c->client, "the service closed the connection");
    return 0;
}

static int exchange(struct tw_consumer *c)
{
    int rc = tell_all(c);

    for (int i = 0; rc == TW_MORE && i < DISPATCH_RECEIVES; i++) {
        send_queued(c);
        if (receive(c))
            return 0;
        rc = tell_all(c);
    }
    if (rc == TW_MORE)
        send_queued(c);
    return rc == TW_MORE ? 0 : rc;
}

int tw_consumer_dispatch(struct tw_consumer *consumer)
{
    int rc;

    if (consumer->dispatching || consumer->freed)
        return TW_E_INVALID;
    consumer->dispatching = true;
    rc = exchange(consumer);
    consumer->dispatching = false;
    if (consumer->freed) {
        destroy(consumer);
        return TW_E_CLOSED;
    }
    return rc;
}

void tw_consumer_free(struct tw_consumer *consumer)
{
    if (!consumer || consumer->freed)
        return;
    consumer->freed = true;
    tw_client_end(&consumer->client, "the consumer has ended the connection");
    if (consumer->current && !consumer->current->completed)
        tw_call_complete(consumer->current, TW_E_CLOSED);
    (void)tell_all(consumer);
    if (!consumer->dispatching)
        destroy(consumer);
}

int tw_consumer_send(struct tw_consumer *consumer, uint32_t method, struct tw_bytes args, int fd,
                     struct tw_call from)
{
    struct tw_call *call = malloc(sizeof(*call));
    int rc;

    if (!call)
        return -ENOMEM;
    *call = from;
    rc = tw_client_call(&consumer->client, method, args, false, fd, call, NULL);
    if (rc)
        tw_call_free(call);
    else
        send_queued(consumer);
    return rc;
}
