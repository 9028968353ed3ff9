/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A bump allocator with a hard cap. What a peer's message may cost is the cap; everything is given
 * back at once. Not thread-safe.
 */
#pragma once

#include <stdalign.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct tw_arena_block;

struct tw_arena {
    struct tw_arena_block *blocks; /* newest first */
    size_t used;                   /* bytes handed out since the last reset, with alignment */
    size_t max;                    /* bytes that may be handed out between two resets */
};

#define TW_ARENA_INIT(limit) ((struct tw_arena){.max = (limit)})

/* What an allocation of n bytes takes from the cap. */
static inline size_t tw_arena_size(size_t n)
{
    const size_t mask = alignof(max_align_t) - 1;

    return (n + mask) & ~mask;
}

/* Gives everything back but one block, which the next user gets for nothing. */
void tw_arena_reset(struct tw_arena *arena);
/* Gives everything back. NULL is fine. */
void tw_arena_deinit(struct tw_arena *arena);
/* n bytes aligned for any type, not cleared; NULL past the cap or when memory is short. */
TW_MUST_USE void *tw_arena_alloc(struct tw_arena *arena, size_t n);
/* A NUL-terminated copy of n bytes; NULL as above. */
TW_MUST_USE char *tw_arena_strndup(struct tw_arena *arena, const void *p, size_t n);
