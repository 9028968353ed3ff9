/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz/mutator_make.h"

#include <string.h>

#include "base/macros.h"
#include "fuzz/messages.h"
#include "fuzz/mutator_place.h"
#include "fuzz/script.h"
#include "ipc_frame.pb-c.h"
#include "wire/reader.h"

enum { DEPTH_MAX = 4, FIELDS_MAX = 4, TEXT_MAX = 40 };
enum { SHAPED_MAX = 300 /* bytes: more than any list */ };

uint64_t make_number(struct mutator *m)
{
    uint32_t kind = mutator_below(m, 8);

    if (kind == 0)
        return UINT64_MAX >> mutator_below(m, 64);
    if (kind == 1)
        return (UINT64_C(1) << mutator_below(m, 64)) - mutator_below(m, 2);
    if (kind == 2)
        return (uint64_t)INT32_MIN + mutator_below(m, 2);
    return mutator_below(m, kind == 3 ? 256 : 8);
}

static void put_text(struct mutator *m, struct tw_writer *w, uint32_t field)
{
    static const char *const texts[] = {
        "",       "ProducerPort", "ConsumerPort",         "InitializeConnection", "CommitData",
        "source", "ReadBuffers",  "RegisterDataSource",   "EnableTracing",        "\xc3\x28",
        "p",      "GetAsync",     "perfetto.traced_probe"};
    uint8_t same[TEXT_MAX];
    struct tw_bytes text = {.p = same, .n = mutator_below(m, TEXT_MAX)};
    uint32_t which = mutator_below(m, TW_ARRAY_LEN(texts) + 2);

    if (which < TW_ARRAY_LEN(texts)) {
        tw_put_str(w, field, texts[which]);
        return;
    }
    memset(same, (int)(which & 1 ? 'x' : 0), sizeof(same));
    tw_put_bytes(w, field, text);
}

static void put_fixed(struct mutator *m, struct tw_writer *w, uint32_t field,
                      enum tw_wire_type type)
{
    uint64_t value = make_number(m);

    tw_put_varint(w, (uint64_t)field << 3 | (uint64_t)type);
    tw_put_raw(w, &value, type == TW_WIRE_FIXED64 ? 8 : 4);
}

static void put_fields(struct mutator *m, struct tw_writer *w, const ProtobufCMessageDescriptor *d,
                       int depth);

static void put_known(struct mutator *m, struct tw_writer *w, const ProtobufCFieldDescriptor *f,
                      int depth)
{
    const ProtobufCMessageDescriptor *inner = message_in(m, f);
    uint8_t *nested;

    switch (f->type) {
    case PROTOBUF_C_TYPE_FIXED64:
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_DOUBLE:
        put_fixed(m, w, f->id, TW_WIRE_FIXED64);
        return;
    case PROTOBUF_C_TYPE_FIXED32:
    case PROTOBUF_C_TYPE_SFIXED32:
    case PROTOBUF_C_TYPE_FLOAT:
        put_fixed(m, w, f->id, TW_WIRE_FIXED32);
        return;
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_BYTES:
    case PROTOBUF_C_TYPE_MESSAGE:
        if (!inner) {
            put_text(m, w, f->id);
            return;
        }
        nested = tw_put_begin(w, f->id);
        if (depth < DEPTH_MAX)
            put_fields(m, w, inner, depth + 1);
        tw_put_end(w, nested);
        return;
    default:
        tw_put_u64(w, f->id, make_number(m));
    }
}

static void put_fields(struct mutator *m, struct tw_writer *w, const ProtobufCMessageDescriptor *d,
                       int depth)
{
    if (d->n_fields == 0)
        return;
    for (uint32_t n = mutator_below(m, FIELDS_MAX); n > 0; n--)
        put_known(m, w, &d->fields[mutator_below(m, d->n_fields)], depth);
}

void make_known(struct mutator *m, struct tw_writer *w, const ProtobufCFieldDescriptor *f)
{
    put_known(m, w, f, 0);
}

void make_any(struct mutator *m, struct tw_writer *w, uint32_t number)
{
    switch (mutator_below(m, 4)) {
    case 0:
        tw_put_u64(w, number, make_number(m));
        return;
    case 1:
        put_fixed(m, w, number, TW_WIRE_FIXED64);
        return;
    case 2:
        put_fixed(m, w, number, TW_WIRE_FIXED32);
        return;
    default:
        put_text(m, w, number);
    }
}

void make_field(struct mutator *m, struct tw_writer *w, const ProtobufCMessageDescriptor *d)
{
    if (d->n_fields == 0 || mutator_below(m, 8) == 0)
        make_any(m, w, 1 + mutator_below(m, mutator_below(m, 2) ? 20 : TW_WIRE_FIELD_MAX));
    else
        put_known(m, w, &d->fields[mutator_below(m, d->n_fields)], 0);
}

void make_frame(struct mutator *m, struct tw_writer *w)
{
    const ProtobufCMessageDescriptor *d = &tw__ipcframe__descriptor;
    const ProtobufCFieldDescriptor *member;
    uint8_t size[4] = {0}, *begin = w->p;
    size_t n;

    tw_put_raw(w, size, sizeof(size));
    tw_put_u64(w, 2, 1 + mutator_below(m, 8)); /* request_id */
    do
        member = &d->fields[mutator_below(m, d->n_fields)];
    while (!(member->flags & PROTOBUF_C_FIELD_FLAG_ONEOF));
    put_known(m, w, member, 0);
    if (w->overflow)
        return;
    n = (size_t)(w->p - begin) - sizeof(size);
    for (size_t i = 0; i < sizeof(size); i++)
        begin[i] = (uint8_t)(n >> 8 * i);
}

const ProtobufCMessageDescriptor *make_request(struct mutator *m, uint8_t method)
{
    return fuzz_request((uint8_t)mutator_below(m, 3), method);
}

static void put_op_body(struct mutator *m, struct tw_writer *w, uint8_t what)
{
    uint8_t head[] = {(uint8_t)(1 + mutator_below(m, 15)), (uint8_t)mutator_below(m, 8)};

    if (m->layout->ops_of_frames >> what & 1) {
        make_frame(m, w);
        return;
    }
    if (m->layout->message) {
        put_fields(m, w, m->layout->message, 0);
        return;
    }
    tw_put_raw(w, head, mutator_below(m, 4) ? sizeof(head) : 0);
    if (m->layout->ops_of_message >> what & 1)
        put_fields(m, w, make_request(m, head[0]), 0);
}

/* The bits of the kind that choose nothing may mean something to an operation that has a shape. */
uint8_t make_op_kind(struct mutator *m)
{
    return (uint8_t)mutator_below(m, m->layout->shapes ? 256 : m->layout->n_ops);
}

/* Numbers, as many as its shape wants. */
static void put_shaped(struct mutator *m, struct tw_writer *w, uint8_t first)
{
    uint8_t numbers[SHAPED_MAX] = {first};

    for (size_t i = 1; i < sizeof(numbers); i++)
        numbers[i] = (uint8_t)make_number(m);
    tw_put_raw(w, numbers,
               tw_max(1, shaped_size(m->layout, (struct tw_bytes){numbers, sizeof(numbers)})));
}

void make_op(struct mutator *m, struct tw_writer *w)
{
    uint8_t first = make_op_kind(m), kind = first % m->layout->n_ops;
    uint8_t head[SCRIPT_HEADER] = {first, (uint8_t)mutator_below(m, 64)};
    bool bodied = (m->layout->ops_of_frames | m->layout->ops_of_message) >> kind & 1;
    struct box size = op_size(m->layout, 0, kind);
    size_t n_head = size.at + size.width, n;
    uint8_t *begin = w->p;

    if (m->layout->shapes && !bodied) {
        put_shaped(m, w, first);
        return;
    }
    tw_put_raw(w, head, n_head);
    put_op_body(m, w, kind);
    if (w->overflow)
        return;
    n = (size_t)(w->p - begin) - n_head;
    if (size.kind == BOX_LIST) /* a frame may have its end in another operation */
        n = tw_min(n, UINT8_MAX);
    w->p = begin + n_head + n;
    for (size_t i = 0; i < size.width; i++)
        begin[size.at + i] = (uint8_t)(n >> 8 * i);
}

const ProtobufCMessageDescriptor *message_in(struct mutator *m, const ProtobufCFieldDescriptor *f)
{
    if (f->type == PROTOBUF_C_TYPE_MESSAGE)
        return f->descriptor;
    if (f->type == PROTOBUF_C_TYPE_BYTES && strcmp(f->name, "args_proto") == 0)
        return make_request(m, (uint8_t)mutator_below(m, 256));
    return NULL;
}
