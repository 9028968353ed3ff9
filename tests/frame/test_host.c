/* SPDX-License-Identifier: Apache-2.0 */
/* The host's session: replies, limits, and clients that misbehave. */
#include "tests/frame/hosts.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "base/macros.h"
#include "base/req.h"

static void bind_reply_lists_every_method(void **state)
{
    REQ("TW-SESS-001");
    REQ("TW-SESS-018");
    static const struct tw_port *const ports[] = {&tw_producer_port, &tw_consumer_port};
    struct tw_buf keep = WIRE_INIT;
    struct tw_method_info info;
    struct tw_host_call call;

    (void)state;
    for (size_t i = 0; i < TW_ARRAY_LEN(ports); i++) {
        struct tw_frame frame = bind_frame(9, ports[i]->service_name);
        struct tw_host host;

        assert_int_equal(tw_host_init(&host, ports[i]), 0);
        host_feed(&host, &frame);
        assert_int_equal(tw_host_next(&host, &call), TW_MORE);
        frame = tx_get(&host.tx, &keep);
        assert_int_equal(frame.bind_reply.service_id, ports[i]->service_id);
        for (uint32_t m = 1; m <= ports[i]->n_methods; m++) {
            assert_int_equal(tw_frame_next_method(&frame.bind_reply.methods, &info), 0);
            assert_int_equal(info.id, m);
            assert_true(tw_bytes_eq_str(info.name, ports[i]->method[m].name));
        }
        assert_int_equal(tw_frame_next_method(&frame.bind_reply.methods, &info), TW_MORE);
        tw_host_deinit(&host);
    }
    tw_buf_deinit(&keep);
}

static void unknown_calls_are_refused(void **state)
{
    REQ("TW-SESS-003");
    REQ("TW-SESS-011");
    static const struct {
        uint32_t service, method;
    } cases[] = {{0, 5}, {2, 5}, {UINT32_MAX, 1}, {1, 0}, {1, 13}, {1, UINT32_MAX}};
    struct tw_buf keep = WIRE_INIT;
    struct tw_host host;
    struct tw_host_call call;

    (void)state;
    host_open_bound(&host);
    for (size_t i = 0; i < TW_ARRAY_LEN(cases); i++) {
        struct tw_frame frame = invoke_frame(CALL_ID, cases[i].service, cases[i].method);

        host_feed(&host, &frame);
        assert_int_equal(tw_host_next(&host, &call), TW_MORE);
        assert_false(host_only_answer(&host, TW_FRAME_INVOKE_REPLY, &keep).invoke_reply.success);
        frame.invoke.drop_reply = true; /* then not even a refusal is wanted */
        host_feed(&host, &frame);
        assert_int_equal(tw_host_next(&host, &call), TW_MORE);
        assert_host_silent(&host);
    }
    assert_int_equal(host.requests.n, 0);
    tw_host_deinit(&host);
    tw_buf_deinit(&keep);
}

static void call_carries_its_arguments(void **state)
{
    struct tw_frame frame = invoke_frame(0, 1, 4); /* 0 is an id like any other */
    struct tw_host host;
    struct tw_host_call call;

    (void)state;
    host_open_bound(&host);
    frame.invoke.args = tw_bytes_of_str("arguments");
    host_feed(&host, &frame);
    assert_int_equal(tw_host_next(&host, &call), 0);
    assert_int_equal(call.request_id, 0);
    assert_int_equal(call.method, 4);
    assert_false(call.drop_reply);
    assert_true(tw_bytes_eq_str(call.args, "arguments"));
    assert_int_equal(tw_host_next(&host, &call), TW_MORE);
    tw_host_deinit(&host);
}

static void dropped_reply_cannot_be_given(void **state)
{
    REQ("TW-SESS-011");
    struct tw_frame frame = invoke_frame(8, 1, 4);
    struct tw_bytes body = {0};
    struct tw_host host;
    struct tw_host_call call;

    (void)state;
    host_open_bound(&host);
    frame.invoke.drop_reply = true;
    for (int i = 0; i < 2; i++) { /* an id that nobody answers may come again */
        host_feed(&host, &frame);
        assert_int_equal(tw_host_next(&host, &call), 0);
        assert_true(call.drop_reply);
        assert_int_equal(tw_host_reply(&host, 8, &body, false, -1), TW_E_NOT_FOUND);
    }
    assert_host_silent(&host);
    tw_host_deinit(&host);
}

static void one_last_reply_ends_a_request(void **state)
{
    struct tw_bytes body = tw_bytes_of_str("body");
    struct tw_buf keep = WIRE_INIT;
    struct tw_frame frame;
    struct tw_host host;

    (void)state;
    host_open_bound(&host);
    host_take_call(&host, CALL_ID, 4);
    assert_int_equal(tw_host_reply(&host, CALL_ID, &body, true, -1), TW_E_INVALID); /* unary */
    assert_int_equal(tw_host_reply(&host, CALL_ID + 1, &body, false, -1), TW_E_NOT_FOUND);
    assert_host_silent(&host);
    assert_int_equal(tw_host_reply(&host, CALL_ID, &body, false, -1), 0);
    frame = host_only_answer(&host, TW_FRAME_INVOKE_REPLY, &keep);
    assert_true(frame.invoke_reply.success && frame.invoke_reply.has_reply);
    assert_true(tw_bytes_eq_str(frame.invoke_reply.reply, "body"));
    assert_int_equal(tw_host_reply(&host, CALL_ID, &body, false, -1), TW_E_NOT_FOUND);
    assert_host_silent(&host);
    host_take_call(&host, CALL_ID, 4); /* its id is free again */
    assert_int_equal(tw_host_reply(&host, CALL_ID, NULL, false, -1), 0);
    assert_false(host_only_answer(&host, TW_FRAME_INVOKE_REPLY, &keep).invoke_reply.success);
    tw_host_deinit(&host);
    tw_buf_deinit(&keep);
}

static void stream_is_answered_until_its_last(void **state)
{
    struct tw_bytes body = tw_bytes_of_str("body");
    struct tw_buf keep = WIRE_INIT;
    struct tw_host host;

    (void)state;
    host_open_bound(&host);
    host_take_call(&host, CALL_ID, TW_PRODUCER_GET_ASYNC_COMMAND);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(tw_host_reply(&host, CALL_ID, &body, true, -1), 0);
        assert_true(host_only_answer(&host, TW_FRAME_INVOKE_REPLY, &keep).invoke_reply.has_more);
    }
    assert_int_equal(tw_host_reply(&host, CALL_ID, &body, false, -1), 0);
    assert_false(host_only_answer(&host, TW_FRAME_INVOKE_REPLY, &keep).invoke_reply.has_more);
    assert_int_equal(tw_host_reply(&host, CALL_ID, &body, true, -1), TW_E_NOT_FOUND);
    tw_host_deinit(&host);
    tw_buf_deinit(&keep);
}

static void descriptor_comes_with_its_call(void **state)
{
    struct tw_frame frame = invoke_frame(CALL_ID, 1, 1);
    struct tw_buf wire = WIRE_INIT;
    struct tw_host host;
    struct tw_host_call call;
    int fd = new_fd(), got;

    (void)state;
    host_open_bound(&host);
    wire_put(&wire, &frame);
    frame.request_id++;
    wire_put(&wire, &frame);
    rx_put(&host.rx, (struct tw_bytes){wire.p, wire.n / 2}, &fd, 1);
    rx_put(&host.rx, (struct tw_bytes){wire.p + wire.n / 2, wire.n - wire.n / 2}, NULL, 0);
    assert_int_equal(tw_host_next(&host, &call), 0);
    got = tw_rx_take_fd(&host.rx);
    assert_int_equal(got, fd);
    assert_int_equal(tw_host_next(&host, &call), 0);
    assert_int_equal(tw_rx_take_fd(&host.rx), -1);
    tw_fd_close(&got);
    tw_host_deinit(&host);
    tw_buf_deinit(&wire);
}

/* A bind takes no descriptor: what came with it is gone when the next call is there (TW-FD-002). */
static void descriptor_of_a_bind_does_not_linger(void **state)
{
    struct tw_frame frame = bind_frame(1, "ProducerPort");
    struct tw_buf wire = WIRE_INIT;
    struct tw_host host;
    struct tw_host_call call;
    int before = tw_fd_count_open(), fd = new_fd();

    (void)state;
    host_open(&host);
    wire_put(&wire, &frame);
    rx_put(&host.rx, tw_buf_bytes(&wire), &fd, 1);
    frame = invoke_frame(2, 1, 1);
    host_feed(&host, &frame);
    assert_int_equal(tw_host_next(&host, &call), 0);
    assert_int_equal(tw_rx_take_fd(&host.rx), -1);
    assert_int_equal(tw_fd_count_open(), before);
    tw_host_deinit(&host);
    tw_buf_deinit(&wire);
}

static void reply_takes_its_descriptor_only_on_success(void **state)
{
    struct tw_bytes body = {0}, bytes;
    struct tw_host host;
    int fd = new_fd(), peeked;

    (void)state;
    host_open_bound(&host);
    host_take_call(&host, CALL_ID, TW_PRODUCER_GET_ASYNC_COMMAND);
    assert_int_equal(tw_host_reply(&host, 1, &body, true, fd), TW_E_NOT_FOUND);
    assert_true(fcntl(fd, F_GETFD) >= 0);
    assert_int_equal(tw_host_reply(&host, CALL_ID, &body, true, fd), 0);
    assert_int_equal(tw_tx_peek(&host.tx, &bytes, &peeked), 0);
    assert_int_equal(peeked, fd);
    tw_host_deinit(&host);
}

static void reply_over_the_limit_leaves_the_request(void **state)
{
    uint8_t *body = calloc(1, TW_FRAME_PAYLOAD_MAX);
    struct tw_bytes too_large = {body, TW_FRAME_PAYLOAD_MAX};
    struct tw_host host;

    (void)state;
    assert_non_null(body);
    host_open_bound(&host);
    host_take_call(&host, CALL_ID, 4);
    assert_int_equal(tw_host_reply(&host, CALL_ID, &too_large, false, -1), TW_E_LIMIT);
    assert_host_silent(&host);
    assert_int_equal(tw_host_reply(&host, CALL_ID, NULL, false, -1), 0);
    tw_host_deinit(&host);
    free(body);
}

/* A client that asks and never reads is cut off when TW_TX_MAX bytes wait for it. */
static void client_that_does_not_read_is_closed(void **state)
{
    struct tw_frame bind = bind_frame(1, "ProducerPort");
    struct tw_host host;
    struct tw_host_call call;
    int rc = TW_MORE;

    (void)state;
    host_open(&host);
    for (size_t i = 0; rc == TW_MORE; i++) {
        assert_true(i < TW_TX_MAX / 100);
        host_feed(&host, &bind);
        rc = tw_host_next(&host, &call);
    }
    assert_int_equal(rc, TW_E_CLOSED);
    assert_int_equal(strncmp(host.why, "TW-LIM-004", 10), 0);
    assert_in_range(tw_tx_queued(&host.tx), TW_TX_MAX - 1000, TW_TX_MAX);
    tw_host_deinit(&host);
}

/* Frames that lead to no call are done so many at a time, whatever they are. */
static void frames_without_a_call_are_done_in_turns(void **state)
{
    struct tw_frame identity = {.kind = TW_FRAME_PEER_IDENTITY}, drop = invoke_frame(1, 1, 99);
    struct tw_frame call_frame = invoke_frame(CALL_ID, 1, 5), error = reply_frame(2, false, "x");
    struct tw_buf wire = WIRE_INIT;
    struct tw_host host;
    struct tw_host_call call;
    const int turns = 5;

    (void)state;
    REQ("TW-SESS-032");
    REQ("TW-LIM-040");
    drop.invoke.drop_reply = true;
    host_open_bound(&host);
    for (int i = 0; i < turns * TW_FRAMES_PER_CALL / 4; i++) {
        wire_put(&wire, &identity);
        wire_put(&wire, &drop);
        wire_put(&wire, &error);
        wire_put_payload(&wire, (struct tw_bytes){0});
    }
    wire_put(&wire, &call_frame);
    rx_put(&host.rx, tw_buf_bytes(&wire), NULL, 0);
    for (int i = 0; i < turns; i++)
        assert_int_equal(tw_host_next(&host, &call), TW_AGAIN);
    assert_int_equal(tw_host_next(&host, &call), 0);
    assert_int_equal(call.request_id, CALL_ID);
    assert_int_equal(tw_host_next(&host, &call), TW_MORE);
    tw_host_deinit(&host);
    tw_buf_deinit(&wire);
}

/* A relay's first frame: handed out once, then never again, and never behind a bind. */
static void an_identity_comes_out_once(void **state)
{
    struct tw_frame identity = {.kind = TW_FRAME_PEER_IDENTITY};
    struct tw_frame bind = bind_frame(1, "ProducerPort");
    struct tw_host host;
    struct tw_host_call call;

    (void)state;
    REQ("TW-NET-017");
    identity.peer_identity.pid = 12;
    identity.peer_identity.uid = 34;
    identity.peer_identity.machine_id_hint = tw_bytes_of_str("hint");
    identity.peer_identity.machine_name = tw_bytes_of_str("name");
    for (int late = 0; late < 2; late++) {
        host_open(&host);
        host.wants_identity = true;
        if (late) {
            host_feed(&host, &bind);
            assert_int_equal(tw_host_next(&host, &call), TW_MORE);
        }
        host_feed(&host, &identity);
        host_feed(&host, &identity);
        if (!late) {
            assert_int_equal(tw_host_next(&host, &call), 0);
            assert_int_equal(call.method, TW_HOST_IDENTITY);
            assert_int_equal(call.identity.pid, 12);
            assert_int_equal(call.identity.uid, 34);
            assert_true(tw_bytes_eq_str(call.identity.machine_id_hint, "hint"));
            assert_true(tw_bytes_eq_str(call.identity.machine_name, "name"));
        }
        assert_int_equal(tw_host_next(&host, &call), TW_MORE);
        tw_host_deinit(&host);
    }
}

/* Two services on one socket: the first bind decides which of them the connection speaks. */
static void one_of_two_services_is_bound(void **state)
{
    static const struct tw_port *const ports[] = {&tw_producer_port, &tw_relay_port};

    (void)state;
    REQ("TW-RELAY-002");
    for (size_t i = 0; i < 2; i++) {
        struct tw_frame first = bind_frame(CALL_ID, ports[i]->service_name);
        struct tw_frame second = bind_frame(CALL_ID, ports[!i]->service_name);
        struct tw_buf keep = WIRE_INIT;
        struct tw_frame reply;
        struct tw_host host;
        struct tw_host_call call;

        host_open(&host);
        host.other = &tw_relay_port;
        host_feed(&host, &first);
        assert_int_equal(tw_host_next(&host, &call), TW_MORE);
        reply = host_only_answer(&host, TW_FRAME_BIND_REPLY, &keep);
        assert_true(reply.bind_reply.success);
        assert_int_equal(reply.bind_reply.service_id, ports[i]->service_id);
        assert_int_equal(reply.bind_reply.n_methods, ports[i]->n_methods);
        tw_buf_deinit(&keep);
        host_feed(&host, &second);
        assert_int_equal(tw_host_next(&host, &call), TW_MORE);
        assert_false(host_only_answer(&host, TW_FRAME_BIND_REPLY, &keep).bind_reply.success);
        assert_ptr_equal(host.port, ports[i]);
        tw_host_deinit(&host);
        tw_buf_deinit(&keep);
    }
}

static void outstanding_requests_are_bounded(void **state)
{
    struct tw_frame one_more = invoke_frame(CALL_ID, 1, 5);
    struct tw_host host;
    struct tw_host_call call;

    (void)state;
    host_open_bound(&host);
    for (uint64_t id = 0; id < TW_REQUESTS_MAX; id++)
        host_take_call(&host, id + 100, TW_PRODUCER_GET_ASYNC_COMMAND);
    host_feed(&host, &one_more);
    assert_int_equal(tw_host_next(&host, &call), TW_E_CLOSED);
    REQ("TW-SESS-006");
    REQ("TW-LIM-005");
    assert_string_equal(host.why, "TW-SESS-006: too many calls are outstanding");
    tw_host_deinit(&host);
}

static void too_large_frame_closes(void **state)
{
    struct tw_buf wire = WIRE_INIT;
    struct tw_host host;
    struct tw_host_call call;

    (void)state;
    host_open_bound(&host);
    wire_put_hex(&wire, "fdff0100");
    rx_put(&host.rx, tw_buf_bytes(&wire), NULL, 0);
    assert_int_equal(tw_host_next(&host, &call), TW_E_CLOSED);
    assert_int_equal(strncmp(host.why, "TW-FRAME-002", 12), 0);
    tw_host_deinit(&host);
    tw_buf_deinit(&wire);
}

static void deinit_takes_anything(void **state)
{
    struct tw_host host = {0};

    (void)state;
    tw_host_deinit(NULL);
    tw_host_deinit(&host);
    host_open_bound(&host);
    host_take_call(&host, 1, 5);
    tw_host_deinit(&host);
    tw_host_deinit(&host);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        tw_unit_test(bind_reply_lists_every_method),
        tw_unit_test(unknown_calls_are_refused),
        tw_unit_test(call_carries_its_arguments),
        tw_unit_test(dropped_reply_cannot_be_given),
        tw_unit_test(one_last_reply_ends_a_request),
        tw_unit_test(stream_is_answered_until_its_last),
        tw_unit_test(descriptor_comes_with_its_call),
        tw_unit_test(descriptor_of_a_bind_does_not_linger),
        tw_unit_test(reply_takes_its_descriptor_only_on_success),
        tw_unit_test(reply_over_the_limit_leaves_the_request),
        tw_unit_test(client_that_does_not_read_is_closed),
        tw_unit_test(frames_without_a_call_are_done_in_turns),
        tw_unit_test(an_identity_comes_out_once),
        tw_unit_test(one_of_two_services_is_bound),
        tw_unit_test(outstanding_requests_are_bounded),
        tw_unit_test(too_large_frame_closes),
        tw_unit_test(deinit_takes_anything),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
