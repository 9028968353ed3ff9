/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/reader.h"

static int outcome_of(enum tw_wire_fault fault)
{
    return fault == TW_WIRE_TRUNCATED ? TW_E_TRUNCATED : TW_E_PROTOCOL;
}

int tw_read_varint(struct tw_reader *r, uint64_t *ret_value)
{
    struct tw_varint v = tw_varint_at(r->p, r->end, TW_WIRE_VARINT_MAX);

    if (v.n == 0)
        return outcome_of((enum tw_wire_fault)v.value);
    r->p += v.n;
    *ret_value = v.value;
    return 0;
}

int tw_read_field(struct tw_reader *r, struct tw_field *ret_field)
{
    struct tw_field field;
    enum tw_wire_fault fault;

    if (r->p == r->end)
        return TW_MORE;
    fault = tw_field_at(r, &field);
    if (fault)
        return outcome_of(fault);
    *ret_field = field;
    return 0;
}

enum tw_wire_fault tw_read_fault(const struct tw_reader *r, uint32_t *number)
{
    struct tw_reader at = *r;
    struct tw_field field;
    enum tw_wire_fault fault = tw_field_at(&at, &field);

    *number = field.number;
    return fault;
}
