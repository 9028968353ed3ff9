/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The whole service without its sockets, several of our clients, and a script (fuzz/script.h) of
 * what they call, of how bytes travel, of foreign bytes and descriptors, of time that passes and of
 * memory that runs out. The service keeps to the protocol towards each client whatever others do,
 * and serves the next one that comes.
 */
#include <errno.h>

#include "base/clock.h"
#include "base/req.h"
#include "frame/client_session.h"
#include "fuzz/faults.h"
#include "fuzz/script.h"
#include "fuzz/tags.h"
#include "tracewire/service.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { PEERS = 4, STEPS_MAX = 128, CALLS_MAX = 64, RUNS_MAX = 100000 };
/* Of the high half of the argument. A remote one may say who it is, and be a relay. */
enum { OPEN_CONSUMER = 1, OPEN_OTHER_USER = 2, OPEN_REMOTE = 4, OPEN_RELAY = 8 };
enum { CALL_DROP = 1, CALL_FD = 2 };

struct call {
    uint64_t id;
    bool open; /* its last event has not come */
};

struct peer {
    bool used, foreign;           /* foreign: bytes went up that the client has not sent */
    bool over;                    /* TW_E_CLOSED has come out of the client */
    struct tw_service_conn *conn; /* NULL once the service has ended it */
    struct tw_client client;
    struct call calls[CALLS_MAX];
    size_t n_calls, n_good;
};

static struct run {
    struct tw_service *service;
    struct peer peers[PEERS];
    struct input_fds fds;
    uint32_t tag;
    uint64_t now_ns;
} run;

static uint64_t now(clockid_t id, void *user)
{
    (void)user;
    return run.now_ns + (id == CLOCK_REALTIME ? 86400 * TW_NS_PER_S : 0);
}

static void wake(void *user)
{
    (void)user; /* everybody is looked after in every round */
}

static void take_event(struct peer *p, const struct tw_client_event_out *event)
{
    struct call *call = event->user;

    REQ("TW-SESS-026");
    CHECK(!p->over);
    if (event->kind == TW_CLIENT_BOUND || event->kind == TW_CLIENT_BIND_FAILED)
        return;
    REQ("TW-SESS-004");
    CHECK(call && call->open && call->id == event->request_id);
    call->open = event->kind == TW_CLIENT_REPLY && event->has_more;
    p->n_good += event->kind == TW_CLIENT_REPLY && event->success;
    input_touch(event->reply);
}

static void client_work(struct peer *p)
{
    struct tw_client_event_out event;
    int rc;

    while (!(rc = tw_client_next(&p->client, &event)) || rc == TW_AGAIN)
        if (!rc)
            take_event(p, &event);
    CHECK(rc == TW_MORE || rc == TW_E_CLOSED);
    p->over = rc == TW_E_CLOSED;
    /* Nothing the service says breaks a rule, unless the client does not know what it asked. */
    CHECK(!p->over || p->foreign || !p->conn);
}

static void hang_up(struct peer *p)
{
    struct tw_service_conn *conn = p->conn;

    p->conn = NULL;
    tw_service_disconnect(conn);
    if (p->over)
        return;
    tw_client_end(&p->client, "gone");
    client_work(p);
    CHECK(p->over);
}

/* One send of the service, at most max bytes. */
static bool carry_down(struct peer *p, size_t max)
{
    struct tw_bytes bytes;
    size_t room;
    uint8_t *to;
    int fd;

    if (!p->conn || p->over || tw_service_peek(p->conn, &bytes, &fd))
        return false;
    tw_rx_space(&p->client.rx, &to, &room);
    CHECK(to || faults_fired());
    if (!to)
        return false;
    bytes.n = tw_min(tw_min(bytes.n, room), max);
    memcpy(to, bytes.p, bytes.n);
    fd = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 3);
    tw_rx_filled(&p->client.rx, bytes.n, &fd, fd >= 0);
    tw_service_sent(p->conn, bytes.n);
    client_work(p);
    return true;
}

/* false when there is nothing left to do for now. */
static bool service_work(struct peer *p)
{
    int rc;

    if (!p->conn)
        return false;
    rc = tw_service_run(p->conn);
    CHECK(rc >= 0 || faults_fired());
    CHECK(rc <= 0 || rc == TW_MORE || rc == TW_E_CLOSED);
    if (rc == 0)
        return false;
    if (rc == TW_MORE)
        return true;
    CHECK(rc < 0 || tw_service_why(p->conn));
    while (carry_down(p, SIZE_MAX)) {
    }
    hang_up(p);
    return false;
}

static void receive(struct peer *p, struct tw_bytes bytes, int *fds, size_t n_fds)
{
    size_t n = 0;

    for (int i = 0; p->conn && n < bytes.n && i < RUNS_MAX; i++) {
        size_t room;
        uint8_t *to;

        if (service_work(p)) { /* it works on what it has before it takes more */
            if (!carry_down(p, SIZE_MAX))
                break;
            continue;
        }
        if (!p->conn)
            break;
        tw_service_space(p->conn, &to, &room);
        CHECK(to || faults_fired());
        if (!to) { /* no memory to receive with */
            hang_up(p);
            break;
        }
        room = tw_min(room, bytes.n - n);
        memcpy(to, bytes.p + n, room);
        n += room;
        tw_service_received(p->conn, room, fds, n_fds);
        n_fds = 0;
    }
    for (size_t i = 0; i < n_fds; i++) /* it never came to that */
        tw_fd_close(&fds[i]);
    (void)service_work(p);
}

static bool carry_up(struct peer *p, size_t max)
{
    struct tw_bytes bytes;
    uint8_t copy[1024];
    int fd;

    if (!p->conn || tw_tx_peek(&p->client.tx, &bytes, &fd))
        return false;
    bytes.n = tw_min(tw_min(bytes.n, sizeof(copy)), max);
    memcpy(copy, bytes.p, bytes.n);
    bytes.p = copy;
    fd = tag_pass(&run.fds, fd);
    tw_tx_sent(&p->client.tx, bytes.n);
    receive(p, bytes, &fd, fd >= 0);
    return true;
}

/* Until nothing moves any more. */
static void settle(void)
{
    bool moved = true;

    for (int i = 0; moved; i++) {
        CHECK(i < RUNS_MAX);
        moved = false;
        for (size_t k = 0; k < PEERS; k++) {
            struct peer *p = &run.peers[k];

            if (!p->used)
                continue;
            moved |= service_work(p);
            moved |= carry_down(p, SIZE_MAX);
            moved |= carry_up(p, SIZE_MAX);
        }
    }
}

static int new_fd(void)
{
    run.tag = run.tag % (TAGS_MAX - 1) + 1;
    return tag_open(&run.fds, run.tag);
}

/* As a relay does, before anything else. */
static int say_who(struct tw_client *client)
{
    struct tw_frame frame = {.kind = TW_FRAME_PEER_IDENTITY};

    frame.peer_identity.machine_id_hint = (struct tw_bytes){(const uint8_t *)"m", 1};
    return tw_tx_frame(&client->tx, &frame, -1);
}

static void open_peer(struct peer *p, uint8_t how)
{
    bool consumer = how & OPEN_CONSUMER;
    struct tw_peer who = {.pid = 1000 + (int32_t)(p - run.peers),
                          .uid = how & OPEN_OTHER_USER ? 1001 : 1000,
                          .remote = how & OPEN_REMOTE,
                          .relay = true,
                          .address_id = 77};
    const struct tw_port *port = how & OPEN_RELAY ? &tw_relay_port : &tw_producer_port;
    int rc;

    *p = (struct peer){0};
    rc = tw_client_init(&p->client, consumer ? &tw_consumer_port : port);
    if (!rc && who.remote)
        rc = say_who(&p->client);
    if (!rc)
        rc = tw_service_connect(run.service, consumer ? TW_SERVICE_CONSUMER : TW_SERVICE_PRODUCER,
                                who, wake, p, &p->conn);
    CHECK(!rc || faults_fired());
    p->used = !rc;
    if (rc)
        tw_client_deinit(&p->client);
}

static void close_peer(struct peer *p)
{
    if (p->conn)
        hang_up(p);
    REQ("TW-SESS-026");
    for (size_t i = 0; i < p->n_calls; i++)
        CHECK(!p->calls[i].open);
    tw_client_deinit(&p->client);
    p->used = false;
}

static void client_call(struct peer *p, struct tw_bytes body)
{
    uint8_t method = input_byte(&body) & 0x1f, how = input_byte(&body);
    struct call *call = &p->calls[p->n_calls];
    int fd = -1, rc;

    if (p->n_calls == CALLS_MAX)
        return;
    if (how & CALL_FD)
        fd = new_fd();
    rc = tw_client_call(&p->client, method, body, how & CALL_DROP, fd, call, &call->id);
    if (rc) {
        tw_fd_close(&fd);
        CHECK(rc > 0 || faults_fired());
        return;
    }
    call->open = !(how & CALL_DROP);
    p->n_calls++;
}

static void foreign(struct peer *p, struct tw_bytes bytes, uint8_t n_fds)
{
    int fds[3];
    size_t n = 0;

    if (!p->conn || bytes.n == 0)
        return;
    for (; n < (n_fds & 3) && (fds[n] = new_fd()) >= 0; n++) {
    }
    p->foreign = true;
    receive(p, bytes, fds, n);
}

/* Up to 25 s, which is longer than the service waits for anybody. */
static void pass_time(uint8_t units)
{
    uint64_t until = run.now_ns + units * 100 * TW_NS_PER_MS;

    for (int i = 0; i < 1000 && run.now_ns < until; i++) {
        uint64_t due = tw_service_next_tick_ns(run.service);

        if (due > run.now_ns)
            run.now_ns = due < until ? due : until;
        tw_service_tick(run.service);
    }
    run.now_ns = until > run.now_ns ? until : run.now_ns;
}

enum what {
    OP_OPEN,
    OP_BIND,
    OP_CALL,
    OP_FOREIGN,
    OP_UP,
    OP_DOWN,
    OP_SETTLE,
    OP_CLOSE,
    OP_TIME,
    OP_FAULT,
    OP_MAX,
};

static void step_of_peer(struct peer *p, enum what what, uint8_t more, struct tw_bytes body)
{
    size_t n;

    switch (what) {
    case OP_OPEN:
        open_peer(p, more);
        return;
    case OP_BIND:
        CHECK(tw_client_bind(&p->client) >= 0 || faults_fired());
        return;
    case OP_CALL:
        client_call(p, body);
        return;
    case OP_FOREIGN:
        foreign(p, body, more);
        return;
    case OP_UP:
    case OP_DOWN:
        n = script_u16(&body);
        n = n ? n : SIZE_MAX;
        (void)(what == OP_UP ? carry_up(p, n) : carry_down(p, n));
        return;
    case OP_CLOSE:
        close_peer(p);
        return;
    case OP_SETTLE:
    case OP_TIME:
    case OP_FAULT:
    case OP_MAX:
        return;
    }
}

static void step(struct script_op op)
{
    enum what what = (enum what)(op.what % OP_MAX);
    struct peer *p = &run.peers[op.arg % PEERS];

    if (what == OP_SETTLE)
        settle();
    else if (what == OP_TIME)
        pass_time(op.arg);
    else if (what == OP_FAULT)
        faults_arm(op.arg % 64U);
    else if (p->used != (what == OP_OPEN))
        step_of_peer(p, what, op.arg >> 4, op.body);
}

/* Whatever happened, the next client is served. */
static void check_serves(void)
{
    struct peer *p = &run.peers[0];

    if (p->used)
        close_peer(p);
    open_peer(p, OPEN_CONSUMER);
    CHECK(p->used && !tw_client_bind(&p->client));
    settle();
    REQ("TW-SESS-001");
    CHECK(p->client.state == TW_CLIENT_STATE_BOUND);
    client_call(p, (struct tw_bytes){(const uint8_t[]){TW_CONSUMER_QUERY_CAPABILITIES, 0}, 2});
    settle();
    CHECK(p->n_good == 1);
}

static int lowest_free_descriptor(void)
{
    int fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0);

    close(fd);
    return fd;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tw_service_options options = {.clock_ns = now, .version = "fuzz"};
    struct tw_bytes input = {data, size};
    struct script_op op;
    int free_before;

    TW_IGNORE(tag_memfd(1)); /* makes them all */
    free_before = lowest_free_descriptor();
    run = (struct run){.now_ns = 1000 * TW_NS_PER_S};
    CHECK(!tw_service_new(&run.service, &options));
    for (int i = 0; i < STEPS_MAX && script_next(&input, &op); i++)
        step(op);
    (void)faults_disarm();
    settle();
    check_serves();
    for (size_t i = 0; i < PEERS; i++)
        if (run.peers[i].used)
            close_peer(&run.peers[i]);
    tw_service_free(run.service);
    REQ("TW-FD-004");
    input_check_closed(&run.fds);
    CHECK(lowest_free_descriptor() == free_before);
    return 0;
}
