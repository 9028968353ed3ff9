/* SPDX-License-Identifier: Apache-2.0 */
/* Triggers: what producers call out, and what it does to the sessions that wait for it. */
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/fd.h"
#include "service/limits.h"
#include "tests/harness.h"
#include "tests/service/trigger_scene.h"

static void enable(struct trigger_scene *s)
{
    s->enabled = rig_enable(s->consumer, s->config);
}

static bool ended(const struct trigger_scene *s)
{
    return rig_count(s->consumer, s->enabled) > 0;
}

/* What is in the trace of triggers. */
static size_t n_triggers(struct trigger_scene *s, Tw__TracePacket **ret_first)
{
    struct rig_trace trace = rig_read(s->consumer);
    size_t n = 0;

    assert_true(trace.whole);
    *ret_first = rig_kind(&trace, TW__TRACE_PACKET__DATA_TRIGGER, 0);
    while (rig_kind(&trace, TW__TRACE_PACKET__DATA_TRIGGER, n))
        n++;
    return n;
}

static bool trace_is_empty(struct trigger_scene *s)
{
    struct rig_trace trace = rig_read(s->consumer);

    assert_true(trace.whole);
    return trace.n == 0;
}

static void a_trigger_starts_a_session_that_waits_for_it(void **state)
{
    REQ("TW-TRIG-001");
    REQ("TW-TRIG-002");
    struct trigger_scene s;

    (void)state;
    trigger_scene(&s, MODE(START_TRACING));
    enable(&s);
    assert_int_equal(
        rig_commands(s.producer, TW__GET_ASYNC_COMMAND_RESPONSE__CMD_SETUP_DATA_SOURCE), 1);
    trigger_once(&s, "nobody waits for this");
    assert_int_equal(STARTS(s.producer), 0);
    rig_advance(&s.rig, TIMEOUT_MS - 100);
    trigger_once(&s, "go");
    assert_int_equal(STARTS(s.producer), 1);
    rig_advance(&s.rig, DELAY_MS - 100); /* the time-out of the wait is over now */
    assert_false(ended(&s));
    trigger_once(&s, "too"); /* makes it no longer */
    rig_advance(&s.rig, 200 + TW_FLUSH_TIMEOUT_MS);
    assert_true(ended(&s));
    assert_int_equal(STARTS(s.producer), 1);
    rig_free(&s.rig);
}

static void started_without_a_delay_it_runs_until_it_is_stopped(void **state)
{
    REQ("TW-TRIG-002");
    struct trigger_scene s;

    (void)state;
    trigger_scene(&s, MODE(START_TRACING));
    s.list[0].stop_delay_ms = 0;
    enable(&s);
    trigger_once(&s, "go");
    rig_advance(&s.rig, 10 * TIMEOUT_MS);
    assert_false(ended(&s));
    rig_call(s.consumer, TW_CONSUMER_DISABLE_TRACING, NULL);
    assert_true(ended(&s));
    rig_free(&s.rig);
}

static void without_a_trigger_the_wait_ends_without_a_trace(void **state)
{
    REQ("TW-TRIG-003");
    REQ("TW-TRIG-005");
    REQ("TW-TRIG-008");
    static const Tw__TraceConfig__TriggerConfig__TriggerMode modes[] = {MODE(START_TRACING),
                                                                        MODE(STOP_TRACING)};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct trigger_scene s;

        trigger_scene(&s, modes[i]);
        enable(&s);
        assert_true(trace_is_empty(&s));
        rig_advance(&s.rig, TIMEOUT_MS - 100);
        assert_false(ended(&s));
        rig_advance(&s.rig, 200 + TW_FLUSH_TIMEOUT_MS);
        assert_true(ended(&s));
        assert_int_equal(STARTS(s.producer), i);
        assert_true(trace_is_empty(&s));
        trigger_once(&s, "go"); /* too late */
        assert_true(trace_is_empty(&s));
        rig_free(&s.rig);
    }
}

static void a_file_stays_empty_until_a_trigger(void **state)
{
    REQ("TW-TRIG-008");
    (void)state;
    for (int triggered = 0; triggered < 2; triggered++) {
        struct trigger_scene s;
        int fd = memfd_create("trace", MFD_CLOEXEC), ours = fcntl(fd, F_DUPFD_CLOEXEC, 0);
        struct stat before, after;

        trigger_scene(&s, MODE(START_TRACING));
        s.config->has_write_into_file = s.config->write_into_file = true;
        s.enabled = rig_enable_with(s.consumer, s.config, fd);
        rig_advance(&s.rig, TIMEOUT_MS - 100);
        assert_int_equal(fstat(ours, &before), 0);
        if (triggered)
            trigger_once(&s, "go");
        rig_advance(&s.rig, TIMEOUT_MS + TW_FLUSH_TIMEOUT_MS);
        assert_true(ended(&s));
        assert_int_equal(fstat(ours, &after), 0);
        assert_int_equal(before.st_size, 0);
        assert_int_equal(after.st_size > 0, triggered);
        tw_fd_close(&ours);
        rig_free(&s.rig);
    }
}

static void a_consumer_may_start_it_first(void **state)
{
    REQ("TW-TRIG-002");
    struct trigger_scene s;

    (void)state;
    trigger_scene(&s, MODE(START_TRACING));
    enable(&s);
    rig_call(s.consumer, TW_CONSUMER_START_TRACING, NULL);
    assert_int_equal(STARTS(s.producer), 1);
    rig_advance(&s.rig, 10 * TIMEOUT_MS); /* neither the wait nor a trigger ends it */
    trigger_once(&s, "go");
    rig_advance(&s.rig, 10 * TIMEOUT_MS);
    assert_false(ended(&s));
    assert_false(trace_is_empty(&s));
    rig_free(&s.rig);
}

static void the_first_trigger_stops_a_session_after_its_delay(void **state)
{
    REQ("TW-TRIG-004");
    struct trigger_scene s;
    Tw__TracePacket *first;

    (void)state;
    trigger_scene(&s, MODE(STOP_TRACING));
    s.list[1].stop_delay_ms = 1;
    enable(&s);
    assert_int_equal(STARTS(s.producer), 1);
    rig_advance(&s.rig, TIMEOUT_MS - 100);
    trigger_once(&s, "go");
    trigger_once(&s, "too"); /* comes second: its delay does not count */
    rig_advance(&s.rig, DELAY_MS - 100);
    assert_int_equal(rig_commands(s.producer, TW__GET_ASYNC_COMMAND_RESPONSE__CMD_FLUSH), 0);
    rig_advance(&s.rig, 200);
    assert_int_equal(rig_commands(s.producer, TW__GET_ASYNC_COMMAND_RESPONSE__CMD_FLUSH), 1);
    rig_advance(&s.rig, TW_FLUSH_TIMEOUT_MS);
    assert_true(ended(&s));
    assert_int_equal(n_triggers(&s, &first), 2);
    rig_free(&s.rig);
}

static void a_trigger_stops_what_has_not_started(void **state)
{
    REQ("TW-TRIG-004");
    struct trigger_scene s;

    (void)state;
    for (int started = 0; started < 2; started++) {
        trigger_scene(&s, MODE(STOP_TRACING));
        s.config->has_deferred_start = s.config->deferred_start = true;
        enable(&s);
        rig_advance(&s.rig, 2 * TIMEOUT_MS); /* runs from the start only */
        assert_false(ended(&s));
        trigger_once(&s, "go");
        rig_advance(&s.rig, DELAY_MS - 100);
        if (started)
            rig_call(s.consumer, TW_CONSUMER_START_TRACING, NULL);
        rig_advance(&s.rig, 200 + (started ? TW_FLUSH_TIMEOUT_MS : 0));
        assert_true(ended(&s));
        rig_free(&s.rig);
    }
}

static void what_was_received_is_in_the_trace_once(void **state)
{
    REQ("TW-TRIG-009");
    struct trigger_scene s;
    Tw__TracePacket *first;
    uint64_t ns;

    (void)state;
    trigger_scene(&s, MODE(START_TRACING));
    enable(&s);
    ns = s.rig.now_ns;
    trigger_once(&s, "go");
    rig_advance(&s.rig, 10);
    trigger_once(&s, "go");
    trigger_once(&s, "too");
    assert_int_equal(n_triggers(&s, &first), 3);
    assert_string_equal(first->trigger->trigger_name, "go");
    assert_string_equal(first->trigger->producer_name, "caller");
    assert_int_equal(first->trigger->trusted_producer_uid, RIG_UID);
    assert_int_equal(first->trigger->stop_delay_ms, DELAY_MS);
    assert_int_equal(first->timestamp, ns);
    assert_int_equal(first->trusted_packet_sequence_id, 1);
    assert_int_equal(n_triggers(&s, &first), 0);
    rig_disconnect(s.caller); /* what it called stays */
    s.caller = rig_producer(&s.rig, "another");
    trigger_once(&s, "too");
    assert_int_equal(n_triggers(&s, &first), 1);
    assert_string_equal(first->trigger->producer_name, "another");
    rig_free(&s.rig);
}

static void who_wants_no_config_in_the_trace_gets_no_triggers(void **state)
{
    REQ("TW-TRIG-009");
    Tw__TraceConfig__BuiltinDataSource builtin = TW__TRACE_CONFIG__BUILTIN_DATA_SOURCE__INIT;
    struct trigger_scene s;
    Tw__TracePacket *first;

    (void)state;
    trigger_scene(&s, MODE(START_TRACING));
    builtin.has_disable_trace_config = builtin.disable_trace_config = true;
    s.config->builtin_data_sources = &builtin;
    enable(&s);
    trigger_once(&s, "go");
    assert_int_equal(n_triggers(&s, &first), 0);
    assert_false(trace_is_empty(&s));
    rig_free(&s.rig);
}

static uint64_t observe(struct rig_peer *consumer, uint32_t type)
{
    Tw__ObserveEventsRequest req = TW__OBSERVE_EVENTS_REQUEST__INIT;
    Tw__ObservableEvents__Type types[] = {(Tw__ObservableEvents__Type)type};
    uint64_t id;

    req.n_events_to_observe = 1;
    req.events_to_observe = types;
    id = rig_send(consumer, TW_CONSUMER_OBSERVE_EVENTS, &req.base);
    rig_pump(consumer->rig);
    return id;
}

static const Tw__ObservableEvents__CloneTriggerHit *last_hit(struct rig_peer *consumer,
                                                             uint64_t observing)
{
    Tw__ObserveEventsResponse *response = rig_decode(consumer, rig_last(consumer, observing),
                                                     &tw__observe_events_response__descriptor);

    assert_non_null(response);
    assert_non_null(response->events->clone_trigger_hit);
    return response->events->clone_trigger_hit;
}

static void a_consumer_is_told_to_clone(void **state)
{
    REQ("TW-TRIG-006");
    REQ("TW-TRIG-007");
    (void)state;
    for (int by_override = 0; by_override < 2; by_override++) {
        struct trigger_scene s;
        uint64_t observing, ns;
        const Tw__ObservableEvents__CloneTriggerHit *hit;

        trigger_scene(&s, by_override ? MODE(STOP_TRACING) : MODE(CLONE_SNAPSHOT));
        s.triggers.has_use_clone_snapshot_if_available = true;
        s.triggers.use_clone_snapshot_if_available = by_override;
        observing = observe(s.consumer, TW__OBSERVABLE_EVENTS__TYPE__TYPE_CLONE_TRIGGER_HIT);
        enable(&s);
        ns = s.rig.now_ns;
        trigger_once(&s, "go");
        rig_advance(&s.rig, 100);
        trigger_once(&s, "too");
        rig_advance(&s.rig, DELAY_MS - 150);
        assert_int_equal(rig_count(s.consumer, observing), 0);
        rig_advance(&s.rig, 100);
        assert_int_equal(rig_count(s.consumer, observing), 1);
        hit = last_hit(s.consumer, observing);
        assert_int_equal(hit->tracing_session_id, 1);
        assert_string_equal(hit->trigger_name, "go");
        assert_string_equal(hit->producer_name, "caller");
        assert_int_equal(hit->producer_uid, RIG_UID);
        assert_int_equal(hit->boot_time_ns, ns);
        assert_int_equal(hit->trigger_delay_ms, DELAY_MS);
        rig_advance(&s.rig, 100);
        assert_int_equal(rig_count(s.consumer, observing), 2);
        assert_false(ended(&s));
        assert_true(trace_is_empty(&s)); /* it is read from the clones */
        rig_advance(&s.rig, TIMEOUT_MS + TW_FLUSH_TIMEOUT_MS);
        assert_true(ended(&s));
        rig_free(&s.rig);
    }
}

static void a_trigger_to_clone_sets_no_end(void **state)
{
    REQ("TW-TRIG-005");
    struct trigger_scene s;

    (void)state;
    trigger_scene(&s, MODE(CLONE_SNAPSHOT));
    s.config->has_deferred_start = s.config->deferred_start = true;
    enable(&s);
    trigger_once(&s, "go");
    rig_advance(&s.rig, 2 * TIMEOUT_MS);
    rig_call(s.consumer, TW_CONSUMER_START_TRACING, NULL);
    rig_advance(&s.rig, TIMEOUT_MS - 100);
    assert_false(ended(&s));
    rig_advance(&s.rig, 200 + TW_FLUSH_TIMEOUT_MS);
    assert_true(ended(&s));
    rig_free(&s.rig);
}

static void who_does_not_observe_is_not_told(void **state)
{
    REQ("TW-TRIG-006");
    struct trigger_scene s;
    uint64_t observing;

    (void)state;
    trigger_scene(&s, MODE(CLONE_SNAPSHOT));
    observing = observe(s.consumer, TW__OBSERVABLE_EVENTS__TYPE__TYPE_ALL_DATA_SOURCES_STARTED);
    enable(&s);
    assert_int_equal(rig_count(s.consumer, observing), 1);
    trigger_once(&s, "go");
    rig_advance(&s.rig, 2 * DELAY_MS);
    assert_int_equal(rig_count(s.consumer, observing), 1);
    trigger_once(&s, "go"); /* is waited for when the session goes */
    rig_call(s.consumer, TW_CONSUMER_FREE_BUFFERS, NULL);
    rig_advance(&s.rig, 2 * DELAY_MS);
    rig_free(&s.rig);
}

static void several_sessions_get_the_same_trigger(void **state)
{
    REQ("TW-TRIG-001");
    struct trigger_scene s;
    struct rig_peer *others[2];

    (void)state;
    trigger_scene(&s, MODE(START_TRACING));
    enable(&s);
    others[0] = rig_consumer(&s.rig);
    rig_enable(others[0], s.config);
    others[1] = rig_consumer(&s.rig);
    s.triggers.n_triggers = 1; /* without "too" */
    rig_enable(others[1], s.config);
    trigger_once(&s, "too");
    assert_int_equal(STARTS(s.producer), 2);
    trigger_once(&s, "go");
    assert_int_equal(STARTS(s.producer), 3);
    rig_free(&s.rig);
}

static void a_request_may_hold_none_or_many_names(void **state)
{
    REQ("TW-TRIG-001");
    REQ("TW-LIM-102");
    static const char *names[TW_TRIGGER_NAMES_MAX + 1];
    struct trigger_scene s;
    Tw__TracePacket *first;

    (void)state;
    trigger_scene(&s, MODE(START_TRACING));
    enable(&s);
    assert_true(trigger_call(s.caller, NULL, 0)->success);
    assert_int_equal(STARTS(s.producer), 0);
    for (size_t i = 0; i <= TW_TRIGGER_NAMES_MAX; i++)
        names[i] = i % 2 ? "other" : "go";
    assert_false(trigger_call(s.caller, names, TW_TRIGGER_NAMES_MAX + 1)->success);
    assert_int_equal(STARTS(s.producer), 0);
    assert_true(trigger_call(s.caller, names, TW_TRIGGER_NAMES_MAX)->success);
    assert_int_equal(STARTS(s.producer), 1);
    assert_int_equal(n_triggers(&s, &first), TW_TRIGGER_HITS_MAX);
    rig_free(&s.rig);
}

static void a_request_need_not_be_answered(void **state)
{
    REQ("TW-TRIG-001");
    static const uint8_t go[] = {0x0a, 2, 'g', 'o'};
    struct trigger_scene s;
    uint64_t id;

    (void)state;
    trigger_scene(&s, MODE(START_TRACING));
    enable(&s);
    id = rig_send_raw(s.caller, TW_PRODUCER_ACTIVATE_TRIGGERS, (struct tw_bytes){go, sizeof(go)},
                      true, -1);
    rig_pump(&s.rig);
    assert_int_equal(rig_count(s.caller, id), 0);
    assert_int_equal(STARTS(s.producer), 1);
    rig_free(&s.rig);
}

static void of_many_triggers_the_first_stays(void **state)
{
    REQ("TW-LIM-101");
    struct trigger_scene s;
    Tw__TracePacket *first;

    (void)state;
    trigger_scene(&s, MODE(START_TRACING));
    enable(&s);
    trigger_once(&s, "go");
    for (int i = 0; i < 2 * TW_TRIGGER_HITS_MAX; i++)
        trigger_once(&s, "too");
    assert_int_equal(n_triggers(&s, &first), TW_TRIGGER_HITS_MAX);
    assert_string_equal(first->trigger->trigger_name, "go");
    rig_free(&s.rig);
}

static void clones_that_are_due_are_not_forgotten(void **state)
{
    REQ("TW-LIM-101");
    struct trigger_scene s;
    uint64_t observing;

    (void)state;
    trigger_scene(&s, MODE(CLONE_SNAPSHOT));
    observing = observe(s.consumer, TW__OBSERVABLE_EVENTS__TYPE__TYPE_CLONE_TRIGGER_HIT);
    enable(&s);
    for (int i = 0; i < 2 * TW_TRIGGER_HITS_MAX; i++)
        trigger_once(&s, i < TW_TRIGGER_HITS_MAX ? "go" : "too");
    rig_advance(&s.rig, 2 * DELAY_MS);
    assert_int_equal(rig_count(s.consumer, observing), TW_TRIGGER_HITS_MAX);
    assert_string_equal(last_hit(s.consumer, observing)->trigger_name, "go");
    trigger_once(&s, "go"); /* those make room now */
    rig_advance(&s.rig, 2 * DELAY_MS);
    assert_int_equal(rig_count(s.consumer, observing), TW_TRIGGER_HITS_MAX + 1);
    rig_free(&s.rig);
}

static void some_are_skipped_by_chance(void **state)
{
    REQ("TW-TRIG-011");
    struct trigger_scene s;

    (void)state;
    trigger_scene(&s, MODE(START_TRACING));
    s.list[0].has_skip_probability = s.list[1].has_skip_probability = true;
    s.list[0].skip_probability = 0.5;
    s.list[1].skip_probability = 1;
    enable(&s);
    s.rig.random = UINT64_MAX; /* as near to 1 as it gets */
    trigger_once(&s, "too");
    s.rig.random = UINT64_MAX / 2; /* just under a half */
    trigger_once(&s, "go");
    assert_int_equal(STARTS(s.producer), 0);
    s.rig.random = UINT64_C(1) << 63;
    trigger_once(&s, "go");
    assert_int_equal(STARTS(s.producer), 1);
    rig_free(&s.rig);
}

static void free_session(struct trigger_scene *s)
{
    rig_call(s->consumer, TW_CONSUMER_FREE_BUFFERS, NULL);
}

static void a_name_counts_so_often_a_day(void **state)
{
    REQ("TW-TRIG-012");
    enum { HOUR_MS = 3600 * 1000 };
    struct trigger_scene s;

    (void)state;
    trigger_scene(&s, MODE(START_TRACING));
    s.list[0].has_max_per_24_h = true;
    s.list[0].max_per_24_h = 2;
    for (size_t i = 0; i < 3; i++) { /* sessions that come later count as well */
        enable(&s);
        trigger_once(&s, "go");
        assert_int_equal(STARTS(s.producer), i < 2 ? i + 1 : 2);
        free_session(&s);
        s.rig.now_ns += UINT64_C(1) * HOUR_MS * TW_NS_PER_MS;
    }
    enable(&s);
    trigger_once(&s, "too"); /* another name has a count of its own */
    assert_int_equal(STARTS(s.producer), 3);
    free_session(&s);
    s.rig.now_ns += UINT64_C(21) * HOUR_MS * TW_NS_PER_MS + 1; /* the first is a day ago */
    enable(&s);
    trigger_once(&s, "go");
    assert_int_equal(STARTS(s.producer), 4);
    free_session(&s);
    enable(&s);
    trigger_once(&s, "go");
    assert_int_equal(STARTS(s.producer), 4);
    rig_free(&s.rig);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        tw_unit_test(a_trigger_starts_a_session_that_waits_for_it),
        tw_unit_test(started_without_a_delay_it_runs_until_it_is_stopped),
        tw_unit_test(without_a_trigger_the_wait_ends_without_a_trace),
        tw_unit_test(a_file_stays_empty_until_a_trigger),
        tw_unit_test(a_consumer_may_start_it_first),
        tw_unit_test(the_first_trigger_stops_a_session_after_its_delay),
        tw_unit_test(a_trigger_stops_what_has_not_started),
        tw_unit_test(what_was_received_is_in_the_trace_once),
        tw_unit_test(who_wants_no_config_in_the_trace_gets_no_triggers),
        tw_unit_test(a_consumer_is_told_to_clone),
        tw_unit_test(a_trigger_to_clone_sets_no_end),
        tw_unit_test(who_does_not_observe_is_not_told),
        tw_unit_test(several_sessions_get_the_same_trigger),
        tw_unit_test(a_request_may_hold_none_or_many_names),
        tw_unit_test(a_request_need_not_be_answered),
        tw_unit_test(of_many_triggers_the_first_stays),
        tw_unit_test(clones_that_are_due_are_not_forgotten),
        tw_unit_test(some_are_skipped_by_chance),
        tw_unit_test(a_name_counts_so_often_a_day),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
