/* SPDX-License-Identifier: Apache-2.0 */
/* Fields of the packet that is open. */
#include <string.h>

#include "producer/trace_writer.h"

enum { SCALAR_MAX = 16 }; /* bytes: a tag of five and a varint of ten */

void tw_writer_u64(struct tw_trace_writer *writer, uint32_t field, uint64_t value)
{
    uint8_t tmp[SCALAR_MAX];
    struct tw_writer t = tw_writer_of(tmp, sizeof(tmp));

    tw_put_u64(&t, field, value);
    tw_trace_writer_put(writer, tmp, tw_writer_size(&t));
}

void tw_writer_i64(struct tw_trace_writer *writer, uint32_t field, int64_t value)
{
    tw_writer_u64(writer, field, (uint64_t)value);
}

void tw_writer_bool(struct tw_trace_writer *writer, uint32_t field, bool value)
{
    tw_writer_u64(writer, field, value);
}

void tw_writer_fixed64(struct tw_trace_writer *writer, uint32_t field, uint64_t value)
{
    uint8_t tmp[SCALAR_MAX];
    struct tw_writer t = tw_writer_of(tmp, sizeof(tmp));

    tw_put_fixed64(&t, field, value);
    tw_trace_writer_put(writer, tmp, tw_writer_size(&t));
}

void tw_writer_double(struct tw_trace_writer *writer, uint32_t field, double value)
{
    uint8_t tmp[SCALAR_MAX];
    struct tw_writer t = tw_writer_of(tmp, sizeof(tmp));

    tw_put_double(&t, field, value);
    tw_trace_writer_put(writer, tmp, tw_writer_size(&t));
}

void tw_writer_bytes(struct tw_trace_writer *writer, uint32_t field, struct tw_bytes value)
{
    uint8_t tmp[SCALAR_MAX];
    struct tw_writer t = tw_writer_of(tmp, sizeof(tmp));

    tw_put_varint(&t, (uint64_t)field << 3 | 2 /* LEN */);
    tw_put_varint(&t, value.n);
    tw_trace_writer_put(writer, tmp, tw_writer_size(&t));
    tw_trace_writer_put(writer, value.p, value.n);
}

void tw_writer_str(struct tw_trace_writer *writer, uint32_t field, const char *value)
{
    tw_writer_bytes(writer, field,
                    (struct tw_bytes){.p = (const uint8_t *)value, .n = strlen(value)});
}
