/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The encodings of protobuf into memory that is known to be large enough. Each writes at p and
 * returns where the next byte goes. Inline, so that tags of fields known to the compiler are made
 * while compiling.
 */
#pragma once

#include <endian.h>
#include <string.h>

#include "wire/field.h"
#include "wire/writer.h"

enum {
    TW_RAW_VARINT_MAX = 10,                   /* bytes */
    TW_RAW_FIELD_MAX = 5 + TW_RAW_VARINT_MAX, /* bytes of a tag and a scalar */
};

static inline uint8_t *tw_raw_varint(uint8_t *p, uint64_t value)
{
    for (; value >= 0x80; value >>= 7)
        *p++ = (uint8_t)(value | 0x80);
    *p++ = (uint8_t)value;
    return p;
}

static inline uint8_t *tw_raw_fixed64(uint8_t *p, uint64_t value)
{
    value = htole64(value);
    memcpy(p, &value, sizeof(value));
    return p + sizeof(value);
}

/* A tag, and value as the type has it: for TW_WIRE_LEN the length of what comes next. */
static inline uint8_t *tw_raw_field(uint8_t *p, uint32_t field, enum tw_wire_type type,
                                    uint64_t value)
{
    p = tw_raw_varint(p, (uint64_t)field << 3 | (uint64_t)type);
    return type == TW_WIRE_FIXED64 ? tw_raw_fixed64(p, value) : tw_raw_varint(p, value);
}

/* A padded varint of TW_WIRE_SIZE_BYTES; size is at most TW_WIRE_SIZE_MAX. */
static inline uint8_t *tw_raw_padded_size(uint8_t *p, uint32_t size)
{
    uint32_t bytes = htole32(UINT32_C(0x00808080) | (size & 0x7f) | (size & 0x3f80) << 1 |
                             (size & 0x1fc000) << 2 | (size & 0xfe00000) << 3);

    memcpy(p, &bytes, sizeof(bytes));
    return p + sizeof(bytes);
}
