/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The host's side of one connection (spec/session.md): it answers binds itself, hands out calls,
 * and takes their replies. Bytes and descriptors in, calls and bytes and descriptors out; no
 * sockets, no clock. spec/session/host.tsv is its state table. Not thread-safe.
 */
#pragma once

#include "frame/ports.h"
#include "frame/requests.h"
#include "frame/rx.h"
#include "frame/session_host_table.h"
#include "frame/tx.h"

struct tw_host {
    const struct tw_port *port;  /* the service this connection may bind, or has bound */
    const struct tw_port *other; /* may be bound instead; NULL if none, and once one is bound */
    bool wants_identity;         /* nobody but the peer says who it is, and it has not said so */
    enum tw_host_state state;
    const char *why; /* a static text: why the connection was closed, NULL if it was not */
    struct tw_requests requests; /* dispatched, and a last reply is wanted */
    struct tw_rx rx;
    struct tw_tx tx;
};

/* No method: the peer says who it is. Comes at most once, and only where wants_identity was set. */
enum { TW_HOST_IDENTITY = 0 };

/* A method call. What it points to lies in the receive buffer: valid until tw_host_next() is called
 * again, as is the descriptor, if one came with the frame, at tw_rx_take_fd(&host->rx). */
struct tw_host_call {
    uint64_t request_id;
    uint32_t method; /* 1 to port->n_methods, or TW_HOST_IDENTITY */
    bool drop_reply; /* no reply is wanted, and tw_host_reply() must not be called */
    struct tw_bytes args;
    struct tw_frame_peer_identity identity; /* for TW_HOST_IDENTITY */
};

/* Who offers another port or wants an identity sets that afterwards, before the first byte. */
TW_MUST_USE int tw_host_init(struct tw_host *host, const struct tw_port *port);
/* The same for one of many connections: it receives into buffers of a pool, which outlives it. */
void tw_host_init_pooled(struct tw_host *host, const struct tw_port *port, struct tw_rxpool *pool);
void tw_host_deinit(struct tw_host *host);

/*
 * The next call. TW_MORE when the received bytes hold none. TW_AGAIN after TW_FRAMES_PER_CALL
 * frames without one: call again, when others have had their turn (TW-SESS-032). TW_E_CLOSED when
 * the connection is over, for the reason in host->why: what is still queued may be sent, then it
 * must be closed. Negative (-ENOMEM): the frame is used up and what it asked for will not happen,
 * so that the connection must be closed, too: its client would wait for ever.
 */
TW_MUST_USE int tw_host_next(struct tw_host *host, struct tw_host_call *ret_call);

/*
 * Answers a call. reply NULL: refused, no body. has_more only for a stream method; the last reply
 * ends the request. fd is -1 or taken on success. TW_E_NOT_FOUND when no reply is (any longer)
 * wanted, TW_E_LIMIT when the reply fits no frame (the call may be refused instead), TW_E_FULL when
 * the peer does not read: then the connection must be closed. Negative (-ENOMEM): nothing was sent
 * and the reply is still wanted; who does not try again must close the connection.
 */
TW_MUST_USE int tw_host_reply(struct tw_host *host, uint64_t request_id,
                              const struct tw_bytes *reply, bool has_more, int fd);

/* The same with a body that lies in several places; what it points at must stay as it is until it
 * is sent or tw_tx_settle() is called. */
TW_MUST_USE int tw_host_reply_from(struct tw_host *host, uint64_t request_id,
                                   const struct tw_gather *body, bool has_more);

/* The client has gone, or the caller wants no more of it: no call comes out and no reply goes in
 * from now on. why is a static text; it is ignored when the connection is over already. */
void tw_host_end(struct tw_host *host, const char *why);
