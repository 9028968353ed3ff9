/* SPDX-License-Identifier: Apache-2.0 */
#include "tool/serve_options.h"

#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "service/account.h"
#include "tool/tool.h"

/* Any program may have something to trace; who may see everything is root's to say, by a group. */
enum { PRODUCER_MODE = 0666, CONSUMER_MODE = 0660, SOCKET_MODE_MAX = 0777 };
/* A terabyte: above it, no limit is meant. */
#define LIMIT_KB_MAX (UINT64_C(1) << 30)

static const char help[] =
    "Usage: tracewire serve [FLAGS]\n"
    "\n"
    "The tracing service, in the foreground until SIGINT or SIGTERM.\n"
    "\n"
    "      --producer-socket NAMES listen here for producers: paths, @NAME in the\n"
    "                              abstract namespace, HOST:PORT, [HOST]:PORT or\n"
    "                              vsock://CID:PORT, separated by commas; default\n"
    "                              PERFETTO_PRODUCER_SOCK_NAME, else\n"
    "                              /run/perfetto/traced-producer.sock if\n"
    "                              /run/perfetto exists, else /tmp/perfetto-producer\n"
    "      --consumer-socket NAMES the same for consumers, with CONSUMER for PRODUCER\n"
    "      --relay-socket NAMES    listen here for relays and the producers of their\n"
    "                              machines, by TCP or vsock\n"
    "      --socket-mode MODE      rights of all paths, octal; by default 666 for\n"
    "                              producers, 660 for consumers, who see everything\n"
    "      --socket-group GROUP    group of all paths, a name or a number\n"
    "      --consumer-mode MODE    rights of the paths for consumers alone\n"
    "      --consumer-group GROUP  group of the paths for consumers alone\n"
    "      --limit NAME=N          what one user may have at once; repeat for others:\n"
    "                              connections (4096), sessions (5), shared-memory\n"
    "                              (1gb), memory (256mb), output (64mb), requests\n"
    "                              (16384), descriptors (12288)\n"
    "      --output-dir DIR        where consumers may have files made (output_path\n"
    "                              in a trace config); by default nowhere\n"
    "      --sandbox WHEN          auto (default): give up files, privileges and all\n"
    "                              system calls that are not needed, as far as the\n"
    "                              kernel knows how; require: all of it, or end;\n"
    "                              off: none of it\n"
    "      --log-level LEVEL       error, warn, info (default) or debug\n"
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

    if (quota != TW_QUOTA_SHM && quota != TW_QUOTA_MEMORY && quota != TW_QUOTA_OUTPUT)
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

static int set_producer_socket(struct tw_serve_options *o, const char *text)
{
    o->daemon.producer_socket = text;
    return 0;
}

static int set_consumer_socket(struct tw_serve_options *o, const char *text)
{
    o->daemon.consumer_socket = text;
    return 0;
}

static int set_relay_socket(struct tw_serve_options *o, const char *text)
{
    o->daemon.relay_socket = text;
    return 0;
}

static int set_mode(struct tw_serve_options *o, const char *text)
{
    mode_t mode;

    if (parse_mode(text, &mode))
        return TW_E_INVALID;
    o->daemon.access[TW_SERVICE_PRODUCER].mode = o->daemon.access[TW_SERVICE_CONSUMER].mode = mode;
    return 0;
}

static int set_consumer_mode(struct tw_serve_options *o, const char *text)
{
    return parse_mode(text, &o->daemon.access[TW_SERVICE_CONSUMER].mode);
}

static int set_group(struct tw_serve_options *o, const char *text)
{
    gid_t group;

    if (parse_group(text, &group))
        return TW_E_INVALID;
    o->daemon.access[TW_SERVICE_PRODUCER].group = group;
    o->daemon.access[TW_SERVICE_CONSUMER].group = group;
    return 0;
}

static int set_consumer_group(struct tw_serve_options *o, const char *text)
{
    return parse_group(text, &o->daemon.access[TW_SERVICE_CONSUMER].group);
}

static int set_limit(struct tw_serve_options *o, const char *text)
{
    return parse_limit(text, o->daemon.service.limits);
}

static int set_output_dir(struct tw_serve_options *o, const char *text)
{
    o->daemon.service.output_dir = text;
    return access(text, W_OK | X_OK) == 0 ? 0 : TW_E_INVALID;
}

static int set_sandbox(struct tw_serve_options *o, const char *text)
{
    return tw_sandbox_parse(text, &o->sandbox);
}

static int set_log_level(struct tw_serve_options *o, const char *text)
{
    return tw_log_parse_level(text, &o->log_level);
}

static const struct flag {
    const char *name;
    int (*set)(struct tw_serve_options *o, const char *text);
    const char *wanted; /* what is said when set() finds that it is something else */
} flags[] = {
    {"producer-socket", set_producer_socket, NULL},
    {"consumer-socket", set_consumer_socket, NULL},
    {"relay-socket", set_relay_socket, NULL},
    {"socket-mode", set_mode, "octal, at most 777"},
    {"socket-group", set_group, "no such group"},
    {"consumer-mode", set_consumer_mode, "octal, at most 777"},
    {"consumer-group", set_consumer_group, "no such group"},
    {"limit", set_limit, "a name and a number over 0"},
    {"output-dir", set_output_dir, "no directory that can be written to"},
    {"sandbox", set_sandbox, "auto, require or off"},
    {"log-level", set_log_level, "error, warn, info or debug"},
};

enum { FLAG = 256, FLAGS = TW_ARRAY_LEN(flags) }; /* getopt's value of the first of them */

static void make_longs(struct option longs[FLAGS + 3])
{
    for (int i = 0; i < FLAGS; i++)
        longs[i] = (struct option){flags[i].name, required_argument, NULL, FLAG + i};
    longs[FLAGS] = (struct option){"help", no_argument, NULL, 'h'};
    longs[FLAGS + 1] = (struct option){"version", no_argument, NULL, 'V'};
    longs[FLAGS + 2] = (struct option){0};
}

static int use(const struct flag *flag, struct tw_serve_options *o, const char *text)
{
    if (flag->set(o, text))
        return tw_usage_error("serve", "bad --%s '%s': %s", flag->name, text, flag->wanted);
    return TW_SERVE_GO_ON;
}

static int one_option(int opt, char **argv, struct tw_serve_options *o)
{
    if (opt >= FLAG)
        return use(&flags[opt - FLAG], o, optarg);
    if (opt == 'h') {
        fputs(help, stdout);
        return TW_EXIT_OK;
    }
    return opt == 'V' ? tw_print_version() : tw_options_bad(opt, argv);
}

int tw_serve_parse(int argc, char **argv, struct tw_serve_options *ret_options)
{
    struct option longs[FLAGS + 3];
    int opt, status = TW_SERVE_GO_ON;

    *ret_options = (struct tw_serve_options){
        .daemon = {.producer_socket = tw_sock_default("producer"),
                   .consumer_socket = tw_sock_default("consumer"),
                   .access = {{PRODUCER_MODE, (gid_t)-1}, {CONSUMER_MODE, (gid_t)-1}}},
        .log_level = TW_LOG_INFO,
    };
    make_longs(longs);
    tw_options_begin();
    while (status == TW_SERVE_GO_ON && (opt = getopt_long(argc, argv, ":h", longs, NULL)) != -1)
        status = one_option(opt, argv, ret_options);
    if (status == TW_SERVE_GO_ON && optind < argc)
        return tw_usage_error("serve", "unexpected argument '%s'", argv[optind]);
    return status;
}
