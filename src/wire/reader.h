/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A bounded reader of the protobuf wire format: wire/field.h with the results that all of our
 * functions have. For whoever does not need to know what exactly is wrong.
 */
#pragma once

#include "wire/field.h"

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
