/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of the text format parser that know fields: names, single values, their order. */
#pragma once

#include "consumer/textlex.h"
#include "wire/reader.h"
#include "wire/writer.h"

enum { TW_TEXT_FIELDS_MAX = 256 }; /* fields of one message; the schema has 50 */

struct tw_text {
    struct tw_lex lex;
    struct tw_buf *out;
    unsigned depth;
};

/* What one message has had so far. */
struct tw_text_seen {
    uint64_t fields[TW_TEXT_FIELDS_MAX / 64]; /* a bit for each field, by its index */
    uint32_t last;                            /* the number of the last field */
    bool unsorted;                            /* a number was smaller than the one before it */
};

/* The field that the current token names. */
TW_MUST_USE int tw_text_find_field(struct tw_text *t, const ProtobufCMessageDescriptor *d,
                                   const ProtobufCFieldDescriptor **ret_field);
/* Notes that the field is given once more, at the current token. Refuses what may not be. */
TW_MUST_USE int tw_text_see(struct tw_text *t, const ProtobufCMessageDescriptor *d,
                            const ProtobufCFieldDescriptor *f, struct tw_text_seen *seen);

/* Reads one number, truth value or name of an enum value, and moves on. The bits are those of an
 * int64_t or uint64_t, or of the float or double. */
TW_MUST_USE int tw_text_scalar(struct tw_text *t, const ProtobufCFieldDescriptor *f,
                               uint64_t *ret_bits);
/* Writes the tag and the value. */
void tw_text_put_scalar(struct tw_writer *w, const ProtobufCFieldDescriptor *f, uint64_t bits);

/* Brings the fields behind start into the order of their numbers; those with the same number keep
 * theirs. The bytes are well-formed. */
TW_MUST_USE int tw_text_sort(struct tw_buf *out, size_t start);
