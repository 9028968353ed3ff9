/* SPDX-License-Identifier: Apache-2.0 */
/* Fields of the packet that is open. */
#include <string.h>

#include "base/macros.h"
#include "producer/packet_put.h"

void tw_packet_put_split(struct tw_trace_writer *w, uint32_t field, enum tw_wire_type type,
                         uint64_t value)
{
    uint8_t tmp[TW_RAW_FIELD_MAX];

    tw_trace_writer_put(w, tmp, (size_t)(tw_raw_field(tmp, field, type, value) - tmp));
}

void tw_writer_u64(struct tw_trace_writer *writer, uint32_t field, uint64_t value)
{
    tw_packet_put(writer, field, TW_WIRE_VARINT, value);
}

void tw_writer_i64(struct tw_trace_writer *writer, uint32_t field, int64_t value)
{
    tw_packet_put(writer, field, TW_WIRE_VARINT, (uint64_t)value);
}

void tw_writer_bool(struct tw_trace_writer *writer, uint32_t field, bool value)
{
    tw_packet_put(writer, field, TW_WIRE_VARINT, value);
}

void tw_writer_fixed64(struct tw_trace_writer *writer, uint32_t field, uint64_t value)
{
    tw_packet_put(writer, field, TW_WIRE_FIXED64, value);
}

void tw_writer_double(struct tw_trace_writer *writer, uint32_t field, double value)
{
    uint64_t bits;

    _Static_assert(sizeof(bits) == sizeof(value), "double is IEEE 754 binary64");
    memcpy(&bits, &value, sizeof(bits));
    tw_packet_put(writer, field, TW_WIRE_FIXED64, bits);
}

void tw_writer_bytes(struct tw_trace_writer *writer, uint32_t field, struct tw_bytes value)
{
    tw_packet_put(writer, field, TW_WIRE_LEN, value.n);
    if (TW_LIKELY(tw_packet_has_room(writer, value.n) && value.n)) {
        memcpy(writer->p, value.p, value.n);
        writer->p += value.n;
    } else {
        tw_trace_writer_put(writer, value.p, value.n);
    }
}

void tw_writer_str(struct tw_trace_writer *writer, uint32_t field, const char *value)
{
    tw_writer_bytes(writer, field,
                    (struct tw_bytes){.p = (const uint8_t *)value, .n = strlen(value)});
}
