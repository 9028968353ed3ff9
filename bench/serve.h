/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `tracewire serve` as a child process, and peers of it that wait for their answers. It is the
 * command as it is built, not a service inside the measuring program, so that what the kernel says
 * of the process is what the service costs. Whatever goes wrong ends the program.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <protobuf-c/protobuf-c.h>

#include "frame/client_session.h"

#define SERVE_DATA_SOURCE "bench.source"

struct serve {
    pid_t pid;
    int notify_fd; /* where it says how it is */
    char folder[32], producer[48], consumer[48], notify[48];
};

/* Ends the program, saying what, unless fine. */
void serve_must(bool fine, const char *what);

/* The program may have that many more open. */
void serve_many_descriptors(size_t n);
/* Runs the command that lies beside argv0, until it says that it is ready. */
void serve_start(struct serve *serve, const char *argv0);
/* Ends it; it must end well. */
void serve_stop(struct serve *serve);

/* Waits until it waits, having done all there was to do. */
void serve_settle(const struct serve *serve);
/* A number of a file below /proc/PID, as "smaps_rollup" "Anonymous"; kB where it says so. */
long serve_figure(const struct serve *serve, const char *file, const char *key);
/* Descriptors that it has open. */
long serve_descriptors(const struct serve *serve);

/* A client on a socket of it. */
struct peer {
    int fd;
    struct tw_client client;
    struct tw_client_event_out event; /* the last one */
};

/* Connects and binds. */
void peer_open(struct peer *peer, const struct serve *serve, const struct tw_port *port);
void peer_close(struct peer *peer);
/* Sends a call. */
void peer_call(struct peer *peer, uint32_t method, const ProtobufCMessage *request,
               bool drop_reply);
/* Waits for the next reply to that method, which must be a good one; others before it are lost. */
void peer_await(struct peer *peer, uint32_t method);
/* Both. */
void peer_ask(struct peer *peer, uint32_t method, const ProtobufCMessage *request);

/* A producer that has introduced itself and does nothing more. */
void producer_open(struct peer *peer, const struct serve *serve);
/* Registers the data source SERVE_DATA_SOURCE. */
void producer_register(struct peer *peer);
/* It waits for commands, as all do; Sync shows that the service knows. */
void producer_listen(struct peer *peer);
void producer_sync(struct peer *peer);
