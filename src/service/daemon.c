/* SPDX-License-Identifier: Apache-2.0 */
#include "service/daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/net.h"
#include "base/req.h"
#include "service/core.h"
#include "service/peer.h"

/* Milliseconds without a look at the backlog when no connection can be taken from it, not even to
 * close it: it would wake the loop again at once. TW-LIM-071 */
enum { ACCEPT_PAUSE_MS = 100 };

struct listener {
    struct tw_io io;
    struct tw_timer pause;
    struct tw_daemon *daemon;
    enum tw_service_port port;
    bool relay;
    char *name; /* NULL: it was handed over */
};

struct tw_daemon {
    struct tw_loop *loop;
    struct tw_service *service;
    struct listener listeners[TW_LISTENERS_MAX];
    size_t n_listeners;
    struct tw_peers peers;
    /* Given up for a moment when descriptors run out, so that a connection can be accepted and
     * closed: left in the backlog it would wake the loop for ever. A copy of any other: in the
     * sandbox nothing can be opened. */
    int spare_fd;
};

/* Unless there is one, and as far as there is room. */
static void make_spare(struct tw_daemon *daemon)
{
    if (daemon->spare_fd < 0)
        daemon->spare_fd = fcntl(tw_loop_fd(daemon->loop), F_DUPFD_CLOEXEC, 0);
}

/* False when not even that can be done. */
static bool refuse_one(struct tw_daemon *daemon, int listen_fd)
{
    bool taken;
    int fd;

    tw_fd_close(&daemon->spare_fd);
    fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC);
    taken = fd >= 0;
    tw_fd_close(&fd);
    make_spare(daemon);
    tw_log_peer(TW_LOG_WARN, "out of file descriptors: a connection was refused");
    return taken;
}

static void on_pause_over(struct tw_timer *timer)
{
    struct listener *l = TW_CONTAINER_OF(timer, struct listener, pause);

    TW_IGNORE(tw_loop_mod(l->daemon->loop, &l->io, EPOLLIN));
}

/* Without a timer the loop goes on turning: the listener is not given up. */
static void pause_listener(struct listener *l)
{
    REQ("TW-LIM-071");
    uint64_t until = tw_clock_ns(CLOCK_MONOTONIC) + ACCEPT_PAUSE_MS * TW_NS_PER_MS;

    l->pause.fn = on_pause_over;
    if (!tw_timer_set(tw_loop_timers(l->daemon->loop), &l->pause, until))
        TW_IGNORE(tw_loop_mod(l->daemon->loop, &l->io, 0));
}

static void on_accept_failed(struct listener *l)
{
    if (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED)
        return; /* that connection is gone already */
    if ((errno != EMFILE && errno != ENFILE) || !refuse_one(l->daemon, l->io.fd))
        pause_listener(l);
}

static void on_listen(struct tw_io *io, uint32_t events)
{
    struct listener *l = TW_CONTAINER_OF(io, struct listener, io);
    int rc, fd = accept4(io->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

    (void)events;
    if (fd < 0) {
        on_accept_failed(l);
        return;
    }
    make_spare(l->daemon); /* there was no room for it when it was needed last */
    rc = tw_peer_new(&l->daemon->peers, l->port, l->relay, fd);
    if (rc < 0)
        tw_log_peer(TW_LOG_WARN, "a connection was refused: %s", tw_err_str(rc));
}

/* A relay speaks for other machines and is believed: not on a socket that any program here can
 * reach. */
static int listen_now(struct listener *l, const struct tw_sock_access *access)
{
    REQ("TW-RELAY-001");
    if (tw_net_family(l->name) != AF_UNIX)
        return tw_net_listen(l->name, &l->io.fd);
    return l->relay ? TW_E_INVALID : tw_sock_listen(l->name, access, &l->io.fd);
}

/* A path has rights; any other name is open to whoever reaches it. */
static void warn_of_open(const struct listener *l)
{
    REQ("TW-NET-049");
    bool guarded = tw_net_family(l->name) == AF_UNIX && l->name[0] != '@';

    if (l->port == TW_SERVICE_CONSUMER && !guarded)
        tw_log(TW_LOG_WARN, "whoever reaches %s can read all that is traced", l->name);
}

static int listen_on(struct tw_daemon *daemon, enum tw_service_port port, bool relay,
                     struct tw_bytes name, const struct tw_sock_access *access)
{
    REQ("TW-LIM-123");
    struct listener *l = &daemon->listeners[daemon->n_listeners];
    int rc;

    if (daemon->n_listeners == TW_LISTENERS_MAX)
        return TW_E_LIMIT;
    *l = (struct listener){.daemon = daemon, .port = port, .relay = relay};
    l->io = (struct tw_io){.fd = -1, .events = EPOLLIN, .fn = on_listen};
    l->name = strndup((const char *)name.p, name.n);
    if (!l->name)
        return -ENOMEM;
    rc = listen_now(l, access);
    if (rc) {
        free(l->name);
        return rc;
    }
    warn_of_open(l);
    daemon->n_listeners++;
    return tw_loop_add(daemon->loop, &l->io);
}

/* Nothing of it can fail, so that what was handed over is owned from here on. */
static void take_inherited(struct tw_daemon *daemon, const int fds[2])
{
    for (size_t port = 0; port < 2; port++)
        if (fds[port] > 0)
            daemon->listeners[daemon->n_listeners++] = (struct listener){
                .daemon = daemon,
                .port = (enum tw_service_port)port,
                .io = {.fd = fds[port], .events = EPOLLIN, .fn = on_listen},
            };
}

static int listen_on_inherited(struct tw_daemon *daemon)
{
    int rc = 0;

    for (size_t i = 0; !rc && i < daemon->n_listeners; i++)
        rc = tw_loop_add(daemon->loop, &daemon->listeners[i].io);
    return rc;
}

static void on_refused(struct tw_peer peer, const char *what, void *user)
{
    (void)user;
    tw_log_peer(TW_LOG_WARN, "refused process %d of user %d: %s", peer.pid, peer.uid, what);
}

static void on_call_refused(struct tw_peer peer, const char *why, void *user)
{
    (void)user;
    tw_log_peer(TW_LOG_DEBUG, "refused a call of process %d of user %d: %s", peer.pid, peer.uid,
                why);
}

/* Every name of a list, unless there is a socket in its place. */
static int listen_on_all(struct tw_daemon *daemon, enum tw_service_port port, bool relay,
                         const char *names, const struct tw_daemon_options *o,
                         struct tw_bytes *ret_socket)
{
    int rc = 0;

    if (o->inherited[port] > 0 && !relay)
        return 0;
    while (names && !rc) {
        *ret_socket = (struct tw_bytes){(const uint8_t *)names, strcspn(names, ",")};
        rc = listen_on(daemon, port, relay, *ret_socket, &o->access[port]);
        names = names[ret_socket->n] ? names + ret_socket->n + 1 : NULL;
    }
    return rc;
}

static int start(struct tw_daemon *daemon, const struct tw_daemon_options *o,
                 struct tw_bytes *ret_socket)
{
    REQ("TW-NET-001");
    REQ("TW-NET-014");
    struct tw_service_options options = o->service;
    int rc;

    options.refused = on_refused;
    options.call_refused = on_call_refused;
    options.send_now = tw_peer_send_now;
    rc = tw_service_new(&daemon->service, &options);
    if (rc)
        return rc;
    daemon->service->timers = tw_loop_timers(daemon->loop);
    tw_peers_init(&daemon->peers, daemon->loop, daemon->service, o->stall_ms);
    rc = listen_on_inherited(daemon);
    if (!rc)
        rc = listen_on_all(daemon, TW_SERVICE_PRODUCER, false, o->producer_socket, o, ret_socket);
    if (!rc)
        rc = listen_on_all(daemon, TW_SERVICE_PRODUCER, true, o->relay_socket, o, ret_socket);
    if (!rc)
        rc = listen_on_all(daemon, TW_SERVICE_CONSUMER, false, o->consumer_socket, o, ret_socket);
    return rc;
}

int tw_daemon_new(struct tw_loop *loop, const struct tw_daemon_options *options,
                  struct tw_daemon **ret_daemon, struct tw_bytes *ret_socket)
{
    struct tw_daemon *daemon = calloc(1, sizeof(*daemon));
    int rc;

    *ret_socket = (struct tw_bytes){0};
    if (!daemon)
        return -ENOMEM;
    daemon->loop = loop;
    daemon->spare_fd = -1;
    make_spare(daemon);
    take_inherited(daemon, options->inherited);
    rc = start(daemon, options, ret_socket);
    if (rc) {
        tw_daemon_free(daemon);
        return rc;
    }
    *ret_daemon = daemon;
    return 0;
}

void tw_daemon_paths(const struct tw_daemon *daemon, const char *ret_paths[TW_LISTENERS_MAX])
{
    for (size_t i = 0; i < TW_LISTENERS_MAX; i++) {
        const char *name = i < daemon->n_listeners ? daemon->listeners[i].name : NULL;
        bool path = name && tw_net_family(name) == AF_UNIX && name[0] != '@';

        ret_paths[i] = path ? name : NULL;
    }
}

void tw_daemon_free(struct tw_daemon *daemon)
{
    if (!daemon)
        return;
    for (size_t i = 0; i < daemon->n_listeners; i++) {
        struct listener *l = &daemon->listeners[i];

        if (l->name && tw_net_family(l->name) == AF_UNIX)
            tw_sock_unlink(l->name);
        tw_timer_clear(tw_loop_timers(daemon->loop), &l->pause);
        tw_loop_del(daemon->loop, &l->io);
        tw_fd_close(&l->io.fd);
        free(l->name);
    }
    if (daemon->service)
        tw_peers_deinit(&daemon->peers);
    tw_service_free(daemon->service);
    tw_fd_close(&daemon->spare_fd);
    free(daemon);
}
