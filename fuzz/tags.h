/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Descriptors that can be told apart: a tag is the size of the memfd behind one. A descriptor that
 * went through queues is known by its tag, whatever its number is by then.
 */
#pragma once

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fuzz/input.h"

enum { TAGS_MAX = 8, TAG_NONE = 0 }; /* tags are 1 to TAGS_MAX - 1 */

static inline int tag_memfd(uint32_t tag)
{
    static int of[TAGS_MAX];

    for (uint32_t i = 1; of[TAGS_MAX - 1] == 0; i++) { /* before allocations may fail */
        of[i] = memfd_create("tag", MFD_CLOEXEC);
        CHECK(of[i] > 0 && ftruncate(of[i], (off_t)i) == 0);
    }
    return of[tag];
}

static inline int tag_copy(struct input_fds *all, uint32_t tag)
{
    int fd = fcntl(tag_memfd(tag), F_DUPFD_CLOEXEC, 3);

    CHECK(fd >= 0 && all->n < INPUT_FDS_MAX);
    all->fds[all->n++] = fd;
    return fd;
}

/* A new descriptor of this tag; -1 when the run has had half of what there may be: the other half
 * is for what is passed on. */
static inline int tag_open(struct input_fds *all, uint32_t tag)
{
    return all->n < INPUT_FDS_MAX / 2 ? tag_copy(all, tag) : -1;
}

/* TAG_NONE for -1. */
static inline uint32_t tag_of(int fd)
{
    struct stat st;

    if (fd < 0)
        return TAG_NONE;
    CHECK(fstat(fd, &st) == 0);
    return (uint32_t)st.st_size;
}

/* A copy, as the kernel makes one for the other end of a socket. At most one of each. */
static inline int tag_pass(struct input_fds *all, int fd)
{
    return fd < 0 ? -1 : tag_copy(all, tag_of(fd));
}
