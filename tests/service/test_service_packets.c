/* SPDX-License-Identifier: Apache-2.0 */
/* What the service itself writes into a trace, when, and in what order. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "service/core.h"
#include "tests/harness.h"
#include "tests/service/session_scene.h"
#include "tests/service/trace_story.h"
#include "tests/service/trigger_scene.h"

#define SLOW_START TW__TRACING_SERVICE_EVENT__EVENT_TYPE_SLOW_STARTING_DATA_SOURCES
#define SLOW_FLUSH TW__TRACING_SERVICE_EVENT__EVENT_TYPE_LAST_FLUSH_SLOW_DATA_SOURCES

/* Why, as the flags of a flush say it. */
enum { BY_CONSUMER_PERIODIC = 0x21, BY_CONSUMER_STOP = 0x22, BY_CONSUMER_CLONE = 0x23 };

static void begin(struct session_scene *s)
{
    Tw__TraceConfig__BuiltinDataSource *builtin;

    session_peers(s);
    builtin = tw_arena_alloc(&s->rig.arena, sizeof(*builtin));
    assert_non_null(builtin);
    tw__trace_config__builtin_data_source__init(builtin);
    s->config->builtin_data_sources = builtin;
}

static void disable(struct session_scene *s)
{
    assert_true(rig_call(s->consumer, TW_CONSUMER_DISABLE_TRACING, NULL)->success);
}

static void they_stand_around_the_others_in_order(void **state)
{
    REQ("TW-TRACE-022");
    struct rig_trace trace;
    struct session_scene s;

    (void)state;
    begin(&s);
    session_run(&s);
    rig_emit(s.producer, 0, s.buffer, "one");
    trace = rig_read(s.consumer);
    assert_string_equal(trace_story(&trace),
                        "clock_snapshot synchronization_marker trace_config trace_uuid "
                        "trace_provenance system_info tracing_started all_data_sources_started "
                        "for_testing read_tracing_buffers_completed trace_stats");
    for (size_t i = 0; i < trace.n; i++)
        if (trace.decoded[i]->data_case != TW__TRACE_PACKET__DATA_FOR_TESTING)
            assert_int_equal(trace.decoded[i]->trusted_packet_sequence_id, 1);
    disable(&s);
    trace = rig_read(s.consumer);
    assert_string_equal(trace_story(&trace),
                        "clock_snapshot tracing_disabled read_tracing_buffers_completed");
    trace = rig_read(s.consumer);
    assert_string_equal(trace_story(&trace), "read_tracing_buffers_completed");
    rig_free(&s.rig);
}

static void a_config_leaves_out_what_it_does_not_want(void **state)
{
    REQ("TW-TRACE-045");
    static const char *const stories[] = {
        "synchronization_marker trace_config trace_uuid trace_provenance system_info "
        "tracing_started all_data_sources_started read_tracing_buffers_completed trace_stats",
        "clock_snapshot synchronization_marker trace_uuid trace_provenance system_info "
        "tracing_started all_data_sources_started read_tracing_buffers_completed trace_stats",
        "clock_snapshot synchronization_marker trace_config trace_uuid trace_provenance "
        "tracing_started all_data_sources_started read_tracing_buffers_completed trace_stats",
        "clock_snapshot synchronization_marker trace_config trace_uuid trace_provenance "
        "system_info trace_stats",
    };

    (void)state;
    for (int i = 0; i < 4; i++) {
        struct rig_trace trace;
        struct session_scene s;

        begin(&s);
        s.config->builtin_data_sources->has_disable_clock_snapshotting =
            s.config->builtin_data_sources->disable_clock_snapshotting = i == 0;
        s.config->builtin_data_sources->has_disable_trace_config =
            s.config->builtin_data_sources->disable_trace_config = i == 1;
        s.config->builtin_data_sources->has_disable_system_info =
            s.config->builtin_data_sources->disable_system_info = i == 2;
        s.config->builtin_data_sources->has_disable_service_events =
            s.config->builtin_data_sources->disable_service_events = i == 3;
        session_run(&s);
        trace = rig_read(s.consumer);
        assert_string_equal(trace_story(&trace), stories[i]);
        rig_free(&s.rig);
    }
}

/* Whether a snapshot comes a minute after the start, of which 50 seconds were a suspend. */
static bool snapshot_after_suspend(bool prefer_suspend_clock)
{
    struct rig_trace trace;
    bool came;
    struct session_scene s;

    begin(&s);
    s.config->builtin_data_sources->has_snapshot_interval_ms = true;
    s.config->builtin_data_sources->snapshot_interval_ms = 60000;
    s.config->builtin_data_sources->has_prefer_suspend_clock_for_snapshot = true;
    s.config->builtin_data_sources->prefer_suspend_clock_for_snapshot = prefer_suspend_clock;
    session_run(&s);
    trace = rig_read(s.consumer); /* has the first */
    s.rig.asleep_ns += 50 * TW_NS_PER_S;
    rig_advance(&s.rig, 9000);
    trace = rig_read(s.consumer);
    assert_null(rig_kind(&trace, TW__TRACE_PACKET__DATA_SYNCHRONIZATION_MARKER, 0));
    rig_advance(&s.rig, 1000 + TW_SUSPEND_CHECK_MS);
    trace = rig_read(s.consumer);
    came = rig_kind(&trace, TW__TRACE_PACKET__DATA_SYNCHRONIZATION_MARKER, 0);
    if (!came) {
        rig_advance(&s.rig, 40000);
        trace = rig_read(s.consumer);
        assert_non_null(rig_kind(&trace, TW__TRACE_PACKET__DATA_SYNCHRONIZATION_MARKER, 0));
    }
    rig_free(&s.rig);
    return came;
}

static void time_asleep_counts_for_snapshots_only_if_asked_for(void **state)
{
    REQ("TW-TRACE-047");
    REQ("TW-LIM-096");
    (void)state;
    assert_false(snapshot_after_suspend(false));
    assert_true(snapshot_after_suspend(true));
}

/* Of a buffer of the provenance, as "producer:sequence producer:sequence", with the producers
 * counted from the first. */
static const char *writers_of(const struct rig_trace *trace, size_t buffer)
{
    static char text[256];
    const Tw__TracePacket *packet = rig_kind(trace, TW__TRACE_PACKET__DATA_TRACE_PROVENANCE, 0);
    const Tw__TraceProvenance__Buffer *b = packet->trace_provenance->buffers[buffer];
    size_t n = 0;

    text[0] = 0;
    for (size_t i = 0; i < b->n_sequences; i++)
        n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%d:%u", n ? " " : "",
                              b->sequences[i]->producer_id, b->sequences[i]->id);
    return text;
}

static void provenance_says_who_wrote_what_where(void **state)
{
    REQ("TW-TRACE-042");
    Tw__TraceConfig__BufferConfig *buffers[2];
    Tw__TracePacket *first, *second;
    struct rig_peer *other;
    struct rig_trace trace;
    struct tw_bytes packet;
    struct session_scene s;

    (void)state;
    begin(&s);
    other = rig_producer(&s.rig, "other");
    rig_register(other, "source");
    buffers[0] = buffers[1] = s.config->buffers[0];
    s.config->n_buffers = 2;
    s.config->buffers = buffers;
    session_run(&s);
    rig_emit(s.producer, 0, s.buffer, "first");
    rig_emit(other, 0, s.buffer, "of another");
    packet = rig_packet(&s.rig, "second");
    rig_write(s.producer, &(struct rig_chunk){.writer_id = 2}, &packet, 1);
    rig_commit(s.producer, 0, s.buffer);
    rig_advance(&s.rig, 5);
    trace = rig_read(s.consumer);
    assert_int_equal(rig_find(&trace, "first", &first), 1);
    assert_int_equal(rig_find(&trace, "second", &second), 1);
    assert_int_equal(first->trusted_packet_sequence_id, 2);
    assert_int_equal(second->trusted_packet_sequence_id, 4);
    assert_string_equal(writers_of(&trace, 0), "1:2 2:3 1:4");
    assert_string_equal(writers_of(&trace, 1), "");
    first = rig_kind(&trace, TW__TRACE_PACKET__DATA_TRACE_PROVENANCE, 0);
    assert_int_equal(first->trace_provenance->n_buffers, 2);
    assert_true(first->timestamp == s.rig.now_ns + s.rig.asleep_ns);

    rig_emit(s.producer, 1, s.buffer, "later");
    trace = rig_read(s.consumer);
    assert_null(rig_kind(&trace, TW__TRACE_PACKET__DATA_TRACE_PROVENANCE, 0));
    rig_free(&s.rig);
}

static void provenance_names_as_many_sequences_as_may_be(void **state)
{
    REQ("TW-LIM-167");
    enum { EACH = 1024, FULL = TW_PROVENANCE_MAX / EACH }; /* what the smallest buffer can know */
    Tw__TraceConfig__BufferConfig *buffers[FULL + 1];
    const Tw__TraceProvenance *provenance;
    struct rig_trace trace;
    struct session_scene s;

    (void)state;
    begin(&s);
    for (size_t i = 0; i <= FULL; i++)
        buffers[i] = s.config->buffers[0];
    s.config->n_buffers = TW_ARRAY_LEN(buffers);
    s.config->buffers = buffers;
    session_run(&s);
    for (uint32_t i = 0; i <= TW_PROVENANCE_MAX; i++) {
        struct tw_chunk_in chunk = {
            .seq = {.producer = 1, .writer_id = (uint16_t)(i % EACH)},
            .complete = true,
        };

        assert_int_equal(tw_trace_buffer_write(s.rig.service->buffers[s.buffer + i / EACH], &chunk),
                         0);
    }
    trace = rig_read(s.consumer);
    provenance = rig_kind(&trace, TW__TRACE_PACKET__DATA_TRACE_PROVENANCE, 0)->trace_provenance;
    for (size_t i = 0; i <= FULL; i++)
        assert_int_equal(provenance->buffers[i]->n_sequences, i < FULL ? EACH : 0);
    rig_free(&s.rig);
}

/* A data source that says when it has started, and a config that wants it too. */
static uint64_t with_a_slow_source(struct session_scene *s)
{
    static Tw__TraceConfig__DataSource *sources[2];
    Tw__DataSourceDescriptor d = TW__DATA_SOURCE_DESCRIPTOR__INIT;

    d.name = tw_pbc_str("slow");
    d.has_will_notify_on_start = d.will_notify_on_start = true;
    rig_register_with(s->producer, &d);
    sources[0] = s->config->data_sources[0];
    sources[1] = rig_config(&s->rig, "slow")->data_sources[0];
    s->config->n_data_sources = 2;
    s->config->data_sources = sources;
    session_run(s);
    return rig_command(s->producer, TW__GET_ASYNC_COMMAND_RESPONSE__CMD_START_DATA_SOURCE, 0)
        ->start_data_source->new_instance_id;
}

static void who_is_slow_to_start_is_named(void **state)
{
    REQ("TW-TRACE-043");
    REQ("TW-LIM-166");
    struct rig_trace trace;
    struct session_scene s;

    (void)state;
    begin(&s);
    with_a_slow_source(&s);
    rig_advance(&s.rig, TW_SLOW_START_MS - 1000);
    trace = rig_read(s.consumer);
    assert_null(trace_event(&trace, SLOW_START));
    rig_advance(&s.rig, 1000);
    trace = rig_read(s.consumer);
    assert_string_equal(trace_slow_ones(&trace, SLOW_START), "p/slow");
    rig_advance(&s.rig, 3 * TW_SLOW_START_MS);
    trace = rig_read(s.consumer);
    assert_null(trace_event(&trace, SLOW_START));
    rig_free(&s.rig);
}

static void who_starts_in_time_is_not_named(void **state)
{
    REQ("TW-TRACE-043");
    Tw__NotifyDataSourceStartedRequest req = TW__NOTIFY_DATA_SOURCE_STARTED_REQUEST__INIT;
    struct rig_trace trace;
    struct session_scene s;

    (void)state;
    for (int ended = 0; ended < 2; ended++) {
        begin(&s);
        req.has_data_source_id = true;
        req.data_source_id = with_a_slow_source(&s);
        if (ended)
            disable(&s);
        else
            rig_call(s.producer, TW_PRODUCER_NOTIFY_DATA_SOURCE_STARTED, &req.base);
        rig_advance(&s.rig, 2 * TW_SLOW_START_MS);
        trace = rig_read(s.consumer);
        assert_true(trace.whole);
        assert_null(trace_event(&trace, SLOW_START));
        rig_free(&s.rig);
    }
}

static void as_many_are_named_as_may_be(void **state)
{
    REQ("TW-LIM-165");
    Tw__DataSourceDescriptor d = TW__DATA_SOURCE_DESCRIPTOR__INIT;
    const Tw__TracePacket *packet;
    struct rig_trace trace;
    struct session_scene s;

    (void)state;
    begin(&s);
    d.name = tw_pbc_str("source");
    d.has_will_notify_on_start = d.will_notify_on_start = true;
    for (int i = 0; i < TW_SLOW_SOURCES_MAX + 8; i++)
        rig_register_with(s.producer, &d);
    session_run(&s);
    rig_advance(&s.rig, TW_SLOW_START_MS);
    trace = rig_read(s.consumer);
    packet = trace_event(&trace, SLOW_START);
    assert_int_equal(packet->service_event->slow_starting_data_sources->n_data_source,
                     TW_SLOW_SOURCES_MAX);
    rig_free(&s.rig);
}

/* The nth flush that this producer was asked for. */
static void acknowledge(struct rig_peer *producer, size_t nth)
{
    Tw__CommitDataRequest req = TW__COMMIT_DATA_REQUEST__INIT;

    req.has_flush_request_id = true;
    req.flush_request_id =
        rig_command(producer, TW__GET_ASYNC_COMMAND_RESPONSE__CMD_FLUSH, nth)->flush->request_id;
    rig_call(producer, TW_PRODUCER_COMMIT_DATA, &req.base);
    rig_advance(producer->rig, 0);
}

static void flush(struct rig_peer *consumer, uint64_t flags)
{
    Tw__FlushRequest req = TW__FLUSH_REQUEST__INIT;

    req.has_flags = true;
    req.flags = flags;
    rig_call(consumer, TW_CONSUMER_FLUSH, &req.base);
}

static void who_is_slow_in_the_last_flush_is_named(void **state)
{
    REQ("TW-TRACE-044");
    static const struct {
        uint64_t flags;
        bool named;
    } cases[] = {
        {0, false},
        {BY_CONSUMER_PERIODIC, false},
        {BY_CONSUMER_STOP, true},
        {BY_CONSUMER_CLONE, true},
    };
    struct rig_peer *fast;
    struct rig_trace trace;
    struct session_scene s;

    (void)state;
    begin(&s);
    rig_register(s.producer, "source"); /* it has two now */
    fast = rig_producer(&s.rig, "fast");
    rig_register(fast, "source");
    session_run(&s);
    for (size_t i = 0; i < TW_ARRAY_LEN(cases); i++) {
        flush(s.consumer, cases[i].flags);
        acknowledge(fast, i);
        rig_advance(&s.rig, TW_FLUSH_TIMEOUT_MS);
        trace = rig_read(s.consumer);
        if (cases[i].named)
            assert_string_equal(trace_slow_ones(&trace, SLOW_FLUSH), "p/source p/source");
        else
            assert_null(trace_event(&trace, SLOW_FLUSH));
    }
    flush(s.consumer, BY_CONSUMER_STOP);
    acknowledge(fast, 4);
    rig_advance(&s.rig, TW_FLUSH_TIMEOUT_MS);
    flush(s.consumer, BY_CONSUMER_STOP); /* it was not the last one */
    acknowledge(fast, 5);
    acknowledge(s.producer, 5);
    trace = rig_read(s.consumer);
    assert_null(trace_event(&trace, SLOW_FLUSH));
    rig_free(&s.rig);
}

static void the_flush_that_ends_a_session_is_the_last(void **state)
{
    REQ("TW-TRACE-044");
    struct rig_trace trace;
    struct session_scene s;

    (void)state;
    begin(&s);
    s.config->has_duration_ms = true;
    s.config->duration_ms = 1000;
    session_run(&s);
    rig_advance(&s.rig, 1000 + TW_FLUSH_TIMEOUT_MS);
    trace = rig_read(s.consumer);
    assert_string_equal(trace_slow_ones(&trace, SLOW_FLUSH), "p/source");
    assert_string_equal(trace_story(&trace),
                        "clock_snapshot synchronization_marker trace_config trace_uuid "
                        "trace_provenance system_info tracing_started all_data_sources_started "
                        "flush_started last_flush_slow_data_sources all_data_sources_flushed "
                        "tracing_disabled read_tracing_buffers_completed trace_stats");
    rig_free(&s.rig);
}

/* A clone by that consumer; the flush for it is answered, or not in time. */
static void clone(struct rig_peer *cloner, struct rig_peer *producer, const char *trigger)
{
    Tw__CloneSessionRequest req = TW__CLONE_SESSION_REQUEST__INIT;
    size_t n = rig_commands(producer, TW__GET_ASYNC_COMMAND_RESPONSE__CMD_FLUSH);

    req.selector_case = TW__CLONE_SESSION_REQUEST__SELECTOR_UNIQUE_SESSION_NAME;
    req.unique_session_name = tw_pbc_str("name");
    req.clone_trigger_name = tw_pbc_str(trigger);
    rig_send(cloner, TW_CONSUMER_CLONE_SESSION, &req.base);
    rig_advance(cloner->rig, 1);
    if (trigger)
        acknowledge(producer, n);
    else
        rig_advance(cloner->rig, TW_FLUSH_TIMEOUT_MS);
    assert_int_equal(cloner->conn->session->state, TW_SESSION_CLONED);
}

static void a_clone_has_the_triggers_of_its_session(void **state)
{
    REQ("TW-TRIG-009");
    REQ("TW-CONS-057");
    REQ("TW-TRACE-022");
    const Tw__TracePacket *packet;
    struct trigger_scene s;
    struct rig_peer *cloner;
    struct rig_trace trace;
    uint64_t received_ns;

    (void)state;
    trigger_scene(&s, MODE(CLONE_SNAPSHOT));
    s.config->unique_session_name = tw_pbc_str("name");
    rig_enable(s.consumer, s.config);
    received_ns = s.rig.now_ns + s.rig.asleep_ns;
    trigger_once(&s, "go");
    rig_advance(&s.rig, DELAY_MS);
    trigger_once(&s, "too");
    rig_advance(&s.rig, DELAY_MS);
    cloner = rig_consumer(&s.rig);
    clone(cloner, s.producer, "too");
    trace = rig_read(cloner);
    assert_string_equal(trace_story(&trace),
                        "clock_snapshot trace_config clone_snapshot_trigger trigger trigger "
                        "trace_uuid trace_provenance system_info tracing_started "
                        "all_data_sources_started flush_started clone_started "
                        "all_data_sources_flushed buffer_cloned tracing_disabled "
                        "read_tracing_buffers_completed trace_stats");
    packet = rig_kind(&trace, TW__TRACE_PACKET__DATA_TRIGGER, 0);
    assert_true(packet->timestamp == received_ns);
    assert_string_equal(packet->trigger->trigger_name, "go");
    assert_string_equal(packet->trigger->producer_name, "caller");
    assert_int_equal(packet->trigger->trusted_producer_uid, RIG_UID);
    assert_int_equal(packet->trigger->stop_delay_ms, DELAY_MS);
    packet = rig_kind(&trace, TW__TRACE_PACKET__DATA_TRIGGER, 1);
    assert_string_equal(packet->trigger->trigger_name, "too");
    trace = rig_read(cloner);
    assert_string_equal(trace_story(&trace), "read_tracing_buffers_completed");

    rig_call(cloner, TW_CONSUMER_FREE_BUFFERS, NULL);
    clone(cloner, s.producer, "go");
    trace = rig_read(cloner);
    assert_null(rig_kind(&trace, TW__TRACE_PACKET__DATA_TRIGGER, 0)); /* the first has them */
    assert_non_null(rig_kind(&trace, TW__TRACE_PACKET__DATA_CLONE_SNAPSHOT_TRIGGER, 0));
    rig_free(&s.rig);
}

static void without_a_config_there_are_no_triggers(void **state)
{
    REQ("TW-TRACE-045");
    Tw__TraceConfig__BuiltinDataSource builtin = TW__TRACE_CONFIG__BUILTIN_DATA_SOURCE__INIT;
    struct trigger_scene s;
    struct rig_peer *cloner;
    struct rig_trace trace;

    (void)state;
    trigger_scene(&s, MODE(CLONE_SNAPSHOT));
    s.config->unique_session_name = tw_pbc_str("name");
    builtin.has_disable_trace_config = builtin.disable_trace_config = true;
    s.config->builtin_data_sources = &builtin;
    rig_enable(s.consumer, s.config);
    trigger_once(&s, "go");
    rig_advance(&s.rig, DELAY_MS);
    cloner = rig_consumer(&s.rig);
    clone(cloner, s.producer, "go");
    trace = rig_read(cloner);
    assert_string_equal(trace_story(&trace),
                        "clock_snapshot trace_uuid trace_provenance system_info "
                        "tracing_started all_data_sources_started flush_started "
                        "clone_started all_data_sources_flushed buffer_cloned "
                        "tracing_disabled read_tracing_buffers_completed "
                        "trace_stats");
    rig_free(&s.rig);
}

static void a_clone_tells_who_was_slow_and_its_session_as_well(void **state)
{
    REQ("TW-TRACE-044");
    struct rig_peer *cloner;
    struct rig_trace trace;
    struct session_scene s;

    (void)state;
    begin(&s);
    s.config->unique_session_name = tw_pbc_str("name");
    session_run(&s);
    cloner = rig_consumer(&s.rig);
    for (int i = 0; i < 2; i++) {
        clone(cloner, s.producer, NULL);
        trace = rig_read(cloner);
        assert_string_equal(trace_slow_ones(&trace, SLOW_FLUSH), "p/source");
        rig_call(cloner, TW_CONSUMER_FREE_BUFFERS, NULL);
    }
    trace = rig_read(s.consumer);
    assert_string_equal(trace_slow_ones(&trace, SLOW_FLUSH), "p/source");
    rig_free(&s.rig);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        tw_unit_test(they_stand_around_the_others_in_order),
        tw_unit_test(a_config_leaves_out_what_it_does_not_want),
        tw_unit_test(time_asleep_counts_for_snapshots_only_if_asked_for),
        tw_unit_test(provenance_says_who_wrote_what_where),
        tw_unit_test(provenance_names_as_many_sequences_as_may_be),
        tw_unit_test(who_is_slow_to_start_is_named),
        tw_unit_test(who_starts_in_time_is_not_named),
        tw_unit_test(as_many_are_named_as_may_be),
        tw_unit_test(who_is_slow_in_the_last_flush_is_named),
        tw_unit_test(the_flush_that_ends_a_session_is_the_last),
        tw_unit_test(a_clone_has_the_triggers_of_its_session),
        tw_unit_test(without_a_config_there_are_no_triggers),
        tw_unit_test(a_clone_tells_who_was_slow_and_its_session_as_well),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
