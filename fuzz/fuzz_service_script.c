/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The whole service without its sockets, several of our clients, and a script (fuzz/script.h) of
 * what they call, of how bytes travel, of foreign bytes, of descriptors of every kind and what
 * their other ends do, of what is in shared memory, of time that passes and of memory that runs
 * out. The service keeps to the protocol towards each client whatever others do, and serves the
 * next one that comes.
 */
#include <errno.h>
#include <signal.h>

#include "base/clock.h"
#include "base/req.h"
#include "frame/client_session.h"
#include "fuzz/faults.h"
#include "fuzz/kinds.h"
#include "fuzz/runs.h"
#include "fuzz/script.h"
#include "smb/shm.h"
#include "tracewire/service.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
/* Files that a consumer names come to be in memory: the service's own function is wrapped. */
int __wrap_tw_output_create(int dir_fd, const char *dir, const char *path, int *ret_fd);
int __real_tw_output_create(int dir_fd, const char *dir, const char *path, int *ret_fd);

enum { OWN_MEMORY = 64 * 1024 /* bytes */ };
/* Bytes that a peer reads while the service works on what it was sent: less than it answers. */
enum { SLOW_READ = 256 };
enum { PEERS = 8, STEPS_MAX = 256, CALLS_MAX = 64, RUNS_MAX = 100000, RUNS_AT_ONCE = 3 };
/* Of the high half of the argument. A remote one says who it is, and may be a relay; with the bit
 * of the other user it came where that is not to be said. A consumer with the bit of a relay is
 * root's.
 */
enum { OPEN_CONSUMER = 1, OPEN_OTHER_USER = 2, OPEN_REMOTE = 4, OPEN_RELAY = 8 };
enum { OPEN_NEW_USER = 16 }; /* no script's: nobody's limits are his */
enum { CALL_DROP = 1, CALL_FD = 2, CALL_KIND_SHIFT = 2 };
/* How the service is made: users may have little, it makes no files, it is told no more than what
 * it needs. */
enum { SERVICE_SMALL = 1, SERVICE_NOWHERE = 2, SERVICE_BARE = 4, PATIENCE_MS = 5000 };

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
    struct tw_shm shm; /* what it shares with the service, whoever made it */
};

static struct run {
    struct tw_service *service;
    struct peer peers[PEERS];
    struct kinds kinds;
    uint64_t now_ns, asleep_ns, random;
    bool small; /* a user may have little */
} run;

static uint64_t now(clockid_t id, void *user)
{
    (void)user;
    if (id == CLOCK_BOOTTIME)
        return run.now_ns + run.asleep_ns;
    return run.now_ns + (id == CLOCK_REALTIME ? 86400 * TW_NS_PER_S : 0);
}

static uint64_t next_random(void *user)
{
    (void)user;
    return run.random += UINT64_C(0x9e3779b97f4a7c15);
}

static void refused(struct tw_peer who, const char *what, void *user)
{
    (void)who;
    (void)user;
    CHECK(what[0]);
}

int __wrap_tw_output_create(int dir_fd, const char *dir, const char *path, int *ret_fd)
{
    CHECK(dir_fd >= 0 && dir[0]);
    REQ("TW-TRACE-014");
    CHECK(__real_tw_output_create(STDERR_FILENO, dir, path, ret_fd) < 0); /* that is no directory */
    if (!path[0])
        return -ENOENT;
    *ret_fd = kind_open(&run.kinds, KIND_FILE);
    return *ret_fd < 0 ? -EMFILE : 0;
}

static void wake(void *user)
{
    (void)user; /* everybody is looked after in every round */
}

/* As with a real socket, it comes with the command that speaks of it. */
static void take_memory(struct peer *p)
{
    int fd = tw_rx_take_fd(&p->client.rx);

    if (fd < 0)
        return;
    if (p->shm.p)
        tw_fd_close(&fd);
    else
        CHECK(!tw_shm_adopt(&p->shm, &fd, TW_SHM_SEALS_SHRINK) || faults_fired());
}

static void take_event(struct peer *p, const struct tw_client_event_out *event)
{
    struct call *call = event->user;

    take_memory(p);
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
    struct iovec runs[RUNS_AT_ONCE];
    size_t room, n;
    uint8_t *to;
    int fd;

    if (!p->conn || p->over || tw_service_peekv(p->conn, runs, RUNS_AT_ONCE, &n, &fd))
        return false;
    tw_rx_space(&p->client.rx, &to, &room);
    CHECK(to || faults_fired());
    if (!to)
        return false;
    n = runs_copy(to, tw_min(room, max), runs, n);
    fd = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 3);
    tw_rx_filled(&p->client.rx, n, &fd, fd >= 0);
    tw_service_sent(p->conn, n);
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
            if (!carry_down(p, SLOW_READ))
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
    fd = kind_copy(&run.kinds, fd);
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
        moved = tw_service_next_tick_ns(run.service) <= run.now_ns;
        if (moved)
            tw_service_tick(run.service);
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

/* Memory is the producer's own from then on, if it has none yet. */
static int new_fd(struct peer *p, enum kind kind)
{
    if (kind != KIND_MEMORY)
        return kind_open(&run.kinds, kind);
    if (!p->shm.p && tw_shm_create(&p->shm, OWN_MEMORY))
        return -1;
    return kind_copy(&run.kinds, p->shm.fd);
}

/* As a relay does, before anything else. The last peer has a machine of its own. */
static int say_who(struct peer *p)
{
    bool elsewhere = p == &run.peers[PEERS - 1];
    struct tw_frame frame = {.kind = TW_FRAME_PEER_IDENTITY};

    frame.peer_identity.machine_id_hint = (struct tw_bytes){(const uint8_t *)"mn" + elsewhere, 1};
    return tw_tx_frame(&p->client.tx, &frame, -1);
}

static int32_t user_of(uint8_t how)
{
    if (how & OPEN_NEW_USER)
        return 1002;
    if (how & OPEN_REMOTE)
        return -1; /* until it says so */
    if (how & OPEN_CONSUMER && how & OPEN_RELAY)
        return 0;
    return how & OPEN_OTHER_USER ? 1001 : 1000;
}

static void open_peer(struct peer *p, uint8_t how)
{
    bool consumer = how & OPEN_CONSUMER;
    struct tw_peer who = {.pid = 1000 + (int32_t)(p - run.peers),
                          .uid = user_of(how),
                          .remote = how & OPEN_REMOTE,
                          .relay = !(how & OPEN_OTHER_USER),
                          .address_id = 77};
    const struct tw_port *port = how & OPEN_RELAY ? &tw_relay_port : &tw_producer_port;
    int rc;

    *p = (struct peer){.shm = TW_SHM_INIT};
    rc = tw_client_init(&p->client, consumer ? &tw_consumer_port : port);
    if (!rc && who.remote && who.relay)
        rc = say_who(p);
    if (!rc)
        rc = tw_service_connect(run.service, consumer ? TW_SERVICE_CONSUMER : TW_SERVICE_PRODUCER,
                                who, wake, p, &p->conn);
    CHECK(!rc || faults_fired() || (run.small && rc == TW_E_LIMIT));
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
    tw_shm_deinit(&p->shm);
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
        fd = new_fd(p, (enum kind)(how >> CALL_KIND_SHIFT) % KIND_MAX);
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
    for (; n < (n_fds & 3) && (fds[n] = kind_open(&run.kinds, KIND_NULL)) >= 0; n++) {
    }
    p->foreign = true;
    receive(p, bytes, fds, n);
}

/* Hostile memory: whatever the script says, wherever it says so. */
static void write_memory(struct peer *p, struct tw_bytes bytes)
{
    size_t at = (size_t)script_u16(&bytes) * 4;

    if (p->shm.p && at < p->shm.size)
        for (size_t i = 0; i < tw_min(bytes.n, p->shm.size - at); i++)
            ((volatile uint8_t *)p->shm.p)[at + i] = bytes.p[i];
}

/* Up to 25 s, which is longer than the service waits for anybody, and the seconds that the body
 * says; then the machine may have been asleep. */
static void pass_time(uint8_t units, struct tw_bytes body)
{
    uint64_t until = run.now_ns + units * 100 * TW_NS_PER_MS + script_u16(&body) * TW_NS_PER_S;

    run.asleep_ns += input_byte(&body) * TW_NS_PER_S;
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
    OP_MEMORY,
    OP_FAR,
    OP_SERVICE,
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
    case OP_MEMORY:
        write_memory(p, body);
        return;
    default:
        return; /* the others are nobody's */
    }
}

static void close_all(void)
{
    for (size_t i = 0; i < PEERS; i++)
        if (run.peers[i].used)
            close_peer(&run.peers[i]);
}

/* The nth allocation from now, or call of another function. */
static void arm_fault(uint8_t nth, struct tw_bytes body)
{
    static const enum fault calls[] = {
        FAULT_writev,     FAULT_sendmsg,      FAULT_fstatfs,   FAULT_fdatasync, FAULT_fstat,
        FAULT_getsockopt, FAULT_fcntl,        FAULT_getrandom, FAULT_uname,     FAULT_mmap,
        FAULT_open,       FAULT_memfd_create, FAULT_ftruncate,
    };
    struct fault_plan plan = {.nth = nth % 64U};
    uint8_t error;

    if (body.n < 2) {
        faults_arm(plan.nth + 64U * input_byte(&body));
        return;
    }
    plan.what = calls[input_byte(&body) % TW_ARRAY_LEN(calls)];
    error = input_byte(&body) % FAULT_ERRORS_MAX;
    plan.error = fault_rows[plan.what].errors[error];
    plan.cut = 1;
    faults_plan(&plan);
}

/* A service instead of the one that there is; sessions that nobody is attached to end with it. What
 * the body says fails while it is made, and then it is made once more. */
static void new_service(uint8_t how, struct tw_bytes body)
{
    struct tw_service_options options = {.clock_ns = now,
                                         .random = next_random,
                                         .refused = refused,
                                         .output_dir = how & SERVICE_NOWHERE ? NULL : "/dev",
                                         .version = "fuzz"};
    static const uint64_t small[TW_QUOTAS] = {
        [TW_QUOTA_CONNECTIONS] = 5,    [TW_QUOTA_SESSIONS] = 2,  [TW_QUOTA_SHM] = 100 * 1024,
        [TW_QUOTA_OUTPUT] = 64 * 1024, [TW_QUOTA_REQUESTS] = 12, [TW_QUOTA_DESCRIPTORS] = 10,
        [TW_QUOTA_MEMORY] = 1024,
    };

    (void)faults_disarm();
    close_all();
    tw_service_free(run.service);
    run.small = how & SERVICE_SMALL;
    if (run.small) {
        memcpy(options.limits, small, sizeof(small));
        options.patience_ms = PATIENCE_MS;
    }
    if (how & SERVICE_BARE) {
        options.random = NULL;
        options.refused = NULL;
    }
    if (body.n > 0) {
        uint8_t nth = input_byte(&body);

        arm_fault(nth, body);
    }
    if (tw_service_new(&run.service, &options)) {
        CHECK(faults_disarm());
        CHECK(!tw_service_new(&run.service, &options));
    }
    (void)faults_disarm();
}

static void step_of_nobody(struct script_op op)
{
    switch (op.what % OP_MAX) {
    case OP_SETTLE:
        settle();
        break;
    case OP_TIME:
        pass_time(op.arg, op.body);
        break;
    case OP_FAULT:
        arm_fault(op.arg, op.body);
        break;
    case OP_FAR:
        kinds_far(&run.kinds, op.arg & 1);
        break;
    case OP_SERVICE:
        new_service(op.arg, op.body);
        break;
    default:
        break;
    }
}

static void step(struct script_op op)
{
    enum what what = (enum what)(op.what % OP_MAX);
    struct peer *p = &run.peers[op.arg % PEERS];

    step_of_nobody(op);
    if (p->used != (what == OP_OPEN))
        step_of_peer(p, what, op.arg >> 4, op.body);
}

/* Whatever happened, the next client is served. */
static void check_serves(void)
{
    struct peer *p = &run.peers[0];

    if (p->used)
        close_peer(p);
    open_peer(p, OPEN_CONSUMER | OPEN_NEW_USER);
    CHECK(p->used && !tw_client_bind(&p->client));
    settle();
    REQ("TW-SESS-001");
    CHECK(p->client.state == TW_CLIENT_STATE_BOUND);
    client_call(p, (struct tw_bytes){(const uint8_t[]){TW_CONSUMER_QUERY_CAPABILITIES, 0}, 2});
    settle();
    CHECK(p->n_good == 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tw_bytes input = {data, size};
    struct script_op op;
    int free_before;

    (void)signal(SIGPIPE, SIG_IGN); /* of a pipe that a trace goes into */
    free_before = input_lowest_free_fd();
    run = (struct run){.now_ns = 1000 * TW_NS_PER_S};
    new_service(0, (struct tw_bytes){0});
    for (int i = 0; i < STEPS_MAX && script_next(&input, &op); i++)
        step(op);
    (void)faults_disarm();
    settle();
    check_serves();
    close_all();
    tw_service_free(run.service);
    tw_service_disconnect(NULL);
    kinds_far(&run.kinds, true);
    REQ("TW-FD-004");
    input_check_closed(&run.kinds.fds);
    CHECK(input_lowest_free_fd() == free_before);
    return 0;
}
