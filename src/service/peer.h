/* SPDX-License-Identifier: Apache-2.0 */
/* The sockets of connected peers. */
#pragma once

#include <sys/queue.h>

#include "base/loop.h"
#include "tracewire/service.h"

struct tw_peer_socket;

struct tw_peers {
    struct tw_loop *loop;
    struct tw_service *service;
    size_t n, most;              /* now, and at any time since memory was last given back */
    struct tw_peer_socket *turn; /* whose turn it is, NULL between turns */
    uint32_t stall_ms;           /* how long a peer may take nothing of what waits for it */
    TAILQ_HEAD(, tw_peer_socket) list;
};

/* stall_ms 0: the usual, TW-LIM-031. */
void tw_peers_init(struct tw_peers *peers, struct tw_loop *loop, struct tw_service *service,
                   uint32_t stall_ms);
/* send_now of tw_service_options: sends to a connection that was made here what its socket takes.
 * Whether that ended it is left to its own turn. */
void tw_peer_send_now(void *conn_user);
/* Closes every connection. */
void tw_peers_deinit(struct tw_peers *peers);
/* Takes the connected, non-blocking socket, also on failure. relay: of one that is none of Unix, a
 * relay may be at the other end. */
TW_MUST_USE int tw_peer_new(struct tw_peers *peers, enum tw_service_port port, bool relay, int fd);
