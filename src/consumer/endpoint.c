/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>

#include "base/fd.h"
#include "consumer/calls.h"
#include "consumer/connect.h"
#include "frame/client_session.h"
#include "frame/pump.h"
#include "tracewire/consumer.h"
#include "wire/writer.h"

/* Receive calls of one dispatch: a service that never stops sending must not keep the caller's
 * other work waiting. */
enum { DISPATCH_RECEIVES = 16 };

/* Field numbers of the requests (spec/proto/consumer_port.proto). */
enum {
    ENABLE_TRACE_CONFIG = 1,
    FLUSH_TIMEOUT_MS = 1,
    OBSERVE_TYPES = 1,
    QUERY_SESSIONS_ONLY = 1,
};

/* Bytes of a request that has only numbers: a tag and a varint for each of up to 32 of them. */
enum { SMALL_REQUEST = 32 * (1 + 10) };

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

int tw_consumer_connect(const char *address, tw_consumer_done_fn bound, void *user,
                        struct tw_consumer **ret_consumer)
{
    int sock;
    int rc = tw_consumer_socket_open(address, &sock);

    if (rc)
        return rc;
    rc = tw_consumer_new(sock, bound, user, ret_consumer);
    if (rc)
        tw_fd_close(&sock);
    return rc;
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

/* Sends the request of a new call, which is the session's on success. */
static int send_call(struct tw_consumer *c, uint32_t method, struct tw_bytes args, int fd,
                     struct tw_call from)
{
    struct tw_call *call = malloc(sizeof(*call));
    int rc;

    if (!call)
        return -ENOMEM;
    *call = from;
    rc = tw_client_call(&c->client, method, args, false, fd, call, NULL);
    if (rc)
        tw_call_free(call);
    else
        send_queued(c);
    return rc;
}

int tw_consumer_enable_tracing(struct tw_consumer *consumer, struct tw_bytes config, int fd,
                               tw_consumer_ended_fn ended, void *user)
{
    struct tw_call call = {.kind = TW_CALL_ENDED, .ended = ended, .user = user};
    size_t size = 1 + tw_varint_size(config.n) + config.n;
    struct tw_writer w;
    uint8_t *args;
    int rc;

    if (config.n > TW_FRAME_PAYLOAD_MAX)
        return TW_E_LIMIT;
    args = malloc(size);
    if (!args)
        return -ENOMEM;
    w = tw_writer_of(args, size);
    tw_put_bytes(&w, ENABLE_TRACE_CONFIG, config);
    rc = send_call(consumer, TW_CONSUMER_ENABLE_TRACING,
                   (struct tw_bytes){.p = args, .n = tw_writer_size(&w)}, fd, call);
    free(args);
    return rc;
}

static int call_plain(struct tw_consumer *c, uint32_t method, struct tw_bytes args,
                      tw_consumer_done_fn done, void *user)
{
    struct tw_call call = {.kind = TW_CALL_PLAIN, .done = done, .user = user};

    return send_call(c, method, args, -1, call);
}

int tw_consumer_start_tracing(struct tw_consumer *consumer, tw_consumer_done_fn done, void *user)
{
    return call_plain(consumer, TW_CONSUMER_START_TRACING, (struct tw_bytes){0}, done, user);
}

int tw_consumer_disable_tracing(struct tw_consumer *consumer, tw_consumer_done_fn done, void *user)
{
    return call_plain(consumer, TW_CONSUMER_DISABLE_TRACING, (struct tw_bytes){0}, done, user);
}

int tw_consumer_flush(struct tw_consumer *consumer, uint32_t timeout_ms, tw_consumer_done_fn done,
                      void *user)
{
    uint8_t args[SMALL_REQUEST];
    struct tw_writer w = tw_writer_of(args, sizeof(args));

    tw_put_u64(&w, FLUSH_TIMEOUT_MS, timeout_ms);
    return call_plain(consumer, TW_CONSUMER_FLUSH,
                      (struct tw_bytes){.p = args, .n = tw_writer_size(&w)}, done, user);
}

int tw_consumer_read_buffers(struct tw_consumer *consumer, tw_consumer_packet_fn packet,
                             tw_consumer_done_fn done, void *user)
{
    struct tw_call call = {
        .kind = TW_CALL_READ,
        .done = done,
        .packet = packet,
        .user = user,
        .packets = TW_REASSEMBLY_INIT(TW_CONSUMER_PACKET_MAX),
    };

    return send_call(consumer, TW_CONSUMER_READ_BUFFERS, (struct tw_bytes){0}, -1, call);
}

int tw_consumer_free_buffers(struct tw_consumer *consumer, tw_consumer_done_fn done, void *user)
{
    return call_plain(consumer, TW_CONSUMER_FREE_BUFFERS, (struct tw_bytes){0}, done, user);
}

static int call_reply(struct tw_consumer *c, uint32_t method, const struct tw_writer *args,
                      tw_consumer_reply_fn reply, void *user)
{
    struct tw_call call = {.kind = TW_CALL_REPLY, .reply = reply, .user = user};

    return send_call(c, method, (struct tw_bytes){.p = args->begin, .n = tw_writer_size(args)}, -1,
                     call);
}

int tw_consumer_query_service_state(struct tw_consumer *consumer, bool sessions_only,
                                    tw_consumer_reply_fn reply, void *user)
{
    uint8_t args[SMALL_REQUEST];
    struct tw_writer w = tw_writer_of(args, sizeof(args));

    tw_put_bool(&w, QUERY_SESSIONS_ONLY, sessions_only);
    return call_reply(consumer, TW_CONSUMER_QUERY_SERVICE_STATE, &w, reply, user);
}

int tw_consumer_query_capabilities(struct tw_consumer *consumer, tw_consumer_reply_fn reply,
                                   void *user)
{
    struct tw_writer w = tw_writer_of(NULL, 0);

    return call_reply(consumer, TW_CONSUMER_QUERY_CAPABILITIES, &w, reply, user);
}

int tw_consumer_observe_events(struct tw_consumer *consumer, uint32_t types,
                               tw_consumer_reply_fn reply, void *user)
{
    uint8_t args[SMALL_REQUEST];
    struct tw_writer w = tw_writer_of(args, sizeof(args));

    for (uint32_t bit = 0; bit < 32; bit++)
        if (types & UINT32_C(1) << bit)
            tw_put_u64(&w, OBSERVE_TYPES, UINT64_C(1) << bit);
    return call_reply(consumer, TW_CONSUMER_OBSERVE_EVENTS, &w, reply, user);
}
