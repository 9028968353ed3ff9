/* SPDX-License-Identifier: Apache-2.0 */
#include "smb/shared.h"

#include <endian.h>
#include <stdatomic.h>
#include <string.h>

/* Through an integer: a cast alone would silently take volatile away. */
uint8_t *tw_shared_own(volatile struct tw_shared *p)
{
    return (uint8_t *)(uintptr_t)p;
}

volatile struct tw_shared *tw_shared_of(const void *p)
{
    return (volatile struct tw_shared *)(uintptr_t)p;
}

volatile struct tw_shared *tw_shared_at(volatile struct tw_shared *p, size_t offset)
{
    return (volatile struct tw_shared *)((uintptr_t)p + offset);
}

bool tw_shared_is_aligned(volatile struct tw_shared *p, size_t to)
{
    return (uintptr_t)p % to == 0;
}

static volatile _Atomic uint16_t *word16(volatile struct tw_shared *p)
{
    return (volatile void *)p;
}

static volatile _Atomic uint32_t *word32(volatile struct tw_shared *p)
{
    return (volatile void *)p;
}

uint16_t tw_shared_load16(volatile struct tw_shared *p)
{
    return le16toh(atomic_load_explicit(word16(p), memory_order_acquire));
}

uint32_t tw_shared_load32(volatile struct tw_shared *p)
{
    return le32toh(atomic_load_explicit(word32(p), memory_order_acquire));
}

void tw_shared_store16(volatile struct tw_shared *p, uint16_t value)
{
    atomic_store_explicit(word16(p), htole16(value), memory_order_release);
}

void tw_shared_store32(volatile struct tw_shared *p, uint32_t value)
{
    atomic_store_explicit(word32(p), htole32(value), memory_order_release);
}

bool tw_shared_exchange32(volatile struct tw_shared *p, uint32_t *expected, uint32_t next)
{
    uint32_t raw = htole32(*expected);
    bool done = atomic_compare_exchange_strong_explicit(word32(p), &raw, htole32(next),
                                                        memory_order_acq_rel, memory_order_acquire);

    *expected = le32toh(raw);
    return done;
}

void tw_shared_copy(void *dst, volatile struct tw_shared *src, size_t n)
{
    if (n)
        memcpy(dst, tw_shared_own(src), n);
    /* Keeps the compiler from reading src again where dst is used. */
    __asm__ volatile("" : : "r"(dst) : "memory");
}
