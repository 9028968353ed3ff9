/* SPDX-License-Identifier: Apache-2.0 */
/* What the trace of one session says of the others. */
#include <stdio.h>
#include <string.h>

#include "service/core.h"
#include "tests/harness.h"
#include "tests/service/rig.h"

struct scene {
    struct rig rig;
    struct rig_peer *consumer; /* wants to know */
    Tw__TraceConfig__BuiltinDataSource builtin;
};

static void begin(struct scene *s)
{
    rig_init(&s->rig);
    s->consumer = rig_consumer(&s->rig);
    tw__trace_config__builtin_data_source__init(&s->builtin);
    s->builtin.has_enable_concurrent_session_events = true;
    s->builtin.enable_concurrent_session_events = true;
}

static void enable(struct scene *s)
{
    Tw__TraceConfig *config = rig_config(&s->rig, "source");

    config->builtin_data_sources = &s->builtin;
    rig_enable(s->consumer, config);
}

/* A session that does not want to know. */
static struct rig_peer *other(struct scene *s, const char *name)
{
    Tw__TraceConfig *config = rig_config(&s->rig, "source");
    struct rig_peer *consumer = rig_consumer(&s->rig);

    config->unique_session_name = tw_pbc_str(name);
    rig_enable(consumer, config);
    return consumer;
}

static void call(struct rig_peer *consumer, uint32_t method)
{
    assert_true(rig_call(consumer, method, NULL)->success);
}

static const char *state_name(const Tw__ConcurrentSessionEvent *event)
{
    return protobuf_c_enum_descriptor_get_value(&tw__concurrent_session_event__state__descriptor,
                                                (int)event->state)
               ->name +
           strlen("STATE_");
}

/* "name:STATE:number of data sources" of each, which are in the order of time. */
static const char *told(struct rig_peer *consumer)
{
    static char text[1024];
    struct rig_trace trace = rig_read(consumer);
    const Tw__TracePacket *packet;
    uint64_t ns = 0;
    size_t n = 0;

    assert_true(trace.whole);
    text[0] = 0;
    for (size_t i = 0;
         (packet = rig_kind(&trace, TW__TRACE_PACKET__DATA_CONCURRENT_SESSION_EVENT, i)); i++) {
        const Tw__ConcurrentSessionEvent *event = packet->concurrent_session_event;

        assert_true(packet->timestamp >= ns);
        assert_int_equal(packet->trusted_packet_sequence_id, 1);
        assert_int_equal(event->consumer_uid, RIG_UID);
        ns = packet->timestamp;
        n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%s:%s:%u", n ? " " : "",
                              event->session_name ? event->session_name : "", state_name(event),
                              event->num_data_sources);
        assert_true(n < sizeof(text));
    }
    return text;
}

static void a_session_is_told_of_those_that_come_and_go(void **state)
{
    REQ("TW-TRACE-046");
    struct rig_peer *producer, *peer;
    struct scene s;

    (void)state;
    begin(&s);
    producer = rig_producer(&s.rig, "p");
    rig_register(producer, "source");
    enable(&s);
    assert_string_equal(told(s.consumer), "");
    peer = other(&s, "name");
    assert_string_equal(told(s.consumer), "name:CONFIGURED:1 name:STARTED:1");
    assert_string_equal(told(s.consumer), "");
    assert_string_equal(told(peer), ""); /* it did not ask */
    call(peer, TW_CONSUMER_DISABLE_TRACING);
    assert_string_equal(told(s.consumer), "name:DISABLED:1");
    call(peer, TW_CONSUMER_FREE_BUFFERS);
    assert_string_equal(told(s.consumer), "");
    rig_free(&s.rig);
}

static void one_that_waits_for_its_data_sources_says_so(void **state)
{
    REQ("TW-TRACE-046");
    Tw__DataSourceDescriptor d = TW__DATA_SOURCE_DESCRIPTOR__INIT;
    struct rig_peer *producer, *peer;
    struct scene s;

    (void)state;
    begin(&s);
    producer = rig_producer(&s.rig, "p");
    d.name = tw_pbc_str("source");
    d.has_will_notify_on_stop = d.will_notify_on_stop = true;
    rig_register_with(producer, &d);
    enable(&s);
    peer = other(&s, "");
    told(s.consumer);
    call(peer, TW_CONSUMER_DISABLE_TRACING);
    assert_string_equal(told(s.consumer), ":DISABLING_WAITING_STOP_ACKS:1");
    rig_advance(&s.rig, TW_STOP_TIMEOUT_MS);
    assert_string_equal(told(s.consumer), ":DISABLED:1");
    peer = other(&s, "");
    told(s.consumer);
    call(peer, TW_CONSUMER_FREE_BUFFERS); /* waits for nobody */
    assert_string_equal(told(s.consumer), ":DISABLED:1");
    rig_free(&s.rig);
}

static void what_was_before_is_told_with_its_time(void **state)
{
    REQ("TW-TRACE-046");
    struct rig_trace trace;
    struct rig_peer *peer;
    struct scene s;
    uint64_t started_ns;

    (void)state;
    begin(&s);
    other(&s, "older");
    started_ns = s.rig.now_ns + s.rig.asleep_ns;
    rig_advance(&s.rig, 1000);
    peer = other(&s, "over");
    call(peer, TW_CONSUMER_DISABLE_TRACING);
    rig_advance(&s.rig, 1000);
    enable(&s);
    trace = rig_read(s.consumer);
    assert_true(rig_kind(&trace, TW__TRACE_PACKET__DATA_CONCURRENT_SESSION_EVENT, 0)->timestamp ==
                started_ns);
    rig_disconnect(s.consumer);
    s.consumer = rig_consumer(&s.rig);
    enable(&s);
    assert_string_equal(told(s.consumer), "older:STARTED:0 over:DISABLED:0");
    rig_free(&s.rig);
}

static uint64_t clone(struct rig_peer *cloner, const char *name)
{
    rig_clone(cloner, name);
    rig_advance(cloner->rig, TW_FLUSH_TIMEOUT_MS);
    return cloner->conn->session->id;
}

static void clones_are_sessions_too(void **state)
{
    REQ("TW-TRACE-046");
    Tw__TraceConfig *config;
    struct rig_peer *cloner;
    struct rig_trace trace;
    struct scene s;
    uint64_t id;

    (void)state;
    begin(&s);
    config = rig_config(&s.rig, "source");
    config->builtin_data_sources = &s.builtin;
    config->unique_session_name = tw_pbc_str("own");
    rig_enable(s.consumer, config);
    other(&s, "other");
    cloner = rig_consumer(&s.rig);
    id = clone(cloner, "own");
    other(&s, "new");
    /* What its original had to say, and nothing that came later or is itself. */
    assert_string_equal(told(cloner), "other:CONFIGURED:0 other:STARTED:0");
    trace = rig_read(s.consumer);
    assert_true(rig_kind(&trace, TW__TRACE_PACKET__DATA_CONCURRENT_SESSION_EVENT, 2)
                    ->concurrent_session_event->session_id == id);
    call(cloner, TW_CONSUMER_FREE_BUFFERS);
    assert_string_equal(told(s.consumer), "own:DISABLED:0");
    rig_free(&s.rig);
}

static void as_many_are_told_as_may_be(void **state)
{
    REQ("TW-LIM-181");
    struct rig_peer *peer;
    struct rig_trace trace;
    struct scene s;
    size_t n = 0;

    (void)state;
    begin(&s);
    enable(&s);
    peer = rig_consumer(&s.rig);
    for (int i = 0; i < TW_SESSION_CHANGES_MAX / 3 + 1; i++) {
        rig_enable(peer, rig_config(&s.rig, "source"));
        call(peer, TW_CONSUMER_FREE_BUFFERS);
    }
    trace = rig_read(s.consumer);
    while (rig_kind(&trace, TW__TRACE_PACKET__DATA_CONCURRENT_SESSION_EVENT, n))
        n++;
    assert_int_equal(n, TW_SESSION_CHANGES_MAX);
    rig_free(&s.rig);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        tw_unit_test(a_session_is_told_of_those_that_come_and_go),
        tw_unit_test(one_that_waits_for_its_data_sources_says_so),
        tw_unit_test(what_was_before_is_told_with_its_time),
        tw_unit_test(clones_are_sessions_too),
        tw_unit_test(as_many_are_told_as_may_be),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
