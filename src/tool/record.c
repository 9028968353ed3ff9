/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "base/sock.h"
#include "tool/record_session.h"
#include "tool/tool.h"

/* What the short form records when it is not told, as upstream's does. */
enum { DEFAULT_DURATION_MS = 10 * 1000, DEFAULT_BUFFER_KB = 32 * 1024 };

struct arguments {
    struct tw_record_options session;
    struct tw_record_short_form form;
    const char *config;
    bool text, short_flags;
};

static const char help[] =
    "Usage: tracewire record -c FILE [--txt] -o FILE [FLAGS]\n"
    "       tracewire record [-t TIME] [-b SIZE] -o FILE [FLAGS] [CATEGORY...]\n"
    "\n"
    "A consumer: traces and writes a trace file. SIGINT ends the session, and what\n"
    "was traced is saved.\n"
    "\n"
    "  -c, --config FILE           the trace config, '-' for standard input\n"
    "      --txt                   the config is protobuf text format, not binary\n"
    "  -o, --out FILE              the trace file, '-' for standard output\n"
    "  -t, --time TIME             duration: a number and ms, s, m or h; 0 means\n"
    "                              until stopped (default 10s)\n"
    "  -b, --buffer SIZE           size of the buffer: a number and kb, mb or gb\n"
    "                              (default 32mb)\n"
    "      --consumer-socket NAME  a path or @NAME; default\n"
    "                              PERFETTO_CONSUMER_SOCK_NAME, else\n"
    "                              /run/perfetto/traced-consumer.sock if\n"
    "                              /run/perfetto exists, else /tmp/perfetto-consumer\n"
    "  -v, --verbose               also say when every data source has started\n"
    "  -h, --help                  this text\n"
    "      --version               the version\n"
    "\n"
    "CATEGORY is a category of track events or a pattern such as 'net*'; none means\n"
    "all.\n"
    "\n"
    "Exit status: 0 the trace was written, 1 failure (what came was kept), 2 bad\n"
    "command line, config or file, 3 no service at the socket, 4 the service refused\n"
    "the session, ended it with an error or went away (what came was kept).\n";

enum { OPT_TXT = 256, OPT_CONSUMER_SOCKET, OPT_VERSION };

static const struct option long_options[] = {
    {"config", required_argument, NULL, 'c'},
    {"txt", no_argument, NULL, OPT_TXT},
    {"out", required_argument, NULL, 'o'},
    {"time", required_argument, NULL, 't'},
    {"buffer", required_argument, NULL, 'b'},
    {"consumer-socket", required_argument, NULL, OPT_CONSUMER_SOCKET},
    {"verbose", no_argument, NULL, 'v'},
    {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, OPT_VERSION},
    {NULL, 0, NULL, 0},
};

/* -1: go on; else the exit status. */
static int take_option(int opt, struct arguments *args, char **argv)
{
    switch (opt) {
    case 'c':
        args->config = optarg;
        return -1;
    case OPT_TXT:
        args->text = true;
        return -1;
    case 'o':
        args->session.out = optarg;
        return -1;
    case 't':
        args->short_flags = true;
        if (tw_parse_time_ms(optarg, UINT32_MAX, &args->form.duration_ms))
            return tw_usage_error("record", "'%s' is not a time such as 500ms, 5s or 2m", optarg);
        return -1;
    case 'b':
        args->short_flags = true;
        if (tw_parse_size_kb(optarg, UINT32_MAX, &args->form.buffer_kb) || !args->form.buffer_kb)
            return tw_usage_error("record", "'%s' is not a size such as 512kb or 16mb", optarg);
        return -1;
    case OPT_CONSUMER_SOCKET:
        args->session.socket = optarg;
        return -1;
    case 'v':
        args->session.verbose = true;
        return -1;
    case 'h':
        fputs(help, stdout);
        return TW_EXIT_OK;
    case OPT_VERSION:
        return tw_print_version();
    default:
        return tw_options_bad(opt, argv);
    }
}

/* What does not fit together. -1: everything does. */
static int check(const struct arguments *args)
{
    bool short_form = args->short_flags || args->form.n_categories;

    if (args->config && short_form)
        return tw_usage_error("record", "-c and the short form (-t, -b, CATEGORY) exclude each "
                                        "other");
    if (!args->config && !short_form)
        return tw_usage_error("record", "what? -c FILE, or -t, -b or CATEGORY");
    if (!args->config && args->text)
        return tw_usage_error("record", "--txt is about the file of -c");
    if (!args->session.out)
        return tw_usage_error("record", "where to? -o FILE");
    return -1;
}

static int parse(int argc, char **argv, struct arguments *args)
{
    int opt, status = -1;

    tw_options_begin();
    while (status < 0 && (opt = getopt_long(argc, argv, ":c:o:t:b:vh", long_options, NULL)) != -1)
        status = take_option(opt, args, argv);
    if (status >= 0)
        return status;
    args->form.categories = argv + optind;
    args->form.n_categories = (size_t)(argc - optind);
    if (!args->session.socket)
        args->session.socket = tw_sock_default("consumer");
    return check(args);
}

int tw_cmd_record(int argc, char **argv)
{
    struct arguments args = {
        .form = {.duration_ms = DEFAULT_DURATION_MS, .buffer_kb = DEFAULT_BUFFER_KB}};
    struct tw_record_config config;
    char why[TW_RECORD_WHY_MAX];
    int status = parse(argc, argv, &args);
    int rc;

    if (status >= 0)
        return status;
    rc = args.config ? tw_record_config_read(args.config, args.text, &config, why)
                     : tw_record_config_make(&args.form, &config, why);
    if (rc) {
        tw_complain("record", "%s", why);
        return TW_EXIT_USAGE;
    }
    status = tw_record_session(&args.session, &config);
    tw_record_config_deinit(&config);
    return status;
}
