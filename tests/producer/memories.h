/* SPDX-License-Identifier: Apache-2.0 */
/* What a service may hand over as shared memory: what is right, and everything that is not. */
#pragma once

enum memory {
    MEMORY_GOOD,       /* 64 KiB, the size sealed */
    MEMORY_SMALL,      /* one page of 4 KiB, so too */
    MEMORY_NONE,       /* no descriptor at all */
    MEMORY_UNSEALED,   /* from here on none is to be taken; this one may shrink at any time */
    MEMORY_MAY_SHRINK, /* sealed against growing only */
    MEMORY_EMPTY,
    MEMORY_TINY, /* 100 bytes */
    MEMORY_ODD,  /* no whole pages */
    MEMORY_HUGE, /* over TW_SHM_SIZE_MAX */
    MEMORY_READ_ONLY,
    MEMORY_NO_WRITES, /* sealed against them */
    MEMORY_HUGE_PAGES,
    MEMORY_FILE, /* on a disk, or whatever is at /tmp */
    MEMORY_DIRECTORY,
    MEMORY_PIPE,
    MEMORY_SOCKET,
    MEMORY_DEVICE,
    MEMORY_MAX,
};

extern const char *const memory_names[MEMORY_MAX];

/* A descriptor, the caller's; -1 for none, and when this system has none of the kind. */
int memory_open(enum memory kind);
