/* SPDX-License-Identifier: Apache-2.0 */
/* What peers may make the service keep: up to each limit it does, and not beyond. Where a limit is
 * far away a count of the service is moved near it. */
#include <stdlib.h>
#include <string.h>

#include "service/core.h"
#include "service/producer.h"
#include "service/sequences.h"
#include "tests/harness.h"
#include "tests/service/session_scene.h"

static bool registers(struct rig_peer *producer, const char *name)
{
    Tw__DataSourceDescriptor descriptor = TW__DATA_SOURCE_DESCRIPTOR__INIT;
    Tw__RegisterDataSourceRequest req = TW__REGISTER_DATA_SOURCE_REQUEST__INIT;
    Tw__RegisterDataSourceResponse *response;

    descriptor.name = tw_pbc_str(name);
    req.data_source_descriptor = &descriptor;
    response = rig_decode(producer, rig_call(producer, TW_PRODUCER_REGISTER_DATA_SOURCE, &req.base),
                          &tw__register_data_source_response__descriptor);
    assert_non_null(response);
    return response->error == NULL;
}

static void producers_are_counted(void **state)
{
    struct session_scene s;
    struct rig_peer *late;
    const struct rig_reply *reply;

    REQ("TW-LIM-015");
    (void)state;
    session_peers(&s);
    s.rig.service->n_producers = TW_PRODUCERS_MAX - 1;
    late = rig_connect(&s.rig, TW_SERVICE_PRODUCER);
    assert_true(rig_call(late, TW_PRODUCER_INITIALIZE_CONNECTION, NULL)->success);
    assert_int_equal(s.rig.service->n_producers, TW_PRODUCERS_MAX);
    late = rig_connect(&s.rig, TW_SERVICE_PRODUCER);
    reply = rig_call(late, TW_PRODUCER_INITIALIZE_CONNECTION, NULL);
    assert_false(reply->success || reply->refused);
    assert_int_equal(s.rig.service->n_producers, TW_PRODUCERS_MAX);
    s.rig.service->n_producers = 2;
    rig_free(&s.rig);
}

static void names_are_cut(void **state)
{
    static char name[2 * TW_NAME_MAX + 1];
    struct session_scene s;
    const struct tw_producer *producer;

    REQ("TW-LIM-019");
    (void)state;
    memset(name, 'x', sizeof(name) - 1);
    session_peers(&s);
    producer = rig_producer(&s.rig, name)->conn->producer;
    assert_int_equal(strlen(producer->name), TW_NAME_MAX);
    rig_register(s.producer, name);
    producer = s.producer->conn->producer;
    assert_int_equal(strlen(TAILQ_FIRST(&producer->data_sources)->name), TW_NAME_MAX);
    rig_free(&s.rig);
}

/* Bytes kept of so many letters and then this again and again. */
static size_t kept_of(size_t letters, const char *character)
{
    char name[2 * TW_NAME_MAX] = "", *kept;
    size_t n;

    memset(name, 'x', letters);
    while (strlen(name) + strlen(character) < sizeof(name))
        strcat(name, character);
    kept = tw_producer_keep_name(name);
    assert_non_null(kept);
    n = strlen(kept);
    free(kept);
    return n;
}

static void names_are_cut_between_characters(void **state)
{
    REQ("TW-LIM-019");
    (void)state;
    assert_int_equal(kept_of(TW_NAME_MAX - 2, "\xc3\xa4"), TW_NAME_MAX);
    assert_int_equal(kept_of(TW_NAME_MAX - 1, "\xc3\xa4"), TW_NAME_MAX - 1);
    assert_int_equal(kept_of(TW_NAME_MAX - 1, "\xe2\x82\xac"), TW_NAME_MAX - 1);
    assert_int_equal(kept_of(TW_NAME_MAX - 2, "\xe2\x82\xac"), TW_NAME_MAX - 2);
    assert_int_equal(kept_of(TW_NAME_MAX - 3, "\xe2\x82\xac"), TW_NAME_MAX);
    assert_int_equal(kept_of(TW_NAME_MAX - 3, "\xf0\x9f\x98\x80"), TW_NAME_MAX - 3);
    assert_int_equal(kept_of(TW_NAME_MAX - 9, "\x80"), TW_NAME_MAX); /* no UTF-8 */
}

static void data_sources_of_a_producer_are_counted(void **state)
{
    struct session_scene s;

    REQ("TW-LIM-016");
    (void)state;
    session_peers(&s);
    for (int i = 0; i < TW_DATA_SOURCES_MAX; i++)
        assert_true(registers(s.producer, "source"));
    assert_false(registers(s.producer, "source"));
    assert_true(registers(rig_producer(&s.rig, "another"), "source"));
    rig_free(&s.rig);
}

/* Every data source of the config meets every one of the producer's: 65 by 256 are too many. */
static void instances_of_a_session_are_counted(void **state)
{
    enum { WANTED = TW_INSTANCES_MAX / TW_DATA_SOURCES_MAX + 1 };
    Tw__TraceConfig__DataSource *wanted[WANTED];
    struct session_scene s;

    REQ("TW-LIM-017");
    (void)state;
    session_peers(&s);
    for (int i = 0; i < WANTED; i++)
        wanted[i] = s.config->data_sources[0];
    s.config->data_sources = wanted;
    s.config->n_data_sources = WANTED;
    rig_enable(s.consumer, s.config);
    for (int i = 0; i < TW_DATA_SOURCES_MAX; i++)
        assert_true(registers(s.producer, "source"));
    assert_int_equal(TAILQ_FIRST(&s.rig.service->sessions)->n_instances, TW_INSTANCES_MAX);
    assert_int_equal(rig_count(s.producer, s.producer->commands_id), 1 + 2 * TW_INSTANCES_MAX);
    assert_non_null(s.consumer->conn);
    rig_free(&s.rig);
}

static void flushes_that_wait_are_counted(void **state)
{
    struct session_scene s;
    uint64_t id;

    REQ("TW-LIM-018");
    (void)state;
    session_peers(&s);
    rig_register(s.producer, "source");
    rig_enable(s.consumer, s.config);
    for (int i = 0; i < TW_FLUSHES_MAX - 1; i++) {
        rig_send_raw(s.consumer, TW_CONSUMER_FLUSH, (struct tw_bytes){0}, true, -1);
        rig_pump(&s.rig);
    }
    id = rig_send(s.consumer, TW_CONSUMER_FLUSH, NULL);
    rig_pump(&s.rig);
    assert_null(rig_last(s.consumer, id)); /* it waits for the producer */
    assert_int_equal(TAILQ_FIRST(&s.rig.service->sessions)->n_flushes, TW_FLUSHES_MAX);
    assert_false(rig_call(s.consumer, TW_CONSUMER_FLUSH, NULL)->success);
    rig_free(&s.rig);
}

static uint64_t first_clock(const struct rig_trace *trace, size_t nth)
{
    Tw__TracePacket *packet = rig_kind(trace, TW__TRACE_PACKET__DATA_CLOCK_SNAPSHOT, nth);

    return packet ? packet->clock_snapshot->clocks[0]->timestamp : 0;
}

static void the_first_clock_snapshot_and_the_newest_are_kept(void **state)
{
    struct session_scene s;
    struct rig_trace trace;
    uint64_t begun;

    REQ("TW-LIM-021");
    (void)state;
    session_peers(&s);
    rig_enable(s.consumer, s.config);
    begun = s.rig.now_ns;
    rig_advance(&s.rig, 100 * TW_SNAPSHOT_INTERVAL_MS);
    trace = rig_read(s.consumer);
    assert_int_equal(first_clock(&trace, 0), begun);
    assert_int_equal(first_clock(&trace, TW_CLOCK_SNAPSHOTS_MAX - 1), s.rig.now_ns);
    assert_int_equal(first_clock(&trace, TW_CLOCK_SNAPSHOTS_MAX), 0);
    rig_free(&s.rig);
}

/* How many clock snapshots half a second brings. */
static size_t snapshots_every(uint32_t interval_ms)
{
    Tw__TraceConfig__BuiltinDataSource builtin = TW__TRACE_CONFIG__BUILTIN_DATA_SOURCE__INIT;
    struct rig_trace trace;
    struct session_scene s;
    size_t n = 0;

    session_peers(&s);
    builtin.has_snapshot_interval_ms = true;
    builtin.snapshot_interval_ms = interval_ms;
    s.config->builtin_data_sources = &builtin;
    rig_enable(s.consumer, s.config);
    rig_advance(&s.rig, 500);
    trace = rig_read(s.consumer);
    while (first_clock(&trace, n))
        n++;
    rig_free(&s.rig);
    return n;
}

static void snapshots_have_a_period_and_that_a_least(void **state)
{
    REQ("TW-LIM-029");
    size_t without; /* the usual period is longer than that */

    (void)state;
    without = snapshots_every(0);
    assert_int_equal(snapshots_every(250), without + 2);
    assert_int_equal(snapshots_every(100), without + 5);
    assert_int_equal(snapshots_every(1), without + 5);
}

static void lifecycle_events_are_counted(void **state)
{
    struct session_scene s;
    struct rig_trace trace;

    REQ("TW-LIM-022");
    (void)state;
    session_peers(&s);
    rig_enable(s.consumer, s.config);
    for (int i = 0; i < TW_LIFECYCLE_EVENTS_MAX; i++)
        rig_send(s.consumer, TW_CONSUMER_FLUSH, NULL); /* two events each */
    rig_advance(&s.rig, 1);
    trace = rig_read(s.consumer);
    assert_non_null(
        rig_kind(&trace, TW__TRACE_PACKET__DATA_SERVICE_EVENT, TW_LIFECYCLE_EVENTS_MAX));
    assert_null(
        rig_kind(&trace, TW__TRACE_PACKET__DATA_SERVICE_EVENT, TW_LIFECYCLE_EVENTS_MAX + 1));
    rig_free(&s.rig);
}

static void sequences_of_a_session_are_counted(void **state)
{
    struct session_scene s;
    struct tw_session *session;
    struct rig_trace trace;
    struct tw_bytes packet;
    uint16_t buffer;

    REQ("TW-LIM-036");
    (void)state;
    session_peers(&s);
    rig_register(s.producer, "source");
    rig_enable(s.consumer, s.config);
    buffer = rig_buffer(s.producer);
    session = TAILQ_FIRST(&s.rig.service->sessions);
    session->last_sequence_id = TW_SEQUENCES_MAX - 1;
    rig_emit(s.producer, 0, buffer, "the last one's");
    trace = rig_read(s.consumer);
    assert_int_equal(rig_find(&trace, "the last one's", NULL), 1);
    packet = rig_packet(&s.rig, "one too many");
    rig_write(s.producer, &(struct rig_chunk){.writer_id = 2}, &packet, 1);
    rig_commit(s.producer, 0, buffer);
    trace = rig_read(s.consumer);
    assert_int_equal(rig_find(&trace, "one too many", NULL), 0);
    assert_int_equal(session->invalid_packets, 1);
    rig_free(&s.rig);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        tw_unit_test(producers_are_counted),
        tw_unit_test(names_are_cut),
        tw_unit_test(names_are_cut_between_characters),
        tw_unit_test(data_sources_of_a_producer_are_counted),
        tw_unit_test(instances_of_a_session_are_counted),
        tw_unit_test(flushes_that_wait_are_counted),
        tw_unit_test(the_first_clock_snapshot_and_the_newest_are_kept),
        tw_unit_test(snapshots_have_a_period_and_that_a_least),
        tw_unit_test(lifecycle_events_are_counted),
        tw_unit_test(sequences_of_a_session_are_counted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
