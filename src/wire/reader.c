/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/reader.h"

#include "base/req.h"

static enum tw_wire_fault read_long_varint(struct tw_reader *r, size_t max, uint64_t *ret_value)
{
    size_t left = tw_reader_left(r);
    uint64_t value = 0;

    for (size_t i = 0; i < max; i++) {
        uint8_t octet;

        if (i == left)
            return TW_WIRE_TRUNCATED;
        octet = r->p[i];
        if (i == TW_WIRE_VARINT_MAX - 1 && octet > 1)
            return TW_WIRE_BAD_VARINT; /* the tenth byte has room for bit 63 only */
        value |= (uint64_t)(octet & 0x7f) << (7 * i);
        if (octet < 0x80) {
            r->p += i + 1;
            *ret_value = value;
            return TW_WIRE_FINE;
        }
    }
    return max < TW_WIRE_VARINT_MAX ? TW_WIRE_LONG_TAG : TW_WIRE_BAD_VARINT;
}

/* Nearly all tags, lengths and numbers of a frame take one byte: that case is inlined. */
static inline enum tw_wire_fault read_varint(struct tw_reader *r, size_t max, uint64_t *ret_value)
{
    REQ("TW-ENC-003");
    if (r->p == r->end || *r->p >= 0x80)
        return read_long_varint(r, max, ret_value);
    *ret_value = *r->p++;
    return TW_WIRE_FINE;
}

/* Fixed-width little-endian value of n bytes, n at most 8. */
static enum tw_wire_fault read_fixed(struct tw_reader *r, size_t n, uint64_t *ret_value)
{
    uint64_t value = 0;

    if (tw_reader_left(r) < n)
        return TW_WIRE_TRUNCATED;
    for (size_t i = 0; i < n; i++)
        value |= (uint64_t)r->p[i] << (8 * i);
    r->p += n;
    *ret_value = value;
    return TW_WIRE_FINE;
}

static inline enum tw_wire_fault read_len(struct tw_reader *r, struct tw_bytes *ret_bytes)
{
    uint64_t len;
    enum tw_wire_fault fault = read_varint(r, TW_WIRE_TAG_MAX, &len);

    REQ("TW-ENC-009");
    if (fault)
        return fault;
    if (len > tw_reader_left(r))
        return TW_WIRE_TRUNCATED;
    ret_bytes->p = r->p;
    ret_bytes->n = (size_t)len;
    r->p += len;
    return TW_WIRE_FINE;
}

static inline enum tw_wire_fault read_tag(struct tw_reader *r, struct tw_field *field)
{
    uint64_t tag;
    enum tw_wire_fault fault = read_varint(r, TW_WIRE_TAG_MAX, &tag);

    REQ("TW-ENC-009");
    if (fault)
        return fault;
    if (tag >> 3 == 0 || tag >> 3 > TW_WIRE_FIELD_MAX)
        return TW_WIRE_BAD_TAG;
    field->number = (uint32_t)(tag >> 3);
    field->type = (enum tw_wire_type)(tag & 7);
    return TW_WIRE_FINE;
}

static inline enum tw_wire_fault read_body(struct tw_reader *r, struct tw_field *field)
{
    REQ("TW-ENC-001");
    switch ((unsigned)field->type) {
    case TW_WIRE_VARINT:
        return read_varint(r, TW_WIRE_VARINT_MAX, &field->value);
    case TW_WIRE_FIXED64:
        return read_fixed(r, 8, &field->value);
    case TW_WIRE_FIXED32:
        return read_fixed(r, 4, &field->value);
    case TW_WIRE_LEN:
        return read_len(r, &field->bytes);
    case 3:
    case 4:
        return TW_WIRE_GROUP;
    default:
        return TW_WIRE_BAD_TYPE;
    }
}

static inline enum tw_wire_fault read_field(struct tw_reader *r, struct tw_field *field)
{
    enum tw_wire_fault fault;

    field->number = 0;
    field->value = 0;
    field->bytes.p = NULL;
    field->bytes.n = 0;
    fault = read_tag(r, field);
    return fault ? fault : read_body(r, field);
}

int tw_read_varint(struct tw_reader *r, uint64_t *ret_value)
{
    enum tw_wire_fault fault = read_varint(r, TW_WIRE_VARINT_MAX, ret_value);

    if (fault)
        return fault == TW_WIRE_TRUNCATED ? TW_E_TRUNCATED : TW_E_PROTOCOL;
    return 0;
}

int tw_read_field(struct tw_reader *r, struct tw_field *ret_field)
{
    struct tw_reader at = *r;
    struct tw_field field;
    enum tw_wire_fault fault;

    if (at.p == at.end)
        return TW_MORE;
    fault = read_field(&at, &field);
    if (fault)
        return fault == TW_WIRE_TRUNCATED ? TW_E_TRUNCATED : TW_E_PROTOCOL;
    *r = at;
    *ret_field = field;
    return 0;
}

enum tw_wire_fault tw_read_fault(const struct tw_reader *r, uint32_t *number)
{
    struct tw_reader at = *r;
    struct tw_field field;
    enum tw_wire_fault fault = read_field(&at, &field);

    *number = field.number;
    return fault;
}
