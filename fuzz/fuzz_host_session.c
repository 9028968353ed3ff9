/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The host's session against any client. The input: a byte of flags (bit 0: the consumer's port;
 * bit 1: the client never reads; bit 2: it may say who it is; bit 3: RelayPort is offered as well;
 * the high half is 10: it sends the same again and again), a list of
 * choices for the pieces (see input_receive()), a list of choices for the answers, and then what
 * the client sends.
 */
#include "base/req.h"
#include "frame/host_session.h"
#include "fuzz/input.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { FLAG_CONSUMER = 1, FLAG_NEVER_READS = 2, FLAG_IDENTITY = 4, FLAG_RELAY = 8 };
enum { FLAGS_HIGH = 0xf0, AGAIN = 0xa0 }; /* seldom met by chance, as it takes long */
/* Bytes of a stream that repeats itself: the shortest requests fill the queue of replies. */
enum { AGAIN_BYTES = 256 * 1024 };
enum { IDS = 4096 }; /* counters of ids; two that meet in one only make a check weaker */

/* What the answers' choices say. */
enum { ANSWER_MORE = 1, ANSWER_REFUSE = 2, ANSWER_LATER = 4, ANSWER_FD = 8, TAKE_FD = 16 };

struct run {
    struct tw_host host;
    struct input_fds fds;
    struct tw_bytes answers;
    bool never_reads, wants_identity;
    size_t n_calls;
    uint64_t later[TW_REQUESTS_MAX]; /* requests not answered yet */
    size_t n_later;
    size_t n_wanted, n_last; /* last replies of a connection that does not end; those that came */
    bool full;               /* the client did not read enough */
    uint32_t may_reply[IDS], may_bind[IDS], may_fail[IDS]; /* last replies an id still may get */
};

static uint32_t *counter(uint32_t counters[IDS], uint64_t id)
{
    return &counters[(id ^ id >> 12 ^ id >> 32) % IDS];
}

/* What the client asks for in all: every answer must be one to it. */
static void count_requests(struct run *run, struct tw_bytes wire)
{
    struct tw_bytes payload;
    struct tw_frame frame;

    while (!tw_frame_split(wire, &payload)) {
        wire.n -= TW_FRAME_HEADER + payload.n;
        wire.p += TW_FRAME_HEADER + payload.n;
        if (payload.n == 0)
            continue;
        if (tw_frame_decode(payload, &frame, NULL))
            return;
        if (frame.kind == TW_FRAME_BIND)
            ++*counter(run->may_bind, frame.request_id);
        else if (frame.kind != TW_FRAME_INVOKE)
            ++*counter(run->may_fail, frame.request_id);
        else if (!frame.invoke.drop_reply)
            ++*counter(run->may_reply, frame.request_id);
        run->n_wanted += frame.kind == TW_FRAME_INVOKE ? !frame.invoke.drop_reply
                                                       : frame.kind != TW_FRAME_PEER_IDENTITY;
    }
}

static void check_answer(struct run *run, const struct tw_frame *frame)
{
    uint32_t *left;

    switch (frame->kind) {
    case TW_FRAME_BIND_REPLY:
        left = counter(run->may_bind, frame->request_id);
        break;
    case TW_FRAME_REQUEST_ERROR:
        left = counter(run->may_fail, frame->request_id);
        break;
    default:
        CHECK(frame->kind == TW_FRAME_INVOKE_REPLY);
        left = counter(run->may_reply, frame->request_id);
        break;
    }
    REQ("TW-SESS-004");
    CHECK(*left > 0);
    if (frame->kind != TW_FRAME_INVOKE_REPLY || !frame->invoke_reply.has_more) {
        --*left;
        run->n_last++;
    }
}

static void read_answers(struct run *run)
{
    struct tw_bytes bytes, payload;
    int fd;

    CHECK(tw_tx_queued(&run->host.tx) <= TW_TX_MAX);
    while (!tw_tx_peek(&run->host.tx, &bytes, &fd)) {
        struct tw_frame frame;

        CHECK(!tw_frame_split(bytes, &payload));
        CHECK(fd < 0 || bytes.n == TW_FRAME_HEADER + payload.n);
        CHECK(!tw_frame_decode(payload, &frame, NULL));
        check_answer(run, &frame);
        tw_tx_sent(&run->host.tx, TW_FRAME_HEADER + payload.n);
    }
}

static void answer(struct run *run, uint64_t id, uint8_t choice, bool stream)
{
    struct tw_bytes body = {(const uint8_t *)"body", choice >> 5 & 4};
    bool more = choice & ANSWER_MORE;
    int fd = -1, rc;

    if (choice & ANSWER_FD && !input_open(&run->fds, 1, &fd))
        fd = -1;
    rc = tw_host_reply(&run->host, id, choice & ANSWER_REFUSE ? NULL : &body, more, fd);
    if (rc)
        tw_fd_close(&fd);
    if (rc == TW_E_INVALID) {
        CHECK(more && !stream);
        rc = tw_host_reply(&run->host, id, &body, false, -1);
    } else if (!rc && more) {
        rc = tw_host_reply(&run->host, id, NULL, false, -1);
    }
    CHECK(rc == 0 || rc == TW_E_FULL);
    run->full |= rc == TW_E_FULL;
    if (!rc)
        CHECK(tw_host_reply(&run->host, id, &body, false, -1) == TW_E_NOT_FOUND);
}

static void handle_call(struct run *run, const struct tw_host_call *call)
{
    uint8_t choice = input_choice(run->answers, run->n_calls++);
    int fd = choice & TAKE_FD ? tw_rx_take_fd(&run->host.rx) : -1;

    tw_fd_close(&fd);
    if (call->method == TW_HOST_IDENTITY) {
        REQ("TW-NET-017");
        CHECK(run->wants_identity && run->host.state == TW_HOST_STATE_UNBOUND);
        run->wants_identity = false;
        input_touch(call->identity.machine_id_hint);
        input_touch(call->identity.machine_name);
        return;
    }
    CHECK(call->method >= 1 && call->method <= run->host.port->n_methods);
    input_touch(call->args);
    if (call->drop_reply)
        return;
    if (choice & ANSWER_LATER) {
        CHECK(run->n_later < TW_REQUESTS_MAX);
        run->later[run->n_later++] = call->request_id;
    } else {
        answer(run, call->request_id, choice, run->host.port->method[call->method].stream);
    }
}

/* Everything that is whole; false when the connection is over. */
static bool work(struct run *run)
{
    struct tw_host_call call;
    int rc;

    while (!(rc = tw_host_next(&run->host, &call)) || rc == TW_AGAIN) {
        if (rc)
            continue;
        handle_call(run, &call);
        if (!run->never_reads)
            read_answers(run);
    }
    CHECK(rc == TW_MORE || rc == TW_E_CLOSED);
    CHECK((rc == TW_E_CLOSED) == (run->host.why != NULL));
    if (rc == TW_E_CLOSED)
        CHECK(tw_host_next(&run->host, &call) == TW_E_CLOSED);
    return rc == TW_MORE;
}

static void answer_late_ones(struct run *run, bool open)
{
    const struct tw_bytes body = {0};

    for (size_t i = 0; i < run->n_later; i++) {
        int rc = tw_host_reply(&run->host, run->later[i], &body, false, -1);

        REQ("TW-SESS-010");
        CHECK(open ? rc == 0 || rc == TW_E_FULL : rc == TW_E_CLOSED);
        run->full |= rc == TW_E_FULL;
    }
}

static struct tw_bytes again(struct tw_bytes once)
{
    static uint8_t stream[AGAIN_BYTES];
    size_t n = 0;

    if (once.n == 0)
        return once;
    for (; once.n <= AGAIN_BYTES - n; n += once.n)
        memcpy(stream + n, once.p, once.n);
    return (struct tw_bytes){stream, n};
}

/* Before the first request nobody may answer, after the end nobody can. */
static void check_outside(struct run *run, int want)
{
    REQ("TW-SESS-004");
    REQ("TW-SESS-010");
    CHECK(tw_host_reply(&run->host, 0, NULL, false, -1) == want);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct run run;
    struct tw_bytes input = {data, size}, pieces;
    uint8_t flags = input_byte(&input);
    bool open = true;

    run = (struct run){.never_reads = flags & FLAG_NEVER_READS};
    pieces = input_list(&input);
    run.answers = input_list(&input);
    CHECK(!tw_host_init(&run.host, flags & FLAG_CONSUMER ? &tw_consumer_port : &tw_producer_port));
    CHECK(!tw_rx_harden(&run.host.rx));
    run.host.wants_identity = run.wants_identity = flags & FLAG_IDENTITY;
    run.host.other = flags & FLAG_RELAY ? &tw_relay_port : NULL;
    check_outside(&run, TW_E_NOT_FOUND);
    if ((flags & FLAGS_HIGH) == AGAIN)
        input = again(input);
    count_requests(&run, input);
    for (size_t i = 0; open && input.n; i++) {
        input_receive(&input, input_choice(pieces, i), &run.fds, &run.host.rx);
        open = work(&run);
    }
    answer_late_ones(&run, open);
    read_answers(&run);
    REQ("TW-SESS-001");
    REQ("TW-SESS-002");
    REQ("TW-SESS-003");
    REQ("TW-SESS-008");
    CHECK(!open || run.full || run.n_last == run.n_wanted); /* nobody waits for ever */
    tw_host_end(&run.host, "the input ends");
    check_outside(&run, TW_E_CLOSED);
    tw_host_deinit(&run.host);
    tw_host_deinit(NULL);
    REQ("TW-FD-004");
    input_check_closed(&run.fds);
    return 0;
}
