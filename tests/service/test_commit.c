/* SPDX-License-Identifier: Apache-2.0 */
/* CommitData, writers and their buffers, and what is scraped of shared memory. */
#include <string.h>

#include "tests/harness.h"
#include "tests/service/session_scene.h"

static const struct rig_reply *bind_writer(struct rig_peer *producer, uint32_t writer,
                                           uint32_t buffer)
{
    Tw__RegisterTraceWriterRequest req = TW__REGISTER_TRACE_WRITER_REQUEST__INIT;

    req.has_trace_writer_id = req.has_target_buffer = true;
    req.trace_writer_id = writer;
    req.target_buffer = buffer;
    return rig_call(producer, TW_PRODUCER_REGISTER_TRACE_WRITER, &req.base);
}

static void disable(struct session_scene *s)
{
    assert_true(rig_call(s->consumer, TW_CONSUMER_DISABLE_TRACING, NULL)->success);
}

static void a_packet_comes_out_with_the_stamp_of_its_producer(void **state)
{
    REQ("TW-SEC-003");
    struct session_scene s;
    struct rig_trace trace;
    Tw__TracePacket *packet;

    (void)state;
    session_scene(&s);
    rig_emit(s.producer, 0, s.buffer, "hello");
    trace = rig_read(s.consumer);
    assert_true(trace.whole);
    assert_int_equal(rig_find(&trace, "hello", &packet), 1);
    assert_int_equal(packet->trusted_uid, s.producer->who.uid);
    assert_int_equal(packet->trusted_pid, s.producer->who.pid);
    assert_true(packet->trusted_packet_sequence_id > 1);
    assert_true(packet->has_previous_packet_dropped); /* the first of its sequence */
    rig_free(&s.rig);
}

static void writers_have_sequences_of_their_own(void **state)
{
    struct session_scene s;
    struct rig_trace trace;
    Tw__TracePacket *packets[3];
    struct rig_peer *other;

    (void)state;
    session_scene(&s);
    other = rig_producer(&s.rig, "q");
    rig_register(other, "source");
    rig_emit(s.producer, 0, s.buffer, "one");
    rig_emit(other, 0, s.buffer, "two");
    rig_write(s.producer, &(struct rig_chunk){.page = 1, .writer_id = 2},
              &(struct tw_bytes){rig_packet(&s.rig, "three").p, rig_packet(&s.rig, "three").n}, 1);
    rig_commit(s.producer, 1, s.buffer);
    trace = rig_read(s.consumer);
    assert_int_equal(rig_find(&trace, "one", &packets[0]), 1);
    assert_int_equal(rig_find(&trace, "two", &packets[1]), 1);
    assert_int_equal(rig_find(&trace, "three", &packets[2]), 1);
    assert_int_equal(packets[1]->trusted_pid, other->who.pid);
    for (int i = 0; i < 3; i++)
        assert_int_not_equal(packets[i]->trusted_packet_sequence_id,
                             packets[(i + 1) % 3]->trusted_packet_sequence_id);
    rig_free(&s.rig);
}

/* Field numbers only the service writes: trusted_uid, sequence id, config, stats, sync marker,
 * system info, trigger, compressed packets, machine id, service event, trusted_pid, uuid. */
static void forged_packets_are_dropped_and_counted(void **state)
{
    REQ("TW-PROD-022");
    static const struct tw_bytes forged[] = {
        {(const uint8_t *)"\x18\x00", 2},         {(const uint8_t *)"\x50\x01", 2},
        {(const uint8_t *)"\x98\x80\x00\x05", 4}, /* 3 again, with a padded tag */
        {(const uint8_t *)"\x1a\x00", 2},         /* and with another wire type */
        {(const uint8_t *)"\x8a\x02\x00", 3},     {(const uint8_t *)"\x9a\x02\x00", 3},
        {(const uint8_t *)"\xa2\x02\x00", 3},     {(const uint8_t *)"\xaa\x04\x00", 3},
        {(const uint8_t *)"\xf8\x04\x01", 3},     {(const uint8_t *)"\x08", 1}, /* cut short */
    };
    enum { N = sizeof(forged) / sizeof(forged[0]) };
    struct session_scene s;
    struct rig_trace trace;
    struct tw_bytes all[N + 1];

    (void)state;
    session_scene(&s);
    memcpy(all, forged, sizeof(forged));
    all[N] = rig_packet(&s.rig, "honest");
    rig_write(s.producer, &(struct rig_chunk){.writer_id = 1}, all, N + 1);
    rig_commit(s.producer, 0, s.buffer);
    disable(&s);
    trace = rig_read(s.consumer);
    assert_int_equal(rig_find(&trace, "honest", NULL), 1);
    for (size_t i = 0; i < trace.n; i++)
        assert_non_null(trace.decoded[i]);
    for (size_t i = 0; i < trace.n; i++)
        if (trace.decoded[i]->trusted_packet_sequence_id != 1)
            assert_int_equal(trace.decoded[i]->data_case, TW__TRACE_PACKET__DATA_FOR_TESTING);
    assert_int_equal(session_stats(s.consumer)->invalid_packets, N);
    rig_free(&s.rig);
}

static void museum_12_a_buffer_of_another_session_is_out_of_reach(void **state)
{
    REQ("TW-PROD-020");
    struct session_scene s;
    struct rig_peer *stranger, *other;
    struct rig_trace trace;

    (void)state;
    session_scene(&s);
    other = rig_consumer(&s.rig);
    rig_enable(other, rig_config(&s.rig, "elsewhere"));
    stranger = rig_producer(&s.rig, "stranger");
    rig_register(stranger, "elsewhere");
    assert_int_not_equal(rig_buffer(stranger), s.buffer);
    rig_emit(stranger, 0, s.buffer, "injected");
    rig_emit(stranger, 1, 0, "nowhere");
    rig_emit(stranger, 2, UINT16_MAX, "nowhere");
    rig_emit(stranger, 3, UINT32_MAX, "nowhere");
    rig_emit(stranger, 4, (uint32_t)rig_buffer(stranger) + 65536, "wrapped");
    disable(&s);
    trace = rig_read(s.consumer);
    assert_int_equal(rig_find(&trace, "injected", NULL), 0);
    assert_int_equal(session_stats(s.consumer)->chunks_discarded, 5);
    trace = rig_read(other);
    assert_int_equal(rig_find(&trace, "wrapped", NULL), 0);
    rig_free(&s.rig);
}

static void a_writer_keeps_to_the_buffer_it_is_bound_to(void **state)
{
    REQ("TW-PROD-021");
    struct session_scene s;
    struct rig_trace trace;
    struct rig_peer *other;
    uint16_t second;

    (void)state;
    session_scene(&s);
    other = rig_consumer(&s.rig);
    rig_enable(other, rig_config(&s.rig, "source"));
    second = rig_buffer(s.producer);
    assert_true(bind_writer(s.producer, 1, s.buffer)->success);
    rig_emit(s.producer, 0, second, "astray");
    assert_true(bind_writer(s.producer, 1, 60000)->success); /* changes nothing */
    rig_emit(s.producer, 1, second, "astray");
    rig_emit(s.producer, 2, s.buffer, "home");
    trace = rig_read(other);
    assert_int_equal(rig_find(&trace, "astray", NULL), 0);
    disable(&s);
    trace = rig_read(s.consumer);
    assert_int_equal(rig_find(&trace, "home", NULL), 1);
    rig_free(&s.rig);
}

static void chunks_that_are_not_there_change_nothing(void **state)
{
    REQ("TW-SHM-048");
    static const uint32_t pages[] = {0, 15, 16, UINT32_MAX};
    struct session_scene s;

    (void)state;
    session_scene(&s);
    for (size_t i = 0; i < 4; i++)
        rig_commit(s.producer, pages[i], s.buffer);
    assert_int_equal(session_stats(s.consumer)->chunks_discarded, 4);
    rig_emit(s.producer, 0, s.buffer, "still works");
    assert_non_null(s.producer->conn);
    rig_free(&s.rig);
}

static void committing_before_there_is_memory_changes_nothing(void **state)
{
    struct rig rig;
    struct rig_peer *producer;

    (void)state;
    rig_init(&rig);
    producer = rig_producer(&rig, "p");
    rig_commit(producer, 0, 1);
    assert_non_null(producer->conn);
    rig_free(&rig);
}

static void a_chunk_is_free_again_after_its_commit(void **state)
{
    REQ("TW-SHM-048");
    struct session_scene s;
    struct rig_trace trace;

    (void)state;
    session_scene(&s);
    for (uint32_t i = 0; i < 10; i++) /* the same page every time */
        rig_emit(s.producer, i, s.buffer, "again");
    trace = rig_read(s.consumer);
    assert_int_equal(rig_find(&trace, "again", NULL), 10);
    rig_free(&s.rig);
}

static void an_unfinished_chunk_is_scraped_at_the_end(void **state)
{
    REQ("TW-SHM-020");
    struct session_scene s;
    struct rig_trace trace;
    struct tw_bytes packets[2];

    (void)state;
    session_scene(&s);
    packets[0] = rig_packet(&s.rig, "finished");
    packets[1] = rig_packet(&s.rig, "unfinished");
    bind_writer(s.producer, 1, s.buffer);
    rig_write(s.producer, &(struct rig_chunk){.writer_id = 1, .leave_open = true}, packets, 2);
    rig_write(s.producer, &(struct rig_chunk){.page = 1, .writer_id = 2, .leave_open = true},
              packets, 2); /* of a writer that nobody has bound */
    disable(&s);
    trace = rig_read(s.consumer);
    assert_int_equal(rig_find(&trace, "finished", NULL), 1);
    assert_int_equal(rig_find(&trace, "unfinished", NULL), 0);
    rig_free(&s.rig);
}

static void a_scraped_chunk_that_is_committed_later_comes_once(void **state)
{
    struct session_scene s;
    struct rig_trace trace;
    struct tw_bytes packets[2];

    (void)state;
    session_scene(&s);
    packets[0] = rig_packet(&s.rig, "first");
    packets[1] = rig_packet(&s.rig, "second");
    bind_writer(s.producer, 1, s.buffer);
    rig_write(s.producer, &(struct rig_chunk){.writer_id = 1}, packets, 2);
    rig_send(s.consumer, TW_CONSUMER_FLUSH, NULL);
    rig_advance(&s.rig, 6000); /* the producer does not answer: scraped at the time-out */
    rig_commit(s.producer, 0, s.buffer);
    trace = rig_read(s.consumer);
    assert_int_equal(rig_find(&trace, "first", NULL), 1);
    assert_int_equal(rig_find(&trace, "second", NULL), 1);
    rig_free(&s.rig);
}

static void flush_often(struct session_scene *s, int times)
{
    Tw__CommitDataRequest ack = TW__COMMIT_DATA_REQUEST__INIT;
    uint64_t ids[8];

    for (int i = 0; i < times; i++)
        ids[i] = rig_send(s->consumer, TW_CONSUMER_FLUSH, NULL);
    rig_pump(&s->rig);
    ack.has_flush_request_id = true;
    for (int i = 0; i < times; i++) {
        size_t n = rig_commands(s->producer, TW__GET_ASYNC_COMMAND_RESPONSE__CMD_FLUSH);
        const Tw__GetAsyncCommandResponse *asked = rig_command(
            s->producer, TW__GET_ASYNC_COMMAND_RESPONSE__CMD_FLUSH, n - (size_t)times + (size_t)i);

        ack.flush_request_id = asked->flush->request_id;
        rig_call(s->producer, TW_PRODUCER_COMMIT_DATA, &ack.base);
    }
    rig_advance(&s->rig, 0);
    for (int i = 0; i < times; i++)
        assert_true(rig_last(s->consumer, ids[i])->success);
}

/* Or a thousand flushes would cost everybody a thousand looks at all shared memory. */
static void flushes_that_end_together_are_scraped_for_once(void **state)
{
    REQ("TW-SHM-020");
    struct session_scene s;
    struct tw_bytes packets[2];

    (void)state;
    session_scene(&s);
    packets[0] = packets[1] = rig_packet(&s.rig, "here");
    bind_writer(s.producer, 1, s.buffer);
    rig_write(s.producer, &(struct rig_chunk){.writer_id = 1, .flags = TW_CHUNK_NEEDS_PATCHING},
              packets, 2);
    flush_often(&s, 8);
    assert_int_equal(session_stats(s.consumer)->buffer_stats[0]->chunks_rewritten, 0);
    flush_often(&s, 8); /* a chunk to patch is taken again each time */
    assert_int_equal(session_stats(s.consumer)->buffer_stats[0]->chunks_rewritten, 1);
    rig_free(&s.rig);
}

static void a_producer_that_leaves_is_scraped(void **state)
{
    REQ("TW-SHM-020");
    struct session_scene s;
    struct rig_trace trace;
    struct tw_bytes packet;

    (void)state;
    session_scene(&s);
    packet = rig_packet(&s.rig, "last words");
    bind_writer(s.producer, 1, s.buffer);
    rig_write(s.producer, &(struct rig_chunk){.writer_id = 1}, &packet, 1);
    rig_disconnect(s.producer);
    rig_pump(&s.rig);
    trace = rig_read(s.consumer);
    assert_int_equal(rig_find(&trace, "last words", NULL), 1);
    rig_free(&s.rig);
}

/* It numbers its chunks from zero again, and knows nothing of what the first said. */
static void who_gets_the_id_of_a_writer_that_left_is_another(void **state)
{
    REQ("TW-BUF-003");
    Tw__UnregisterTraceWriterRequest un = TW__UNREGISTER_TRACE_WRITER_REQUEST__INIT;
    Tw__TracePacket *first, *second;
    struct rig_trace trace;
    struct session_scene s;

    (void)state;
    session_scene(&s);
    un.has_trace_writer_id = true;
    un.trace_writer_id = 1;
    bind_writer(s.producer, 1, s.buffer);
    rig_emit(s.producer, 0, s.buffer, "first");
    rig_call(s.producer, TW_PRODUCER_UNREGISTER_TRACE_WRITER, &un.base);
    rig_call(s.producer, TW_PRODUCER_UNREGISTER_TRACE_WRITER, &un.base); /* changes nothing */
    bind_writer(s.producer, 1, s.buffer);
    rig_emit(s.producer, 0, s.buffer, "second");
    trace = rig_read(s.consumer);
    assert_int_equal(rig_find(&trace, "first", &first), 1);
    assert_int_equal(rig_find(&trace, "second", &second), 1);
    assert_int_not_equal(first->trusted_packet_sequence_id, second->trusted_packet_sequence_id);
    rig_free(&s.rig);
}

static void a_binding_ends_with_its_buffer(void **state)
{
    struct session_scene s;
    struct rig_trace trace;
    struct tw_bytes packet;
    uint16_t first;

    (void)state;
    session_scene(&s);
    first = s.buffer;
    packet = rig_packet(&s.rig, "of the first session");
    bind_writer(s.producer, 1, first);
    rig_write(s.producer, &(struct rig_chunk){.writer_id = 1}, &packet, 1);
    rig_call(s.consumer, TW_CONSUMER_FREE_BUFFERS, NULL);
    for (int i = 0; i < 1920; i++) { /* until the id comes round again */
        rig_enable(s.consumer, rig_config(&s.rig, i < 1919 ? "nothing" : "source"));
        if (i < 1919)
            rig_call(s.consumer, TW_CONSUMER_FREE_BUFFERS, NULL);
    }
    assert_int_equal(rig_buffer(s.producer), first);
    disable(&s);
    trace = rig_read(s.consumer);
    assert_int_equal(rig_find(&trace, "of the first session", NULL), 0);
    rig_free(&s.rig);
}

static void buffer_ids_are_not_used_again_soon(void **state)
{
    REQ("TW-LIM-013");
    struct session_scene s;
    struct rig_trace trace;

    (void)state;
    session_scene(&s);
    rig_call(s.consumer, TW_CONSUMER_FREE_BUFFERS, NULL);
    rig_enable(s.consumer, rig_config(&s.rig, "source"));
    rig_emit(s.producer, 0, s.buffer, "for the old session");
    trace = rig_read(s.consumer);
    assert_int_equal(rig_find(&trace, "for the old session", NULL), 0);
    rig_free(&s.rig);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        tw_unit_test(a_packet_comes_out_with_the_stamp_of_its_producer),
        tw_unit_test(writers_have_sequences_of_their_own),
        tw_unit_test(forged_packets_are_dropped_and_counted),
        tw_unit_test(museum_12_a_buffer_of_another_session_is_out_of_reach),
        tw_unit_test(a_writer_keeps_to_the_buffer_it_is_bound_to),
        tw_unit_test(chunks_that_are_not_there_change_nothing),
        tw_unit_test(committing_before_there_is_memory_changes_nothing),
        tw_unit_test(a_chunk_is_free_again_after_its_commit),
        tw_unit_test(an_unfinished_chunk_is_scraped_at_the_end),
        tw_unit_test(a_scraped_chunk_that_is_committed_later_comes_once),
        tw_unit_test(flushes_that_end_together_are_scraped_for_once),
        tw_unit_test(a_producer_that_leaves_is_scraped),
        tw_unit_test(who_gets_the_id_of_a_writer_that_left_is_another),
        tw_unit_test(a_binding_ends_with_its_buffer),
        tw_unit_test(buffer_ids_are_not_used_again_soon),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
