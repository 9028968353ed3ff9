/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every field of every request with every value of a list, of its own type or not: of all methods
 * of both ports, before and after a producer has initialised its connection and a consumer has a
 * session, with and without a reply. Each call that wants an answer gets one, no other does, nobody
 * is thrown out, and others are served.
 */
#include <stdint.h>
#include <string.h>

#include "base/macros.h"
#include "service/core.h"
#include "tests/harness.h"
#include "tests/service/rig.h"
#include "wire/writer.h"

enum { DEPTH = 5, SETTLE_MS = 20000 };

static const char long_text[70000];

/* One field, as it is written. */
static const struct value {
    enum tw_wire_type type;
    uint64_t number;
    struct tw_bytes text;
    bool twice;
} values[] = {
    {.type = TW_WIRE_VARINT, .number = 0},
    {.type = TW_WIRE_VARINT, .number = 1},
    {.type = TW_WIRE_VARINT, .number = INT32_MAX},
    {.type = TW_WIRE_VARINT, .number = UINT32_MAX},
    {.type = TW_WIRE_VARINT, .number = UINT64_C(1) << 63},
    {.type = TW_WIRE_VARINT, .number = UINT64_MAX},
    {.type = TW_WIRE_FIXED64, .number = UINT64_MAX},
    {.type = TW_WIRE_LEN},
    {.type = TW_WIRE_LEN, .twice = true},
    {.type = TW_WIRE_LEN, .text = {(const uint8_t *)"\xff", 1}},
    {.type = TW_WIRE_LEN, .text = {(const uint8_t *)"source", 6}, .twice = true},
    {.type = TW_WIRE_LEN, .text = {(const uint8_t *)long_text, sizeof(long_text)}},
};

/* What stands before the field in a message of this kind, so that it is looked at at all. */
#define BASE(of, text)                                                                             \
    {                                                                                              \
        &tw__##of##__descriptor,                                                                   \
        {                                                                                          \
            (const uint8_t *)(text), sizeof(text) - 1                                              \
        }                                                                                          \
    }
static const struct {
    const ProtobufCMessageDescriptor *of;
    struct tw_bytes bytes;
} bases[] = {
    BASE(trace_config, "\x0a\x02\x08\x40\x12\x0a\x0a\x08\x0a\x06source"),
    BASE(trace_config__buffer_config, "\x08\x40"),
    BASE(trace_config__data_source, "\x0a\x08\x0a\x06source"),
    BASE(trace_config__trigger_config, "\x08\x01\x12\x03\x0a\x01t\x18\x64"),
    BASE(trace_config__trigger_config__trigger, "\x0a\x01t"),
    BASE(data_source_config, "\x0a\x06source"),
    BASE(data_source_descriptor, "\x0a\x06source"),
};

struct scene {
    struct rig rig;
    struct rig_peer *peers[2]; /* of one port: who has said nothing, and who has begun */
    struct rig_peer *other;    /* a consumer of another user */
    enum tw_service_port port;
    uint32_t method;
    uint64_t n_silent[2]; /* calls that wanted no reply, of each peer */
    size_t n_calls;
};

static void begin(struct scene *s)
{
    struct rig_peer *producer, *consumer;

    rig_init(&s->rig);
    producer = rig_producer(&s->rig, "p");
    rig_register(producer, "source");
    consumer = rig_consumer(&s->rig);
    rig_enable(consumer, rig_config(&s->rig, "source"));
    s->peers[0] = rig_connect(&s->rig, s->port);
    s->peers[1] = s->port == TW_SERVICE_PRODUCER ? producer : consumer;
    s->other = rig_consumer_as(&s->rig, RIG_UID + 1);
    memset(s->n_silent, 0, sizeof(s->n_silent));
}

/* When all that was waited for has come or gone, only one stream may be open: of commands, or of
 * events. */
static void end(struct scene *s)
{
    rig_advance(&s->rig, SETTLE_MS);
    for (int i = 0; i < 2; i++) {
        assert_non_null(s->peers[i]->conn);
        if (s->port == TW_SERVICE_CONSUMER)
            rig_call(s->peers[i], TW_CONSUMER_FREE_BUFFERS, NULL);
        assert_in_range(s->peers[i]->client.requests.n, 0, 1);
        assert_int_equal(s->peers[i]->client.dropped, s->n_silent[i]);
    }
    assert_true(rig_call(s->other, TW_CONSUMER_QUERY_CAPABILITIES, NULL)->success);
    rig_free(&s->rig);
}

/* Whether the last call left both as they were. */
static bool as_before(const struct scene *s)
{
    const struct tw_service_conn *none = s->peers[0]->conn, *begun = s->peers[1]->conn;

    return none && begun && !none->producer && !none->session && !none->cloning &&
           (begun->producer || (begun->session && begun->session->state == TW_SESSION_STARTED));
}

static void call_all(struct scene *s, struct tw_bytes args)
{
    for (int begun = 0; begun < 2; begun++)
        for (int drop_reply = 0; drop_reply < 2; drop_reply++) {
            rig_send_raw(s->peers[begun], s->method, args, drop_reply, -1);
            rig_pump(&s->rig);
            s->n_silent[begun] += (uint64_t)drop_reply;
            s->n_calls++;
            if (as_before(s))
                continue;
            end(s);
            begin(s);
        }
}

/* The fields that lead from the request to the one in question. */
struct path {
    const ProtobufCFieldDescriptor *field[DEPTH];
    const ProtobufCMessageDescriptor *message[DEPTH]; /* that the field is of */
    size_t n;
};

static void put_value(struct tw_writer *w, uint32_t field, const struct value *v)
{
    for (int i = 0; i <= v->twice; i++)
        if (v->type == TW_WIRE_VARINT)
            tw_put_u64(w, field, v->number);
        else if (v->type == TW_WIRE_FIXED64)
            tw_put_fixed64(w, field, v->number);
        else
            tw_put_bytes(w, field, v->text);
}

static void put_base(struct tw_writer *w, const ProtobufCMessageDescriptor *of)
{
    for (size_t i = 0; i < TW_ARRAY_LEN(bases); i++)
        if (bases[i].of == of)
            tw_put_raw(w, bases[i].bytes.p, bases[i].bytes.n);
}

/* The request with this value at the end of the path, from the inside out. */
static struct tw_bytes encode(const struct path *path, const struct value *v)
{
    static uint8_t memory[2][TW_FRAME_PAYLOAD_MAX];
    struct tw_bytes inner = {0};

    for (size_t i = path->n; i-- > 0;) {
        struct tw_writer w = tw_writer_of(memory[i % 2], sizeof(memory[0]));

        put_base(&w, path->message[i]);
        if (i == path->n - 1)
            put_value(&w, path->field[i]->id, v);
        else
            tw_put_bytes(&w, path->field[i]->id, inner);
        assert_false(w.overflow);
        inner = (struct tw_bytes){w.begin, tw_writer_size(&w)};
    }
    return inner;
}

static void each_field(struct scene *s, const ProtobufCMessageDescriptor *of, struct path *path)
{
    size_t at = path->n++;

    for (unsigned i = 0; i < of->n_fields; i++) {
        const ProtobufCFieldDescriptor *f = &of->fields[i];

        path->field[at] = f;
        path->message[at] = of;
        for (size_t v = 0; v < TW_ARRAY_LEN(values); v++)
            call_all(s, encode(path, &values[v]));
        if (f->type == PROTOBUF_C_TYPE_MESSAGE && path->n < DEPTH)
            each_field(s, f->descriptor, path);
    }
    path->n = at;
}

/* Methods that decode their arguments themselves. */
static const ProtobufCMessageDescriptor *raw_request(const struct scene *s)
{
    if (s->port == TW_SERVICE_PRODUCER)
        return &tw__commit_data_request__descriptor;
    return s->method == TW_CONSUMER_ENABLE_TRACING ? &tw__enable_tracing_request__descriptor
                                                   : &tw__change_trace_config_request__descriptor;
}

/* Returns how many calls there were. */
static size_t try_method(enum tw_service_port port, uint32_t method,
                         const ProtobufCMessageDescriptor *request)
{
    struct scene s = {.port = port, .method = method};
    struct path path = {.n = 0};

    begin(&s);
    call_all(&s, (struct tw_bytes){0});
    each_field(&s, request ? request : raw_request(&s), &path);
    end(&s);
    return s.n_calls;
}

static void of_the_producer_port(void **state)
{
    size_t n = 0;

    (void)state;
    for (uint32_t m = 1; m < TW_PRODUCER_METHOD_MAX; m++)
        n += try_method(TW_SERVICE_PRODUCER, m, tw_producer_handlers[m].request);
    assert_in_range(n, 1000, SIZE_MAX);
}

static void of_the_consumer_port(void **state)
{
    size_t n = 0;

    (void)state;
    for (uint32_t m = 1; m < TW_CONSUMER_METHOD_MAX; m++)
        n += try_method(TW_SERVICE_CONSUMER, m, tw_consumer_handlers[m].request);
    assert_in_range(n, 10000, SIZE_MAX);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        tw_unit_test(of_the_producer_port),
        tw_unit_test(of_the_consumer_port),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
