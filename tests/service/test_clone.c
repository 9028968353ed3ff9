/* SPDX-License-Identifier: Apache-2.0 */
/* CloneSession: a copy of what a session has recorded, while it goes on. */
#include <string.h>

#include "base/clock.h"
#include "service/core.h"
#include "tests/harness.h"
#include "tests/service/rig.h"

#define FLUSHES(p) rig_commands(p, TW__GET_ASYNC_COMMAND_RESPONSE__CMD_FLUSH)

struct scene {
    struct rig rig;
    struct rig_peer *producer, *consumer, *cloner;
    Tw__TraceConfig *config;
    uint64_t enabled;
    uint16_t buffer;
};

static void begin(struct scene *s)
{
    rig_init(&s->rig);
    s->producer = rig_producer(&s->rig, "p");
    rig_register(s->producer, "source");
    s->consumer = rig_consumer(&s->rig);
    s->cloner = rig_consumer(&s->rig);
    s->config = rig_config(&s->rig, "source");
    s->config->unique_session_name = tw_pbc_str("name");
}

static void enable(struct scene *s)
{
    s->enabled = rig_enable(s->consumer, s->config);
    s->buffer = rig_buffer(s->producer);
}

static void acknowledge(struct scene *s, size_t nth)
{
    Tw__CommitDataRequest req = TW__COMMIT_DATA_REQUEST__INIT;

    req.has_flush_request_id = true;
    req.flush_request_id =
        rig_command(s->producer, TW__GET_ASYNC_COMMAND_RESPONSE__CMD_FLUSH, nth)->flush->request_id;
    rig_call(s->producer, TW_PRODUCER_COMMIT_DATA, &req.base);
    rig_advance(&s->rig, 0); /* flushes end when timers run */
}

static uint64_t ask(struct rig_peer *cloner, const Tw__CloneSessionRequest *req)
{
    uint64_t id = rig_send(cloner, TW_CONSUMER_CLONE_SESSION, &req->base);

    rig_pump(cloner->rig);
    return id;
}

static Tw__CloneSessionResponse *answer(struct rig_peer *cloner, uint64_t id)
{
    return rig_decode(cloner, rig_last(cloner, id), &tw__clone_session_response__descriptor);
}

static bool fails(struct rig_peer *cloner, uint64_t id, const char *text)
{
    Tw__CloneSessionResponse *response = answer(cloner, id);

    return response && !response->success && strstr(response->error, text);
}

/* The id of the session of a consumer. */
static uint64_t session_of(const struct rig_peer *consumer)
{
    return consumer->conn->session->id;
}

static Tw__TracePacket *event(const struct rig_trace *trace,
                              Tw__TracingServiceEvent__EventTypeCase kind)
{
    Tw__TracePacket *packet;

    for (size_t i = 0; (packet = rig_kind(trace, TW__TRACE_PACKET__DATA_SERVICE_EVENT, i)); i++)
        if (packet->service_event->event_type_case == kind)
            return packet;
    return NULL;
}

static void a_clone_is_read_while_the_session_goes_on(void **state)
{
    struct scene s;
    struct rig_trace trace;
    Tw__CloneSessionResponse *response;
    Tw__TracePacket *packet;
    uint64_t id;

    REQ("TW-CONS-050");
    REQ("TW-CONS-053");
    REQ("TW-CONS-054");
    REQ("TW-CONS-057");
    (void)state;
    begin(&s);
    s.config->has_trace_uuid_msb = s.config->has_trace_uuid_lsb = true;
    s.config->trace_uuid_msb = 1;
    s.config->trace_uuid_lsb = 2;
    enable(&s);
    rig_emit(s.producer, 0, s.buffer, "before");
    id = rig_clone(s.cloner, "name");
    assert_int_equal(rig_count(s.cloner, id), 0);
    assert_int_equal(FLUSHES(s.producer), 1);
    assert_int_equal(
        rig_command(s.producer, TW__GET_ASYNC_COMMAND_RESPONSE__CMD_FLUSH, 0)->flush->flags, 0x13);
    acknowledge(&s, 0);
    response = answer(s.cloner, id);
    assert_true(response->success);
    assert_true(response->uuid_lsb == 2);
    assert_true(response->uuid_msb != 1);
    rig_emit(s.producer, 1, s.buffer, "after");

    trace = rig_read(s.cloner);
    assert_true(trace.whole);
    assert_int_equal(rig_find(&trace, "before", NULL), 1);
    assert_int_equal(rig_find(&trace, "after", NULL), 0);
    packet = rig_kind(&trace, TW__TRACE_PACKET__DATA_TRACE_UUID, 0);
    assert_true(packet->trace_uuid->msb == response->uuid_msb);
    assert_string_equal(
        rig_kind(&trace, TW__TRACE_PACKET__DATA_TRACE_CONFIG, 0)->trace_config->unique_session_name,
        "name");
    assert_non_null(event(&trace, TW__TRACING_SERVICE_EVENT__EVENT_TYPE_TRACING_STARTED));
    assert_non_null(event(&trace, TW__TRACING_SERVICE_EVENT__EVENT_TYPE_CLONE_STARTED));
    assert_non_null(event(&trace, TW__TRACING_SERVICE_EVENT__EVENT_TYPE_TRACING_DISABLED));
    assert_int_equal(event(&trace, TW__TRACING_SERVICE_EVENT__EVENT_TYPE_BUFFER_CLONED)
                         ->service_event->buffer_cloned,
                     0);
    assert_int_equal(
        rig_kind(&trace, TW__TRACE_PACKET__DATA_TRACE_STATS, 0)->trace_stats->final_flush_outcome,
        TW__TRACE_STATS__FINAL_FLUSH_OUTCOME__FINAL_FLUSH_SUCCEEDED);

    trace = rig_read(s.consumer); /* the original has everything */
    assert_int_equal(rig_find(&trace, "before", NULL), 1);
    assert_int_equal(rig_find(&trace, "after", NULL), 1);
    assert_null(event(&trace, TW__TRACING_SERVICE_EVENT__EVENT_TYPE_CLONE_STARTED));
    assert_int_equal(rig_count(s.consumer, s.enabled), 0);
    assert_true(rig_call(s.cloner, TW_CONSUMER_FREE_BUFFERS, NULL)->success);
    assert_null(s.cloner->conn->session);
    rig_free(&s.rig);
}

static void the_session_is_named_one_way_or_another(void **state)
{
    struct scene s;
    Tw__CloneSessionRequest none = TW__CLONE_SESSION_REQUEST__INIT;
    struct rig_peer *scored;
    uint64_t id;

    REQ("TW-CONS-050");
    REQ("TW-CONS-051");
    (void)state;
    begin(&s);
    enable(&s);
    assert_true(fails(s.cloner, ask(s.cloner, &none), "no such session"));
    assert_true(fails(s.cloner, rig_clone(s.cloner, ""), "no such session"));
    assert_true(fails(s.cloner, rig_clone(s.cloner, "nam"), "no such session"));
    assert_true(fails(s.cloner, rig_clone_by_id(s.cloner, 0), "no such session"));
    assert_true(fails(s.cloner, rig_clone_by_id(s.cloner, UINT64_MAX), "no such session"));
    assert_true(fails(s.consumer, rig_clone(s.consumer, "name"), "has a session"));

    scored = rig_consumer(&s.rig);
    s.config->unique_session_name = NULL;
    s.config->has_bugreport_score = true;
    s.config->bugreport_score = 7;
    rig_enable(scored, s.config);
    id = rig_clone_by_id(s.cloner, UINT64_MAX);
    assert_int_equal(
        rig_command(s.producer, TW__GET_ASYNC_COMMAND_RESPONSE__CMD_FLUSH, 0)->flush->flags, 0x113);
    acknowledge(&s, 0);
    assert_true(answer(s.cloner, id)->success);
    assert_int_equal(s.cloner->conn->session->config->bugreport_score, 7);
    rig_call(s.cloner, TW_CONSUMER_FREE_BUFFERS, NULL);
    id = rig_clone_by_id(s.cloner, session_of(s.consumer));
    acknowledge(&s, 1);
    assert_true(answer(s.cloner, id)->success);
    rig_free(&s.rig);
}

static void another_user_may_not_clone_but_root_may(void **state)
{
    struct scene s;
    struct rig_peer *stranger, *root;
    uint64_t id;

    REQ("TW-CONS-052");
    (void)state;
    begin(&s);
    enable(&s);
    stranger = rig_consumer_as(&s.rig, RIG_UID + 1);
    root = rig_consumer_as(&s.rig, 0);
    assert_true(fails(stranger, rig_clone(stranger, "name"), "another user"));
    assert_int_equal(FLUSHES(s.producer), 0);
    id = rig_clone(root, "name");
    acknowledge(&s, 0);
    assert_true(answer(root, id)->success);
    rig_free(&s.rig);
}

static void without_a_flush_there_is_still_a_clone(void **state)
{
    struct scene s;
    struct rig_trace trace;
    uint64_t id;

    REQ("TW-CONS-053");
    (void)state;
    begin(&s);
    enable(&s);
    rig_emit(s.producer, 0, s.buffer, "text");
    id = rig_clone(s.cloner, "name");
    rig_advance(&s.rig, TW_FLUSH_TIMEOUT_MS); /* nobody acknowledges */
    assert_true(answer(s.cloner, id)->success);
    trace = rig_read(s.cloner);
    assert_int_equal(rig_find(&trace, "text", NULL), 1);
    assert_int_equal(
        rig_kind(&trace, TW__TRACE_PACKET__DATA_TRACE_STATS, 0)->trace_stats->final_flush_outcome,
        TW__TRACE_STATS__FINAL_FLUSH_OUTCOME__FINAL_FLUSH_FAILED);

    rig_call(s.cloner, TW_CONSUMER_FREE_BUFFERS, NULL);
    rig_call(s.consumer, TW_CONSUMER_DISABLE_TRACING, NULL);
    id = rig_clone(s.cloner, "name"); /* nothing to flush: at once */
    assert_true(answer(s.cloner, id)->success);
    trace = rig_read(s.cloner);
    assert_int_equal(rig_find(&trace, "text", NULL), 1);
    rig_free(&s.rig);
}

/* Two buffers, each with a data source. The first is what is tried. */
static void two_buffers(struct scene *s)
{
    static Tw__TraceConfig__BufferConfig *buffers[2];
    static Tw__TraceConfig__DataSource *sources[2];
    Tw__TraceConfig *other = rig_config(&s->rig, "other");

    rig_register(s->producer, "other");
    buffers[0] = s->config->buffers[0];
    buffers[1] = other->buffers[0];
    sources[0] = s->config->data_sources[0];
    sources[1] = other->data_sources[0];
    sources[1]->config->has_target_buffer = true;
    sources[1]->config->target_buffer = 1;
    s->config->n_buffers = s->config->n_data_sources = 2;
    s->config->buffers = buffers;
    s->config->data_sources = sources;
}

static void emit_to(struct scene *s, uint16_t writer, uint32_t chunk_id, uint32_t buffer,
                    const char *text)
{
    struct tw_bytes packet = rig_packet(&s->rig, text);

    rig_write(s->producer, &(struct rig_chunk){.writer_id = writer, .chunk_id = chunk_id}, &packet,
              1);
    rig_commit(s->producer, 0, buffer);
}

static void a_buffer_may_go_to_the_clone(void **state)
{
    struct scene s;
    struct rig_trace trace;
    uint16_t first, second;
    uint64_t id;

    REQ("TW-CONS-054");
    (void)state;
    begin(&s);
    two_buffers(&s);
    s.config->buffers[0]->has_transfer_on_clone = s.config->buffers[0]->transfer_on_clone = true;
    enable(&s);
    second = s.buffer;
    first = (uint16_t)(second - 1);
    emit_to(&s, 1, 0, first, "goes");
    emit_to(&s, 2, 0, second, "stays");
    id = rig_clone(s.cloner, "name");
    assert_int_equal(FLUSHES(s.producer), 2); /* one a kind */
    acknowledge(&s, 0);                       /* of those that are copied */
    assert_int_equal(rig_count(s.cloner, id), 0);
    emit_to(&s, 2, 1, second, "too late");
    emit_to(&s, 1, 1, first, "in time");
    acknowledge(&s, 1);
    assert_true(answer(s.cloner, id)->success);
    emit_to(&s, 1, 2, first, "new");

    trace = rig_read(s.cloner);
    assert_int_equal(rig_find(&trace, "goes", NULL), 1);
    assert_int_equal(rig_find(&trace, "in time", NULL), 1);
    assert_int_equal(rig_find(&trace, "stays", NULL), 1);
    assert_int_equal(rig_find(&trace, "too late", NULL), 0);
    rig_call(s.consumer, TW_CONSUMER_DISABLE_TRACING, NULL);
    trace = rig_read(s.consumer);
    assert_int_equal(rig_find(&trace, "goes", NULL), 0);
    assert_int_equal(rig_find(&trace, "new", NULL), 1);
    assert_int_equal(rig_find(&trace, "stays", NULL), 1);
    assert_int_equal(rig_find(&trace, "too late", NULL), 1);
    rig_free(&s.rig);
}

static void a_buffer_may_be_cleared_first(void **state)
{
    struct scene s;
    struct rig_trace trace;
    uint16_t first, second;
    uint64_t id;

    REQ("TW-CONS-055");
    (void)state;
    begin(&s);
    two_buffers(&s);
    s.config->buffers[0]->has_clear_before_clone = true;
    s.config->buffers[0]->clear_before_clone = true;
    enable(&s);
    second = s.buffer;
    first = (uint16_t)(second - 1);
    emit_to(&s, 1, 0, first, "stale");
    emit_to(&s, 2, 0, second, "kept");
    id = rig_clone(s.cloner, "name");
    emit_to(&s, 1, 1, first, "fresh");
    acknowledge(&s, 0);
    assert_true(answer(s.cloner, id)->success);
    trace = rig_read(s.cloner);
    assert_int_equal(rig_find(&trace, "stale", NULL), 0);
    assert_int_equal(rig_find(&trace, "fresh", NULL), 1);
    assert_int_equal(rig_find(&trace, "kept", NULL), 1);
    rig_free(&s.rig);
}

static void who_goes_meanwhile_is_missed(void **state)
{
    struct scene s;
    struct rig_peer *second;
    uint64_t id;

    REQ("TW-CONS-056");
    REQ("TW-CONS-058");
    (void)state;
    begin(&s);
    enable(&s);
    second = rig_consumer(&s.rig);
    id = rig_clone(s.cloner, "name");
    rig_clone(second, "name");
    assert_true(fails(s.cloner, rig_clone(s.cloner, "name"), "TW-CONS-058"));
    rig_disconnect(second); /* nobody is left to tell */
    rig_call(s.consumer, TW_CONSUMER_FREE_BUFFERS, NULL);
    assert_true(fails(s.cloner, id, "ended"));
    assert_null(s.cloner->conn->session);

    rig_enable(s.consumer, s.config);
    id = rig_clone(s.cloner, "name");
    rig_enable(s.cloner, rig_config(&s.rig, "source"));
    rig_advance(&s.rig, TW_FLUSH_TIMEOUT_MS);
    assert_true(fails(s.cloner, id, "another session"));
    rig_free(&s.rig);
}

static void clones_count_as_sessions(void **state)
{
    struct scene s;
    struct rig_peer *last = NULL;
    uint64_t id = 0;

    REQ("TW-CONS-050");
    REQ("TW-LIM-011");
    (void)state;
    begin(&s);
    enable(&s);
    for (int i = 0; i < TW_SESSIONS_PER_UID_MAX; i++) {
        last = rig_consumer(&s.rig);
        id = rig_clone(last, "name");
        rig_advance(&s.rig, TW_FLUSH_TIMEOUT_MS);
    }
    assert_true(fails(last, id, "TW-LIM-011"));
    assert_null(last->conn->session);
    rig_free(&s.rig);
}

static void a_clone_is_only_read(void **state)
{
    static const uint32_t refused[] = {TW_CONSUMER_START_TRACING, TW_CONSUMER_FLUSH,
                                       TW_CONSUMER_CHANGE_TRACE_CONFIG};
    struct scene s;
    struct rig_peer *late, *other;

    REQ("TW-CONS-005");
    (void)state;
    begin(&s);
    enable(&s);
    rig_clone(s.cloner, "name");
    rig_advance(&s.rig, TW_FLUSH_TIMEOUT_MS);
    for (size_t i = 0; i < TW_ARRAY_LEN(refused); i++)
        assert_false(rig_call(s.cloner, refused[i], NULL)->success);
    assert_true(rig_call(s.cloner, TW_CONSUMER_DISABLE_TRACING, NULL)->success);
    assert_true(rig_call(s.cloner, TW_CONSUMER_GET_TRACE_STATS, NULL)->success);
    late = rig_producer(&s.rig, "late");
    rig_register(late, "source");
    assert_int_equal(rig_commands(late, TW__GET_ASYNC_COMMAND_RESPONSE__CMD_SETUP_DATA_SOURCE), 1);
    assert_int_equal(s.cloner->conn->session->n_instances, 0);
    rig_call(s.consumer, TW_CONSUMER_FREE_BUFFERS, NULL);
    assert_true(rig_read(s.cloner).whole); /* it outlives the original */
    other = rig_consumer(&s.rig);
    assert_true(fails(other, rig_clone(other, "name"), "no such session"));
    rig_free(&s.rig);
}

static void a_clone_says_what_it_was_made_for(void **state)
{
    Tw__CloneSessionRequest req = TW__CLONE_SESSION_REQUEST__INIT;
    struct scene s;
    struct rig_trace trace;
    const Tw__Trigger *trigger;

    REQ("TW-CONS-057");
    (void)state;
    begin(&s);
    enable(&s);
    req.selector_case = TW__CLONE_SESSION_REQUEST__SELECTOR_SESSION_ID;
    req.session_id = session_of(s.consumer);
    req.clone_trigger_name = tw_pbc_str("trigger");
    req.clone_trigger_producer_name = tw_pbc_str("from");
    req.has_clone_trigger_trusted_producer_uid = true;
    req.clone_trigger_trusted_producer_uid = 77;
    req.has_clone_trigger_boot_time_ns = req.has_clone_trigger_delay_ms = true;
    req.clone_trigger_boot_time_ns = 123;
    req.clone_trigger_delay_ms = 45;
    ask(s.cloner, &req);
    rig_advance(&s.rig, TW_FLUSH_TIMEOUT_MS);
    trace = rig_read(s.cloner);
    trigger =
        rig_kind(&trace, TW__TRACE_PACKET__DATA_CLONE_SNAPSHOT_TRIGGER, 0)->clone_snapshot_trigger;
    assert_string_equal(trigger->trigger_name, "trigger");
    assert_string_equal(trigger->producer_name, "from");
    assert_int_equal(trigger->trusted_producer_uid, 77);
    assert_int_equal(trigger->stop_delay_ms, 45);
    rig_free(&s.rig);
}

static void without_a_reply_there_is_a_clone_all_the_same(void **state)
{
    struct scene s;
    uint64_t id;

    (void)state;
    begin(&s);
    enable(&s);
    id = rig_send_raw(s.cloner, TW_CONSUMER_CLONE_SESSION,
                      (struct tw_bytes){(const uint8_t *)"\x08\x01", 2}, true, -1);
    rig_pump(&s.rig);
    rig_advance(&s.rig, TW_FLUSH_TIMEOUT_MS);
    assert_int_equal(rig_count(s.cloner, id), 0);
    assert_int_equal(s.cloner->conn->session->state, TW_SESSION_CLONED);
    rig_free(&s.rig);
}

static void bug_reports_are_made_otherwise_now(void **state)
{
    Tw__SaveTraceForBugreportResponse *response;
    struct scene s;

    REQ("TW-CONS-060");
    (void)state;
    begin(&s);
    response =
        rig_decode(s.consumer, rig_call(s.consumer, TW_CONSUMER_SAVE_TRACE_FOR_BUGREPORT, NULL),
                   &tw__save_trace_for_bugreport_response__descriptor);
    assert_false(response->success);
    assert_non_null(strstr(response->msg, "CloneSession"));
    rig_free(&s.rig);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        tw_unit_test(a_clone_is_read_while_the_session_goes_on),
        tw_unit_test(the_session_is_named_one_way_or_another),
        tw_unit_test(another_user_may_not_clone_but_root_may),
        tw_unit_test(without_a_flush_there_is_still_a_clone),
        tw_unit_test(a_buffer_may_go_to_the_clone),
        tw_unit_test(a_buffer_may_be_cleared_first),
        tw_unit_test(who_goes_meanwhile_is_missed),
        tw_unit_test(clones_count_as_sessions),
        tw_unit_test(a_clone_is_only_read),
        tw_unit_test(a_clone_says_what_it_was_made_for),
        tw_unit_test(without_a_reply_there_is_a_clone_all_the_same),
        tw_unit_test(bug_reports_are_made_otherwise_now),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
