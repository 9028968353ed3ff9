/* SPDX-License-Identifier: Apache-2.0 */
#include "service/trace_output.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/macros.h"
#include "base/req.h"

enum { RUNS_MAX = 1024 }; /* what writev and sendmsg take */

/* Files that are no data: to write there is a command to the kernel, or to whoever serves the file
 * system, in the service's name and for as long as that likes. */
static bool is_command(int fd)
{
    REQ("TW-TRACE-015");
    static const uint32_t magics[] = {
        PROC_SUPER_MAGIC, SYSFS_MAGIC,   CGROUP_SUPER_MAGIC, CGROUP2_SUPER_MAGIC, DEBUGFS_MAGIC,
        SECURITYFS_MAGIC, SELINUX_MAGIC, TRACEFS_MAGIC,      BPF_FS_MAGIC,        EFIVARFS_MAGIC,
        BINFMTFS_MAGIC,   SMACK_MAGIC,   FUSE_SUPER_MAGIC,
    };
    struct statfs fs;

    if (fstatfs(fd, &fs) < 0)
        return true;
    for (size_t i = 0; i < TW_ARRAY_LEN(magics); i++)
        if ((uint32_t)fs.f_type == magics[i])
            return true;
    return false;
}

static bool is_stream(int fd)
{
    int type = 0;
    socklen_t n = sizeof(type);

    return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &n) == 0 && type == SOCK_STREAM;
}

static bool is_null_device(const struct stat *st)
{
    return S_ISCHR(st->st_mode) && st->st_rdev == makedev(1, 3);
}

static bool kind_of(int fd, const struct stat *st, enum tw_output_kind *ret_kind)
{
    if (S_ISFIFO(st->st_mode))
        *ret_kind = TW_OUTPUT_PIPE;
    else if (S_ISSOCK(st->st_mode) && is_stream(fd))
        *ret_kind = TW_OUTPUT_SOCKET;
    else if (is_null_device(st) || (S_ISREG(st->st_mode) && !is_command(fd)))
        *ret_kind = TW_OUTPUT_FILE;
    else
        return false;
    return true;
}

int tw_output_open(struct tw_output *out, int *fd, const char **ret_error)
{
    REQ("TW-TRACE-015");
    int flags = fcntl(*fd, F_GETFL);
    struct tw_output o = TW_OUTPUT_INIT;
    struct stat st;

    *ret_error = "the descriptor for write_into_file is not open for writing";
    if (flags < 0 || flags & O_PATH || (flags & O_ACCMODE) == O_RDONLY || fstat(*fd, &st) < 0)
        return TW_E_INVALID;
    *ret_error = "the descriptor for write_into_file is no file, pipe or stream socket";
    if (!kind_of(*fd, &st, &o.kind))
        return TW_E_INVALID;
    *ret_error = "the service is out of descriptors";
    if (o.kind == TW_OUTPUT_PIPE && pipe2(o.stage, O_CLOEXEC | O_NONBLOCK) < 0)
        return -errno;
    o.fd = tw_fd_take(fd);
    *out = o;
    return 0;
}

/* An absolute path is one in the directory when it begins with it. */
static const char *relative(const char *dir, const char *path)
{
    size_t n = strlen(dir);

    if (strncmp(path, dir, n) != 0 || path[n] != '/')
        return path;
    path += n;
    return path + strspn(path, "/");
}

int tw_output_create(int dir_fd, const char *dir, const char *path, int *ret_fd)
{
    REQ("TW-TRACE-014");
    const struct open_how how = {
        .flags = O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
        .mode = 0644,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
    };
    long fd = syscall(SYS_openat2, dir_fd, relative(dir, path), &how, sizeof(how));

    if (fd < 0)
        return -errno;
    *ret_fd = (int)fd;
    return 0;
}

void tw_output_close(struct tw_output *out)
{
    tw_fd_close(&out->fd);
    tw_fd_close(&out->stage[0]);
    tw_fd_close(&out->stage[1]);
    out->staged = 0;
}

size_t tw_output_n_fds(const struct tw_output *out)
{
    return (size_t)(out->fd >= 0) + (size_t)(out->stage[0] >= 0) + (size_t)(out->stage[1] >= 0);
}

/* From our pipe into theirs. 0 when nothing is left in ours. */
static int move_staged(struct tw_output *out)
{
    while (out->staged > 0) {
        ssize_t n = splice(out->stage[0], NULL, out->fd, NULL, out->staged, SPLICE_F_NONBLOCK);

        if (n < 0)
            return -errno;
        out->staged -= (size_t)n;
    }
    return 0;
}

static ssize_t write_staged(struct tw_output *out, const struct iovec *iov, size_t n)
{
    ssize_t written;

    if (out->staged > 0) {
        errno = EAGAIN;
        return -1;
    }
    written = writev(out->stage[1], iov, (int)n);
    if (written > 0)
        out->staged = (size_t)written;
    return written;
}

static ssize_t write_some(struct tw_output *out, struct iovec *iov, size_t n)
{
    REQ("TW-TRACE-016");
    struct msghdr msg = {.msg_iov = iov, .msg_iovlen = n};

    switch (out->kind) {
    case TW_OUTPUT_SOCKET:
        return sendmsg(out->fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
    case TW_OUTPUT_PIPE:
        return write_staged(out, iov, n);
    default:
        return writev(out->fd, iov, (int)n);
    }
}

/* What an error means: none, come again later, or the end. */
static int outcome(int error)
{
    return error == EAGAIN ? TW_MORE : error == EINTR ? 0 : -error;
}

int tw_output_write(struct tw_output *out, struct tw_gather *waiting)
{
    struct iovec iov[RUNS_MAX];
    int rc = outcome(-move_staged(out));

    while (!rc && tw_gather_size(waiting) > 0) {
        ssize_t n = write_some(out, iov, tw_gather_peek(waiting, SIZE_MAX, iov, RUNS_MAX));

        if (n <= 0)
            rc = n ? outcome(errno) : -EIO;
        else
            tw_gather_consume(waiting, (size_t)n);
        if (!rc)
            rc = outcome(-move_staged(out));
    }
    return rc;
}

void tw_output_sync(const struct tw_output *out)
{
    if (out->kind == TW_OUTPUT_FILE)
        TW_IGNORE(fdatasync(out->fd)); /* /dev/null has no disk */
}
