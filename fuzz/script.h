/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A script: operations of one shape, so that the mutator can move them without knowing them.
 *
 *   script := operation*      operation := u8 what, u8 arg, u16 size, size bytes of body
 *
 * Sizes are little-endian. A last operation that is cut short has as much of a body as is left.
 */
#pragma once

#include "fuzz/input.h"

enum { SCRIPT_HEADER = 4 };

struct script_op {
    uint8_t what, arg;
    struct tw_bytes body;
};

static inline struct tw_bytes script_take(struct tw_bytes *input, size_t n)
{
    struct tw_bytes taken = {.p = input->p, .n = tw_min(n, input->n)};

    input->p = taken.n ? input->p + taken.n : input->p;
    input->n -= taken.n;
    return taken;
}

static inline uint16_t script_u16(struct tw_bytes *input)
{
    uint16_t low = input_byte(input);

    return (uint16_t)(low | input_byte(input) << 8);
}

/* false when none is left. */
static inline bool script_next(struct tw_bytes *input, struct script_op *ret_op)
{
    if (input->n == 0)
        return false;
    ret_op->what = input_byte(input);
    ret_op->arg = input_byte(input);
    ret_op->body = script_take(input, script_u16(input));
    return true;
}
