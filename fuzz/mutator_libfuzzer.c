/* SPDX-License-Identifier: Apache-2.0 */
/* The mutator as libFuzzer calls it. MUTATOR_TARGET is the name of the target. */
#include "fuzz/mutator.h"

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed);
size_t LLVMFuzzerCustomCrossOver(const uint8_t *a, size_t n_a, const uint8_t *b, size_t n_b,
                                 uint8_t *out, size_t max, unsigned seed);

enum { PLAIN_ONE_IN = 4 }; /* how often libFuzzer has its own way: it knows the dictionary */

static size_t engine_bytes(struct mutator *m, uint8_t *p, size_t n, size_t max)
{
    (void)m;
    return max ? LLVMFuzzerMutate(p, n, max) : 0;
}

static struct mutator mutator_here(unsigned seed)
{
    struct mutator m = mutator_of(mutator_layout_of(MUTATOR_TARGET), seed);

    m.bytes = engine_bytes;
    return m;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed)
{
    struct mutator m = mutator_here(seed);
    size_t n = mutator_below(&m, PLAIN_ONE_IN) ? mutator_mutate(&m, data, size, max) : 0;

    return n ? n : LLVMFuzzerMutate(data, size, max);
}

size_t LLVMFuzzerCustomCrossOver(const uint8_t *a, size_t n_a, const uint8_t *b, size_t n_b,
                                 uint8_t *out, size_t max, unsigned seed)
{
    struct mutator m = mutator_here(seed);
    size_t n = n_a < max ? n_a : max;

    for (size_t i = 0; i < n; i++)
        out[i] = a[i];
    m.other = (struct tw_bytes){b, n_b};
    return mutator_mutate(&m, out, n, max);
}
