/* SPDX-License-Identifier: Apache-2.0 */
#include "consumer/new_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/macros.h"
#include "base/req.h"

static const char mark[] = ".XXXXXX.partial";
enum { MARK_END = sizeof(".partial") - 1 };

/* Blocks are taken behind the end, so that the file never has bytes that nobody wrote. A file
 * system that cannot do it may still have the room. */
static int preallocate(int fd, uint64_t size)
{
    int rc = 0;

    if (size == 0)
        return 0;
    if (size > INT64_MAX)
        return -EFBIG;
    do
        rc = fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, (off_t)size);
    while (rc != 0 && errno == EINTR);
    return rc == 0 || errno == EOPNOTSUPP || errno == ENOSYS ? 0 : -errno;
}

static int open_beside(struct tw_new_file *file)
{
    size_t size = strlen(file->path) + sizeof(mark);
    int rc;

    file->temporary = malloc(size);
    if (!file->temporary)
        return -ENOMEM;
    snprintf(file->temporary, size, "%s%s", file->path, mark);
    file->fd = mkostemps(file->temporary, MARK_END, O_CLOEXEC); /* its owner's alone */
    if (file->fd < 0)
        return -errno;
    rc = preallocate(file->fd, file->options.preallocate);
    if (rc) {
        tw_fd_close(&file->fd);
        unlink(file->temporary);
    }
    return rc;
}

/* A device, a pipe, or whatever a symbolic link leads to: nothing that could be put in its place.
 */
static int open_there(struct tw_new_file *file)
{
    file->fd = open(file->path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    return file->fd < 0 ? -errno : 0;
}

static int open_either(struct tw_new_file *file)
{
    struct stat st;

    if (lstat(file->path, &st) != 0)
        return errno == ENOENT && file->path[0] ? open_beside(file) : -errno;
    REQ("TW-TRACE-072");
    if (file->options.no_clobber)
        return -EEXIST;
    return S_ISREG(st.st_mode) ? open_beside(file) : open_there(file);
}

int tw_new_file_open(struct tw_new_file *file, const char *path,
                     const struct tw_trace_file_options *options)
{
    struct tw_new_file f = {.fd = -1, .path = strdup(path), .options = *options};
    int rc = f.path ? open_either(&f) : -ENOMEM;

    if (rc)
        tw_new_file_deinit(&f);
    else
        *file = f;
    return rc;
}

static int sync_data(int fd)
{
    int rc;

    do
        rc = fdatasync(fd);
    while (rc != 0 && errno == EINTR);
    return rc == 0 ? 0 : -errno;
}

/* Cuts off what is behind size bytes, and blocks that were taken for more. */
static int trim(const struct tw_new_file *file, uint64_t size)
{
    struct stat st;

    if (!file->temporary)
        return 0;
    if (fstat(file->fd, &st) != 0)
        return -errno;
    if ((uint64_t)st.st_size <= size && !file->options.preallocate)
        return 0;
    if ((uint64_t)st.st_size < size)
        size = (uint64_t)st.st_size;
    return ftruncate(file->fd, (off_t)size) == 0 ? 0 : -errno;
}

/* Some file systems tell only here that the disk is full. */
static int close_told(int *fd)
{
    return close(tw_fd_take(fd)) == 0 || errno == EINTR ? 0 : -errno;
}

/* Not every file system can do it in one step, or has links. */
static int name_if_free(const char *from, const char *to)
{
    if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0)
        return 0;
    if (errno != EINVAL && errno != ENOSYS)
        return -errno;
    if (link(from, to) != 0)
        return -errno;
    unlink(from);
    return 0;
}

static int give_name(struct tw_new_file *file)
{
    REQ("TW-TRACE-070");
    REQ("TW-TRACE-072");
    int rc;

    if (file->options.no_clobber)
        rc = name_if_free(file->temporary, file->path);
    else
        rc = rename(file->temporary, file->path) == 0 ? 0 : -errno;
    if (rc)
        return rc;
    free(file->temporary);
    file->temporary = NULL;
    return 0;
}

/* The name is on the disk when its folder is. */
static int sync_folder(const char *path)
{
    const char *slash = strrchr(path, '/');
    char *folder = slash ? strndup(path, (size_t)(slash - path) + 1) : strdup(".");
    int fd, rc, closed;

    if (!folder)
        return -ENOMEM;
    fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    free(folder);
    if (fd < 0)
        return -errno;
    rc = fsync(fd) == 0 || errno == EINVAL ? 0 : -errno;
    closed = close_told(&fd);
    return rc ? rc : closed;
}

int tw_new_file_commit(struct tw_new_file *file)
{
    bool beside = file->temporary != NULL;
    int rc = trim(file, UINT64_MAX), closed;

    if (!rc && beside && file->options.sync)
        rc = sync_data(file->fd);
    closed = close_told(&file->fd);
    rc = rc ? rc : closed;
    if (rc || !beside)
        return rc;
    rc = give_name(file);
    return rc || !file->options.sync ? rc : sync_folder(file->path);
}

void tw_new_file_abandon(struct tw_new_file *file, uint64_t size)
{
    REQ("TW-TRACE-071");
    struct stat st;

    if (file->temporary && fstat(file->fd, &st) == 0 && (st.st_size == 0 || size == 0)) {
        unlink(file->temporary);
        free(file->temporary);
        free(file->path);
        file->temporary = file->path = NULL;
    }
    TW_IGNORE(trim(file, size));
    tw_fd_close(&file->fd);
}

const char *tw_new_file_where(const struct tw_new_file *file)
{
    return file->temporary ? file->temporary : file->path;
}

void tw_new_file_deinit(struct tw_new_file *file)
{
    free(file->temporary);
    free(file->path);
}
