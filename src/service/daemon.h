/* SPDX-License-Identifier: Apache-2.0 */
/* The service on its two sockets: accepts, moves bytes, drops who does not read. */
#pragma once

#include "base/loop.h"
#include "base/sock.h"
#include "tracewire/service.h"

struct tw_daemon;

struct tw_daemon_options {
    const char *producer_socket, *consumer_socket; /* names as in base/sock.h; outlive the daemon */
    struct tw_sock_access access[2];               /* by enum tw_service_port */
    struct tw_service_options service;             /* refused is the daemon's own: it logs */
    uint32_t stall_ms; /* how long a peer may not read before it is dropped; 0: the usual */
};

/* Listens on both sockets. On failure *ret_socket says which one it was, NULL if neither.
 * TW_E_EXISTS: another service listens there. Not thread-safe, like the loop. */
TW_MUST_USE int tw_daemon_new(struct tw_loop *loop, const struct tw_daemon_options *options,
                              struct tw_daemon **ret_daemon, const char **ret_socket);
/* Ends every connection and removes the sockets. NULL is fine. */
void tw_daemon_free(struct tw_daemon *daemon);
