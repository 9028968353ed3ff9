/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The target commit (fuzz_commit.c) with a page that changes between any two looks at it: every
 * read of shared memory comes here first, and the input says what the other process did meanwhile.
 *
 *   input  := u8 size, that many bytes of change*, script of commit
 *   change := u8 what, and unless that is 0: u8 at, u32 value
 *
 * The linker's --wrap puts this in front of the accessors of smb/shared.h, and of what tells which
 * memory is shared: chunks that come inside of a request are read through them as well.
 */
#include <string.h>

#include "base/req.h"
#include "fuzz/input.h"
#include "smb/shm.h"
#include "smb/smb.h"

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
int __real_tw_smb_init(struct tw_smb *ret_smb, volatile struct tw_shared *base, size_t size,
                       size_t page_size);
int __wrap_tw_smb_init(struct tw_smb *ret_smb, volatile struct tw_shared *base, size_t size,
                       size_t page_size);
void __real_tw_shm_deinit(struct tw_shm *shm);
void __wrap_tw_shm_deinit(struct tw_shm *shm);

/* Both sides' mappings: of the producer of now, and of those before it that are scraped yet. */
enum { MAPPINGS_MAX = 32 };

static struct {
    struct tw_bytes list[MAPPINGS_MAX];
    size_t n;
} mappings;

static struct tw_bytes changes;
/* The one whose bitmap was looked at last: a chunk that is touched lies there, whatever becomes of
 * the layout meanwhile. */
static const uint8_t *page_looked_at;

static uint8_t *page_of(volatile struct tw_shared *p)
{
    uint8_t *at = tw_shared_own(p);

    return at - (uintptr_t)at % TW_PAGE_SIZE_MIN;
}

static struct tw_bytes *mapping_of(volatile struct tw_shared *p)
{
    const uint8_t *at = tw_shared_own(p);

    for (size_t i = 0; i < mappings.n; i++)
        if (at >= mappings.list[i].p && (size_t)(at - mappings.list[i].p) < mappings.list[i].n)
            return &mappings.list[i];
    return NULL;
}

int __wrap_tw_smb_init(struct tw_smb *ret_smb, volatile struct tw_shared *base, size_t size,
                       size_t page_size)
{
    if (!mapping_of(base)) {
        CHECK(mappings.n < MAPPINGS_MAX);
        mappings.list[mappings.n++] = (struct tw_bytes){tw_shared_own(base), size};
    }
    return __real_tw_smb_init(ret_smb, base, size, page_size);
}

void __wrap_tw_shm_deinit(struct tw_shm *shm)
{
    struct tw_bytes *mapping = shm && shm->p ? mapping_of(shm->p) : NULL;

    if (mapping)
        *mapping = mappings.list[--mappings.n];
    __real_tw_shm_deinit(shm);
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
    if (mapping_of(p)) {
        CHECK(page_of(p) == page_looked_at);
        meddle(p);
    }
    return __real_tw_shared_load16(p);
}

uint32_t __wrap_tw_shared_load32(volatile struct tw_shared *p)
{
    if (mapping_of(p)) {
        if (tw_shared_own(p) == page_of(p))
            page_looked_at = page_of(p);
        meddle(p);
    }
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

    if (!mapping_of(src)) {
        __real_tw_shared_copy(dst, src, n);
        return;
    }
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
