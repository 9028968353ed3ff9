/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The client's session against any host. The input: a byte of flags (bit 0: the consumer's port;
 * bit 1: all calls at once as soon as they are possible, else one after each event; bit 2: the list
 * of calls is gone through twice, for more than may be outstanding), a list of
 * choices for the pieces (see input_receive()), a list of calls (the method, and bit 7: drop the
 * reply), and then what the host sends.
 */
#include "base/req.h"
#include "frame/client_session.h"
#include "fuzz/input.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { FLAG_CONSUMER = 1, FLAG_AT_ONCE = 2, FLAG_TWICE = 4 };
enum { CALL_DROP_REPLY = 0x80, CALLS_MAX = 2 * 255 };

struct call {
    uint32_t method;
    uint64_t id;
    bool open; /* made, and its last event has not come */
};

struct run {
    struct tw_client client;
    struct input_fds fds;
    struct tw_bytes methods;
    bool at_once;
    size_t max_calls, n_calls, n_open, n_events;
    uint64_t last_sent;
    struct call calls[CALLS_MAX];
};

static void make_call(struct run *run)
{
    uint8_t choice = run->methods.p[run->n_calls % run->methods.n];
    struct call *call = &run->calls[run->n_calls++];
    bool drop_reply = choice & CALL_DROP_REPLY;
    uint32_t method = choice & 0x1f;
    int fd = -1, rc;

    if (choice & 0x20 && !input_open(&run->fds, 1, &fd))
        fd = -1;
    rc = tw_client_call(&run->client, method, (struct tw_bytes){run->methods.p, choice & 3},
                        drop_reply, fd, call, drop_reply ? NULL : &call->id);
    CHECK(rc == 0 || rc == TW_E_NOT_FOUND || rc == TW_E_LIMIT || rc == TW_E_FULL);
    REQ("TW-SESS-020");
    CHECK(rc || (method >= 1 && method <= run->client.port->n_methods));
    if (rc) {
        tw_fd_close(&fd);
    } else {
        call->method = method;
        call->open = !drop_reply;
        run->n_open += call->open;
    }
}

static void make_calls(struct run *run)
{
    if (run->client.state != TW_CLIENT_STATE_BOUND)
        return;
    do {
        if (run->n_calls == run->max_calls)
            return;
        make_call(run);
    } while (run->at_once);
}

/* What goes out is whole frames, requests all, with ids that only grow. */
static void check_sent(struct run *run)
{
    struct tw_bytes bytes, payload;
    int fd;

    while (!tw_tx_peek(&run->client.tx, &bytes, &fd)) {
        struct tw_frame frame;

        CHECK(!tw_frame_split(bytes, &payload));
        CHECK(fd < 0 || bytes.n == TW_FRAME_HEADER + payload.n);
        CHECK(!tw_frame_decode(payload, &frame, NULL));
        CHECK(frame.kind == TW_FRAME_BIND || frame.kind == TW_FRAME_INVOKE);
        CHECK(frame.request_id > run->last_sent);
        run->last_sent = frame.request_id;
        tw_tx_sent(&run->client.tx, TW_FRAME_HEADER + payload.n);
    }
}

static void handle_event(struct run *run, const struct tw_client_event_out *event)
{
    struct call *call = event->user;

    if (event->kind == TW_CLIENT_BIND_FAILED && run->n_events++ % 2 == 0) {
        CHECK(!tw_client_bind(&run->client));
        return;
    }
    if (event->kind == TW_CLIENT_BOUND || event->kind == TW_CLIENT_BIND_FAILED)
        return;
    REQ("TW-SESS-022");
    CHECK(call && call->open && call->id == event->request_id && call->method == event->method);
    if (event->kind == TW_CLIENT_REPLY && event->has_more) {
        REQ("TW-SESS-023");
        CHECK(run->client.port->method[call->method].stream);
    } else {
        call->open = false;
        run->n_open--;
    }
    input_touch(event->reply);
    if (event->reply.n & 1) { /* some callers take the descriptor, some do not */
        int fd = tw_rx_take_fd(&run->client.rx);

        tw_fd_close(&fd);
    }
}

/* Everything that is whole; false when the connection is over. */
static bool work(struct run *run)
{
    struct tw_client_event_out event;
    int rc;

    while (!(rc = tw_client_next(&run->client, &event)) || rc == TW_AGAIN) {
        if (rc)
            continue;
        handle_event(run, &event);
        make_calls(run);
        check_sent(run);
    }
    CHECK(rc == TW_MORE || rc == TW_E_CLOSED);
    CHECK((rc == TW_E_CLOSED) == (run->client.why != NULL));
    return rc == TW_MORE;
}

static void check_ended(struct run *run)
{
    struct tw_bytes none = {0};

    REQ("TW-SESS-026");
    CHECK(tw_client_bind(&run->client) == TW_E_CLOSED);
    CHECK(tw_client_call(&run->client, 1, none, false, -1, NULL, NULL) == TW_E_CLOSED);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct run run;
    struct tw_bytes input = {data, size}, pieces;
    struct tw_client_event_out event;
    uint8_t flags = input_byte(&input);
    bool open = true;

    run = (struct run){.at_once = flags & FLAG_AT_ONCE};
    pieces = input_list(&input);
    run.methods = input_list(&input);
    run.max_calls = run.methods.n * (flags & FLAG_TWICE ? 2 : 1);
    CHECK(!tw_client_init(&run.client,
                          flags & FLAG_CONSUMER ? &tw_consumer_port : &tw_producer_port));
    CHECK(!tw_rx_harden(&run.client.rx));
    CHECK(!tw_client_bind(&run.client));
    for (size_t i = 0; open && input.n; i++) {
        input_receive(&input, input_choice(pieces, i), &run.fds, &run.client.rx);
        open = work(&run);
    }
    tw_client_end(&run.client, "the input ends");
    check_ended(&run);
    CHECK(!work(&run));
    REQ("TW-SESS-026");
    CHECK(run.n_open == 0); /* each call has had its last event */
    CHECK(tw_client_next(&run.client, &event) == TW_E_CLOSED);
    tw_client_deinit(&run.client);
    tw_client_deinit(NULL);
    REQ("TW-FD-004");
    input_check_closed(&run.fds);
    return 0;
}
