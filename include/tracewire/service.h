/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libtracewire-service: the tracing service without its sockets. Connections are bytes and
 * descriptors in and out, time comes from outside. The daemon puts sockets and an event loop around
 * it; an embedder or a fuzzer drives it directly (examples/embed_service.c).
 *
 * An embedder does, for each connection, in turn: tw_service_space(), receive there,
 * tw_service_received(), tw_service_run(), and send what tw_service_peek() gives. After wake() it
 * runs and sends as well. Between that, tw_service_tick() when tw_service_next_tick_ns() says so.
 *
 * Nothing here blocks, and nothing a peer sends ends the process. Not thread-safe: one thread at a
 * time uses a service and all its connections; several services share nothing. Callbacks come on
 * the thread that made the call, during it.
 *
 * Structs that are passed in are copied; strings in them are the embedder's and outlive the
 * service. What comes out belongs to the service. Results are those of tracewire/common.h.
 */
#pragma once

#include <sys/uio.h>
#include <time.h>

#include "tracewire/common.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

struct tw_service;      /* made by tw_service_new(), freed by tw_service_free() */
struct tw_service_conn; /* made by tw_service_connect(), freed by tw_service_disconnect() */

/* What is served on a connection. */
enum tw_service_port { TW_SERVICE_PRODUCER, TW_SERVICE_CONSUMER };

/* Who is at the other end: on a Unix socket from a source the peer cannot forge (SO_PEERCRED). */
struct tw_peer {
    int32_t pid, uid;    /* -1: not known */
    uint32_t machine_id; /* 0: this machine, as far as anybody says */
    /* No Unix socket: no descriptor passes, and no kernel vouches for the peer, which may say
     * itself who it is. uid is then only what a packet is marked with: TW-NET-018. */
    bool remote;
    bool relay;          /* a relay may be at the other end: RelayPort can be bound */
    uint32_t address_id; /* of a remote one: its machine id, if it gives no hint */
};

/* What one user, told by the uid of its peers, may hold at a time, all its connections together.
 * Peers whose uid is -1 count as one user. */
enum tw_quota {
    TW_QUOTA_CONNECTIONS,
    TW_QUOTA_SESSIONS,
    TW_QUOTA_SHM,         /* bytes of memory shared with producers */
    TW_QUOTA_OUTPUT,      /* bytes that wait to be sent */
    TW_QUOTA_REQUESTS,    /* calls without their last answer */
    TW_QUOTA_MEMORY,      /* bytes of what producers registered */
    TW_QUOTA_DESCRIPTORS, /* one a connection, those of shared memory, those received or to send */
    TW_QUOTAS,
};

/* All zero is a sensible choice. */
struct tw_service_options {
    /* Nanoseconds of one of the kernel's clocks; NULL: clock_gettime(). */
    uint64_t (*clock_ns)(clockid_t id, void *user);
    void *user;
    /* 64 random bits, for the skip_probability of triggers; NULL: the kernel's. */
    uint64_t (*random)(void *user);
    /* A directory in which consumers may have files made (output_path of a trace config); NULL:
     * nowhere. It must outlive the service. */
    const char *output_dir;
    const char *version;        /* for the system info packet; NULL: tracewire's own */
    uint32_t patience_ms;       /* for who owes a word or half a frame; 0: 30,000. TW-LIM-068 */
    uint64_t limits[TW_QUOTAS]; /* of one user; 0: the usual, see spec/limits.md */
    /* Called when a peer does not get what it may have expected and the protocol has no words for
     * it; what is a static text. It must not call back into the service. NULL is fine. */
    void (*refused)(struct tw_peer peer, const char *what, void *user);
    /* The same for a call that is refused or answered with an error: why is a text that lives as
     * long as this call. Most replies have no words for it, so this is where to look for them. */
    void (*call_refused)(struct tw_peer peer, const char *why, void *user);
    /* Called before a connection ends because too much waits to be sent to its user (TW-LIM-064):
     * a chance to send, by tw_service_peek() or _peekv() and one tw_service_sent(), and nothing
     * else. conn_user is the connection's. NULL is fine. */
    void (*send_now)(void *conn_user);
};

/* options may be NULL. -ENOMEM, or what opening output_dir says. A consumer may have a trace
 * written into a pipe, and one without readers raises SIGPIPE, which whoever embeds this ignores.
 */
TW_MUST_USE int tw_service_new(struct tw_service **ret_service,
                               const struct tw_service_options *options);
/* Ends every connection without a word and frees everything. NULL is fine. */
void tw_service_free(struct tw_service *service);

/* When tw_service_tick() is wanted next, on CLOCK_MONOTONIC; UINT64_MAX: not at all. */
uint64_t tw_service_next_tick_ns(const struct tw_service *service);
/* Does what is due by now; cheap when nothing is. */
void tw_service_tick(struct tw_service *service);

/*
 * A new connection. wake(user) is called when something happened to it that its own calls below did
 * not cause: there are bytes to send, or it is to be closed. It must not call back into the
 * service. TW_E_LIMIT: the user has as many connections, or descriptors, as it may. -ENOMEM.
 */
TW_MUST_USE int tw_service_connect(struct tw_service *service, enum tw_service_port port,
                                   struct tw_peer peer, void (*wake)(void *user), void *user,
                                   struct tw_service_conn **ret_conn);
/* The peer has gone, or is to go: its sessions and data sources end. NULL is fine. */
void tw_service_disconnect(struct tw_service_conn *conn);

/* Where the next received bytes go, once tw_service_run() has returned 0. *ret_n is 0 when there is
 * no memory for them: disconnect. */
void tw_service_space(struct tw_service_conn *conn, uint8_t **ret_p, size_t *ret_n);
/* n bytes, at most *ret_n, were put there; n_fds descriptors came with the last of them and are the
 * service's now. Those that it does not want are closed. */
void tw_service_received(struct tw_service_conn *conn, size_t n, const int *fds, size_t n_fds);

/*
 * Works on what was received and on what waits to be sent, a bounded amount of it. 0: everything
 * received is done. TW_MORE: there is more to do, call again when others had their turn and, if
 * something waits to be sent, when that has shrunk. TW_E_CLOSED: send what is queued and
 * disconnect; the reason is tw_service_why(). Negative: out of memory and the like, disconnect too.
 */
TW_MUST_USE int tw_service_run(struct tw_service_conn *conn);

/*
 * The next bytes to send, with the descriptor that must go with the first of them or -1, which
 * stays the service's. TW_MORE: nothing waits. The bytes are valid until the next call but these
 * three for this connection, and may lie in a trace buffer: what is sent right after
 * tw_service_run() is never copied.
 */
TW_MUST_USE int tw_service_peek(const struct tw_service_conn *conn, struct tw_bytes *ret_bytes,
                                int *ret_fd);
/* The same in up to max runs at iov, for sendmsg(), which takes 1,024. */
TW_MUST_USE int tw_service_peekv(const struct tw_service_conn *conn, struct iovec *iov, size_t max,
                                 size_t *ret_n, int *ret_fd);
/* n of those bytes, at least one, were sent. */
void tw_service_sent(struct tw_service_conn *conn, size_t n);

/* Copies what waits to be sent out of the trace buffers. tw_service_run(), tw_service_tick() and
 * tw_service_disconnect() begin with it, whatever their connection: only who changes trace buffers
 * in another way, by timers of its own, has to call it. */
void tw_service_settle(struct tw_service *service);

/* Why the connection is to be closed: a static text; NULL if it is not. */
const char *tw_service_why(const struct tw_service_conn *conn);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
