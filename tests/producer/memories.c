/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/producer/memories.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "smb/abi.h"
#include "smb/shm.h"

enum { HUGE_PAGE = 2 * 1024 * 1024, SEALED = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL };

const char *const memory_names[MEMORY_MAX] = {
    [MEMORY_GOOD] = "64 KiB, sealed",
    [MEMORY_SMALL] = "4 KiB, sealed",
    [MEMORY_NONE] = "none",
    [MEMORY_UNSEALED] = "unsealed",
    [MEMORY_MAY_SHRINK] = "sealed against growing only",
    [MEMORY_EMPTY] = "no byte",
    [MEMORY_TINY] = "100 bytes",
    [MEMORY_ODD] = "no whole pages",
    [MEMORY_HUGE] = "too large",
    [MEMORY_READ_ONLY] = "opened for reading",
    [MEMORY_NO_WRITES] = "sealed against writing",
    [MEMORY_HUGE_PAGES] = "huge pages",
    [MEMORY_FILE] = "a file",
    [MEMORY_DIRECTORY] = "a directory",
    [MEMORY_PIPE] = "a pipe",
    [MEMORY_SOCKET] = "a socket",
    [MEMORY_DEVICE] = "a device",
};

/* A size of 0 and no seals leave it as it is. */
static int make(unsigned flags, size_t size, int seals)
{
    int fd = memfd_create("memory", MFD_CLOEXEC | MFD_ALLOW_SEALING | flags);

    if (fd >= 0 &&
        ((size && ftruncate(fd, (off_t)size)) || (seals && fcntl(fd, F_ADD_SEALS, seals))))
        tw_fd_close(&fd);
    return fd;
}

static int make_read_only(void)
{
    char path[64];
    int fd = make(0, TW_PAGE_SIZE_MIN, SEALED), ro;

    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    ro = open(path, O_RDONLY | O_CLOEXEC);
    tw_fd_close(&fd);
    return ro;
}

static int make_file(void)
{
    int fd = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

    if (fd >= 0 && ftruncate(fd, TW_PAGE_SIZE_MIN))
        tw_fd_close(&fd);
    return fd;
}

static int one_of(int pair[2])
{
    tw_fd_close(&pair[0]);
    return pair[1];
}

/* What is no memory. */
static int open_other(enum memory kind)
{
    int pair[2];

    switch (kind) {
    case MEMORY_FILE:
        return make_file();
    case MEMORY_DIRECTORY:
        return open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    case MEMORY_PIPE:
        return pipe2(pair, O_CLOEXEC) ? -1 : one_of(pair);
    case MEMORY_SOCKET:
        return socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) ? -1 : one_of(pair);
    case MEMORY_DEVICE:
        return open("/dev/zero", O_RDWR | O_CLOEXEC);
    default:
        return -1;
    }
}

int memory_open(enum memory kind)
{
    static const struct {
        unsigned flags;
        size_t size;
        int seals;
    } rows[MEMORY_MAX] = {
        [MEMORY_GOOD] = {0, 64 * 1024, SEALED},
        [MEMORY_SMALL] = {0, TW_PAGE_SIZE_MIN, SEALED},
        [MEMORY_UNSEALED] = {0, TW_PAGE_SIZE_MIN, 0},
        [MEMORY_MAY_SHRINK] = {0, TW_PAGE_SIZE_MIN, F_SEAL_GROW | F_SEAL_SEAL},
        [MEMORY_EMPTY] = {0, 0, SEALED},
        [MEMORY_TINY] = {0, 100, SEALED},
        [MEMORY_ODD] = {0, TW_PAGE_SIZE_MIN + 100, SEALED},
        [MEMORY_HUGE] = {0, TW_SHM_SIZE_MAX + TW_PAGE_SIZE_MIN, SEALED},
        [MEMORY_NO_WRITES] = {0, TW_PAGE_SIZE_MIN, SEALED | F_SEAL_WRITE},
        [MEMORY_HUGE_PAGES] = {MFD_HUGETLB, HUGE_PAGE, SEALED},
    };

    if (kind == MEMORY_READ_ONLY)
        return make_read_only();
    if (rows[kind].seals || kind == MEMORY_UNSEALED)
        return make(rows[kind].flags, rows[kind].size, rows[kind].seals);
    return open_other(kind);
}
