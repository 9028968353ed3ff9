/* SPDX-License-Identifier: Apache-2.0 */
/* What each call puts on the wire, and what its answer becomes. */
#include "tests/consumer/rig.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/fd.h"

/* The calls of call_nth(). */
static const struct {
    uint32_t method;
    size_t n;
    const char *args;
} sent[N_CALLS] = {
    {TW_CONSUMER_ENABLE_TRACING, 3,
     "\x0a\x01"
     "c"},
    {TW_CONSUMER_START_TRACING, 0, ""},
    {TW_CONSUMER_DISABLE_TRACING, 0, ""},
    {TW_CONSUMER_FLUSH, 4, "\x08\x01\x10\x34"},
    {TW_CONSUMER_READ_BUFFERS, 0, ""},
    {TW_CONSUMER_FREE_BUFFERS, 0, ""},
    {TW_CONSUMER_QUERY_SERVICE_STATE, 2, "\x08\x00"},
    {TW_CONSUMER_QUERY_CAPABILITIES, 0, ""},
    {TW_CONSUMER_OBSERVE_EVENTS, 2, "\x08\x02"},
    {TW_CONSUMER_CHANGE_TRACE_CONFIG, 3,
     "\x0a\x01"
     "d"},
    {TW_CONSUMER_DETACH, 5, "\x0a\x03key"},
    {TW_CONSUMER_ATTACH, 5, "\x0a\x03key"},
    {TW_CONSUMER_GET_TRACE_STATS, 0, ""},
    {TW_CONSUMER_SAVE_TRACE_FOR_BUGREPORT, 0, ""},
    {TW_CONSUMER_CLONE_SESSION, 13, "\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x18\x01"},
    {TW_CONSUMER_ENABLE_TRACING, 2, "\x10\x01"},
};

static void every_method_has_its_request(void **state)
{
    bool has[TW_CONSUMER_METHOD_MAX] = {0};
    struct rig *rig = rig_bound();

    (void)state;
    for (int which = 0; which < N_CALLS; which++) {
        struct tw_frame frame;

        assert_int_equal(call_nth(rig, which, &rig->call[0]), 0);
        frame = host_expect(rig, sent[which].method);
        assert_int_equal(frame.invoke.args.n, sent[which].n);
        if (sent[which].n)
            assert_memory_equal(frame.invoke.args.p, sent[which].args, sent[which].n);
        has[sent[which].method] = true;
    }
    for (uint32_t method = 1; method < TW_CONSUMER_METHOD_MAX; method++)
        assert_true(has[method]);
    rig_free(rig);
}

static void a_clone_says_all_it_was_told(void **state)
{
    static const uint8_t args[] =
        "\x22\x01n\x10\x01\x18\x01\x2a\x01t\x32\x01p\x38\x07\x40\x08\x48\x09";
    const struct tw_clone_args clone = {
        .session_id = 5, /* a name says more */
        .unique_session_name = "n",
        .skip_trace_filter = true,
        .for_bugreport = true,
        .trigger_name = "t",
        .trigger_producer_name = "p",
        .trigger_uid = 7,
        .trigger_boot_time_ns = 8,
        .trigger_delay_ms = 9,
    };
    struct rig *rig = rig_bound();
    struct tw_frame frame;
    int fd = open("/dev/null", O_WRONLY | O_CLOEXEC), got;

    (void)state;
    assert_int_equal(tw_consumer_clone_session(rig->consumer, &clone, fd, on_reply, &rig->call[0]),
                     0);
    frame = host_expect(rig, TW_CONSUMER_CLONE_SESSION);
    assert_int_equal(frame.invoke.args.n, sizeof(args) - 1);
    assert_memory_equal(frame.invoke.args.p, args, sizeof(args) - 1);
    got = tw_rx_take_fd(&rig->rx);
    assert_true(got >= 0);
    tw_fd_close(&got);
    rig_free(rig);
}

static void a_name_that_fits_no_frame_is_refused(void **state)
{
    struct rig *rig = rig_bound();
    char *name = malloc(TW_FRAME_PAYLOAD_MAX + 2);
    struct tw_clone_args clone = {.unique_session_name = name};
    struct tw_frame frame;

    (void)state;
    memset(name, 'x', TW_FRAME_PAYLOAD_MAX + 1);
    for (size_t less = 0; less < 2; less++) { /* too long by itself, and with what is around it */
        name[TW_FRAME_PAYLOAD_MAX + 1 - less] = '\0';
        assert_int_equal(tw_consumer_detach(rig->consumer, name, on_done, &rig->call[0]),
                         TW_E_LIMIT);
        assert_int_equal(tw_consumer_attach(rig->consumer, name, on_reply, &rig->call[0]),
                         TW_E_LIMIT);
        assert_int_equal(
            tw_consumer_clone_session(rig->consumer, &clone, -1, on_reply, &rig->call[0]),
            TW_E_LIMIT);
    }
    name[TW_FRAME_PAYLOAD_MAX] = '\0';
    clone.trigger_name = clone.trigger_producer_name = name; /* thrice as much */
    assert_int_equal(tw_consumer_clone_session(rig->consumer, &clone, -1, on_reply, &rig->call[0]),
                     TW_E_LIMIT);
    assert_false(host_receive(rig, &frame));
    assert_told(&rig->call[0], 0, 0);
    free(name);
    rig_free(rig);
}

static void the_answer_to_a_clone_is_read(void **state)
{
    struct tw_clone_result result;

    (void)state;
    assert_int_equal(
        tw_clone_result_read(tw_bytes_of_str("\x08\x01\x18\x05\x20\x06\x28\x01\x32\x01x"), &result),
        0);
    assert_true(result.success);
    assert_true(result.was_write_into_file);
    assert_int_equal(result.uuid_msb, 5);
    assert_int_equal(result.uuid_lsb, 6);
    assert_int_equal(result.error.n, 0);
    assert_int_equal(tw_clone_result_read(tw_bytes_of_str("\x12\x02no"), &result), 0);
    assert_false(result.success);
    assert_true(tw_bytes_eq_str(result.error, "no"));
    assert_int_equal(tw_clone_result_read((struct tw_bytes){0}, &result), 0);
    assert_false(result.success);
}

static void what_is_no_answer_to_a_clone_is_told(void **state)
{
    static const char *const bad[] = {"\x0a\x01x", "\x10\x01",  "\x1a\x01x", "\x22\x01x",
                                      "\x2a\x01x", "\x12\x05x", "\x07"};
    struct tw_clone_result result = {.uuid_msb = 42};

    (void)state;
    for (size_t i = 0; i < TW_ARRAY_LEN(bad); i++)
        assert_int_equal(tw_clone_result_read(tw_bytes_of_str(bad[i]), &result), TW_E_PROTOCOL);
    assert_int_equal(result.uuid_msb, 42);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        tw_unit_test(every_method_has_its_request),
        tw_unit_test(a_clone_says_all_it_was_told),
        tw_unit_test(a_name_that_fits_no_frame_is_refused),
        tw_unit_test(the_answer_to_a_clone_is_read),
        tw_unit_test(what_is_no_answer_to_a_clone_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
