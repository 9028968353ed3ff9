/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "service/limits.h"
#include "tests/harness.h"
#include "tests/service/rig.h"
#include "wire/reader.h"

static Tw__EnableTracingResponse *enabled(struct rig_peer *consumer, uint64_t id)
{
    return rig_decode(consumer, rig_last(consumer, id), &tw__enable_tracing_response__descriptor);
}

static void enable_tracing_is_answered_when_the_session_ends(void **state)
{
    struct rig rig;
    struct rig_peer *consumer;
    uint64_t id;

    REQ("TW-CONS-002");
    (void)state;
    rig_init(&rig);
    consumer = rig_consumer(&rig);
    id = rig_enable(consumer, rig_config(&rig, "source"));
    assert_int_equal(rig_count(consumer, id), 0);
    assert_true(rig_call(consumer, TW_CONSUMER_DISABLE_TRACING, NULL)->success);
    assert_int_equal(rig_count(consumer, id), 1);
    assert_true(enabled(consumer, id)->disabled);
    assert_null(enabled(consumer, id)->error);
    rig_call(consumer, TW_CONSUMER_DISABLE_TRACING, NULL);
    rig_call(consumer, TW_CONSUMER_FREE_BUFFERS, NULL);
    assert_int_equal(rig_count(consumer, id), 1);
    rig_free(&rig);
}

static void a_consumer_has_one_session_at_a_time(void **state)
{
    struct rig rig;
    struct rig_peer *consumer;
    uint64_t first, second;

    REQ("TW-CONS-001");
    (void)state;
    rig_init(&rig);
    consumer = rig_consumer(&rig);
    first = rig_enable(consumer, rig_config(&rig, "source"));
    second = rig_enable(consumer, rig_config(&rig, "source"));
    assert_int_equal(rig_count(consumer, first), 0);
    assert_non_null(enabled(consumer, second)->error);
    rig_call(consumer, TW_CONSUMER_FREE_BUFFERS, NULL);
    assert_int_equal(rig_count(consumer, first), 1);
    assert_int_equal(rig_count(consumer, rig_enable(consumer, rig_config(&rig, "source"))), 0);
    rig_free(&rig);
}

static void without_a_session_there_is_nothing_to_do(void **state)
{
    static const struct {
        uint32_t method;
        bool success;
    } calls[] = {
        {TW_CONSUMER_START_TRACING, false},  {TW_CONSUMER_READ_BUFFERS, true},
        {TW_CONSUMER_FLUSH, false},          {TW_CONSUMER_GET_TRACE_STATS, false},
        {TW_CONSUMER_DISABLE_TRACING, true}, {TW_CONSUMER_FREE_BUFFERS, true},
    };
    struct rig rig;
    struct rig_peer *consumer;

    REQ("TW-CONS-005");
    REQ("TW-CONS-006");
    (void)state;
    rig_init(&rig);
    consumer = rig_consumer(&rig);
    for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
        const struct rig_reply *reply = rig_call(consumer, calls[i].method, NULL);

        assert_non_null(reply);
        assert_int_equal(reply->success, calls[i].success);
        assert_false(reply->has_more);
    }
    rig_free(&rig);
}

static void calls_without_a_reply_do_their_work_in_silence(void **state)
{
    struct rig rig;
    struct rig_peer *consumer;
    size_t before;

    (void)state;
    rig_init(&rig);
    consumer = rig_consumer(&rig);
    rig_enable(consumer, rig_config(&rig, "source"));
    before = consumer->n_replies;
    for (uint32_t method = 1; method < TW_CONSUMER_METHOD_MAX; method++)
        if (method != TW_CONSUMER_DISABLE_TRACING && method != TW_CONSUMER_FREE_BUFFERS) {
            rig_send_raw(consumer, method, (struct tw_bytes){0}, true, -1);
            rig_send_raw(consumer, method, (struct tw_bytes){(const uint8_t *)"\xff", 1}, true, -1);
        }
    rig_advance(&rig, 1);
    assert_int_equal(consumer->n_replies, before);
    rig_send_raw(consumer, TW_CONSUMER_FREE_BUFFERS, (struct tw_bytes){0}, true, -1);
    rig_pump(&rig);
    assert_int_equal(consumer->n_replies, before + 1); /* of EnableTracing */
    rig_free(&rig);
}

static void malformed_arguments_are_refused(void **state)
{
    struct rig rig;
    struct rig_peer *consumer;

    (void)state;
    rig_init(&rig);
    consumer = rig_consumer(&rig);
    for (uint32_t method = 1; method < TW_CONSUMER_METHOD_MAX; method++) {
        struct tw_bytes bad = {(const uint8_t *)"\x0a\x7f", 2};
        uint64_t id = rig_send_raw(consumer, method, bad, false, -1);

        rig_pump(&rig);
        assert_int_equal(rig_count(consumer, id), 1);
        assert_false(rig_last(consumer, id)->success);
    }
    rig_free(&rig);
}

static void a_config_that_is_no_message_is_told(void **state)
{
    struct rig rig;
    struct rig_peer *consumer;
    uint64_t id;

    (void)state;
    rig_init(&rig);
    consumer = rig_consumer(&rig);
    id = rig_send_raw(consumer, TW_CONSUMER_ENABLE_TRACING,
                      (struct tw_bytes){(const uint8_t *)"\x0a\x01\xff", 3}, false, -1);
    rig_pump(&rig);
    assert_non_null(enabled(consumer, id)->error);
    rig_free(&rig);
}

/* The state in one part of the answer. */
static struct tw_bytes part_of(const struct rig_reply *reply)
{
    struct tw_reader r = tw_reader_of(reply->body);
    struct tw_field field;

    assert_true(reply->success);
    assert_int_equal(tw_read_field(&r, &field), 0);
    assert_int_equal(field.number, 1);
    assert_int_equal(tw_reader_left(&r), 0);
    return field.bytes;
}

/* Everything that QueryServiceState said, merged: lists add up. */
static Tw__TracingServiceState *merged(struct rig_peer *consumer, uint64_t id)
{
    struct tw_buf all = TW_BUF_INIT(SIZE_MAX / 4);
    struct rig_reply whole = {.success = true};
    Tw__TracingServiceState *state;

    assert_false(rig_last(consumer, id)->has_more);
    for (size_t i = 0; i < consumer->n_replies; i++)
        if (consumer->replies[i].id == id) {
            struct tw_bytes part = part_of(&consumer->replies[i]);

            assert_int_equal(tw_buf_append(&all, part.p, part.n), 0);
        }
    whole.body = tw_buf_bytes(&all);
    state = rig_decode(consumer, &whole, &tw__tracing_service_state__descriptor);
    tw_buf_deinit(&all);
    return state;
}

static Tw__TracingServiceState *query(struct rig_peer *consumer, bool sessions_only)
{
    Tw__QueryServiceStateRequest req = TW__QUERY_SERVICE_STATE_REQUEST__INIT;
    uint64_t id;

    req.has_sessions_only = true;
    req.sessions_only = sessions_only;
    id = rig_send(consumer, TW_CONSUMER_QUERY_SERVICE_STATE, &req.base);
    rig_pump(consumer->rig);
    return merged(consumer, id);
}

static void the_state_lists_producers_sources_and_sessions(void **state)
{
    struct rig rig;
    struct rig_peer *producers[2], *consumer;
    Tw__TracingServiceState *s;
    Tw__TraceConfig *config;

    (void)state;
    rig_init(&rig);
    producers[0] = rig_producer(&rig, "one");
    producers[1] = rig_producer(&rig, "two");
    rig_register(producers[0], "a");
    rig_register(producers[1], "b");
    rig_register(producers[0], "c");
    consumer = rig_consumer(&rig);
    config = rig_config(&rig, "b");
    config->unique_session_name = tw_pbc_str("named");
    rig_enable(consumer, config);
    s = query(consumer, false);
    assert_int_equal(s->n_producers, 2);
    assert_string_equal(s->producers[1]->name, "two");
    assert_int_equal(s->producers[1]->pid, producers[1]->who.pid);
    assert_int_equal(s->producers[1]->uid, producers[1]->who.uid);
    assert_int_equal(s->n_data_sources, 3);
    assert_string_equal(s->data_sources[1]->ds_descriptor->name, "c");
    assert_int_equal(s->data_sources[1]->producer_id, s->producers[0]->id);
    assert_int_equal(s->data_sources[2]->producer_id, s->producers[1]->id);
    assert_int_equal(s->n_tracing_sessions, 1);
    assert_string_equal(s->tracing_sessions[0]->unique_session_name, "named");
    assert_string_equal(s->tracing_sessions[0]->state, "STARTED");
    assert_int_equal(s->tracing_sessions[0]->num_data_sources, 1);
    assert_int_equal(s->tracing_sessions[0]->buffer_size_kb[0], 64);
    assert_int_equal(s->num_sessions, 1);
    assert_int_equal(s->num_sessions_started, 1);
    s = query(consumer, true);
    assert_int_equal(s->n_producers + s->n_data_sources, 0);
    assert_int_equal(s->n_tracing_sessions, 1);
    rig_free(&rig);
}

static void others_sessions_are_only_counted(void **state)
{
    struct rig rig;
    struct rig_peer *stranger, *root;
    Tw__TracingServiceState *s;
    Tw__TraceConfig *config;

    REQ("TW-CONS-043");
    (void)state;
    rig_init(&rig);
    config = rig_config(&rig, "source");
    config->has_bugreport_score = true;
    config->bugreport_score = 3;
    config->bugreport_filename = tw_pbc_str("file");
    rig_enable(rig_consumer(&rig), config);
    stranger = rig_consumer_as(&rig, RIG_UID + 1);
    root = rig_consumer_as(&rig, 0);
    s = query(stranger, false);
    assert_int_equal(s->n_tracing_sessions, 0);
    assert_int_equal(s->num_sessions, 1);
    s = query(root, true);
    assert_int_equal(s->n_tracing_sessions, 1);
    assert_int_equal(s->tracing_sessions[0]->bugreport_score, 3);
    assert_string_equal(s->tracing_sessions[0]->bugreport_filename, "file");
    rig_free(&rig);
}

/* A descriptor with n bytes that the service knows nothing of. */
static bool register_large(struct rig_peer *producer, const char *name, size_t n)
{
    struct tw_buf args = TW_BUF_INIT(TW_FRAME_PAYLOAD_MAX);
    Tw__DataSourceDescriptor descriptor = TW__DATA_SOURCE_DESCRIPTOR__INIT;
    Tw__RegisterDataSourceRequest req = TW__REGISTER_DATA_SOURCE_REQUEST__INIT;
    ProtobufCMessageUnknownField unknown = {
        .tag = 1000, .wire_type = PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED, .len = n};
    Tw__RegisterDataSourceResponse *response;
    uint64_t id;

    unknown.data = calloc(1, n);
    for (size_t i = 0, left = n - 3; i < 3; i++, left >>= 7)
        unknown.data[i] = (uint8_t)((left & 0x7f) | (i < 2 ? 0x80 : 0));
    descriptor.name = tw_pbc_str(name);
    descriptor.base.n_unknown_fields = 1;
    descriptor.base.unknown_fields = &unknown;
    req.data_source_descriptor = &descriptor;
    assert_int_equal(tw_pbc_pack(&req.base, &args), 0);
    id = rig_send_raw(producer, TW_PRODUCER_REGISTER_DATA_SOURCE, tw_buf_bytes(&args), false, -1);
    rig_pump(producer->rig);
    tw_buf_deinit(&args);
    free(unknown.data);
    response = rig_decode(producer, rig_last(producer, id),
                          &tw__register_data_source_response__descriptor);
    return response->error == NULL;
}

static void descriptors_have_a_limit_and_all_together_too(void **state)
{
    REQ("TW-LIM-034");
    REQ("TW-LIM-035");
    struct rig rig;
    struct rig_peer *producer;
    Tw__UnregisterDataSourceRequest un = TW__UNREGISTER_DATA_SOURCE_REQUEST__INIT;
    size_t n = 0;

    (void)state;
    rig_init(&rig);
    producer = rig_producer(&rig, "p");
    assert_false(register_large(producer, "large", TW_NESTED_MAX));
    while (n < 100 && register_large(producer, "many", 100 * 1024))
        n++;
    assert_int_equal(n, 10);
    un.data_source_name = tw_pbc_str("many");
    rig_call(producer, TW_PRODUCER_UNREGISTER_DATA_SOURCE, &un.base);
    assert_true(register_large(producer, "many", 100 * 1024));
    rig_free(&rig);
}

static void a_state_larger_than_the_queue_arrives_whole(void **state)
{
    struct rig rig;
    struct rig_peer *consumer;
    Tw__TracingServiceState *s;

    REQ("TW-CONS-043");
    (void)state;
    rig_init(&rig);
    for (int i = 0; i < 4; i++) {
        struct rig_peer *producer = rig_producer(&rig, "p");

        for (int j = 0; j < 8; j++)
            assert_true(register_large(producer, "large", 119 * 1024));
    }
    consumer = rig_consumer(&rig);
    s = query(consumer, false);
    assert_non_null(consumer->conn);
    assert_int_equal(s->n_producers, 4);
    assert_int_equal(s->n_data_sources, 32);
    rig_free(&rig);
}

static void who_does_not_read_the_state_is_owed_little(void **state)
{
    struct rig rig;
    struct rig_peer *consumer, *producer;
    uint64_t id;

    (void)state;
    rig_init(&rig);
    producer = rig_producer(&rig, "p");
    for (int j = 0; j < 8; j++)
        assert_true(register_large(producer, "large", 119 * 1024));
    rig_producer(&rig, "behind it");
    consumer = rig_consumer(&rig);
    consumer->deaf = true;
    id = rig_send(consumer, TW_CONSUMER_QUERY_SERVICE_STATE, NULL);
    rig_pump(&rig);
    rig_disconnect(producer); /* in the middle of its list */
    consumer->deaf = false;
    rig_pump(&rig);
    assert_true(merged(consumer, id)->n_data_sources < 8);
    assert_int_equal(merged(consumer, id)->n_producers, 2);
    rig_free(&rig);
}

static void capabilities_name_what_can_be_observed(void **state)
{
    struct rig rig;
    struct rig_peer *consumer;
    Tw__QueryCapabilitiesResponse *response;

    REQ("TW-CONS-044");
    (void)state;
    rig_init(&rig);
    consumer = rig_consumer(&rig);
    response = rig_decode(consumer, rig_call(consumer, TW_CONSUMER_QUERY_CAPABILITIES, NULL),
                          &tw__query_capabilities_response__descriptor);
    assert_true(response->capabilities->has_query_capabilities);
    assert_int_equal(response->capabilities->n_observable_events, 3);
    assert_true(response->capabilities->has_clone_session);
    rig_free(&rig);
}

static void stats_of_very_many_writers_still_fit_a_reply(void **state)
{
    enum { BUFFERS = 3, WRITERS = 2000 };
    struct rig rig;
    struct rig_peer *producer, *consumer;
    Tw__GetTraceStatsResponse *response;
    Tw__TraceConfig *config, *more[BUFFERS];
    Tw__TraceConfig__BufferConfig *buffers[BUFFERS];
    Tw__TraceConfig__DataSource *sources[BUFFERS];
    uint16_t last;

    (void)state;
    rig_init(&rig);
    producer = rig_producer(&rig, "p");
    rig_register(producer, "source");
    consumer = rig_consumer(&rig);
    config = rig_config(&rig, "source");
    for (uint32_t i = 0; i < BUFFERS; i++) {
        more[i] = rig_config(&rig, "source");
        buffers[i] = more[i]->buffers[0];
        buffers[i]->size_kb = 4096;
        sources[i] = more[i]->data_sources[0];
        sources[i]->config->has_target_buffer = true;
        sources[i]->config->target_buffer = i;
    }
    config->n_buffers = config->n_data_sources = BUFFERS;
    config->buffers = buffers;
    config->data_sources = sources;
    rig_enable(consumer, config);
    last = rig_buffer(producer);
    for (uint16_t i = 0; i < BUFFERS * WRITERS; i++) {
        struct tw_bytes packet = {(const uint8_t *)"\x42\x00", 2};

        rig_write(producer, &(struct rig_chunk){.writer_id = (uint16_t)(i + 1)}, &packet, 1);
        rig_commit(producer, 0, last - i % BUFFERS);
    }
    response = rig_decode(consumer, rig_call(consumer, TW_CONSUMER_GET_TRACE_STATS, NULL),
                          &tw__get_trace_stats_response__descriptor);
    assert_non_null(response);
    assert_int_equal(response->trace_stats->n_writer_stats, 0);
    assert_int_equal(response->trace_stats->buffer_stats[0]->chunks_written, WRITERS);
    rig_free(&rig);
}

static void observe(struct rig_peer *consumer, uint64_t *ret_id)
{
    Tw__ObserveEventsRequest req = TW__OBSERVE_EVENTS_REQUEST__INIT;
    Tw__ObservableEvents__Type types[] = {
        TW__OBSERVABLE_EVENTS__TYPE__TYPE_DATA_SOURCES_INSTANCES,
        TW__OBSERVABLE_EVENTS__TYPE__TYPE_ALL_DATA_SOURCES_STARTED,
    };

    req.n_events_to_observe = 2;
    req.events_to_observe = types;
    *ret_id = rig_send(consumer, TW_CONSUMER_OBSERVE_EVENTS, &req.base);
    rig_pump(consumer->rig);
}

static Tw__ObservableEvents *event(struct rig_peer *consumer, uint64_t id)
{
    Tw__ObserveEventsResponse *response =
        rig_decode(consumer, rig_last(consumer, id), &tw__observe_events_response__descriptor);

    return response ? response->events : NULL;
}

static void observers_see_instances_start_and_stop(void **state)
{
    struct rig rig;
    struct rig_peer *consumer, *producer;
    uint64_t id;

    (void)state;
    rig_init(&rig);
    producer = rig_producer(&rig, "p");
    rig_register(producer, "source");
    consumer = rig_consumer(&rig);
    observe(consumer, &id);
    assert_int_equal(rig_count(consumer, id), 0);
    rig_enable(consumer, rig_config(&rig, "source"));
    assert_int_equal(rig_count(consumer, id), 2);
    assert_true(event(consumer, id)->all_data_sources_started);
    rig_call(consumer, TW_CONSUMER_DISABLE_TRACING, NULL);
    assert_int_equal(rig_count(consumer, id), 3);
    assert_int_equal(
        event(consumer, id)->instance_state_changes[0]->state,
        TW__OBSERVABLE_EVENTS__DATA_SOURCE_INSTANCE_STATE__DATA_SOURCE_INSTANCE_STATE_STOPPED);
    assert_string_equal(event(consumer, id)->instance_state_changes[0]->producer_name, "p");
    assert_true(rig_last(consumer, id)->has_more);
    rig_free(&rig);
}

static void who_observes_late_is_told_what_is(void **state)
{
    struct rig rig;
    struct rig_peer *consumer, *producer;
    uint64_t first, second;

    (void)state;
    rig_init(&rig);
    producer = rig_producer(&rig, "p");
    rig_register(producer, "source");
    consumer = rig_consumer(&rig);
    rig_enable(consumer, rig_config(&rig, "source"));
    observe(consumer, &first);
    assert_int_equal(rig_count(consumer, first), 2);
    observe(consumer, &second); /* ends the first */
    assert_false(rig_last(consumer, first)->has_more);
    assert_int_equal(rig_count(consumer, first), 3);
    assert_int_equal(rig_count(consumer, second), 2);
    rig_free(&rig);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        tw_unit_test(enable_tracing_is_answered_when_the_session_ends),
        tw_unit_test(a_consumer_has_one_session_at_a_time),
        tw_unit_test(without_a_session_there_is_nothing_to_do),
        tw_unit_test(calls_without_a_reply_do_their_work_in_silence),
        tw_unit_test(malformed_arguments_are_refused),
        tw_unit_test(a_config_that_is_no_message_is_told),
        tw_unit_test(the_state_lists_producers_sources_and_sessions),
        tw_unit_test(others_sessions_are_only_counted),
        tw_unit_test(descriptors_have_a_limit_and_all_together_too),
        tw_unit_test(a_state_larger_than_the_queue_arrives_whole),
        tw_unit_test(who_does_not_read_the_state_is_owed_little),
        tw_unit_test(capabilities_name_what_can_be_observed),
        tw_unit_test(stats_of_very_many_writers_still_fit_a_reply),
        tw_unit_test(observers_see_instances_start_and_stop),
        tw_unit_test(who_observes_late_is_told_what_is),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
