/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions from begin to end, and flushes. */
#include <string.h>

#include "tests/harness.h"
#include "tests/service/rig.h"

struct scene {
    struct rig rig;
    struct rig_peer *producer, *consumer;
    Tw__TraceConfig *config;
    uint64_t enabled; /* the request */
};

#define SETUPS(p)  rig_commands(p, TW__GET_ASYNC_COMMAND_RESPONSE__CMD_SETUP_DATA_SOURCE)
#define STARTS(p)  rig_commands(p, TW__GET_ASYNC_COMMAND_RESPONSE__CMD_START_DATA_SOURCE)
#define STOPS(p)   rig_commands(p, TW__GET_ASYNC_COMMAND_RESPONSE__CMD_STOP_DATA_SOURCE)
#define FLUSHES(p) rig_commands(p, TW__GET_ASYNC_COMMAND_RESPONSE__CMD_FLUSH)
#define CLEARS(p)  rig_commands(p, TW__GET_ASYNC_COMMAND_RESPONSE__CMD_CLEAR_INCREMENTAL_STATE)

/* A producer with a source that says when it has started and stopped. */
static void begin(struct scene *s)
{
    Tw__DataSourceDescriptor d = TW__DATA_SOURCE_DESCRIPTOR__INIT;

    rig_init(&s->rig);
    s->producer = rig_producer(&s->rig, "p");
    d.name = tw_pbc_str("source");
    d.has_will_notify_on_start = d.will_notify_on_start = true;
    d.has_will_notify_on_stop = d.will_notify_on_stop = true;
    rig_register_with(s->producer, &d);
    s->consumer = rig_consumer(&s->rig);
    s->config = rig_config(&s->rig, "source");
}

static void enable(struct scene *s)
{
    s->enabled = rig_enable(s->consumer, s->config);
}

static bool ended(const struct scene *s)
{
    return rig_count(s->consumer, s->enabled) > 0;
}

static uint64_t instance(struct scene *s)
{
    return rig_command(s->producer, TW__GET_ASYNC_COMMAND_RESPONSE__CMD_SETUP_DATA_SOURCE,
                       SETUPS(s->producer) - 1)
        ->setup_data_source->new_instance_id;
}

static void say_started(struct scene *s)
{
    Tw__NotifyDataSourceStartedRequest req = TW__NOTIFY_DATA_SOURCE_STARTED_REQUEST__INIT;

    req.has_data_source_id = true;
    req.data_source_id = instance(s);
    rig_call(s->producer, TW_PRODUCER_NOTIFY_DATA_SOURCE_STARTED, &req.base);
}

static void say_stopped(struct scene *s)
{
    Tw__NotifyDataSourceStoppedRequest req = TW__NOTIFY_DATA_SOURCE_STOPPED_REQUEST__INIT;

    req.has_data_source_id = true;
    req.data_source_id = instance(s);
    rig_call(s->producer, TW_PRODUCER_NOTIFY_DATA_SOURCE_STOPPED, &req.base);
}

static void acknowledge_flush(struct rig_peer *producer, uint64_t id)
{
    Tw__CommitDataRequest req = TW__COMMIT_DATA_REQUEST__INIT;

    req.has_flush_request_id = true;
    req.flush_request_id = id;
    rig_call(producer, TW_PRODUCER_COMMIT_DATA, &req.base);
    rig_advance(producer->rig, 0); /* flushes end when timers run */
}

static uint64_t flush_id(struct rig_peer *producer)
{
    return rig_command(producer, TW__GET_ASYNC_COMMAND_RESPONSE__CMD_FLUSH, FLUSHES(producer) - 1)
        ->flush->request_id;
}

static void call(struct scene *s, uint32_t method)
{
    assert_true(rig_call(s->consumer, method, NULL)->success);
}

static void a_session_waits_for_its_sources_to_stop(void **state)
{
    struct scene s;

    (void)state;
    begin(&s);
    enable(&s);
    assert_int_equal(SETUPS(s.producer), 1);
    assert_int_equal(STARTS(s.producer), 1);
    say_started(&s);
    call(&s, TW_CONSUMER_DISABLE_TRACING);
    assert_int_equal(STOPS(s.producer), 1);
    assert_false(ended(&s));
    say_stopped(&s);
    assert_true(ended(&s));
    say_stopped(&s); /* once more changes nothing */
    assert_int_equal(rig_count(s.consumer, s.enabled), 1);
    rig_free(&s.rig);
}

static void a_source_that_never_stops_is_given_up(void **state)
{
    struct scene s;

    (void)state;
    begin(&s);
    s.config->has_data_source_stop_timeout_ms = true;
    s.config->data_source_stop_timeout_ms = 700;
    enable(&s);
    call(&s, TW_CONSUMER_DISABLE_TRACING);
    rig_advance(&s.rig, 699);
    assert_false(ended(&s));
    rig_advance(&s.rig, 1);
    assert_true(ended(&s));
    say_started(&s); /* both too late */
    say_stopped(&s);
    rig_free(&s.rig);
}

static void a_deferred_session_starts_when_told(void **state)
{
    struct scene s;

    (void)state;
    begin(&s);
    s.config->has_deferred_start = s.config->deferred_start = true;
    s.config->has_duration_ms = true;
    s.config->duration_ms = 100;
    enable(&s);
    assert_int_equal(SETUPS(s.producer), 1);
    rig_advance(&s.rig, 1000);
    assert_int_equal(STARTS(s.producer), 0);
    call(&s, TW_CONSUMER_START_TRACING);
    assert_int_equal(STARTS(s.producer), 1);
    assert_false(rig_call(s.consumer, TW_CONSUMER_START_TRACING, NULL)->success);
    rig_advance(&s.rig, 100);
    assert_int_equal(FLUSHES(s.producer), 1);
    rig_free(&s.rig);
}

static void a_deferred_session_that_never_started_ends_at_once(void **state)
{
    struct scene s;

    (void)state;
    begin(&s);
    s.config->has_deferred_start = s.config->deferred_start = true;
    enable(&s);
    call(&s, TW_CONSUMER_DISABLE_TRACING);
    assert_true(ended(&s));
    assert_false(rig_call(s.consumer, TW_CONSUMER_START_TRACING, NULL)->success);
    rig_free(&s.rig);
}

static void its_time_over_a_session_flushes_then_stops(void **state)
{
    struct scene s;

    (void)state;
    begin(&s);
    s.config->has_duration_ms = true;
    s.config->duration_ms = 2000;
    enable(&s);
    rig_advance(&s.rig, 1999);
    assert_int_equal(FLUSHES(s.producer), 0);
    rig_advance(&s.rig, 1);
    assert_int_equal(FLUSHES(s.producer), 1);
    assert_int_equal(STOPS(s.producer), 0);
    acknowledge_flush(s.producer, flush_id(s.producer));
    assert_int_equal(STOPS(s.producer), 1);
    say_stopped(&s);
    assert_true(ended(&s));
    rig_free(&s.rig);
}

static void sources_that_come_late_join_what_runs(void **state)
{
    struct scene s;
    struct rig_peer *late;

    (void)state;
    begin(&s);
    enable(&s);
    late = rig_producer(&s.rig, "late");
    rig_register(late, "source");
    rig_register(late, "source"); /* a second one of the same name */
    rig_register(late, "another");
    assert_int_equal(STARTS(late), 2);
    call(&s, TW_CONSUMER_DISABLE_TRACING);
    rig_register(late, "source");
    assert_int_equal(SETUPS(late), 2);
    rig_free(&s.rig);
}

static void a_source_registered_before_commands_are_asked_for_joins_then(void **state)
{
    REQ("TW-PROD-010");
    struct rig rig;
    struct rig_peer *producer;
    Tw__InitializeConnectionRequest hello = TW__INITIALIZE_CONNECTION_REQUEST__INIT;

    (void)state;
    rig_init(&rig);
    rig_enable(rig_consumer(&rig), rig_config(&rig, "source"));
    producer = rig_connect(&rig, TW_SERVICE_PRODUCER);
    rig_call(producer, TW_PRODUCER_INITIALIZE_CONNECTION, &hello.base);
    rig_register(producer, "source");
    producer->commands_id = rig_send(producer, TW_PRODUCER_GET_ASYNC_COMMAND, NULL);
    rig_pump(&rig);
    assert_int_equal(SETUPS(producer), 1);
    assert_int_equal(STARTS(producer), 1);
    rig_free(&rig);
}

static void unregistering_a_source_stops_its_instance(void **state)
{
    struct scene s;
    Tw__UnregisterDataSourceRequest req = TW__UNREGISTER_DATA_SOURCE_REQUEST__INIT;

    (void)state;
    begin(&s);
    enable(&s);
    req.data_source_name = tw_pbc_str("source");
    rig_call(s.producer, TW_PRODUCER_UNREGISTER_DATA_SOURCE, &req.base);
    assert_int_equal(STOPS(s.producer), 1);
    assert_false(ended(&s));
    call(&s, TW_CONSUMER_DISABLE_TRACING);
    assert_true(ended(&s)); /* nobody to wait for */
    assert_int_equal(STOPS(s.producer), 1);
    rig_free(&s.rig);
}

static void a_session_does_not_wait_for_a_producer_that_left(void **state)
{
    struct scene s;

    (void)state;
    begin(&s);
    enable(&s);
    call(&s, TW_CONSUMER_DISABLE_TRACING);
    assert_false(ended(&s));
    rig_disconnect(s.producer);
    rig_pump(&s.rig);
    assert_true(ended(&s));
    rig_free(&s.rig);
}

static void filters_choose_the_producer(void **state)
{
    struct rig rig;
    struct rig_peer *producers[2];
    Tw__TraceConfig *config;
    char *names[] = {tw_pbc_str("other"), tw_pbc_str("two")};
    char *machine[] = {tw_pbc_str("elsewhere")};

    (void)state;
    rig_init(&rig);
    producers[0] = rig_producer(&rig, "one");
    producers[1] = rig_producer(&rig, "two");
    config = rig_config(&rig, "source");
    config->data_sources[0]->n_producer_name_filter = 2;
    config->data_sources[0]->producer_name_filter = names;
    rig_enable(rig_consumer(&rig), config);
    config->data_sources[0]->n_machine_name_filter = 1;
    config->data_sources[0]->machine_name_filter = machine;
    rig_enable(rig_consumer(&rig), config);
    for (int i = 0; i < 2; i++)
        rig_register(producers[i], "source");
    assert_int_equal(SETUPS(producers[0]), 0);
    assert_int_equal(SETUPS(producers[1]), 1);
    rig_free(&rig);
}

static void a_producers_config_says_what_the_service_knows(void **state)
{
    struct scene s;
    Tw__DataSourceConfig *config = NULL;
    ProtobufCMessageUnknownField unknown = {
        .tag = 4242, .wire_type = PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED, .len = 4};
    uint8_t inner[] = {3, 'a', 'b', 'c'};

    (void)state;
    begin(&s);
    unknown.data = inner;
    s.config->data_sources[0]->config->base.n_unknown_fields = 1;
    s.config->data_sources[0]->config->base.unknown_fields = &unknown;
    s.config->data_sources[0]->config->has_session_initiator = true;
    s.config->data_sources[0]->config->session_initiator =
        TW__DATA_SOURCE_CONFIG__SESSION_INITIATOR__SESSION_INITIATOR_TRUSTED_SYSTEM;
    s.config->has_duration_ms = true;
    s.config->duration_ms = 1234;
    enable(&s);
    for (int i = 0; i < 2; i++) { /* SetupDataSource and StartDataSource say the same */
        Tw__GetAsyncCommandResponse *command =
            rig_command(s.producer,
                        i ? TW__GET_ASYNC_COMMAND_RESPONSE__CMD_START_DATA_SOURCE
                          : TW__GET_ASYNC_COMMAND_RESPONSE__CMD_SETUP_DATA_SOURCE,
                        0);

        config = i ? command->start_data_source->config : command->setup_data_source->config;
        assert_string_equal(config->name, "source");
        assert_int_equal(config->trace_duration_ms, 1234);
        assert_int_equal(config->stop_timeout_ms, 5000);
        assert_int_equal(config->session_initiator, 0);
        assert_true(config->target_buffer > 0 && config->tracing_session_id > 0);
        assert_int_equal(config->base.n_unknown_fields, 1);
        assert_int_equal(config->base.unknown_fields[0].tag, 4242);
        assert_int_equal(config->base.unknown_fields[0].len, 4);
        assert_memory_equal(config->base.unknown_fields[0].data, inner, 4);
    }
    rig_free(&s.rig);
}

static void sizes_of_shared_memory_come_from_the_config(void **state)
{
    struct scene s;
    Tw__TraceConfig__ProducerConfig sizes = TW__TRACE_CONFIG__PRODUCER_CONFIG__INIT;
    Tw__TraceConfig__ProducerConfig *list[] = {&sizes};

    (void)state;
    begin(&s);
    sizes.producer_name = tw_pbc_str("p");
    sizes.has_shm_size_kb = sizes.has_page_size_kb = true;
    sizes.shm_size_kb = 512;
    sizes.page_size_kb = 16;
    s.config->n_producers = 1;
    s.config->producers = list;
    enable(&s);
    assert_int_equal(s.producer->shm.size, 512 * 1024);
    assert_int_equal(rig_command(s.producer, TW__GET_ASYNC_COMMAND_RESPONSE__CMD_SETUP_TRACING, 0)
                         ->setup_tracing->shared_buffer_page_size_kb,
                     16);
    rig_free(&s.rig);
}

static void a_flush_is_answered_when_all_producers_have(void **state)
{
    struct scene s;
    struct rig_peer *other;
    uint64_t id;

    (void)state;
    begin(&s);
    enable(&s);
    other = rig_producer(&s.rig, "other");
    rig_register(other, "source");
    id = rig_send(s.consumer, TW_CONSUMER_FLUSH, NULL);
    rig_pump(&s.rig);
    assert_int_equal(FLUSHES(s.producer), 1);
    assert_int_equal(flush_id(s.producer), flush_id(other));
    acknowledge_flush(s.producer, flush_id(s.producer));
    acknowledge_flush(s.producer, flush_id(s.producer)); /* twice counts once */
    assert_int_equal(rig_count(s.consumer, id), 0);
    acknowledge_flush(other, flush_id(other));
    assert_true(rig_last(s.consumer, id)->success);
    assert_int_equal(rig_count(s.consumer, id), 1);
    rig_free(&s.rig);
}

static void acknowledging_a_later_flush_does_for_earlier_ones(void **state)
{
    REQ("TW-PROD-033");
    struct scene s;
    uint64_t ids[3];

    (void)state;
    begin(&s);
    enable(&s);
    for (int i = 0; i < 3; i++)
        ids[i] = rig_send(s.consumer, TW_CONSUMER_FLUSH, NULL);
    rig_pump(&s.rig);
    acknowledge_flush(s.producer, 0);
    acknowledge_flush(s.producer, flush_id(s.producer) - 3);
    assert_int_equal(rig_count(s.consumer, ids[0]), 0);
    acknowledge_flush(s.producer, flush_id(s.producer) - 1);
    assert_true(rig_last(s.consumer, ids[0])->success && rig_last(s.consumer, ids[1])->success);
    assert_int_equal(rig_count(s.consumer, ids[2]), 0);
    acknowledge_flush(s.producer, UINT64_MAX);
    assert_true(rig_last(s.consumer, ids[2])->success);
    rig_free(&s.rig);
}

static void a_flush_that_nobody_acknowledges_fails(void **state)
{
    struct scene s;
    Tw__FlushRequest req = TW__FLUSH_REQUEST__INIT;
    uint64_t id;

    (void)state;
    begin(&s);
    enable(&s);
    req.has_timeout_ms = true;
    req.timeout_ms = 300;
    id = rig_send(s.consumer, TW_CONSUMER_FLUSH, &req.base);
    rig_advance(&s.rig, 299);
    assert_int_equal(rig_count(s.consumer, id), 0);
    rig_advance(&s.rig, 1);
    assert_int_equal(rig_count(s.consumer, id), 1);
    assert_false(rig_last(s.consumer, id)->success);
    acknowledge_flush(s.producer, flush_id(s.producer)); /* too late */
    assert_int_equal(rig_count(s.consumer, id), 1);
    rig_free(&s.rig);
}

static void a_flush_without_a_timeout_has_the_configs(void **state)
{
    struct scene s;
    uint64_t id;

    (void)state;
    begin(&s);
    s.config->has_flush_timeout_ms = true;
    s.config->flush_timeout_ms = 70;
    enable(&s);
    id = rig_send(s.consumer, TW_CONSUMER_FLUSH, NULL);
    rig_advance(&s.rig, 69);
    assert_int_equal(rig_count(s.consumer, id), 0);
    rig_advance(&s.rig, 1);
    assert_int_equal(rig_count(s.consumer, id), 1);
    rig_free(&s.rig);
}

static void a_flush_without_producers_succeeds(void **state)
{
    struct rig rig;
    struct rig_peer *consumer;
    uint64_t id;

    (void)state;
    rig_init(&rig);
    consumer = rig_consumer(&rig);
    rig_enable(consumer, rig_config(&rig, "source"));
    id = rig_send(consumer, TW_CONSUMER_FLUSH, NULL);
    rig_advance(&rig, 0);
    assert_true(rig_last(consumer, id)->success);
    rig_free(&rig);
}

static void a_session_that_does_not_run_has_no_flush(void **state)
{
    struct scene s;

    (void)state;
    begin(&s);
    s.config->has_deferred_start = s.config->deferred_start = true;
    enable(&s);
    assert_false(rig_call(s.consumer, TW_CONSUMER_FLUSH, NULL)->success);
    call(&s, TW_CONSUMER_DISABLE_TRACING);
    assert_false(rig_call(s.consumer, TW_CONSUMER_FLUSH, NULL)->success);
    rig_free(&s.rig);
}

static void a_pending_flush_is_refused_when_the_session_goes(void **state)
{
    struct scene s;
    uint64_t id;

    (void)state;
    begin(&s);
    enable(&s);
    id = rig_send(s.consumer, TW_CONSUMER_FLUSH, NULL);
    rig_pump(&s.rig);
    call(&s, TW_CONSUMER_FREE_BUFFERS);
    assert_int_equal(rig_count(s.consumer, id), 1);
    assert_false(rig_last(s.consumer, id)->success);
    acknowledge_flush(s.producer, flush_id(s.producer));
    rig_advance(&s.rig, 10000);
    rig_free(&s.rig);
}

/* The producer's acknowledgement and the consumer's end meet (a crash of the original). */
static void a_flush_survives_everybody_leaving(void **state)
{
    (void)state;
    for (int order = 0; order < 4; order++) {
        struct scene s;

        begin(&s);
        s.config->has_duration_ms = true;
        s.config->duration_ms = 100;
        enable(&s);
        rig_send(s.consumer, TW_CONSUMER_FLUSH, NULL);
        rig_advance(&s.rig, 100);
        if (order & 1)
            rig_disconnect(s.consumer);
        if (order & 2)
            rig_disconnect(s.producer);
        rig_pump(&s.rig);
        if (s.producer->conn)
            acknowledge_flush(s.producer, UINT64_MAX);
        rig_advance(&s.rig, 20000);
        rig_free(&s.rig);
    }
}

static void periods_ask_for_flushes_and_fresh_state(void **state)
{
    REQ("TW-PROD-032");
    REQ("TW-LIM-029");
    struct scene s;
    Tw__DataSourceDescriptor d = TW__DATA_SOURCE_DESCRIPTOR__INIT;
    Tw__TraceConfig__IncrementalStateConfig clear =
        TW__TRACE_CONFIG__INCREMENTAL_STATE_CONFIG__INIT;
    struct rig_peer *clearing;

    (void)state;
    begin(&s);
    clearing = rig_producer(&s.rig, "clearing");
    d.name = tw_pbc_str("source");
    d.has_handles_incremental_state_clear = d.handles_incremental_state_clear = true;
    d.has_no_flush = d.no_flush = true;
    rig_register_with(clearing, &d);
    s.config->has_flush_period_ms = clear.has_clear_period_ms = true;
    s.config->flush_period_ms = 1000;
    clear.clear_period_ms = 1; /* not that often */
    s.config->incremental_state_config = &clear;
    enable(&s);
    rig_advance(&s.rig, 5000);
    assert_int_equal(FLUSHES(s.producer), 5);
    assert_int_equal(FLUSHES(clearing), 0);
    assert_int_equal(CLEARS(s.producer), 0);
    assert_int_equal(CLEARS(clearing), 50);
    rig_free(&s.rig);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        tw_unit_test(a_session_waits_for_its_sources_to_stop),
        tw_unit_test(a_source_that_never_stops_is_given_up),
        tw_unit_test(a_deferred_session_starts_when_told),
        tw_unit_test(a_deferred_session_that_never_started_ends_at_once),
        tw_unit_test(its_time_over_a_session_flushes_then_stops),
        tw_unit_test(sources_that_come_late_join_what_runs),
        tw_unit_test(a_source_registered_before_commands_are_asked_for_joins_then),
        tw_unit_test(unregistering_a_source_stops_its_instance),
        tw_unit_test(a_session_does_not_wait_for_a_producer_that_left),
        tw_unit_test(filters_choose_the_producer),
        tw_unit_test(a_producers_config_says_what_the_service_knows),
        tw_unit_test(sizes_of_shared_memory_come_from_the_config),
        tw_unit_test(a_flush_is_answered_when_all_producers_have),
        tw_unit_test(acknowledging_a_later_flush_does_for_earlier_ones),
        tw_unit_test(a_flush_that_nobody_acknowledges_fails),
        tw_unit_test(a_flush_without_a_timeout_has_the_configs),
        tw_unit_test(a_flush_without_producers_succeeds),
        tw_unit_test(a_session_that_does_not_run_has_no_flush),
        tw_unit_test(a_pending_flush_is_refused_when_the_session_goes),
        tw_unit_test(a_flush_survives_everybody_leaving),
        tw_unit_test(periods_ask_for_flushes_and_fresh_state),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
