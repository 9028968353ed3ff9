/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A consumer against a service that answers as a script (fuzz/script.h) says: any outstanding call,
 * in any order, with any body or none, with packets without end, with what is no frame, or not at
 * all. The program may make calls, and free the consumer, while it is told an answer. Each call
 * completes once, with a result that it may have, nothing is told afterwards, and everything is
 * given back.
 */
#include <sys/socket.h>

#include "base/req.h"
#include "consumer/reassembly.h"
#include "frame/ports.h"
#include "frame/pump.h"
#include "fuzz/faults.h"
#include "fuzz/script.h"
#include "tracewire/consumer.h"
#include "wire/writer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { STEPS_MAX = 128, CALLS_MAX = 64, REQUESTS_MAX = 64, FDS = 128 };
/* Slices of a run: of this many bytes each they are more than one packet may have. */
enum { SLICE = 128 * 1024 - 64, SLICES_MAX = TW_CONSUMER_PACKET_MAX / SLICE + 32 };
/* Which of those that have arguments, or behind them of the others; and what is done then. */
enum { LONG_CALLS = 5 };
enum { CALL_WHICH = 31, CALL_FD = 32, CALL_FREES = 64, CALL_CALLS = 128 };
enum { BIND_SUCCESS = 1, BIND_FEW = 2, BIND_OTHER_IDS = 4, OTHER_IDS = 1000 };
enum { ANSWER_SUCCESS = 16, ANSWER_MORE = 32, ANSWER_BODY = 64 };

struct call {
    bool open;         /* not complete */
    bool frees, calls; /* what its function does when it is called */
};

static struct run {
    struct tw_consumer *consumer; /* NULL: freed */
    struct call bound, calls[CALLS_MAX];
    size_t n_calls, n_slices;
    int host; /* the service's end; -1: closed */
    struct tw_rx rx;
    struct tw_tx tx;
    uint64_t bind_id, requests[REQUESTS_MAX];
    size_t n_requests;
} run;

/* ---- the program ---- */

static void make_call(uint8_t how, struct tw_bytes body);

static void free_consumer(void)
{
    struct tw_consumer *consumer = run.consumer;

    run.consumer = NULL;
    tw_consumer_free(consumer);
    REQ("TW-SESS-026");
    CHECK(!run.bound.open);
    for (size_t i = 0; i < run.n_calls; i++)
        CHECK(!run.calls[i].open);
}

/* The program does something while it is told. */
static void react(struct call *call)
{
    struct call was = *call;

    call->frees = call->calls = false;
    if (was.calls && run.consumer)
        make_call(CALL_WHICH, (struct tw_bytes){0});
    if (was.frees && run.consumer)
        free_consumer();
}

static void complete(struct call *call, int result)
{
    CHECK(call->open);
    CHECK(result >= 0 || faults_fired());
    call->open = false;
    react(call);
}

static void on_done(void *user, int result)
{
    complete(user, result);
}

static void on_reply(void *user, int result, struct tw_bytes body, bool more)
{
    struct call *call = user;

    CHECK(call->open && (result == 0 || body.n == 0));
    input_touch(body);
    if (more)
        react(call);
    else
        complete(call, result);
}

static void on_ended(void *user, int result, struct tw_bytes error)
{
    on_reply(user, result, error, false);
}

static void on_packet(void *user, struct tw_bytes packet)
{
    struct call *call = user;

    REQ("TW-LIM-006");
    CHECK(call->open && packet.n <= TW_CONSUMER_PACKET_MAX);
    input_touch(packet.n < SLICE ? packet : (struct tw_bytes){packet.p + packet.n - 1, 1});
    react(call);
}

/* Those with arguments. */
static int long_call(unsigned which, struct tw_bytes body, int fd, struct call *call)
{
    struct tw_clone_args args = {.session_id = 1};
    char key[16] = {0};

    memcpy(key, body.p, tw_min(body.n, sizeof(key) - 1));
    switch (which) {
    case 0:
        return tw_consumer_detach(run.consumer, key, on_done, call);
    case 1:
        return tw_consumer_attach(run.consumer, key, on_reply, call);
    case 2:
        return tw_consumer_change_trace_config(run.consumer, body, on_done, call);
    case 3:
        return tw_consumer_enable_tracing(run.consumer, body, fd, on_ended, call);
    default:
        args.unique_session_name = body.n & 1 ? key : NULL;
        args.trigger_name = key;
        return tw_consumer_clone_session(run.consumer, &args, fd, on_reply, call);
    }
}

static int plain_call(unsigned which, struct call *call)
{
    switch (which) {
    case 0:
        return tw_consumer_start_tracing(run.consumer, on_done, call);
    case 1:
        return tw_consumer_disable_tracing(run.consumer, on_done, call);
    case 2:
        return tw_consumer_flush(run.consumer, 1000, 0, on_done, call);
    case 3:
        return tw_consumer_free_buffers(run.consumer, on_done, call);
    case 4:
        return tw_consumer_get_trace_stats(run.consumer, on_reply, call);
    case 5:
        return tw_consumer_query_service_state(run.consumer, true, on_reply, call);
    case 6:
        return tw_consumer_query_capabilities(run.consumer, on_reply, call);
    case 7:
        return tw_consumer_observe_events(run.consumer, 7, on_reply, call);
    case 8:
        return tw_consumer_save_trace_for_bugreport(run.consumer, on_reply, call);
    case 9:
        return tw_consumer_await_end(run.consumer, on_ended, call);
    default:
        return tw_consumer_read_buffers(run.consumer, on_packet, on_done, call);
    }
}

/* What was not taken stays the program's. */
static void refused(struct call *call, int fd, int why)
{
    CHECK(why > 0 || faults_fired());
    CHECK(why < 0 || why == TW_E_CLOSED || why == TW_E_LIMIT || why == TW_E_FULL ||
          why == TW_E_NOT_FOUND || why == TW_E_INVALID);
    call->open = false;
    tw_fd_close(&fd);
}

static void make_call(uint8_t how, struct tw_bytes body)
{
    unsigned which = how & CALL_WHICH;
    struct call *call = &run.calls[run.n_calls];
    int fd = -1, r;

    if (run.n_calls == CALLS_MAX)
        return;
    *call = (struct call){.open = true, .frees = how & CALL_FREES, .calls = how & CALL_CALLS};
    if (how & CALL_FD && (which == 3 || which == 4))
        fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    run.n_calls++;
    r = which < LONG_CALLS ? long_call(which, body, fd, call)
                           : plain_call(which - LONG_CALLS, call);
    if (r)
        refused(call, fd, r);
}

static void dispatch(void)
{
    int r;

    if (!run.consumer)
        return;
    r = tw_consumer_dispatch(run.consumer);
    CHECK(r == 0 || r == TW_E_CLOSED);
    if (r == 0 || !run.consumer)
        return;
    CHECK(tw_consumer_why(run.consumer) && !run.bound.open);
    for (size_t i = 0; i < run.n_calls; i++)
        CHECK(!run.calls[i].open);
}

/* ---- the service ---- */

static void hang_up(void)
{
    if (run.host < 0)
        return;
    tw_fd_close(&run.host);
    tw_rx_deinit(&run.rx);
    tw_tx_deinit(&run.tx);
}

static void send_frame(const struct tw_frame *frame)
{
    int r = run.host < 0 ? TW_E_CLOSED : tw_tx_frame(&run.tx, frame, -1);

    if (r == 0 && tw_pump_out(run.host, &run.tx) == TW_E_CLOSED)
        hang_up();
}

/* Remembers what is asked. */
static void listen_to_it(void)
{
    struct tw_bytes payload;
    struct tw_frame frame;
    int in = 0;

    while (run.host >= 0 && in == 0) {
        if (tw_rx_next(&run.rx, &payload)) {
            in = tw_pump_in(run.host, &run.rx);
            continue;
        }
        CHECK(!tw_frame_decode(payload, &frame, NULL));
        CHECK(frame.kind == TW_FRAME_BIND || frame.kind == TW_FRAME_INVOKE);
        if (frame.kind == TW_FRAME_BIND)
            run.bind_id = frame.request_id;
        else
            run.requests[run.n_requests++ % REQUESTS_MAX] = frame.request_id;
    }
    if (in && in != TW_MORE)
        hang_up();
}

static void answer_bind(uint8_t how)
{
    struct tw_method_info methods[TW_METHOD_MAX];
    struct tw_frame frame = {.kind = TW_FRAME_BIND_REPLY, .request_id = run.bind_id};
    uint32_t n = how & BIND_FEW ? 3 : tw_consumer_port.n_methods;

    for (uint32_t i = 0; i < n; i++) {
        const char *name = tw_consumer_port.method[i + 1].name;

        methods[i] =
            (struct tw_method_info){.id = i + 1 + (how & BIND_OTHER_IDS ? OTHER_IDS : 0),
                                    .name = {.p = (const uint8_t *)name, .n = strlen(name)}};
    }
    frame.bind_reply.success = how & BIND_SUCCESS;
    frame.bind_reply.service_id = 2;
    frame.bind_reply.method = methods;
    frame.bind_reply.n_methods = n;
    send_frame(&frame);
}

static uint64_t request(uint8_t which)
{
    return run.n_requests ? run.requests[which % tw_min(run.n_requests, (size_t)REQUESTS_MAX)] : 0;
}

static void answer(uint64_t id, uint8_t how, struct tw_bytes body)
{
    struct tw_frame frame = {.kind = TW_FRAME_INVOKE_REPLY, .request_id = id};

    frame.invoke_reply.success = how & ANSWER_SUCCESS;
    frame.invoke_reply.has_more = how & ANSWER_MORE;
    frame.invoke_reply.has_reply = how & ANSWER_BODY;
    frame.invoke_reply.reply = body;
    send_frame(&frame);
}

/* A packet that does not end soon, if ever: slices of it, each in a frame of its own. Few unless
 * many are meant: they take their time. */
static void answer_slices(uint64_t id, uint8_t n)
{
    static const uint8_t filler[SLICE];
    static uint8_t body[SLICE + 16];
    struct tw_writer w = tw_writer_of(body, sizeof(body));
    uint8_t *slice = tw_put_begin(&w, 2);

    tw_put_bytes(&w, 1, (struct tw_bytes){filler, SLICE});
    tw_put_end(&w, slice);
    for (n = n == UINT8_MAX ? n : n % 4; n > 0 && run.host >= 0 && run.n_slices < SLICES_MAX;
         n--, run.n_slices++) {
        answer(id, ANSWER_SUCCESS | ANSWER_MORE | ANSWER_BODY,
               (struct tw_bytes){body, tw_writer_size(&w)});
        dispatch();
    }
}

static void send_foreign(struct tw_bytes bytes)
{
    if (run.host >= 0)
        TW_IGNORE(send(run.host, bytes.p, bytes.n, MSG_NOSIGNAL | MSG_DONTWAIT) < 0);
}

/* ---- the script ---- */

enum what {
    OP_CALL,
    OP_BIND,
    OP_ANSWER,
    OP_FOREIGN,
    OP_DISPATCH,
    OP_SLICES,
    OP_HANG_UP,
    OP_FAULT,
    OP_OPEN,
    OP_MAX,
};

static void open_consumer(uint8_t how)
{
    int pair[2], r;

    if (run.consumer)
        free_consumer();
    hang_up();
    run = (struct run){.host = -1, .n_slices = run.n_slices};
    CHECK(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair));
    r = tw_rx_init(&run.rx);
    if (r) {
        CHECK(faults_fired());
        tw_fd_close(&pair[0]);
        tw_fd_close(&pair[1]);
        return;
    }
    run.tx = TW_TX_INIT;
    run.host = pair[1];
    run.bound = (struct call){.open = true, .frees = how & CALL_FREES, .calls = how & CALL_CALLS};
    r = tw_consumer_new(pair[0], on_done, &run.bound, &run.consumer);
    CHECK(r == 0 || faults_fired());
    if (r) {
        run.bound.open = false;
        tw_fd_close(&pair[0]);
    }
}

static void step(struct script_op op)
{
    switch (op.what % OP_MAX) {
    case OP_CALL:
        if (run.consumer)
            make_call(op.arg, op.body);
        break;
    case OP_BIND:
        answer_bind(op.arg);
        break;
    case OP_ANSWER:
        answer(request(op.arg & 15), op.arg, op.body);
        break;
    case OP_FOREIGN:
        send_foreign(op.body);
        break;
    case OP_DISPATCH:
        dispatch();
        listen_to_it();
        break;
    case OP_SLICES:
        answer_slices(request(input_byte(&op.body)), op.arg);
        break;
    case OP_HANG_UP:
        hang_up();
        break;
    case OP_FAULT:
        faults_arm(op.arg);
        break;
    case OP_OPEN:
        open_consumer(op.arg);
        break;
    default:
        break;
    }
}

/* Numbers of descriptors that are in use, of the first FDS. */
static int fds_open(void)
{
    int n = 0;

    for (int fd = 0; fd < FDS; fd++)
        n += fcntl(fd, F_GETFD) >= 0;
    return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tw_bytes input = {data, size};
    int fds = fds_open();
    struct script_op op;

    run = (struct run){.host = -1};
    open_consumer(0);
    for (int i = 0; i < STEPS_MAX && script_next(&input, &op); i++)
        step(op);
    (void)faults_disarm();
    if (run.consumer)
        free_consumer();
    tw_consumer_free(NULL);
    hang_up();
    REQ("TW-FD-004");
    CHECK(fds_open() == fds);
    return 0;
}
