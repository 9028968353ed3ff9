/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/lttng.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/serve.h"

static struct {
    pid_t pid;
    int in, out; /* its standard input and output */
} child;

static void run(const char *argv0, int in, int out)
{
    const char *slash = strrchr(argv0, '/');
    char program[4096];

    snprintf(program, sizeof(program), "%.*slttng_event", slash ? (int)(slash + 1 - argv0) : 0,
             argv0);
    dup2(in, STDIN_FILENO);
    dup2(out, STDOUT_FILENO);
    execl("bench/lttng_session", "bench/lttng_session", program, (char *)NULL);
    _exit(127);
}

void lttng_begin(const char *argv0)
{
    int in[2], out[2];

    serve_must(!pipe2(in, O_CLOEXEC) && !pipe2(out, O_CLOEXEC), "no pipes");
    child.pid = fork();
    serve_must(child.pid >= 0, "cannot fork");
    if (child.pid == 0)
        run(argv0, in[0], out[1]);
    close(in[0]);
    close(out[1]);
    child.in = in[1];
    child.out = out[0];
}

uint64_t lttng_ns(uint32_t n_events)
{
    uint64_t ns = 0;

    serve_must(write(child.in, &n_events, sizeof(n_events)) == sizeof(n_events) &&
                   read(child.out, &ns, sizeof(ns)) == sizeof(ns),
               "no events of LTTng-UST");
    return ns;
}

void lttng_end(void)
{
    int status;

    close(child.in);
    serve_must(waitpid(child.pid, &status, 0) == child.pid && status == 0,
               "LTTng-UST did not end well");
    close(child.out);
}
