/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Strings of one kind that a sequence knows by number. They are static, and so recognised by their
 * addresses.
 */
#pragma once

#include "tracewire/common.h"

/* Strings of one kind; more are written out. Slots are a power of two. */
enum { TW_INTERN_SLOTS = 256, TW_INTERN_MAX = TW_INTERN_SLOTS * 3 / 4 };

/* All zero is an empty one. */
struct tw_intern_table {
    const char *key[TW_INTERN_SLOTS];
    uint32_t iid[TW_INTERN_SLOTS]; /* from 1 */
    uint32_t n;
};

/* A string for the packet at hand: a number that the sequence knows or is told now, or itself. */
struct tw_intern {
    const char *text;
    uint32_t iid; /* 0: written out */
    bool is_new;
};

struct tw_intern tw_intern(struct tw_intern_table *table, const char *text);

/* The finaliser of SplitMix64: spreads what differs in few bits over all of them. */
uint64_t tw_mix(uint64_t x);
