/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "base/sock.h"
#include "tool/record_options.h"
#include "tool/record_query.h"
#include "tool/record_session.h"
#include "tool/tool.h"
#include "tracewire/consumer.h"

/* What the short form records when it is not told, as upstream's does; and its ":test". */
enum { DEFAULT_DURATION_MS = 10 * 1000, DEFAULT_BUFFER_KB = 32 * 1024, TEST_DURATION_MS = 2000 };

static const char help[] =
    "Usage: tracewire record -c FILE [--txt] -o FILE [FLAGS]\n"
    "       tracewire record [-t TIME] [-b SIZE] -o FILE [FLAGS] [CATEGORY...]\n"
    "       tracewire record --detach KEY [-c FILE ...] | --is_detached KEY\n"
    "       tracewire record --attach KEY [--stop]\n"
    "       tracewire record --clone ID | --clone-by-name NAME -o FILE\n"
    "       tracewire record --query [--long] | --query-raw\n"
    "\n"
    "A consumer: traces and writes a trace file. SIGINT ends the session, and what\n"
    "was traced is saved. Takes what Perfetto's command takes.\n"
    "\n"
    "What to trace:\n"
    "  -c, --config FILE           the trace config, '-' for standard input, ':test'\n"
    "                              for two seconds of the scheduler's events\n"
    "      --txt                   the config is protobuf text format, not binary\n"
    "  -t, --time TIME             duration: a number and ms, s, m or h; 0 means\n"
    "                              until stopped (default 10s)\n"
    "  -b, --buffer SIZE           size of the buffer: a number and kb, mb or gb\n"
    "                              (default 32mb)\n"
    "  -s, --size SIZE             the service writes the file, up to that size\n"
    "  -a, --app NAME              events of that app of Android; may be repeated\n"
    "  CATEGORY                    of track events, or a pattern such as 'net*', and\n"
    "                              of atrace; with a slash, an event of ftrace. None\n"
    "                              means all track events\n"
    "      --add-attribute KEY[=VALUE]\n"
    "                              a text in the trace; may be repeated\n"
    "Where to:\n"
    "  -o, --out FILE              the trace file, '-' for standard output\n"
    "      --no-clobber            not in the place of a file that is there\n"
    "Sessions that go on by themselves:\n"
    "  -d, --background            in a process of its own, whose number is printed;\n"
    "                              SIGTERM ends it\n"
    "  -D, --background-wait       the same, and waits up to 30 s until every data\n"
    "                              source has started\n"
    "      --notify-fd FD          writes one byte to FD then: 0, or why not\n"
    "      --detach KEY            leaves the session to the service, which writes\n"
    "                              the file (-s or write_into_file)\n"
    "      --attach KEY [--stop]   waits for the end of such a session, or ends it\n"
    "      --is_detached KEY       exit status 0: there is one, 2: there is none,\n"
    "                              1: who knows\n"
    "      --clone ID              writes a copy of a session, which goes on; --query\n"
    "                              tells its ID\n"
    "      --clone-by-name NAME    the same, by its unique_session_name\n"
    "      --clone-for-bugreport   producers are told that it is for a bug report\n"
    "      --save-for-bugreport    a copy of the one with the highest bugreport_score\n"
    "The service:\n"
    "      --query [--long]        says who is connected and what is traced; --long\n"
    "                              does not cut lines at 80 columns\n"
    "      --query-raw             the same for programs, a TracingServiceState\n"
    "      --consumer-socket NAME  a path or @NAME; default\n"
    "                              PERFETTO_CONSUMER_SOCK_NAME, else\n"
    "                              /run/perfetto/traced-consumer.sock if\n"
    "                              /run/perfetto exists, else /tmp/perfetto-consumer\n"
    "  -v, --verbose               also say when every data source has started\n"
    "      --no-guardrails         nothing: there are none without uploads\n"
    "  -h, --help                  this text\n"
    "      --version               the version\n"
    "\n"
    "Exit status: 0 the trace was written, 1 failure (what came was kept), 2 bad\n"
    "command line, config or file, 3 no service at the socket, 4 the service refused\n"
    "the session, ended it with an error or went away (what came was kept).\n";

/* -1: the values are numbers with the right units; 0 is no size of a buffer. */
static int parse_values(const struct tw_record_args *args, struct tw_record_short_form *form)
{
    const char *time = args->value[TW_REC_TIME], *buffer = args->value[TW_REC_BUFFER];
    const char *size = args->value[TW_REC_SIZE];

    if (time && tw_parse_time_ms(time, UINT32_MAX, &form->duration_ms))
        return tw_usage_error("record", "'%s' is not a time such as 500ms, 5s or 2m", time);
    if (buffer && (tw_parse_size_kb(buffer, UINT32_MAX, &form->buffer_kb) || !form->buffer_kb))
        return tw_usage_error("record", "'%s' is not a size such as 512kb or 16mb", buffer);
    if (size && tw_parse_size_kb(size, UINT32_MAX, &form->file_kb))
        return tw_usage_error("record", "'%s' is not a size such as 512kb or 16mb", size);
    return -1;
}

static int make_short_form(const struct tw_record_args *args, struct tw_record_config *ret_config)
{
    struct tw_record_short_form form = {
        .duration_ms = DEFAULT_DURATION_MS,
        .buffer_kb = DEFAULT_BUFFER_KB,
        .categories = args->categories,
        .n_categories = args->n_categories,
        .apps = args->apps.item,
        .n_apps = args->apps.n,
    };
    char why[TW_RECORD_WHY_MAX];
    int status = parse_values(args, &form);

    if (status < 0 && tw_record_config_make(&form, ret_config, why)) {
        tw_complain("record", "%s", why);
        return TW_EXIT_USAGE;
    }
    return status;
}

/* What upstream's command has built in to try it with. */
static int make_test(struct tw_record_config *ret_config, char ret_why[TW_RECORD_WHY_MAX])
{
    char events[][24] = {"sched/sched_switch", "power/cpu_idle", "power/cpu_frequency",
                         "power/gpu_frequency"};
    char *names[] = {events[0], events[1], events[2], events[3]};
    struct tw_record_short_form form = {
        .duration_ms = TEST_DURATION_MS,
        .buffer_kb = DEFAULT_BUFFER_KB,
        .categories = names,
        .n_categories = TW_ARRAY_LEN(names),
    };

    return tw_record_config_make(&form, ret_config, ret_why);
}

static int read_config(const struct tw_record_args *args, struct tw_record_config *ret_config)
{
    const char *path = args->value[TW_REC_CONFIG];
    char why[TW_RECORD_WHY_MAX];
    int rc = strcmp(path, ":test") == 0
                 ? make_test(ret_config, why)
                 : tw_record_config_read(path, tw_record_has(args, TW_REC_TXT), ret_config, why);

    if (!rc)
        return -1;
    tw_complain("record", "%s", why);
    return TW_EXIT_USAGE;
}

static int add_attributes(const struct tw_record_args *args, struct tw_record_config *config)
{
    for (size_t i = 0; i < args->attributes.n; i++) {
        const char *text = args->attributes.item[i];
        int rc = tw_record_config_attribute(config, text);

        if (rc)
            return tw_usage_error("record", "--add-attribute '%s': %s", text,
                                  rc == TW_E_INVALID ? "not KEY or KEY=VALUE" : tw_err_str(rc));
    }
    return -1;
}

/* What the config asks of the command itself. */
static int check_config(const struct tw_record_args *args, const struct tw_record_config *config)
{
    if (config->fires_triggers)
        return tw_usage_error("record", "a config with activate_triggers traces nothing, and "
                                        "firing triggers is not supported");
    if (config->clones_on_trigger)
        return tw_usage_error("record", "trigger_mode CLONE_SNAPSHOT is not supported; see "
                                        "--clone");
    if (config->delay_min_ms > config->delay_max_ms)
        return tw_usage_error("record", "cmd_trace_start_delay has no time between its two");
    if (config->names_file && tw_record_has(args, TW_REC_OUT))
        return tw_usage_error("record", "-o and the config's output_path exclude each other");
    if (!config->into_file && tw_record_has(args, TW_REC_DETACH))
        return tw_usage_error("record", "--detach goes with -s, or write_into_file in the config");
    return -1;
}

/* A random time, so that machines with the same config do not all begin at once. */
static void delay_start(const struct tw_record_config *config, struct tw_record_notice *notice)
{
    uint32_t range = config->delay_max_ms - config->delay_min_ms, random = 0;
    uint64_t ms;
    struct timespec left;

    if (config->delay_max_ms == 0 || getrandom(&random, sizeof(random), 0) < 0)
        return;
    if (!notice->started) /* nobody waits for that */
        tw_record_notify(notice, TW_EXIT_OK);
    ms = config->delay_min_ms + (uint64_t)random * range / UINT32_MAX;
    left = (struct timespec){.tv_sec = (time_t)(ms / 1000), .tv_nsec = (long)(ms % 1000) * 1000000};
    nanosleep(&left, NULL);
}

/* Who else wants to know that it has begun. -1: go on. */
static int take_notify_fd(const struct tw_record_args *args, struct tw_record_notice *notice)
{
    const char *fd = args->value[TW_REC_NOTIFY_FD];
    uint64_t number;

    if (!fd)
        return -1;
    if (tw_parse_number(fd, 0, INT_MAX, &number) || fcntl((int)number, F_GETFD) < 0)
        return tw_usage_error("record", "--notify-fd '%s' is no open descriptor", fd);
    *notice = (struct tw_record_notice){.fd = (int)number, .started = true};
    return -1;
}

/* Everything that can be wrong with the command line is said before the background. -1: go on. */
static int prepare(const struct tw_record_args *args, bool writes,
                   struct tw_record_options *options)
{
    bool wait = tw_record_has(args, TW_REC_BACKGROUND_WAIT);
    bool background = wait || tw_record_has(args, TW_REC_BACKGROUND);

    if (writes && !options->out)
        return tw_usage_error("record", "where to? -o FILE");
    if (background && options->out && strcmp(options->out, "-") == 0)
        return tw_usage_error("record", "-o - does not go with the background, whose number is "
                                        "printed there");
    return background ? tw_record_background(wait, &options->notice)
                      : take_notify_fd(args, &options->notice);
}

static int trace(const struct tw_record_args *args, struct tw_record_options *options)
{
    struct tw_record_config config = {0};
    int status = tw_record_has(args, TW_REC_CONFIG) ? read_config(args, &config)
                                                    : make_short_form(args, &config);

    if (args->action == TW_REC_DETACH)
        options->action = TW_RECORD_DETACH;
    if (status < 0)
        status = add_attributes(args, &config);
    if (status < 0)
        status = check_config(args, &config);
    if (status < 0)
        status = prepare(args, !config.names_file, options);
    if (status < 0) {
        delay_start(&config, &options->notice);
        status = tw_record_session(options, &config);
    }
    tw_record_config_deinit(&config);
    return status;
}

static int attach(const struct tw_record_args *args, struct tw_record_options *options)
{
    int status = prepare(args, false, options);

    options->action = args->action == TW_REC_ATTACH ? TW_RECORD_ATTACH : TW_RECORD_IS_DETACHED;
    options->stop = tw_record_has(args, TW_REC_STOP);
    return status < 0 ? tw_record_session(options, NULL) : status;
}

static int clone_session(const struct tw_record_args *args, struct tw_record_options *options)
{
    const char *id = args->value[TW_REC_CLONE];
    bool bugreport = args->action == TW_REC_SAVE_FOR_BUGREPORT;
    int status;

    options->action = TW_RECORD_CLONE;
    options->clone_name = args->value[TW_REC_CLONE_BY_NAME];
    options->clone_for_bugreport = bugreport || tw_record_has(args, TW_REC_CLONE_FOR_BUGREPORT);
    options->clone_id = bugreport ? TW_CLONE_FOR_BUGREPORT : 0;
    if (id && tw_parse_number(id, 1, UINT64_MAX - 1, &options->clone_id))
        return tw_usage_error("record", "'%s' is not the ID of a session; see --query", id);
    status = prepare(args, true, options);
    return status < 0 ? tw_record_session(options, NULL) : status;
}

/* Its statuses are upstream's, and a script's: whatever goes wrong must not mean that there is
 * none. */
static int is_detached(const struct tw_record_args *args, struct tw_record_options *options)
{
    int status = attach(args, options);

    if (status == TW_RECORD_NOT_DETACHED)
        return 2;
    return status == TW_EXIT_OK ? TW_EXIT_OK : TW_EXIT_FAILURE;
}

static int act(const struct tw_record_args *args)
{
    const char *socket = args->value[TW_REC_CONSUMER_SOCKET];
    const char *key = args->value[args->action < TW_REC_OPTIONS ? args->action : 0];
    struct tw_record_options options = {
        .socket = socket ? socket : tw_sock_default("consumer"),
        .out = args->value[TW_REC_OUT],
        .no_clobber = tw_record_has(args, TW_REC_NO_CLOBBER),
        .verbose = tw_record_has(args, TW_REC_VERBOSE),
        .key = key,
        .notice = {.fd = -1},
    };

    switch (args->action) {
    case TW_REC_QUERY:
    case TW_REC_QUERY_RAW:
        return tw_record_query(options.socket, args->action == TW_REC_QUERY_RAW,
                               tw_record_has(args, TW_REC_LONG));
    case TW_REC_ATTACH:
        return attach(args, &options);
    case TW_REC_IS_DETACHED:
        return is_detached(args, &options);
    case TW_REC_CLONE:
    case TW_REC_CLONE_BY_NAME:
    case TW_REC_SAVE_FOR_BUGREPORT:
        return clone_session(args, &options);
    default:
        return trace(args, &options);
    }
}

int tw_cmd_record(int argc, char **argv)
{
    struct tw_record_args args;
    int status = tw_record_options_parse(argc, argv, &args);

    if (status >= 0)
        return tw_record_has(&args, TW_REC_IS_DETACHED) ? TW_EXIT_FAILURE : status;
    if (tw_record_has(&args, TW_REC_VERSION))
        return tw_print_version();
    if (tw_record_has(&args, TW_REC_HELP)) {
        fputs(help, stdout);
        return TW_EXIT_OK;
    }
    return act(&args);
}
