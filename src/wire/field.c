/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/field.h"

#include "base/req.h"

static struct tw_varint fault_of(enum tw_wire_fault fault)
{
    struct tw_varint none = {(uint64_t)fault, 0};

    return none;
}

struct tw_varint tw_long_varint_at(const uint8_t *p, const uint8_t *end, size_t max)
{
    size_t left = (size_t)(end - p);
    struct tw_varint v = {0, 0};

    REQ("TW-ENC-003");
    while (v.n < max) {
        uint8_t octet;

        if (v.n == left)
            return fault_of(TW_WIRE_TRUNCATED);
        octet = p[v.n];
        if (v.n == TW_WIRE_VARINT_MAX - 1 && octet > 1)
            return fault_of(TW_WIRE_BAD_VARINT); /* the tenth byte has room for bit 63 only */
        v.value |= (uint64_t)(octet & 0x7f) << (7 * v.n++);
        if (octet < 0x80)
            return v;
    }
    REQ("TW-ENC-009");
    return fault_of(TW_WIRE_LONG_TAG); /* a tenth byte has been the last, or was a fault */
}

static struct tw_varint fixed_at(const uint8_t *p, const uint8_t *end, size_t n)
{
    struct tw_varint v = {0, n};

    if ((size_t)(end - p) < n)
        return fault_of(TW_WIRE_TRUNCATED);
    for (size_t i = 0; i < n; i++)
        v.value |= (uint64_t)p[i] << (8 * i);
    return v;
}

struct tw_varint tw_rare_body_at(const uint8_t *p, const uint8_t *end, unsigned type)
{
    REQ("TW-ENC-001");
    switch (type) {
    case TW_WIRE_FIXED64:
        return fixed_at(p, end, 8);
    case TW_WIRE_FIXED32:
        return fixed_at(p, end, 4);
    case 3:
    case 4:
        return fault_of(TW_WIRE_GROUP);
    default:
        return fault_of(TW_WIRE_BAD_TYPE);
    }
}
