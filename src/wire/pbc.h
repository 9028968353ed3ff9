/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Decoding with protobuf-c into an arena, and encoding. protobuf-c allocates a piece of memory for
 * each field, puts no bound on the sum, recurses and ends a string at its first NUL byte; so every
 * message passes the pre-scan first, which bounds all that and leaves no string to be shortened.
 * Fields that the schema does not know are kept and come back, byte for byte, behind the known
 * ones.
 */
#pragma once

#include <protobuf-c/protobuf-c.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "wire/scan.h"

/*
 * The message lives in the arena until that is reset; nothing else is to be freed. What tw_scan()
 * says when it refuses the message, TW_E_LIMIT too when it costs more than the arena may still
 * hold: the arena is untouched then. -ENOMEM when memory is short: the arena holds what was decoded
 * so far.
 */
TW_MUST_USE int tw_pbc_unpack(const ProtobufCMessageDescriptor *d, struct tw_arena *a,
                              struct tw_bytes in, ProtobufCMessage **ret_msg);
/* The same, and why a message was refused: ret_fault is set with TW_E_PROTOCOL and TW_E_LIMIT. */
TW_MUST_USE int tw_pbc_unpack_why(const ProtobufCMessageDescriptor *d, struct tw_arena *a,
                                  struct tw_bytes in, ProtobufCMessage **ret_msg,
                                  struct tw_scan_fault *ret_fault);

/* Appends the encoded message. TW_E_LIMIT past the limit of out or TW_SCAN_MESSAGE_MAX, -ENOMEM;
 * out is unchanged then. */
TW_MUST_USE int tw_pbc_pack(const ProtobufCMessage *m, struct tw_buf *out);

/* Whether two decoded messages say the same: a field that is not there says its default, a message
 * that is not there nothing. Unknown fields are the same when their bytes are, in order. Fields
 * that ignores, unless it is NULL, says true of are not looked at. Messages deeper than
 * TW_SCAN_DEPTH_MAX, which decoding does not make, are never the same. */
typedef bool tw_pbc_ignores(const ProtobufCFieldDescriptor *field);
bool tw_pbc_equal(const ProtobufCMessage *a, const ProtobufCMessage *b, tw_pbc_ignores *ignores);

/* protobuf-c's strings are char *, though encoding only reads them. */
static inline char *tw_pbc_str(const char *str)
{
    union {
        const char *in;
        char *out;
    } both = {.in = str};

    return both.out;
}
