/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/calls.h"

#include <signal.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "bench/serve.h"

void calls_trace(pid_t pid)
{
    serve_must(
        !ptrace(PTRACE_SEIZE, pid, NULL, (void *)(PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE)) &&
            !ptrace(PTRACE_INTERRUPT, pid, NULL, NULL),
        "cannot trace a process");
}

/* It stops at each system call twice. */
static long call_of(pid_t pid)
{
    struct __ptrace_syscall_info info;

    serve_must(ptrace(PTRACE_GET_SYSCALL_INFO, pid, (void *)sizeof(info), &info) > 0,
               "cannot look at a system call");
    return info.op == PTRACE_SYSCALL_INFO_ENTRY ? (long)info.entry.nr : CALL_NONE;
}

long calls_go_on(pid_t pid, int status)
{
    int signo = WSTOPSIG(status);
    long call = CALL_NONE;

    if (signo == (SIGTRAP | 0x80)) {
        call = call_of(pid);
        signo = 0;
    } else if (signo == SIGTRAP) {
        signo = 0; /* we stopped it */
    }
    serve_must(!ptrace(PTRACE_SYSCALL, pid, NULL, (void *)(long)signo), "cannot go on tracing");
    return call;
}

void calls_leave(pid_t pid)
{
    int status;

    serve_must(!ptrace(PTRACE_INTERRUPT, pid, NULL, NULL) && waitpid(pid, &status, __WALL) == pid &&
                   !ptrace(PTRACE_DETACH, pid, NULL, NULL),
               "cannot leave a process alone again");
}
