/* SPDX-License-Identifier: Apache-2.0 */
/* What a consumer reads: packets of producers over many frames, and the service's own. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/harness.h"
#include "tests/service/rig.h"

struct scene {
    struct rig rig;
    struct rig_peer *producer, *consumer;
    Tw__TraceConfig *config;
    uint16_t buffer;
};

static void begin(struct scene *s, uint32_t size_kb)
{
    rig_init(&s->rig);
    s->producer = rig_producer(&s->rig, "p");
    rig_register(s->producer, "source");
    s->consumer = rig_consumer(&s->rig);
    s->config = rig_config(&s->rig, "source");
    s->config->buffers[0]->size_kb = size_kb;
}

static void enable(struct scene *s)
{
    rig_enable(s->consumer, s->config);
    s->buffer = rig_buffer(s->producer);
}

static void disable(struct scene *s)
{
    assert_true(rig_call(s->consumer, TW_CONSUMER_DISABLE_TRACING, NULL)->success);
}

/* One packet with a text of n bytes, in fragments of a page each. */
static char *emit_large(struct scene *s, uint32_t *chunk_id, size_t n)
{
    enum { FRAGMENT = 4000 };
    char *text = malloc(n + 1);
    struct tw_bytes packet;

    assert_non_null(text);
    for (size_t i = 0; i < n; i++)
        text[i] = (char)((i / 26 % 2 ? 'A' : 'a') + (char)(i * 7 % 26));
    text[n] = 0;
    packet = rig_packet(&s->rig, text);
    for (size_t at = 0; at < packet.n; at += FRAGMENT) {
        struct tw_bytes part = {packet.p + at, packet.n - at < FRAGMENT ? packet.n - at : FRAGMENT};
        uint8_t flags = (uint8_t)((at ? TW_CHUNK_FIRST_CONTINUES : 0) |
                                  (at + FRAGMENT < packet.n ? TW_CHUNK_LAST_CONTINUES : 0));
        struct rig_chunk chunk = {.writer_id = 1, .chunk_id = (*chunk_id)++, .flags = flags};

        rig_write(s->producer, &chunk, &part, 1);
        rig_commit(s->producer, 0, s->buffer);
    }
    return text;
}

static void a_packet_of_a_megabyte_goes_over_many_frames(void **state)
{
    struct scene s;
    struct rig_trace trace;
    uint32_t chunk_id = 0;
    char *text;

    (void)state;
    begin(&s, 8192);
    enable(&s);
    text = emit_large(&s, &chunk_id, 1024 * 1024);
    rig_emit(s.producer, chunk_id, s.buffer, "behind it");
    trace = rig_read(s.consumer);
    assert_true(trace.whole);
    assert_int_equal(rig_find(&trace, text, NULL), 1);
    assert_int_equal(rig_find(&trace, "behind it", NULL), 1);
    free(text);
    rig_free(&s.rig);
}

static void every_size_around_a_frame_arrives(void **state)
{
    struct scene s;
    uint32_t chunk_id = 0;

    (void)state;
    begin(&s, 1024);
    enable(&s);
    for (size_t n = 130900; n < 131100; n += 13) {
        char *text = emit_large(&s, &chunk_id, n);
        struct rig_trace trace = rig_read(s.consumer);

        assert_true(trace.whole);
        assert_int_equal(rig_find(&trace, text, NULL), 1);
        free(text);
    }
    rig_free(&s.rig);
}

static void a_packet_is_read_once(void **state)
{
    struct scene s;
    struct rig_trace trace;

    (void)state;
    begin(&s, 64);
    enable(&s);
    rig_emit(s.producer, 0, s.buffer, "once");
    trace = rig_read(s.consumer);
    assert_int_equal(rig_find(&trace, "once", NULL), 1);
    trace = rig_read(s.consumer);
    assert_true(trace.whole);
    assert_int_equal(rig_find(&trace, "once", NULL), 0);
    rig_free(&s.rig);
}

static void thousands_of_packets_arrive_in_order_in_any_split(void **state)
{
    static const size_t splits[] = {SIZE_MAX, 1000, 61};

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        enum { N = 600 };
        struct scene s;
        struct rig_trace trace;
        uint32_t next = 0;

        begin(&s, 1024);
        s.rig.chunk_bytes = splits[i];
        enable(&s);
        for (uint32_t n = 0; n < N; n++) {
            char text[300];

            memset(text, 'x', sizeof(text) - 1);
            text[sizeof(text) - 1] = 0;
            text[0] = (char)('0' + n / 100);
            text[1] = (char)('0' + n / 10 % 10);
            text[2] = (char)('0' + n % 10);
            rig_emit(s.producer, n, s.buffer, text);
        }
        trace = rig_read(s.consumer);
        for (size_t j = 0; j < trace.n; j++) {
            const Tw__TracePacket *p = trace.decoded[j];

            if (p->data_case == TW__TRACE_PACKET__DATA_FOR_TESTING)
                assert_int_equal(strtoul((char[]){p->for_testing->str[0], p->for_testing->str[1],
                                                  p->for_testing->str[2], 0},
                                         NULL, 10),
                                 next++);
        }
        assert_int_equal(next, N);
        rig_free(&s.rig);
    }
}

static void the_services_own_packets_are_all_there(void **state)
{
    struct scene s;
    struct rig_trace trace;
    Tw__TracePacket *p;

    (void)state;
    begin(&s, 64);
    s.config->has_trace_uuid_msb = s.config->has_trace_uuid_lsb = true;
    s.config->trace_uuid_msb = 0x1122334455667788;
    s.config->trace_uuid_lsb = -2;
    s.config->unique_session_name = tw_pbc_str("me");
    enable(&s);
    rig_emit(s.producer, 0, s.buffer, "data");
    disable(&s);
    trace = rig_read(s.consumer);
    p = rig_kind(&trace, TW__TRACE_PACKET__DATA_CLOCK_SNAPSHOT, 0);
    assert_ptr_equal(p, trace.decoded[0]); /* before anything that is converted with it */
    assert_int_equal(p->clock_snapshot->n_clocks, 6);
    assert_int_equal(p->clock_snapshot->primary_trace_clock,
                     TW__BUILTIN_CLOCK__BUILTIN_CLOCK_BOOTTIME);
    assert_int_equal(p->clock_snapshot->clocks[0]->timestamp, s.rig.now_ns);
    p = rig_kind(&trace, TW__TRACE_PACKET__DATA_TRACE_UUID, 0);
    assert_true(p->trace_uuid->msb == 0x1122334455667788 && p->trace_uuid->lsb == -2);
    p = rig_kind(&trace, TW__TRACE_PACKET__DATA_TRACE_CONFIG, 0);
    assert_string_equal(p->trace_config->unique_session_name, "me");
    p = rig_kind(&trace, TW__TRACE_PACKET__DATA_SYSTEM_INFO, 0);
    assert_non_null(p->system_info->utsname->sysname);
    assert_non_null(strstr(p->system_info->tracing_service_version, "tracewire"));
    p = rig_kind(&trace, TW__TRACE_PACKET__DATA_TRACE_STATS, 0);
    assert_int_equal(p->trace_stats->n_buffer_stats, 1);
    assert_int_equal(p->trace_stats->buffer_stats[0]->chunks_written, 1);
    assert_int_equal(p->trace_stats->producers_connected, 1);
    for (size_t i = 0; i < trace.n; i++)
        if (trace.decoded[i]->data_case != TW__TRACE_PACKET__DATA_FOR_TESTING) {
            assert_int_equal(trace.decoded[i]->trusted_packet_sequence_id, 1);
            assert_int_equal(trace.decoded[i]->trusted_uid, geteuid());
        }
    rig_free(&s.rig);
}

static void the_sync_marker_ends_its_packet(void **state)
{
    static const uint8_t end[] = {0x82, 0x47, 0x7a, 0x76, 0xb2, 0x8d, 0x42, 0xba,
                                  0x81, 0xdc, 0x33, 0x32, 0x6d, 0x57, 0xa0, 0x79};
    struct scene s;
    struct rig_trace trace;
    size_t n = 0;

    (void)state;
    begin(&s, 64);
    enable(&s);
    trace = rig_read(s.consumer);
    for (size_t i = 0; i < trace.n; i++) {
        if (trace.decoded[i]->data_case != TW__TRACE_PACKET__DATA_SYNCHRONIZATION_MARKER)
            continue;
        assert_memory_equal(trace.packets[i].p + trace.packets[i].n - sizeof(end), end,
                            sizeof(end));
        n++;
    }
    assert_int_equal(n, 1);
    rig_free(&s.rig);
}

static size_t count_events(const struct rig_trace *trace,
                           Tw__TracingServiceEvent__EventTypeCase kind)
{
    Tw__TracePacket *p;
    size_t n = 0;

    for (size_t i = 0; (p = rig_kind(trace, TW__TRACE_PACKET__DATA_SERVICE_EVENT, i)); i++)
        n += p->service_event->event_type_case == kind;
    return n;
}

static void the_life_of_the_session_is_told_once(void **state)
{
    REQ("TW-LIM-022");
    struct scene s;
    struct rig_trace trace;

    (void)state;
    begin(&s, 64);
    enable(&s);
    for (int i = 0; i < 100; i++) { /* more events than are kept */
        rig_send(s.consumer, TW_CONSUMER_FLUSH, NULL);
        rig_advance(&s.rig, 5000);
    }
    disable(&s);
    trace = rig_read(s.consumer);
    assert_int_equal(count_events(&trace, TW__TRACING_SERVICE_EVENT__EVENT_TYPE_TRACING_STARTED),
                     1);
    assert_int_equal(
        count_events(&trace, TW__TRACING_SERVICE_EVENT__EVENT_TYPE_ALL_DATA_SOURCES_STARTED), 1);
    assert_int_equal(count_events(&trace, TW__TRACING_SERVICE_EVENT__EVENT_TYPE_TRACING_DISABLED),
                     1);
    assert_true(
        count_events(&trace, TW__TRACING_SERVICE_EVENT__EVENT_TYPE_ALL_DATA_SOURCES_FLUSHED) > 10);
    trace = rig_read(s.consumer);
    assert_int_equal(count_events(&trace, TW__TRACING_SERVICE_EVENT__EVENT_TYPE_TRACING_STARTED),
                     0);
    assert_null(rig_kind(&trace, TW__TRACE_PACKET__DATA_TRACE_CONFIG, 0));
    assert_null(rig_kind(&trace, TW__TRACE_PACKET__DATA_TRACE_UUID, 0));
    rig_free(&s.rig);
}

static void a_second_read_is_refused_while_one_runs(void **state)
{
    struct scene s;
    uint32_t chunk_id = 0;
    uint64_t first, second;

    (void)state;
    begin(&s, 8192);
    enable(&s);
    free(emit_large(&s, &chunk_id, 1024 * 1024));
    s.consumer->deaf = true;
    first = rig_send(s.consumer, TW_CONSUMER_READ_BUFFERS, NULL);
    second = rig_send(s.consumer, TW_CONSUMER_READ_BUFFERS, NULL);
    rig_pump(&s.rig);
    s.consumer->deaf = false;
    rig_pump(&s.rig);
    assert_true(rig_last(s.consumer, first)->success && !rig_last(s.consumer, first)->has_more);
    assert_true(rig_count(s.consumer, first) > 8);
    assert_int_equal(rig_count(s.consumer, second), 1);
    rig_free(&s.rig);
}

static void freeing_the_buffers_ends_a_read(void **state)
{
    struct scene s;
    uint32_t chunk_id = 0;
    uint64_t read, freed;

    (void)state;
    begin(&s, 8192);
    enable(&s);
    free(emit_large(&s, &chunk_id, 1024 * 1024));
    s.consumer->deaf = true;
    read = rig_send(s.consumer, TW_CONSUMER_READ_BUFFERS, NULL);
    freed = rig_send(s.consumer, TW_CONSUMER_FREE_BUFFERS, NULL);
    rig_pump(&s.rig);
    s.consumer->deaf = false;
    rig_pump(&s.rig);
    assert_true(rig_last(s.consumer, freed)->success);
    assert_false(rig_last(s.consumer, read)->has_more);
    assert_false(rig_last(s.consumer, read)->success);
    assert_int_equal(rig_read(s.consumer).n, 0); /* there is no session */
    rig_free(&s.rig);
}

/* Bytes that wait for the consumer. */
static size_t waiting(struct rig_peer *peer)
{
    struct tw_bytes bytes;
    size_t n = 0;
    int fd;

    while (!tw_service_peek(peer->conn, &bytes, &fd)) {
        n += bytes.n;
        tw_service_sent(peer->conn, bytes.n);
    }
    return n;
}

static void a_consumer_that_does_not_read_is_owed_little(void **state)
{
    REQ("TW-LIM-026");
    struct scene s;
    uint32_t chunk_id = 0;

    (void)state;
    begin(&s, 8192);
    enable(&s);
    free(emit_large(&s, &chunk_id, 4 * 1024 * 1024));
    s.consumer->deaf = true;
    rig_send(s.consumer, TW_CONSUMER_READ_BUFFERS, NULL);
    for (int i = 0; i < 100; i++)
        rig_send(s.consumer, TW_CONSUMER_QUERY_SERVICE_STATE, NULL);
    rig_pump(&s.rig);
    assert_non_null(s.consumer->conn);
    assert_in_range(waiting(s.consumer), 1, 512 * 1024);
    rig_free(&s.rig);
}

static void a_producer_that_does_not_read_its_commands_is_dropped(void **state)
{
    REQ("TW-LIM-004");
    struct scene s;
    struct rig_peer *consumer;

    (void)state;
    begin(&s, 64);
    s.producer->deaf = true;
    s.config->has_flush_period_ms = true;
    s.config->flush_period_ms = 100;
    rig_enable(s.consumer, s.config);
    consumer = s.consumer;
    for (int i = 0; i < 10000 && s.producer->conn; i++)
        rig_advance(&s.rig, 1000);
    assert_null(s.producer->conn);
    assert_non_null(s.producer->why);
    assert_non_null(consumer->conn);
    rig_free(&s.rig);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        tw_unit_test(a_packet_of_a_megabyte_goes_over_many_frames),
        tw_unit_test(every_size_around_a_frame_arrives),
        tw_unit_test(a_packet_is_read_once),
        tw_unit_test(thousands_of_packets_arrive_in_order_in_any_split),
        tw_unit_test(the_services_own_packets_are_all_there),
        tw_unit_test(the_sync_marker_ends_its_packet),
        tw_unit_test(the_life_of_the_session_is_told_once),
        tw_unit_test(a_second_read_is_refused_while_one_runs),
        tw_unit_test(freeing_the_buffers_ends_a_read),
        tw_unit_test(a_consumer_that_does_not_read_is_owed_little),
        tw_unit_test(a_producer_that_does_not_read_its_commands_is_dropped),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
