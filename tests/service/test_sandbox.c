/* SPDX-License-Identifier: Apache-2.0 */
/* The sandbox from inside: a child enters it and tries what an intruder would. What the loop needs
 * is shown by the tests of the command, which runs in it. */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/macros.h"
#include "service/sandbox.h"
#include "tests/harness.h"

static char folder[32], socket_path[64], other_path[64];
static const char *output_dir;

/* What the child ends with; a signal is its negative number. */
enum { ENTERED_NOT = 99, DID_IT = 0 };

static void touch(const char *path)
{
    int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    close(fd);
}

static int make_folder(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/tracewire-test-XXXXXX");
    if (!mkdtemp(folder))
        return 1;
    snprintf(socket_path, sizeof(socket_path), "%s/socket", folder);
    snprintf(other_path, sizeof(other_path), "/tmp/tracewire-other-%d", getpid());
    touch(socket_path);
    touch(other_path);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    unlink(socket_path);
    unlink(other_path);
    return rmdir(folder);
}

/* Runs try in a child in the sandbox: 0, the errno it ended with, or the negative signal. */
static int attempt(int (*try)(void), unsigned parts_wanted)
{
    struct tw_sandbox sandbox = {.paths = {socket_path}, .output_dir = output_dir};
    pid_t pid = fork();
    int status;

    assert_true(pid >= 0);
    if (pid == 0) {
        if (parts_wanted == TW_SANDBOX_FILES) { /* alone, so that seccomp is not what stops it */
            prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
            if (tw_sandbox_files(&sandbox))
                _exit(ENTERED_NOT);
        } else if (tw_sandbox_enter(&sandbox) != parts_wanted) {
            _exit(ENTERED_NOT);
        }
        _exit(try() < 0 ? errno : DID_IT);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

static int try_execve(void)
{
    char *const args[] = {NULL};

    return execve("/bin/true", args, args);
}

static int try_socket(void)
{
    return socket(AF_INET, SOCK_STREAM, 0);
}

static int try_ptrace(void)
{
    return (int)ptrace(PTRACE_ATTACH, getppid(), NULL, NULL);
}

static int try_fork(void)
{
    return fork();
}

static int try_connect(void)
{
    return connect(0, NULL, 0);
}

static int try_kill(void)
{
    return kill(getppid(), 0);
}

static int try_read_of_another(void)
{
    char byte;
    struct iovec here = {&byte, 1}, there = {&byte, 1};

    return (int)process_vm_readv(getppid(), &here, 1, &there, 1, 0);
}

static void what_only_an_intruder_calls_is_deadly(void **state)
{
    static int (*const tries[])(void) = {try_execve,  try_socket, try_ptrace,         try_fork,
                                         try_connect, try_kill,   try_read_of_another};

    (void)state;
    for (size_t i = 0; i < TW_ARRAY_LEN(tries); i++)
        assert_int_equal(attempt(tries[i], TW_SANDBOX_ALL), -SIGSYS);
}

static int try_open(void)
{
    return open("/etc/passwd", O_RDONLY | O_CLOEXEC);
}

static int try_code(void)
{
    void *p = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    return p == MAP_FAILED ? -1 : 0;
}

static int try_to_make_code(void)
{
    void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    return p == MAP_FAILED ? 0 : mprotect(p, 4096, PROT_READ | PROT_EXEC);
}

static int try_ioctl(void)
{
    return (int)syscall(SYS_ioctl, 0, 0, 0);
}

static int try_dumps(void)
{
    return prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
}

static int try_owner(void)
{
    return fcntl(0, F_SETOWN, getppid());
}

static int try_of_tomorrow(void)
{
    return (int)syscall(1000);
}

static void what_is_not_needed_fails(void **state)
{
    static int (*const tries[])(void) = {try_open,  try_code,  try_to_make_code, try_ioctl,
                                         try_dumps, try_owner, try_of_tomorrow};

    (void)state;
    for (size_t i = 0; i < TW_ARRAY_LEN(tries); i++)
        assert_int_equal(attempt(tries[i], TW_SANDBOX_ALL), EPERM);
}

static int unlink_socket(void)
{
    return unlink(socket_path);
}

static int unlink_other(void)
{
    return unlink(other_path);
}

static int make_file(void)
{
    return open("/tmp/tracewire-made", O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
}

static void only_the_sockets_may_be_removed(void **state)
{
    (void)state;
    assert_int_equal(attempt(unlink_other, TW_SANDBOX_ALL), EACCES);
    assert_int_equal(access(other_path, F_OK), 0);
    assert_int_equal(attempt(unlink_socket, TW_SANDBOX_ALL), DID_IT);
    assert_int_equal(access(socket_path, F_OK), -1);
    touch(socket_path);
}

/* And reads it back, as clones do. */
static int make_output(void)
{
    char path[64], byte;
    struct open_how how = {.flags = O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, .mode = 0600};
    int fd;

    snprintf(path, sizeof(path), "%s/socket.trace", folder);
    fd = (int)syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof(how));
    return fd < 0 ? fd : (int)pread(fd, &byte, 1, lseek(fd, 0, SEEK_CUR));
}

/* Only with an output directory, and only there. */
static void files_are_made_where_they_may_be(void **state)
{
    char path[64];

    (void)state;
    assert_int_equal(attempt(make_output, TW_SANDBOX_ALL), EPERM);
    output_dir = "/usr";
    assert_int_equal(attempt(make_output, TW_SANDBOX_ALL), EACCES);
    output_dir = folder;
    assert_int_equal(attempt(make_output, TW_SANDBOX_ALL), DID_IT);
    output_dir = NULL;
    snprintf(path, sizeof(path), "%s/socket.trace", folder);
    assert_int_equal(unlink(path), 0);
}

static void landlock_alone_closes_the_files(void **state)
{
    (void)state;
    assert_int_equal(attempt(try_open, TW_SANDBOX_FILES), EACCES);
    assert_int_equal(attempt(make_file, TW_SANDBOX_FILES), EACCES);
    assert_int_equal(attempt(try_execve, TW_SANDBOX_FILES), EACCES);
    assert_int_equal(attempt(unlink_other, TW_SANDBOX_FILES), EACCES);
}

/* Memory is sealed, a peer's descriptor copied, time told: all that the service does. */
static int work(void)
{
    int fd = memfd_create("x", MFD_CLOEXEC | MFD_ALLOW_SEALING), copy;
    struct timespec now;

    if (fd < 0 || ftruncate(fd, 4096) < 0 || fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK) < 0)
        return -1;
    copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    if (copy < 0 || mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED)
        return -1;
    return clock_gettime(CLOCK_BOOTTIME, &now);
}

static void what_the_service_does_works(void **state)
{
    (void)state;
    assert_int_equal(attempt(work, TW_SANDBOX_ALL), DID_IT);
}

static void nothing_is_dumped(void **state)
{
    pid_t pid = fork();
    int status;

    (void)state;
    assert_true(pid >= 0);
    if (pid == 0) {
        struct tw_sandbox sandbox = {0};

        if (tw_sandbox_enter(&sandbox) != TW_SANDBOX_ALL)
            _exit(ENTERED_NOT);
        abort();
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGABRT); /* and no other signal: abort() works */
    assert_false(WCOREDUMP(status));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        tw_unit_test(what_only_an_intruder_calls_is_deadly),
        tw_unit_test(what_is_not_needed_fails),
        tw_unit_test(only_the_sockets_may_be_removed),
        tw_unit_test(files_are_made_where_they_may_be),
        tw_unit_test(landlock_alone_closes_the_files),
        tw_unit_test(what_the_service_does_works),
        tw_unit_test(nothing_is_dumped),
    };

    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
