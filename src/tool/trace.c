/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>

#include "base/err.h"
#include "tool/tool.h"
#include "tool/trace_report.h"

static const char help[] =
    "Usage: tracewire trace [--check] [--json] FILE\n"
    "\n"
    "Says what is in a trace file: packets by kind, who wrote them, in which clocks,\n"
    "and what is missing. FILE '-' is standard input.\n"
    "\n"
    "      --check    what is wrong with the trace, instead: order, repetitions,\n"
    "                 state that was never set, the service's own packets\n"
    "      --json     all of that as JSON; man tracewire-trace has the members\n"
    "  -h, --help     this text\n"
    "      --version  the version\n"
    "\n"
    "Exit status: 0 success, 1 the file is damaged or, with --check, breaks a rule,\n"
    "2 bad command line or missing file, 5 with --check: the trace is right and says\n"
    "that something is missing from it.\n";

struct arguments {
    bool check, json;
    char *path;
};

static int print(const struct arguments *args, const struct tw_survey *survey)
{
    if (args->json)
        return tw_report_json(stdout, args->path, survey);
    if (args->check)
        tw_report_check(stdout, args->path, survey);
    else
        tw_report_text(stdout, survey);
    return 0;
}

static int status_of(const struct arguments *args, const struct tw_survey *survey)
{
    if (survey->said != TW_MORE)
        return TW_EXIT_FAILURE;
    if (!args->check)
        return TW_EXIT_OK;
    if (tw_survey_findings(survey))
        return TW_EXIT_FAILURE;
    return tw_survey_losses(survey) ? TW_EXIT_INCOMPLETE : TW_EXIT_OK;
}

static int report(const struct arguments *args, const struct tw_survey *survey)
{
    int rc = print(args, survey);

    if (rc) {
        tw_complain("trace", "%s", tw_err_str(rc));
        return TW_EXIT_FAILURE;
    }
    if (survey->said != TW_MORE) {
        fflush(stdout);
        tw_complain("trace", "%s: byte %" PRIu64 ": %s", args->path, survey->offset,
                    survey->said < 0 ? tw_err_str(survey->said) : tw_report_said(survey->said));
    }
    return status_of(args, survey);
}

static int run(const struct arguments *args)
{
    struct tw_survey survey = {0};
    struct tw_trace_reader *reader;
    int status, rc = tw_trace_reader_open(args->path, &reader);

    if (rc) {
        tw_complain("trace", "%s: %s", args->path, tw_err_str(rc));
        return TW_EXIT_USAGE;
    }
    rc = tw_survey_read(&survey, reader);
    tw_trace_reader_free(reader);
    tw_make_printable(args->path);
    if (rc || (survey.said < 0 && survey.offset == 0)) { /* a directory, say */
        tw_complain("trace", "%s: %s", args->path, tw_err_str(rc ? rc : survey.said));
        status = rc ? TW_EXIT_FAILURE : TW_EXIT_USAGE;
    } else {
        status = report(args, &survey);
    }
    tw_survey_deinit(&survey);
    return status;
}

int tw_cmd_trace(int argc, char **argv)
{
    enum { OPT_CHECK = 256, OPT_JSON, OPT_VERSION };
    static const struct option long_options[] = {
        {"check", no_argument, NULL, OPT_CHECK},
        {"json", no_argument, NULL, OPT_JSON},
        {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, OPT_VERSION},
        {NULL, 0, NULL, 0},
    };
    struct arguments args = {0};
    int opt;

    tw_options_begin();
    while ((opt = getopt_long(argc, argv, ":h", long_options, NULL)) != -1) {
        switch (opt) {
        case OPT_CHECK:
            args.check = true;
            break;
        case OPT_JSON:
            args.json = true;
            break;
        case 'h':
            fputs(help, stdout);
            return TW_EXIT_OK;
        case OPT_VERSION:
            return tw_print_version();
        default:
            return tw_options_bad(opt, argv);
        }
    }
    if (!tw_one_file("trace", optind, argc))
        return TW_EXIT_USAGE;
    args.path = argv[optind];
    return run(&args);
}
