/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/writer.h"

#include <string.h>

#include "wire/raw.h"

size_t tw_varint_size(uint64_t value)
{
    size_t n = 1;

    while (value >>= 7)
        n++;
    return n;
}

void tw_write_padded_size(uint8_t dst[TW_WIRE_SIZE_BYTES], uint32_t size)
{
    (void)tw_raw_padded_size(dst, size);
}

/* Room for n bytes, or NULL and overflow from now on. */
static uint8_t *take(struct tw_writer *w, size_t n)
{
    uint8_t *at = w->p;

    if (w->overflow || n > (size_t)(w->end - w->p)) {
        w->overflow = true;
        return NULL;
    }
    if (n) /* p may be NULL when there is no room at all */
        w->p += n;
    return at;
}

void tw_put_varint(struct tw_writer *w, uint64_t value)
{
    uint8_t *at = take(w, tw_varint_size(value));

    if (at)
        (void)tw_raw_varint(at, value);
}

void tw_put_raw(struct tw_writer *w, const void *p, size_t n)
{
    uint8_t *at = take(w, n);

    if (at && n)
        memcpy(at, p, n);
}

static void put_tag(struct tw_writer *w, uint32_t field, enum tw_wire_type type)
{
    tw_put_varint(w, (uint64_t)field << 3 | (uint64_t)type);
}

void tw_put_u64(struct tw_writer *w, uint32_t field, uint64_t value)
{
    put_tag(w, field, TW_WIRE_VARINT);
    tw_put_varint(w, value);
}

void tw_put_i64(struct tw_writer *w, uint32_t field, int64_t value)
{
    tw_put_u64(w, field, (uint64_t)value);
}

void tw_put_bool(struct tw_writer *w, uint32_t field, bool value)
{
    tw_put_u64(w, field, value ? 1 : 0);
}

void tw_put_fixed64(struct tw_writer *w, uint32_t field, uint64_t value)
{
    uint8_t le[8];

    (void)tw_raw_fixed64(le, value);
    put_tag(w, field, TW_WIRE_FIXED64);
    tw_put_raw(w, le, sizeof(le));
}

void tw_put_double(struct tw_writer *w, uint32_t field, double value)
{
    uint64_t bits;

    _Static_assert(sizeof(bits) == sizeof(value), "double is IEEE 754 binary64");
    memcpy(&bits, &value, sizeof(bits));
    tw_put_fixed64(w, field, bits);
}

void tw_put_len(struct tw_writer *w, uint32_t field, size_t n)
{
    put_tag(w, field, TW_WIRE_LEN);
    tw_put_varint(w, n);
}

void tw_put_bytes(struct tw_writer *w, uint32_t field, struct tw_bytes value)
{
    tw_put_len(w, field, value.n);
    tw_put_raw(w, value.p, value.n);
}

void tw_put_str(struct tw_writer *w, uint32_t field, const char *value)
{
    tw_put_len(w, field, strlen(value));
    tw_put_raw(w, value, strlen(value));
}

uint8_t *tw_put_begin(struct tw_writer *w, uint32_t field)
{
    put_tag(w, field, TW_WIRE_LEN);
    return take(w, TW_WIRE_SIZE_BYTES);
}

void tw_put_end(struct tw_writer *w, uint8_t *nested)
{
    size_t size;

    if (w->overflow || !nested)
        return;
    size = (size_t)(w->p - nested) - TW_WIRE_SIZE_BYTES;
    if (size > TW_WIRE_SIZE_MAX) {
        w->overflow = true;
        return;
    }
    tw_write_padded_size(nested, (uint32_t)size);
}
