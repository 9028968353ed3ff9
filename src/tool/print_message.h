/* SPDX-License-Identifier: Apache-2.0 */
/* Any decoded protobuf-c message as indented text, much like protobuf's own. */
#pragma once

#include <protobuf-c/protobuf-c.h>
#include <stdio.h>

#include "base/macros.h"

enum {
    TW_PRINT_DEPTH_MAX = 32,   /* messages inside each other; the schema has fewer */
    TW_PRINT_BYTES_MAX = 64,   /* of a bytes field; the rest is counted */
    TW_PRINT_STRING_MAX = 512, /* of a string */
};

/* Fields nobody has set are left out; those the schema does not know are shown as number and size.
 */
void tw_print_message(FILE *out, const ProtobufCMessage *msg, int indent);
/* At most max of the bytes, quoted and with everything unprintable escaped; how many were left out
 * follows. */
void tw_print_quoted(FILE *out, struct tw_bytes bytes, size_t max);
