/* SPDX-License-Identifier: Apache-2.0 */
#include "service/peer.h"

#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/net.h"
#include "base/req.h"
#include "frame/pump.h"
#include "service/core.h"
#include "service/machine.h"

/* A peer that takes none of the bytes that wait for it for this long is dropped: long enough for a
 * consumer that was stopped by hand for a moment, short enough that what it pins comes back.
 * Milliseconds. TW-LIM-031 */
enum { PEER_STALL_MS = 10000 };

/* When half of the connections have gone since there were most, and those were at least this many,
 * what the allocator keeps of them goes back to the system: it would keep it for ever, a few KiB of
 * each. Connections. TW-LIM-141 */
enum { PEERS_TRIMMED = 8 };

struct tw_peer_socket {
    TAILQ_ENTRY(tw_peer_socket) next;
    struct tw_peers *peers;
    struct tw_io io;
    struct tw_timer stall;
    struct tw_service_conn *conn;
    char who[TW_NET_TEXT_MAX]; /* for people */
    bool more;                 /* received bytes are left to work on */
};

static void forget_one(struct tw_peers *peers)
{
    REQ("TW-LIM-141");
    peers->n--;
    if (peers->most < PEERS_TRIMMED || peers->n > peers->most / 2)
        return;
    (void)malloc_trim(0);
    peers->most = peers->n;
}

static void peer_free(struct tw_peer_socket *peer, const char *why)
{
    struct tw_peers *peers = peer->peers;

    tw_log(TW_LOG_DEBUG, "%s has gone", peer->who);
    if (why)
        tw_log_peer(TW_LOG_WARN, "dropped %s: %s", peer->who, why);
    tw_timer_clear(tw_loop_timers(peers->loop), &peer->stall);
    tw_loop_del(peers->loop, &peer->io);
    tw_service_disconnect(peer->conn);
    tw_fd_close(&peer->io.fd);
    TAILQ_REMOVE(&peers->list, peer, next);
    free(peer);
    forget_one(peers);
}

static void on_stall(struct tw_timer *timer)
{
    peer_free(TW_CONTAINER_OF(timer, struct tw_peer_socket, stall), "it does not read");
}

/* The clock runs while the socket takes nothing, and starts again whenever it takes something. */
static int watch_stall(struct tw_peer_socket *peer, bool waits, bool progress)
{
    REQ("TW-NET-009");
    struct tw_timers *timers = tw_loop_timers(peer->peers->loop);

    if (!waits) {
        tw_timer_clear(timers, &peer->stall);
        return 0;
    }
    if (tw_timer_is_set(&peer->stall) && !progress)
        return 0;
    return tw_timer_set(timers, &peer->stall,
                        tw_clock_ns(CLOCK_MONOTONIC) + peer->peers->stall_ms * TW_NS_PER_MS);
}

static void discard(struct tw_tx *tx)
{
    struct tw_bytes bytes;
    int fd;

    while (!tw_tx_peek(tx, &bytes, &fd))
        tw_tx_sent(tx, bytes.n);
}

/* A producer that has gone is not told anything any more, but what it committed before is still in
 * the socket: only the end of that is its end. TW_MORE: the socket takes no more. */
static int send_waiting(struct tw_peer_socket *peer)
{
    REQ("TW-NET-012");
    struct tw_tx *tx = &peer->conn->host.tx;
    int rc = tw_pump_out(peer->io.fd, tx);

    if (rc != TW_E_CLOSED || peer->conn->port != TW_SERVICE_PRODUCER)
        return rc;
    discard(tx);
    return 0;
}

/* Sends what waits and sets what the loop is to wait for. Positive or negative: the end. */
static int flush_out(struct tw_peer_socket *peer)
{
    struct tw_tx *tx = &peer->conn->host.tx;
    size_t before = tw_tx_queued(tx);
    int rc = send_waiting(peer);
    bool blocked = rc == TW_MORE;

    tw_conn_charge(peer->conn);
    if (rc && !blocked)
        return rc;
    /* A socket that still takes something need not be writable: work that waits for that waits for
     * the peer to read as well. */
    rc = watch_stall(peer, blocked || peer->more, !blocked || tw_tx_queued(tx) < before);
    if (rc)
        return rc;
    /* With work left over, room to send is the sign for the next turn: there is none while the peer
     * does not read, and then its requests wait with it. */
    return tw_loop_mod(peer->peers->loop, &peer->io,
                       (peer->more ? 0u : (uint32_t)EPOLLIN) |
                           (peer->more || blocked ? (uint32_t)EPOLLOUT : 0u));
}

/* One turn: what the loop saw, what the service makes of it, what it has to say. */
static int turn(struct tw_peer_socket *peer, uint32_t events)
{
    REQ("TW-SEC-002");
    int rc, in = 0;

    /* EPOLLHUP comes while there is still something to read. */
    if (!peer->more && events & (EPOLLIN | EPOLLHUP | EPOLLERR))
        in = tw_pump_in(peer->io.fd, &peer->conn->host.rx);
    if (in && in != TW_MORE)
        return in;
    rc = tw_service_run(peer->conn);
    peer->more = rc == TW_MORE;
    if (rc && rc != TW_MORE) {
        TW_IGNORE(tw_pump_out(peer->io.fd, &peer->conn->host.tx)); /* the last word, if it fits */
        return rc;
    }
    rc = flush_out(peer);
    tw_service_settle(peer->peers->service); /* timers may write to the buffers */
    return rc;
}

static void on_peer(struct tw_io *io, uint32_t events)
{
    struct tw_peer_socket *peer = TW_CONTAINER_OF(io, struct tw_peer_socket, io);
    const char *why;
    int rc;

    peer->peers->turn = peer;
    rc = turn(peer, events);
    peer->peers->turn = NULL;
    if (!rc)
        return;
    why = tw_service_why(peer->conn);
    if (!why && rc != TW_E_CLOSED)
        why = rc == TW_E_PROTOCOL ? "TW-FD-003: descriptors were lost on the way" : tw_err_str(rc);
    peer_free(peer, why);
}

void tw_peer_send_now(void *conn_user)
{
    struct tw_peer_socket *peer = conn_user;

    TW_IGNORE(tw_pump_out(peer->io.fd, &peer->conn->host.tx));
}

/* Somebody else's turn left something for this one: its own comes when it can send. What its own
 * turn leaves is sent at the end of that. */
static void on_wake(void *user)
{
    struct tw_peer_socket *peer = user;

    if (peer->peers->turn == peer)
        return;
    TW_IGNORE(tw_loop_mod(peer->peers->loop, &peer->io, peer->io.events | (uint32_t)EPOLLOUT));
}

static struct tw_peer local_peer(int fd)
{
    REQ("TW-NET-007");
    struct ucred cred = {.uid = (uid_t)-1};
    socklen_t len = sizeof(cred);

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0)
        cred = (struct ucred){.uid = (uid_t)-1};
    return (struct tw_peer){.pid = cred.pid, .uid = (int32_t)cred.uid};
}

/* Nobody vouches for it; what it says of itself comes in a frame. */
static struct tw_peer remote_peer(int fd, bool relay)
{
    REQ("TW-NET-018");
    char text[TW_NET_TEXT_MAX];

    tw_net_tune(fd);
    tw_net_peer_text(fd, text);
    return (struct tw_peer){
        .pid = -1,
        .uid = -1,
        .remote = true,
        .relay = relay,
        .address_id = tw_machine_id(tw_bytes_of_str(text)),
    };
}

static struct tw_peer identify(int fd, bool relay)
{
    return tw_net_socket_family(fd) == AF_UNIX ? local_peer(fd) : remote_peer(fd, relay);
}

void tw_peers_init(struct tw_peers *peers, struct tw_loop *loop, struct tw_service *service,
                   uint32_t stall_ms)
{
    REQ("TW-LIM-031");
    peers->loop = loop;
    peers->service = service;
    peers->n = peers->most = 0;
    peers->turn = NULL;
    peers->stall_ms = stall_ms ? stall_ms : PEER_STALL_MS;
    TAILQ_INIT(&peers->list);
}

void tw_peers_deinit(struct tw_peers *peers)
{
    struct tw_peer_socket *peer;

    while ((peer = TAILQ_FIRST(&peers->list)))
        peer_free(peer, NULL);
}

int tw_peer_new(struct tw_peers *peers, enum tw_service_port port, bool relay, int fd)
{
    struct tw_peer_socket *peer = calloc(1, sizeof(*peer));
    struct tw_peer who = identify(fd, relay);
    int rc;

    if (!peer) {
        tw_fd_close(&fd);
        return -ENOMEM;
    }
    peer->peers = peers;
    if (who.remote)
        tw_net_peer_text(fd, peer->who);
    else
        snprintf(peer->who, sizeof(peer->who), "process %d", who.pid);
    peer->stall.fn = on_stall;
    peer->io = (struct tw_io){.fd = fd, .events = EPOLLIN, .fn = on_peer};
    rc = tw_service_connect(peers->service, port, who, on_wake, peer, &peer->conn);
    if (rc) {
        tw_fd_close(&peer->io.fd);
        free(peer);
        return rc;
    }
    TAILQ_INSERT_TAIL(&peers->list, peer, next);
    peers->n++;
    peers->most = tw_max(peers->most, peers->n);
    tw_log(TW_LOG_DEBUG, "%s of user %d connected as %s", peer->who, who.uid,
           port == TW_SERVICE_PRODUCER ? "a producer" : "a consumer");
    rc = tw_loop_add(peers->loop, &peer->io);
    if (rc)
        peer_free(peer, NULL);
    return rc;
}
