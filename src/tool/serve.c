/* SPDX-License-Identifier: Apache-2.0 */
/* tracewire serve: the tracing service in the foreground. */
#include <malloc.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "service/account.h"
#include "tool/activation.h"
#include "tool/notify.h"
#include "tool/serve_options.h"
#include "tool/tool.h"

/* A daemon is not the one to be stopped by a soft limit of 1024 connections. */
static void raise_descriptor_limit(uint64_t *ret_max)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    *ret_max = limit.rlim_max;
}

/* Where the system gives few descriptors, one user gets half of them at most. */
static void share_descriptors(uint64_t limits[TW_QUOTAS])
{
    uint64_t max = UINT64_MAX, *limit = &limits[TW_QUOTA_DESCRIPTORS];

    raise_descriptor_limit(&max);
    if (*limit == 0 && max / 2 < tw_quotas[TW_QUOTA_DESCRIPTORS].usual)
        *limit = max / 2;
}

static void on_signal(int signo, void *user)
{
    (void)signo;
    tw_loop_quit(user);
}

/* There is nothing to load again, so that SIGHUP is nothing, unless it is the end of the terminal
 * this was started from. What a peer does to a pipe or a file that it handed over is an error of
 * that write and no more. */
static int take_signals(struct tw_loop *loop)
{
    sigset_t signals;

    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    if (isatty(STDERR_FILENO))
        sigaddset(&signals, SIGHUP);
    else
        signal(SIGHUP, SIG_IGN);
    return tw_loop_signals(loop, &signals, on_signal, loop);
}

/* What the C library would read from files later, when the sandbox forbids it. First of all, so
 * that the memory this takes for a moment does not lie between what stays. */
static void read_ahead(void)
{
    tzset();
}

static void tell_failure(int rc, struct tw_bytes socket)
{
    tw_log(TW_LOG_ERROR, "serve: cannot listen on '%.*s': %s", (int)socket.n,
           socket.n ? (const char *)socket.p : "",
           rc == TW_E_EXISTS    ? "in use"
           : rc == TW_E_INVALID ? "not an address of a socket"
                                : tw_err_str(rc));
}

/* Everything is open: the sandbox closes, and the doors open. */
static int serve(struct tw_loop *loop, struct tw_daemon *daemon, const struct tw_serve_options *o)
{
    const char *paths[TW_LISTENERS_MAX];
    int rc, notify_fd = tw_notify_open();
    const char *sandbox;

    tw_daemon_paths(daemon, paths);
    rc = tw_sandbox_serve(o->sandbox, paths, o->daemon.service.output_dir, &sandbox);
    if (rc) {
        tw_log(TW_LOG_ERROR, "serve: the sandbox is %s, and all of it is required", sandbox);
    } else {
        (void)malloc_trim(0); /* what getting ready took */
        tw_log(TW_LOG_INFO, "ready: producers at %s, consumers at %s, sandbox %s",
               o->daemon.producer_socket, o->daemon.consumer_socket, sandbox);
        tw_notify(notify_fd, "READY=1");
        rc = tw_loop_run(loop);
        tw_notify(notify_fd, "STOPPING=1");
    }
    tw_daemon_free(daemon);
    tw_fd_close(&notify_fd);
    return rc;
}

static int run(struct tw_loop *loop, const struct tw_serve_options *o)
{
    struct tw_daemon *daemon;
    struct tw_bytes socket;
    int rc = take_signals(loop);

    if (rc)
        return rc;
    rc = tw_daemon_new(loop, &o->daemon, &daemon, &socket);
    if (rc) {
        tell_failure(rc, socket);
        return rc;
    }
    return serve(loop, daemon, o);
}

/* Sockets that come from outside are used in place of those of the options. */
static int take_sockets(struct tw_daemon_options *options)
{
    int fds[2];
    const char *why;

    if (tw_activation(fds, &why))
        return tw_usage_error("serve", "%s", why);
    if (fds[0] < 0)
        return TW_SERVE_GO_ON;
    memcpy(options->inherited, fds, sizeof(fds));
    options->producer_socket = options->consumer_socket = "a socket handed over";
    return TW_SERVE_GO_ON;
}

int tw_cmd_serve(int argc, char **argv)
{
    struct tw_serve_options options;
    struct tw_loop *loop;
    int rc, status = tw_serve_parse(argc, argv, &options);

    if (status == TW_SERVE_GO_ON)
        status = take_sockets(&options.daemon);
    if (status != TW_SERVE_GO_ON)
        return status;
    tw_log_set_level(options.log_level);
    tw_log_for_journal();
    read_ahead();
    share_descriptors(options.daemon.service.limits);
    rc = tw_loop_new(&loop);
    if (rc) {
        tw_log(TW_LOG_ERROR, "serve: %s", tw_err_str(rc));
        return TW_EXIT_FAILURE;
    }
    rc = run(loop, &options);
    tw_loop_free(loop);
    if (rc == TW_E_INVALID) /* an address that is none */
        return TW_EXIT_USAGE;
    return rc ? TW_EXIT_FAILURE : TW_EXIT_OK;
}
