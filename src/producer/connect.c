/* SPDX-License-Identifier: Apache-2.0 */
/* Getting to the service, without waiting: now, and again when that was in vain. */
#include <errno.h>
#include <fcntl.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/req.h"
#include "base/sock.h"
#include "producer/endpoint.h"

enum {
    /* Milliseconds between two attempts to connect, doubled each time: short enough that a service
     * is found soon after it starts, TW-LIM-190, and in the end cheap enough to go on for ever. A
     * connection that has lasted as long as that was a good one: all begins anew. TW-LIM-191 */
    BACKOFF_FIRST_MS = 100,
    BACKOFF_LONGEST_MS = 3000,
    /* The first when the socket has appeared: a service binds it before it listens. TW-LIM-192 */
    BACKOFF_FRESH_MS = 1,
};

/* ---- later ---- */

void tw_endpoint_connect_later(struct tw_producer *p, int why)
{
    REQ("TW-NET-060");
    REQ("TW-NET-062");
    REQ("TW-LIM-191");
    if (!p->ended && !p->address.len)
        p->ended = why;
    if (p->ended)
        return;
    if (p->watch.io.fd < 0)
        tw_watch_begin(&p->watch);
    if (p->up_ns && tw_clock_ns(CLOCK_MONOTONIC) - p->up_ns >= BACKOFF_LONGEST_MS * TW_NS_PER_MS)
        p->backoff_ms = BACKOFF_FIRST_MS;
    p->up_ns = 0;
    tw_endpoint_set_timer(p, &p->retry, p->backoff_ms * TW_NS_PER_MS);
    p->backoff_ms = p->backoff_ms * 2 < BACKOFF_LONGEST_MS ? p->backoff_ms * 2 : BACKOFF_LONGEST_MS;
}

/* Soon, and a few times more: its name is there before somebody listens. */
static void on_path(struct tw_watch *watch)
{
    struct tw_producer *p = TW_CONTAINER_OF(watch, struct tw_producer, watch);
    uint64_t fresh_ns = BACKOFF_FRESH_MS * TW_NS_PER_MS;

    REQ("TW-LIM-192");
    p->backoff_ms = BACKOFF_FRESH_MS;
    if (!tw_timer_is_set(&p->retry) || p->retry.due_ns > tw_clock_ns(CLOCK_MONOTONIC) + fresh_ns)
        tw_endpoint_set_timer(p, &p->retry, fresh_ns);
}

/* ---- now ---- */

/* A non-blocking socket that is connected, or is being: until then it takes no bytes, and if that
 * fails, reading tells. */
static int begin_to_connect(const struct tw_net_address *address, int *ret_fd)
{
    int fd = socket(address->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0)
        return -errno;
    tw_net_tune(fd);
    if (connect(fd, &address->any, address->len) != 0 && errno != EINPROGRESS) {
        tw_fd_close(&fd);
        return TW_E_CLOSED; /* whatever the reason: it will be tried again */
    }
    *ret_fd = fd;
    return 0;
}

static int start_session(struct tw_producer *p, int fd)
{
    int bytes = (int)p->config.send_buffer, r = tw_client_init(&p->client, &tw_producer_port);

    if (r)
        return r;
    if (bytes) /* a wish: the system has bounds of its own */
        (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
    p->sock_io.fd = fd;
    p->sock_io.events = EPOLLIN;
    r = tw_client_bind(&p->client);
    if (!r)
        r = tw_loop_add(p->loop, &p->sock_io);
    if (r) {
        p->sock_io.fd = -1;
        tw_client_deinit(&p->client);
        return r;
    }
    p->link = TW_LINK_BINDING;
    return 0;
}

void tw_endpoint_connect(struct tw_producer *p)
{
    int fd = tw_fd_take(&p->given_fd), r = 0;

    tw_watch_begin(&p->watch); /* first, so that nothing comes in between */
    if (fd < 0)
        r = begin_to_connect(&p->address, &fd);
    if (!r)
        r = start_session(p, fd);
    if (r) {
        tw_fd_close(&fd);
        tw_endpoint_connect_later(p, r);
        return;
    }
    tw_watch_end(&p->watch);
    tw_endpoint_settle(p);
}

static void on_retry(struct tw_timer *timer)
{
    tw_endpoint_connect(TW_CONTAINER_OF(timer, struct tw_producer, retry));
}

/* ---- where to ---- */

/* A copy, which makes it close-on-exec: the caller's own stays as it is until all has gone well. */
static int borrow_connection(struct tw_producer *p, int fd)
{
    int flags = fcntl(fd, F_GETFL);

    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
        return -errno;
    p->given_fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    return p->given_fd < 0 ? -errno : 0;
}

/* No later attempt would find the name better. */
static int find_address(struct tw_producer *p, const char *name)
{
    int r;

    if (tw_net_family(name) == AF_VSOCK)
        return TW_E_INVALID; /* takes no bytes before it is connected: an error, not a wait */
    r = tw_net_numeric(name, &p->address);
    if (!r && p->address.any.sa_family == AF_UNIX && p->address.un.sun_path[0])
        p->watch.path = p->address.un.sun_path;
    return r;
}

int tw_endpoint_connect_init(struct tw_producer *p, const struct tw_producer_config *config)
{
    REQ("TW-LIM-190");
    p->backoff_ms = BACKOFF_FIRST_MS;
    p->retry.fn = on_retry;
    p->watch = (struct tw_watch){.fn = on_path, .io.fd = -1};
    if (config->fd)
        return borrow_connection(p, *config->fd);
    return find_address(p, config->socket ? config->socket : tw_sock_default("producer"));
}
