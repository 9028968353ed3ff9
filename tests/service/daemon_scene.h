/* SPDX-License-Identifier: Apache-2.0 */
/* A daemon on real sockets and its clients, in one thread: while one waits, the loop turns. */
#pragma once

#include "frame/client_session.h"
#include "service/daemon.h"
#include "wire/pbc.h"

enum { DAEMON_ROUNDS = 20000 }; /* turns of the loop that no exchange needs */

struct daemon_scene {
    char folder[64], producer[96], consumer[96];
    struct tw_loop *loop;
    struct tw_daemon *daemon;
    bool elsewhere; /* the loop turns in another process */
    uint32_t stall_ms, patience_ms;
    uint64_t output; /* bytes that may wait for one user; 0: what is usual */
};

/* A folder and the names of sockets in it. */
void daemon_folder(struct daemon_scene *s);
/* A loop and a daemon, or what tw_daemon_new() says. */
int daemon_start(struct daemon_scene *s, struct tw_daemon **ret_daemon,
                 struct tw_bytes *ret_socket);
/* Both; 0: what is usual. */
void daemon_begin_with(struct daemon_scene *s, uint32_t stall_ms, uint32_t patience_ms);
void daemon_begin(struct daemon_scene *s, uint32_t stall_ms);
/* Nothing may be left in the folder. */
void daemon_end(struct daemon_scene *s);
void daemon_turn(struct daemon_scene *s);

int daemon_dial(const char *name);

/* A client on a real socket. */
struct client {
    int fd;
    struct tw_client client;
};

/* Connects and asks for the port. */
void client_join(struct client *peer, const char *name, const struct tw_port *port);
void client_leave(struct client *peer);
/* The next event, with the loop turning meanwhile; false when the connection has ended. */
bool client_await(struct daemon_scene *s, struct client *peer, struct tw_client_event_out *event);
void client_bound(struct daemon_scene *s, struct client *peer);
/* req may be NULL for an empty one. */
void client_call(struct client *peer, uint32_t method, const ProtobufCMessage *req,
                 bool drop_reply);
/* Joined, bound and initialised. */
void client_producer(struct daemon_scene *s, struct client *peer);
