/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/service/rig.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/macros.h"
#include "service/core.h"
#include "service/producer.h"
#include "service/session.h"

/* Bytes a test may make the rig keep. */
#define RIG_ARENA_MAX ((size_t)512 * 1024 * 1024)
/* Rounds of pumping that no exchange needs. */
enum { RIG_ROUNDS_MAX = 1000000 };

__attribute__((weak)) void rig_fail(const char *file, int line, const char *what)
{
    fprintf(stderr, "%s:%d: not so: %s\n", file, line, what);
    abort();
}

__attribute__((weak)) void rig_began(struct rig *rig)
{
    (void)rig;
}

__attribute__((weak)) void rig_ends(struct rig *rig)
{
    (void)rig;
}

static uint64_t rig_clock(clockid_t id, void *user)
{
    struct rig *rig = user;

    rig->now_ns += rig->look_ns;
    if (id == CLOCK_BOOTTIME)
        return rig->now_ns + rig->asleep_ns;
    return rig->now_ns + (id == CLOCK_REALTIME ? 86400 * TW_NS_PER_S : 0);
}

static uint64_t rig_random(void *user)
{
    return ((const struct rig *)user)->random;
}

static void on_refused(struct tw_peer peer, const char *what, void *user)
{
    struct rig *rig = user;

    (void)peer;
    rig->refused = what;
}

static void on_call_refused(struct tw_peer peer, const char *why, void *user)
{
    struct rig *rig = user;

    (void)peer;
    RIG_MUST(why && why[0]);
    rig->why = why;
    rig->n_whys++;
}

static void init(struct rig *rig, struct tw_service_options options)
{
    options.clock_ns = rig_clock;
    options.random = rig_random;
    options.refused = on_refused;
    options.call_refused = on_call_refused;
    options.user = rig;
    *rig = (struct rig){.now_ns = 1000 * TW_NS_PER_S, .uid = RIG_UID, .chunk_bytes = SIZE_MAX};
    rig->arena = TW_ARENA_INIT(RIG_ARENA_MAX);
    rig_began(rig);
    RIG_MUST(!tw_service_new(&rig->service, &options));
}

void rig_init(struct rig *rig)
{
    init(rig, (struct tw_service_options){0});
}

void rig_init_in(struct rig *rig, const char *output_dir)
{
    init(rig, (struct tw_service_options){.output_dir = output_dir});
}

void rig_init_limited(struct rig *rig, const uint64_t limits[TW_QUOTAS])
{
    struct tw_service_options options = {0};

    memcpy(options.limits, limits, sizeof(options.limits));
    init(rig, options);
}

/* Sessions may outlive their consumers; nothing else is left when all peers have gone. A service
 * that ends first takes its accounts along: what it forgot then is a leak. */
static void check_accounts(struct tw_service *service)
{
    struct tw_session *session;
    struct tw_producer *producer;

    while ((producer = TAILQ_FIRST(&service->producers)) && producer->left)
        tw_producer_free(producer);
    while ((session = TAILQ_FIRST(&service->sessions)))
        tw_session_free(session);
    RIG_MUST(!TAILQ_EMPTY(&service->conns) || tw_accounts_empty(&service->accounts));
}

void rig_free(struct rig *rig)
{
    rig_ends(rig);
    for (size_t i = 0; i < rig->n_peers; i++) {
        struct rig_peer *peer = &rig->peers[i];

        rig_disconnect(peer);
        tw_client_deinit(&peer->client);
        tw_fd_close(&peer->shm_fd);
        tw_shm_deinit(&peer->shm);
        free(peer->replies);
    }
    check_accounts(rig->service);
    tw_service_free(rig->service);
    tw_arena_deinit(&rig->arena);
}

static void on_wake(void *user)
{
    struct rig_peer *peer = user;

    peer->woken = true;
}

struct rig_peer *rig_connect_as(struct rig *rig, enum tw_service_port port, struct tw_peer who)
{
    struct rig_peer *peer = &rig->peers[rig->n_peers];
    const struct tw_port *of[] = {&tw_producer_port, &tw_consumer_port};

    RIG_MUST(rig->n_peers < RIG_PEERS_MAX);
    *peer = (struct rig_peer){.rig = rig, .cut_after = SIZE_MAX, .shm_fd = -1, .shm = TW_SHM_INIT};
    peer->who = who;
    rig->n_peers++;
    RIG_MUST(!tw_client_init(&peer->client, of[port]));
    RIG_MUST(!tw_service_connect(rig->service, port, peer->who, on_wake, peer, &peer->conn));
    return peer;
}

struct rig_peer *rig_connect_silent(struct rig *rig, enum tw_service_port port, int32_t uid)
{
    struct tw_peer who = {.uid = uid, .pid = RIG_FIRST_PID + (int32_t)rig->n_peers};

    return rig_connect_as(rig, port, who);
}

struct rig_peer *rig_connect(struct rig *rig, enum tw_service_port port)
{
    struct rig_peer *peer = rig_connect_silent(rig, port, rig->uid);

    RIG_MUST(!tw_client_bind(&peer->client));
    rig_pump(rig);
    return peer;
}

static int duplicate(int fd)
{
    int copy = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 3);

    RIG_MUST(fd < 0 || copy >= 0);
    return copy;
}

static void keep_reply(struct rig_peer *peer, const struct tw_client_event_out *event)
{
    struct rig_reply *reply;
    uint8_t *copy;

    if (peer->n_replies == peer->cap_replies) {
        peer->cap_replies = peer->cap_replies ? 2 * peer->cap_replies : 64;
        peer->replies = reallocarray(peer->replies, peer->cap_replies, sizeof(*peer->replies));
        RIG_MUST(peer->replies);
    }
    if (event->kind != TW_CLIENT_REFUSED && !event->success && !event->has_more)
        RIG_MUST(peer->rig->n_whys-- > 0); /* no refusal is silent */
    copy = tw_arena_alloc(&peer->rig->arena, event->reply.n + 1);
    RIG_MUST(copy);
    if (event->reply.n)
        memcpy(copy, event->reply.p, event->reply.n);
    reply = &peer->replies[peer->n_replies++];
    *reply = (struct rig_reply){
        .id = event->request_id,
        .refused = event->kind == TW_CLIENT_REFUSED,
        .success = event->success,
        .has_more = event->has_more,
        .body = {.p = copy, .n = event->reply.n},
    };
}

/* SetupTracing brings the memory as it would with a real socket. */
static void take_memory(struct rig_peer *peer)
{
    int fd = tw_rx_take_fd(&peer->client.rx);

    if (fd < 0)
        return;
    RIG_MUST(!peer->shm.p);
    RIG_MUST(!tw_shm_adopt(&peer->shm, &fd, TW_SHM_SEALS_SHRINK));
}

static void take_events(struct rig_peer *peer)
{
    struct tw_client_event_out event;

    while (!tw_client_next(&peer->client, &event)) {
        take_memory(peer);
        if (event.kind == TW_CLIENT_REPLY || event.kind == TW_CLIENT_REFUSED)
            keep_reply(peer, &event);
    }
}

void rig_disconnect(struct rig_peer *peer)
{
    struct tw_service_conn *conn = peer->conn;

    if (!conn)
        return;
    peer->conn = NULL;
    tw_service_disconnect(conn);
    tw_client_end(&peer->client, "gone");
    take_events(peer);
}

/* From the client to the service. True when something moved. */
static bool carry_up(struct rig_peer *peer)
{
    struct tw_bytes bytes;
    uint8_t *to;
    size_t room;
    int fd;

    if (tw_tx_peek(&peer->client.tx, &bytes, &fd))
        return false;
    if (peer->cut_after == 0) {
        rig_disconnect(peer);
        return true;
    }
    tw_service_space(peer->conn, &to, &room);
    if (!to) { /* no memory to receive with */
        rig_disconnect(peer);
        return true;
    }
    bytes.n = tw_min(tw_min(bytes.n, room), tw_min(peer->rig->chunk_bytes, peer->cut_after));
    memcpy(to, bytes.p, bytes.n);
    fd = duplicate(fd);
    tw_service_received(peer->conn, bytes.n, &fd, fd >= 0);
    tw_tx_sent(&peer->client.tx, bytes.n);
    if (peer->cut_after != SIZE_MAX)
        peer->cut_after -= bytes.n;
    return true;
}

/* From the service to the client. True when something moved. */
static bool carry_down(struct rig_peer *peer)
{
    struct tw_bytes bytes;
    uint8_t *to;
    size_t room;
    int fd;

    if (peer->deaf || tw_service_peek(peer->conn, &bytes, &fd))
        return false;
    tw_rx_space(&peer->client.rx, &to, &room);
    RIG_MUST(to);
    bytes.n = tw_min(tw_min(bytes.n, room), peer->rig->chunk_bytes);
    memcpy(to, bytes.p, bytes.n);
    fd = duplicate(fd);
    tw_rx_filled(&peer->client.rx, bytes.n, &fd, fd >= 0);
    tw_service_sent(peer->conn, bytes.n);
    take_events(peer);
    return true;
}

static bool pump_peer(struct rig_peer *peer)
{
    bool moved = false;
    int rc;

    peer->woken = false;
    if (!peer->conn)
        return false;
    rc = tw_service_run(peer->conn);
    if (rc && rc != TW_MORE) {
        peer->why = tw_service_why(peer->conn);
        while (carry_down(peer)) {
        }
        rig_disconnect(peer);
        return true;
    }
    while (carry_down(peer))
        moved = true;
    if (!rc) /* all that was received is done */
        moved |= carry_up(peer);
    return moved || (rc == TW_MORE && !peer->deaf);
}

static void carry(struct rig *rig)
{
    bool moved = true;

    for (int round = 0; moved; round++) {
        RIG_MUST(round < RIG_ROUNDS_MAX);
        moved = false;
        for (size_t i = 0; i < rig->n_peers; i++)
            moved |= pump_peer(&rig->peers[i]);
        for (size_t i = 0; i < rig->n_peers; i++)
            moved |= rig->peers[i].woken;
    }
}

bool rig_scrape(struct rig *rig)
{
    uint64_t due = rig->service->scrape_turn.due_ns;

    if (TAILQ_EMPTY(&rig->service->scrapes))
        return false;
    rig->now_ns = due > rig->now_ns ? due : rig->now_ns;
    tw_service_tick(rig->service);
    carry(rig);
    return true;
}

void rig_pump(struct rig *rig)
{
    carry(rig);
    while (!rig->slow_scrapes && rig_scrape(rig)) {
    }
}

void rig_advance(struct rig *rig, uint64_t ms)
{
    uint64_t until = rig->now_ns + ms * TW_NS_PER_MS;

    rig_pump(rig);
    do {
        uint64_t due = tw_service_next_tick_ns(rig->service);

        if (due > rig->now_ns)
            rig->now_ns = due < until ? due : until;
        tw_service_tick(rig->service);
        rig_pump(rig);
    } while (rig->now_ns < until);
}

uint64_t rig_send_raw(struct rig_peer *peer, uint32_t method, struct tw_bytes args, bool drop_reply,
                      int fd)
{
    uint64_t id = 0;
    int rc = tw_client_call(&peer->client, method, args, drop_reply, fd, NULL, &id);

    RIG_MUST(!rc || rc == TW_E_CLOSED || rc == TW_E_INVALID);
    if (rc)
        tw_fd_close(&fd);
    return id;
}

uint64_t rig_send(struct rig_peer *peer, uint32_t method, const ProtobufCMessage *req)
{
    struct tw_buf buf = TW_BUF_INIT(TW_FRAME_PAYLOAD_MAX);
    uint64_t id;

    if (req)
        RIG_MUST(!tw_pbc_pack(req, &buf));
    id = rig_send_raw(peer, method, tw_buf_bytes(&buf), false, -1);
    tw_buf_deinit(&buf);
    return id;
}

const struct rig_reply *rig_last(const struct rig_peer *peer, uint64_t id)
{
    for (size_t i = peer->n_replies; i-- > 0;)
        if (peer->replies[i].id == id)
            return &peer->replies[i];
    return NULL;
}

size_t rig_count(const struct rig_peer *peer, uint64_t id)
{
    size_t n = 0;

    for (size_t i = 0; i < peer->n_replies; i++)
        n += peer->replies[i].id == id;
    return n;
}

const struct rig_reply *rig_call(struct rig_peer *peer, uint32_t method,
                                 const ProtobufCMessage *req)
{
    uint64_t id = rig_send(peer, method, req);

    rig_pump(peer->rig);
    return rig_last(peer, id);
}

void *rig_decode(struct rig_peer *peer, const struct rig_reply *reply,
                 const ProtobufCMessageDescriptor *d)
{
    ProtobufCMessage *msg;

    if (!reply || !reply->success)
        return NULL;
    RIG_MUST(!tw_pbc_unpack(d, &peer->rig->arena, reply->body, &msg));
    return msg;
}
