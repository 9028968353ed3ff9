/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A bounded reader of the protobuf wire format. It never reads past end, needs no memory, does not
 * recurse and uses no libc.
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

static inline size_t tw_reader_left(const struct tw_reader *r)
{
    return (size_t)(r->end - r->p);
}

/* TW_E_TRUNCATED at the end, TW_E_PROTOCOL for one that does not end after 10 bytes or holds more
 * than 64 bits. Over-long encodings of a smaller value are accepted: encoders that fill in sizes
 * afterwards emit them. */
TW_MUST_USE int tw_read_varint(struct tw_reader *r, uint64_t *ret_value);

/* The next field, whole. TW_MORE when nothing is left, TW_E_TRUNCATED when the field is cut short,
 * TW_E_PROTOCOL when it is bad in another way. After anything but 0 the reader has not moved. */
TW_MUST_USE int tw_read_field(struct tw_reader *r, struct tw_field *ret_field);

/* Why tw_read_field() has just failed at r; *number is the field's, 0 where there is none. */
enum tw_wire_fault tw_read_fault(const struct tw_reader *r, uint32_t *number);
