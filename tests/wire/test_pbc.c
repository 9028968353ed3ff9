/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/harness.h"

#include <stdlib.h>
#include <string.h>

#include "base/macros.h"
#include "producer_port.pb-c.h"
#include "trace_config.pb-c.h"
#include "wire/pbc.h"
#include "wire/writer.h"

enum { ROOMY = 1 << 20 };

static const uint8_t config_with_ftrace[] = {
    0x0a, 0x03, 'a',  'b',  'c',                      /* name */
    0xa2, 0x06, 0x04, 0x0a, 0x02, 'h',  'i',          /* 100: ftrace_config, not in our schema */
    0x10, 0x02,                                       /* target_buffer */
    0xc5, 0x0c, 0x01, 0x02, 0x03, 0x04,               /* 200: fixed32 */
    0xc8, 0x0c, 0x80, 0x01,                           /* 201: varint */
    0xd1, 0x0c, 1,    2,    3,    4,    5,   6, 7, 8, /* 202: fixed64 */
};

static void known_fields_are_decoded(void **state)
{
    struct tw_arena a = TW_ARENA_INIT(ROOMY);
    ProtobufCMessage *m = NULL;
    const Tw__DataSourceConfig *c;

    (void)state;
    assert_int_equal(
        tw_pbc_unpack(&tw__data_source_config__descriptor, &a,
                      (struct tw_bytes){config_with_ftrace, sizeof(config_with_ftrace)}, &m),
        0);
    c = (const Tw__DataSourceConfig *)m;
    assert_string_equal(c->name, "abc");
    assert_true(c->has_target_buffer);
    assert_int_equal(c->target_buffer, 2);
    assert_int_equal(c->base.n_unknown_fields, 4);
    tw_arena_deinit(&a);
}

static void unknown_fields_survive_a_round_trip(void **state)
{
    static const uint8_t want[] = {
        0x0a, 0x03, 'a',  'b',  'c',  0x10, 0x02, 0xa2, 0x06, 0x04, 0x0a, 0x02,
        'h',  'i',  0xc5, 0x0c, 0x01, 0x02, 0x03, 0x04, 0xc8, 0x0c, 0x80, 0x01,
        0xd1, 0x0c, 1,    2,    3,    4,    5,    6,    7,    8,
    };
    struct tw_arena a = TW_ARENA_INIT(ROOMY);
    struct tw_buf out = TW_BUF_INIT(ROOMY);
    ProtobufCMessage *m = NULL;

    (void)state;
    assert_int_equal(
        tw_pbc_unpack(&tw__data_source_config__descriptor, &a,
                      (struct tw_bytes){config_with_ftrace, sizeof(config_with_ftrace)}, &m),
        0);
    assert_int_equal(tw_buf_append(&out, "head", 4), 0);
    assert_int_equal(tw_pbc_pack(m, &out), 0);
    assert_int_equal(out.n, 4 + sizeof(want));
    assert_memory_equal(out.p, "head", 4);
    assert_memory_equal(out.p + 4, want, sizeof(want));
    tw_buf_deinit(&out);
    tw_arena_deinit(&a);
}

static void unknown_fields_survive_inside_other_messages(void **state)
{
    uint8_t in[128];
    struct tw_writer w = tw_writer_of(in, sizeof(in));
    struct tw_arena a = TW_ARENA_INIT(ROOMY);
    struct tw_buf out = TW_BUF_INIT(ROOMY);
    ProtobufCMessage *m = NULL;

    (void)state;
    tw_put_len(&w, 2, 2 + sizeof(config_with_ftrace)); /* TraceConfig.data_sources */
    tw_put_len(&w, 1, sizeof(config_with_ftrace));     /* .config */
    tw_put_raw(&w, config_with_ftrace, sizeof(config_with_ftrace));
    assert_false(w.overflow);
    assert_int_equal(tw_pbc_unpack(&tw__trace_config__descriptor, &a,
                                   (struct tw_bytes){in, tw_writer_size(&w)}, &m),
                     0);
    assert_int_equal(tw_pbc_pack(m, &out), 0);
    assert_int_equal(out.n, tw_writer_size(&w));
    assert_non_null(memmem(out.p, out.n, config_with_ftrace + 5, 7));
    tw_buf_deinit(&out);
    tw_arena_deinit(&a);
}

static void the_empty_message_is_decoded_and_encoded(void **state)
{
    struct tw_arena a = TW_ARENA_INIT(ROOMY);
    struct tw_buf out = TW_BUF_INIT(0);
    ProtobufCMessage *m = NULL;

    (void)state;
    assert_int_equal(tw_pbc_unpack(&tw__sync_request__descriptor, &a, (struct tw_bytes){0}, &m), 0);
    assert_ptr_equal(m->descriptor, &tw__sync_request__descriptor);
    assert_int_equal(tw_pbc_pack(m, &out), 0);
    assert_int_equal(out.n, 0);
    tw_arena_deinit(&a);
}

static void malformed_messages_are_the_peers_fault(void **state)
{
    const struct tw_bytes bad[] = {
        {(const uint8_t[]){0x0a}, 1},                         /* no length */
        {(const uint8_t[]){0x0a, 0x02, 'x'}, 3},              /* cut short */
        {(const uint8_t[]){0x00, 0x00}, 2},                   /* field 0 */
        {(const uint8_t[]){0x0b, 0x0c}, 2},                   /* a group */
        {(const uint8_t[]){0x08, 0x01}, 2},                   /* name as a number */
        {(const uint8_t[]){0xca, 0x3e, 0x02, 0x08, 0x80}, 5}, /* nested and cut short */
        {(const uint8_t[]){0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01}, 11},
        {(const uint8_t[]){0x10, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80}, 11},
    };

    (void)state;
    for (size_t i = 0; i < TW_ARRAY_LEN(bad); i++) {
        struct tw_arena a = TW_ARENA_INIT(ROOMY);
        ProtobufCMessage *m = NULL;

        assert_int_equal(tw_pbc_unpack(&tw__data_source_config__descriptor, &a, bad[i], &m),
                         TW_E_PROTOCOL);
        assert_null(m);
        tw_arena_deinit(&a);
    }
}

/* Whatever the cap is, decoding stays below it and says that it was the cap. */
static void every_cap_is_kept(void **state)
{
    struct tw_bytes in = {config_with_ftrace, sizeof(config_with_ftrace)};
    bool decoded = false;

    (void)state;
    for (size_t cap = 0; cap < 4096; cap++) {
        struct tw_arena a = TW_ARENA_INIT(cap);
        ProtobufCMessage *m = NULL;
        int r = tw_pbc_unpack(&tw__data_source_config__descriptor, &a, in, &m);

        assert_true(a.used <= cap);
        assert_int_equal(r, decoded ? 0 : r);
        assert_true(r == 0 || r == TW_E_LIMIT);
        decoded = r == 0;
        tw_arena_deinit(&a);
    }
    assert_true(decoded);
}

/* The cap is what the arena may still hold, not what it ever may. */
static void what_the_arena_holds_already_counts(void **state)
{
    struct tw_bytes in = {config_with_ftrace, sizeof(config_with_ftrace)};
    struct tw_arena a = TW_ARENA_INIT(ROOMY);
    ProtobufCMessage *m = NULL;
    size_t cost;

    (void)state;
    assert_int_equal(tw_scan(&tw__data_source_config__descriptor, in, &cost, NULL), 0);
    a.max = 64 + cost;
    assert_non_null(tw_arena_alloc(&a, 64 + 1));
    assert_int_equal(tw_pbc_unpack(&tw__data_source_config__descriptor, &a, in, &m), TW_E_LIMIT);
    assert_int_equal(a.used, tw_arena_size(64 + 1));
    tw_arena_reset(&a);
    assert_non_null(tw_arena_alloc(&a, 64));
    assert_int_equal(tw_pbc_unpack(&tw__data_source_config__descriptor, &a, in, &m), 0);
    assert_int_equal(a.max, 64 + cost);
    tw_arena_deinit(&a);
}

/* 64 KiB of the smallest unknown fields: what costs protobuf-c most for a byte. */
static void amplification_ends_at_the_cap(void **state)
{
    enum { N = 64 * 1024 };
    struct tw_arena a = TW_ARENA_INIT(256 * 1024);
    ProtobufCMessage *m = NULL;
    uint8_t *in = malloc(N);

    (void)state;
    assert_non_null(in);
    for (size_t i = 0; i < N; i += 2) {
        in[i] = 0x78; /* field 15, varint */
        in[i + 1] = 1;
    }
    assert_int_equal(
        tw_pbc_unpack(&tw__commit_data_request__descriptor, &a, (struct tw_bytes){in, N}, &m),
        TW_E_LIMIT);
    assert_true(a.used <= a.max);
    free(in);
    tw_arena_deinit(&a);
}

static void a_message_that_is_too_long_is_not_looked_at(void **state)
{
    struct tw_arena a = TW_ARENA_INIT(ROOMY);
    uint8_t *in = calloc(1, (size_t)TW_SCAN_MESSAGE_MAX + 1);
    ProtobufCMessage *m = NULL;

    (void)state;
    assert_non_null(in);
    assert_int_equal(tw_pbc_unpack(&tw__sync_request__descriptor, &a,
                                   (struct tw_bytes){in, (size_t)TW_SCAN_MESSAGE_MAX + 1}, &m),
                     TW_E_LIMIT);
    assert_int_equal(a.used, 0);
    free(in);
    tw_arena_deinit(&a);
}

static void a_buffer_that_is_too_small_is_left_alone(void **state)
{
    Tw__UnregisterDataSourceRequest req = TW__UNREGISTER_DATA_SOURCE_REQUEST__INIT;
    struct tw_buf out = TW_BUF_INIT(6);
    char name[] = "abc";

    (void)state;
    req.data_source_name = name;
    assert_int_equal(tw_pbc_pack(&req.base, &out), 0);
    assert_int_equal(out.n, 5);
    assert_int_equal(tw_pbc_pack(&req.base, &out), TW_E_LIMIT);
    assert_int_equal(out.n, 5);
    tw_buf_deinit(&out);
}

static void a_message_that_is_too_long_is_not_packed(void **state)
{
    Tw__CommitDataRequest__ChunksToMove move = TW__COMMIT_DATA_REQUEST__CHUNKS_TO_MOVE__INIT;
    struct tw_buf out = TW_BUF_INIT(3 * (size_t)TW_SCAN_MESSAGE_MAX);

    (void)state;
    move.has_data = true;
    move.data.len = TW_SCAN_MESSAGE_MAX - 5; /* a tag and a length beside it */
    move.data.data = calloc(1, TW_SCAN_MESSAGE_MAX);
    assert_non_null(move.data.data);
    assert_int_equal(tw_pbc_pack(&move.base, &out), 0);
    assert_int_equal(out.n, TW_SCAN_MESSAGE_MAX);
    move.data.len++;
    assert_int_equal(tw_pbc_pack(&move.base, &out), TW_E_LIMIT);
    assert_int_equal(out.n, TW_SCAN_MESSAGE_MAX);
    free(move.data.data);
    tw_buf_deinit(&out);
}

static void one_arena_serves_message_after_message(void **state)
{
    struct tw_arena a = TW_ARENA_INIT(4096);

    (void)state;
    for (int i = 0; i < 1000; i++) {
        ProtobufCMessage *m = NULL;

        assert_int_equal(
            tw_pbc_unpack(&tw__data_source_config__descriptor, &a,
                          (struct tw_bytes){config_with_ftrace, sizeof(config_with_ftrace)}, &m),
            0);
        tw_arena_reset(&a);
        assert_int_equal(a.used, 0);
    }
    tw_arena_deinit(&a);
}

static ProtobufCMessage *decoded(struct tw_arena *a, const char *bytes, size_t n)
{
    struct tw_bytes in = {(const uint8_t *)bytes, n};
    ProtobufCMessage *m = NULL;

    assert_int_equal(tw_pbc_unpack(&tw__trace_config__descriptor, a, in, &m), 0);
    return m;
}

static bool is_duration(const ProtobufCFieldDescriptor *field)
{
    return strcmp(field->name, "duration_ms") == 0;
}

static void messages_that_say_the_same_are_equal(void **state)
{
#define BYTES(text) text, sizeof(text) - 1
    static const struct {
        const char *a;
        size_t n_a;
        const char *b;
        size_t n_b;
        bool equal, but_for_duration;
    } rows[] = {
        {BYTES(""), BYTES(""), true, true},
        {BYTES("\x18\x00"), BYTES(""), true, true}, /* duration_ms: 0 */
        {BYTES("\x18\x01"), BYTES(""), false, true},
        {BYTES("\x18\x01"), BYTES("\x18\x02"), false, true},
        {BYTES("\x40\x00\xb2\x01\x00"), BYTES(""), true, true}, /* a bool, an empty string */
        {BYTES("\xb2\x01\x01x"), BYTES("\xb2\x01\x01y"), false, false},
        {BYTES("\xb2\x01\x01x"), BYTES(""), false, false},
        {BYTES("\xa2\x01\x00"), BYTES(""), true, true},           /* a message without fields, */
        {BYTES("\xa2\x01\x02\x08\x00"), BYTES(""), true, true},   /* with a default, */
        {BYTES("\xa2\x01\x02\x08\x01"), BYTES(""), false, false}, /* and with another value */
        {BYTES("\x0a\x00"), BYTES(""), false, false},             /* there is one buffer, or none */
        {BYTES("\x0a\x00"), BYTES("\x0a\x02\x08\x00"), true, true},
        {BYTES("\x92\x01\x01x\x92\x01\x01y"), BYTES("\x92\x01\x01x\x92\x01\x01y"), true, true},
        {BYTES("\x92\x01\x01x\x92\x01\x01y"), BYTES("\x92\x01\x01y\x92\x01\x01x"), false, false},
        {BYTES("\xf8\x7f\x00"), BYTES(""), false, false}, /* nobody knows what it says */
        {BYTES("\xf8\x7f\x00"), BYTES("\xf8\x7f\x00"), true, true},
        {BYTES("\xf8\x7f\x00"), BYTES("\xf8\x7f\x01"), false, false},
    };
    struct tw_arena a = TW_ARENA_INIT(ROOMY);

    (void)state;
    for (size_t i = 0; i < TW_ARRAY_LEN(rows); i++) {
        ProtobufCMessage *x = decoded(&a, rows[i].a, rows[i].n_a);
        ProtobufCMessage *y = decoded(&a, rows[i].b, rows[i].n_b);

        assert_int_equal(tw_pbc_equal(x, y, NULL), rows[i].equal);
        assert_int_equal(tw_pbc_equal(y, x, NULL), rows[i].equal);
        assert_int_equal(tw_pbc_equal(x, y, is_duration), rows[i].but_for_duration);
        assert_true(tw_pbc_equal(x, x, NULL));
    }
    tw_arena_deinit(&a);
}

/* Of a oneof only the member that is there counts; bytes count whole. */
static void oneofs_and_bytes_are_compared_as_they_are(void **state)
{
    Tw__CommitDataRequest__ChunksToMove move = TW__COMMIT_DATA_REQUEST__CHUNKS_TO_MOVE__INIT;
    Tw__CommitDataRequest__ChunksToMove other = move;
    Tw__GetAsyncCommandResponse flush = TW__GET_ASYNC_COMMAND_RESPONSE__INIT;
    Tw__GetAsyncCommandResponse start = flush;
    Tw__GetAsyncCommandResponse__Flush what = TW__GET_ASYNC_COMMAND_RESPONSE__FLUSH__INIT;
    uint8_t bytes[] = {1, 0, 2}, others[] = {1, 0, 3};

    (void)state;
    move.data = (ProtobufCBinaryData){.data = bytes, .len = 3};
    other.data = (ProtobufCBinaryData){.data = others, .len = 3};
    assert_false(tw_pbc_equal(&move.base, &other.base, NULL));
    other.data.data = bytes;
    assert_true(tw_pbc_equal(&move.base, &other.base, NULL));
    other.data.len = 2;
    assert_false(tw_pbc_equal(&move.base, &other.base, NULL));

    flush.cmd_case = TW__GET_ASYNC_COMMAND_RESPONSE__CMD_FLUSH;
    flush.flush = &what;
    assert_true(tw_pbc_equal(&flush.base, &start.base, NULL)); /* it says nothing */
    what.request_id = 1;
    assert_false(tw_pbc_equal(&flush.base, &start.base, NULL));
    assert_false(tw_pbc_equal(&flush.base, &move.base, NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        tw_unit_test(known_fields_are_decoded),
        tw_unit_test(unknown_fields_survive_a_round_trip),
        tw_unit_test(unknown_fields_survive_inside_other_messages),
        tw_unit_test(the_empty_message_is_decoded_and_encoded),
        tw_unit_test(malformed_messages_are_the_peers_fault),
        tw_unit_test(every_cap_is_kept),
        tw_unit_test(what_the_arena_holds_already_counts),
        tw_unit_test(amplification_ends_at_the_cap),
        tw_unit_test(a_message_that_is_too_long_is_not_looked_at),
        tw_unit_test(a_buffer_that_is_too_small_is_left_alone),
        tw_unit_test(a_message_that_is_too_long_is_not_packed),
        tw_unit_test(one_arena_serves_message_after_message),
        tw_unit_test(messages_that_say_the_same_are_equal),
        tw_unit_test(oneofs_and_bytes_are_compared_as_they_are),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
