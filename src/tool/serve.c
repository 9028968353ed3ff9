/* SPDX-License-Identifier: Apache-2.0 */
/* tracewire serve: the tracing service in the foreground. */
#include <errno.h>
#include <getopt.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/log.h"
#include "service/account.h"
#include "service/daemon.h"
#include "tool/notify.h"
#include "tool/tool.h"

/* Whoever can reach the directory may trace; --socket-mode narrows it. */
enum { SOCKET_MODE = 0666, SOCKET_MODE_MAX = 0777 };
/* A terabyte: above it, no limit is meant. */
#define LIMIT_KB_MAX (UINT64_C(1) << 30)

static const char help[] =
    "Usage: tracewire serve [FLAGS]\n"
    "\n"
    "The tracing service, in the foreground until SIGINT or SIGTERM.\n"
    "\n"
    "      --producer-socket NAME  listen here for producers: a path, or @NAME in the\n"
    "                              abstract namespace; default\n"
    "                              PERFETTO_PRODUCER_SOCK_NAME, else\n"
    "                              /run/perfetto/traced-producer.sock if\n"
    "                              /run/perfetto exists, else /tmp/perfetto-producer\n"
    "      --consumer-socket NAME  the same for consumers, with CONSUMER for PRODUCER\n"
    "      --socket-mode MODE      rights of both sockets, octal (default 666)\n"
    "      --socket-group GROUP    group of both sockets, a name or a number\n"
    "      --limit NAME=N          what one user may have at once; repeat for others:\n"
    "                              connections (4096), sessions (5), shared-memory\n"
    "                              (1gb), output (64mb), requests (16384),\n"
    "                              descriptors (12288)\n"
    "  -h, --help                  this text\n"
    "      --version               the version\n"
    "\n"
    "A socket that nobody listens on is removed, a live one never. One line on\n"
    "standard error says when the service is ready; with NOTIFY_SOCKET set, the\n"
    "service manager is told too.\n"
    "\n"
    "Exit status: 0 ended by a signal, 1 failure, 2 bad command line.\n";

static int parse_mode(const char *text, mode_t *ret_mode)
{
    char *end;
    unsigned long mode = strtoul(text, &end, 8);

    if (!text[0] || *end || mode > SOCKET_MODE_MAX)
        return TW_E_INVALID;
    *ret_mode = (mode_t)mode;
    return 0;
}

static int parse_group(const char *text, gid_t *ret_group)
{
    const struct group *group = getgrnam(text);
    char *end;
    unsigned long gid = strtoul(text, &end, 10);

    if (group)
        gid = group->gr_gid;
    else if (!text[0] || *end || gid >= (gid_t)-1)
        return TW_E_INVALID;
    *ret_group = (gid_t)gid;
    return 0;
}

/* Sizes have units, as elsewhere; counts are plain numbers. */
static int parse_amount(enum tw_quota quota, const char *text, uint64_t *ret_n)
{
    uint64_t n;

    if (quota != TW_QUOTA_SHM && quota != TW_QUOTA_OUTPUT)
        return tw_parse_number(text, 1, UINT32_MAX, ret_n);
    if (tw_parse_size_kb(text, LIMIT_KB_MAX, &n) || n == 0)
        return TW_E_INVALID;
    *ret_n = n * 1024;
    return 0;
}

static int parse_limit(const char *text, uint64_t limits[TW_QUOTAS])
{
    const char *value = strchr(text, '=');

    for (enum tw_quota i = 0; value && i < TW_QUOTAS; i++)
        if (strlen(tw_quotas[i].name) == (size_t)(value - text) &&
            strncmp(text, tw_quotas[i].name, (size_t)(value - text)) == 0)
            return parse_amount(i, value + 1, &limits[i]);
    return TW_E_INVALID;
}

enum { GO_ON = -1 };

/* GO_ON, or the status to end with. */
static int parse(int argc, char **argv, struct tw_daemon_options *options)
{
    static const struct option longs[] = {
        {"producer-socket", required_argument, NULL, 'p'},
        {"consumer-socket", required_argument, NULL, 'c'},
        {"socket-mode", required_argument, NULL, 'm'},
        {"socket-group", required_argument, NULL, 'g'},
        {"limit", required_argument, NULL, 'l'},
        {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, 'V'},
        {0},
    };
    int opt;

    tw_options_begin();
    while ((opt = getopt_long(argc, argv, ":h", longs, NULL)) != -1) {
        switch (opt) {
        case 'p':
            options->producer_socket = optarg;
            break;
        case 'c':
            options->consumer_socket = optarg;
            break;
        case 'm':
            if (parse_mode(optarg, &options->access.mode))
                return tw_usage_error("serve", "bad mode '%s': octal, at most 777", optarg);
            break;
        case 'g':
            if (parse_group(optarg, &options->access.group))
                return tw_usage_error("serve", "no group '%s'", optarg);
            break;
        case 'l':
            if (parse_limit(optarg, options->service.limits))
                return tw_usage_error("serve", "bad limit '%s': a name and a number over 0",
                                      optarg);
            break;
        case 'h':
            fputs(help, stdout);
            return TW_EXIT_OK;
        case 'V':
            return tw_print_version();
        default:
            return tw_options_bad(opt, argv);
        }
    }
    if (optind < argc)
        return tw_usage_error("serve", "unexpected argument '%s'", argv[optind]);
    return GO_ON;
}

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

static int run(struct tw_loop *loop, const struct tw_daemon_options *options)
{
    struct tw_daemon *daemon;
    const char *socket;
    sigset_t signals;
    int rc;

    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    rc = tw_loop_signals(loop, &signals, on_signal, loop);
    if (rc)
        return rc;
    rc = tw_daemon_new(loop, options, &daemon, &socket);
    if (rc) {
        tw_log(TW_LOG_ERROR, "serve: cannot listen on '%s': %s", socket ? socket : "any socket",
               rc == TW_E_EXISTS    ? "in use"
               : rc == TW_E_INVALID ? "not an address of a socket"
                                    : tw_err_str(rc));
        return rc;
    }
    tw_log(TW_LOG_INFO, "ready: producers at %s, consumers at %s", options->producer_socket,
           options->consumer_socket);
    tw_notify("READY=1");
    rc = tw_loop_run(loop);
    tw_notify("STOPPING=1");
    tw_daemon_free(daemon);
    return rc;
}

int tw_cmd_serve(int argc, char **argv)
{
    struct tw_daemon_options options = {
        .producer_socket = tw_sock_default("producer"),
        .consumer_socket = tw_sock_default("consumer"),
        .access = {.mode = SOCKET_MODE, .group = (gid_t)-1},
    };
    struct tw_loop *loop;
    int rc, status = parse(argc, argv, &options);

    if (status != GO_ON)
        return status;
    share_descriptors(options.service.limits);
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
