/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/scan.h"

#include <errno.h>
#include <string.h>

#include "base/arena.h"
#include "base/macros.h"
#include "base/req.h"
#include "wire/field.h"
#include "wire/plan.h"
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

static const char *const wire_faults[TW_WIRE_FAULT_MAX] = {
    [TW_WIRE_TRUNCATED] = "TW-ENC-001: a field is cut short",
    [TW_WIRE_BAD_VARINT] = "TW-ENC-001: a varint has over 10 bytes or 64 bits",
    [TW_WIRE_LONG_TAG] = "TW-ENC-009: a tag or a length has over 5 bytes",
    [TW_WIRE_BAD_TAG] = "TW-ENC-001: a field number is 0 or too large",
    [TW_WIRE_GROUP] = "TW-ENC-001: there is a group",
    [TW_WIRE_BAD_TYPE] = "TW-ENC-001: a wire type is unknown",
};

/* One message of those that lie inside each other. The innermost is a variable of walk() of which
 * nobody keeps the address, so that it stays in registers; those around it wait in struct scan. */
struct level {
    const uint8_t *p, *end; /* what is left of it */
    const uint8_t *plan;    /* what its tags announce: wire/plan.h */
    const ProtobufCMessageDescriptor *desc;
    uint64_t seen;  /* a bit for each field of which it matters that it was there */
    size_t members; /* fields so far */
};

enum { UNPLANNED = TW_MORE + 1 }; /* a field that does not go the quick way */

struct scan {
    uint64_t cost;     /* bytes; 64 bits, for it is compared with the limit only at the end */
    const uint8_t *at; /* the tag of the field that is looked at */
    const char *why;
    struct level *level; /* of that field */
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

/* The start of a message. Tables made elsewhere have no plan. */
static inline struct level level_of(const ProtobufCMessageDescriptor *d, struct tw_bytes in)
{
    static const uint8_t nothing_planned[TW_PLAN_TAGS];
    struct level l = {
        .p = in.p,
        .end = in.n ? in.p + in.n : in.p,
        .plan = d->reserved1 ? (const uint8_t *)d->reserved1 : nothing_planned,
        .desc = d,
    };

    return l;
}

/* The field with this number, NULL when the schema has none. */
static const ProtobufCFieldDescriptor *find(const ProtobufCMessageDescriptor *d, uint32_t number)
{
    for (unsigned i = 0; i < d->n_field_ranges; i++) {
        const ProtobufCIntRange *range = &d->field_ranges[i];
        uint32_t at = number - (uint32_t)range->start_value; /* huge when it is below */

        if (at < range[1].orig_index - range[0].orig_index)
            return &d->fields[range->orig_index + at];
    }
    return NULL;
}

/* Whether the oneof of a field has a member: those alone share where their number is kept. */
static bool has_member(const struct level *l, const ProtobufCFieldDescriptor *field)
{
    uint64_t seen = l->seen;

    for (const ProtobufCFieldDescriptor *f = l->desc->fields; seen; f++, seen >>= 1)
        if (seen & 1 && f->quantifier_offset == field->quantifier_offset)
            return true;
    return false;
}

/* The structure, and the notes that were made while it was filled. */
static inline uint64_t cost_of_message(const struct level *l)
{
    uint64_t cost = tw_arena_size(l->desc->sizeof_message);
    size_t slab = FIRST_MEMBERS;

    for (size_t room = slab; room < l->members; room += slab) {
        slab *= 2;
        cost += (uint64_t)slab * MEMBER_SIZE;
    }
    return cost;
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

/* Whether a byte of eight is 0, by the borrow that it leaves in its top bit. */
static inline bool has_nul_of_8(const uint8_t *p)
{
    const uint64_t ones = UINT64_C(0x0101010101010101), tops = ones << 7;
    uint64_t v;

    memcpy(&v, p, sizeof(v));
    return (v - ones) & ~v & tops;
}

/* Strings are short: a call of memchr() would take longer. */
static inline bool has_nul(struct tw_bytes b)
{
    const uint8_t *const end = b.p + b.n;

    if (b.n >= 8) {
        for (; end - b.p > 8; b.p += 8)
            if (has_nul_of_8(b.p))
                return true;
        return has_nul_of_8(end - 8);
    }
    while (b.p != end)
        if (!*b.p++)
            return true;
    return false;
}

static int take_content(struct scan *s, const ProtobufCFieldDescriptor *field, struct tw_bytes in)
{
    REQ("TW-ENC-008");
    switch (field->type) {
    case PROTOBUF_C_TYPE_STRING:
        if (has_nul(in))
            return broken(s, "TW-ENC-008: a string holds a NUL byte");
        s->cost += tw_arena_size(in.n + 1);
        return 0;
    case PROTOBUF_C_TYPE_MESSAGE:
        return TW_MORE;
    default:
        s->cost += tw_arena_size(in.n);
        return 0;
    }
}

/* Fields of which it matters that they have been there already. */
static int take_again(struct scan *s, struct level *l, const ProtobufCFieldDescriptor *field)
{
    uint64_t bit = UINT64_C(1) << (field - l->desc->fields);
    bool again = l->seen & bit;

    REQ("TW-ENC-012");
    if (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF)
        again = has_member(l, field);
    l->seen |= bit;
    if (field->label != PROTOBUF_C_LABEL_REPEATED)
        return again ? broken(s, "TW-ENC-012: a message or a oneof comes more than once") : 0;
    if (!again) /* one array for all of them, rounded up once */
        s->cost += tw_arena_size(1);
    return 0;
}

static int take_known(struct scan *s, struct level *l, const ProtobufCFieldDescriptor *field,
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

static int too_deep(struct scan *s, struct level *l, const uint8_t *at)
{
    REQ("TW-LIM-050");
    s->at = at;
    s->level = l;
    return too_much(s, "TW-ENC-011: messages are nested too deep");
}

/* Any field. TW_MORE and a level when the field is a message, which is to be looked at first. */
static int take(struct scan *s, struct level *l)
{
    const ProtobufCMessageDescriptor *inner;
    const ProtobufCFieldDescriptor *field;
    struct tw_reader r = {l->p, l->end};
    struct tw_field f;
    enum tw_wire_fault fault = tw_field_at(&r, &f);
    int rc;

    REQ("TW-ENC-001");
    s->at = l->p;
    s->level = l;
    if (fault)
        return broken(s, wire_faults[fault]);
    l->p = r.p;
    field = find(l->desc, f.number);
    if (!field)
        return take_unknown(s, (size_t)(r.p - s->at));
    rc = take_known(s, l, field, &f);
    if (rc != TW_MORE)
        return rc;
    if (l == &s->levels[TW_SCAN_DEPTH_MAX - 1])
        return too_deep(s, l, s->at);
    inner = field->descriptor;
    if (inner->n_fields > TW_SCAN_FIELDS_MAX) /* a table that is not of our schema */
        return -EINVAL;
    l[1] = level_of(inner, f.bytes);
    return TW_MORE;
}

/* The place behind a varint, NULL if it is not a good one. There is a byte at least. */
static inline const uint8_t *behind_varint(const uint8_t *p, const uint8_t *end)
{
    const uint8_t *const most = p + tw_min((size_t)(end - p), (size_t)TW_WIRE_VARINT_MAX);
    const uint8_t *const last = p + TW_WIRE_VARINT_MAX - 1;

    if (*p < 0x80) /* nearly all */
        return p + 1;
    while (*p >= 0x80)
        if (++p == most)
            return NULL;
    return p == last && *p > 1 ? NULL : p + 1;
}

static inline int take_planned_number(struct level *l, const uint8_t *p)
{
    p = behind_varint(p, l->end);
    if (!p)
        return UNPLANNED;
    l->p = p;
    return 0;
}

/* One more of a repeated field. */
static inline void count_element(struct level *l, unsigned index, size_t size, uint64_t *cost)
{
    *cost += size;
    if (!(l->seen >> index & 1)) /* one array for all of them, rounded up once */
        *cost += tw_arena_size(1);
    l->seen |= UINT64_C(1) << index;
}

static inline int take_planned_bytes(struct level *l, unsigned plan, struct tw_bytes in,
                                     uint64_t *cost)
{
    unsigned kind = plan % TW_PLAN_KINDS;

    if (kind != TW_PLAN_BYTES && has_nul(in))
        return UNPLANNED;
    if (kind == TW_PLAN_STRINGS)
        count_element(l, plan / TW_PLAN_KINDS, sizeof(char *), cost);
    *cost += tw_arena_size(in.n + (kind != TW_PLAN_BYTES));
    l->p = in.p + in.n;
    return 0;
}

static inline int take_planned_message(struct level *l, unsigned plan, struct tw_bytes in,
                                       uint64_t *cost)
{
    unsigned index = plan / TW_PLAN_KINDS, kind = plan % TW_PLAN_KINDS;

    if (kind == TW_PLAN_MESSAGES)
        count_element(l, index, sizeof(ProtobufCMessage *), cost);
    else if (kind == TW_PLAN_MESSAGE ? l->seen >> index & 1 : l->seen != 0)
        return UNPLANNED;
    l->seen |= UINT64_C(1) << index;
    l->p = in.p + in.n;
    return TW_MORE;
}

/* The quick way for an ordinary field, of two bytes at least. TW_MORE when it is the message
 * *ret_in at the place *ret_index; UNPLANNED, and nothing is changed, when there is more to look
 * at, and be it only to tell what is wrong. */
static inline int take_planned(struct level *l, uint64_t *cost, unsigned *ret_index,
                               struct tw_bytes *ret_in)
{
    const uint8_t *p = l->p;
    unsigned plan = l->plan[*p];
    struct tw_bytes in;

    if (*p++ >= 0x80 && (*p++ != 1 || p == l->end))
        return UNPLANNED;
    if (plan % TW_PLAN_KINDS == TW_PLAN_NUMBER)
        return take_planned_number(l, p);
    in.n = *p++;
    in.p = p;
    if (in.n >= 0x80 || in.n > (size_t)(l->end - p) || plan == TW_PLAN_NONE)
        return UNPLANNED;
    if (plan % TW_PLAN_KINDS <= TW_PLAN_BYTES)
        return take_planned_bytes(l, plan, in, cost);
    *ret_index = plan / TW_PLAN_KINDS;
    *ret_in = in;
    return take_planned_message(l, plan, in, cost);
}

/* Field after field. A message inside another one is looked at before the rest of that. */
static int walk(struct scan *s, const ProtobufCMessageDescriptor *d, struct tw_bytes in)
{
    struct level l = level_of(d, in), *up = s->levels;
    uint64_t cost = 0;

    for (;;) {
        struct tw_bytes inner;
        const uint8_t *at;
        unsigned index;
        int rc = UNPLANNED;

        if (l.p == l.end) {
            cost += cost_of_message(&l);
            if (up == s->levels)
                break;
            l = *--up;
            continue;
        }
        l.members++;
        at = l.p;
        if (l.end - l.p >= 2)
            rc = take_planned(&l, &cost, &index, &inner);
        if (rc == 0)
            continue;
        if (rc == TW_MORE) {
            *up = l;
            if (++up == s->levels + TW_SCAN_DEPTH_MAX)
                return too_deep(s, up - 1, at);
            l = level_of(l.desc->fields[index].descriptor, inner);
        } else {
            *up = l;
            rc = take(s, up);
            if (rc == TW_MORE)
                up++;
            else if (rc)
                return rc;
            l = *up;
        }
    }
    s->cost += cost;
    return 0;
}

static struct tw_scan_fault fault_of(const struct scan *s, const ProtobufCMessageDescriptor *d,
                                     struct tw_bytes in)
{
    struct tw_scan_fault fault = {.why = s->why, .message = d->name};

    if (s->level) { /* some field is at fault, not the whole message */
        struct tw_reader r = {s->at, s->level->end};

        TW_IGNORE(tw_read_fault(&r, &fault.field)); /* the number is what is wanted */
        fault.message = s->level->desc->name;
        fault.offset = (size_t)(s->at - in.p);
    }
    return fault;
}

int tw_scan(const ProtobufCMessageDescriptor *d, struct tw_bytes in, size_t *ret_cost,
            struct tw_scan_fault *ret_fault)
{
    struct scan s;
    int rc;

    s.cost = 0; /* the levels are made as they are entered */
    s.level = NULL;
    if (d->n_fields > TW_SCAN_FIELDS_MAX) /* a table that is not of our schema */
        return -EINVAL;
    REQ("TW-LIM-051");
    if (in.n > TW_SCAN_MESSAGE_MAX)
        rc = too_much(&s, "TW-LIM-051: the message is too long");
    else
        rc = walk(&s, d, in);
    REQ("TW-ENC-015");
    REQ("TW-LIM-052");
    if (!rc && s.cost > TW_SCAN_COST_MAX(in.n)) {
        s.level = NULL;
        rc = too_much(&s, "TW-ENC-015: the message would take too much memory");
    }
    if (!rc)
        *ret_cost = (size_t)s.cost;
    else if (rc > 0 && ret_fault)
        *ret_fault = fault_of(&s, d, in);
    return rc;
}
