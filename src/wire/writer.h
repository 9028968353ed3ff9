/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A bounded writer of the protobuf wire format into memory the caller owns. A write that does not
 * fit writes nothing and sets overflow, which stays set, so that a caller may check once at the
 * end. Uses no libc but memcpy.
 */
#pragma once

#include "tracewire/common.h"

/* A nested message gets a size of this many bytes (a padded varint), filled in when it ends. */
enum { TW_WIRE_SIZE_BYTES = 4 };
/* The largest size that fits TW_WIRE_SIZE_BYTES, 2^28 - 1 bytes. */
#define TW_WIRE_SIZE_MAX UINT32_C(0x0fffffff)

struct tw_writer {
    uint8_t *begin, *p, *end;
    bool overflow;
};

static inline struct tw_writer tw_writer_of(void *p, size_t n)
{
    uint8_t *b = p;

    return (struct tw_writer){.begin = b, .p = b, .end = b ? b + n : b};
}

static inline size_t tw_writer_size(const struct tw_writer *w)
{
    return (size_t)(w->p - w->begin);
}

/* How many bytes value takes as a varint, 1 to 10. */
size_t tw_varint_size(uint64_t value);
/* Writes size as a padded varint of exactly 4 bytes; size is at most TW_WIRE_SIZE_MAX. */
void tw_write_padded_size(uint8_t dst[TW_WIRE_SIZE_BYTES], uint32_t size);

void tw_put_varint(struct tw_writer *w, uint64_t value);
void tw_put_raw(struct tw_writer *w, const void *p, size_t n);

/* Fields: the tag and the value. field is 1 to TW_WIRE_FIELD_MAX. */
void tw_put_u64(struct tw_writer *w, uint32_t field, uint64_t value);
/* int32, int64 and enums: negative values take ten bytes, as protobuf wants. */
void tw_put_i64(struct tw_writer *w, uint32_t field, int64_t value);
void tw_put_bool(struct tw_writer *w, uint32_t field, bool value);
void tw_put_fixed64(struct tw_writer *w, uint32_t field, uint64_t value);
void tw_put_double(struct tw_writer *w, uint32_t field, double value);
void tw_put_bytes(struct tw_writer *w, uint32_t field, struct tw_bytes value);
void tw_put_str(struct tw_writer *w, uint32_t field, const char *value);
/* The tag and the length of a LEN field whose n bytes the caller writes next. */
void tw_put_len(struct tw_writer *w, uint32_t field, size_t n);

/* Bytes of what tw_put_len() writes for a field of a tag of one byte. */
static inline size_t tw_len_size(size_t n)
{
    return 1 + tw_varint_size(n);
}

/* A nested message: begin returns what end wants. Nests freely, ends in reverse order. */
TW_MUST_USE uint8_t *tw_put_begin(struct tw_writer *w, uint32_t field);
void tw_put_end(struct tw_writer *w, uint8_t *nested);
