/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz/hostile_memory.h"

#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "base/clock.h"
#include "base/req.h"
#include "fuzz/faults.h"
#include "fuzz/input.h"
#include "smb/abi.h"
#include "smb/shm.h"

uint16_t __real_tw_shared_load16(volatile struct tw_shared *p);
uint16_t __wrap_tw_shared_load16(volatile struct tw_shared *p);
uint32_t __real_tw_shared_load32(volatile struct tw_shared *p);
uint32_t __wrap_tw_shared_load32(volatile struct tw_shared *p);
void __real_tw_shared_store16(volatile struct tw_shared *p, uint16_t value);
void __wrap_tw_shared_store16(volatile struct tw_shared *p, uint16_t value);
bool __real_tw_shared_exchange32(volatile struct tw_shared *p, uint32_t *expected, uint32_t next);
bool __wrap_tw_shared_exchange32(volatile struct tw_shared *p, uint32_t *expected, uint32_t next);
int __real_tw_shm_adopt(struct tw_shm *ret_shm, int *fd, enum tw_shm_seals seals);
int __wrap_tw_shm_adopt(struct tw_shm *ret_shm, int *fd, enum tw_shm_seals seals);
int __real_tw_shm_create(struct tw_shm *ret_shm, size_t size);
int __wrap_tw_shm_create(struct tw_shm *ret_shm, size_t size);
void __real_tw_shm_deinit(struct tw_shm *shm);
void __wrap_tw_shm_deinit(struct tw_shm *shm);
uint64_t __wrap_tw_clock_ns(clockid_t id);
int __wrap_nanosleep(const struct timespec *wanted, struct timespec *left);
int __wrap_poll(struct pollfd *fds, nfds_t n, int timeout_ms);

/* Bytes in front of a mapping and behind it. */
enum { GUARD = 64 * 1024 };
/* At once: those of connections that are gone stay as long as a writer does. */
enum { MAPPINGS_MAX = 64 };

/* Who sleeps may always do so for longer, and a script is to come to its end. */
#define NAP_NS (500 * TW_NS_PER_MS)

static struct mapping {
    uint8_t *p;
    size_t n;
    bool shared; /* else the producer's alone */
} mappings[MAPPINGS_MAX];

static size_t n_mappings;

static struct tw_bytes changes;
static uint64_t now_ns;

void hostile_changes(struct tw_bytes list)
{
    changes = list;
}

uint64_t hostile_now_ns(void)
{
    return now_ns;
}

void hostile_set_now_ns(uint64_t ns)
{
    now_ns = ns;
}

size_t hostile_mappings(void)
{
    return n_mappings;
}

/* ---- time ---- */

uint64_t __wrap_tw_clock_ns(clockid_t id)
{
    (void)id;
    return now_ns;
}

int __wrap_nanosleep(const struct timespec *wanted, struct timespec *left)
{
    uint64_t ns = (uint64_t)wanted->tv_sec * TW_NS_PER_S + (uint64_t)wanted->tv_nsec;

    (void)left;
    now_ns += ns > NAP_NS ? ns : NAP_NS;
    return 0;
}

/* Whoever is waited for never comes. */
int __wrap_poll(struct pollfd *fds, nfds_t n, int timeout_ms)
{
    (void)fds;
    (void)n;
    now_ns += (uint64_t)timeout_ms * TW_NS_PER_MS;
    return 0;
}

/* ---- mappings ---- */

static struct mapping *mapping_of(volatile struct tw_shared *p)
{
    const uint8_t *at = tw_shared_own(p);

    for (size_t i = 0; i < n_mappings; i++)
        if (at >= mappings[i].p && (size_t)(at - mappings[i].p) < mappings[i].n)
            return &mappings[i];
    return NULL;
}

/* Moves it between two pages. */
static void guard(struct tw_shm *shm, bool shared)
{
    size_t n = shm->size + (size_t)2 * GUARD;
    uint8_t *around, *p;

    if (n_mappings == MAPPINGS_MAX)
        return;
    around = mmap(NULL, n, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(around != MAP_FAILED || faults_fired());
    if (around == MAP_FAILED)
        return;
    p = mremap(tw_shared_own(shm->p), shm->size, shm->size, MREMAP_MAYMOVE | MREMAP_FIXED,
               around + GUARD);
    CHECK(p == around + GUARD);
    shm->p = tw_shared_of(p);
    mappings[n_mappings++] = (struct mapping){p, shm->size, shared};
}

int __wrap_tw_shm_adopt(struct tw_shm *ret_shm, int *fd, enum tw_shm_seals seals)
{
    int r = __real_tw_shm_adopt(ret_shm, fd, seals);

    if (r == 0)
        guard(ret_shm, true);
    return r;
}

int __wrap_tw_shm_create(struct tw_shm *ret_shm, size_t size)
{
    int r = __real_tw_shm_create(ret_shm, size);

    if (r == 0)
        guard(ret_shm, false);
    return r;
}

void __wrap_tw_shm_deinit(struct tw_shm *shm)
{
    struct mapping *mapping = shm && shm->p ? mapping_of(shm->p) : NULL;
    struct mapping gone = mapping ? *mapping : (struct mapping){0};

    __real_tw_shm_deinit(shm);
    if (!mapping)
        return;
    *mapping = mappings[--n_mappings];
    munmap(gone.p - GUARD, GUARD);
    munmap(gone.p + gone.n, GUARD);
}

/* ---- changes ---- */

/* What the service does while p is about to be looked at. */
static void meddle(volatile struct tw_shared *p)
{
    struct mapping *mapping = mapping_of(p);
    uint8_t what = mapping && mapping->shared ? input_byte(&changes) : 0;
    size_t at;
    uint32_t value;

    if (what == 0)
        return;
    REQ("TW-SEC-008");
    at = input_byte(&changes);
    value = (uint32_t)input_byte(&changes) << 24; /* the layout first */
    for (unsigned shift = 0; shift < 24; shift += 8)
        value |= (uint32_t)input_byte(&changes) << shift;
    if (what & CHANGE_HERE)
        at = (size_t)(tw_shared_own(p) - mapping->p) / sizeof(value);
    else if (what & CHANGE_PAGE)
        at = at * TW_PAGE_SIZE_MIN / sizeof(value);
    at = at * sizeof(value) % mapping->n;
    memcpy(mapping->p + at, &value, sizeof(value));
}

uint16_t __wrap_tw_shared_load16(volatile struct tw_shared *p)
{
    meddle(p);
    return __real_tw_shared_load16(p);
}

uint32_t __wrap_tw_shared_load32(volatile struct tw_shared *p)
{
    meddle(p);
    return __real_tw_shared_load32(p);
}

void __wrap_tw_shared_store16(volatile struct tw_shared *p, uint16_t value)
{
    meddle(p);
    __real_tw_shared_store16(p, value);
}

bool __wrap_tw_shared_exchange32(volatile struct tw_shared *p, uint32_t *expected, uint32_t next)
{
    meddle(p);
    return __real_tw_shared_exchange32(p, expected, next);
}
