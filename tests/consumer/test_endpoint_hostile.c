/* SPDX-License-Identifier: Apache-2.0 */
/* The endpoint with a service that refuses, goes away or talks nonsense. */
#include "tests/consumer/rig.h"

#include <poll.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "base/macros.h"

static void every_call_can_be_refused(void **state)
{
    (void)state;
    for (int which = 0; which < N_CALLS; which++) {
        struct rig *rig = rig_bound();

        assert_int_equal(call_nth(rig, which, &rig->call[0]), 0);
        host_reply(rig, any_request(rig).request_id, false, false, NULL, 0);
        assert_int_equal(tw_consumer_dispatch(rig->consumer), 0);
        assert_told(&rig->call[0], 1, TW_E_REFUSED);
        rig_free(rig);
    }
}

static void a_request_error_refuses_the_call(void **state)
{
    REQ("TW-SESS-024");
    (void)state;
    for (int which = 0; which < N_CALLS; which++) {
        struct rig *rig = rig_bound();
        struct tw_frame error = {.kind = TW_FRAME_REQUEST_ERROR,
                                 .request_error.text = tw_bytes_of_str("unknown request")};

        assert_int_equal(call_nth(rig, which, &rig->call[0]), 0);
        error.request_id = any_request(rig).request_id;
        host_send(rig, &error);
        assert_int_equal(tw_consumer_dispatch(rig->consumer), 0);
        assert_told(&rig->call[0], 1, TW_E_REFUSED);
        rig_free(rig);
    }
}

static void success_without_a_body_harms_nobody(void **state)
{
    (void)state;
    for (int which = 0; which < N_CALLS; which++) {
        struct rig *rig = rig_bound();

        assert_int_equal(call_nth(rig, which, &rig->call[0]), 0);
        host_reply(rig, any_request(rig).request_id, true, false, NULL, 0);
        assert_int_equal(tw_consumer_dispatch(rig->consumer), 0);
        assert_told(&rig->call[0], 1, 0);
        assert_int_equal(rig->call[0].n, 0);
        rig_free(rig);
    }
}

static void every_outstanding_call_is_refused_when_the_service_goes(void **state)
{
    REQ("TW-SESS-026");
    struct told told[N_CALLS] = {0};
    struct rig *rig = rig_bound();

    (void)state;
    for (int which = 0; which < N_CALLS; which++)
        assert_int_equal(call_nth(rig, which, &told[which]), 0);
    host_close(rig);
    assert_over(rig);
    for (int which = 0; which < N_CALLS; which++)
        assert_told(&told[which], 1, TW_E_CLOSED);
    rig_free(rig);
}

static void a_service_that_goes_before_the_bind_reply_is_told(void **state)
{
    struct rig *rig = rig_new();

    (void)state;
    assert_int_equal(tw_consumer_dispatch(rig->consumer), 0);
    host_close(rig);
    assert_over(rig);
    assert_told(&rig->bound, 1, TW_E_CLOSED);
    rig_free(rig);
}

/* The bind reply and the first answer, cut off after every single byte. */
static void a_disconnect_at_every_byte_refuses_the_call(void **state)
{
    static const char answer[] = {0x0c, 0, 0, 0, 0x10, 2, 0x32, 8, 8, 1, 0x10, 0, 0x1a, 2, 8, 1};

    (void)state;
    for (size_t n = 0; n < sizeof(answer); n++) {
        struct rig *rig = rig_bound();

        assert_int_equal(call_nth(rig, 0, &rig->call[0]), 0);
        assert_int_equal(any_request(rig).request_id, 2);
        if (n)
            host_send_bytes(rig, answer, n);
        assert_int_equal(tw_consumer_dispatch(rig->consumer), 0);
        assert_told(&rig->call[0], 0, 0);
        host_close(rig);
        assert_over(rig);
        assert_told(&rig->call[0], 1, TW_E_CLOSED);
        rig_free(rig);
    }
}

static void an_answer_byte_by_byte_is_an_answer(void **state)
{
    static const char answer[] = {0x0c, 0, 0, 0, 0x10, 2, 0x32, 8, 8, 1, 0x10, 0, 0x1a, 2, 8, 1};
    struct rig *rig = rig_bound();

    (void)state;
    assert_int_equal(call_nth(rig, 0, &rig->call[0]), 0);
    for (size_t i = 0; i < sizeof(answer); i++) {
        assert_told(&rig->call[0], 0, 0);
        host_send_bytes(rig, answer + i, 1);
        assert_int_equal(tw_consumer_dispatch(rig->consumer), 0);
    }
    assert_told(&rig->call[0], 1, 0);
    rig_free(rig);
}

/* Answers that make no sense: the call that gets one is told so, the others that it is over. */
static void assert_breaks(int which, bool success, bool more, const char *body, size_t n,
                          int result)
{
    struct rig *rig = rig_bound();

    assert_int_equal(call_nth(rig, which, &rig->call[0]), 0);
    assert_int_equal(call_nth(rig, 3, &rig->call[1]), 0);
    host_reply(rig, any_request(rig).request_id, success, more, body, n);
    assert_over(rig);
    assert_told(&rig->call[0], 1, result);
    assert_told(&rig->call[1], 1, TW_E_CLOSED);
    rig_free(rig);
}

static void answers_that_make_no_sense_end_the_connection(void **state)
{
    REQ("TW-SESS-023");
    (void)state;
    assert_breaks(0, true, false, "\x1a\x05x", 3, TW_E_PROTOCOL); /* the error is cut off */
    assert_breaks(0, true, false, "\x18\x01", 2, TW_E_PROTOCOL);  /* the error is a number */
    assert_breaks(4, true, false, "\x12\x7f", 2, TW_E_PROTOCOL);
    assert_breaks(4, true, true, "\x12\x7f", 2, TW_E_PROTOCOL);
    assert_breaks(4, false, true, "", 0, TW_E_PROTOCOL);
    assert_breaks(6, false, true, "", 0, TW_E_PROTOCOL);
    assert_breaks(3, true, true, "", 0, TW_E_CLOSED); /* only one answer is due */
    assert_breaks(0, true, true, "", 0, TW_E_CLOSED);
}

static void a_packet_that_is_cut_off_is_told(void **state)
{
    static const char part[] = {0x12, 3, 0x0a, 1, 'x'};
    struct rig *rig = rig_bound();

    (void)state;
    assert_int_equal(call_nth(rig, 4, &rig->call[0]), 0);
    host_reply(rig, any_request(rig).request_id, true, false, part, sizeof(part));
    assert_int_equal(tw_consumer_dispatch(rig->consumer), 0);
    assert_told(&rig->call[0], 1, TW_E_TRUNCATED);
    assert_int_equal(rig->call[0].packets, 0);
    rig_free(rig);
}

static void nonsense_from_the_service_ends_the_connection(void **state)
{
    static const struct {
        const char *bytes;
        size_t n;
    } bad[] = {
        {"\xff\xff\xff\xff", 4},                          /* no frame is so large */
        {"\x02\x00\x00\x00\xff\xff", 6},                  /* no protobuf */
        {"\x06\x00\x00\x00\x10\x63\x32\x02\x08\x01", 10}, /* an answer to no request */
        {"\x06\x00\x00\x00\x10\x01\x22\x02\x08\x01", 10}, /* a second bind reply */
        {"\x06\x00\x00\x00\x10\x05\x1a\x02\x0a\x00", 10}, /* a request */
        {"\x06\x00\x00\x00\x10\x63\x3a\x02\x0a\x00", 10}, /* an error for no request */
    };

    (void)state;
    for (size_t i = 0; i < TW_ARRAY_LEN(bad); i++) {
        struct rig *rig = rig_bound();

        assert_int_equal(call_nth(rig, 0, &rig->call[0]), 0);
        host_send_bytes(rig, bad[i].bytes, bad[i].n);
        assert_over(rig);
        assert_told(&rig->call[0], 1, TW_E_CLOSED);
        rig_free(rig);
    }
}

/* A service that reads nothing: requests wait, writing is asked for, and there is an end to it. */
static void a_service_that_does_not_read_is_waited_for_with_bounds(void **state)
{
    struct rig *rig = rig_bound();
    struct told told = {0};
    uint8_t *config = calloc(1, 100000);
    int rc, sent = 0;

    (void)state;
    assert_int_equal(tw_consumer_events(rig->consumer), POLLIN);
    while (!(rc = tw_consumer_enable_tracing(rig->consumer,
                                             (struct tw_bytes){.p = config, .n = 100000}, -1,
                                             on_ended, &told))) {
        assert_int_equal(tw_consumer_dispatch(rig->consumer), 0);
        sent++;
        assert_true(sent < 1000);
    }
    assert_int_equal(rc, TW_E_FULL);
    assert_int_equal(tw_consumer_events(rig->consumer), POLLIN | POLLOUT);
    host_close(rig);
    assert_over(rig);
    assert_told(&told, sent, TW_E_CLOSED);
    free(config);
    rig_free(rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        tw_unit_test(every_call_can_be_refused),
        tw_unit_test(a_request_error_refuses_the_call),
        tw_unit_test(success_without_a_body_harms_nobody),
        tw_unit_test(every_outstanding_call_is_refused_when_the_service_goes),
        tw_unit_test(a_service_that_goes_before_the_bind_reply_is_told),
        tw_unit_test(a_disconnect_at_every_byte_refuses_the_call),
        tw_unit_test(an_answer_byte_by_byte_is_an_answer),
        tw_unit_test(answers_that_make_no_sense_end_the_connection),
        tw_unit_test(a_packet_that_is_cut_off_is_told),
        tw_unit_test(nonsense_from_the_service_ends_the_connection),
        tw_unit_test(a_service_that_does_not_read_is_waited_for_with_bounds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
