/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Our host and our client at the two ends of a few connections, and a script (fuzz/script.h) of
 * what each of them does, of how the bytes between them travel, and of what goes wrong: bytes and
 * descriptors that neither has sent, an end at any point, memory that runs out.
 *
 * A model keeps beside each connection what was called and answered. As long as nothing foreign has
 * been put into it, each end must see exactly what the other one did, and nobody may close.
 */
#include <errno.h>

#include "base/req.h"
#include "frame/client_session.h"
#include "frame/host_session.h"
#include "fuzz/faults.h"
#include "fuzz/script.h"
#include "fuzz/tags.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { CONNS = 3, STEPS_MAX = 256, CALLS_MAX = 128, REPLIES_MAX = 256 };
enum { OPEN_CONSUMER = 1, OPEN_WRONG_PORT = 2 }; /* of the high half of the argument */
enum { CALL_DROP = 1, CALL_FD = 2 };
enum { ANSWER_MORE = 1, ANSWER_REFUSE = 2, ANSWER_FD = 4 };

struct call {
    uint64_t id;
    uint32_t method, tag;
    struct tw_bytes args; /* in the input */
    bool drop_reply;
    bool open; /* the client's: its last event has not come */
};

struct answer {
    uint64_t id;
    uint32_t tag;
    struct tw_bytes body; /* in the input */
    bool success, more;
};

struct conn {
    bool used;
    struct tw_host host;
    struct tw_client client;
    bool foreign_up, foreign_down; /* bytes that the other end has not sent */
    bool foreign_fds;
    bool short_of_memory;
    bool ended_host, ended_client; /* by the script */
    bool over_client;              /* TW_E_CLOSED has come out of it */
    bool wrong_port;
    struct call calls[CALLS_MAX];
    size_t n_calls, n_dispatched;
    struct answer answers[REPLIES_MAX];
    size_t n_answers, n_seen;
    uint64_t asked[TW_REQUESTS_MAX]; /* requests the host has been told of and not answered */
    size_t n_asked;
};

static struct run {
    struct conn conns[CONNS];
    struct input_fds fds;
    uint32_t tag; /* the last one used */
} run;

static bool same(struct tw_bytes a, struct tw_bytes b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

static int new_fd(void)
{
    run.tag = run.tag % (TAGS_MAX - 1) + 1;
    return tag_open(&run.fds, run.tag);
}

/* Only an allocation that failed may give ENOMEM, and whoever meets it gives up the connection. */
static bool is_memory(struct conn *c, int rc)
{
    if (rc != -ENOMEM)
        return false;
    CHECK(faults_fired());
    c->short_of_memory = true;
    return true;
}

static bool clean_up(const struct conn *c)
{
    return !c->foreign_up && !c->short_of_memory;
}

static bool clean(const struct conn *c)
{
    return clean_up(c) && !c->foreign_down;
}

/* The host's end. */

static uint32_t take_tag(struct tw_rx *rx)
{
    int fd = tw_rx_take_fd(rx);
    uint32_t tag = tag_of(fd);

    tw_fd_close(&fd);
    return tag;
}

static void host_call(struct conn *c, const struct tw_host_call *call)
{
    REQ("TW-SESS-003");
    CHECK(!c->ended_host && c->host.state == TW_HOST_STATE_BOUND);
    CHECK(call->method >= 1 && call->method <= c->host.port->n_methods);
    input_touch(call->args);
    if (clean_up(c)) {
        struct call *of = &c->calls[c->n_dispatched];
        uint32_t tag = take_tag(&c->host.rx);

        REQ("TW-SESS-004"); /* in the order of arrival */
        CHECK(c->n_dispatched < c->n_calls && of->id == call->request_id);
        CHECK(of->method == call->method && of->drop_reply == call->drop_reply);
        CHECK(same(of->args, call->args));
        REQ("TW-FD-001");
        CHECK(c->foreign_fds || of->tag == tag);
        c->n_dispatched++;
    }
    if (call->drop_reply)
        return;
    REQ("TW-SESS-006");
    CHECK(c->n_asked < TW_REQUESTS_MAX);
    for (size_t i = 0; i < c->n_asked; i++) {
        REQ("TW-SESS-005");
        CHECK(c->asked[i] != call->request_id);
    }
    c->asked[c->n_asked++] = call->request_id;
}

static bool is_unread(const char *why)
{
    return strncmp(why, "TW-LIM-004", 10) == 0;
}

static void host_work(struct conn *c)
{
    struct tw_host_call call;
    bool may_close;
    int rc;

    while (!(rc = tw_host_next(&c->host, &call)) || rc == TW_AGAIN)
        if (!rc)
            host_call(c, &call);
    if (is_memory(c, rc)) {
        tw_host_end(&c->host, "memory");
        return;
    }
    CHECK(rc == TW_MORE || rc == TW_E_CLOSED);
    CHECK((rc == TW_E_CLOSED) == (c->host.state == TW_HOST_STATE_CLOSED));
    CHECK((rc == TW_E_CLOSED) == (c->host.why != NULL));
    /* Nothing that our client says is worth a connection, but that it does not read. */
    may_close = c->ended_host || !clean_up(c) || (c->host.why && is_unread(c->host.why));
    CHECK(rc == TW_MORE || may_close);
}

static void host_answer(struct conn *c, size_t which, uint8_t how, struct tw_bytes body)
{
    bool refuse = how & ANSWER_REFUSE, more = how & ANSWER_MORE;
    struct answer answer = {.success = !refuse, .more = more, .body = body};
    int fd = -1, rc;

    if (c->n_asked == 0 || c->n_answers == REPLIES_MAX)
        return;
    which %= c->n_asked;
    answer.id = c->asked[which];
    if (refuse)
        answer.body.n = 0;
    if (how & ANSWER_FD)
        fd = new_fd();
    answer.tag = tag_of(fd);
    rc = tw_host_reply(&c->host, answer.id, refuse ? NULL : &body, more, fd);
    if (rc)
        tw_fd_close(&fd);
    if (rc == TW_E_LIMIT || rc == TW_E_FULL || is_memory(c, rc))
        tw_host_end(&c->host, "TW-LIM-004 or memory");
    if (rc == TW_E_CLOSED || rc == TW_E_INVALID || rc == TW_E_LIMIT || rc == TW_E_FULL ||
        rc == -ENOMEM) {
        CHECK(rc != TW_E_CLOSED || c->host.state == TW_HOST_STATE_CLOSED);
        return;
    }
    CHECK(rc == 0);
    c->answers[c->n_answers++] = answer;
    if (more)
        return;
    REQ("TW-SESS-004"); /* one last reply */
    CHECK(tw_host_reply(&c->host, answer.id, NULL, false, -1) == TW_E_NOT_FOUND);
    c->n_asked--;
    memmove(&c->asked[which], &c->asked[which + 1], (c->n_asked - which) * sizeof(c->asked[0]));
}

/* The client's end. */

static void client_reply(struct conn *c, const struct tw_client_event_out *event)
{
    const struct answer *of = &c->answers[c->n_seen];
    uint32_t tag;

    input_touch(event->reply);
    if (!clean(c))
        return;
    REQ("TW-SESS-027");
    tag = take_tag(&c->client.rx);
    CHECK(c->n_seen < c->n_answers && of->id == event->request_id);
    CHECK(of->success == event->success && of->more == event->has_more);
    CHECK(same(of->body, event->reply));
    CHECK(c->foreign_fds || of->tag == tag);
    c->n_seen++;
}

static void client_event(struct conn *c, const struct tw_client_event_out *event)
{
    struct call *call = event->user;

    REQ("TW-SESS-026");
    CHECK(!c->over_client);
    if (event->kind == TW_CLIENT_BOUND || event->kind == TW_CLIENT_BIND_FAILED) {
        REQ("TW-SESS-001");
        REQ("TW-SESS-002");
        CHECK(!clean(c) || (event->kind == TW_CLIENT_BIND_FAILED) == c->wrong_port);
        return;
    }
    CHECK(call && call->open && call->id == event->request_id && call->method == event->method);
    if (event->kind == TW_CLIENT_REPLY) {
        CHECK(c->client.state == TW_CLIENT_STATE_BOUND);
        client_reply(c, event);
        REQ("TW-SESS-023");
        CHECK(!event->has_more || c->client.port->method[call->method].stream);
        call->open = event->has_more;
        return;
    }
    if (c->client.state == TW_CLIENT_STATE_CLOSED)
        for (const struct call *older = c->calls; older < call; older++)
            CHECK(!older->open); /* the oldest first */
    else
        CHECK(!clean(c)); /* only a RequestError refuses before the end, and our host sends none */
    call->open = false;
}

static void client_work(struct conn *c)
{
    struct tw_client_event_out event;
    int rc;

    while (!(rc = tw_client_next(&c->client, &event)) || rc == TW_AGAIN)
        if (!rc)
            client_event(c, &event);
    if (is_memory(c, rc)) {
        tw_client_end(&c->client, "memory");
        return;
    }
    CHECK(rc == TW_MORE || rc == TW_E_CLOSED);
    CHECK((rc == TW_E_CLOSED) == (c->client.state == TW_CLIENT_STATE_CLOSED));
    c->over_client = rc == TW_E_CLOSED;
    CHECK(rc == TW_MORE || !clean(c) || c->ended_client);
}

static void client_call(struct conn *c, struct tw_bytes body)
{
    uint8_t method = input_byte(&body), how = input_byte(&body);
    struct call *call = &c->calls[c->n_calls];
    int fd = -1, rc;

    if (c->n_calls == CALLS_MAX)
        return;
    if (how & CALL_FD)
        fd = new_fd();
    *call = (struct call){.method = method, .args = body, .drop_reply = how & CALL_DROP};
    call->tag = tag_of(fd);
    rc = tw_client_call(&c->client, method, body, call->drop_reply, fd, call, &call->id);
    if (rc) {
        tw_fd_close(&fd);
        CHECK(rc == TW_E_NOT_FOUND || rc == TW_E_LIMIT || rc == TW_E_FULL || rc == TW_E_CLOSED ||
              rc == TW_E_INVALID || is_memory(c, rc));
        return;
    }
    REQ("TW-SESS-020");
    CHECK(c->client.state == TW_CLIENT_STATE_BOUND);
    CHECK(method >= 1 && method <= c->client.port->n_methods);
    CHECK(c->n_calls == 0 || call->id > c->calls[c->n_calls - 1].id);
    call->open = !call->drop_reply;
    c->n_calls++;
}

/* The way between them. */

static size_t put(struct tw_rx *rx, struct tw_bytes bytes, const int *fds, size_t n_fds)
{
    uint8_t *p;
    size_t room, n;

    tw_rx_space(rx, &p, &room);
    CHECK(room > 0);
    n = tw_min(room, bytes.n);
    memcpy(p, bytes.p, n);
    tw_rx_filled(rx, n, fds, n_fds);
    return n;
}

/* Up to max bytes of one send; false when there is nothing. */
static bool carry(struct tw_tx *tx, struct tw_rx *rx, size_t max)
{
    struct tw_bytes bytes;
    int fd;

    if (tw_tx_peek(tx, &bytes, &fd))
        return false;
    CHECK(bytes.n > 0 && tw_tx_queued(tx) <= TW_TX_MAX);
    bytes.n = tw_min(bytes.n, max);
    fd = tag_pass(&run.fds, fd);
    bytes.n = put(rx, bytes, &fd, fd >= 0);
    tw_tx_sent(tx, bytes.n);
    return true;
}

static bool carry_up(struct conn *c, size_t max)
{
    if (c->host.state == TW_HOST_STATE_CLOSED || !carry(&c->client.tx, &c->host.rx, max))
        return false;
    host_work(c);
    return true;
}

static bool carry_down(struct conn *c, size_t max)
{
    if (c->client.state == TW_CLIENT_STATE_CLOSED || !carry(&c->host.tx, &c->client.rx, max))
        return false;
    client_work(c);
    return true;
}

/* Bytes and up to three descriptors that the other end has not sent. */
static void foreign(struct conn *c, struct tw_bytes bytes, uint8_t n_fds, bool up)
{
    int fds[3];

    if (bytes.n == 0 ||
        (up ? c->host.state == TW_HOST_STATE_CLOSED : c->client.state == TW_CLIENT_STATE_CLOSED))
        return;
    for (uint8_t i = 0; i < n_fds; i++) {
        fds[i] = new_fd();
        n_fds = fds[i] < 0 ? i : n_fds;
    }
    *(up ? &c->foreign_up : &c->foreign_down) = true;
    (void)put(up ? &c->host.rx : &c->client.rx, bytes, fds, n_fds);
    up ? host_work(c) : client_work(c);
}

/* A descriptor with the next byte, which it does not belong to. */
static void foreign_fd(struct conn *c, bool up)
{
    struct tw_tx *tx = up ? &c->client.tx : &c->host.tx;
    struct tw_bytes bytes;
    int fd, own;

    if ((up ? c->host.state == TW_HOST_STATE_CLOSED : c->client.state == TW_CLIENT_STATE_CLOSED) ||
        tw_tx_peek(tx, &bytes, &own) || own >= 0 || (fd = new_fd()) < 0)
        return;
    c->foreign_fds = true;
    bytes.n = 1;
    (void)put(up ? &c->host.rx : &c->client.rx, bytes, &fd, 1);
    tw_tx_sent(tx, 1);
    up ? host_work(c) : client_work(c);
}

/* The life of a connection. */

static void open_conn(struct conn *c, uint8_t how)
{
    const struct tw_port *ports[] = {&tw_producer_port, &tw_consumer_port};
    bool consumer = how & OPEN_CONSUMER, wrong = how & OPEN_WRONG_PORT;
    int rc;

    *c = (struct conn){.wrong_port = wrong};
    rc = tw_client_init(&c->client, ports[consumer]);
    if (!rc)
        rc = tw_host_init(&c->host, ports[consumer != wrong]);
    CHECK(!rc || is_memory(c, rc));
    c->used = !rc;
    if (rc)
        tw_client_deinit(&c->client);
}

static void end_host(struct conn *c)
{
    struct tw_bytes body = {0};

    c->ended_host = true;
    tw_host_end(&c->host, "the script");
    host_work(c);
    REQ("TW-SESS-010");
    if (c->n_asked)
        CHECK(tw_host_reply(&c->host, c->asked[0], &body, false, -1) == TW_E_CLOSED);
}

static void end_client(struct conn *c)
{
    c->ended_client = true;
    tw_client_end(&c->client, "the script");
    client_work(c);
    REQ("TW-SESS-026");
    CHECK(c->over_client);
    for (size_t i = 0; i < c->n_calls; i++)
        CHECK(!c->calls[i].open);
}

static void close_conn(struct conn *c)
{
    end_host(c);
    end_client(c);
    tw_host_deinit(&c->host);
    tw_client_deinit(&c->client);
    c->used = false;
}

/* What is under way arrives and is answered: nobody waits for ever. */
static void settle(struct conn *c)
{
    bool answered = true;

    while (answered) {
        while (carry_up(c, SIZE_MAX) || carry_down(c, SIZE_MAX)) {
        }
        answered =
            c->n_asked > 0 && c->n_answers < REPLIES_MAX && c->host.state != TW_HOST_STATE_CLOSED;
        if (answered)
            host_answer(c, 0, 0, (struct tw_bytes){0});
    }
    if (!clean(c) || c->n_answers == REPLIES_MAX || c->host.state == TW_HOST_STATE_CLOSED ||
        c->client.state == TW_CLIENT_STATE_CLOSED)
        return;
    REQ("TW-SESS-004");
    CHECK(c->n_dispatched == c->n_calls && c->n_seen == c->n_answers);
    for (size_t i = 0; i < c->n_calls; i++)
        CHECK(!c->calls[i].open);
}

enum what {
    OP_OPEN,
    OP_BIND,
    OP_CALL,
    OP_UP,
    OP_DOWN,
    OP_ANSWER,
    OP_FOREIGN_UP,
    OP_FOREIGN_DOWN,
    OP_FOREIGN_FD,
    OP_END_HOST,
    OP_END_CLIENT,
    OP_CLOSE,
    OP_FAULT,
    OP_MAX,
};

static void bind_client(struct conn *c)
{
    int rc = tw_client_bind(&c->client);

    CHECK(!rc || rc == TW_E_INVALID || rc == TW_E_CLOSED || rc == TW_E_FULL || is_memory(c, rc));
}

static void answer_op(struct conn *c, struct tw_bytes body)
{
    uint8_t which = input_byte(&body), how = input_byte(&body);

    host_answer(c, which, how, body);
}

/* The argument of a carry: how many bytes, 0 for all of one send. */
static size_t piece(struct script_op *op)
{
    size_t n = script_u16(&op->body);

    return n ? n : SIZE_MAX;
}

static void step(struct script_op op)
{
    struct conn *c = &run.conns[(op.arg & 15) % CONNS];
    uint8_t more = op.arg >> 4;

    if (op.what % OP_MAX == OP_FAULT) {
        faults_arm(op.arg % 32U);
        return;
    }
    if (c->used == (op.what % OP_MAX == OP_OPEN))
        return;
    switch ((enum what)(op.what % OP_MAX)) {
    case OP_OPEN:
        open_conn(c, more);
        return;
    case OP_BIND:
        bind_client(c);
        return;
    case OP_CALL:
        client_call(c, op.body);
        return;
    case OP_UP:
        (void)carry_up(c, piece(&op));
        return;
    case OP_DOWN:
        (void)carry_down(c, piece(&op));
        return;
    case OP_ANSWER:
        answer_op(c, op.body);
        return;
    case OP_FOREIGN_UP:
    case OP_FOREIGN_DOWN:
        foreign(c, op.body, more & 3, op.what % OP_MAX == OP_FOREIGN_UP);
        return;
    case OP_FOREIGN_FD:
        foreign_fd(c, more & 1);
        return;
    case OP_END_HOST:
        end_host(c);
        return;
    case OP_END_CLIENT:
        end_client(c);
        return;
    case OP_CLOSE:
        close_conn(c);
        return;
    case OP_FAULT:
    case OP_MAX:
        return;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tw_bytes input = {data, size};
    struct script_op op;

    for (size_t i = 0; i < CONNS; i++)
        run.conns[i].used = false;
    TW_IGNORE(tag_memfd(1)); /* makes them all */
    run.fds.n = 0;
    run.tag = 0;
    for (int i = 0; i < STEPS_MAX && script_next(&input, &op); i++)
        step(op);
    (void)faults_disarm();
    for (size_t i = 0; i < CONNS; i++) {
        if (!run.conns[i].used)
            continue;
        settle(&run.conns[i]);
        close_conn(&run.conns[i]);
    }
    REQ("TW-FD-002");
    input_check_closed(&run.fds);
    return 0;
}
