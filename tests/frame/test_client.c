/* SPDX-License-Identifier: Apache-2.0 */
/* The client's session: binding, calls and their replies, and hosts that misbehave. */
#include "tests/frame/clients.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "base/macros.h"
#include "base/req.h"

static const char why_gone[] = "gone";

static void assert_event(const struct tw_client_event_out *event, enum tw_client_event_kind kind,
                         uint64_t id)
{
    assert_int_equal(event->kind, kind);
    assert_true(event->request_id == id);
}

static void bind_goes_out_once(void **state)
{
    struct tw_buf keep = WIRE_INIT;
    struct tw_client client;
    struct tw_frame frame;

    (void)state;
    assert_int_equal(tw_client_init(&client, &tw_consumer_port), 0);
    assert_int_equal(tw_client_bind(&client), 0);
    assert_int_equal(tw_client_bind(&client), TW_E_INVALID);
    frame = tx_get(&client.tx, &keep);
    assert_int_equal(frame.kind, TW_FRAME_BIND);
    assert_int_equal(frame.request_id, 1);
    assert_true(tw_bytes_eq_str(frame.bind.service_name, "ConsumerPort"));
    assert_int_equal(tw_tx_queued(&client.tx), 0);
    tw_client_deinit(&client);
    tw_buf_deinit(&keep);
}

static void bind_may_be_tried_again_after_a_failure(void **state)
{
    struct tw_client client;
    struct tw_client_event_out event;

    (void)state;
    assert_int_equal(tw_client_init(&client, &tw_producer_port), 0);
    for (uint64_t id = 1; id < 4; id++) {
        assert_int_equal(tw_client_bind(&client), 0);
        assert_true(client.bind_id == id);
        client_feed_bind_reply(&client, false, NULL, 0);
        assert_int_equal(tw_client_next(&client, &event), 0);
        assert_event(&event, TW_CLIENT_BIND_FAILED, id);
    }
    tw_client_deinit(&client);
}

static void calls_need_a_bound_service(void **state)
{
    REQ("TW-SESS-030");
    const struct tw_bytes none = {0};
    struct tw_client client;

    (void)state;
    assert_int_equal(tw_client_init(&client, &tw_producer_port), 0);
    assert_int_equal(tw_client_call(&client, 4, none, false, -1, NULL, NULL), TW_E_INVALID);
    assert_int_equal(tw_client_bind(&client), 0);
    assert_int_equal(tw_client_call(&client, 4, none, false, -1, NULL, NULL), TW_E_INVALID);
    tw_client_end(&client, why_gone);
    assert_int_equal(tw_client_call(&client, 4, none, false, -1, NULL, NULL), TW_E_CLOSED);
    assert_int_equal(tw_client_bind(&client), TW_E_CLOSED);
    tw_client_deinit(&client);
}

/* Ids come from the bind reply, whatever a service's numbers are. */
static void method_ids_are_learnt_by_name(void **state)
{
    REQ("TW-SESS-020");
    struct tw_buf keep = WIRE_INIT;
    struct tw_client client;

    (void)state;
    client_open_bound_from(&client, 100);
    for (uint32_t m = 1; m <= tw_producer_port.n_methods; m++) {
        struct tw_frame frame;
        uint64_t id = client_call(&client, m, NULL);

        frame = tx_get(&client.tx, &keep);
        assert_int_equal(frame.kind, TW_FRAME_INVOKE);
        assert_true(frame.request_id == id && id == m + 1);
        assert_int_equal(frame.invoke.service_id, 17);
        assert_int_equal(frame.invoke.method_id, 99 + m);
    }
    tw_client_deinit(&client);
    tw_buf_deinit(&keep);
}

static void odd_method_lists_are_survived(void **state)
{
    REQ("TW-SESS-020");
    static const struct {
        uint32_t id;
        const char *name;
    } listed[] = {
        {0, "CommitData"}, /* 0 is no id */
        {9, "CommitData"},
        {10, "CommitData"}, /* the first counts */
        {9, "Sync"},        /* one id for two names */
        {12, "commitdata"},
        {13, ""},
        {14, "RegisterDataSource\1"},
        {UINT32_MAX, "GetAsyncCommand"},
    };
    struct tw_method_info list[TW_ARRAY_LEN(listed)];
    struct tw_client client;
    struct tw_client_event_out event;
    const struct tw_bytes none = {0};

    (void)state;
    for (size_t i = 0; i < TW_ARRAY_LEN(listed); i++)
        list[i] = (struct tw_method_info){listed[i].id, tw_bytes_of_str(listed[i].name)};
    assert_int_equal(tw_client_init(&client, &tw_producer_port), 0);
    assert_int_equal(tw_client_bind(&client), 0);
    client_feed_bind_reply(&client, true, list, TW_ARRAY_LEN(list));
    assert_int_equal(tw_client_next(&client, &event), 0);
    assert_int_equal(client.method_id[TW_PRODUCER_COMMIT_DATA], 9);
    assert_int_equal(client.method_id[TW_PRODUCER_SYNC], 9);
    assert_int_equal(client.method_id[TW_PRODUCER_GET_ASYNC_COMMAND], UINT32_MAX);
    assert_int_equal(
        tw_client_call(&client, TW_PRODUCER_REGISTER_DATA_SOURCE, none, false, -1, NULL, NULL),
        TW_E_NOT_FOUND);
    assert_int_equal(tw_client_call(&client, 0, none, false, -1, NULL, NULL), TW_E_NOT_FOUND);
    assert_int_equal(tw_client_call(&client, 13, none, false, -1, NULL, NULL), TW_E_NOT_FOUND);
    assert_int_equal(tw_client_call(&client, UINT32_MAX, none, false, -1, NULL, NULL),
                     TW_E_NOT_FOUND);
    assert_int_equal(client.last_id, 1); /* nothing was sent, no id is used up */
    tw_client_deinit(&client);
}

/* As many methods as fit into a frame cost a moment, no more. */
static void flood_of_methods_is_survived(void **state)
{
    size_t n = TW_FRAME_PAYLOAD_MAX / 2 - 10;
    struct tw_buf payload = WIRE_INIT;
    struct tw_client client;
    struct tw_client_event_out event;

    (void)state;
    assert_int_equal(tw_client_init(&client, &tw_producer_port), 0);
    assert_int_equal(tw_client_bind(&client), 0);
    wire_put_hex(&payload, "1001 22");
    n = (n - 2) & ~(size_t)1;
    for (size_t left = 2 * n + 2; left; left >>= 7) {
        uint8_t octet = (uint8_t)(left >= 0x80 ? 0x80 | left : left);

        assert_int_equal(tw_buf_append(&payload, &octet, 1), 0);
    }
    wire_put_hex(&payload, "0801");
    for (size_t i = 0; i < n; i++)
        wire_put_hex(&payload, "1a00");
    client_feed_payload(&client, tw_buf_bytes(&payload));
    assert_int_equal(tw_client_next(&client, &event), 0);
    assert_event(&event, TW_CLIENT_BOUND, 1);
    tw_client_deinit(&client);
    tw_buf_deinit(&payload);
}

static void replies_find_their_calls(void **state)
{
    REQ("TW-SESS-005");
    REQ("TW-SESS-027");
    struct tw_client client;
    struct tw_client_event_out event;
    int user[3];
    uint64_t ids[3];

    (void)state;
    client_open_bound(&client);
    for (int i = 0; i < 3; i++)
        ids[i] = client_call(&client, TW_PRODUCER_SYNC, &user[i]);
    for (int i = 2; i >= 0; i--) { /* in any order */
        struct tw_frame frame = reply_frame(ids[i], false, i == 1 ? NULL : "body");

        client_feed(&client, &frame);
        assert_int_equal(tw_client_next(&client, &event), 0);
        assert_event(&event, TW_CLIENT_REPLY, ids[i]);
        assert_ptr_equal(event.user, &user[i]);
        assert_int_equal(event.success, i != 1);
        assert_int_equal(event.method, TW_PRODUCER_SYNC);
    }
    assert_int_equal(tw_client_next(&client, &event), TW_MORE);
    tw_client_deinit(&client);
}

/* The second last reply to a request is a reply to nothing. */
static void second_reply_closes(void **state)
{
    REQ("TW-SESS-022");
    struct tw_client client;
    struct tw_client_event_out event;
    struct tw_frame frame;

    (void)state;
    client_open_bound(&client);
    frame = reply_frame(client_call(&client, TW_PRODUCER_SYNC, NULL), false, "");
    client_feed(&client, &frame);
    client_feed(&client, &frame);
    assert_int_equal(tw_client_next(&client, &event), 0);
    assert_client_refuses(&client, NULL, 0);
    assert_string_equal(client.why, "TW-SESS-022");
    tw_client_deinit(&client);
}

static void call_without_reply_is_not_awaited(void **state)
{
    REQ("TW-SESS-031");
    struct tw_buf keep = WIRE_INIT;
    struct tw_client client;
    struct tw_frame frame;
    uint64_t id;

    (void)state;
    client_open_bound(&client);
    assert_int_equal(tw_client_call(&client, TW_PRODUCER_COMMIT_DATA, tw_bytes_of_str("args"), true,
                                    -1, NULL, &id),
                     0);
    frame = tx_get(&client.tx, &keep);
    assert_true(frame.invoke.drop_reply);
    assert_true(tw_bytes_eq_str(frame.invoke.args, "args"));
    assert_int_equal(client.requests.n, 0);
    tw_client_end(&client, why_gone);
    assert_client_refuses(&client, NULL, 0);
    tw_client_deinit(&client);
    tw_buf_deinit(&keep);
}

static void stream_of_replies_may_be_long(void **state)
{
    struct tw_client client;
    struct tw_client_event_out event;
    struct tw_frame more;
    uint64_t id;

    (void)state;
    client_open_bound(&client);
    id = client_call(&client, TW_PRODUCER_GET_ASYNC_COMMAND, NULL);
    more = reply_frame(id, true, "more");
    for (int i = 0; i < 10000; i++) {
        client_feed(&client, &more);
        assert_int_equal(tw_client_next(&client, &event), 0);
        assert_true(event.has_more);
    }
    assert_int_equal(client.requests.n, 1);
    more.invoke_reply.has_more = false;
    client_feed(&client, &more);
    assert_int_equal(tw_client_next(&client, &event), 0);
    assert_false(event.has_more);
    assert_int_equal(client.requests.n, 0);
    tw_client_deinit(&client);
}

static void outstanding_calls_are_bounded(void **state)
{
    struct tw_client client;
    size_t queued;

    (void)state;
    client_open_bound(&client);
    for (int i = 0; i < TW_REQUESTS_MAX; i++)
        (void)client_call(&client, TW_PRODUCER_SYNC, NULL);
    queued = tw_tx_queued(&client.tx);
    assert_int_equal(
        tw_client_call(&client, TW_PRODUCER_SYNC, (struct tw_bytes){0}, false, -1, NULL, NULL),
        TW_E_LIMIT);
    assert_int_equal(tw_tx_queued(&client.tx), queued);
    assert_int_equal(client.last_id, TW_REQUESTS_MAX + 1);
    tw_client_deinit(&client);
}

/* A call that cannot be queued leaves no request behind, and its descriptor with the caller. */
static void call_that_does_not_fit_changes_nothing(void **state)
{
    uint8_t *args = calloc(1, TW_FRAME_PAYLOAD_MAX);
    struct tw_client client;
    int fd = new_fd(), rc;
    size_t calls = 0;

    (void)state;
    assert_non_null(args);
    client_open_bound(&client);
    assert_int_equal(tw_client_call(&client, 4, (struct tw_bytes){args, TW_FRAME_PAYLOAD_MAX},
                                    false, fd, NULL, NULL),
                     TW_E_LIMIT);
    do {
        rc = tw_client_call(&client, 4, (struct tw_bytes){args, 100000}, false, -1, NULL, NULL);
        calls += rc == 0;
    } while (!rc);
    assert_int_equal(rc, TW_E_FULL);
    assert_int_equal(calls, TW_TX_MAX / 100000);
    assert_int_equal(
        tw_client_call(&client, 4, (struct tw_bytes){args, 100000}, false, fd, NULL, NULL),
        TW_E_FULL);
    assert_int_equal(client.requests.n, calls);
    assert_int_equal(client.last_id, 1 + calls);
    assert_true(fcntl(fd, F_GETFD) >= 0);
    tw_fd_close(&fd);
    tw_client_deinit(&client);
    free(args);
}

static void descriptor_comes_with_its_reply(void **state)
{
    struct tw_buf wire = WIRE_INIT;
    struct tw_client client;
    struct tw_client_event_out event;
    struct tw_frame frame;
    int fd = new_fd(), got;

    (void)state;
    client_open_bound(&client);
    frame = reply_frame(client_call(&client, TW_PRODUCER_GET_ASYNC_COMMAND, NULL), true, "setup");
    wire_put(&wire, &frame);
    rx_put(&client.rx, tw_buf_bytes(&wire), &fd, 1);
    client_feed(&client, &frame);
    assert_int_equal(tw_client_next(&client, &event), 0);
    got = tw_rx_take_fd(&client.rx);
    assert_int_equal(got, fd);
    tw_fd_close(&got);
    assert_int_equal(tw_client_next(&client, &event), 0);
    assert_int_equal(tw_rx_take_fd(&client.rx), -1);
    tw_client_deinit(&client);
    tw_buf_deinit(&wire);
}

/* However the connection ends, with replies still unread or not: each call hears of it once. */
static void every_outstanding_call_is_refused_once(void **state)
{
    (void)state;
    for (int answered = 0; answered <= 10; answered++) {
        struct tw_client client;
        struct tw_client_event_out event;
        struct tw_frame frame;
        uint64_t ids[10];

        client_open_bound(&client);
        for (int i = 0; i < 10; i++)
            ids[i] = client_call(&client, i % 2 ? 5 : TW_PRODUCER_SYNC, NULL);
        for (int i = 0; i < answered; i++) {
            frame = reply_frame(ids[i], false, "");
            client_feed(&client, &frame);
            assert_int_equal(tw_client_next(&client, &event), 0);
        }
        frame = reply_frame(ids[9], false, ""); /* arrives, but nobody asks before the end */
        client_feed(&client, &frame);
        tw_client_end(&client, why_gone);
        assert_client_refuses(&client, ids + answered, (size_t)(10 - answered));
        assert_string_equal(client.why, why_gone);
        tw_client_end(&client, "again");
        assert_string_equal(client.why, why_gone);
        tw_client_deinit(&client);
    }
}

static void too_large_frame_refuses_everything(void **state)
{
    struct tw_buf wire = WIRE_INIT;
    struct tw_client client;
    uint64_t ids[2];

    (void)state;
    client_open_bound(&client);
    for (int i = 0; i < 2; i++)
        ids[i] = client_call(&client, TW_PRODUCER_SYNC, NULL);
    wire_put_hex(&wire, "ffffffff");
    rx_put(&client.rx, tw_buf_bytes(&wire), NULL, 0);
    assert_client_refuses(&client, ids, 2);
    assert_int_equal(strncmp(client.why, "TW-FRAME-002", 12), 0);
    tw_client_deinit(&client);
    tw_buf_deinit(&wire);
}

static void bind_reply_of_another_request_closes(void **state)
{
    REQ("TW-SESS-015");
    REQ("TW-SESS-021");
    struct tw_client client;
    struct tw_frame frame = {.kind = TW_FRAME_BIND_REPLY, .request_id = 2};

    (void)state;
    frame.bind_reply.success = true;
    assert_int_equal(tw_client_init(&client, &tw_producer_port), 0);
    assert_int_equal(tw_client_bind(&client), 0);
    client_feed(&client, &frame);
    assert_client_refuses(&client, NULL, 0);
    assert_string_equal(client.why, "TW-SESS-021");
    tw_client_deinit(&client);
}

/* Frames without an event are done so many at a time, and each just once. */
static void flood_of_empty_frames_is_done_in_turns(void **state)
{
    const size_t frames = TW_FRAME_MAX / TW_FRAME_HEADER, frames_a_turn = 64;
    uint8_t *zeros = calloc(1, TW_FRAME_MAX);
    struct tw_client client;
    struct tw_client_event_out event;

    (void)state;
    REQ("TW-SESS-032");
    REQ("TW-LIM-040");
    assert_non_null(zeros);
    client_open_bound(&client);
    for (int i = 0; i < 8; i++) {
        rx_put(&client.rx, (struct tw_bytes){zeros, TW_FRAME_MAX}, NULL, 0);
        for (size_t turn = 0; turn < frames / frames_a_turn; turn++)
            assert_int_equal(tw_client_next(&client, &event), TW_AGAIN);
        assert_int_equal(tw_client_next(&client, &event), TW_MORE);
    }
    tw_client_deinit(&client);
    free(zeros);
}

static void deinit_takes_anything(void **state)
{
    struct tw_client client = {0};

    (void)state;
    tw_client_deinit(NULL);
    tw_client_deinit(&client);
    client_open_bound(&client);
    (void)client_call(&client, 5, NULL);
    tw_client_deinit(&client);
    tw_client_deinit(&client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        tw_unit_test(bind_goes_out_once),
        tw_unit_test(bind_may_be_tried_again_after_a_failure),
        tw_unit_test(calls_need_a_bound_service),
        tw_unit_test(method_ids_are_learnt_by_name),
        tw_unit_test(odd_method_lists_are_survived),
        tw_unit_test(flood_of_methods_is_survived),
        tw_unit_test(replies_find_their_calls),
        tw_unit_test(second_reply_closes),
        tw_unit_test(call_without_reply_is_not_awaited),
        tw_unit_test(stream_of_replies_may_be_long),
        tw_unit_test(outstanding_calls_are_bounded),
        tw_unit_test(call_that_does_not_fit_changes_nothing),
        tw_unit_test(descriptor_comes_with_its_reply),
        tw_unit_test(every_outstanding_call_is_refused_once),
        tw_unit_test(too_large_frame_refuses_everything),
        tw_unit_test(bind_reply_of_another_request_closes),
        tw_unit_test(flood_of_empty_frames_is_done_in_turns),
        tw_unit_test(deinit_takes_anything),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
