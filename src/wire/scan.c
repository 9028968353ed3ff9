/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/scan.h"

#include <errno.h>
#include <string.h>

#include "base/arena.h"
#include "base/macros.h"
#include "base/req.h"
#include "wire/field.h"
#include "wire/reader.h"

/* What protobuf-c (libprotobuf-c 1.4.1) keeps while it reads, in bytes and counts. */
enum {
    MEMBER_SIZE = 32,  /* note about one field of a message; it promises to stay within this */
    FIRST_MEMBERS = 16 /* notes that need no memory; the next slab is always twice as large */
};

/* How a value of each type comes, and what an element of an array of it takes. */
static const struct shape {
    enum tw_wire_type wire;
    uint8_t size;
} shapes[] = {
    [PROTOBUF_C_TYPE_INT32] = {TW_WIRE_VARINT, 4},
    [PROTOBUF_C_TYPE_SINT32] = {TW_WIRE_VARINT, 4},
    [PROTOBUF_C_TYPE_SFIXED32] = {TW_WIRE_FIXED32, 4},
    [PROTOBUF_C_TYPE_INT64] = {TW_WIRE_VARINT, 8},
    [PROTOBUF_C_TYPE_SINT64] = {TW_WIRE_VARINT, 8},
    [PROTOBUF_C_TYPE_SFIXED64] = {TW_WIRE_FIXED64, 8},
    [PROTOBUF_C_TYPE_UINT32] = {TW_WIRE_VARINT, 4},
    [PROTOBUF_C_TYPE_FIXED32] = {TW_WIRE_FIXED32, 4},
    [PROTOBUF_C_TYPE_UINT64] = {TW_WIRE_VARINT, 8},
    [PROTOBUF_C_TYPE_FIXED64] = {TW_WIRE_FIXED64, 8},
    [PROTOBUF_C_TYPE_FLOAT] = {TW_WIRE_FIXED32, 4},
    [PROTOBUF_C_TYPE_DOUBLE] = {TW_WIRE_FIXED64, 8},
    [PROTOBUF_C_TYPE_BOOL] = {TW_WIRE_VARINT, sizeof(protobuf_c_boolean)},
    [PROTOBUF_C_TYPE_ENUM] = {TW_WIRE_VARINT, 4},
    [PROTOBUF_C_TYPE_STRING] = {TW_WIRE_LEN, sizeof(char *)},
    [PROTOBUF_C_TYPE_BYTES] = {TW_WIRE_LEN, sizeof(ProtobufCBinaryData)},
    [PROTOBUF_C_TYPE_MESSAGE] = {TW_WIRE_LEN, sizeof(ProtobufCMessage *)},
};

/* A bit for each type that comes as a varint. */
static const uint32_t varint_types =
    UINT32_C(1) << PROTOBUF_C_TYPE_INT32 | UINT32_C(1) << PROTOBUF_C_TYPE_SINT32 |
    UINT32_C(1) << PROTOBUF_C_TYPE_INT64 | UINT32_C(1) << PROTOBUF_C_TYPE_SINT64 |
    UINT32_C(1) << PROTOBUF_C_TYPE_UINT32 | UINT32_C(1) << PROTOBUF_C_TYPE_UINT64 |
    UINT32_C(1) << PROTOBUF_C_TYPE_BOOL | UINT32_C(1) << PROTOBUF_C_TYPE_ENUM;

static const char *const wire_faults[TW_WIRE_FAULT_MAX] = {
    [TW_WIRE_TRUNCATED] = "TW-ENC-001: a field is cut short",
    [TW_WIRE_BAD_VARINT] = "TW-ENC-001: a varint has over 10 bytes or 64 bits",
    [TW_WIRE_LONG_TAG] = "TW-ENC-009: a tag or a length has over 5 bytes",
    [TW_WIRE_BAD_TAG] = "TW-ENC-001: a field number is 0 or too large",
    [TW_WIRE_GROUP] = "TW-ENC-001: there is a group",
    [TW_WIRE_BAD_TYPE] = "TW-ENC-001: a wire type is unknown",
};

/* One message of those that lie inside each other. */
struct level {
    struct tw_reader r;
    const ProtobufCMessageDescriptor *desc;
    uint32_t first, dense; /* fields with the numbers from first on stand in order, so many */
    uint32_t slab, room;   /* notes in protobuf-c's last slab, and how many are left of them */
    uint64_t seen;         /* a bit for each field and oneof that has been there */
};

struct scan {
    uint64_t cost;     /* bytes; 64 bits, for it is compared with the limit only at the end */
    const uint8_t *at; /* the tag of the field that is looked at */
    const char *why;
    size_t depth;
    struct level levels[TW_SCAN_DEPTH_MAX];
};

static int broken(struct scan *s, const char *why)
{
    s->why = why;
    return TW_E_PROTOCOL;
}

static int too_much(struct scan *s, const char *why)
{
    s->why = why;
    return TW_E_LIMIT;
}

static inline int enter(struct scan *s, const ProtobufCMessageDescriptor *d, struct tw_bytes in)
{
    REQ("TW-LIM-050");
    if (s->depth == TW_SCAN_DEPTH_MAX)
        return too_much(s, "TW-ENC-011: messages are nested too deep");
    if (d->n_fields > TW_SCAN_FIELDS_MAX) /* a table that is not of our schema */
        return -EINVAL;
    s->cost += tw_arena_size(d->sizeof_message);
    s->levels[s->depth++] = (struct level){
        .r = tw_reader_of(in),
        .desc = d,
        .first = d->n_fields ? d->fields[0].id : 0,
        .dense = d->n_fields ? d->field_ranges[1].orig_index : 0,
        .slab = FIRST_MEMBERS,
        .room = FIRST_MEMBERS,
    };
    return TW_MORE;
}

static const ProtobufCFieldDescriptor *search(const ProtobufCMessageDescriptor *d, uint32_t number)
{
    for (unsigned i = 1; i < d->n_field_ranges; i++) {
        const ProtobufCIntRange *range = &d->field_ranges[i];
        uint32_t at = number - (uint32_t)range->start_value; /* huge when it is below */

        if (at < range[1].orig_index - range[0].orig_index)
            return &d->fields[range->orig_index + at];
    }
    return NULL;
}

/* The field with this number, NULL when the schema has none. Most are in the first range. */
static inline const ProtobufCFieldDescriptor *find(const struct level *l, uint32_t number)
{
    if (number - l->first < l->dense)
        return &l->desc->fields[number - l->first];
    return search(l->desc, number);
}

/* Fields of a oneof share one bit, that of the first: they share where their number is kept. */
static uint64_t bit_of(const ProtobufCMessageDescriptor *d, const ProtobufCFieldDescriptor *field)
{
    const ProtobufCFieldDescriptor *first = field;

    if (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF)
        for (first = d->fields; first->quantifier_offset != field->quantifier_offset;)
            first++;
    return UINT64_C(1) << (first - d->fields);
}

/* One more field than there are notes for: the next slab. */
static void grow(struct scan *s, struct level *l)
{
    l->slab *= 2;
    l->room = l->slab;
    s->cost += (uint64_t)l->slab * MEMBER_SIZE;
}

/* It is kept as it came, behind its tag, which has a byte at least. */
static int take_unknown(struct scan *s, size_t size)
{
    s->cost += tw_arena_size(sizeof(ProtobufCMessageUnknownField)) + tw_arena_size(size - 1);
    return 0;
}

static int take_packed(struct scan *s, const struct shape *shape, struct tw_bytes in)
{
    struct tw_reader r = tw_reader_of(in);
    uint64_t value;

    REQ("TW-ENC-013");
    if (shape->wire != TW_WIRE_VARINT) {
        s->cost += in.n;
        return in.n % shape->size != 0 ? broken(s, "TW-ENC-011: packed values are cut short") : 0;
    }
    s->cost += (uint64_t)in.n * shape->size; /* a value has a byte at least */
    while (tw_reader_left(&r))
        if (tw_read_varint(&r, &value))
            return broken(s, "TW-ENC-011: a packed value is malformed");
    return 0;
}

static inline int take_content(struct scan *s, const ProtobufCFieldDescriptor *field,
                               struct tw_bytes in)
{
    REQ("TW-ENC-008");
    switch (field->type) {
    case PROTOBUF_C_TYPE_STRING:
        if (in.n && memchr(in.p, '\0', in.n))
            return broken(s, "TW-ENC-008: a string holds a NUL byte");
        s->cost += tw_arena_size(in.n + 1);
        return 0;
    case PROTOBUF_C_TYPE_MESSAGE:
        return enter(s, field->descriptor, in);
    default:
        s->cost += tw_arena_size(in.n);
        return 0;
    }
}

/* Fields of which it matters that they have been there already. */
static inline int take_again(struct scan *s, struct level *l, const ProtobufCFieldDescriptor *field)
{
    uint64_t bit = bit_of(l->desc, field);
    bool again = l->seen & bit;

    REQ("TW-ENC-012");
    l->seen |= bit;
    if (field->label != PROTOBUF_C_LABEL_REPEATED)
        return again ? broken(s, "TW-ENC-012: a message or a oneof comes more than once") : 0;
    if (!again) /* one array for all of them, rounded up once */
        s->cost += tw_arena_size(1);
    return 0;
}

static int take_special(struct scan *s, struct level *l, const ProtobufCFieldDescriptor *field,
                        const struct tw_field *f)
{
    const struct shape *shape = &shapes[field->type];

    REQ("TW-ENC-011");
    if (field->label == PROTOBUF_C_LABEL_REPEATED || field->type == PROTOBUF_C_TYPE_MESSAGE ||
        field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) {
        int rc = take_again(s, l, field);

        if (rc)
            return rc;
    }
    if (field->label == PROTOBUF_C_LABEL_REPEATED) {
        if (f->type == TW_WIRE_LEN && shape->wire != TW_WIRE_LEN)
            return take_packed(s, shape, f->bytes);
        s->cost += shape->size;
    }
    if (f->type != shape->wire)
        return broken(s, "TW-ENC-011: a known field has the wrong wire type");
    return f->type == TW_WIRE_LEN ? take_content(s, field, f->bytes) : 0;
}

/* Returns TW_MORE when the field is a message, which is to be looked at first. */
static inline int take(struct scan *s, struct level *l, const struct tw_field *f, size_t size)
{
    const ProtobufCFieldDescriptor *field = find(l, f->number);

    if (l->room == 0)
        grow(s, l);
    l->room--;
    if (!field)
        return take_unknown(s, size);
    if (f->type == TW_WIRE_VARINT && varint_types >> field->type & 1 && !field->flags &&
        field->label != PROTOBUF_C_LABEL_REPEATED)
        return 0; /* a plain number, as most are */
    return take_special(s, l, field, f);
}

/* Field after field. A message inside another one is looked at before the rest of that. */
static int walk(struct scan *s)
{
    struct level *l = s->levels;
    struct tw_reader r = l->r;
    int rc = 0;

    REQ("TW-ENC-001");
    for (;;) {
        struct tw_field f = {0};
        enum tw_wire_fault fault;

        if (r.p == r.end) {
            if (--s->depth == 0)
                return 0;
            r = (--l)->r;
            continue;
        }
        s->at = r.p;
        fault = tw_field_at(&r, &f);
        if (fault)
            return broken(s, wire_faults[fault]);
        rc = take(s, l, &f, (size_t)(r.p - s->at));
        if (rc == TW_MORE) {
            l->r.p = r.p;
            r = (++l)->r;
        } else if (rc) {
            return rc;
        }
    }
}

static struct tw_scan_fault fault_of(const struct scan *s, const ProtobufCMessageDescriptor *d,
                                     struct tw_bytes in)
{
    struct tw_scan_fault fault = {.why = s->why, .message = d->name};

    if (s->depth && s->at) { /* some field is at fault, not the whole message */
        struct tw_reader r = {s->at, s->levels[s->depth - 1].r.end};

        TW_IGNORE(tw_read_fault(&r, &fault.field)); /* the number is what is wanted */
        fault.message = s->levels[s->depth - 1].desc->name;
        fault.offset = (size_t)(s->at - in.p);
    }
    return fault;
}

int tw_scan(const ProtobufCMessageDescriptor *d, struct tw_bytes in, size_t *ret_cost,
            struct tw_scan_fault *ret_fault)
{
    struct scan s;
    int rc = TW_MORE;

    s.cost = s.depth = 0; /* the levels are made as they are entered */
    s.at = NULL;
    REQ("TW-LIM-051");
    if (in.n > TW_SCAN_MESSAGE_MAX)
        rc = too_much(&s, "TW-LIM-051: the message is too long");
    else
        rc = enter(&s, d, in);
    if (rc == TW_MORE)
        rc = walk(&s);
    REQ("TW-ENC-015");
    REQ("TW-LIM-052");
    if (!rc && s.cost > TW_SCAN_COST_MAX(in.n))
        rc = too_much(&s, "TW-ENC-015: the message would take too much memory");
    if (!rc)
        *ret_cost = (size_t)s.cost;
    else if (rc > 0 && ret_fault)
        *ret_fault = fault_of(&s, d, in);
    return rc;
}
