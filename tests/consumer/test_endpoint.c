/* SPDX-License-Identifier: Apache-2.0 */
/* The endpoint with a service that behaves. */
#include "tests/consumer/rig.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/fd.h"
#include "base/req.h"

static void calls_before_the_port_is_bound_are_refused(void **state)
{
    struct rig *rig = rig_new();

    (void)state;
    assert_int_equal(tw_consumer_flush(rig->consumer, 0, 0, on_done, &rig->call[0]), TW_E_INVALID);
    assert_told(&rig->call[0], 0, 0);
    rig_free(rig);
}

static void a_service_without_the_port_is_told(void **state)
{
    struct rig *rig = rig_new();
    struct tw_frame frame;

    (void)state;
    assert_int_equal(tw_consumer_dispatch(rig->consumer), 0);
    assert_true(host_receive(rig, &frame));
    host_bind_reply(rig, frame.request_id, false);
    assert_int_equal(tw_consumer_dispatch(rig->consumer), 0);
    assert_told(&rig->bound, 1, TW_E_REFUSED);
    rig_free(rig);
}

static void a_session_runs_from_start_to_end(void **state)
{
    static const char disabled[] = {0x08, 0x01};
    static const char first[] = {0x12, 4, 0x0a, 2, 'h', 'e'};
    static const char second[] = {0x12, 7, 0x0a, 3, 'l', 'l', 'o', 0x10, 1};
    struct rig *rig = rig_bound();
    struct tw_frame enable, read, other;

    (void)state;
    assert_int_equal(tw_consumer_enable_tracing(rig->consumer, tw_bytes_of_str("cfg"), -1, on_ended,
                                                &rig->call[0]),
                     0);
    enable = host_expect(rig, TW_CONSUMER_ENABLE_TRACING);
    assert_int_equal(enable.invoke.args.n, 5);
    assert_memory_equal(enable.invoke.args.p,
                        "\x0a\x03"
                        "cfg",
                        5);
    assert_int_equal(tw_consumer_start_tracing(rig->consumer, on_done, &rig->call[1]), 0);
    other = host_expect(rig, TW_CONSUMER_START_TRACING);
    host_reply(rig, other.request_id, true, false, "", 0);
    assert_int_equal(tw_consumer_flush(rig->consumer, 5000, 0, on_done, &rig->call[2]), 0);
    other = host_expect(rig, TW_CONSUMER_FLUSH);
    assert_memory_equal(other.invoke.args.p, "\x08\x88\x27", 3);
    host_reply(rig, other.request_id, true, false, "", 0);
    assert_int_equal(tw_consumer_disable_tracing(rig->consumer, on_done, &rig->call[3]), 0);
    other = host_expect(rig, TW_CONSUMER_DISABLE_TRACING);
    host_reply(rig, other.request_id, true, false, "", 0);
    host_reply(rig, enable.request_id, true, false, disabled, sizeof(disabled));
    assert_int_equal(tw_consumer_dispatch(rig->consumer), 0);
    for (int i = 0; i < 4; i++)
        assert_told(&rig->call[i], 1, 0);
    assert_int_equal(rig->call[0].n, 0);

    assert_int_equal(tw_consumer_read_buffers(rig->consumer, on_packet, on_done, &rig->call[4]), 0);
    read = host_expect(rig, TW_CONSUMER_READ_BUFFERS);
    host_reply(rig, read.request_id, true, true, first, sizeof(first));
    assert_int_equal(tw_consumer_dispatch(rig->consumer), 0);
    assert_int_equal(rig->call[4].packets, 0);
    host_reply(rig, read.request_id, true, true, second, sizeof(second));
    host_reply(rig, read.request_id, true, false, "", 0);
    assert_int_equal(tw_consumer_dispatch(rig->consumer), 0);
    assert_told(&rig->call[4], 1, 0);
    assert_int_equal(rig->call[4].packets, 1);
    assert_string_equal(rig->call[4].text, "hello");

    assert_int_equal(tw_consumer_free_buffers(rig->consumer, on_done, &rig->call[5]), 0);
    other = host_expect(rig, TW_CONSUMER_FREE_BUFFERS);
    host_reply(rig, other.request_id, true, false, "", 0);
    assert_int_equal(tw_consumer_dispatch(rig->consumer), 0);
    assert_told(&rig->call[5], 1, 0);
    rig_free(rig);
}

static void the_error_of_a_session_is_handed_on(void **state)
{
    static const char body[] = "\x08\x01\x1a\x08no space";
    struct rig *rig = rig_bound();
    struct tw_frame frame;

    (void)state;
    assert_int_equal(
        tw_consumer_enable_tracing(rig->consumer, tw_bytes_of_str(""), -1, on_ended, &rig->call[0]),
        0);
    frame = host_expect(rig, TW_CONSUMER_ENABLE_TRACING);
    host_reply(rig, frame.request_id, true, false, body, sizeof(body) - 1);
    assert_int_equal(tw_consumer_dispatch(rig->consumer), 0);
    assert_told(&rig->call[0], 1, 0);
    assert_string_equal(rig->call[0].text, "no space");
    rig_free(rig);
}

static void a_descriptor_goes_with_the_session(void **state)
{
    struct rig *rig = rig_bound();
    int fd = open("/dev/null", O_WRONLY | O_CLOEXEC), got;

    (void)state;
    assert_true(fd >= 0);
    assert_int_equal(tw_consumer_enable_tracing(rig->consumer, tw_bytes_of_str("c"), fd, on_ended,
                                                &rig->call[0]),
                     0);
    (void)host_expect(rig, TW_CONSUMER_ENABLE_TRACING);
    got = tw_rx_take_fd(&rig->rx);
    assert_true(got >= 0);
    tw_fd_close(&got);
    rig_free(rig);
}

static void queries_hand_out_every_answer(void **state)
{
    struct rig *rig = rig_bound();
    struct tw_frame frame;

    (void)state;
    assert_int_equal(tw_consumer_query_service_state(rig->consumer, true, on_reply, &rig->call[0]),
                     0);
    frame = host_expect(rig, TW_CONSUMER_QUERY_SERVICE_STATE);
    assert_memory_equal(frame.invoke.args.p, "\x08\x01", 2);
    host_reply(rig, frame.request_id, true, true, "one", 3);
    assert_int_equal(tw_consumer_dispatch(rig->consumer), 0);
    assert_told(&rig->call[0], 1, 0);
    assert_true(rig->call[0].more);
    host_reply(rig, frame.request_id, true, false, "two", 3);
    assert_int_equal(tw_consumer_dispatch(rig->consumer), 0);
    assert_told(&rig->call[0], 2, 0);
    assert_false(rig->call[0].more);
    assert_string_equal(rig->call[0].text, "two");

    assert_int_equal(tw_consumer_query_capabilities(rig->consumer, on_reply, &rig->call[1]), 0);
    frame = host_expect(rig, TW_CONSUMER_QUERY_CAPABILITIES);
    host_reply(rig, frame.request_id, true, false, "cap", 3);
    assert_int_equal(tw_consumer_observe_events(rig->consumer, 3, on_reply, &rig->call[2]), 0);
    frame = host_expect(rig, TW_CONSUMER_OBSERVE_EVENTS);
    assert_memory_equal(frame.invoke.args.p, "\x08\x01\x08\x02", 4);
    host_reply(rig, frame.request_id, true, true, "ev", 2);
    assert_int_equal(tw_consumer_dispatch(rig->consumer), 0);
    assert_string_equal(rig->call[1].text, "cap");
    assert_string_equal(rig->call[2].text, "ev");
    rig_free(rig);
}

static void freeing_completes_every_outstanding_call(void **state)
{
    struct told told[N_CALLS] = {0};
    struct rig *rig = rig_bound();

    (void)state;
    for (int which = 0; which < N_CALLS; which++)
        assert_int_equal(call_nth(rig, which, &told[which]), 0);
    rig_free(rig);
    for (int which = 0; which < N_CALLS; which++)
        assert_told(&told[which], 1, TW_E_CLOSED);
}

static void a_completion_may_free_the_consumer(void **state)
{
    (void)state;
    for (int which = 0; which < N_CALLS; which++) {
        struct rig *rig = rig_bound();

        assert_int_equal(call_nth(rig, which, &rig->call[0]), 0);
        assert_int_equal(call_nth(rig, 3, &rig->call[1]), 0);
        rig->call[0].free_it = rig->consumer;
        host_reply(rig, any_request(rig).request_id, true, false, "", 0);
        assert_int_equal(tw_consumer_dispatch(rig->consumer), TW_E_CLOSED);
        assert_told(&rig->call[0], 1, 0);
        assert_told(&rig->call[1], 1, TW_E_CLOSED);
        rig->consumer = NULL;
        rig_free(rig);
    }
}

static void a_packet_may_free_the_consumer(void **state)
{
    static const char body[] = {0x12, 5, 0x0a, 1, 'a', 0x10, 1, 0x12, 5, 0x0a, 1, 'b', 0x10, 1};

    (void)state;
    for (int more = 0; more < 2; more++) {
        struct rig *rig = rig_bound();

        assert_int_equal(call_nth(rig, 4, &rig->call[0]), 0);
        rig->call[0].free_it = rig->consumer;
        host_reply(rig, any_request(rig).request_id, true, more, body, sizeof(body));
        assert_int_equal(tw_consumer_dispatch(rig->consumer), TW_E_CLOSED);
        assert_told(&rig->call[0], 1, TW_E_CLOSED);
        assert_int_equal(rig->call[0].packets, 1);
        rig->consumer = NULL;
        rig_free(rig);
    }
}

static void being_bound_may_free_the_consumer(void **state)
{
    struct rig *rig = rig_new();
    struct tw_frame frame;

    (void)state;
    assert_int_equal(tw_consumer_dispatch(rig->consumer), 0);
    assert_true(host_receive(rig, &frame));
    rig->bound.free_it = rig->consumer;
    host_bind_reply(rig, frame.request_id, true);
    assert_int_equal(tw_consumer_dispatch(rig->consumer), TW_E_CLOSED);
    assert_told(&rig->bound, 1, 0);
    rig->consumer = NULL;
    rig_free(rig);
}

static void a_config_that_fits_no_frame_is_refused(void **state)
{
    struct rig *rig = rig_bound();
    size_t n = TW_FRAME_PAYLOAD_MAX + 1;
    uint8_t *config = calloc(1, n);
    struct tw_frame frame;

    (void)state;
    for (size_t less = 0; less < 20; less++)
        assert_int_equal(tw_consumer_enable_tracing(rig->consumer,
                                                    (struct tw_bytes){.p = config, .n = n - less},
                                                    -1, on_ended, &rig->call[0]),
                         TW_E_LIMIT);
    assert_false(host_receive(rig, &frame));
    assert_told(&rig->call[0], 0, 0);
    free(config);
    rig_free(rig);
}

static void addresses_that_lead_nowhere_are_errors(void **state)
{
    struct tw_consumer *consumer = NULL;
    char long_name[200];

    (void)state;
    memset(long_name, 'x', sizeof(long_name) - 1);
    long_name[sizeof(long_name) - 1] = '\0';
    assert_int_equal(tw_consumer_connect("/nonexistent/socket", on_done, NULL, &consumer), -ENOENT);
    assert_int_equal(tw_consumer_connect("/dev/null", on_done, NULL, &consumer), -ECONNREFUSED);
    assert_int_equal(tw_consumer_connect("@tracewire.no.such", on_done, NULL, &consumer),
                     -ECONNREFUSED);
    assert_int_equal(tw_consumer_connect(long_name, on_done, NULL, &consumer), TW_E_INVALID);
    assert_int_equal(tw_consumer_connect("", on_done, NULL, &consumer), TW_E_INVALID);
    assert_int_equal(tw_consumer_connect("@", on_done, NULL, &consumer), TW_E_INVALID);
    assert_null(consumer);
}

/* The length ends an abstract name: other programs would not find one with a NUL behind it. */
static void an_abstract_name_is_exact(void **state)
{
    REQ("TW-NET-003");
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    int n = snprintf(addr.sun_path + 1, sizeof(addr.sun_path) - 1, "tracewire.%d", (int)getpid());
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), peer;
    struct told told = {0};
    struct tw_consumer *consumer;
    char address[sizeof(addr.sun_path) + 1];

    (void)state;
    assert_int_equal(bind(listener, (struct sockaddr *)&addr,
                          (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)n)),
                     0);
    assert_int_equal(listen(listener, 1), 0);
    snprintf(address, sizeof(address), "@%s", addr.sun_path + 1);
    assert_int_equal(tw_consumer_connect(address, on_done, &told, &consumer), 0);
    peer = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    assert_true(peer >= 0);
    assert_true(fcntl(tw_consumer_fd(consumer), F_GETFD) & FD_CLOEXEC);
    tw_consumer_free(consumer);
    assert_told(&told, 1, TW_E_CLOSED);
    tw_fd_close(&peer);
    tw_fd_close(&listener);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        tw_unit_test(calls_before_the_port_is_bound_are_refused),
        tw_unit_test(a_service_without_the_port_is_told),
        tw_unit_test(a_session_runs_from_start_to_end),
        tw_unit_test(the_error_of_a_session_is_handed_on),
        tw_unit_test(a_descriptor_goes_with_the_session),
        tw_unit_test(queries_hand_out_every_answer),
        tw_unit_test(freeing_completes_every_outstanding_call),
        tw_unit_test(a_completion_may_free_the_consumer),
        tw_unit_test(a_packet_may_free_the_consumer),
        tw_unit_test(being_bound_may_free_the_consumer),
        tw_unit_test(a_config_that_fits_no_frame_is_refused),
        tw_unit_test(addresses_that_lead_nowhere_are_errors),
        tw_unit_test(an_abstract_name_is_exact),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
