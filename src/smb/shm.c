/* SPDX-License-Identifier: Apache-2.0 */
#include "smb/shm.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/macros.h"
#include "base/req.h"
#include "smb/abi.h"

enum { SEALS_ALL = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL };

struct tw_shm_sizes tw_shm_sizes_for(size_t size, size_t page_size)
{
    REQ("TW-SHM-035");
    struct tw_shm_sizes s = {
        .size = tw_min(size ? size : TW_SHM_SIZE_DEFAULT, TW_SHM_SIZE_MAX),
        .page_size = tw_min(page_size ? page_size : TW_SHM_PAGE_SIZE_DEFAULT, TW_SHM_PAGE_SIZE_MAX),
    };
    bool power_of_two = (s.page_size & (s.page_size - 1)) == 0;

    if (s.page_size < TW_PAGE_SIZE_MIN || !power_of_two || s.size < s.page_size ||
        s.size % s.page_size != 0)
        return (struct tw_shm_sizes){TW_SHM_SIZE_DEFAULT, TW_SHM_PAGE_SIZE_DEFAULT};
    return s;
}

bool tw_shm_sizes_valid(size_t size, size_t page_size)
{
    struct tw_shm_sizes s = tw_shm_sizes_for(size, page_size);

    return s.size == size && s.page_size == page_size;
}

static bool size_ok(size_t size)
{
    return size > 0 && size <= TW_SHM_SIZE_MAX && size % TW_PAGE_SIZE_MIN == 0;
}

static int map(int fd, size_t size, volatile struct tw_shared **ret_p)
{
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

    if (p == MAP_FAILED)
        return -errno;
    *ret_p = tw_shared_of(p);
    return 0;
}

static int create_sealed(int fd, size_t size, volatile struct tw_shared **ret_p)
{
    if (ftruncate(fd, (off_t)size) != 0 || fcntl(fd, F_ADD_SEALS, SEALS_ALL) != 0)
        return -errno;
    return map(fd, size, ret_p);
}

int tw_shm_create(struct tw_shm *ret_shm, size_t size)
{
    REQ("TW-SEC-004");
    volatile struct tw_shared *p = NULL;
    int fd, r;

    if (!size_ok(size))
        return TW_E_INVALID;
    fd = memfd_create("tracewire", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0)
        return -errno;
    r = create_sealed(fd, size, &p);
    if (r) {
        tw_fd_close(&fd);
        return r;
    }
    *ret_shm = (struct tw_shm){.p = p, .size = size, .fd = fd};
    return 0;
}

/* Huge pages and file systems in user space would let the peer stall or kill our reads even with
 * every seal in place, so only plain memory is taken. */
static int check_kind(int fd, struct stat *ret_st)
{
    struct statfs fs;
    uint32_t kind;

    if (fstat(fd, ret_st) != 0 || fstatfs(fd, &fs) != 0)
        return -errno;
    kind = (uint32_t)fs.f_type; /* signed, and of another width everywhere */
    if (!S_ISREG(ret_st->st_mode) || (kind != TMPFS_MAGIC && kind != RAMFS_MAGIC))
        return TW_E_INVALID;
    return 0;
}

static int check_seals(int fd, enum tw_shm_seals seals)
{
    int want = seals == TW_SHM_SEALS_ALL ? SEALS_ALL : F_SEAL_SHRINK;
    int have = fcntl(fd, F_GET_SEALS);

    if (have < 0)
        return TW_E_INVALID;
    return (have & want) == want ? 0 : TW_E_REFUSED;
}

static int adopt(int fd, enum tw_shm_seals seals, volatile struct tw_shared **ret_p,
                 size_t *ret_size)
{
    REQ("TW-SHM-010");
    struct stat st;
    size_t size;
    int r = check_kind(fd, &st);

    if (r)
        return r;
    /* Seals before the size: only a sealed size stays what it is. */
    r = check_seals(fd, seals);
    if (r)
        return r;
    if (fstat(fd, &st) != 0)
        return -errno;
    if (st.st_size <= 0 || (uint64_t)st.st_size > TW_SHM_SIZE_MAX)
        return TW_E_INVALID;
    size = (size_t)st.st_size;
    if (!size_ok(size))
        return TW_E_INVALID;
    r = map(fd, size, ret_p);
    if (r == -EPERM || r == -EACCES)
        return TW_E_REFUSED; /* opened for reading only, or sealed against writing */
    if (r)
        return r;
    *ret_size = size;
    return 0;
}

int tw_shm_adopt(struct tw_shm *ret_shm, int *fd, enum tw_shm_seals seals)
{
    volatile struct tw_shared *p = NULL;
    size_t size = 0;
    int r;

    if (*fd < 0)
        return TW_E_INVALID;
    r = adopt(*fd, seals, &p, &size);
    if (r) {
        tw_fd_close(fd);
        return r;
    }
    *ret_shm = (struct tw_shm){.p = p, .size = size, .fd = tw_fd_take(fd)};
    return 0;
}

void tw_shm_deinit(struct tw_shm *shm)
{
    if (!shm)
        return;
    if (shm->p)
        munmap(tw_shared_own(shm->p), shm->size);
    tw_fd_close(&shm->fd);
    *shm = TW_SHM_INIT;
}
