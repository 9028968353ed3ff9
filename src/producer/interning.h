/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Strings of one kind that a sequence knows by number. They are static, and so recognised by their
 * addresses, without a look at what is there.
 */
#pragma once

#include "tracewire/common.h"

/* Strings of one kind; more are written out. Slots are a power of two. */
enum { TW_INTERN_BITS = 8, TW_INTERN_SLOTS = 1 << TW_INTERN_BITS };
enum { TW_INTERN_MAX = TW_INTERN_SLOTS * 3 / 4 };

struct tw_interned {
    const void *text; /* NULL: a free slot */
    uint32_t iid;     /* from 1 */
};

/* All zero is an empty one. */
struct tw_intern_table {
    struct tw_interned slot[TW_INTERN_SLOTS];
    uint32_t n;
};

/* Where the string is, or would be. One multiplication: the upper bits depend on all the lower. */
static inline struct tw_interned *tw_interned_at(struct tw_intern_table *table, const void *text)
{
    uint64_t hash = (uint64_t)(uintptr_t)text * UINT64_C(0x9e3779b97f4a7c15);
    size_t i = (size_t)(hash >> (64 - TW_INTERN_BITS));

    /* Ends because the table is never full. */
    while (table->slot[i].text != text && table->slot[i].text)
        i = (i + 1) % TW_INTERN_SLOTS;
    return &table->slot[i];
}

/* The number of the string that begins there; 0: the sequence has not been told of it. */
static inline uint32_t tw_interned(struct tw_intern_table *table, const void *text)
{
    return tw_interned_at(table, text)->iid;
}

/* Gives the string, which has none yet, a number; 0 when there is no more room, and it has to be
 * written out. */
uint32_t tw_intern(struct tw_intern_table *table, const void *text);

/* The finaliser of SplitMix64: spreads what differs in few bits over all of them. */
uint64_t tw_mix(uint64_t x);
