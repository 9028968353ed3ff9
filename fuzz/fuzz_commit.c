/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Commits and shared memory: the real service with a producer and a consumer whose session runs,
 * and a script of what the producer writes, commits and says, and of what happens meanwhile.
 *
 *   script := operation*      operation := u8 what, operands      (see the list of steps below)
 *
 * Whatever comes out of the buffers is a well-formed packet with one stamp that is true, and
 * nothing but the service's own packets says what only the service may say.
 */
#include <string.h>
#include <unistd.h>

#include "base/req.h"
#include "fuzz/input.h"
#include "service/core.h"
#include "service/trace_buffer_internal.h"
#include "tests/service/rig.h"
#include "wire/reader.h"
#include "wire/writer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    BUFFERS = 2,
    STEPS_MAX = 128,
    SESSIONS_MAX = 4, /* with what is connected for them: the dearest of all steps */
    READS_MAX = 8,
    PAGE_SIZE = 4096,
};

struct scene {
    struct rig rig;
    struct rig_peer *producer, *consumer;
    struct tw_bytes input;
    int sessions, reads;
};

static uint16_t input_u16(struct tw_bytes *input)
{
    uint16_t low = input_byte(input);

    return (uint16_t)(low | input_byte(input) << 8);
}

static struct tw_bytes input_bytes(struct tw_bytes *input, size_t n)
{
    struct tw_bytes bytes = {.p = input->p, .n = tw_min(n, input->n)};

    input->p = bytes.n ? input->p + bytes.n : input->p;
    input->n -= bytes.n;
    return bytes;
}

/* A ring and a discard buffer, and a data source for each. */
static void start_session(struct scene *s)
{
    Tw__TraceConfig *config = rig_config(&s->rig, "source"), *other = rig_config(&s->rig, "source");
    Tw__TraceConfig__BufferConfig *buffers[] = {config->buffers[0], other->buffers[0]};
    Tw__TraceConfig__DataSource *sources[] = {config->data_sources[0], other->data_sources[0]};
    const struct tw_session *session;

    config->n_buffers = config->n_data_sources = BUFFERS;
    config->buffers = buffers;
    config->data_sources = sources;
    config->has_trace_uuid_lsb = true;
    config->trace_uuid_lsb = 1; /* the same input, the same path */
    buffers[1]->has_fill_policy = true;
    buffers[1]->fill_policy = TW__TRACE_CONFIG__BUFFER_CONFIG__FILL_POLICY__DISCARD;
    sources[1]->config->has_target_buffer = true;
    sources[1]->config->target_buffer = 1;
    rig_enable(s->consumer, config);
    session = s->consumer->conn->session;
    CHECK(session && session->n_buffers == BUFFERS);
    for (size_t i = 0; i < BUFFERS; i++) {
        struct tw_trace_buffer *tb = s->rig.service->buffers[session->buffer_ids[i]];

        memset(tb->hash_key, 1, sizeof(tb->hash_key));
    }
}

static void connect_producer(struct scene *s)
{
    Tw__DataSourceDescriptor d = TW__DATA_SOURCE_DESCRIPTOR__INIT;

    s->producer = rig_producer(&s->rig, "p");
    d.name = tw_pbc_str("source");
    d.has_will_notify_on_stop = d.will_notify_on_stop = true;
    rig_register_with(s->producer, &d);
}

/* The number that the service has for buffer i of the session; others are passed on as they are. */
static uint32_t buffer_number(const struct scene *s, uint8_t i)
{
    const struct tw_session *session = s->consumer->conn ? s->consumer->conn->session : NULL;

    return session && i < BUFFERS ? session->buffer_ids[i] : (uint32_t)(i - BUFFERS);
}

/* What a producer's packet must carry: each of these once, and as the service knows it. */
static void judge_stamp(const struct scene *s, struct tw_bytes packet)
{
    struct tw_reader r = tw_reader_of(packet);
    size_t n_uid = 0, n_pid = 0, n_sequence = 0;
    struct tw_field f;

    while (!tw_read_field(&r, &f)) {
        if (f.number == 3) {
            CHECK(f.type == TW_WIRE_VARINT && f.value == RIG_UID);
            n_uid++;
        } else if (f.number == 79) {
            CHECK(f.type == TW_WIRE_VARINT && f.value >= RIG_FIRST_PID &&
                  f.value < RIG_FIRST_PID + s->rig.n_peers);
            n_pid++;
        } else if (f.number == 10) {
            CHECK(f.type == TW_WIRE_VARINT && f.value > 1);
            n_sequence++;
        }
        CHECK(f.number != 33 && f.number != 35 && f.number != 36 && f.number != 50);
        CHECK(f.number != 69 && f.number != 98 && f.number != 133);
    }
    REQ("TW-PROD-022");
    CHECK(n_uid == 1 && n_pid == 1 && n_sequence == 1);
}

static bool is_the_services_own(struct tw_bytes packet)
{
    struct tw_reader r = tw_reader_of(packet);
    uint64_t sequence = 0;
    struct tw_field f;

    while (!tw_read_field(&r, &f))
        if (f.number == 10)
            sequence = f.value;
    CHECK(tw_reader_left(&r) == 0); /* well-formed to the last byte */
    return sequence == 1;
}

static void read_all(struct scene *s)
{
    struct rig_trace trace;
    size_t n_own = 0;

    if (!s->consumer->conn || s->reads++ == READS_MAX)
        return;
    rig_pump(&s->rig); /* while a read is under way another one is refused */
    if (!s->consumer->conn)
        return;
    trace = rig_read(s->consumer);
    for (size_t i = 0; i < trace.n; i++) {
        if (is_the_services_own(trace.packets[i]))
            n_own++;
        else
            judge_stamp(s, trace.packets[i]);
    }
    if (s->consumer->conn->session)
        CHECK(trace.whole && n_own > 0);
}

/* Steps. */

static void raw_commit(struct scene *s)
{
    bool drop_reply = input_byte(&s->input) & 1;
    struct tw_bytes args = input_bytes(&s->input, input_u16(&s->input));

    rig_send_raw(s->producer, TW_PRODUCER_COMMIT_DATA, args, drop_reply, -1);
}

static void raw_memory(struct scene *s)
{
    size_t at = (size_t)input_u16(&s->input) * 4;
    struct tw_bytes bytes = input_list(&s->input);

    if (at < s->producer->shm.size)
        memcpy(tw_shared_own(s->producer->shm.p) + at, bytes.p,
               tw_min(bytes.n, s->producer->shm.size - at));
}

/* A chunk as it should be, but for what is in it. */
static void write_chunk(struct scene *s)
{
    uint8_t where = input_byte(&s->input), layout = input_byte(&s->input);
    uint8_t n = input_byte(&s->input);
    struct tw_chunk_header header = {
        .chunk_id = (uint32_t)(int8_t)input_byte(&s->input),
        .writer_id = input_byte(&s->input) & 3,
    };
    struct tw_bytes payload = input_list(&s->input);
    struct tw_smb_chunk chunk;
    struct tw_smb smb;

    if (!s->producer->shm.p ||
        tw_smb_init(&smb, s->producer->shm.p, s->producer->shm.size, PAGE_SIZE))
        return;
    TW_IGNORE(tw_smb_partition(&smb, where & 15, (enum tw_page_layout)(1 + layout % 5)));
    if (tw_smb_acquire_for_writing(&smb, where & 15, where >> 4, &header, &chunk))
        return;
    if (payload.n)
        memcpy(tw_shared_own(chunk.payload), payload.p, tw_min(payload.n, chunk.payload_size));
    tw_chunk_store_packets(chunk.header, n >> 3, n & 7);
    if (!(layout & 128))
        TW_IGNORE(tw_smb_release_as_complete(&smb, &chunk));
}

static void move_chunk(struct scene *s)
{
    uint8_t where = input_byte(&s->input), buffer = input_byte(&s->input);
    uint8_t args[64];
    struct tw_writer w = tw_writer_of(args, sizeof(args));
    uint8_t *move = tw_put_begin(&w, 1);

    tw_put_u64(&w, 1, where & 15);
    tw_put_u64(&w, 2, where >> 4);
    tw_put_u64(&w, 3, buffer_number(s, buffer));
    tw_put_end(&w, move);
    rig_send_raw(s->producer, TW_PRODUCER_COMMIT_DATA,
                 (struct tw_bytes){.p = args, .n = tw_writer_size(&w)}, true, -1);
}

static void patch_chunk(struct scene *s)
{
    uint8_t args[64], *outer, *inner;
    struct tw_writer w = tw_writer_of(args, sizeof(args));
    uint8_t what = input_byte(&s->input);
    uint32_t chunk_id = (uint32_t)(int8_t)input_byte(&s->input);

    outer = tw_put_begin(&w, 2);
    tw_put_u64(&w, 1, buffer_number(s, what & 3));
    tw_put_u64(&w, 2, what >> 2 & 3);
    tw_put_u64(&w, 3, chunk_id);
    inner = tw_put_begin(&w, 4);
    tw_put_u64(&w, 1, input_u16(&s->input));
    tw_put_bytes(&w, 2, input_bytes(&s->input, 4));
    tw_put_end(&w, inner);
    tw_put_bool(&w, 5, what >> 7);
    tw_put_end(&w, outer);
    rig_send_raw(s->producer, TW_PRODUCER_COMMIT_DATA,
                 (struct tw_bytes){.p = args, .n = tw_writer_size(&w)}, false, -1);
}

static void send_two(struct rig_peer *peer, uint32_t method, uint64_t first, uint64_t second)
{
    uint8_t args[32];
    struct tw_writer w = tw_writer_of(args, sizeof(args));

    tw_put_u64(&w, 1, first);
    tw_put_u64(&w, 2, second);
    rig_send_raw(peer, method, (struct tw_bytes){.p = args, .n = tw_writer_size(&w)}, true, -1);
}

static void register_writer(struct scene *s)
{
    uint8_t writer = input_byte(&s->input);

    send_two(s->producer, TW_PRODUCER_REGISTER_TRACE_WRITER, writer,
             buffer_number(s, input_byte(&s->input)));
}

static void unregister_writer(struct scene *s)
{
    send_two(s->producer, TW_PRODUCER_UNREGISTER_TRACE_WRITER, input_u16(&s->input), 0);
}

static void flush(struct scene *s)
{
    send_two(s->consumer, TW_CONSUMER_FLUSH, input_byte(&s->input), 0);
}

static void acknowledge_flush(struct scene *s)
{
    uint8_t args[16];
    struct tw_writer w = tw_writer_of(args, sizeof(args));

    tw_put_u64(&w, 3, input_byte(&s->input));
    rig_send_raw(s->producer, TW_PRODUCER_COMMIT_DATA,
                 (struct tw_bytes){.p = args, .n = tw_writer_size(&w)}, true, -1);
}

static void advance(struct scene *s)
{
    rig_advance(&s->rig, (uint64_t)input_byte(&s->input) * 20);
}

/* The other end comes again as somebody else. */
static void reconnect(struct scene *s)
{
    if (s->sessions++ >= SESSIONS_MAX)
        return;
    if (input_byte(&s->input) & 1) {
        rig_disconnect(s->producer);
        connect_producer(s);
        return;
    }
    rig_disconnect(s->consumer);
    s->consumer = rig_consumer(&s->rig);
    start_session(s);
}

/* Calls without arguments worth speaking of. */
static void call(struct scene *s)
{
    static const struct {
        bool consumer;
        uint32_t method;
    } calls[] = {
        {true, TW_CONSUMER_DISABLE_TRACING},
        {true, TW_CONSUMER_GET_TRACE_STATS},
        {true, TW_CONSUMER_QUERY_SERVICE_STATE},
        {true, TW_CONSUMER_READ_BUFFERS}, /* twice at once, perhaps */
        {false, TW_PRODUCER_SYNC},
        {false, TW_PRODUCER_GET_ASYNC_COMMAND},
    };
    size_t i = input_byte(&s->input) % TW_ARRAY_LEN(calls);

    rig_send_raw(calls[i].consumer ? s->consumer : s->producer, calls[i].method,
                 (struct tw_bytes){0}, false, -1);
}

static void notify(struct scene *s)
{
    uint8_t what = input_byte(&s->input);

    send_two(s->producer,
             what & 1 ? TW_PRODUCER_NOTIFY_DATA_SOURCE_STARTED
                      : TW_PRODUCER_NOTIFY_DATA_SOURCE_STOPPED,
             what >> 1, 0);
}

static void end_session(struct scene *s)
{
    if (s->sessions++ >= SESSIONS_MAX)
        return;
    rig_send(s->consumer, TW_CONSUMER_FREE_BUFFERS, NULL);
    rig_pump(&s->rig);
    if (s->consumer->conn)
        start_session(s);
}

static void pump(struct scene *s)
{
    rig_pump(&s->rig);
}

static void step(struct scene *s)
{
    static void (*const steps[])(struct scene *) = {
        raw_commit,
        raw_memory,
        write_chunk,
        move_chunk,
        patch_chunk,
        register_writer,
        unregister_writer,
        flush,
        acknowledge_flush,
        read_all,
        advance,
        reconnect,
        call,
        notify,
        end_session,
        pump,
    };

    steps[input_byte(&s->input) % TW_ARRAY_LEN(steps)](s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct scene s;
    int free_before = input_lowest_free_fd();

    s = (struct scene){.input = {.p = data, .n = size}};
    rig_init(&s.rig);
    s.rig.undecoded = true;
    s.consumer = rig_consumer(&s.rig);
    connect_producer(&s);
    start_session(&s);
    for (int i = 0; i < STEPS_MAX && s.input.n; i++)
        step(&s);
    rig_pump(&s.rig);
    rig_advance(&s.rig, 10000); /* flushes and stops run out of time */
    read_all(&s);
    CHECK(s.producer->conn && s.consumer->conn); /* nothing above is worth a connection */
    rig_free(&s.rig);
    CHECK(input_lowest_free_fd() == free_before);
    return 0;
}
