/* SPDX-License-Identifier: Apache-2.0 */
/* The connection: made, lost and made again, on one event loop. */
#include "producer/endpoint.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/macros.h"
#include "base/req.h"
#include "frame/pump.h"
#include "wire/reader.h"

enum { NAME_MAX_BYTES = 4096 }; /* a producer's name; services cut it anyway */

static const uint8_t chunks_to_layout[TW_PAGE_CHUNKS_MAX + 1] = {
    [0] = TW_PAGE_DIV1, [1] = TW_PAGE_DIV1, [2] = TW_PAGE_DIV2,
    [4] = TW_PAGE_DIV4, [7] = TW_PAGE_DIV7, [14] = TW_PAGE_DIV14,
};

void tw_endpoint_set_timer(struct tw_producer *p, struct tw_timer *timer, uint64_t in_ns)
{
    /* Does not fail: there has been room for all timers since tw_producer_open(). */
    int r = tw_timer_set(tw_loop_timers(p->loop), timer, tw_clock_ns(CLOCK_MONOTONIC) + in_ns);

    (void)r;
}

/* ---- down ---- */

/* Memory of our own that no service has worked with goes on to the next one. */
static void disconnect(struct tw_producer *p, bool keep_memory)
{
    if (p->link != TW_LINK_DOWN) {
        tw_loop_del(p->loop, &p->sock_io);
        (void)shutdown(p->sock_io.fd, SHUT_RDWR); /* a child may hold it, too */
        tw_fd_close(&p->sock_io.fd);
        tw_client_deinit(&p->client);
    }
    p->link = TW_LINK_DOWN;
    p->failed = false;
    p->flush_id = 0;
    tw_timer_clear(tw_loop_timers(p->loop), &p->deadline);
    if (!keep_memory)
        tw_endpoint_drop_memory(p);
    tw_endpoint_forget_sources(p);
}

static bool something_left(const struct tw_producer *p)
{
    if (p->link != TW_LINK_UP || p->failed)
        return false;
    return p->flush_id || tw_endpoint_sources_wait(p) || tw_startup_ready(p) ||
           tw_endpoint_syncs_wait(p) ||
           (p->arbiter && tw_arbiter_wake(p->arbiter, false) == TW_WAKE_NONE &&
            !tw_arbiter_is_empty(p->arbiter));
}

/* The time in which the service may take nothing begins anew with every byte that it takes. */
static void set_deadline(struct tw_producer *p, bool waits)
{
    bool begins = !tw_timer_is_set(&p->deadline) || p->taken != p->client.tx.sent;

    REQ("TW-NET-064");
    p->taken = p->client.tx.sent;
    if (!waits)
        tw_timer_clear(tw_loop_timers(p->loop), &p->deadline);
    else if (begins && p->config.send_deadline_ms)
        tw_endpoint_set_timer(p, &p->deadline, p->config.send_deadline_ms * TW_NS_PER_MS);
}

static int send_all(struct tw_producer *p)
{
    int r = tw_pump_out(p->sock_io.fd, &p->client.tx);

    /* What had no room before. Ends because whatever the writers add meanwhile wakes us. */
    while (r == 0 && something_left(p)) {
        tw_endpoint_send_waiting(p);
        r = tw_pump_out(p->sock_io.fd, &p->client.tx);
    }
    if (r && r != TW_MORE)
        return r;
    set_deadline(p, r == TW_MORE);
    return tw_loop_mod(p->loop, &p->sock_io, r == 0 ? EPOLLIN : EPOLLIN | EPOLLOUT);
}

void tw_endpoint_settle(struct tw_producer *p)
{
    bool was_up = p->link == TW_LINK_UP;

    if (p->link == TW_LINK_DOWN)
        return;
    if (!p->failed && send_all(p))
        p->failed = true;
    if (!p->failed)
        return;
    disconnect(p, p->own_memory && !was_up && p->address.len);
    tw_endpoint_connect_later(p, TW_E_CLOSED);
    tw_endpoint_refuse_syncs(p);
    if (was_up && p->config.disconnected)
        p->config.disconnected(p->config.user);
}

static void on_deadline(struct tw_timer *timer)
{
    struct tw_producer *p = TW_CONTAINER_OF(timer, struct tw_producer, deadline);

    p->failed = true;
    tw_endpoint_settle(p);
}

void tw_endpoint_soon(struct tw_producer *p)
{
    if (p->link == TW_LINK_UP && tw_loop_mod(p->loop, &p->sock_io, EPOLLIN | EPOLLOUT))
        p->failed = true;
}

/* ---- events of the session ---- */

enum { ANSWER_ADOPTED = 1, ANSWER_PATCHING, ANSWER_EMULATION, ANSWER_MAX };

/* InitializeConnectionResponse: a flag for each of its fields. */
static void on_initialized(struct tw_producer *p, struct tw_bytes reply)
{
    struct tw_reader reader = tw_reader_of(reply);
    bool says[ANSWER_MAX] = {false};
    struct tw_field f;

    while (tw_read_field(&reader, &f) == 0)
        if (f.number < ANSWER_MAX && f.type == TW_WIRE_VARINT)
            says[f.number] = f.value != 0;
    p->direct_patching = says[ANSWER_PATCHING];
    p->inlined = says[ANSWER_EMULATION] || (p->own_memory && !says[ANSWER_ADOPTED]);
    REQ("TW-PROD-074");
    if (p->inlined && tw_endpoint_reserve_frame(p)) {
        p->failed = true;
        return;
    }
    p->link = TW_LINK_UP;
    p->up_ns = tw_clock_ns(CLOCK_MONOTONIC);
    p->stats.connects++;
    if (p->config.connected)
        p->config.connected(p->config.user);
    tw_endpoint_send_waiting(p); /* as much as was written before */
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
    case TW_PRODUCER_REGISTER_DATA_SOURCE:
        tw_endpoint_registered(p, event->request_id, event->success, event->reply);
        break;
    case TW_PRODUCER_SYNC:
        tw_endpoint_synced(p, event->user, event->success ? 0 : TW_E_REFUSED);
        break;
    default:
        break;
    }
}

static void on_refused(struct tw_producer *p, const struct tw_client_event_out *event)
{
    struct tw_client_event_out reply = *event;

    reply.success = reply.has_more = false;
    reply.reply = (struct tw_bytes){0};
    on_reply(p, &reply);
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
        on_refused(p, event);
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
    tw_endpoint_settle(p);
}

/* ---- a child of fork() ---- */

bool tw_endpoint_in_child(const struct tw_producer *p)
{
    return p->pid != getpid();
}

/* Not a word to the loop, which the parent waits on. */
static void leave(struct tw_producer *p)
{
    REQ("TW-PROD-090");
    if (p->link != TW_LINK_DOWN)
        tw_client_deinit(&p->client);
    tw_fd_close(&p->sock_io.fd);
    tw_fd_close(&p->watch.io.fd);
    while (p->instances)
        tw_endpoint_forget_instance(p, p->instances);
    if (p->arbiter)
        tw_arbiter_leave(p->arbiter);
    tw_arbiter_unref(p->arbiter);
    tw_startup_free(p);
    free(p->frame);
    tw_endpoint_free_syncs(p);
}

/* ---- the end ---- */

static bool wait_for_room(const struct tw_producer *p, uint64_t until_ns)
{
    struct pollfd fd = {.fd = p->sock_io.fd, .events = POLLOUT};
    uint64_t now = tw_clock_ns(CLOCK_MONOTONIC);

    return now < until_ns && poll(&fd, 1, (int)((until_ns - now) / TW_NS_PER_MS) + 1) != 0;
}

/* Instances end while there is a connection that takes what they leave. No command counts any more:
 * nothing is read. */
static void send_the_rest(struct tw_producer *p)
{
    uint64_t until_ns = tw_clock_ns(CLOCK_MONOTONIC) + TW_CLOSE_MAX_MS * TW_NS_PER_MS;

    REQ("TW-PROD-080");
    REQ("TW-LIM-209");
    if (p->link != TW_LINK_UP || p->failed)
        return;
    if (p->arbiter)
        tw_arbiter_end_by(p->arbiter, until_ns);
    tw_endpoint_stop_instances(p);
    do
        tw_endpoint_send_waiting(p);
    while (send_all(p) == 0 && tw_tx_queued(&p->client.tx) > 0 && wait_for_room(p, until_ns));
}

/* ---- life ---- */

/* Room for all of them, so that setting one does not fail later. */
static int reserve_timers(struct tw_producer *p)
{
    struct tw_timer *const timers[] = {&p->retry, &p->batch, &p->deadline, &p->startup};
    int r = 0;

    for (size_t i = 0; !r && i < TW_ARRAY_LEN(timers); i++)
        r = tw_timer_set(tw_loop_timers(p->loop), timers[i], TW_NEVER);
    for (size_t i = 0; i < TW_ARRAY_LEN(timers); i++)
        tw_timer_clear(tw_loop_timers(p->loop), timers[i]);
    return r;
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
    r = tw_endpoint_connect_init(p, config);
    if (!r)
        r = tw_loop_new(&p->loop);
    if (r)
        return r;
    p->watch.loop = p->loop;
    return reserve_timers(p);
}

/* What the protocol and the system say in 32 bits. */
static bool sizes_ok(const struct tw_producer_config *c)
{
    return c->shm_size <= UINT32_MAX && c->shm_page_size <= UINT32_MAX && c->send_buffer <= INT_MAX;
}

static bool config_ok(const struct tw_producer_config *c)
{
    return c->name && strlen(c->name) <= NAME_MAX_BYTES && !(c->socket && c->fd) &&
           c->scraping >= TW_SCRAPING_DEFAULT && c->scraping <= TW_SCRAPING_OFF &&
           c->chunks_per_page <= TW_PAGE_CHUNKS_MAX && chunks_to_layout[c->chunks_per_page] &&
           sizes_ok(c);
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
    p->pid = getpid();
    p->given_fd = p->kick_fd = -1;
    p->sock_io = (struct tw_io){.fd = -1, .events = EPOLLIN, .fn = on_socket};
    p->wake_io = (struct tw_io){.fd = -1, .events = EPOLLIN, .fn = tw_endpoint_on_wake};
    p->batch.fn = tw_endpoint_on_batch;
    p->startup.fn = tw_endpoint_on_startup;
    p->deadline.fn = on_deadline;
    p->layout = (enum tw_page_layout)chunks_to_layout[config->chunks_per_page];
    r = tw_endpoint_lock_init(p);
    if (!r)
        r = init_parts(p, config);
    if (!r) {
        tw_endpoint_connect(p);
        /* With the timers armed the descriptor is all that a caller has to watch. */
        r = tw_producer_dispatch(p, 0);
    }
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
    if (tw_endpoint_in_child(producer)) {
        leave(producer);
    } else if (producer->loop) {
        tw_endpoint_stop_thread(producer);
        send_the_rest(producer);
        disconnect(producer, false);
        tw_endpoint_refuse_syncs(producer);
        tw_watch_end(&producer->watch);
        tw_timer_clear(tw_loop_timers(producer->loop), &producer->retry);
    }
    while (producer->sources)
        tw_endpoint_drop_source(producer, producer->sources);
    tw_loop_free(producer->loop);
    tw_fd_close(&producer->given_fd);
    tw_fd_close(&producer->kick_fd);
    free(producer->name);
    free(producer); /* its lock as it is: a child's may be held */
}

int tw_producer_fd(const struct tw_producer *producer)
{
    return tw_loop_fd(producer->loop);
}

int tw_endpoint_turn(struct tw_producer *p, int timeout_ms)
{
    int r = p->ended ? 0 : tw_loop_once(p->loop, timeout_ms);

    return r ? r : p->ended;
}

int tw_producer_dispatch(struct tw_producer *producer, int timeout_ms)
{
    if (tw_endpoint_in_child(producer))
        return TW_E_CLOSED;
    return producer->kick_fd >= 0 ? TW_E_INVALID : tw_endpoint_turn(producer, timeout_ms);
}

bool tw_producer_connected(const struct tw_producer *producer)
{
    bool connected;

    if (tw_endpoint_in_child(producer))
        return false;
    tw_endpoint_lock(producer);
    connected = producer->link == TW_LINK_UP;
    tw_endpoint_unlock(producer);
    return connected;
}

bool tw_producer_idle(const struct tw_producer *producer)
{
    bool idle;

    if (tw_endpoint_in_child(producer))
        return true;
    tw_endpoint_lock(producer);
    idle = producer->link != TW_LINK_UP ||
           ((!producer->arbiter || tw_arbiter_is_empty(producer->arbiter)) &&
            tw_tx_queued(&producer->client.tx) == 0);
    tw_endpoint_unlock(producer);
    return idle;
}

void tw_producer_stats(const struct tw_producer *producer, struct tw_producer_stats *ret_stats)
{
    bool child = tw_endpoint_in_child(producer); /* whoever held the lock is not there */

    if (!child)
        tw_endpoint_lock(producer);
    *ret_stats = producer->stats;
    if (!child)
        tw_endpoint_unlock(producer);
}

int tw_producer_sync(struct tw_producer *producer, void (*done)(void *user, int result), void *user)
{
    int r;

    if (tw_endpoint_in_child(producer))
        return TW_E_CLOSED;
    tw_endpoint_lock(producer);
    r = tw_endpoint_sync(producer, done, user);
    tw_endpoint_changed(producer);
    return r;
}
