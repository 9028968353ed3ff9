/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Decoding with protobuf-c into an arena, and encoding. protobuf-c allocates a piece of memory for
 * each field and puts no bound on the sum; here the cap of the arena is the bound. The depth of a
 * decoded message is bounded by the schema, in which no message contains itself. Fields that the
 * schema does not know are kept and come back, byte for byte, behind the known ones.
 *
 * A string ends at its first NUL byte: a peer that sends one inside a string loses the rest of it.
 */
#pragma once

#include <protobuf-c/protobuf-c.h>

#include "base/arena.h"
#include "base/bytes.h"

/* Bytes of one encoded message. More than any frame holds, and far below 4 GiB, where the 32-bit
 * counts of protobuf-c would wrap. */
#define TW_PBC_MESSAGE_MAX (UINT32_C(16) << 20)

/* The message lives in the arena until that is reset; nothing else is to be freed. TW_E_PROTOCOL
 * when it is malformed, TW_E_LIMIT when it is longer than TW_PBC_MESSAGE_MAX or costs more than
 * the arena may hold, -ENOMEM. After a failure the arena holds what was decoded so far. */
TW_MUST_USE int tw_pbc_unpack(const ProtobufCMessageDescriptor *d, struct tw_arena *a,
                              struct tw_bytes in, ProtobufCMessage **ret_msg);

/* Appends the encoded message. TW_E_LIMIT past the limit of out or TW_PBC_MESSAGE_MAX, -ENOMEM;
 * out is unchanged then. */
TW_MUST_USE int tw_pbc_pack(const ProtobufCMessage *m, struct tw_buf *out);

/* protobuf-c's strings are char *, though encoding only reads them. */
static inline char *tw_pbc_str(const char *str)
{
    union {
        const char *in;
        char *out;
    } both = {.in = str};

    return both.out;
}
