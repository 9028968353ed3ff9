/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Protobuf text format to wire format, for trace configs that people write. Driven by the tables of
 * protobuf-c, so that every message of spec/proto can be read; nothing is unpacked on the way.
 *
 * The result is what protoc --encode makes of the same text, with one exception: numbers of a
 * packed field are written one by one, which every decoder accepts as well. As there, a field that
 * is not repeated may be given once only, and only one member of a oneof. Stricter than there:
 * escapes past one byte (\777) and halves of surrogate pairs are refused. Extensions and Any are
 * not supported.
 */
#pragma once

#include <protobuf-c/protobuf-c.h>

#include "base/bytes.h"

enum {
    TW_TEXT_ERROR_MAX = 200, /* bytes with the NUL: fits a line of a terminal or two */
    TW_TEXT_DEPTH_MAX = 32,  /* messages inside each other; the schema has 7 */
};
/* Bytes of text; a trace config that fits a frame has far fewer. */
#define TW_TEXT_MAX (UINT32_C(4) << 20)

struct tw_text_error {
    uint32_t line, column;        /* both from 1; columns are bytes */
    char text[TW_TEXT_ERROR_MAX]; /* printable; print it as "line:column: text" */
};

/* Appends the wire format of text, a message of type d, to out. TW_E_INVALID when text is wrong:
 * then, and only then, ret_error is set. TW_E_LIMIT past TW_TEXT_MAX or the limit of out, -ENOMEM.
 * out is unchanged after a failure. */
TW_MUST_USE int tw_text_parse(const ProtobufCMessageDescriptor *d, struct tw_bytes text,
                              struct tw_buf *out, struct tw_text_error *ret_error);
