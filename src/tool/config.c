/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "tool/record_config.h"
#include "tool/tool.h"

static const char help[] =
    "Usage: tracewire config check FILE\n"
    "\n"
    "Says whether FILE is a trace config in protobuf text format that 'tracewire\n"
    "record --txt' can take; '-' is standard input. It prints 'FILE: OK', or to\n"
    "standard error the first place where it is wrong and why, as\n"
    "FILE:LINE:COLUMN: TEXT, with the nearest name for one that is unknown.\n"
    "What a service makes of the config is not looked at.\n"
    "\n"
    "  -h, --help     this text\n"
    "      --version  the version\n"
    "\n"
    "Exit status: 0 the config is right, 1 it is wrong, 2 bad command line or\n"
    "missing file.\n";

static int check(char *path)
{
    struct tw_record_config config;
    char why[TW_RECORD_WHY_MAX];
    int rc = tw_record_config_read(path, true, &config, why);

    if (rc < 0) {
        tw_complain("config", "%s", why);
        return TW_EXIT_USAGE;
    }
    if (rc) { /* nothing before the place: editors look for it there */
        tw_make_printable(why);
        fprintf(stderr, "%s\n", why);
        return TW_EXIT_FAILURE;
    }
    tw_record_config_deinit(&config);
    tw_make_printable(path);
    printf("%s: OK\n", path);
    return TW_EXIT_OK;
}

int tw_cmd_config(int argc, char **argv)
{
    enum { OPT_VERSION = 256 };
    static const struct option long_options[] = {
        {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, OPT_VERSION},
        {NULL, 0, NULL, 0},
    };
    int opt;

    tw_options_begin();
    while ((opt = getopt_long(argc, argv, ":h", long_options, NULL)) != -1) {
        switch (opt) {
        case 'h':
            fputs(help, stdout);
            return TW_EXIT_OK;
        case OPT_VERSION:
            return tw_print_version();
        default:
            return tw_options_bad(opt, argv);
        }
    }
    if (optind == argc)
        return tw_usage_error("config", "what to do? check FILE");
    if (strcmp(argv[optind], "check") != 0)
        return tw_usage_error("config", "unknown '%s'; there is check", argv[optind]);
    if (!tw_one_file("config", optind + 1, argc))
        return TW_EXIT_USAGE;
    return check(argv[optind + 1]);
}
