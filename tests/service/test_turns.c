/* SPDX-License-Identifier: Apache-2.0 */
/* How much one peer gets done before it is another's turn, and what one request may cost. */
#include <stdlib.h>
#include <string.h>

#include "service/core.h"
#include "tests/harness.h"
#include "tests/service/rig.h"
#include "wire/writer.h"

enum { PAGE = 32 * 1024 };

/* A producer with large pages and one data source in a running session. */
struct scene {
    struct rig rig;
    struct rig_peer *producer, *consumer;
    uint16_t buffer;
};

static void begin(struct scene *s, uint32_t buffer_kb)
{
    Tw__InitializeConnectionRequest hello = TW__INITIALIZE_CONNECTION_REQUEST__INIT;
    Tw__TraceConfig *config;

    rig_init(&s->rig);
    hello.producer_name = tw_pbc_str("p");
    hello.has_shared_memory_page_size_hint_bytes = true;
    hello.shared_memory_page_size_hint_bytes = PAGE;
    s->producer = rig_producer_with(&s->rig, &hello, -1);
    rig_register(s->producer, "source");
    s->consumer = rig_consumer(&s->rig);
    config = rig_config(&s->rig, "source");
    config->buffers[0]->size_kb = buffer_kb;
    rig_enable(s->consumer, config);
    s->buffer = rig_buffer(s->producer);
}

/* What the peer has queued is received, and the service has one turn of it. */
static void one_turn(struct rig_peer *peer)
{
    struct tw_bytes bytes;
    int fd, rc;

    while (!tw_tx_peek(&peer->client.tx, &bytes, &fd)) {
        uint8_t *to;
        size_t room;

        tw_service_space(peer->conn, &to, &room);
        assert_true(bytes.n <= room && fd < 0);
        memcpy(to, bytes.p, bytes.n);
        tw_service_received(peer->conn, bytes.n, NULL, 0);
        tw_tx_sent(&peer->client.tx, bytes.n);
    }
    rc = tw_service_run(peer->conn);
    assert_true(rc == 0 || rc == TW_MORE);
}

/* Frames that wait for the peer, which are dropped. */
static size_t frames_waiting(struct rig_peer *peer)
{
    struct tw_bytes bytes, payload;
    size_t n = 0;
    int fd;

    for (; !tw_service_peek(peer->conn, &bytes, &fd); n++) {
        assert_int_equal(tw_frame_split(bytes, &payload), 0);
        tw_service_sent(peer->conn, TW_FRAME_HEADER + payload.n);
    }
    return n;
}

static void calls_are_done_so_many_at_a_time(void **state)
{
    struct scene s;

    REQ("TW-LIM-023");
    (void)state;
    begin(&s, 64);
    for (int i = 0; i < 2 * TW_CALLS_PER_TURN + 1; i++)
        rig_send(s.producer, TW_PRODUCER_SYNC, NULL);
    one_turn(s.producer);
    assert_int_equal(frames_waiting(s.producer), TW_CALLS_PER_TURN);
    one_turn(s.producer);
    assert_int_equal(frames_waiting(s.producer), TW_CALLS_PER_TURN);
    one_turn(s.producer);
    assert_int_equal(frames_waiting(s.producer), 1);
    rig_free(&s.rig);
}

/* Each look at the clock takes a millisecond, and there are two more of them than calls. */
static void a_turn_ends_when_it_has_taken_long(void **state)
{
    struct scene s;
    size_t n;

    REQ("TW-LIM-162");
    (void)state;
    begin(&s, 64);
    for (int i = 0; i < 2 * TW_CALLS_PER_TURN; i++)
        rig_send(s.producer, TW_PRODUCER_SYNC, NULL);
    s.rig.look_ns = 1000000;
    one_turn(s.producer);
    n = frames_waiting(s.producer);
    assert_in_range(n, TW_TURN_MS - 2, TW_TURN_MS);
    s.rig.look_ns = TW_TURN_MS * UINT64_C(1000000);
    one_turn(s.producer);
    assert_int_equal(frames_waiting(s.producer), 1); /* there is always progress */
    s.rig.look_ns = 0;
    one_turn(s.producer);
    assert_int_equal(frames_waiting(s.producer), TW_CALLS_PER_TURN);
    rig_free(&s.rig);
}

static void emit(struct scene *s, const struct rig_chunk *chunk, const struct tw_bytes *packets,
                 size_t n)
{
    rig_write(s->producer, chunk, packets, n);
    rig_commit(s->producer, chunk->page, s->buffer);
}

/* A buffer full of packets that cannot be handed on. */
static void fill_with_invalid(struct scene *s, size_t n)
{
    static struct tw_bytes packets[1000];
    size_t done = 0;

    for (size_t i = 0; i < TW_ARRAY_LEN(packets); i++)
        packets[i] = (struct tw_bytes){.p = (const uint8_t *)"\xff", .n = 1};
    for (uint32_t id = 0; done < n; id++, done += TW_ARRAY_LEN(packets))
        emit(s, &(struct rig_chunk){.writer_id = 1, .chunk_id = id}, packets,
             TW_ARRAY_LEN(packets));
}

static void a_read_of_nothing_is_done_so_much_at_a_time(void **state)
{
    enum { PER_TURN = TW_READ_PACKETS_PER_REPLY * TW_READ_REPLIES_PER_TURN, N = PER_TURN + 5000 };
    struct scene s;
    struct tw_session *session;

    REQ("TW-LIM-032");
    REQ("TW-LIM-033");
    (void)state;
    begin(&s, 4096);
    fill_with_invalid(&s, N);
    session = s.consumer->conn->session;
    rig_send(s.consumer, TW_CONSUMER_READ_BUFFERS, NULL);
    one_turn(s.consumer);
    assert_int_equal(frames_waiting(s.consumer), TW_READ_REPLIES_PER_TURN);
    assert_in_range(session->invalid_packets, PER_TURN - 100, PER_TURN);
    one_turn(s.consumer);
    assert_int_equal(frames_waiting(s.consumer), 2);
    assert_true(session->invalid_packets >= N);
    rig_free(&s.rig);
}

static void a_reply_is_sent_when_it_is_large_enough(void **state)
{
    static char text[3000];
    struct scene s;
    uint64_t id;
    size_t full = 0;

    REQ("TW-LIM-027");
    (void)state;
    memset(text, 'x', sizeof(text) - 1);
    begin(&s, 1024);
    for (uint32_t i = 0; i < 100; i++)
        rig_emit(s.producer, i, s.buffer, text);
    id = rig_send(s.consumer, TW_CONSUMER_READ_BUFFERS, NULL);
    rig_pump(&s.rig);
    for (size_t i = 0; i < s.consumer->n_replies; i++) {
        const struct rig_reply *reply = &s.consumer->replies[i];

        if (reply->id != id || !reply->has_more)
            continue;
        assert_in_range(reply->body.n, TW_READ_FRAME_BYTES, TW_READ_FRAME_BYTES + 2 * sizeof(text));
        full++;
    }
    assert_in_range(full, 8, 10);
    rig_free(&s.rig);
}

/* One packet of n fragments that fill their chunks, each a field that readers do not know. */
static void emit_large(struct scene *s, uint32_t *chunk_id, size_t n)
{
    static uint8_t field[PAGE - 32];
    struct tw_writer w = tw_writer_of(field, sizeof(field));

    tw_put_len(&w, 1000, sizeof(field) - 5);
    for (size_t i = 0; i < n; i++) {
        uint8_t flags = (uint8_t)((i ? TW_CHUNK_FIRST_CONTINUES : 0) |
                                  (i + 1 < n ? TW_CHUNK_LAST_CONTINUES : 0));

        emit(s, &(struct rig_chunk){.writer_id = 1, .chunk_id = (*chunk_id)++, .flags = flags},
             &(struct tw_bytes){field, sizeof(field)}, 1);
    }
}

static void a_packet_over_the_maximum_is_dropped_and_told(void **state)
{
    enum { FRAGMENTS = TW_PACKET_MAX / (PAGE - 32) };
    struct scene s;
    struct rig_trace trace;
    Tw__TracePacket *after;
    uint32_t chunk_id = 0;

    REQ("TW-LIM-028");
    (void)state;
    begin(&s, 2 * TW_PACKET_MAX / 1024);
    emit_large(&s, &chunk_id, FRAGMENTS + 1);
    rig_emit(s.producer, chunk_id++, s.buffer, "after it");
    s.rig.undecoded = false;
    trace = rig_read(s.consumer);
    assert_int_equal(rig_find(&trace, "after it", &after), 1);
    assert_true(after->has_previous_packet_dropped);
    assert_int_equal(s.consumer->conn->session->invalid_packets, 1);
    for (size_t i = 0; i < trace.n; i++)
        assert_true(trace.packets[i].n < PAGE);
    emit_large(&s, &chunk_id, FRAGMENTS);
    s.rig.undecoded = true;
    trace = rig_read(s.consumer);
    assert_true(trace.whole);
    assert_int_equal(s.consumer->conn->session->invalid_packets, 1);
    assert_true(trace.packets[0].n > FRAGMENTS * (PAGE - 32));
    rig_free(&s.rig);
}

static void a_request_over_its_arena_is_refused(void **state)
{
    Tw__RegisterDataSourceRequest req = TW__REGISTER_DATA_SOURCE_REQUEST__INIT;
    Tw__DataSourceDescriptor descriptor = TW__DATA_SOURCE_DESCRIPTOR__INIT;
    struct scene s;

    REQ("TW-LIM-024");
    (void)state;
    begin(&s, 64);
    assert_int_equal(s.rig.service->arena.max, TW_REQUEST_ARENA_MAX);
    descriptor.name = tw_pbc_str("another");
    req.data_source_descriptor = &descriptor;
    s.rig.service->arena.max = sizeof(req);
    assert_false(rig_call(s.producer, TW_PRODUCER_REGISTER_DATA_SOURCE, &req.base)->success);
    s.rig.service->arena.max = TW_REQUEST_ARENA_MAX;
    assert_true(rig_call(s.producer, TW_PRODUCER_REGISTER_DATA_SOURCE, &req.base)->success);
    rig_free(&s.rig);
}

/* Two bytes each that stand for a structure. */
static void a_config_that_costs_too_much_is_told(void **state)
{
    enum { EMPTY = 60000 };
    struct tw_buf args = TW_BUF_INIT(TW_FRAME_PAYLOAD_MAX);
    Tw__EnableTracingResponse *response;
    struct scene s;
    struct rig_peer *consumer;
    uint8_t head[8];
    struct tw_writer w = tw_writer_of(head, sizeof(head));
    uint64_t id;

    REQ("TW-LIM-025");
    (void)state;
    begin(&s, 64);
    consumer = rig_consumer(&s.rig);
    tw_put_len(&w, 1, 2 * EMPTY);
    assert_int_equal(tw_buf_append(&args, head, tw_writer_size(&w)), 0);
    for (int i = 0; i < EMPTY; i++)
        assert_int_equal(tw_buf_append(&args, "\x0a\x00", 2), 0);
    id = rig_send_raw(consumer, TW_CONSUMER_ENABLE_TRACING, tw_buf_bytes(&args), false, -1);
    rig_pump(&s.rig);
    tw_buf_deinit(&args);
    response =
        rig_decode(consumer, rig_last(consumer, id), &tw__enable_tracing_response__descriptor);
    assert_non_null(response);
    assert_non_null(strstr(response->error, "costs too much"));
    assert_null(consumer->conn->session);
    rig_free(&s.rig);
}

static void a_read_of_nothing_ends_when_it_has_taken_long(void **state)
{
    enum { N = 10000 };
    struct scene s;
    struct tw_session *session;

    REQ("TW-LIM-162");
    (void)state;
    begin(&s, 4096);
    fill_with_invalid(&s, N);
    session = s.consumer->conn->session;
    rig_send(s.consumer, TW_CONSUMER_READ_BUFFERS, NULL);
    s.rig.look_ns = 1000000;
    one_turn(s.consumer);
    assert_in_range(session->invalid_packets, 1, TW_TURN_MS);
    assert_int_equal(frames_waiting(s.consumer), 1);
    s.rig.look_ns = 0;
    one_turn(s.consumer);
    assert_true(session->invalid_packets >= N);
    rig_free(&s.rig);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        tw_unit_test(calls_are_done_so_many_at_a_time),
        tw_unit_test(a_turn_ends_when_it_has_taken_long),
        tw_unit_test(a_read_of_nothing_is_done_so_much_at_a_time),
        tw_unit_test(a_read_of_nothing_ends_when_it_has_taken_long),
        tw_unit_test(a_reply_is_sent_when_it_is_large_enough),
        tw_unit_test(a_packet_over_the_maximum_is_dropped_and_told),
        tw_unit_test(a_request_over_its_arena_is_refused),
        tw_unit_test(a_config_that_costs_too_much_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
