/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"

#include <stdlib.h>
#include <string.h>

/* Bytes of an ordinary block: holds what nearly every port message needs. */
enum { ARENA_BLOCK = 16 * 1024 - 64 };

struct tw_arena_block {
    struct tw_arena_block *next;
    size_t used, cap;
    alignas(max_align_t) uint8_t data[];
};

static void free_blocks(struct tw_arena_block *b)
{
    while (b) {
        struct tw_arena_block *next = b->next;

        free(b);
        b = next;
    }
}

void tw_arena_reset(struct tw_arena *arena)
{
    struct tw_arena_block *keep = arena->blocks;

    arena->used = 0;
    if (!keep)
        return;
    free_blocks(keep->next);
    keep->next = NULL;
    keep->used = 0;
    if (keep->cap > ARENA_BLOCK) { /* a rare large message must not pin its memory */
        free(keep);
        arena->blocks = NULL;
    }
}

void tw_arena_deinit(struct tw_arena *arena)
{
    if (!arena)
        return;
    free_blocks(arena->blocks);
    *arena = TW_ARENA_INIT(arena->max);
}

static struct tw_arena_block *block_for(struct tw_arena *arena, size_t n)
{
    struct tw_arena_block *b = arena->blocks;
    size_t cap = tw_max(n, ARENA_BLOCK);

    if (b && n <= b->cap - b->used)
        return b;
    b = malloc(sizeof(*b) + cap);
    if (!b)
        return NULL;
    *b = (struct tw_arena_block){.next = arena->blocks, .cap = cap};
    arena->blocks = b;
    return b;
}

void *tw_arena_alloc(struct tw_arena *arena, size_t n)
{
    struct tw_arena_block *b;
    void *p;

    if (n > arena->max - arena->used)
        return NULL;
    n = tw_arena_size(n);
    if (n > arena->max - arena->used) /* the rounding may pass the cap too */
        return NULL;
    b = block_for(arena, n);
    if (!b)
        return NULL;
    p = b->data + b->used;
    b->used += n;
    arena->used += n;
    return p;
}

char *tw_arena_strndup(struct tw_arena *arena, const void *p, size_t n)
{
    char *s = n < SIZE_MAX ? tw_arena_alloc(arena, n + 1) : NULL;

    if (!s)
        return NULL;
    if (n)
        memcpy(s, p, n);
    s[n] = '\0';
    return s;
}
