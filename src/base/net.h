/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stream sockets by name, of every family there is (spec/transport.md):
 *
 *   /path, @name       a Unix socket; see base/sock.h
 *   HOST:PORT          TCP, where HOST is a name or an IPv4 address
 *   [HOST]:PORT        TCP over IPv6
 *   vsock://CID:PORT   between virtual machines and their host
 */
#pragma once

#include <linux/vm_sockets.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/err.h"

struct tw_net_address {
    union {
        struct sockaddr any;
        struct sockaddr_un un;
        struct sockaddr_in in;
        struct sockaddr_in6 in6;
        struct sockaddr_vm vm;
    };
    socklen_t len;
};

/* The longest text of tw_net_peer_text(), with its NUL. */
enum { TW_NET_TEXT_MAX = 64 };

/* AF_UNIX, AF_INET, AF_INET6 or AF_VSOCK, by the form of the name alone. */
int tw_net_family(const char *name);
/* TW_E_INVALID for a name that is none, or that nobody knows. Waits for the resolver when it is
 * given a host's name. */
TW_MUST_USE int tw_net_resolve(const char *name, struct tw_net_address *ret_address);
/* The same without ever waiting: TW_E_INVALID for a host's name. */
TW_MUST_USE int tw_net_numeric(const char *name, struct tw_net_address *ret_address);
/* A listening, non-blocking socket that is no Unix one. TW_E_EXISTS: the port is taken. */
TW_MUST_USE int tw_net_listen(const char *name, int *ret_fd);

/* The family of a socket; AF_UNSPEC when the kernel does not say. */
int tw_net_socket_family(int fd);
/* Makes a TCP connection send at once, and end when the other machine is gone for
 * TW_KEEPALIVE_IDLE_S and some probes; nothing on others. Best effort. */
void tw_net_tune(int fd);
/* Where the other end is, without its port: "192.0.2.1", "[2001:db8::1]" or "vsock://3". Empty when
 * the kernel does not say. */
void tw_net_peer_text(int fd, char text[TW_NET_TEXT_MAX]);

/* A TCP connection on which nothing comes for so long is probed, and ended when so many probes in
 * such a distance are not answered: a machine that vanished says no good-bye. TW-LIM-121 */
enum { TW_KEEPALIVE_IDLE_S = 30, TW_KEEPALIVE_INTERVAL_S = 10, TW_KEEPALIVE_PROBES = 3 };
