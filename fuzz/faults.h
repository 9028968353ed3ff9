/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the system refuses where an input or a test says so, and chance that is none. In a program
 * made with tw_link_faults() (cmake/faults.cmake) our calls of the functions below come here.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* Every function that can be made to fail, whether it allocates memory, and the errors that its
 * manual page gives, as far as they can come from outside. munmap() and free() are only looked at:
 * when they fail nothing can be done. */
#define FAULTS(X)                                                                                  \
    X(malloc, true, ENOMEM)                                                                        \
    X(calloc, true, ENOMEM)                                                                        \
    X(realloc, true, ENOMEM)                                                                       \
    X(reallocarray, true, ENOMEM)                                                                  \
    X(strdup, true, ENOMEM)                                                                        \
    X(strndup, true, ENOMEM)                                                                       \
    X(tsearch, true, ENOMEM)                                                                       \
    X(mmap, true, ENOMEM, EAGAIN, ENFILE, ENODEV, EPERM, EACCES)                                   \
    X(mprotect, true, ENOMEM, EACCES)                                                              \
    X(memfd_create, true, ENOMEM, EMFILE, ENFILE, EPERM)                                           \
    X(madvise, false, EAGAIN, EINVAL, ENOMEM, EIO)                                                 \
    X(ftruncate, false, EINTR, EIO, EPERM)                                                         \
    X(fcntl, false, EMFILE, EAGAIN, EBUSY, EINVAL, EPERM)                                          \
    X(fstat, false, EBADF, ENOMEM, EOVERFLOW)                                                      \
    X(fstatfs, false, EINTR, EIO, ENOMEM, ENOSYS)                                                  \
    X(close, false, EINTR, EIO, ENOSPC)                                                            \
    X(open, false, EACCES, EMFILE, ENFILE, ENOMEM, ENOSPC, EROFS, ENOENT, ELOOP, EINTR)            \
    X(openat, false, EACCES, EMFILE, ENFILE, ENOMEM, ENOSPC, EROFS, ENOENT, ELOOP, EINTR)          \
    X(lseek, false, EINVAL, EOVERFLOW, ESPIPE)                                                     \
    X(read, false, EAGAIN, EINTR, EIO)                                                             \
    X(pread, false, EINTR, EIO, EISDIR)                                                            \
    X(write, false, EAGAIN, EINTR, EIO, ENOSPC, EDQUOT, EFBIG, EPIPE)                              \
    X(writev, false, EAGAIN, EINTR, EIO, ENOSPC, EDQUOT, EFBIG, EPIPE)                             \
    X(fsync, false, EIO, ENOSPC, EDQUOT, EINTR)                                                    \
    X(fdatasync, false, EIO, ENOSPC, EDQUOT, EINTR)                                                \
    X(socket, false, EACCES, EMFILE, ENFILE, ENOBUFS, ENOMEM)                                      \
    X(bind, false, EACCES, EADDRINUSE, ELOOP, ENOMEM, EROFS)                                       \
    X(listen, false, EADDRINUSE)                                                                   \
    X(accept4, false, EAGAIN, ECONNABORTED, EINTR, EMFILE, ENFILE, ENOBUFS, ENOMEM, EPERM, EPROTO) \
    X(getsockopt, false, EBADF, ENOPROTOOPT)                                                       \
    X(recvmsg, false, EAGAIN, EINTR, ECONNREFUSED, ECONNRESET, ENOMEM, ENOTCONN)                   \
    X(sendmsg, false, EAGAIN, EINTR, ECONNRESET, EPIPE, ENOBUFS, ENOMEM, EMSGSIZE, ETOOMANYREFS)   \
    X(epoll_create1, false, EMFILE, ENFILE, ENOMEM)                                                \
    X(epoll_ctl, false, ENOMEM, ENOSPC)                                                            \
    X(epoll_wait, false, EINTR, EBADF)                                                             \
    X(timerfd_create, false, EMFILE, ENFILE, ENODEV, ENOMEM)                                       \
    X(timerfd_settime, false, EINVAL, ECANCELED)                                                   \
    X(clock_gettime, false, EINVAL)                                                                \
    X(getrandom, false, EAGAIN, EINTR, ENOSYS)                                                     \
    X(uname, false, EFAULT)                                                                        \
    X(chmod, false, EPERM, EIO, EROFS)                                                             \
    X(chown, false, EPERM, EIO, EROFS)                                                             \
    X(lstat, false, EACCES, ELOOP, ENOMEM)                                                         \
    X(unlink, false, EACCES, EBUSY, EIO)                                                           \
    X(mkostemps, false, EACCES, EEXIST, EMFILE, ENFILE, ENOSPC, EROFS)                             \
    X(fallocate, false, EINTR, ENOSPC, EOPNOTSUPP, EIO)                                            \
    X(rename, false, EACCES, EIO, ENOSPC, EXDEV)                                                   \
    X(renameat2, false, EACCES, EIO, EINVAL, EEXIST)                                               \
    X(link, false, EACCES, EEXIST, EIO, EPERM)

enum fault {
#define FAULT_NAME(name, ...) FAULT_##name,
    FAULTS(FAULT_NAME)
#undef FAULT_NAME
        FAULT_MAX,
    FAULT_ALLOCATION = FAULT_MAX, /* any function that allocates */
};

enum { FAULT_ERRORS_MAX = 10 };

struct fault_row {
    const char *name;
    bool allocates;
    int errors[FAULT_ERRORS_MAX]; /* the last is 0 */
};

extern const struct fault_row fault_rows[FAULT_MAX];

struct fault_plan {
    enum fault what;
    unsigned nth; /* of its calls from now, 1 is the next; 0: none */
    int error;    /* errno; 0: the call works, but */
    size_t cut;   /* moves no more than so many bytes */
    size_t at;    /* a call of what ends behind so many bytes of all that what moves; 0: none */
};

void faults_plan(const struct fault_plan *plan);
/* The nth allocation from now fails, once; 0: none does. */
void faults_arm(unsigned nth);
/* Nothing fails from now on. Returns whether something did since this was last asked. */
bool faults_disarm(void);
/* Whether something failed since faults_disarm() was last called. */
bool faults_fired(void);
/* Calls since the last plan; FAULT_ALLOCATION: of all that allocate. */
unsigned faults_calls(enum fault what);
/* Bytes that it moved since the last plan. */
size_t faults_moved(enum fault what);

/* From now on only calls between faults_enter() and faults_leave(), which nest, count and fail, and
 * what they allocate is kept account of. depth is where it is kept, as another process may want to
 * know. */
void faults_only_inside(int *depth);
void faults_enter(void);
void faults_leave(void);
/* These descriptors are handed in, and the same account is kept of them. */
void faults_hand_in(const int *fds, size_t n);
/* Blocks and mappings, and descriptors, that came to be inside and still are; and forget them. */
size_t faults_live(void);
size_t faults_live_fds(void);
void faults_forget(void);
