/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pre-scan: a whole message is checked against its schema before anything is allocated for it.
 * One pass over the bytes, no memory but a fixed stack of levels, no recursion. What it accepts,
 * protobuf-c's unpack accepts too, with the same meaning, and takes no more memory than was said.
 *
 * It is driven by the tables that protobuf-c generates, so it knows every message of the schema.
 */
#pragma once

#include <protobuf-c/protobuf-c.h>

#include "tracewire/common.h"

enum {
    /* Messages inside each other, the outermost included. The schema, in which no message contains
     * itself, stays far below (a test holds it to that); a recursive one would end here. */
    TW_SCAN_DEPTH_MAX = 64,
    /* Fields that one message of the schema may declare: as many as a word has bits. */
    TW_SCAN_FIELDS_MAX = 64,
};

/* Bytes of one encoded message. More than any frame holds, and far below 4 GiB, where the 32-bit
 * counts of protobuf-c would wrap. */
#define TW_SCAN_MESSAGE_MAX (UINT32_C(16) << 20)
/* Bytes of memory that the decoded form of a message of n bytes may take: the base and n times the
 * rest. Recorded messages of 64 bytes and more take up to 16 bytes for a byte, most of it the
 * structures of small nested messages; the base is there so that short ones need no thought. */
#define TW_SCAN_COST_BASE     ((size_t)64 * 1024)
#define TW_SCAN_COST_PER_BYTE ((size_t)32)

#define TW_SCAN_COST_MAX(n) (TW_SCAN_COST_BASE + TW_SCAN_COST_PER_BYTE * (n))

/* Why a message was refused, for those who print it. */
struct tw_scan_fault {
    const char *why;     /* static: the requirement and a sentence, "TW-ENC-011: ..." */
    const char *message; /* static: schema name of the innermost message at fault */
    uint32_t field;      /* its number, 0 where no field could be read */
    size_t offset;       /* bytes from the start of the input to the tag of that field */
};

/*
 * 0 and an upper bound of the bytes that protobuf_c_message_unpack() takes from a tw_arena for the
 * message in; TW_E_PROTOCOL when a rule of the encoding is broken; TW_E_LIMIT when it is longer
 * than TW_SCAN_MESSAGE_MAX, nested deeper than TW_SCAN_DEPTH_MAX or dearer than TW_SCAN_COST_MAX.
 * ret_fault may be NULL; it is set only when the message is refused. Takes time in proportion to
 * in.n, whatever is in it.
 */
TW_MUST_USE int tw_scan(const ProtobufCMessageDescriptor *d, struct tw_bytes in, size_t *ret_cost,
                        struct tw_scan_fault *ret_fault);
