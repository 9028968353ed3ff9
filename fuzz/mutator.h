/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A mutator that knows what an input is made of: choices, frames, messages of the schema, scripts.
 * It changes one thing and makes the sizes around it right again, so that what comes out is nearly
 * always read to the end. libFuzzer and AFL++ share it (mutator_libfuzzer.c, mutator_afl.c); what
 * it does depends on nothing but its seed and the input.
 */
#pragma once

#include <protobuf-c/protobuf-c.h>

#include "tracewire/common.h"

enum mutator_body {
    MUTATOR_FRAMES,  /* a stream of frames */
    MUTATOR_PAYLOAD, /* the payload of one frame */
    MUTATOR_MESSAGE, /* one message */
    MUTATOR_SCRIPT,  /* operations */
};

/* How the inputs of a target begin and what follows. */
struct mutator_layout {
    const char *target;
    uint8_t fixed; /* bytes of choices */
    uint8_t lists; /* lists of choices behind them, each with its length in a byte */
    enum mutator_body body;
    /* NULL: the first byte chooses it (fuzz/messages.h), in a script a method. */
    const ProtobufCMessageDescriptor *message;
    uint8_t n_ops;          /* scripts: kinds of operations */
    uint32_t ops_of_frames; /* a bit for each kind whose body is a stream of frames */
    uint32_t
        ops_of_message; /* a bit for each whose body is a message, or two bytes and a method's */
    /* Scripts whose operations are not those of fuzz/script.h: what lies behind the first byte of
     * each kind, a letter for an operand. A kind that has frames is "l", one of a message "1b".
     *   1 to 9  so many bytes
     *   l, b    bytes, with their number in one byte in front, or in two
     *   f, h    a byte that says in bits 3 to 5, or from bit 3 on, how many come at the end
     *   p       a byte that says in bits 0 and 1 how many groups of five come at the end
     *   c       a byte, but only if the first of the operation is below 128 */
    const char *const *shapes;
};

/* NULL for a target that has its own kind of input. */
const struct mutator_layout *mutator_layout_of(const char *target);

/* What was done. The first groups come for operations, frames and fields alike. */
enum mutation {
    MUTATE_OP_INSERT,
    MUTATE_OP_DELETE,
    MUTATE_OP_DUPLICATE,
    MUTATE_OP_SWAP,
    MUTATE_FRAME_INSERT,
    MUTATE_FRAME_DELETE,
    MUTATE_FRAME_DUPLICATE,
    MUTATE_FRAME_SWAP,
    MUTATE_FIELD_INSERT,
    MUTATE_FIELD_DELETE,
    MUTATE_FIELD_DUPLICATE,
    MUTATE_FIELD_SWAP,
    MUTATE_OP_HEAD,     /* what an operation is or does it to */
    MUTATE_FRAME_SPLIT, /* one frame becomes two */
    MUTATE_FRAME_MERGE, /* two become one */
    MUTATE_FRAME_SIZE,  /* a size that is not true */
    MUTATE_FIELD_TYPE,
    MUTATE_FIELD_NUMBER,
    MUTATE_FIELD_LONG, /* a varint longer than it needs to be, or than it may be */
    MUTATE_FIELD_VALUE,
    MUTATE_FIELD_NEST, /* inside itself, up to a hundred times */
    MUTATE_FIELD_SIZE, /* a size that is not true */
    MUTATE_FIELD_BYTES,
    MUTATE_CHOICE,
    MUTATE_CROSS, /* a piece of another input */
    MUTATE_MAX,
};

struct mutator {
    const struct mutator_layout *layout;
    uint64_t state; /* of the random numbers */
    uint8_t *data;
    size_t n, max;
    struct tw_bytes other; /* another input, to take pieces from; may be empty */
    /* Changes any bytes; returns how many there are then. */
    size_t (*bytes)(struct mutator *m, uint8_t *p, size_t n, size_t max);
    uint32_t done[MUTATE_MAX]; /* how often each was done */
};

struct mutator mutator_of(const struct mutator_layout *layout, uint64_t seed);

/* Changes the n bytes at data, of at most max, a few times. Returns how many there are then, at
 * most max, or 0 when nothing could be changed. */
size_t mutator_mutate(struct mutator *m, uint8_t *data, size_t n, size_t max);

/* 0 to n - 1; n is not 0. */
uint32_t mutator_below(struct mutator *m, uint32_t n);
