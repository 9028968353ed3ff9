/* SPDX-License-Identifier: Apache-2.0 */
/* The service on its sockets: accepts, moves bytes, drops who does not read. */
#pragma once

#include "base/loop.h"
#include "base/sock.h"
#include "tracewire/service.h"

struct tw_daemon;

/* Sockets to listen on: more than there are families and purposes. TW-LIM-123 */
enum { TW_LISTENERS_MAX = 16 };

struct tw_daemon_options {
    /* Names as in base/net.h, separated by commas; they outlive the daemon. */
    const char *producer_socket, *consumer_socket;
    const char *relay_socket; /* the same for producers and relays: no Unix sockets. NULL: none */
    /* By enum tw_service_port: a socket that listens already, in place of the names, which are not
     * used then. It is taken, also on failure, and its file is not removed. 0: none. */
    int inherited[2];
    struct tw_sock_access access[2];   /* by enum tw_service_port */
    struct tw_service_options service; /* the daemon has its own callbacks: they log */
    uint32_t stall_ms; /* how long a peer may not read before it is dropped; 0: the usual */
};

/* Listens on all sockets. On failure *ret_socket is the name of the one it was, in the options;
 * empty if it was none. TW_E_EXISTS: another service listens there. Not thread-safe, like the
 * loop. */
TW_MUST_USE int tw_daemon_new(struct tw_loop *loop, const struct tw_daemon_options *options,
                              struct tw_daemon **ret_daemon, struct tw_bytes *ret_socket);
/* The paths among what it listens on, NULL for what is none. They are the daemon's. */
void tw_daemon_paths(const struct tw_daemon *daemon, const char *ret_paths[TW_LISTENERS_MAX]);
/* Ends every connection and removes the sockets. NULL is fine. */
void tw_daemon_free(struct tw_daemon *daemon);
