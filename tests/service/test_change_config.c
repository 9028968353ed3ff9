/* SPDX-License-Identifier: Apache-2.0 */
/* ChangeTraceConfig: which producers a session takes, changed while it runs. */
#include <string.h>

#include "service/core.h"
#include "tests/harness.h"
#include "tests/service/rig.h"

#define SETUPS(p) rig_commands(p, TW__GET_ASYNC_COMMAND_RESPONSE__CMD_SETUP_DATA_SOURCE)
#define STARTS(p) rig_commands(p, TW__GET_ASYNC_COMMAND_RESPONSE__CMD_START_DATA_SOURCE)
#define STOPS(p)  rig_commands(p, TW__GET_ASYNC_COMMAND_RESPONSE__CMD_STOP_DATA_SOURCE)

/* Producers one and two have the same source; the config wants that of one. */
struct scene {
    struct rig rig;
    struct rig_peer *one, *two, *consumer;
    Tw__TraceConfig *config;
    char *names[3];
};

static void begin(struct scene *s, bool deferred)
{
    Tw__TraceConfig__DataSource *source;

    rig_init(&s->rig);
    s->one = rig_producer(&s->rig, "one");
    s->two = rig_producer(&s->rig, "two");
    rig_register(s->one, "source");
    rig_register(s->two, "source");
    s->config = rig_config(&s->rig, "source");
    s->config->has_deferred_start = true;
    s->config->deferred_start = deferred;
    source = s->config->data_sources[0];
    s->names[0] = tw_pbc_str("one");
    source->n_producer_name_filter = 1;
    source->producer_name_filter = s->names;
    s->consumer = rig_consumer(&s->rig);
    rig_enable(s->consumer, s->config);
}

static void filter(struct scene *s, size_t n, const char *first, const char *second)
{
    s->names[0] = tw_pbc_str(first);
    s->names[1] = tw_pbc_str(second);
    s->config->data_sources[0]->n_producer_name_filter = n;
}

static bool change(struct scene *s)
{
    Tw__ChangeTraceConfigRequest req = TW__CHANGE_TRACE_CONFIG_REQUEST__INIT;

    req.trace_config = s->config;
    return rig_call(s->consumer, TW_CONSUMER_CHANGE_TRACE_CONFIG, &req.base)->success;
}

static void another_producer_is_let_in(void **state)
{
    struct scene s;
    struct rig_peer *three;

    REQ("TW-CONS-020");
    (void)state;
    begin(&s, false);
    assert_int_equal(STARTS(s.one), 1);
    assert_int_equal(SETUPS(s.two), 0);
    filter(&s, 2, "one", "two");
    assert_true(change(&s));
    assert_int_equal(STARTS(s.one), 1);
    assert_int_equal(STARTS(s.two), 1);
    assert_true(change(&s)); /* the same again */
    assert_int_equal(SETUPS(s.two), 1);

    filter(&s, 1, "three", NULL);
    assert_true(change(&s));
    assert_int_equal(STOPS(s.one) + STOPS(s.two), 0);
    three = rig_producer(&s.rig, "three");
    rig_register(three, "source");
    assert_int_equal(STARTS(three), 1);
    rig_register(s.one, "source"); /* one more, but its producer is not named any longer */
    assert_int_equal(SETUPS(s.one), 1);
    rig_free(&s.rig);
}

static void no_filter_lets_everybody_in(void **state)
{
    struct scene s;

    REQ("TW-CONS-020");
    (void)state;
    begin(&s, true);
    filter(&s, 0, NULL, NULL);
    assert_true(change(&s));
    assert_int_equal(SETUPS(s.two), 1);
    assert_int_equal(STARTS(s.two), 0);
    assert_true(rig_call(s.consumer, TW_CONSUMER_START_TRACING, NULL)->success);
    assert_int_equal(STARTS(s.one), 1);
    assert_int_equal(STARTS(s.two), 1);
    rig_free(&s.rig);
}

static void patterns_let_producers_in(void **state)
{
    char *regex[] = {tw_pbc_str("t.*"), tw_pbc_str("(")};
    Tw__TraceConfig__DataSource *source;
    struct rig_peer *three;
    struct scene s;

    REQ("TW-CONS-020");
    REQ("TW-CONS-021");
    (void)state;
    begin(&s, false);
    source = s.config->data_sources[0];
    source->producer_name_regex_filter = regex;
    source->n_producer_name_regex_filter = 2;
    assert_false(change(&s)); /* one is none */
    assert_int_equal(SETUPS(s.two), 0);
    source->n_producer_name_regex_filter = 1;
    assert_true(change(&s));
    assert_int_equal(STARTS(s.two), 1);
    three = rig_producer(&s.rig, "three");
    rig_register(three, "source");
    assert_int_equal(STARTS(three), 1);
    regex[0] = tw_pbc_str("o.*");
    assert_true(change(&s));
    rig_register(rig_producer(&s.rig, "two"), "source");
    assert_int_equal(SETUPS(&s.rig.peers[s.rig.n_peers - 1]), 0);
    rig_free(&s.rig);
}

static void a_default_that_is_said_is_no_change(void **state)
{
    Tw__TraceConfig__BuiltinDataSource builtin = TW__TRACE_CONFIG__BUILTIN_DATA_SOURCE__INIT;
    struct scene s;

    REQ("TW-CONS-020");
    (void)state;
    begin(&s, false);
    filter(&s, 2, "one", "two");
    s.config->has_duration_ms = true;
    s.config->has_write_into_file = true;
    s.config->unique_session_name = tw_pbc_str("");
    s.config->buffers[0]->has_transfer_on_clone = true;
    s.config->data_sources[0]->config->has_target_buffer = true;
    builtin.has_disable_trace_config = true;
    s.config->builtin_data_sources = &builtin;
    assert_true(change(&s));
    assert_int_equal(SETUPS(s.two), 1);
    builtin.disable_trace_config = true;
    assert_false(change(&s));
    rig_free(&s.rig);
}

static void nothing_else_may_change(void **state)
{
    struct scene s;

    REQ("TW-CONS-021");
    (void)state;
    begin(&s, false);
    filter(&s, 2, "one", "two");
    s.config->buffers[0]->size_kb = 128;
    assert_false(change(&s));
    s.config->buffers[0]->size_kb = 64;
    s.config->n_data_sources = 0;
    assert_false(change(&s));
    s.config->n_data_sources = 1;
    s.config->data_sources[0]->config->name = tw_pbc_str("other");
    assert_false(change(&s));
    s.config->data_sources[0]->config->name = tw_pbc_str("source");
    assert_int_equal(SETUPS(s.two), 0);
    assert_true(change(&s));
    assert_int_equal(SETUPS(s.two), 1);
    rig_free(&s.rig);
}

static void a_session_that_ended_does_not_change(void **state)
{
    struct scene s;

    REQ("TW-CONS-021");
    (void)state;
    begin(&s, false);
    filter(&s, 2, "one", "two");
    assert_false(rig_call(s.consumer, TW_CONSUMER_CHANGE_TRACE_CONFIG, NULL)->success);
    rig_call(s.consumer, TW_CONSUMER_DISABLE_TRACING, NULL);
    assert_false(change(&s));
    rig_call(s.consumer, TW_CONSUMER_FREE_BUFFERS, NULL);
    assert_false(change(&s));
    assert_int_equal(SETUPS(s.two), 0);
    rig_free(&s.rig);
}

/* The trace tells the filters that were in force when it was first read. */
static void the_trace_has_the_changed_config(void **state)
{
    struct scene s;
    struct rig_trace trace;
    Tw__TracePacket *packet;

    (void)state;
    begin(&s, false);
    filter(&s, 2, "one", "two");
    assert_true(change(&s));
    filter(&s, 2, "two", "three");
    assert_true(change(&s));
    trace = rig_read(s.consumer);
    packet = rig_kind(&trace, TW__TRACE_PACKET__DATA_TRACE_CONFIG, 0);
    assert_int_equal(packet->trace_config->data_sources[0]->n_producer_name_filter, 2);
    assert_string_equal(packet->trace_config->data_sources[0]->producer_name_filter[1], "three");
    rig_free(&s.rig);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        tw_unit_test(another_producer_is_let_in),
        tw_unit_test(no_filter_lets_everybody_in),
        tw_unit_test(patterns_let_producers_in),
        tw_unit_test(a_default_that_is_said_is_no_change),
        tw_unit_test(nothing_else_may_change),
        tw_unit_test(a_session_that_ended_does_not_change),
        tw_unit_test(the_trace_has_the_changed_config),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
