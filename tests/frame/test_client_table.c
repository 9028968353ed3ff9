/* SPDX-License-Identifier: Apache-2.0 */
/* Every cell of the table of the client's session, caused the way a host does. */
#include "base/req.h"
#include "tests/frame/clients.h"

#include <string.h>

/* Requests planted for the walk; their ids are far from those a client gives. */
enum { UNARY_ID = 5000, STREAM_ID = 5001, DROPPED_ID = 5002, NO_ID = 9999 };

static const char why_gone[] = "gone";

static void enter(struct tw_client *client, enum tw_client_state state)
{
    if (state == TW_CLIENT_STATE_BOUND || state == TW_CLIENT_STATE_CLOSED)
        client_open_bound(client);
    else
        assert_int_equal(tw_client_init(client, &tw_producer_port), 0);
    if (state == TW_CLIENT_STATE_BINDING)
        assert_int_equal(tw_client_bind(client), 0);
    if (state == TW_CLIENT_STATE_CLOSED)
        tw_client_end(client, why_gone);
    assert_int_equal(client->state, state);
    assert_int_equal(
        tw_requests_add(&client->requests, (struct tw_request){UNARY_ID, TW_PRODUCER_SYNC, client}),
        0);
    assert_int_equal(tw_requests_add(&client->requests, (struct tw_request){STREAM_ID, 5, client}),
                     0);
    client->dropped = 1;
    client->dropped_id = DROPPED_ID;
}

/* A call with a method the service has, also where no bind reply can have said so. */
static void cause_call(struct tw_client *client, enum tw_client_event event, int want)
{
    bool drop = event == TW_CLIENT_EVENT_CALL_OFFERED_DROP;
    size_t n = client->requests.n;

    client->method_id[TW_PRODUCER_SYNC] = event == TW_CLIENT_EVENT_CALL_MISSING ? 0 : 11;
    for (uint64_t id = 6000; event == TW_CLIENT_EVENT_CALL_TOO_MANY && n < TW_REQUESTS_MAX; n++)
        assert_int_equal(tw_requests_add(&client->requests, (struct tw_request){.id = id++}), 0);
    assert_int_equal(
        tw_client_call(client, TW_PRODUCER_SYNC, (struct tw_bytes){0}, drop, -1, client, NULL),
        want);
    assert_int_equal(client->requests.n, n + (want == 0 && !drop));
}

/* What the program hears. */
static int told(enum tw_client_action action)
{
    switch (action) {
    case TW_CLIENT_ACTION_SEND_BIND:
    case TW_CLIENT_ACTION_SEND_CALL:
    case TW_CLIENT_ACTION_SEND_CALL_DROP:
        return 0;
    case TW_CLIENT_ACTION_TELL_CLOSED:
        return TW_E_CLOSED;
    case TW_CLIENT_ACTION_TELL_NOT_FOUND:
        return TW_E_NOT_FOUND;
    case TW_CLIENT_ACTION_TELL_LIMIT:
        return TW_E_LIMIT;
    default:
        assert_int_equal(action, TW_CLIENT_ACTION_TELL_INVALID);
        return TW_E_INVALID;
    }
}

static bool is_local(enum tw_client_event event)
{
    return strncmp(tw_client_event_names[event], "call", 4) == 0 || event == TW_CLIENT_EVENT_BIND;
}

/* What the program does and hears: exactly what it is allowed goes out. */
static void walk_local(struct tw_client *client, enum tw_client_event event,
                       const struct tw_client_cell *cell)
{
    enum tw_client_state before = client->state;
    size_t queued = tw_tx_queued(&client->tx);
    int want = told(cell->action);

    if (event == TW_CLIENT_EVENT_BIND)
        assert_int_equal(tw_client_bind(client), want);
    else
        cause_call(client, event, want);
    assert_int_equal(client->state, cell->next);
    assert_true(want == 0 || client->state == before);
    assert_int_equal(tw_tx_queued(&client->tx) > queued, want == 0);
}

static void cause(struct tw_client *client, enum tw_client_event event)
{
    struct tw_frame frame = {0};

    switch (event) {
    case TW_CLIENT_EVENT_BIND_REPLY_OK:
    case TW_CLIENT_EVENT_BIND_REPLY_FAILED:
        client_feed_bind_reply(client, event == TW_CLIENT_EVENT_BIND_REPLY_OK, NULL, 0);
        return;
    case TW_CLIENT_EVENT_BIND_REPLY_UNASKED:
        frame = (struct tw_frame){.kind = TW_FRAME_BIND_REPLY, .request_id = NO_ID};
        break;
    case TW_CLIENT_EVENT_INVOKE_REPLY_LAST:
        frame = reply_frame(UNARY_ID, false, "last");
        break;
    case TW_CLIENT_EVENT_INVOKE_REPLY_MORE:
        frame = reply_frame(STREAM_ID, true, "more");
        break;
    case TW_CLIENT_EVENT_INVOKE_REPLY_MORE_UNARY:
        frame = reply_frame(UNARY_ID, true, "more");
        break;
    case TW_CLIENT_EVENT_INVOKE_REPLY_DROPPED:
        frame = reply_frame(DROPPED_ID, false, NULL);
        break;
    case TW_CLIENT_EVENT_INVOKE_REPLY_UNKNOWN:
        frame = reply_frame(NO_ID, false, "last");
        break;
    case TW_CLIENT_EVENT_REQUEST_ERROR_OF_BIND:
        frame = (struct tw_frame){.kind = TW_FRAME_REQUEST_ERROR, .request_id = client->bind_id};
        break;
    case TW_CLIENT_EVENT_REQUEST_ERROR_OF_CALL:
        frame = (struct tw_frame){.kind = TW_FRAME_REQUEST_ERROR, .request_id = UNARY_ID};
        break;
    case TW_CLIENT_EVENT_REQUEST_ERROR_UNKNOWN:
        frame = (struct tw_frame){.kind = TW_FRAME_REQUEST_ERROR, .request_id = NO_ID};
        break;
    case TW_CLIENT_EVENT_NOT_A_REPLY:
        frame = invoke_frame(UNARY_ID, 1, 1);
        break;
    case TW_CLIENT_EVENT_EMPTY:
        client_feed_payload(client, (struct tw_bytes){0});
        return;
    case TW_CLIENT_EVENT_BAD_FRAME:
        client_feed_payload(client, tw_bytes_of_str("\x12"));
        return;
    case TW_CLIENT_EVENT_END:
        tw_client_end(client, why_gone);
        return;
    default:
        fail();
    }
    client_feed(client, &frame);
}

static void assert_closed(struct tw_client *client, enum tw_client_event event, const char *rule)
{
    static const uint64_t ids[] = {UNARY_ID, STREAM_ID};

    assert_client_refuses(client, ids, TW_ARRAY_LEN(ids));
    assert_int_equal(client->state, TW_CLIENT_STATE_CLOSED);
    assert_non_null(client->why);
    if (!rule || event == TW_CLIENT_EVENT_END)
        assert_string_equal(client->why, why_gone);
    else if (event == TW_CLIENT_EVENT_BAD_FRAME)
        assert_int_equal(strncmp(client->why, "TW-ENC-001", 10), 0);
    else
        assert_string_equal(client->why, rule);
}

static void assert_event(const struct tw_client_event_out *event, enum tw_client_event_kind kind,
                         uint64_t id)
{
    assert_int_equal(event->kind, kind);
    assert_true(event->request_id == id);
}

static void assert_acted(struct tw_client *client, const struct tw_client_cell *cell)
{
    struct tw_client_event_out event = {0};
    int rc = tw_client_next(client, &event);

    assert_int_equal(client->state, cell->next);
    assert_int_equal(rc, cell->action == TW_CLIENT_ACTION_IGNORE ||
                                 cell->action == TW_CLIENT_ACTION_FORGET_DROP
                             ? TW_MORE
                             : 0);
    assert_int_equal(client->dropped, cell->action == TW_CLIENT_ACTION_FORGET_DROP ? 0 : 1);
    switch (cell->action) {
    case TW_CLIENT_ACTION_REPORT_BOUND:
        assert_event(&event, TW_CLIENT_BOUND, client->bind_id);
        break;
    case TW_CLIENT_ACTION_REPORT_BIND_FAILED:
        assert_event(&event, TW_CLIENT_BIND_FAILED, client->bind_id);
        break;
    case TW_CLIENT_ACTION_REPORT_REPLY:
        assert_event(&event, TW_CLIENT_REPLY, UNARY_ID);
        assert_true(event.success && !event.has_more && event.user == client);
        assert_true(tw_bytes_eq_str(event.reply, "last"));
        assert_null(tw_requests_find(&client->requests, UNARY_ID));
        break;
    case TW_CLIENT_ACTION_REPORT_MORE:
        assert_event(&event, TW_CLIENT_REPLY, STREAM_ID);
        assert_true(event.success && event.has_more && event.user == client);
        assert_int_equal(event.method, 5);
        assert_non_null(tw_requests_find(&client->requests, STREAM_ID));
        break;
    case TW_CLIENT_ACTION_REPORT_REFUSED:
        assert_event(&event, TW_CLIENT_REFUSED, UNARY_ID);
        assert_null(tw_requests_find(&client->requests, UNARY_ID));
        break;
    case TW_CLIENT_ACTION_FORGET_DROP:
    case TW_CLIENT_ACTION_IGNORE:
        break;
    default:
        fail();
    }
}

static void every_cell_of_the_table(void **state)
{
    REQ("TW-SESS-015");
    REQ("TW-SESS-025");
    (void)state;
    REQ("TW-SESS-006");
    REQ("TW-SESS-009");
    REQ("TW-SESS-020");
    REQ("TW-SESS-021");
    REQ("TW-SESS-022");
    REQ("TW-SESS-023");
    REQ("TW-SESS-024");
    REQ("TW-SESS-025");
    REQ("TW-SESS-026");
    REQ("TW-SESS-027");
    REQ("TW-SESS-030");
    REQ("TW-SESS-031");
    REQ("TW-FRAME-004");
    for (enum tw_client_state s = 0; s < TW_CLIENT_STATE_MAX; s++) {
        for (enum tw_client_event e = 0; e < TW_CLIENT_EVENT_MAX; e++) {
            const struct tw_client_cell *cell = &tw_client_table[s][e];
            struct tw_client client;

            enter(&client, s);
            if (is_local(e)) {
                walk_local(&client, e, cell);
                tw_client_deinit(&client);
                continue;
            }
            cause(&client, e);
            if (cell->next == TW_CLIENT_STATE_CLOSED)
                assert_closed(&client, e, s == TW_CLIENT_STATE_CLOSED ? NULL : cell->rule);
            else
                assert_acted(&client, cell);
            tw_client_deinit(&client);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        tw_unit_test(every_cell_of_the_table),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
