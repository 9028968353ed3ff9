/* SPDX-License-Identifier: Apache-2.0 */
#include "service/daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/req.h"
#include "service/core.h"
#include "service/peer.h"

struct listener {
    struct tw_io io;
    struct tw_daemon *daemon;
    enum tw_service_port port;
    const char *name;
};

struct tw_daemon {
    struct tw_loop *loop;
    struct tw_service *service;
    struct listener listeners[2];
    struct tw_peers peers;
    /* Given up for a moment when descriptors run out, so that a connection can be accepted and
     * closed: left in the backlog it would wake the loop for ever. A copy of any other: in the
     * sandbox nothing can be opened. */
    int spare_fd;
};

static int make_spare(const struct tw_daemon *daemon)
{
    return fcntl(tw_loop_fd(daemon->loop), F_DUPFD_CLOEXEC, 0);
}

static void refuse_one(struct tw_daemon *daemon, int listen_fd)
{
    int fd;

    tw_fd_close(&daemon->spare_fd);
    fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC);
    tw_fd_close(&fd);
    daemon->spare_fd = make_spare(daemon);
    tw_log_peer(TW_LOG_WARN, "out of file descriptors: a connection was refused");
}

static void on_listen(struct tw_io *io, uint32_t events)
{
    struct listener *l = TW_CONTAINER_OF(io, struct listener, io);
    int rc, fd = accept4(io->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

    (void)events;
    if (fd < 0) {
        if (errno == EMFILE || errno == ENFILE)
            refuse_one(l->daemon, io->fd);
        return; /* anything else: that connection is gone already */
    }
    rc = tw_peer_new(&l->daemon->peers, l->port, fd);
    if (rc < 0)
        tw_log_peer(TW_LOG_WARN, "a connection was refused: %s", tw_err_str(rc));
}

static int listen_on(struct tw_daemon *daemon, struct listener *l, enum tw_service_port port,
                     const char *name, const struct tw_sock_access *access)
{
    int rc = tw_sock_listen(name, access, &l->io.fd);

    if (rc)
        return rc;
    l->daemon = daemon;
    l->port = port;
    l->name = name;
    l->io.events = EPOLLIN;
    l->io.fn = on_listen;
    return tw_loop_add(daemon->loop, &l->io);
}

static void on_refused(struct tw_peer peer, const char *what, void *user)
{
    (void)user;
    tw_log_peer(TW_LOG_WARN, "refused process %d of user %d: %s", peer.pid, peer.uid, what);
}

static int start(struct tw_daemon *daemon, const struct tw_daemon_options *o,
                 const char **ret_socket)
{
    REQ("TW-NET-001");
    struct tw_service_options options = o->service;
    int rc;

    options.refused = on_refused;
    rc = tw_service_new(&daemon->service, &options);
    if (rc)
        return rc;
    daemon->service->timers = tw_loop_timers(daemon->loop);
    tw_peers_init(&daemon->peers, daemon->loop, daemon->service, o->stall_ms);
    *ret_socket = o->producer_socket;
    rc = listen_on(daemon, &daemon->listeners[0], TW_SERVICE_PRODUCER, o->producer_socket,
                   &o->access[TW_SERVICE_PRODUCER]);
    if (rc)
        return rc;
    *ret_socket = o->consumer_socket;
    return listen_on(daemon, &daemon->listeners[1], TW_SERVICE_CONSUMER, o->consumer_socket,
                     &o->access[TW_SERVICE_CONSUMER]);
}

int tw_daemon_new(struct tw_loop *loop, const struct tw_daemon_options *options,
                  struct tw_daemon **ret_daemon, const char **ret_socket)
{
    struct tw_daemon *daemon = calloc(1, sizeof(*daemon));
    int rc;

    *ret_socket = NULL;
    if (!daemon)
        return -ENOMEM;
    daemon->loop = loop;
    daemon->spare_fd = make_spare(daemon);
    for (size_t i = 0; i < TW_ARRAY_LEN(daemon->listeners); i++)
        daemon->listeners[i].io.fd = -1;
    rc = start(daemon, options, ret_socket);
    if (rc) {
        tw_daemon_free(daemon);
        return rc;
    }
    *ret_daemon = daemon;
    return 0;
}

void tw_daemon_free(struct tw_daemon *daemon)
{
    if (!daemon)
        return;
    for (size_t i = 0; i < TW_ARRAY_LEN(daemon->listeners); i++) {
        struct listener *l = &daemon->listeners[i];

        if (l->io.fd < 0)
            continue;
        tw_sock_unlink(l->name);
        tw_loop_del(daemon->loop, &l->io);
        tw_fd_close(&l->io.fd);
    }
    if (daemon->service)
        tw_peers_deinit(&daemon->peers);
    tw_service_free(daemon->service);
    tw_fd_close(&daemon->spare_fd);
    free(daemon);
}
