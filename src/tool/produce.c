/* SPDX-License-Identifier: Apache-2.0 */
/* The flags of `tracewire produce`; what it does is in produce_run.c. */
#include <stdio.h>
#include <string.h>

#include "base/sock.h"
#include "tool/produce_run.h"
#include "tool/tool.h"

enum {
    NAME_LENGTH_MAX = 1024,         /* bytes: services cut what is longer */
    THREADS_MAX = 64,               /* of one instance */
    PAYLOAD_MAX = 64 * 1024 * 1024, /* bytes: more than any reader takes for one packet */
    RATE_MAX = 1000 * 1000,         /* a second: closer together than timers can tell */
};

static const char help[] =
    "Usage: tracewire produce [FLAGS]\n"
    "\n"
    "A producer for tests and demos, with two data sources: 'track_event' writes\n"
    "slices, instants and a counter, 'tw.seq' numbered test packets. Writes while a\n"
    "session has them on; goes on until SIGINT or SIGTERM, or as the flags say. At\n"
    "the end one line of JSON on standard output says what was written.\n"
    "\n"
    "      --socket NAME    a path or @NAME; default PERFETTO_PRODUCER_SOCK_NAME,\n"
    "                       else /run/perfetto/traced-producer.sock if /run/perfetto\n"
    "                       exists, else /tmp/perfetto-producer\n"
    "      --name NAME      what the service calls us (default tracewire-produce)\n"
    "      --rate N         per second and thread; 0 as fast as it goes (default 100)\n"
    "      --count N        per thread, then end; 0 no end (default 0)\n"
    "      --threads N      per data source (default 1)\n"
    "      --payload N      bytes in a numbered packet (default 32)\n"
    "      --duration TIME  end after so long: a number and ms, s, m or h\n"
    "      --stall          wait when the shared memory is full instead of losing\n"
    "                       packets\n"
    "  -h, --help           this text\n"
    "      --version        the version\n"
    "\n"
    "Exit status: 0 success, 1 failure, 2 bad command line.\n";

enum {
    OPT_SOCKET = 256,
    OPT_NAME,
    OPT_RATE,
    OPT_COUNT,
    OPT_THREADS,
    OPT_PAYLOAD,
    OPT_DURATION,
    OPT_STALL,
    OPT_VERSION,
};

static const struct option long_options[] = {
    {"socket", required_argument, NULL, OPT_SOCKET},
    {"name", required_argument, NULL, OPT_NAME},
    {"rate", required_argument, NULL, OPT_RATE},
    {"count", required_argument, NULL, OPT_COUNT},
    {"threads", required_argument, NULL, OPT_THREADS},
    {"payload", required_argument, NULL, OPT_PAYLOAD},
    {"duration", required_argument, NULL, OPT_DURATION},
    {"stall", no_argument, NULL, OPT_STALL},
    {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, OPT_VERSION},
    {NULL, 0, NULL, 0},
};

static int take_number(const char *flag, uint64_t min, uint64_t max, uint64_t *ret_value)
{
    if (tw_parse_number(optarg, min, max, ret_value) == 0)
        return -1;
    return tw_usage_error("produce", "%s: '%s' is not a number from %llu to %llu", flag, optarg,
                          (unsigned long long)min, (unsigned long long)max);
}

/* -1: go on; else the exit status. */
static int take_option(int opt, struct tw_produce_options *o, char **argv)
{
    switch (opt) {
    case OPT_SOCKET:
        o->socket = optarg;
        return -1;
    case OPT_NAME:
        if (strlen(optarg) > NAME_LENGTH_MAX)
            return tw_usage_error("produce", "--name: more than %d bytes", NAME_LENGTH_MAX);
        o->name = optarg;
        return -1;
    case OPT_RATE:
        return take_number("--rate", 0, RATE_MAX, &o->rate);
    case OPT_COUNT:
        return take_number("--count", 0, UINT32_MAX, &o->count);
    case OPT_THREADS:
        return take_number("--threads", 1, THREADS_MAX, &o->threads);
    case OPT_PAYLOAD:
        return take_number("--payload", 0, PAYLOAD_MAX, &o->payload);
    case OPT_DURATION:
        if (tw_parse_time_ms(optarg, UINT32_MAX, &o->duration_ms))
            return tw_usage_error("produce", "'%s' is not a time such as 500ms, 5s or 2m", optarg);
        return -1;
    case OPT_STALL:
        o->stall = true;
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

int tw_cmd_produce(int argc, char **argv)
{
    struct tw_produce_options options = {
        .name = "tracewire-produce", .rate = 100, .threads = 1, .payload = 32};
    int opt, status = -1;

    tw_options_begin();
    while (status < 0 && (opt = getopt_long(argc, argv, ":h", long_options, NULL)) != -1)
        status = take_option(opt, &options, argv);
    if (status >= 0)
        return status;
    if (optind < argc)
        return tw_usage_error("produce", "unexpected argument '%s'", argv[optind]);
    if (!options.socket)
        options.socket = tw_sock_default("producer");
    return tw_produce_run(&options);
}
