/* SPDX-License-Identifier: Apache-2.0 */
#include "tool/demo_child.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"

enum { EXEC_FAILED = 127, KILLED = 128 };

/* In the child. Never returns. */
static void exec_self(const char *const *argv, const struct tw_demo_stdio *stdio, pid_t parent)
{
    sigset_t held;
    char *const *args;

    /* Every role takes these two from its loop. Held back until it has one, so that a demo which is
     * interrupted at once does not kill it half started. */
    sigemptyset(&held);
    sigaddset(&held, SIGINT);
    sigaddset(&held, SIGTERM);
    sigprocmask(SIG_SETMASK, &held, NULL);
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) /* it went before we asked to die with it */
        _exit(EXEC_FAILED);
    if ((stdio->out >= 0 && dup2(stdio->out, STDOUT_FILENO) < 0) ||
        (stdio->err >= 0 && dup2(stdio->err, STDERR_FILENO) < 0))
        _exit(EXEC_FAILED);
    memcpy(&args, &argv, sizeof(args)); /* execv() does not change them */
    execv("/proc/self/exe", args);
    _exit(EXEC_FAILED);
}

static void on_end(struct tw_io *io, uint32_t events)
{
    struct tw_demo_child *child = TW_CONTAINER_OF(io, struct tw_demo_child, io);
    int status = 0;

    (void)events;
    while (waitpid(child->pid, &status, 0) < 0 && errno == EINTR)
        ;
    tw_loop_del(child->loop, io);
    tw_fd_close(&io->fd);
    child->pid = 0;
    child->ended = true;
    child->status = WIFEXITED(status) ? WEXITSTATUS(status) : KILLED + WTERMSIG(status);
}

int tw_demo_spawn(struct tw_demo_child *child, struct tw_loop *loop, const char *const *argv,
                  const struct tw_demo_stdio *stdio)
{
    pid_t parent = getpid();
    pid_t pid = fork();
    int rc;

    if (pid < 0)
        return -errno;
    if (pid == 0)
        exec_self(argv, stdio, parent);
    child->pid = pid;
    child->loop = loop;
    child->io = (struct tw_io){.fd = pidfd_open(pid, 0), .events = EPOLLIN, .fn = on_end};
    rc = child->io.fd < 0 ? -errno : tw_loop_add(loop, &child->io);
    if (rc) {
        tw_fd_close(&child->io.fd);
        tw_demo_reap(child);
    }
    return rc;
}

void tw_demo_signal(const struct tw_demo_child *child, int signo)
{
    if (child->pid)
        kill(child->pid, signo);
}

void tw_demo_reap(struct tw_demo_child *child)
{
    if (!child->pid)
        return;
    kill(child->pid, SIGKILL);
    if (child->io.fd >= 0) {
        on_end(&child->io, 0);
        return;
    }
    while (waitpid(child->pid, NULL, 0) < 0 && errno == EINTR)
        ;
    child->pid = 0;
    child->ended = true;
}
