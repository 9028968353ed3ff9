/* SPDX-License-Identifier: Apache-2.0 */
/* What the endpoint sends to the service. */
#include <fcntl.h>
#include <string.h>

#include "base/fd.h"
#include "base/macros.h"
#include "base/req.h"
#include "producer/endpoint.h"

enum {
    SMALL_REQUEST_MAX = 64,                 /* bytes: a few integers */
    NAME_MAX_SENT = 4096,                   /* bytes of a producer's name */
    INIT_REQUEST_MAX = NAME_MAX_SENT + 256, /* bytes: the name, the version and a few integers */
    INLINE_CHUNKS_MAX = 256, /* in one request: as many of the smallest as it holds */
};

/* Bytes queued for the socket beyond which writers have to wait: leaves room for the largest
 * request, and a service that does not read costs no more than this. */
#define QUEUE_HIGH (TW_TX_MAX / 2)

static bool has_room(const struct tw_producer *p)
{
    return p->link == TW_LINK_UP && !p->failed && tw_tx_queued(&p->client.tx) < QUEUE_HIGH;
}

/* Takes fd, if it is one. The id of the request, 0 if there is none. */
static uint64_t call_with(struct tw_producer *p, uint32_t method, struct tw_bytes args,
                          bool drop_reply, int fd)
{
    uint64_t id = 0;
    int r = tw_client_call(&p->client, method, args, drop_reply, fd, NULL, &id);

    if (r)
        tw_fd_close(&fd);
    /* A service that does not know a method of ours is an old one; it goes without. */
    if (r && r != TW_E_NOT_FOUND)
        p->failed = true;
    return id;
}

static void call(struct tw_producer *p, uint32_t method, struct tw_bytes args, bool drop_reply)
{
    (void)call_with(p, method, args, drop_reply, -1);
}

static void call_writer(struct tw_producer *p, uint32_t method, const struct tw_writer *w)
{
    if (w->overflow)
        p->failed = true;
    else
        call(p, method, (struct tw_bytes){w->begin, tw_writer_size(w)}, true);
}

/* A descriptor of our own memory, for a service that can be given one; -1: none. */
static int offer(const struct tw_producer *p)
{
    REQ("TW-PROD-071");
    if (!p->own_memory || tw_net_socket_family(p->sock_io.fd) != AF_UNIX)
        return -1;
    return fcntl(p->arbiter->shm.fd, F_DUPFD_CLOEXEC, 0);
}

void tw_endpoint_send_init(struct tw_producer *p)
{
    uint8_t buf[INIT_REQUEST_MAX];
    struct tw_writer w = tw_writer_of(buf, sizeof(buf));
    size_t page_size = p->own_memory ? p->arbiter->smb.page_size : p->config.shm_page_size;
    /* The memory that a service makes which does not adopt ours is not used: a page will do. */
    size_t size = p->own_memory ? page_size : p->config.shm_size;
    int fd = offer(p);

    if (page_size)
        tw_put_u64(&w, 1, page_size);
    if (size)
        tw_put_u64(&w, 2, size);
    tw_put_bytes(&w, 3, (struct tw_bytes){(const uint8_t *)p->name, strlen(p->name)});
    if (p->config.scraping)
        tw_put_u64(&w, 4, (uint64_t)p->config.scraping);
    if (fd >= 0)
        tw_put_bool(&w, 6, true);
    tw_put_str(&w, 8, "tracewire " TW_VERSION);
    (void)call_with(p, TW_PRODUCER_INITIALIZE_CONNECTION,
                    (struct tw_bytes){buf, tw_writer_size(&w)}, false, fd);
    call(p, TW_PRODUCER_GET_ASYNC_COMMAND, (struct tw_bytes){0}, false);
}

bool tw_endpoint_sources_wait(const struct tw_producer *p)
{
    return p->sources_wait && p->client.requests.n < TW_REQUESTS_MAX;
}

/* Nothing is wanted to know but what becomes of a registration. */
static void send_source(struct tw_producer *p, struct tw_data_source *source)
{
    uint32_t method = source->gone    ? TW_PRODUCER_UNREGISTER_DATA_SOURCE
                      : source->known ? TW_PRODUCER_UPDATE_DATA_SOURCE
                                      : TW_PRODUCER_REGISTER_DATA_SOURCE;
    uint64_t id;

    REQ("TW-PROD-062");
    id = call_with(p, method, (struct tw_bytes){source->request, source->request_n}, source->known,
                   -1);
    if (!source->known)
        source->request_id = id;
    source->known = true;
    source->pending = false;
}

static void send_sources(struct tw_producer *p)
{
    struct tw_data_source *next, *source = p->sources;

    for (; source && has_room(p) && tw_endpoint_sources_wait(p); source = next) {
        next = source->next;
        if (source->pending)
            send_source(p, source);
        if (source->gone)
            tw_endpoint_drop_source(p, source);
    }
    p->sources_wait = p->sources_wait && source;
}

static void send_number(struct tw_producer *p, uint32_t method, uint64_t value)
{
    uint8_t buf[SMALL_REQUEST_MAX];
    struct tw_writer w = tw_writer_of(buf, sizeof(buf));

    tw_put_u64(&w, 1, value);
    call_writer(p, method, &w);
}

void tw_endpoint_send_started(struct tw_producer *p, uint64_t instance_id)
{
    send_number(p, TW_PRODUCER_NOTIFY_DATA_SOURCE_STARTED, instance_id);
}

static void send_new_writers(struct tw_producer *p)
{
    struct tw_writer_reg *reg;
    uint32_t target_buffer;

    while (has_room(p) && (reg = tw_startup_take_new(p, &target_buffer))) {
        uint8_t buf[SMALL_REQUEST_MAX];
        struct tw_writer w = tw_writer_of(buf, sizeof(buf));

        tw_put_u64(&w, 1, reg->id);
        tw_put_u64(&w, 2, target_buffer);
        call_writer(p, TW_PRODUCER_REGISTER_TRACE_WRITER, &w);
        tw_endpoint_writer_registered(p, reg);
    }
}

static void send_commit(struct tw_producer *p, const struct tw_writer *w)
{
    call_writer(p, TW_PRODUCER_COMMIT_DATA, w);
    p->stats.commits++;
}

static bool send_moves(struct tw_producer *p)
{
    struct tw_move moves[TW_COMMIT_ENTRIES_MAX];
    uint8_t buf[TW_COMMIT_ENTRIES_MAX * TW_COMMIT_ENTRY_MAX];
    struct tw_writer w = tw_writer_of(buf, sizeof(buf));
    size_t n = tw_startup_take_moves(p, moves, TW_COMMIT_ENTRIES_MAX);

    if (n == 0)
        return false;
    tw_commits_put_moves(&w, moves, n, false);
    send_commit(p, &w);
    return true;
}

/* The same where no memory is shared: the chunks are free again as soon as they are queued. */
static bool send_chunks(struct tw_producer *p)
{
    struct tw_arbiter *a = p->arbiter;
    size_t chunk_size = tw_chunk_size(a->smb.page_size, (uint32_t)a->layout);
    struct tw_move moves[INLINE_CHUNKS_MAX];
    struct tw_writer w = tw_writer_of(p->frame, TW_INLINE_REQUEST_MAX);
    size_t max = TW_INLINE_REQUEST_MAX / (chunk_size + TW_COMMIT_ENTRY_MAX);
    size_t n = tw_startup_take_moves(p, moves, tw_min(max, INLINE_CHUNKS_MAX));

    REQ("TW-PROD-070");
    REQ("TW-LIM-206");
    if (n == 0)
        return false;
    tw_commits_put_moves(&w, moves, n, true);
    for (size_t i = 0; i < n; i++)
        TW_IGNORE(tw_smb_release_as_sent(&a->smb, &moves[i].chunk)); /* nobody else has it */
    send_commit(p, &w);
    return true;
}

static bool send_patches(struct tw_producer *p)
{
    struct tw_late_patch patches[TW_COMMIT_ENTRIES_MAX];
    uint8_t buf[TW_COMMIT_ENTRIES_MAX * TW_COMMIT_ENTRY_MAX];
    struct tw_writer w = tw_writer_of(buf, sizeof(buf));
    size_t n = tw_startup_take_patches(p, patches, TW_COMMIT_ENTRIES_MAX);

    if (n == 0)
        return false;
    tw_commits_put_patches(&w, patches, n);
    send_commit(p, &w);
    return true;
}

/* Moves and patches in turns, so that neither waits for writers that never pause. */
static void send_commits(struct tw_producer *p)
{
    bool any = true;

    while (any && has_room(p)) {
        any = p->inlined ? send_chunks(p) : send_moves(p);
        any = send_patches(p) || any;
    }
}

static void send_flush_done(struct tw_producer *p)
{
    uint8_t buf[SMALL_REQUEST_MAX];
    struct tw_writer w = tw_writer_of(buf, sizeof(buf)), chunk;

    while (p->flush_id && has_room(p) && tw_endpoint_scrape(p, &chunk))
        send_commit(p, &chunk);
    if (!p->flush_id || !has_room(p))
        return;
    tw_put_u64(&w, 3, p->flush_id);
    send_commit(p, &w);
    p->flush_id = 0;
}

static void send_gone_writers(struct tw_producer *p)
{
    struct tw_writer_reg *reg;

    while (has_room(p) && (reg = tw_startup_take_gone(p))) {
        send_number(p, TW_PRODUCER_UNREGISTER_TRACE_WRITER, reg->id);
        tw_endpoint_writer_gone(p, reg);
        tw_arbiter_free_writer(p->arbiter, reg);
    }
}

static void send_stopped(struct tw_producer *p)
{
    struct tw_instance *instance;

    while (has_room(p) && (instance = tw_arbiter_take_stopped(p->arbiter))) {
        if (!instance->waiting)
            send_number(p, TW_PRODUCER_NOTIFY_DATA_SOURCE_STOPPED, instance->id);
        tw_endpoint_forget_instance(p, instance);
        tw_instance_unref(instance);
    }
}

void tw_endpoint_send_written(struct tw_producer *p)
{
    if (!p->arbiter || !has_room(p))
        return;
    send_new_writers(p);
    send_commits(p);
}

void tw_endpoint_send_waiting(struct tw_producer *p)
{
    /* Also without room: when there is some, what waits must not seem to be on its way here. */
    if (p->arbiter)
        (void)tw_arbiter_wake(p->arbiter, true);
    if (!has_room(p))
        return;
    tw_endpoint_send_written(p);
    send_sources(p);
    send_flush_done(p);
    if (p->arbiter) {
        send_gone_writers(p);
        send_stopped(p);
    }
    if (has_room(p))
        tw_endpoint_send_syncs(p);
}
