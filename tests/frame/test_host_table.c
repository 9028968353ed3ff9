/* SPDX-License-Identifier: Apache-2.0 */
/* Every cell of the table of the host's session, caused the way a client and a service do. */
#include "tests/frame/hosts.h"

#include <string.h>

static const char why_gone[] = "gone";

static void enter(struct tw_host *host, enum tw_host_state state)
{
    if (state == TW_HOST_STATE_UNBOUND)
        host_open(host);
    else
        host_open_bound(host);
    if (state == TW_HOST_STATE_CLOSED)
        tw_host_end(host, why_gone);
    assert_int_equal(host->state, state);
}

static void fill_requests(struct tw_host *host)
{
    for (uint64_t id = 1000; host->requests.n < TW_REQUESTS_MAX; id++)
        assert_int_equal(tw_requests_add(&host->requests, (struct tw_request){id, 5, NULL}), 0);
}

/* So much waits for the client that no further answer has room. */
static void fill_output(struct tw_host *host)
{
    static uint8_t body[100000];
    struct tw_frame frame = reply_frame(1, false, "");
    size_t n = sizeof(body);

    while (n > 0) {
        frame.invoke_reply.reply = (struct tw_bytes){body, n};
        if (tw_tx_frame(&host->tx, &frame, -1) == TW_E_FULL)
            n /= 2;
    }
}

/* Makes the event happen the way a client does. Requests are planted where no client could have
 * any, so that the cells that only guard against our own mistakes are walked as well. */
static void cause(struct tw_host *host, enum tw_host_event event)
{
    struct tw_frame frame = invoke_frame(CALL_ID, 1, 5);

    switch (event) {
    case TW_HOST_EVENT_BIND_KNOWN:
        frame = bind_frame(CALL_ID, "ProducerPort");
        break;
    case TW_HOST_EVENT_BIND_UNKNOWN:
        frame = bind_frame(CALL_ID, "ConsumerPort");
        break;
    case TW_HOST_EVENT_INVOKE_KNOWN:
        break;
    case TW_HOST_EVENT_INVOKE_KNOWN_DROP:
        frame.invoke.drop_reply = true;
        break;
    case TW_HOST_EVENT_INVOKE_UNKNOWN:
    case TW_HOST_EVENT_INVOKE_UNKNOWN_DROP:
        frame.invoke.method_id = tw_producer_port.n_methods + 1;
        frame.invoke.drop_reply = event == TW_HOST_EVENT_INVOKE_UNKNOWN_DROP;
        break;
    case TW_HOST_EVENT_INVOKE_REPEATED:
        assert_int_equal(tw_requests_add(&host->requests, (struct tw_request){CALL_ID, 5, NULL}),
                         0);
        break;
    case TW_HOST_EVENT_INVOKE_TOO_MANY:
        fill_requests(host);
        break;
    case TW_HOST_EVENT_IDENTITY_WANTED:
    case TW_HOST_EVENT_IDENTITY_UNWANTED:
        host->wants_identity = event == TW_HOST_EVENT_IDENTITY_WANTED;
        frame = (struct tw_frame){.kind = TW_FRAME_PEER_IDENTITY, .request_id = CALL_ID};
        break;
    case TW_HOST_EVENT_NOT_A_REQUEST:
        frame = reply_frame(CALL_ID, false, "x");
        break;
    case TW_HOST_EVENT_EMPTY:
        host_feed_payload(host, (struct tw_bytes){0});
        return;
    case TW_HOST_EVENT_BAD_FRAME:
        host_feed_payload(host, tw_bytes_of_str("\x12"));
        return;
    case TW_HOST_EVENT_OVERFLOW:
        fill_output(host);
        frame = bind_frame(CALL_ID, "ProducerPort");
        break;
    case TW_HOST_EVENT_END:
        tw_host_end(host, why_gone);
        return;
    default:
        fail();
    }
    host_feed(host, &frame);
}

static void assert_acted(struct tw_host *host, const struct tw_host_cell *cell,
                         enum tw_host_event event)
{
    struct tw_host_call call = {0};
    struct tw_buf keep = WIRE_INIT;
    struct tw_frame frame;
    size_t queued = tw_tx_queued(&host->tx);
    int rc = tw_host_next(host, &call);

    assert_int_equal(host->state, cell->next);
    if (cell->next == TW_HOST_STATE_CLOSED)
        assert_int_equal(rc, TW_E_CLOSED);
    else
        assert_int_equal(rc, cell->action == TW_HOST_ACTION_DISPATCH ||
                                     cell->action == TW_HOST_ACTION_DISPATCH_DROP ||
                                     cell->action == TW_HOST_ACTION_TELL_IDENTITY
                                 ? 0
                                 : TW_MORE);
    switch (cell->action) {
    case TW_HOST_ACTION_DISPATCH:
        assert_int_equal(call.request_id, CALL_ID);
        assert_int_equal(call.method, 5);
        assert_non_null(tw_requests_find(&host->requests, CALL_ID));
        assert_host_silent(host);
        break;
    case TW_HOST_ACTION_REPLY_BOUND:
        frame = host_only_answer(host, TW_FRAME_BIND_REPLY, &keep);
        assert_true(frame.bind_reply.success);
        assert_int_equal(frame.bind_reply.n_methods, tw_producer_port.n_methods);
        break;
    case TW_HOST_ACTION_REPLY_BIND_FAILED:
        frame = host_only_answer(host, TW_FRAME_BIND_REPLY, &keep);
        assert_false(frame.bind_reply.success);
        assert_int_equal(frame.bind_reply.n_methods, 0);
        break;
    case TW_HOST_ACTION_REFUSE:
        frame = host_only_answer(host, TW_FRAME_INVOKE_REPLY, &keep);
        assert_false(frame.invoke_reply.success || frame.invoke_reply.has_more);
        assert_false(frame.invoke_reply.has_reply);
        break;
    case TW_HOST_ACTION_REPLY_ERROR:
        host_only_answer(host, TW_FRAME_REQUEST_ERROR, &keep);
        break;
    case TW_HOST_ACTION_DISPATCH_DROP:
        assert_true(call.drop_reply && call.method == 5);
        assert_int_equal(host->requests.n, 0);
        assert_host_silent(host);
        break;
    case TW_HOST_ACTION_TELL_IDENTITY:
        assert_int_equal(call.method, TW_HOST_IDENTITY);
        assert_true(call.drop_reply && !host->wants_identity);
        assert_host_silent(host);
        break;
    case TW_HOST_ACTION_CLOSE:
        assert_non_null(host->why);
        if (event == TW_HOST_EVENT_BAD_FRAME)
            assert_int_equal(strncmp(host->why, "TW-ENC-001", 10), 0);
        else if (event == TW_HOST_EVENT_END)
            assert_string_equal(host->why, why_gone);
        else
            assert_int_equal(strncmp(host->why, cell->rule, strlen(cell->rule)), 0);
        assert_int_equal(tw_tx_queued(&host->tx), queued);
        break;
    case TW_HOST_ACTION_IGNORE:
        assert_int_equal(tw_tx_queued(&host->tx), queued);
        break;
    default:
        fail();
    }
    tw_buf_deinit(&keep);
}

/* What the service says about a request planted for it: in every state, the table's answer. */
static void walk_answer(struct tw_host *host, enum tw_host_event event,
                        const struct tw_host_cell *cell)
{
    static const struct {
        enum tw_host_action action;
        int told;
    } answers[] = {
        {TW_HOST_ACTION_SEND_LAST, 0},
        {TW_HOST_ACTION_SEND_MORE, 0},
        {TW_HOST_ACTION_TELL_NOT_FOUND, TW_E_NOT_FOUND},
        {TW_HOST_ACTION_TELL_INVALID, TW_E_INVALID},
        {TW_HOST_ACTION_TELL_CLOSED, TW_E_CLOSED},
    };
    uint32_t method = event == TW_HOST_EVENT_ANSWER_MORE_UNARY ? TW_PRODUCER_SYNC : 5;
    uint64_t id = event == TW_HOST_EVENT_ANSWER_UNWANTED ? CALL_ID + 1 : CALL_ID;
    struct tw_bytes body = tw_bytes_of_str("body");
    struct tw_buf keep = WIRE_INIT;
    bool more = event == TW_HOST_EVENT_ANSWER_MORE || event == TW_HOST_EVENT_ANSWER_MORE_UNARY;
    int rc;

    REQ("TW-SESS-004");
    assert_int_equal(tw_requests_add(&host->requests, (struct tw_request){CALL_ID, method, NULL}),
                     0);
    rc = tw_host_reply(host, id, &body, more, -1);
    for (size_t i = 0; i < TW_ARRAY_LEN(answers); i++)
        if (answers[i].action == cell->action)
            assert_int_equal(rc, answers[i].told);
    assert_int_equal(host->state, cell->next);
    assert_int_equal(host->requests.n, cell->action == TW_HOST_ACTION_SEND_LAST ? 0 : 1);
    if (rc == 0)
        assert_int_equal(host_only_answer(host, TW_FRAME_INVOKE_REPLY, &keep).invoke_reply.has_more,
                         more);
    assert_host_silent(host);
    tw_buf_deinit(&keep);
}

static void every_cell_of_the_table(void **state)
{
    REQ("TW-SESS-002");
    REQ("TW-SESS-007");
    REQ("TW-SESS-008");
    REQ("TW-SESS-009");
    REQ("TW-SESS-010");
    REQ("TW-SESS-012");
    REQ("TW-SESS-014");
    REQ("TW-ENC-017");
    (void)state;
    REQ("TW-SESS-001");
    REQ("TW-SESS-002");
    REQ("TW-SESS-003");
    REQ("TW-SESS-005");
    REQ("TW-SESS-007");
    REQ("TW-SESS-008");
    REQ("TW-SESS-009");
    REQ("TW-SESS-010");
    REQ("TW-FRAME-004");
    REQ("TW-LIM-004");
    REQ("TW-NET-017");
    for (enum tw_host_state s = 0; s < TW_HOST_STATE_MAX; s++) {
        for (enum tw_host_event e = 0; e < TW_HOST_EVENT_MAX; e++) {
            struct tw_host host;

            enter(&host, s);
            if (strncmp(tw_host_event_names[e], "answer", 6) == 0) {
                walk_answer(&host, e, &tw_host_table[s][e]);
            } else {
                cause(&host, e);
                assert_acted(&host, &tw_host_table[s][e], e);
            }
            tw_host_deinit(&host);
        }
    }
}

/* Whatever closes a connection, nothing that came behind it has any effect. */
static void nothing_is_handed_out_after_the_end(void **state)
{
    REQ("TW-SESS-010");
    (void)state;
    for (enum tw_host_event e = 0; e < TW_HOST_EVENT_MAX; e++) {
        struct tw_host host;
        struct tw_host_call call;

        if (tw_host_table[TW_HOST_STATE_BOUND][e].next != TW_HOST_STATE_CLOSED)
            continue;
        host_open_bound(&host);
        host_take_call(&host, 7, 5);
        cause(&host, e);
        assert_int_equal(tw_host_next(&host, &call), TW_E_CLOSED);
        host_drop_output(&host);
        cause(&host, TW_HOST_EVENT_INVOKE_KNOWN);
        for (int i = 0; i < 3; i++)
            assert_int_equal(tw_host_next(&host, &call), TW_E_CLOSED);
        assert_int_equal(tw_host_reply(&host, 7, NULL, false, -1), TW_E_CLOSED);
        tw_host_end(&host, "not the first reason");
        assert_string_not_equal(host.why, "not the first reason");
        assert_host_silent(&host);
        tw_host_deinit(&host);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        tw_unit_test(every_cell_of_the_table),
        tw_unit_test(nothing_is_handed_out_after_the_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
