/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One input through our decoders and through the oracle. A difference fails the test and prints the
 * input. What was counted is printed at the end, so that a run over nothing would be seen.
 */
#pragma once

#include "tests/harness.h"

#include "base/arena.h"
#include "tests/exhaustive/oracle.h"

struct compared {
    uint64_t inputs, accepted, encoded;
    struct tw_arena arena;
};

#define COMPARED_INIT                                                                              \
    {                                                                                              \
        .arena = TW_ARENA_INIT((size_t)8 * 1024 * 1024)                                            \
    }

/* Prints the counts under a name and frees what was kept. */
void compared_done(struct compared *c, const char *name);

/* A payload: verdict, reason and value of tw_frame_decode(); and what was accepted, encoded and
 * decoded again, has the same value. */
void compare_payload(struct compared *c, struct tw_bytes payload);
/* A stream, its bytes all there: tw_frame_next() to its end. */
void compare_stream(struct compared *c, struct tw_bytes stream);
/* A message: the verdict, rule and place of tw_scan(); what it accepts is unpacked within the cost
 * that it promised. */
void compare_message(struct compared *c, const ProtobufCMessageDescriptor *d, struct tw_bytes in);
