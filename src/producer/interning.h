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
    const void *key[TW_INTERN_SLOTS];
    uint32_t iid[TW_INTERN_SLOTS]; /* from 1 */
    uint32_t n;
};

/* The number of the string that begins there; 0 when there is no more room, and it has to be
 * written out. *ret_new: the sequence has not been told of it yet. */
uint32_t tw_intern(struct tw_intern_table *table, const void *text, bool *ret_new);

/* The finaliser of SplitMix64: spreads what differs in few bits over all of them. */
uint64_t tw_mix(uint64_t x);
