/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory that another process may change at any time. Its type is incomplete and volatile, so the
 * compiler takes no dereference, subscript or arithmetic of it and makes no other pointer of it by
 * itself: the functions below are the one way to its bytes, each reads every byte once, and what
 * it returned is what is checked and used. Only shared.c casts the pointer, which
 * scripts/shared-memory makes sure of.
 *
 * Fields are little-endian; p is aligned to their size. Thread-safe.
 */
#pragma once

#include "tracewire/common.h"

struct tw_shared;

struct tw_shared_bytes {
    volatile struct tw_shared *p;
    size_t n; /* bytes */
};

/* Sees all that was stored before what it reads was (acquire). */
TW_MUST_USE uint16_t tw_shared_load16(volatile struct tw_shared *p);
TW_MUST_USE uint32_t tw_shared_load32(volatile struct tw_shared *p);
/* Whoever loads this sees all that was stored before (release). */
void tw_shared_store16(volatile struct tw_shared *p, uint16_t value);
void tw_shared_store32(volatile struct tw_shared *p, uint32_t value);
/* True when *expected was there and next is now; else *expected is what is there. */
TW_MUST_USE bool tw_shared_exchange32(volatile struct tw_shared *p, uint32_t *expected,
                                      uint32_t next);
/* What lands in dst is one version of each byte, whatever happens to src meanwhile. */
void tw_shared_copy(void *dst, volatile struct tw_shared *src, size_t n);

volatile struct tw_shared *tw_shared_at(volatile struct tw_shared *p, size_t offset);
bool tw_shared_is_aligned(volatile struct tw_shared *p, size_t to);
/* Memory of our own or a fresh mapping, from now on taken for shared. */
volatile struct tw_shared *tw_shared_of(const void *p);
/* The way back, for who has the bytes to itself: a writer in the chunk that it acquired, munmap().
 * Never for the service: scripts/shared-memory says who may. */
uint8_t *tw_shared_own(volatile struct tw_shared *p);
