/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/reader.h"

#include <string.h>

int tw_read_varint(struct tw_reader *r, uint64_t *ret_value)
{
    size_t left = tw_reader_left(r);
    uint64_t value = 0;

    for (size_t i = 0; i < TW_WIRE_VARINT_MAX; i++) {
        uint8_t octet;

        if (i == left)
            return TW_E_TRUNCATED;
        octet = r->p[i];
        if (i == TW_WIRE_VARINT_MAX - 1 && octet > 1)
            return TW_E_PROTOCOL; /* the tenth byte has room for bit 63 only */
        value |= (uint64_t)(octet & 0x7f) << (7 * i);
        if (octet < 0x80) {
            r->p += i + 1;
            *ret_value = value;
            return 0;
        }
    }
    return TW_E_PROTOCOL;
}

/* Fixed-width little-endian value of n bytes, n at most 8. */
static int read_fixed(struct tw_reader *r, size_t n, uint64_t *ret_value)
{
    uint64_t value = 0;

    if (tw_reader_left(r) < n)
        return TW_E_TRUNCATED;
    for (size_t i = 0; i < n; i++)
        value |= (uint64_t)r->p[i] << (8 * i);
    r->p += n;
    *ret_value = value;
    return 0;
}

static int read_len(struct tw_reader *r, struct tw_bytes *ret_bytes)
{
    uint64_t len;
    int rc = tw_read_varint(r, &len);

    if (rc)
        return rc;
    if (len > tw_reader_left(r))
        return TW_E_TRUNCATED;
    *ret_bytes = (struct tw_bytes){.p = r->p, .n = (size_t)len};
    r->p += len;
    return 0;
}

static int read_tag(struct tw_reader *r, struct tw_field *field)
{
    uint64_t tag;
    int rc = tw_read_varint(r, &tag);

    if (rc)
        return rc;
    if (tag >> 3 == 0 || tag >> 3 > TW_WIRE_FIELD_MAX)
        return TW_E_PROTOCOL;
    *field = (struct tw_field){
        .number = (uint32_t)(tag >> 3),
        .type = (enum tw_wire_type)(tag & 7),
    };
    return 0;
}

static int read_body(struct tw_reader *r, struct tw_field *field)
{
    switch (field->type) {
    case TW_WIRE_VARINT:
        return tw_read_varint(r, &field->value);
    case TW_WIRE_FIXED64:
        return read_fixed(r, 8, &field->value);
    case TW_WIRE_FIXED32:
        return read_fixed(r, 4, &field->value);
    case TW_WIRE_LEN:
        return read_len(r, &field->bytes);
    }
    return TW_E_PROTOCOL; /* groups (3, 4) and the unassigned 6 and 7 */
}

int tw_read_field(struct tw_reader *r, struct tw_field *ret_field)
{
    struct tw_reader at = *r;
    struct tw_field field;
    int rc;

    if (at.p == at.end)
        return TW_MORE;
    rc = read_tag(&at, &field);
    if (!rc)
        rc = read_body(&at, &field);
    if (rc)
        return rc;
    *r = at;
    *ret_field = field;
    return 0;
}
