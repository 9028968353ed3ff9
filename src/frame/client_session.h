/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The client's side of one connection (spec/session.md): binds one service, sends calls, hands out
 * their replies. Bytes and descriptors in, events and bytes and descriptors out; no sockets, no
 * clock. spec/session/client.tsv is its state table. Trusts the host with nothing. Not thread-safe.
 */
#pragma once

#include "frame/ports.h"
#include "frame/requests.h"
#include "frame/rx.h"
#include "frame/session_client_table.h"
#include "frame/tx.h"

struct tw_client {
    const struct tw_port *port;
    enum tw_client_state state;
    const char *why;     /* a static text: why the connection was closed, NULL if it was not */
    uint64_t last_id;    /* of the requests sent */
    uint64_t bind_id;    /* of the last bind sent, 0 before the first */
    uint64_t dropped;    /* calls sent with drop_reply and not refused all the same */
    uint64_t dropped_id; /* of the last of them */
    uint32_t service_id; /* as the bind reply says */
    uint32_t method_id[TW_METHOD_MAX]; /* by our number; 0: the service does not have it */
    struct tw_requests requests;
    struct tw_rx rx;
    struct tw_tx tx;
};

enum tw_client_event_kind {
    TW_CLIENT_BOUND,
    TW_CLIENT_BIND_FAILED,
    TW_CLIENT_REPLY,   /* method, success, has_more, reply; a descriptor at tw_rx_take_fd() */
    TW_CLIENT_REFUSED, /* the request will get no (further) reply: an error, or the end */
};

/* reply points into the receive buffer: valid until tw_client_next() is called again. */
struct tw_client_event_out {
    enum tw_client_event_kind kind;
    uint64_t request_id;
    uint32_t method; /* our number, as in frame/ports.h */
    void *user;      /* as given to tw_client_call() */
    bool success, has_more;
    struct tw_bytes reply;
};

TW_MUST_USE int tw_client_init(struct tw_client *client, const struct tw_port *port);
void tw_client_deinit(struct tw_client *client);

/* Asks for the port. TW_E_INVALID when that was done already, TW_E_CLOSED, TW_E_FULL. Negative
 * (-ENOMEM): nothing was sent, and it may be tried again. */
TW_MUST_USE int tw_client_bind(struct tw_client *client);

/*
 * Calls a method. Not before TW_CLIENT_BOUND (TW_E_INVALID). TW_E_NOT_FOUND when the service does
 * not have the method, TW_E_LIMIT when too many calls are outstanding or this one fits no frame,
 * TW_E_FULL when too much is queued, TW_E_CLOSED. After any of these, and when it is negative
 * (-ENOMEM), nothing was sent and the connection may go on. fd is -1 or taken on success. With
 * drop_reply no event follows. ret_request_id may be NULL. A host may never answer: how long to
 * wait is the caller's to say, with tw_client_end() when it has waited long enough (TW-SESS-033).
 */
TW_MUST_USE int tw_client_call(struct tw_client *client, uint32_t method, struct tw_bytes args,
                               bool drop_reply, int fd, void *user, uint64_t *ret_request_id);

/*
 * The next event. TW_MORE when the received bytes hold none. TW_AGAIN after TW_FRAMES_PER_CALL
 * frames without one: call again, when others have had their turn (TW-SESS-032). When the
 * connection is over, first every outstanding request comes out as TW_CLIENT_REFUSED, then
 * TW_E_CLOSED, for the reason in client->why. Never negative: it takes no memory.
 */
TW_MUST_USE int tw_client_next(struct tw_client *client, struct tw_client_event_out *ret_event);

/* The host has gone, or the caller wants no more of it: only refusals come out from now on. why is
 * a static text. */
void tw_client_end(struct tw_client *client, const char *why);
