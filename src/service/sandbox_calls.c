/* SPDX-License-Identifier: Apache-2.0 */
/* seccomp: the calls of the loop, and no others. */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/macros.h"
#include "service/sandbox.h"

enum { FILTER_MAX = 2048 }; /* instructions; ours has some hundreds, a kernel takes 4096 */

/* What the loop, its peers and the C library beneath need. Names that an architecture does not have
 * are passed over, as are those that libseccomp is too old for. */
static const char *const needed[] = {
    /* peers */
    "accept",
    "accept4",
    "getpeername",
    "getsockname",
    "getsockopt",
    "recvfrom",
    "recvmsg",
    "sendmsg",
    "sendto",
    "setsockopt",
    "shutdown",
    /* the loop */
    "clock_getres",
    "clock_gettime",
    "clock_gettime64",
    "epoll_ctl",
    "epoll_pwait",
    "epoll_pwait2",
    "epoll_wait",
    "gettimeofday",
    "poll",
    "ppoll",
    "time",
    "timerfd_gettime",
    "timerfd_settime",
    "timerfd_settime64",
    /* shared memory, trace files, descriptors */
    "close",
    "dup",
    "fallocate",
    "fdatasync",
    "fstat",
    "fstat64",
    "fstatfs",
    "fstatfs64",
    "fsync",
    "ftruncate",
    "ftruncate64",
    "lseek",
    "_llseek",
    "memfd_create",
    "newfstatat",
    "pipe2",
    "pread64",
    "pwrite64",
    "pwritev",
    "read",
    "readv",
    "splice",
    "statx",
    "write",
    "writev",
    /* memory */
    "brk",
    "madvise",
    "mremap",
    "munmap",
    /* the C library, and facts for the trace */
    "exit",
    "exit_group",
    "futex",
    "futex_time64",
    "getegid",
    "geteuid",
    "getgid",
    "getpid",
    "getrandom",
    "gettid",
    "getuid",
    "restart_syscall",
    "rt_sigaction",
    "rt_sigprocmask",
    "rt_sigreturn",
    "sched_yield",
    "sigreturn",
    "sysinfo",
    "uname",
};

/* Nobody but an intruder calls these. */
static const char *const deadly[] = {
    "add_key",
    "bind",
    "bpf",
    "chmod",
    "chown",
    "chroot",
    "clone",
    "clone3",
    "connect",
    "delete_module",
    "execve",
    "execveat",
    "fchmod",
    "fchown",
    "finit_module",
    "fork",
    "init_module",
    "io_uring_setup",
    "ioperm",
    "iopl",
    "kexec_load",
    "keyctl",
    "kill",
    "link",
    "linkat",
    "listen",
    "mknod",
    "mknodat",
    "mount",
    "move_mount",
    "open_by_handle_at",
    "perf_event_open",
    "pidfd_getfd",
    "pidfd_open",
    "pivot_root",
    "process_vm_readv",
    "process_vm_writev",
    "ptrace",
    "reboot",
    "rename",
    "renameat2",
    "request_key",
    "setgid",
    "setns",
    "setuid",
    "socket",
    "socketpair",
    "symlink",
    "symlinkat",
    "tkill",
    "umount2",
    "unshare",
    "userfaultfd",
    "vfork",
};

static const int fcntl_commands[] = {
    F_ADD_SEALS, F_DUPFD_CLOEXEC, F_GETFD, F_GETFL, F_GET_SEALS, F_SETFD, F_SETFL,
};

static int add(scmp_filter_ctx ctx, uint32_t action, const char *name, unsigned n_args,
               const struct scmp_arg_cmp *args)
{
    int nr = seccomp_syscall_resolve_name(name);

    return nr == __NR_SCMP_ERROR ? 0 : seccomp_rule_add_array(ctx, action, nr, n_args, args);
}

static int add_all(scmp_filter_ctx ctx, uint32_t action, const char *const *names, size_t n)
{
    int rc = 0;

    for (size_t i = 0; !rc && i < n; i++)
        rc = add(ctx, action, names[i], 0, NULL);
    return rc;
}

/* No memory becomes code. */
static int add_mappings(scmp_filter_ctx ctx)
{
    static const char *const names[] = {"mmap", "mmap2", "mprotect"};
    const struct scmp_arg_cmp no_exec = SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0);
    int rc = 0;

    for (size_t i = 0; !rc && i < TW_ARRAY_LEN(names); i++)
        rc = add(ctx, SCMP_ACT_ALLOW, names[i], 1, &no_exec);
    return rc;
}

static int add_fcntl(scmp_filter_ctx ctx)
{
    static const char *const names[] = {"fcntl", "fcntl64"};
    int rc = 0;

    for (size_t i = 0; !rc && i < TW_ARRAY_LEN(fcntl_commands); i++)
        for (size_t n = 0; !rc && n < TW_ARRAY_LEN(names); n++)
            rc = add(ctx, SCMP_ACT_ALLOW, names[n], 1,
                     &SCMP_A1(SCMP_CMP_EQ, (scmp_datum_t)fcntl_commands[i], 0));
    return rc;
}

/* abort() sends itself a signal, so that a failed check is seen for what it is. The process that is
 * to be kept in is the one that waits for the filter, our parent. */
static int add_abort(scmp_filter_ctx ctx)
{
    return add(ctx, SCMP_ACT_ALLOW, "tgkill", 1, &SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getppid(), 0));
}

static int add_unlink(scmp_filter_ctx ctx, const struct tw_sandbox *sandbox)
{
    static const char *const names[] = {"unlink", "unlinkat"};

    for (size_t i = 0; i < TW_ARRAY_LEN(sandbox->paths); i++)
        if (sandbox->paths[i])
            return add_all(ctx, SCMP_ACT_ALLOW, names, TW_ARRAY_LEN(names));
    return 0;
}

/* Landlock says where. */
static int add_create(scmp_filter_ctx ctx, const struct tw_sandbox *sandbox)
{
    return sandbox->output_dir ? add(ctx, SCMP_ACT_ALLOW, "openat2", 0, NULL) : 0;
}

static int fill(scmp_filter_ctx ctx, const struct tw_sandbox *sandbox)
{
    int rc = add_all(ctx, SCMP_ACT_ALLOW, needed, TW_ARRAY_LEN(needed));

    if (!rc)
        rc = add_all(ctx, SCMP_ACT_KILL_PROCESS, deadly, TW_ARRAY_LEN(deadly));
    if (!rc)
        rc = add_mappings(ctx);
    if (!rc)
        rc = add_fcntl(ctx);
    if (!rc)
        rc = add_abort(ctx);
    if (!rc)
        rc = add_create(ctx, sandbox);
    return rc ? rc : add_unlink(ctx, sandbox);
}

static bool succeeded(pid_t child)
{
    int status;

    return waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static scmp_filter_ctx make(const struct tw_sandbox *sandbox)
{
    scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ERRNO(EPERM));

    if (!ctx)
        return NULL;
    /* A filter that is searched and not walked is worth having; an older library without it is good
     * enough. */
    TW_IGNORE(seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2));
    if (!fill(ctx, sandbox))
        return ctx;
    seccomp_release(ctx);
    return NULL;
}

/* Making a filter leaves its traces all over the heap, where they keep more memory from going back
 * than the service has: so a child makes it, and hands it over. Returns instructions, 0: none. */
static size_t take_filter(const struct tw_sandbox *sandbox, struct sock_filter *filter, size_t max)
{
    size_t n = 0, room = max * sizeof(*filter);
    ssize_t got = 1;
    int fds[2];
    pid_t child;

    if (pipe2(fds, O_CLOEXEC) < 0)
        return 0;
    child = fork();
    if (child == 0) {
        scmp_filter_ctx ctx = make(sandbox);

        _exit(!ctx || seccomp_export_bpf(ctx, fds[1]));
    }
    tw_fd_close(&fds[1]);
    while (child > 0 && n < room && (got = read(fds[0], (char *)filter + n, room - n)) > 0)
        n += (size_t)got;
    tw_fd_close(&fds[0]);
    return child > 0 && succeeded(child) && got == 0 ? n / sizeof(*filter) : 0;
}

/* With a log of what was refused, unless the kernel is too old for that. */
int tw_sandbox_calls(const struct tw_sandbox *sandbox)
{
    struct sock_fprog program = {.filter = calloc(FILTER_MAX, sizeof(struct sock_filter))};
    int rc = -ENOMEM;

    if (program.filter)
        program.len = (unsigned short)take_filter(sandbox, program.filter, FILTER_MAX);
    if (program.len)
        rc = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_LOG, &program) &&
                     syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program)
                 ? -errno
                 : 0;
    free(program.filter);
    return rc;
}
