/* SPDX-License-Identifier: Apache-2.0 */
/* The connection: made, lost and made again, on one event loop. */
#include "producer/endpoint.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/req.h"
#include "base/sock.h"
#include "frame/pump.h"
#include "producer/connect.h"
#include "wire/reader.h"

enum {
    /* Milliseconds between two attempts to connect, doubled each time: short enough that a service
     * is found soon after it starts, TW-LIM-190, and in the end cheap enough to go on for ever. A
     * connection that has lasted as long as that was a good one: all begins anew. TW-LIM-191 */
    BACKOFF_FIRST_MS = 100,
    BACKOFF_LONGEST_MS = 3000,
    /* The first when the socket has appeared: a service binds it before it listens. TW-LIM-192 */
    BACKOFF_FRESH_MS = 1,
};

enum { NAME_MAX_BYTES = 4096 }; /* a producer's name; services cut it anyway */

static const uint8_t chunks_to_layout[TW_PAGE_CHUNKS_MAX + 1] = {
    [0] = TW_PAGE_DIV1, [1] = TW_PAGE_DIV1, [2] = TW_PAGE_DIV2,
    [4] = TW_PAGE_DIV4, [7] = TW_PAGE_DIV7, [14] = TW_PAGE_DIV14,
};

static void set_timer(struct tw_producer *p, struct tw_timer *timer, uint64_t in_ns)
{
    /* Does not fail: there has been room for both timers since tw_producer_open(). */
    int r = tw_timer_set(tw_loop_timers(p->loop), timer, tw_clock_ns(CLOCK_MONOTONIC) + in_ns);

    (void)r;
}

/* ---- down ---- */

static void drop_instances(struct tw_producer *p)
{
    for (struct tw_instance *in = p->instances; in; in = in->next)
        tw_endpoint_stop_instance(p, in);
    while (p->instances)
        tw_endpoint_forget_instance(p, p->instances);
}

static void disconnect(struct tw_producer *p)
{
    if (p->link != TW_LINK_DOWN) {
        tw_loop_del(p->loop, &p->sock_io);
        tw_fd_close(&p->sock_io.fd);
        tw_client_deinit(&p->client);
    }
    p->link = TW_LINK_DOWN;
    p->failed = false;
    p->flush_id = 0;
    tw_timer_clear(tw_loop_timers(p->loop), &p->batch);
    if (p->arbiter) {
        tw_loop_del(p->loop, &p->wake_io);
        p->wake_io.fd = -1;
        tw_arbiter_kill(p->arbiter);
    }
    drop_instances(p);
    tw_endpoint_forget_sources(p);
    tw_arbiter_unref(p->arbiter);
    p->arbiter = NULL;
}

/* The service was there long enough: what went wrong before does not count any more. */
static void forgive(struct tw_producer *p)
{
    REQ("TW-LIM-191");
    if (p->link == TW_LINK_UP &&
        tw_clock_ns(CLOCK_MONOTONIC) - p->up_ns >= BACKOFF_LONGEST_MS * TW_NS_PER_MS)
        p->backoff_ms = BACKOFF_FIRST_MS;
}

/* Unless there can be no other connection than the one that has ended because of why. */
static void retry_later(struct tw_producer *p, int why)
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
    set_timer(p, &p->retry, p->backoff_ms * TW_NS_PER_MS);
    p->backoff_ms = p->backoff_ms * 2 < BACKOFF_LONGEST_MS ? p->backoff_ms * 2 : BACKOFF_LONGEST_MS;
}

static bool something_left(const struct tw_producer *p)
{
    if (p->link != TW_LINK_UP || p->failed)
        return false;
    return p->flush_id || tw_endpoint_sources_wait(p) ||
           (p->arbiter && tw_arbiter_wake(p->arbiter, false) == TW_WAKE_NONE &&
            !tw_arbiter_is_empty(p->arbiter));
}

/* Sends what is queued, and gives the connection up if that has become necessary. At the end of
 * everything that the loop calls. */
static void settle(struct tw_producer *p)
{
    int r = 0;

    if (p->link != TW_LINK_DOWN && !p->failed) {
        r = tw_pump_out(p->sock_io.fd, &p->client.tx);
        /* What had no room before. Ends because whatever the writers add meanwhile wakes us. */
        while (r == 0 && something_left(p)) {
            tw_endpoint_send_waiting(p);
            r = tw_pump_out(p->sock_io.fd, &p->client.tx);
        }
        if (r == 0 || r == TW_MORE)
            r = tw_loop_mod(p->loop, &p->sock_io, r == 0 ? EPOLLIN : EPOLLIN | EPOLLOUT);
    }
    if (p->link != TW_LINK_DOWN && (r || p->failed)) {
        forgive(p);
        disconnect(p);
        retry_later(p, TW_E_CLOSED);
    }
}

void tw_endpoint_soon(struct tw_producer *p)
{
    if (p->link == TW_LINK_UP && tw_loop_mod(p->loop, &p->sock_io, EPOLLIN | EPOLLOUT))
        p->failed = true;
}

/* ---- the arbiter ---- */

static void commit_now(void *user)
{
    struct tw_producer *p = user;

    /* From a writer on our own thread, maybe inside a callback: the connection must not go now. */
    if (p->link != TW_LINK_UP || p->failed)
        return;
    tw_endpoint_send_written(p);
    if (tw_pump_out(p->sock_io.fd, &p->client.tx) > TW_MORE)
        p->failed = true;
}

static void on_wake(struct tw_io *io, uint32_t events)
{
    struct tw_producer *p = TW_CONTAINER_OF(io, struct tw_producer, wake_io);
    uint64_t count;
    ssize_t n = read(io->fd, &count, sizeof(count));

    (void)events;
    (void)n; /* it was readable; and if not, looking costs nothing */
    if (tw_arbiter_wake(p->arbiter, false) == TW_WAKE_BATCH) {
        if (!tw_timer_is_set(&p->batch))
            set_timer(p, &p->batch, p->config.batch_ms * TW_NS_PER_MS);
        return;
    }
    tw_endpoint_send_waiting(p);
    settle(p);
}

static void on_batch(struct tw_timer *timer)
{
    struct tw_producer *p = TW_CONTAINER_OF(timer, struct tw_producer, batch);

    tw_endpoint_send_waiting(p);
    settle(p);
}

int tw_endpoint_adopt_memory(struct tw_producer *p, size_t page_size)
{
    struct tw_arbiter_config config = {
        .page_size = page_size,
        .layout = p->layout,
        .direct_patching = p->direct_patching,
        .batching = p->config.batch_ms > 0,
        .commit_now = commit_now,
        .user = p,
    };
    int fd = tw_rx_take_fd(&p->client.rx);
    struct tw_shm shm = TW_SHM_INIT;
    int r = tw_shm_adopt(&shm, &fd, TW_SHM_SEALS_SHRINK);

    if (r)
        return r;
    r = tw_arbiter_new(&p->arbiter, &shm, &config);
    tw_shm_deinit(&shm); /* empty if the arbiter has it */
    if (r)
        return r;
    p->wake_io.fd = p->arbiter->event_fd;
    r = tw_loop_add(p->loop, &p->wake_io);
    if (r) {
        p->wake_io.fd = -1;
        tw_arbiter_unref(p->arbiter);
        p->arbiter = NULL;
    }
    return r;
}

/* ---- events of the session ---- */

/* InitializeConnectionResponse: memory of our own is never offered, and tracing through the socket
 * is not spoken: who wants that will want it the next time, too. */
static void on_initialized(struct tw_producer *p, struct tw_bytes reply)
{
    struct tw_reader reader = tw_reader_of(reply);
    struct tw_field f;

    p->direct_patching = false;
    while (tw_read_field(&reader, &f) == 0) {
        if (f.number == 2 && f.type == TW_WIRE_VARINT)
            p->direct_patching = f.value != 0;
        if (f.number == 3 && f.type == TW_WIRE_VARINT && f.value != 0)
            p->ended = TW_E_REFUSED;
    }
    p->failed = p->ended != 0;
    if (p->failed)
        return;
    p->link = TW_LINK_UP;
    p->up_ns = tw_clock_ns(CLOCK_MONOTONIC);
    p->stats.connects++;
}

static void on_reply(struct tw_producer *p, const struct tw_client_event_out *event)
{
    switch (event->method) {
    case TW_PRODUCER_INITIALIZE_CONNECTION:
        if (event->success && p->link == TW_LINK_INITIALIZING)
            on_initialized(p, event->reply);
        else
            p->failed = true;
        break;
    case TW_PRODUCER_GET_ASYNC_COMMAND:
        if (event->success && p->link == TW_LINK_UP)
            tw_endpoint_command(p, event->reply);
        if (!event->success || !event->has_more)
            p->failed = true; /* without commands the connection is of no use */
        break;
    default:
        break;
    }
}

static void on_event(struct tw_producer *p, const struct tw_client_event_out *event)
{
    switch (event->kind) {
    case TW_CLIENT_BOUND:
        p->link = TW_LINK_INITIALIZING;
        tw_endpoint_send_init(p);
        break;
    case TW_CLIENT_BIND_FAILED:
        p->failed = true;
        break;
    case TW_CLIENT_REPLY:
        on_reply(p, event);
        break;
    case TW_CLIENT_REFUSED:
        if (event->method == TW_PRODUCER_INITIALIZE_CONNECTION ||
            event->method == TW_PRODUCER_GET_ASYNC_COMMAND)
            p->failed = true;
        break;
    }
}

static void on_socket(struct tw_io *io, uint32_t events)
{
    struct tw_producer *p = TW_CONTAINER_OF(io, struct tw_producer, sock_io);
    struct tw_client_event_out event;
    int in = TW_MORE, r = TW_MORE;

    if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
        in = tw_pump_in(io->fd, &p->client.rx);
    while (!p->failed && ((r = tw_client_next(&p->client, &event)) == 0 || r == TW_AGAIN))
        if (r == 0)
            on_event(p, &event);
    if ((r && r != TW_MORE) || (in && in != TW_MORE))
        p->failed = true;
    settle(p);
}

/* ---- up ---- */

static int start_session(struct tw_producer *p, int fd)
{
    int r = tw_client_init(&p->client, &tw_producer_port);

    if (r)
        return r;
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

static void on_retry(struct tw_timer *timer)
{
    struct tw_producer *p = TW_CONTAINER_OF(timer, struct tw_producer, retry);
    int fd = tw_fd_take(&p->given_fd), r = 0;

    tw_watch_begin(&p->watch); /* first, so that nothing comes in between */
    if (fd < 0)
        r = tw_connect_begin(&p->address, &fd);
    if (!r)
        r = start_session(p, fd);
    if (r) {
        tw_fd_close(&fd);
        retry_later(p, r);
        return;
    }
    tw_watch_end(&p->watch);
    settle(p);
}

/* Soon, and a few times more: its name is there before somebody listens. */
static void on_path(struct tw_watch *watch)
{
    struct tw_producer *p = TW_CONTAINER_OF(watch, struct tw_producer, watch);
    uint64_t fresh_ns = BACKOFF_FRESH_MS * TW_NS_PER_MS;

    REQ("TW-LIM-192");
    p->backoff_ms = BACKOFF_FRESH_MS;
    if (!tw_timer_is_set(&p->retry) || p->retry.due_ns > tw_clock_ns(CLOCK_MONOTONIC) + fresh_ns)
        set_timer(p, &p->retry, fresh_ns);
}

/* ---- life ---- */

/* A copy, which makes it close-on-exec: the caller's own stays as it is until all has gone well. */
static int borrow_connection(struct tw_producer *p, int fd)
{
    int flags = fcntl(fd, F_GETFL);

    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
        return -errno;
    p->given_fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    return p->given_fd < 0 ? -errno : 0;
}

static int init_parts(struct tw_producer *p, const struct tw_producer_config *config)
{
    int r;

    p->config = *config;
    p->config.socket = NULL;
    p->config.fd = NULL;
    p->config.name = p->name = strdup(config->name);
    if (!p->name)
        return -ENOMEM;
    if (config->fd)
        r = borrow_connection(p, *config->fd);
    else /* no later attempt would find the name better */
        r = tw_connect_address(config->socket ? config->socket : tw_sock_default("producer"),
                               &p->address);
    if (!r)
        r = tw_loop_new(&p->loop);
    if (r)
        return r;
    r = tw_timer_set(tw_loop_timers(p->loop), &p->batch, TW_NEVER);
    if (!r)
        r = tw_timer_set(tw_loop_timers(p->loop), &p->retry, TW_NEVER);
    tw_timer_clear(tw_loop_timers(p->loop), &p->batch);
    tw_timer_clear(tw_loop_timers(p->loop), &p->retry);
    p->watch.loop = p->loop;
    if (p->address.any.sa_family == AF_UNIX && p->address.un.sun_path[0])
        p->watch.path = p->address.un.sun_path;
    return r;
}

/* The first attempt; then, with the timers armed, the descriptor is all that a caller watches. */
static int begin(struct tw_producer *p)
{
    on_retry(&p->retry);
    return tw_producer_dispatch(p, 0);
}

static bool config_ok(const struct tw_producer_config *c)
{
    return c->name && strlen(c->name) <= NAME_MAX_BYTES && !(c->socket && c->fd) &&
           c->scraping >= TW_SCRAPING_DEFAULT && c->scraping <= TW_SCRAPING_OFF &&
           c->chunks_per_page <= TW_PAGE_CHUNKS_MAX && chunks_to_layout[c->chunks_per_page] &&
           c->shm_size <= UINT32_MAX && c->shm_page_size <= UINT32_MAX;
}

int tw_producer_open(struct tw_producer **ret_producer, const struct tw_producer_config *config)
{
    struct tw_producer *p;
    int r;

    if (!config_ok(config))
        return TW_E_INVALID;
    p = calloc(1, sizeof(*p));
    if (!p)
        return -ENOMEM;
    p->given_fd = -1;
    p->sock_io = (struct tw_io){.fd = -1, .events = EPOLLIN, .fn = on_socket};
    p->wake_io = (struct tw_io){.fd = -1, .events = EPOLLIN, .fn = on_wake};
    p->watch = (struct tw_watch){.fn = on_path, .io.fd = -1};
    p->retry.fn = on_retry;
    p->batch.fn = on_batch;
    REQ("TW-LIM-190");
    p->backoff_ms = BACKOFF_FIRST_MS;
    p->layout = (enum tw_page_layout)chunks_to_layout[config->chunks_per_page];
    r = init_parts(p, config);
    if (!r)
        r = begin(p);
    if (r) {
        tw_producer_close(p);
        return r;
    }
    tw_fd_close(config->fd);
    *ret_producer = p;
    return 0;
}

void tw_producer_close(struct tw_producer *producer)
{
    if (!producer)
        return;
    if (producer->loop) {
        disconnect(producer);
        tw_watch_end(&producer->watch);
        tw_timer_clear(tw_loop_timers(producer->loop), &producer->retry);
    }
    while (producer->sources)
        tw_endpoint_drop_source(producer, producer->sources);
    tw_loop_free(producer->loop);
    tw_fd_close(&producer->given_fd);
    free(producer->name);
    free(producer);
}

int tw_producer_fd(const struct tw_producer *producer)
{
    return tw_loop_fd(producer->loop);
}

int tw_producer_dispatch(struct tw_producer *producer, int timeout_ms)
{
    int r = producer->ended ? 0 : tw_loop_once(producer->loop, timeout_ms);

    return r ? r : producer->ended;
}

bool tw_producer_connected(const struct tw_producer *producer)
{
    return producer->link == TW_LINK_UP;
}

bool tw_producer_idle(const struct tw_producer *producer)
{
    return producer->link != TW_LINK_UP ||
           ((!producer->arbiter || tw_arbiter_is_empty(producer->arbiter)) &&
            tw_tx_queued(&producer->client.tx) == 0);
}

void tw_producer_stats(const struct tw_producer *producer, struct tw_producer_stats *ret_stats)
{
    *ret_stats = producer->stats;
}
