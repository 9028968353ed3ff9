/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One field of the protobuf wire format, read within bounds. No read passes end; nothing is
 * allocated, nothing recurses, no libc is used.
 */
#pragma once

#include "tracewire/common.h"

enum tw_wire_type {
    TW_WIRE_VARINT = 0,
    TW_WIRE_FIXED64 = 1,
    TW_WIRE_LEN = 2,
    TW_WIRE_FIXED32 = 5,
};

enum {
    TW_WIRE_VARINT_MAX = 10,       /* bytes: 64 bits at 7 a byte */
    TW_WIRE_TAG_MAX = 5,           /* bytes of a tag or a length, 32 bits. TW-ENC-009 */
    TW_WIRE_FIELD_MAX = 0x1fffffff /* largest field number, 2^29 - 1 */
};

/* What is wrong with a field. */
enum tw_wire_fault {
    TW_WIRE_FINE = 0,
    TW_WIRE_TRUNCATED,  /* it is cut short */
    TW_WIRE_BAD_VARINT, /* does not end after 10 bytes, or holds more than 64 bits */
    TW_WIRE_LONG_TAG,   /* a tag or a length that does not end after 5 bytes */
    TW_WIRE_BAD_TAG,    /* field number 0 or over TW_WIRE_FIELD_MAX */
    TW_WIRE_GROUP,      /* wire types 3 and 4 */
    TW_WIRE_BAD_TYPE,   /* wire types 6 and 7 */
    TW_WIRE_FAULT_MAX,
};

struct tw_reader {
    const uint8_t *p, *end;
};

struct tw_field {
    uint32_t number;        /* 1 to TW_WIRE_FIELD_MAX */
    enum tw_wire_type type; /* never a group */
    uint64_t value;         /* VARINT, FIXED64, FIXED32; else 0 */
    struct tw_bytes bytes;  /* LEN: inside the reader's bytes; else empty */
};

static inline struct tw_reader tw_reader_of(struct tw_bytes b)
{
    struct tw_reader r = {b.p, b.n ? b.p + b.n : b.p};

    return r;
}

/* What stands at a place: a value and how many bytes it takes, or none and an enum tw_wire_fault.
 * It is returned in two registers, and the reader and the field of who calls tw_field_at() can stay
 * in registers as well, as no function that is not inlined wants their address: that makes it fast.
 */
struct tw_varint {
    uint64_t value;
    size_t n;
};

/* Of nothing read, which always has a reason: a fault that is none would promise a field. */
static inline enum tw_wire_fault tw_fault_of(struct tw_varint nothing)
{
    enum tw_wire_fault fault = (enum tw_wire_fault)nothing.value;

    return fault ? fault : TW_WIRE_BAD_VARINT;
}

/* A varint of at most max bytes. Over-long encodings of a smaller value are accepted. TW-ENC-003 */
struct tw_varint tw_long_varint_at(const uint8_t *p, const uint8_t *end, size_t max);

static inline struct tw_varint tw_varint_at(const uint8_t *p, const uint8_t *end, size_t max)
{
    struct tw_varint one = {0, 1};

    if (p == end || *p >= 0x80) /* nearly all tags, lengths and numbers take one byte */
        return tw_long_varint_at(p, end, max);
    one.value = *p;
    return one;
}

/* What is behind a tag of another type: a number of fixed size, or a fault. */
struct tw_varint tw_rare_body_at(const uint8_t *p, const uint8_t *end, unsigned type);

static inline struct tw_varint tw_body_at(const uint8_t *p, const uint8_t *end, unsigned type)
{
    if (type == TW_WIRE_VARINT)
        return tw_varint_at(p, end, TW_WIRE_VARINT_MAX);
    if (type == TW_WIRE_LEN)
        return tw_varint_at(p, end, TW_WIRE_TAG_MAX);
    return tw_rare_body_at(p, end, type);
}

/* The field at the start of r, which has something left; r moves behind it. On a fault r stays,
 * and of *field only the number is set, 0 if it is not known. Inlined whatever the compiler thinks
 * of its size: out of line the frame codec is a third slower. */
__attribute__((always_inline)) static inline enum tw_wire_fault tw_field_at(struct tw_reader *r,
                                                                            struct tw_field *field)
{
    struct tw_varint tag = tw_varint_at(r->p, r->end, TW_WIRE_TAG_MAX), body;
    const uint8_t *p = r->p + tag.n;

    field->number = 0;
    if (tag.n == 0)
        return tw_fault_of(tag);
    if (tag.value >> 3 == 0 || tag.value >> 3 > TW_WIRE_FIELD_MAX)
        return TW_WIRE_BAD_TAG;
    field->number = (uint32_t)(tag.value >> 3);
    field->type = (enum tw_wire_type)(tag.value & 7);
    body = tw_body_at(p, r->end, tag.value & 7);
    if (body.n == 0)
        return tw_fault_of(body);
    p += body.n;
    field->value = 0;
    field->bytes.p = NULL;
    field->bytes.n = 0;
    if (field->type != TW_WIRE_LEN) {
        field->value = body.value;
    } else if (body.value > (size_t)(r->end - p)) {
        return TW_WIRE_TRUNCATED;
    } else {
        field->bytes.p = p;
        field->bytes.n = (size_t)body.value;
        p += body.value;
    }
    r->p = p;
    return TW_WIRE_FINE;
}
