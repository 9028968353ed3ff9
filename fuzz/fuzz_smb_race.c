/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The target commit (fuzz_commit.c) with a page that changes between any two looks at it: every
 * read of shared memory comes here first, and the input says what the other process did meanwhile.
 *
 *   input  := u8 size, that many bytes of change*, script of commit
 *   change := u8 what, and unless that is 0: u8 at, u32 value
 *
 * The linker's --wrap puts this in front of the accessors of smb/shared.h.
 */
#include <string.h>

#include "base/req.h"
#include "fuzz/input.h"
#include "smb/abi.h"

int __real_LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int __wrap_LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
uint16_t __real_tw_shared_load16(volatile struct tw_shared *p);
uint16_t __wrap_tw_shared_load16(volatile struct tw_shared *p);
uint32_t __real_tw_shared_load32(volatile struct tw_shared *p);
uint32_t __wrap_tw_shared_load32(volatile struct tw_shared *p);
bool __real_tw_shared_exchange32(volatile struct tw_shared *p, uint32_t *expected, uint32_t next);
bool __wrap_tw_shared_exchange32(volatile struct tw_shared *p, uint32_t *expected, uint32_t next);
void __real_tw_shared_copy(void *dst, volatile struct tw_shared *src, size_t n);
void __wrap_tw_shared_copy(void *dst, volatile struct tw_shared *src, size_t n);

static struct tw_bytes changes;
/* The one whose bitmap was looked at last: a chunk that is touched lies there, whatever becomes of
 * the layout meanwhile. */
static const uint8_t *page_looked_at;

static uint8_t *page_of(volatile struct tw_shared *p)
{
    uint8_t *at = tw_shared_own(p);

    return at - (uintptr_t)at % TW_PAGE_SIZE_MIN;
}

/* What the peer does while p is about to be looked at. */
static void meddle(volatile struct tw_shared *p)
{
    REQ("TW-SHM-002");
    uint8_t what = input_byte(&changes), *page, at;
    uint32_t value = 0;

    if (what == 0)
        return;
    at = input_byte(&changes);
    for (int i = 0; i < 4; i++)
        value |= (uint32_t)input_byte(&changes) << 8 * i;
    page = page_of(p);
    if (what & 1) /* its bitmap */
        memcpy(page, &value, sizeof(value));
    else if (what & 2) /* just here, as far as it is the same page */
        memcpy(page + (tw_shared_own(p) - page) / 4 * 4, &value, sizeof(value));
    else
        memcpy(page + at * sizeof(value) * 4, &value, sizeof(value));
}

uint16_t __wrap_tw_shared_load16(volatile struct tw_shared *p)
{
    CHECK(page_of(p) == page_looked_at);
    meddle(p);
    return __real_tw_shared_load16(p);
}

uint32_t __wrap_tw_shared_load32(volatile struct tw_shared *p)
{
    if (tw_shared_own(p) == page_of(p))
        page_looked_at = page_of(p);
    meddle(p);
    return __real_tw_shared_load32(p);
}

bool __wrap_tw_shared_exchange32(volatile struct tw_shared *p, uint32_t *expected, uint32_t next)
{
    meddle(p);
    return __real_tw_shared_exchange32(p, expected, next);
}

void __wrap_tw_shared_copy(void *dst, volatile struct tw_shared *src, size_t n)
{
    size_t at = (uintptr_t)tw_shared_own(src) % TW_PAGE_SIZE_MIN;

    CHECK(page_of(src) == page_looked_at && at >= TW_PAGE_HEADER_SIZE + TW_CHUNK_HEADER_SIZE &&
          n <= TW_PAGE_SIZE_MIN - at);
    meddle(src);
    __real_tw_shared_copy(dst, src, n / 2);
    if (n > 0)
        meddle(src);
    __real_tw_shared_copy((uint8_t *)dst + n / 2, tw_shared_at(src, n / 2), n - n / 2);
}

int __wrap_LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tw_bytes input = {.p = data, .n = size};
    int rc;

    changes = input_list(&input);
    rc = __real_LLVMFuzzerTestOneInput(input.p, input.n);
    changes = (struct tw_bytes){0};
    return rc;
}
