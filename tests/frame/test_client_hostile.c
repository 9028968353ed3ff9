/* SPDX-License-Identifier: Apache-2.0 */
/* The client's session against hosts that lie, repeat themselves, or say nothing. */
#include "tests/frame/clients.h"

#include <stdlib.h>
#include <string.h>

#include "base/fd.h"

static const struct tw_bytes none = {0};

static uint64_t drop_call(struct tw_client *client)
{
    uint64_t id = 0;

    assert_int_equal(tw_client_call(client, TW_PRODUCER_COMMIT_DATA, none, true, -1, NULL, &id), 0);
    return id;
}

/* The frame, fed to this client, ends the connection for this rule; n requests are refused. */
static void assert_ends(struct tw_client *client, const struct tw_frame *frame, const char *rule,
                        const uint64_t *ids, size_t n)
{
    client_feed(client, frame);
    assert_client_refuses(client, ids, n);
    assert_string_equal(client->why, rule);
    tw_client_deinit(client);
}

static void unknown_request_ids_end_the_connection(void **state)
{
    static const uint64_t ids[] = {0, 1, 3, 1000,
                                   UINT64_MAX}; /* 2 is outstanding, 1 was the bind */

    (void)state;
    REQ("TW-SESS-022");
    for (size_t i = 0; i < TW_ARRAY_LEN(ids); i++) {
        for (int success = 0; success < 2; success++) {
            struct tw_frame frame = reply_frame(ids[i], false, success ? "" : NULL);
            struct tw_client client;
            uint64_t call;

            client_open_bound(&client);
            call = client_call(&client, TW_PRODUCER_SYNC, NULL);
            assert_ends(&client, &frame, "TW-SESS-022", &call, 1);
        }
    }
}

static void refusals_of_dropped_calls_are_ignored_once_each(void **state)
{
    struct tw_client client;
    struct tw_client_event_out event;
    struct tw_frame refusal;
    uint64_t first, last;

    (void)state;
    REQ("TW-SESS-031");
    client_open_bound(&client);
    first = drop_call(&client);
    last = drop_call(&client);
    refusal = reply_frame(last, false, NULL);
    client_feed(&client, &refusal);
    refusal.request_id = first;
    client_feed(&client, &refusal);
    assert_int_equal(tw_client_next(&client, &event), TW_MORE);
    assert_ends(&client, &refusal, "TW-SESS-022", NULL, 0); /* a third for two calls */
}

/* What looks like the answer to a dropped call, and cannot be one. */
static void other_answers_to_dropped_calls_end_the_connection(void **state)
{
    (void)state;
    REQ("TW-SESS-022");
    REQ("TW-SESS-031");
    for (int lie = 0; lie < 4; lie++) {
        struct tw_client client;
        struct tw_frame frame;
        uint64_t id;

        client_open_bound(&client);
        id = drop_call(&client);
        if (lie == 0)
            frame = reply_frame(id, false, ""); /* success */
        else if (lie == 1)
            frame = reply_frame(id, true, NULL); /* a refusal with more to come */
        else if (lie == 2)
            frame = reply_frame(id + 1, false, NULL); /* an id not given out */
        else
            frame = reply_frame(0, false, NULL);
        assert_ends(&client, &frame, "TW-SESS-022", NULL, 0);
    }
}

/* The refusal of a call that waits is that call's, however many were dropped. */
static void a_refusal_is_of_the_call_that_waits(void **state)
{
    struct tw_client client;
    struct tw_client_event_out event;
    struct tw_frame refusal;

    (void)state;
    REQ("TW-SESS-004");
    client_open_bound(&client);
    (void)drop_call(&client);
    refusal = reply_frame(client_call(&client, TW_PRODUCER_SYNC, NULL), false, NULL);
    (void)drop_call(&client);
    client_feed(&client, &refusal);
    assert_int_equal(tw_client_next(&client, &event), 0);
    assert_true(event.kind == TW_CLIENT_REPLY && !event.success);
    assert_int_equal(client.dropped, 2);
    tw_client_deinit(&client);
}

static void replies_of_the_wrong_kind_end_the_connection(void **state)
{
    struct tw_frame bind_reply = {.kind = TW_FRAME_BIND_REPLY}, last, error;
    struct tw_client client;
    uint64_t call;

    (void)state;
    REQ("TW-SESS-021");
    client_open_bound(&client);
    call = bind_reply.request_id = client_call(&client, TW_PRODUCER_SYNC, NULL);
    assert_ends(&client, &bind_reply, "TW-SESS-021", &call, 1); /* a bind reply to a call */
    REQ("TW-SESS-022");
    assert_int_equal(tw_client_init(&client, &tw_producer_port), 0);
    assert_int_equal(tw_client_bind(&client), 0);
    last = reply_frame(client.bind_id, false, "");
    assert_ends(&client, &last, "TW-SESS-022", NULL, 0); /* a reply to the bind */
    REQ("TW-SESS-024");
    client_open_bound(&client);
    error = (struct tw_frame){.kind = TW_FRAME_REQUEST_ERROR, .request_id = client.bind_id};
    assert_ends(&client, &error, "TW-SESS-024", NULL, 0); /* an error for what has succeeded */
}

static void frames_that_are_no_replies_end_the_connection(void **state)
{
    struct tw_frame frames[] = {
        bind_frame(1, "ProducerPort"), invoke_frame(1, 1, 1), {.kind = TW_FRAME_PEER_IDENTITY}};

    (void)state;
    REQ("TW-SESS-025");
    for (size_t i = 0; i < TW_ARRAY_LEN(frames); i++) {
        struct tw_client client;

        client_open_bound(&client);
        assert_ends(&client, &frames[i], "TW-SESS-025", NULL, 0);
    }
}

static void replies_before_any_request_end_the_connection(void **state)
{
    struct tw_frame bind_reply = {.kind = TW_FRAME_BIND_REPLY}, last = reply_frame(0, false, "");
    struct tw_client client;

    (void)state;
    REQ("TW-SESS-021");
    bind_reply.bind_reply.success = true;
    assert_int_equal(tw_client_init(&client, &tw_producer_port), 0);
    assert_ends(&client, &bind_reply, "TW-SESS-021", NULL, 0);
    assert_int_equal(tw_client_init(&client, &tw_producer_port), 0);
    assert_ends(&client, &last, "TW-SESS-022", NULL, 0);
}

/* A second bind reply changes nothing of what the first said. */
static void a_repeated_bind_reply_ends_the_connection(void **state)
{
    struct tw_method_info other = {.id = 77, .name = tw_bytes_of_str("Sync")};
    struct tw_client client;

    (void)state;
    REQ("TW-SESS-021");
    client_open_bound(&client);
    client_feed_bind_reply(&client, true, &other, 1);
    assert_client_refuses(&client, NULL, 0);
    assert_string_equal(client.why, "TW-SESS-021");
    assert_int_equal(client.method_id[TW_PRODUCER_SYNC], TW_PRODUCER_SYNC);
    tw_client_deinit(&client);
}

/* Methods of the same name ten thousand times, and of no name we know: the first counts, the rest
 * is not kept. */
static void ten_thousand_methods_are_survived(void **state)
{
    enum { METHODS = 10000 };
    struct tw_method_info *list = calloc(METHODS, sizeof(*list));
    struct tw_client client;
    struct tw_client_event_out event;

    (void)state;
    REQ("TW-SESS-020");
    assert_non_null(list);
    for (uint32_t i = 0; i < METHODS; i++)
        list[i] = (struct tw_method_info){i + 5, tw_bytes_of_str(i % 2 ? "Sync" : "Sink")};
    assert_int_equal(tw_client_init(&client, &tw_producer_port), 0);
    assert_int_equal(tw_client_bind(&client), 0);
    client_feed_bind_reply(&client, true, list, METHODS);
    assert_int_equal(tw_client_next(&client, &event), 0);
    assert_int_equal(event.kind, TW_CLIENT_BOUND);
    assert_int_equal(client.method_id[TW_PRODUCER_SYNC], 6);
    assert_int_equal(tw_client_call(&client, TW_PRODUCER_COMMIT_DATA, none, false, -1, NULL, NULL),
                     TW_E_NOT_FOUND);
    tw_client_deinit(&client);
    free(list);
}

/* has_more for ever: each is handed out, nothing is kept, and the caller may end it at any time. */
static void has_more_for_ever_costs_nothing(void **state)
{
    struct tw_client client;
    struct tw_client_event_out event;
    struct tw_frame more;
    uint64_t id;
    size_t kept;

    (void)state;
    REQ("TW-SESS-027");
    client_open_bound(&client);
    id = client_call(&client, TW_PRODUCER_GET_ASYNC_COMMAND, NULL);
    more = reply_frame(id, true, "more");
    kept = client.requests.cap;
    for (int i = 0; i < 100000; i++) {
        client_feed(&client, &more);
        assert_int_equal(tw_client_next(&client, &event), 0);
        assert_true(event.has_more);
    }
    assert_int_equal(client.requests.n, 1);
    assert_int_equal(client.requests.cap, kept);
    tw_client_end(&client, "enough");
    assert_client_refuses(&client, &id, 1);
    tw_client_deinit(&client);
}

static void descriptors_where_none_belong_are_closed(void **state)
{
    struct tw_buf wire = WIRE_INIT;
    struct tw_client client;
    struct tw_client_event_out event;
    struct tw_frame frame;
    int before, fds[3];

    (void)state;
    REQ("TW-FD-002");
    client_open_bound(&client);
    before = tw_fd_count_open();
    for (size_t i = 0; i < TW_ARRAY_LEN(fds); i++)
        fds[i] = new_fd();
    frame = reply_frame(client_call(&client, TW_PRODUCER_SYNC, NULL), false, "");
    wire_put(&wire, &frame);
    rx_put(&client.rx, tw_buf_bytes(&wire), fds, TW_ARRAY_LEN(fds));
    assert_int_equal(tw_client_next(&client, &event), 0);
    assert_int_equal(tw_client_next(&client, &event), TW_MORE);
    assert_int_equal(tw_fd_count_open(), before);
    tw_client_deinit(&client);
    tw_buf_deinit(&wire);
}

/* A host that says nothing: the client waits as long as its caller wants it to, and no longer. */
static void silence_lasts_until_the_caller_ends_it(void **state)
{
    struct tw_client client;
    struct tw_client_event_out event;
    uint64_t ids[3];

    (void)state;
    REQ("TW-SESS-033");
    REQ("TW-SESS-026");
    client_open_bound(&client);
    for (size_t i = 0; i < TW_ARRAY_LEN(ids); i++)
        ids[i] = client_call(&client, TW_PRODUCER_SYNC, NULL);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(tw_client_next(&client, &event), TW_MORE);
    tw_client_end(&client, "the deadline has passed");
    assert_client_refuses(&client, ids, TW_ARRAY_LEN(ids));
    assert_string_equal(client.why, "the deadline has passed");
    tw_client_deinit(&client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        tw_unit_test(unknown_request_ids_end_the_connection),
        tw_unit_test(refusals_of_dropped_calls_are_ignored_once_each),
        tw_unit_test(other_answers_to_dropped_calls_end_the_connection),
        tw_unit_test(a_refusal_is_of_the_call_that_waits),
        tw_unit_test(replies_of_the_wrong_kind_end_the_connection),
        tw_unit_test(frames_that_are_no_replies_end_the_connection),
        tw_unit_test(replies_before_any_request_end_the_connection),
        tw_unit_test(a_repeated_bind_reply_ends_the_connection),
        tw_unit_test(ten_thousand_methods_are_survived),
        tw_unit_test(has_more_for_ever_costs_nothing),
        tw_unit_test(descriptors_where_none_belong_are_closed),
        tw_unit_test(silence_lasts_until_the_caller_ends_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
