/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory that two processes share: a memfd whose size is sealed, so that neither side can make the
 * other's mapping end in SIGBUS. The rules for sizes are upstream's.
 */
#pragma once

#include "base/err.h"
#include "smb/shared.h"

#define TW_SHM_SIZE_DEFAULT      ((size_t)256 * 1024)       /* bytes */
#define TW_SHM_SIZE_MAX          ((size_t)32 * 1024 * 1024) /* bytes: what one producer may pin */
#define TW_SHM_PAGE_SIZE_DEFAULT ((size_t)4096)             /* bytes */
/* Bytes. The ABI knows pages of 64 KiB, but upstream's service never hands them out. */
#define TW_SHM_PAGE_SIZE_MAX ((size_t)32 * 1024)

/* What tw_shm_adopt() insists on. Without SHRINK the memory can vanish under the mapping, so it
 * is required whatever the caller asks for. */
enum tw_shm_seals {
    TW_SHM_SEALS_SHRINK, /* for memory that the service made */
    TW_SHM_SEALS_ALL,    /* SHRINK, GROW and SEAL: for memory that a producer hands over */
};

struct tw_shm {
    volatile struct tw_shared *p; /* mapped for reading and writing; NULL when there is none */
    size_t size;                  /* bytes, a multiple of TW_PAGE_SIZE_MIN */
    int fd;                       /* owned; -1 when there is none */
};

#define TW_SHM_INIT ((struct tw_shm){.fd = -1})

struct tw_shm_sizes {
    size_t size, page_size; /* bytes */
};

/* What a producer that asked for these sizes gets: 0 becomes the default, what is too large is cut
 * to the limit, and a pair that does not fit together becomes the defaults. */
struct tw_shm_sizes tw_shm_sizes_for(size_t size, size_t page_size);
/* Whether tw_shm_sizes_for() leaves the pair as it is: the rule for memory from a producer. */
bool tw_shm_sizes_valid(size_t size, size_t page_size);

/* A new zeroed sealed memfd, mapped. TW_E_INVALID for a size that is 0, past TW_SHM_SIZE_MAX or no
 * multiple of 4096; negative when the kernel refuses. */
TW_MUST_USE int tw_shm_create(struct tw_shm *ret_shm, size_t size);

/* Maps the descriptor of a peer. Takes *fd in every case: it is -1 afterwards, and closed unless
 * 0 is returned. Positive when the descriptor is not what it has to be: TW_E_INVALID for what is
 * no memfd or of a bad size, TW_E_REFUSED for missing seals or one sealed against writing.
 * Negative when we cannot map it. */
TW_MUST_USE int tw_shm_adopt(struct tw_shm *ret_shm, int *fd, enum tw_shm_seals seals);

/* Unmaps and closes; empty afterwards. NULL and an empty one are fine. */
void tw_shm_deinit(struct tw_shm *shm);
