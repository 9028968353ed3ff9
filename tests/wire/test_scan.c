/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/harness.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"
#include "base/req.h"
#include "consumer_port.pb-c.h"
#include "producer_port.pb-c.h"
#include "relay_port.pb-c.h"
#include "tests/wire/schema.h"
#include "trace_config.pb-c.h"
#include "wire/pbc.h"
#include "wire/plan.h"
#include "wire/reader.h"
#include "wire/writer.h"

#define ARENA_MAX ((size_t)1 << 30)

static struct tw_bytes bytes_of(const struct tw_writer *w)
{
    assert_false(w->overflow);
    return (struct tw_bytes){.p = w->begin, .n = tw_writer_size(w)};
}

/* What the scan says; and when it accepts, that protobuf-c does too, within the cost. */
static int check(const ProtobufCMessageDescriptor *d, struct tw_bytes in,
                 struct tw_scan_fault *ret_fault)
{
    struct tw_arena a = TW_ARENA_INIT(ARENA_MAX);
    struct tw_scan_fault fault = {0};
    ProtobufCMessage *msg = NULL;
    size_t cost = 0;
    int rc = tw_scan(d, in, &cost, &fault);

    REQ("TW-ENC-015");
    assert_int_equal(tw_pbc_unpack(d, &a, in, &msg), rc);
    if (rc) {
        assert_true(rc == TW_E_PROTOCOL || rc == TW_E_LIMIT);
        assert_int_equal(cost, 0);
        assert_int_equal(strncmp(fault.why, "TW-", 3), 0);
        assert_true(fault.offset <= in.n);
        assert_int_equal(a.used, 0);
    } else {
        assert_null(fault.why);
        assert_true(a.used <= cost);
        assert_true(cost <= TW_SCAN_COST_MAX(in.n));
    }
    tw_arena_deinit(&a);
    if (ret_fault)
        *ret_fault = fault;
    return rc;
}

/* Messages that are made here: seventeen fields, one of each type, numbered from 1. */
enum { N_TYPES = PROTOBUF_C_TYPE_MESSAGE + 1, SLOT = 16 };

struct made {
    ProtobufCFieldDescriptor fields[N_TYPES];
    ProtobufCIntRange ranges[2];
    ProtobufCMessageDescriptor d;
};

static void make(struct made *m, ProtobufCLabel label, uint32_t flags)
{
    const unsigned values = (unsigned)sizeof(ProtobufCMessage);
    const unsigned counts = values + N_TYPES * SLOT;

    *m = (struct made){
        .ranges = {{.start_value = 1}, {.orig_index = N_TYPES}},
        .d = {.magic = PROTOBUF_C__MESSAGE_DESCRIPTOR_MAGIC,
              .name = "made",
              .sizeof_message = counts + N_TYPES * SLOT,
              .n_fields = N_TYPES,
              .fields = m->fields,
              .n_field_ranges = 1,
              .field_ranges = m->ranges},
    };
    for (unsigned i = 0; i < N_TYPES; i++) {
        bool oneof = flags & PROTOBUF_C_FIELD_FLAG_ONEOF;

        m->fields[i] = (ProtobufCFieldDescriptor){
            .name = "field",
            .id = i + 1,
            .label = label,
            .type = (ProtobufCType)i,
            .quantifier_offset = counts + (oneof ? 0 : i * SLOT),
            .offset = values + (oneof ? 0 : i * SLOT),
            .descriptor = i == PROTOBUF_C_TYPE_MESSAGE ? &m->d : NULL,
            .flags = flags,
        };
    }
    for (unsigned i = PROTOBUF_C_TYPE_STRING; i < N_TYPES; i++) {
        m->fields[i].flags &= ~(uint32_t)PROTOBUF_C_FIELD_FLAG_PACKED; /* never packed */
        if (label == PROTOBUF_C_LABEL_OPTIONAL && i != PROTOBUF_C_TYPE_BYTES)
            m->fields[i].quantifier_offset = 0; /* these have no flag of their own */
    }
}

static enum tw_wire_type wire_of(unsigned type)
{
    switch (type) {
    case PROTOBUF_C_TYPE_SFIXED32:
    case PROTOBUF_C_TYPE_FIXED32:
    case PROTOBUF_C_TYPE_FLOAT:
        return TW_WIRE_FIXED32;
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_FIXED64:
    case PROTOBUF_C_TYPE_DOUBLE:
        return TW_WIRE_FIXED64;
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_BYTES:
    case PROTOBUF_C_TYPE_MESSAGE:
        return TW_WIRE_LEN;
    default:
        return TW_WIRE_VARINT;
    }
}

/* Every type of field in every wire type; lists of numbers may come packed as well. */
static void try_wire_types(ProtobufCLabel label, uint32_t flags)
{
    static const uint8_t body[] = {0, 0, 0, 0, 0, 0, 0, 0}; /* LEN: empty; groups: no matter */
    static const uint8_t size_of[8] = {1, 8, 1, 0, 0, 4, 0, 0};
    struct made m;

    REQ("TW-ENC-011");
    REQ("TW-ENC-013");
    make(&m, label, flags);
    for (unsigned type = 0; type < N_TYPES; type++)
        for (unsigned wire = 0; wire < 8; wire++) {
            uint8_t in[16];
            struct tw_writer w = tw_writer_of(in, sizeof(in));
            struct tw_scan_fault fault;
            bool packed = label == PROTOBUF_C_LABEL_REPEATED && wire == TW_WIRE_LEN;
            bool known = size_of[wire] > 0, good = known && (wire == wire_of(type) || packed);

            tw_put_varint(&w, (type + 1) << 3 | wire);
            tw_put_raw(&w, body, size_of[wire]);
            assert_int_equal(check(&m.d, bytes_of(&w), &fault), good ? 0 : TW_E_PROTOCOL);
            if (!good) {
                assert_int_equal(fault.field, type + 1);
                assert_string_equal(fault.message, "made");
                assert_non_null(strstr(fault.why, known ? "TW-ENC-011" : "TW-ENC-001"));
            }
        }
}

static void each_field_type_has_its_wire_type(void **state)
{
    (void)state;
    try_wire_types(PROTOBUF_C_LABEL_OPTIONAL, 0);
    try_wire_types(PROTOBUF_C_LABEL_NONE, PROTOBUF_C_FIELD_FLAG_ONEOF);
    try_wire_types(PROTOBUF_C_LABEL_REPEATED, 0);
    try_wire_types(PROTOBUF_C_LABEL_REPEATED, PROTOBUF_C_FIELD_FLAG_PACKED);
}

static void packed_values_are_whole(void **state)
{
    static const uint8_t values[] = {1,    0x80, 1,    3,    0,    0, 0, 0,
                                     0xff, 0xff, 0xff, 0xff, 0x7f, 1, 1, 1};
    static const uint8_t bad[] = {1, 0x80};
    static const uint8_t wide[] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2};
    struct made m;

    (void)state;
    REQ("TW-ENC-013");
    make(&m, PROTOBUF_C_LABEL_REPEATED, 0);
    for (uint32_t type = 0; type < PROTOBUF_C_TYPE_STRING; type++) {
        bool varint = wire_of(type) == TW_WIRE_VARINT;
        uint8_t in[64];
        struct tw_writer w = tw_writer_of(in, sizeof(in));

        tw_put_bytes(&w, type + 1, (struct tw_bytes){values, sizeof(values)});
        tw_put_bytes(&w, type + 1, (struct tw_bytes){values, varint ? 1 : sizeof(values)});
        assert_int_equal(check(&m.d, bytes_of(&w), NULL), 0);
        tw_put_bytes(&w, type + 1, (struct tw_bytes){bad, sizeof(bad)});
        assert_int_equal(check(&m.d, bytes_of(&w), NULL), TW_E_PROTOCOL);
        w = tw_writer_of(in, sizeof(in));
        tw_put_bytes(&w, type + 1, (struct tw_bytes){wide, sizeof(wide)});
        assert_int_equal(check(&m.d, bytes_of(&w), NULL), TW_E_PROTOCOL);
    }
}

/* n messages inside each other, the innermost empty; every one is field 17 of the next. */
static struct tw_bytes nest(uint8_t in[512], size_t n)
{
    struct tw_bytes message = {.p = in};

    for (size_t i = 1; i < n; i++) {
        uint8_t outer[512];
        struct tw_writer w = tw_writer_of(outer, sizeof(outer));

        tw_put_bytes(&w, PROTOBUF_C_TYPE_MESSAGE + 1, message);
        message.n = bytes_of(&w).n;
        memcpy(in, outer, message.n);
    }
    return message;
}

static void nesting_ends_at_64(void **state)
{
    static uint8_t plan[TW_PLAN_TAGS] = {[(PROTOBUF_C_TYPE_MESSAGE + 1) << 3 | TW_WIRE_LEN] =
                                             TW_PLAN_MESSAGE +
                                             TW_PLAN_KINDS * PROTOBUF_C_TYPE_MESSAGE};
    struct tw_scan_fault fault;
    uint8_t in[512];
    struct made m;

    (void)state;
    REQ("TW-ENC-011");
    REQ("TW-LIM-050");
    make(&m, PROTOBUF_C_LABEL_OPTIONAL, 0);
    for (int planned = 0; planned < 2; planned++) {
        m.d.reserved1 = planned ? plan : NULL;
        assert_int_equal(check(&m.d, nest(in, TW_SCAN_DEPTH_MAX), NULL), 0);
        assert_int_equal(check(&m.d, nest(in, TW_SCAN_DEPTH_MAX + 1), &fault), TW_E_LIMIT);
        assert_non_null(strstr(fault.why, "nested"));
        assert_int_equal(fault.field, PROTOBUF_C_TYPE_MESSAGE + 1);
    }
}

static void a_table_with_too_many_fields_is_our_own_fault(void **state)
{
    struct tw_scan_fault fault = {0};
    struct made m, inner;
    uint8_t in[512];
    size_t cost;

    (void)state;
    make(&inner, PROTOBUF_C_LABEL_OPTIONAL, 0);
    inner.d.n_fields = TW_SCAN_FIELDS_MAX + 1;
    assert_true(tw_scan(&inner.d, (struct tw_bytes){0}, &cost, &fault) < 0);
    make(&m, PROTOBUF_C_LABEL_OPTIONAL, 0);
    m.fields[PROTOBUF_C_TYPE_MESSAGE].descriptor = &inner.d;
    assert_true(tw_scan(&m.d, nest(in, 2), &cost, &fault) < 0);
    assert_null(fault.why);
}

/* What is refused, where and why; and beside it what is nearly the same and accepted (no why). */
static const struct example {
    const ProtobufCMessageDescriptor *d;
    const char *in;
    size_t n;
    const char *why, *message;
    uint32_t field;
    size_t offset;
} examples[] = {
#define BYTES(s)   s, sizeof(s) - 1
#define FINE       NULL, NULL, 0, 0
#define COMMIT     &tw__commit_data_request__descriptor
#define SOURCE     &tw__data_source_config__descriptor
#define COMMAND    &tw__get_async_command_response__descriptor
#define IN_SOURCE  "tw.DataSourceConfig"
#define IN_COMMAND "tw.GetAsyncCommandResponse"
#define TEN(last)  "\xff\xff\xff\xff\xff\xff\xff\xff\xff" last
    {SOURCE, BYTES(""), FINE},
    /* a field cut short: tag, length, content, fixed, varint, and inside another message */
    {SOURCE, BYTES("\x0a"), "TW-ENC-001", IN_SOURCE, 1, 0},
    {SOURCE, BYTES("\x0a\x80"), "TW-ENC-001", IN_SOURCE, 1, 0},
    {SOURCE, BYTES("\x0a\x02x"), "TW-ENC-001", IN_SOURCE, 1, 0},
    {SOURCE, BYTES("\x10\x02\x10"), "TW-ENC-001", IN_SOURCE, 2, 2},
    {SOURCE, BYTES("\xc5\x0c\x01\x02\x03"), "TW-ENC-001", IN_SOURCE, 200, 0},
    {COMMIT, BYTES("\x18\x01\x0a\x02\x08\x80"), "TW-ENC-001", "tw.CommitDataRequest.ChunksToMove",
     1, 4},
    {COMMIT, BYTES("\x18\x01\x0a\x02\x08\x00"), FINE},
    /* absurd lengths */
    {SOURCE, BYTES("\x0a\xff\xff\xff\xff\x0f"), "TW-ENC-001", IN_SOURCE, 1, 0},
    {SOURCE, BYTES("\x0a\x80\x80\x80\x80\x10"), "TW-ENC-001", IN_SOURCE, 1, 0},
    {SOURCE, BYTES("\x0a" TEN("\x01")), "TW-ENC-009", IN_SOURCE, 1, 0},
    {SOURCE, BYTES("\x0a\x81\x80\x80\x80\x80\x00x"), "TW-ENC-009", IN_SOURCE, 1, 0},
    {SOURCE, BYTES("\x0a\x81\x80\x80\x80\x00x"), FINE},
    /* numbers of fields, and how they are written */
    {SOURCE, BYTES("\x00\x00"), "TW-ENC-001", IN_SOURCE, 0, 0},
    {SOURCE, BYTES("\xf8\xff\xff\xff\x0f\x00"), FINE},
    {SOURCE, BYTES("\xf8\xff\xff\xff\x1f\x00"), "TW-ENC-001", IN_SOURCE, 0, 0},
    {SOURCE, BYTES("\x90\x80\x80\x80\x00\x02"), FINE},
    {SOURCE, BYTES("\x90\x80\x80\x80\x80\x00\x02"), "TW-ENC-009", IN_SOURCE, 0, 0},
    /* groups and wire types that do not exist, known and unknown fields */
    {SOURCE, BYTES("\x0b\x0c"), "TW-ENC-001", IN_SOURCE, 1, 0},
    {SOURCE, BYTES("\xc4\x0c"), "TW-ENC-001", IN_SOURCE, 200, 0},
    {SOURCE, BYTES("\xc6\x0c\x01"), "TW-ENC-001", IN_SOURCE, 200, 0},
    {SOURCE, BYTES("\xc7\x0c\x01"), "TW-ENC-001", IN_SOURCE, 200, 0},
    /* varints; 32-bit fields and booleans take 64 bits and keep what they can */
    {SOURCE, BYTES("\x10" TEN("\x01")), FINE},
    {SOURCE, BYTES("\x10" TEN("\x02")), "TW-ENC-001", IN_SOURCE, 2, 0},
    {SOURCE, BYTES("\x10" TEN("\xff\x01")), "TW-ENC-001", IN_SOURCE, 2, 0},
    {SOURCE, BYTES("\x10\x80\x80\x80\x80\x80\x80\x80\x80\x80\x00"), FINE},
    /* strings, and bytes, which may hold anything */
    {SOURCE,
     BYTES("\x0a\x03"
           "a\xff"
           "c"),
     FINE},
    {SOURCE,
     BYTES("\x0a\x03"
           "a\0c"),
     "TW-ENC-008", IN_SOURCE, 1, 0},
    {SOURCE, BYTES("\x0a\x01\0"), "TW-ENC-008", IN_SOURCE, 1, 0},
    {COMMIT, BYTES("\x0a\x04\x22\x02\0\0"), FINE},
    /* once is enough for a message and a oneof, not for a number, a string or a list */
    {SOURCE,
     BYTES("\x10\x01\x0a\x01"
           "a\x10\x02\x0a\x01"
           "b"),
     FINE},
    {COMMIT, BYTES("\x0a\x00\x0a\x00"), FINE},
    {COMMAND, BYTES("\x1a\x00"), FINE},
    {COMMAND, BYTES("\x1a\x00\x1a\x00"), "TW-ENC-012", IN_COMMAND, 3, 2},
    {COMMAND, BYTES("\x1a\x00\x0a\x00"), "TW-ENC-012", IN_COMMAND, 1, 2},
    {COMMAND, BYTES("\x0a\x02\x12\x00"), FINE},
    {COMMAND, BYTES("\x0a\x04\x12\x00\x12\x00"), "TW-ENC-012",
     "tw.GetAsyncCommandResponse.StartDataSource", 2, 4},
    /* unknown fields are looked at from outside only */
    {COMMIT, BYTES("\xc2\x0c\x02\x0b\x00"), FINE},
};

static void each_rule_is_told_from_what_is_nearly_the_same(void **state)
{
    (void)state;
    REQ("TW-ENC-001");
    REQ("TW-ENC-008");
    REQ("TW-ENC-009");
    REQ("TW-ENC-010");
    REQ("TW-ENC-012");
    REQ("TW-ENC-014");
    for (size_t i = 0; i < TW_ARRAY_LEN(examples); i++) {
        const struct example *e = &examples[i];
        struct tw_scan_fault fault;
        int rc = check(e->d, (struct tw_bytes){(const uint8_t *)e->in, e->n}, &fault);

        assert_int_equal(rc, e->why ? TW_E_PROTOCOL : 0);
        if (!e->why)
            continue;
        assert_int_equal(strncmp(fault.why, e->why, strlen(e->why)), 0);
        assert_string_equal(fault.message, e->message);
        assert_int_equal(fault.field, e->field);
        assert_int_equal(fault.offset, e->offset);
    }
}

/* Short and long strings, with a NUL byte at any place or none. */
static void nul_is_found_wherever_it_is(void **state)
{
    (void)state;
    REQ("TW-ENC-008");
    for (uint8_t n = 1; n < 42; n++)
        for (uint8_t nul = 0; nul <= n; nul++) {
            uint8_t in[2 + 42] = {0x0a, n};

            memset(in + 2, 0x80, n);
            if (nul < n)
                in[2 + nul] = 0;
            assert_int_equal(check(SOURCE, (struct tw_bytes){in, 2 + (size_t)n}, NULL),
                             nul < n ? TW_E_PROTOCOL : 0);
        }
}

/* The same few bytes over and over: the dearest there are, and an honest commit. */
static int repeated(const ProtobufCMessageDescriptor *d, const char *what, size_t size, size_t n,
                    struct tw_scan_fault *fault)
{
    uint8_t *in = malloc(size * n);
    int rc;

    assert_non_null(in);
    for (size_t i = 0; i < n; i++)
        memcpy(in + i * size, what, size);
    rc = check(d, (struct tw_bytes){in, size * n}, fault);
    free(in);
    return rc;
}

static void amplification_is_refused(void **state)
{
    struct tw_scan_fault fault;

    (void)state;
    REQ("TW-ENC-015");
    REQ("TW-LIM-052");
    for (size_t n = 1; n < 1000; n = n * 2 + 1) { /* around the sizes of protobuf-c's slabs */
        TW_IGNORE(repeated(COMMIT, BYTES("\x0a\x00"), n, &fault));
        TW_IGNORE(repeated(COMMIT, BYTES("\x78\x01"), n, &fault));
        TW_IGNORE(repeated(COMMIT, BYTES("\x18\x01"), n, &fault));
    }
    assert_int_equal(repeated(&tw__trace_config__descriptor, BYTES("\x12\x02\x0a\x00"), 30, &fault),
                     0);
    assert_int_equal(
        repeated(&tw__trace_config__descriptor, BYTES("\x12\x02\x0a\x00"), 30000, &fault),
        TW_E_LIMIT);
    assert_int_equal(strncmp(fault.why, "TW-ENC-015", 10), 0);
    assert_string_equal(fault.message, "tw.TraceConfig");
    assert_int_equal(repeated(COMMIT, BYTES("\x0a\x00"), 65000, &fault), TW_E_LIMIT);
    /* page, chunk, buffer: all that a frame holds of them */
    assert_int_equal(repeated(COMMIT, BYTES("\x0a\x06\x08\x01\x10\x01\x18\x01"), 16000, &fault), 0);
    /* one patch of four bytes for a chunk */
    assert_int_equal(repeated(COMMIT,
                              BYTES("\x12\x10\x08\x01\x10\x01\x18\x01\x22\x08"
                                    "\x08\x01\x12\x04"
                                    "abcd"),
                              7000, &fault),
                     0);
    /* slices of no bytes, every one a packet */
    assert_int_equal(repeated(&tw__read_buffers_response__descriptor,
                              BYTES("\x12\x04\x0a\x00\x10\x01"), 20000, &fault),
                     0);
}

static void a_message_that_is_too_long_is_not_looked_at(void **state)
{
    uint8_t *in = calloc(1, (size_t)TW_SCAN_MESSAGE_MAX + 1);
    struct tw_scan_fault fault;

    (void)state;
    REQ("TW-LIM-051");
    assert_non_null(in);
    in[0] = 0x0a; /* wrong, if it were looked at */
    assert_int_equal(check(SOURCE, (struct tw_bytes){in, (size_t)TW_SCAN_MESSAGE_MAX + 1}, &fault),
                     TW_E_LIMIT);
    assert_string_equal(fault.message, IN_SOURCE);
    assert_int_equal(check(SOURCE, (struct tw_bytes){in, TW_SCAN_MESSAGE_MAX}, &fault),
                     TW_E_PROTOCOL);
    free(in);
}

/* The kind that a plan has to give a field: only what is ordinary is planned. */
static enum tw_plan_kind kind_of(const ProtobufCFieldDescriptor *field)
{
    bool repeated = field->label == PROTOBUF_C_LABEL_REPEATED;

    if (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF)
        return field->type == PROTOBUF_C_TYPE_MESSAGE ? TW_PLAN_CHOICE : TW_PLAN_NONE;
    if (field->type == PROTOBUF_C_TYPE_MESSAGE)
        return repeated ? TW_PLAN_MESSAGES : TW_PLAN_MESSAGE;
    if (field->type == PROTOBUF_C_TYPE_STRING)
        return repeated ? TW_PLAN_STRINGS : TW_PLAN_STRING;
    if (repeated)
        return TW_PLAN_NONE;
    if (field->type == PROTOBUF_C_TYPE_BYTES)
        return TW_PLAN_BYTES;
    return wire_of(field->type) == TW_WIRE_VARINT ? TW_PLAN_NUMBER : TW_PLAN_NONE;
}

static void has_its_plan(const ProtobufCMessageDescriptor *d)
{
    uint8_t wanted[TW_PLAN_TAGS] = {0};

    for (unsigned i = 0; i < d->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &d->fields[i];
        size_t tag = (size_t)field->id << 3 | wire_of(field->type);

        if (tag < TW_PLAN_TAGS && kind_of(field))
            wanted[tag] = (uint8_t)(kind_of(field) + TW_PLAN_KINDS * i);
    }
    if (d->n_fields)
        assert_memory_equal(d->reserved1, wanted, sizeof(wanted));
}

/* Ends, for no message of the schema contains itself; if one did, the depth would tell. */
static void fits(const ProtobufCMessageDescriptor *d, size_t depth)
{
    REQ("TW-ENC-016");
    assert_true(depth <= TW_SCAN_DEPTH_MAX);
    assert_true(d->n_fields <= TW_SCAN_FIELDS_MAX);
    has_its_plan(d);
    for (unsigned i = 0; i < d->n_fields; i++) {
        assert_int_not_equal(d->fields[i].label, PROTOBUF_C_LABEL_REQUIRED);
        if (d->fields[i].type == PROTOBUF_C_TYPE_MESSAGE)
            fits(d->fields[i].descriptor, depth + 1);
    }
}

static void the_schema_fits(void **state)
{
    (void)state;
    assert_ptr_equal(schema_messages[SCHEMA_OTHERS], &tw__trace_config__descriptor);
    assert_ptr_equal(schema_messages[SCHEMA_RELAY_PORT], &tw__init_relay_request__descriptor);
    for (size_t i = 0; i < schema_n_messages; i++)
        fits(schema_messages[i], 1);
}

/* The same table without plans, so that every field goes the long way. */
static const ProtobufCMessageDescriptor *unplanned(struct tw_arena *a,
                                                   const ProtobufCMessageDescriptor *d)
{
    ProtobufCMessageDescriptor *copy = tw_arena_alloc(a, sizeof(*copy));
    ProtobufCFieldDescriptor *fields = tw_arena_alloc(a, d->n_fields * sizeof(*fields));

    assert_non_null(copy);
    assert_non_null(fields);
    *copy = *d;
    copy->reserved1 = NULL;
    copy->fields = fields;
    for (unsigned i = 0; i < d->n_fields; i++) {
        fields[i] = d->fields[i];
        if (fields[i].type == PROTOBUF_C_TYPE_MESSAGE)
            fields[i].descriptor = unplanned(a, fields[i].descriptor);
    }
    return copy;
}

static void agree(const ProtobufCMessageDescriptor *d, const ProtobufCMessageDescriptor *plain,
                  struct tw_bytes in)
{
    struct tw_scan_fault quick = {0}, slow = {0};
    size_t quick_cost = 0, slow_cost = 0;

    assert_int_equal(tw_scan(d, in, &quick_cost, &quick), tw_scan(plain, in, &slow_cost, &slow));
    assert_int_equal(quick_cost, slow_cost);
    assert_ptr_equal(quick.why, slow.why);
    assert_ptr_equal(quick.message, slow.message);
    assert_int_equal(quick.field, slow.field);
    assert_int_equal(quick.offset, slow.offset);
}

/* Every seed of the fuzz target, cut off anywhere, and with any byte changed. */
static void try_edits(const ProtobufCMessageDescriptor *d, uint8_t *in, size_t n)
{
    static const uint8_t edits[] = {0x01, 0x02, 0x04, 0x07, 0x80, 0xff};

    struct tw_arena a = TW_ARENA_INIT(ARENA_MAX);
    const ProtobufCMessageDescriptor *plain = unplanned(&a, d);

    for (size_t i = 0; i <= n; i++) {
        TW_IGNORE(check(d, (struct tw_bytes){in, i}, NULL));
        agree(d, plain, (struct tw_bytes){in, i});
    }
    for (size_t i = 0; i < n; i++)
        for (size_t e = 0; e < sizeof(edits); e++) {
            in[i] ^= edits[e];
            TW_IGNORE(check(d, (struct tw_bytes){in, n}, NULL));
            agree(d, plain, (struct tw_bytes){in, n});
            in[i] ^= edits[e];
        }
    tw_arena_deinit(&a);
}

static size_t read_seed(const char *name, uint8_t in[4096])
{
    char path[300];
    FILE *f;
    size_t n;

    snprintf(path, sizeof(path), "corpus/prescan/%s", name);
    f = fopen(path, "rb");
    assert_non_null(f);
    n = fread(in, 1, 4096, f);
    assert_int_equal(fclose(f), 0);
    return n;
}

static void recorded_messages_are_accepted_and_edits_never_pass_the_cost(void **state)
{
    DIR *dir = opendir("corpus/prescan");
    const struct dirent *entry;
    size_t seeds = 0;

    (void)state;
    assert_non_null(dir);
    while ((entry = readdir(dir))) {
        uint8_t in[4096];
        size_t n;

        if (entry->d_name[0] == '.')
            continue;
        n = read_seed(entry->d_name, in);
        assert_in_range(n, 1, sizeof(in));
        try_edits(schema_messages[in[0] % schema_n_messages], in + 1, n - 1);
        seeds++;
    }
    assert_int_equal(closedir(dir), 0);
    assert_true(seeds >= schema_n_messages);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        tw_unit_test(each_field_type_has_its_wire_type),
        tw_unit_test(packed_values_are_whole),
        tw_unit_test(nesting_ends_at_64),
        tw_unit_test(a_table_with_too_many_fields_is_our_own_fault),
        tw_unit_test(each_rule_is_told_from_what_is_nearly_the_same),
        tw_unit_test(nul_is_found_wherever_it_is),
        tw_unit_test(amplification_is_refused),
        tw_unit_test(a_message_that_is_too_long_is_not_looked_at),
        tw_unit_test(the_schema_fits),
        tw_unit_test(recorded_messages_are_accepted_and_edits_never_pass_the_cost),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
