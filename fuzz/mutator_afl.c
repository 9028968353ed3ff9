/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The mutator as AFL++ calls it: a shared library of its own, named in AFL_CUSTOM_MUTATOR_LIBRARY.
 * MUTATOR_TARGET is the name of the target.
 */
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"
#include "fuzz/mutator.h"

#define EXPORTED __attribute__((visibility("default")))

void *afl_custom_init(void *afl, unsigned seed);
size_t afl_custom_fuzz(void *data, uint8_t *in, size_t n, uint8_t **ret_out, uint8_t *other,
                       size_t n_other, size_t max);
void afl_custom_deinit(void *data);

struct state {
    struct mutator mutator;
    uint8_t *out;
    size_t cap;
};

EXPORTED void *afl_custom_init(void *afl, unsigned seed)
{
    struct state *state = calloc(1, sizeof(*state));

    (void)afl;
    if (state)
        state->mutator = mutator_of(mutator_layout_of(MUTATOR_TARGET), seed);
    return state;
}

/* 0 tells AFL++ to go on without this one. */
EXPORTED size_t afl_custom_fuzz(void *data, uint8_t *in, size_t n, uint8_t **ret_out,
                                uint8_t *other, size_t n_other, size_t max)
{
    struct state *state = data;

    if (state->cap < max) {
        free(state->out);
        state->out = malloc(max);
        state->cap = state->out ? max : 0;
    }
    *ret_out = state->out;
    if (!state->out)
        return 0;
    n = tw_min(n, max);
    memcpy(state->out, in, n);
    state->mutator.other = (struct tw_bytes){other, n_other};
    return mutator_mutate(&state->mutator, state->out, n, max);
}

EXPORTED void afl_custom_deinit(void *data)
{
    struct state *state = data;

    free(state->out);
    free(state);
}
