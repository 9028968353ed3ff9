/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz/faults.h"

#include <errno.h>
#include <fcntl.h>
#include <search.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

/* Blocks from inside that may live at once: a power of two, several times what tests need. */
enum { LIVE_MAX = 1 << 16, FDS_MAX = 4096 };

enum { PATIENCE_MS = 10000 }; /* for what comes at once, on a busy machine */

const struct fault_row fault_rows[FAULT_MAX] = {
#define ROW(function, memory, ...)                                                                 \
    [FAULT_##function] = {.name = #function, .allocates = (memory), .errors = {__VA_ARGS__}},
    FAULTS(ROW)
#undef ROW
};

static struct {
    struct fault_plan plan;
    unsigned calls[FAULT_MAX + 1];
    size_t moved[FAULT_MAX];
    bool fired;
    int *depth; /* NULL: all calls are inside */
} faults;

static struct {
    const void *blocks[LIVE_MAX]; /* a hash table; NULL: free */
    bool fds[FDS_MAX];
    size_t n, n_fds;
} live;

void faults_plan(const struct fault_plan *plan)
{
    faults.plan = *plan;
    memset(faults.calls, 0, sizeof(faults.calls));
    memset(faults.moved, 0, sizeof(faults.moved));
}

void faults_arm(unsigned nth)
{
    faults_plan(&(struct fault_plan){.what = FAULT_ALLOCATION, .nth = nth, .error = ENOMEM});
}

bool faults_disarm(void)
{
    bool fired = faults.fired;

    faults.plan.nth = 0;
    faults.fired = false;
    return fired;
}

bool faults_fired(void)
{
    return faults.fired;
}

unsigned faults_calls(enum fault what)
{
    return faults.calls[what];
}

size_t faults_moved(enum fault what)
{
    return faults.moved[what];
}

void faults_only_inside(int *depth)
{
    faults.depth = depth;
}

void faults_enter(void)
{
    if (faults.depth)
        ++*faults.depth;
}

void faults_leave(void)
{
    if (faults.depth)
        --*faults.depth;
}

/* ---- what is alive ---- */

static size_t slot_of(const void *p)
{
    size_t i = (uintptr_t)p * UINT64_C(0x9e3779b97f4a7c15) >> 48;

    while (live.blocks[i] && live.blocks[i] != p)
        i = (i + 1) % LIVE_MAX;
    return i;
}

static bool is_kept_account_of(void)
{
    return faults.depth && *faults.depth > 0;
}

static void *took(void *p)
{
    if (p && p != MAP_FAILED && is_kept_account_of() && live.n < LIVE_MAX / 2) {
        live.blocks[slot_of(p)] = p;
        live.n++;
    }
    return p;
}

static void gave(const void *p)
{
    size_t i = slot_of(p);

    if (!p || live.n == 0 || !live.blocks[i])
        return;
    live.blocks[i] = NULL;
    live.n--;
    /* Those behind it may have been pushed there by it. */
    for (i = (i + 1) % LIVE_MAX; live.blocks[i]; i = (i + 1) % LIVE_MAX) {
        const void *moved = live.blocks[i];

        live.blocks[i] = NULL;
        live.blocks[slot_of(moved)] = moved;
    }
}

static int took_fd(int fd)
{
    if (fd >= 0 && fd < FDS_MAX && is_kept_account_of() && !live.fds[fd]) {
        live.fds[fd] = true;
        live.n_fds++;
    }
    return fd;
}

static void gave_fd(int fd)
{
    if (fd >= 0 && fd < FDS_MAX && live.fds[fd]) {
        live.fds[fd] = false;
        live.n_fds--;
    }
}

void faults_hand_in(const int *fds, size_t n)
{
    for (size_t i = 0; i < n; i++)
        took_fd(fds[i]);
}

size_t faults_live(void)
{
    return live.n;
}

size_t faults_live_fds(void)
{
    return live.n_fds;
}

void faults_forget(void)
{
    memset(&live, 0, sizeof(live));
    if (faults.depth)
        *faults.depth = 0;
}

/* ---- what fails ---- */

static bool is_outside(void)
{
    return faults.depth && *faults.depth <= 0;
}

/* Whether it is this call's turn. */
static bool is_planned(enum fault what)
{
    const struct fault_plan *plan = &faults.plan;
    unsigned allocations = faults.calls[FAULT_ALLOCATION];

    if (is_outside())
        return false;
    faults.calls[what]++;
    if (fault_rows[what].allocates)
        faults.calls[FAULT_ALLOCATION] = ++allocations;
    if (plan->what == FAULT_ALLOCATION)
        return fault_rows[what].allocates && allocations == plan->nth;
    return plan->what == what && faults.calls[what] == plan->nth;
}

static bool fails(enum fault what)
{
    if (!is_planned(what) || !faults.plan.error)
        return false;
    faults.fired = true;
    errno = faults.plan.error;
    return true;
}

static size_t cut_at(enum fault what, size_t n)
{
    size_t at = faults.plan.at, before = faults.moved[what];

    if (faults.plan.what != what || at <= before || at - before >= n || is_outside())
        return n;
    faults.fired = true;
    return at - before;
}

/* How much of n bytes this call may move; 0: it fails. */
static size_t moves(enum fault what, size_t n)
{
    if (!is_planned(what))
        return cut_at(what, n);
    faults.fired = true;
    errno = faults.plan.error;
    if (faults.plan.error)
        return 0;
    return faults.plan.cut < n ? faults.plan.cut : n;
}

static ssize_t moved(enum fault what, ssize_t n)
{
    if (n > 0 && !is_outside())
        faults.moved[what] += (size_t)n;
    return n;
}

/* The linker's --wrap=f sends calls of f to __wrap_f and those of __real_f to f. */
#define WRAP_AS(type, failed, name, params, args, call)                                            \
    type __real_##name params;                                                                     \
    type __wrap_##name params;                                                                     \
    type __wrap_##name params                                                                      \
    {                                                                                              \
        return fails(FAULT_##name) ? (failed) : call(__real_##name args);                          \
    }
#define WRAP(type, failed, name, params, args)      WRAP_AS(type, failed, name, params, args, )
#define WRAP_CALL(name, params, args)               WRAP(int, -1, name, params, args)
#define WRAP_OPEN(name, params, args)               WRAP_AS(int, -1, name, params, args, took_fd)
#define WRAP_TAKE(type, failed, name, params, args) WRAP_AS(type, failed, name, params, args, took)

WRAP_TAKE(void *, NULL, malloc, (size_t n), (n))
WRAP_TAKE(void *, NULL, calloc, (size_t n, size_t size), (n, size))
WRAP_TAKE(char *, NULL, strdup, (const char *s), (s))
WRAP_TAKE(char *, NULL, strndup, (const char *s, size_t n), (s, n))
WRAP_TAKE(void *, MAP_FAILED, mmap, (void *p, size_t n, int prot, int flags, int fd, off_t at),
          (p, n, prot, flags, fd, at))
WRAP(void *, NULL, tsearch,
     (const void *key, void **root, int (*compare)(const void *, const void *)),
     (key, root, compare))
WRAP_CALL(mprotect, (void *p, size_t n, int prot), (p, n, prot))
WRAP_OPEN(memfd_create, (const char *name, unsigned flags), (name, flags))
WRAP_CALL(madvise, (void *p, size_t n, int advice), (p, n, advice))
WRAP_CALL(ftruncate, (int fd, off_t n), (fd, n))
WRAP(off_t, -1, lseek, (int fd, off_t at, int from), (fd, at, from))
WRAP_CALL(fstat, (int fd, struct stat *st), (fd, st))
WRAP_CALL(fstatfs, (int fd, struct statfs *st), (fd, st))
WRAP_CALL(fsync, (int fd), (fd))
WRAP_CALL(fdatasync, (int fd), (fd))
WRAP_OPEN(socket, (int domain, int type, int protocol), (domain, type, protocol))
WRAP_CALL(bind, (int fd, const struct sockaddr *addr, socklen_t n), (fd, addr, n))
WRAP_CALL(listen, (int fd, int backlog), (fd, backlog))
WRAP_OPEN(accept4, (int fd, struct sockaddr *addr, socklen_t *n, int flags), (fd, addr, n, flags))
WRAP_CALL(getsockopt, (int fd, int level, int name, void *value, socklen_t *n),
          (fd, level, name, value, n))
WRAP_OPEN(epoll_create1, (int flags), (flags))
WRAP_CALL(epoll_ctl, (int epfd, int op, int fd, struct epoll_event *event), (epfd, op, fd, event))
WRAP_OPEN(timerfd_create, (int clock, int flags), (clock, flags))
WRAP_CALL(timerfd_settime, (int fd, int flags, const struct itimerspec *at, struct itimerspec *was),
          (fd, flags, at, was))
WRAP_CALL(clock_gettime, (clockid_t clock, struct timespec *ret), (clock, ret))
WRAP_CALL(uname, (struct utsname * ret), (ret))
WRAP_CALL(chmod, (const char *path, mode_t mode), (path, mode))
WRAP_CALL(chown, (const char *path, uid_t uid, gid_t gid), (path, uid, gid))
WRAP_CALL(lstat, (const char *path, struct stat *st), (path, st))
WRAP_CALL(unlink, (const char *path), (path))
WRAP_OPEN(mkostemps, (char *name, int end, int flags), (name, end, flags))
WRAP_CALL(fallocate, (int fd, int mode, off_t at, off_t n), (fd, mode, at, n))
WRAP_CALL(rename, (const char *from, const char *to), (from, to))
WRAP_CALL(renameat2,
          (int from_folder, const char *from, int to_folder, const char *to, unsigned flags),
          (from_folder, from, to_folder, to, flags))
WRAP_CALL(link, (const char *from, const char *to), (from, to))

void __real_free(void *p);
void __wrap_free(void *p);
void __wrap_free(void *p)
{
    gave(p);
    __real_free(p);
}

int __real_munmap(void *p, size_t n);
int __wrap_munmap(void *p, size_t n);
int __wrap_munmap(void *p, size_t n)
{
    gave(p);
    return __real_munmap(p, n);
}

void *__real_realloc(void *p, size_t n);
void *__wrap_realloc(void *p, size_t n);
void *__wrap_realloc(void *p, size_t n)
{
    if (fails(FAULT_realloc))
        return NULL;
    gave(p);
    return took(__real_realloc(p, n));
}

void *__real_reallocarray(void *p, size_t n, size_t size);
void *__wrap_reallocarray(void *p, size_t n, size_t size);
void *__wrap_reallocarray(void *p, size_t n, size_t size)
{
    if (fails(FAULT_reallocarray))
        return NULL;
    gave(p);
    return took(__real_reallocarray(p, n, size));
}

/* The number is free afterwards, whatever close() says. */
int __real_close(int fd);
int __wrap_close(int fd);
int __wrap_close(int fd)
{
    bool failed = fails(FAULT_close);
    int error = errno, rc = __real_close(fd);

    gave_fd(fd);
    errno = failed ? error : errno;
    return failed ? -1 : rc;
}

int __real_fcntl(int fd, int command, ...);
int __wrap_fcntl(int fd, int command, ...);
int __wrap_fcntl(int fd, int command, ...)
{
    va_list args;
    long arg;
    int rc;

    va_start(args, command);
    arg = va_arg(args, long);
    va_end(args);
    if (fails(FAULT_fcntl))
        return -1;
    rc = __real_fcntl(fd, command, arg);
    return command == F_DUPFD_CLOEXEC ? took_fd(rc) : rc;
}

int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...)
{
    va_list args;
    mode_t mode;

    va_start(args, flags);
    mode = va_arg(args, mode_t);
    va_end(args);
    return fails(FAULT_open) ? -1 : took_fd(__real_open(path, flags, mode));
}

int __real_openat(int folder, const char *path, int flags, ...);
int __wrap_openat(int folder, const char *path, int flags, ...);
int __wrap_openat(int folder, const char *path, int flags, ...)
{
    va_list args;
    mode_t mode;

    va_start(args, flags);
    mode = va_arg(args, mode_t);
    va_end(args);
    return fails(FAULT_openat) ? -1 : took_fd(__real_openat(folder, path, flags, mode));
}

/* Waiting is not work: who waits for what was refused ends outside. */
int __real_epoll_wait(int epfd, struct epoll_event *events, int n, int timeout);
int __wrap_epoll_wait(int epfd, struct epoll_event *events, int n, int timeout);
int __wrap_epoll_wait(int epfd, struct epoll_event *events, int n, int timeout)
{
    bool forever = timeout < 0 && is_kept_account_of();
    int rc;

    if (fails(FAULT_epoll_wait))
        return -1;
    faults_leave();
    rc = __real_epoll_wait(epfd, events, n, forever ? PATIENCE_MS : timeout);
    if (rc == 0 && forever)
        _exit(1);
    faults_enter();
    return rc;
}

/* ---- what moves bytes ---- */

ssize_t __real_read(int fd, void *p, size_t n);
ssize_t __wrap_read(int fd, void *p, size_t n);
ssize_t __wrap_read(int fd, void *p, size_t n)
{
    n = moves(FAULT_read, n);
    return n ? moved(FAULT_read, __real_read(fd, p, n)) : -1;
}

ssize_t __real_pread(int fd, void *p, size_t n, off_t at);
ssize_t __wrap_pread(int fd, void *p, size_t n, off_t at);
ssize_t __wrap_pread(int fd, void *p, size_t n, off_t at)
{
    size_t some = moves(FAULT_pread, n);

    return some || !n ? __real_pread(fd, p, some, at) : -1;
}

ssize_t __real_write(int fd, const void *p, size_t n);
ssize_t __wrap_write(int fd, const void *p, size_t n);
ssize_t __wrap_write(int fd, const void *p, size_t n)
{
    n = moves(FAULT_write, n);
    return n ? moved(FAULT_write, __real_write(fd, p, n)) : -1;
}

enum { PIECES_MAX = 1024 };

static size_t size_of(const struct iovec *pieces, size_t n_pieces)
{
    size_t n = 0;

    for (size_t i = 0; i < n_pieces; i++)
        n += pieces[i].iov_len;
    return n;
}

/* The first n bytes of the pieces. Returns how many pieces these are. */
static size_t cut(const struct iovec *pieces, size_t n, struct iovec ret[PIECES_MAX])
{
    size_t k = 0;

    for (; n > 0; k++) {
        ret[k] = pieces[k];
        ret[k].iov_len = n < ret[k].iov_len ? n : ret[k].iov_len;
        n -= ret[k].iov_len;
    }
    return k;
}

ssize_t __real_writev(int fd, const struct iovec *pieces, int n_pieces);
ssize_t __wrap_writev(int fd, const struct iovec *pieces, int n_pieces);
ssize_t __wrap_writev(int fd, const struct iovec *pieces, int n_pieces)
{
    struct iovec some[PIECES_MAX];
    size_t whole = size_of(pieces, (size_t)n_pieces), n = moves(FAULT_writev, whole);

    if (n == whole)
        return moved(FAULT_writev, __real_writev(fd, pieces, n_pieces));
    return n ? moved(FAULT_writev, __real_writev(fd, some, (int)cut(pieces, n, some))) : -1;
}

ssize_t __real_sendmsg(int fd, const struct msghdr *msg, int flags);
ssize_t __wrap_sendmsg(int fd, const struct msghdr *msg, int flags);
ssize_t __wrap_sendmsg(int fd, const struct msghdr *msg, int flags)
{
    struct iovec some[PIECES_MAX];
    struct msghdr shorter = *msg;
    size_t whole = size_of(msg->msg_iov, msg->msg_iovlen), n = moves(FAULT_sendmsg, whole);

    if (n == whole)
        return moved(FAULT_sendmsg, __real_sendmsg(fd, msg, flags));
    shorter.msg_iov = some;
    shorter.msg_iovlen = cut(msg->msg_iov, n, some);
    return n ? moved(FAULT_sendmsg, __real_sendmsg(fd, &shorter, flags)) : -1;
}

ssize_t __real_recvmsg(int fd, struct msghdr *msg, int flags);
ssize_t __wrap_recvmsg(int fd, struct msghdr *msg, int flags);
ssize_t __wrap_recvmsg(int fd, struct msghdr *msg, int flags)
{
    struct iovec some[PIECES_MAX], *all = msg->msg_iov;
    size_t n_pieces = msg->msg_iovlen, whole = size_of(all, n_pieces);
    size_t n = moves(FAULT_recvmsg, whole);
    ssize_t rc;

    if (n == whole)
        return moved(FAULT_recvmsg, __real_recvmsg(fd, msg, flags));
    if (n == 0)
        return -1;
    msg->msg_iov = some;
    msg->msg_iovlen = cut(all, n, some);
    rc = moved(FAULT_recvmsg, __real_recvmsg(fd, msg, flags));
    msg->msg_iov = all;
    msg->msg_iovlen = n_pieces;
    return rc;
}

/* Random numbers that are the same every time, so that an input does the same every time. */
ssize_t __wrap_getrandom(void *p, size_t n, unsigned flags);
ssize_t __wrap_getrandom(void *p, size_t n, unsigned flags)
{
    (void)flags;
    if (fails(FAULT_getrandom))
        return -1;
    memset(p, 1, n);
    return (ssize_t)n;
}
