/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "tool/tool.h"

struct command {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *about;
};

static const struct command commands[] = {
    {"serve", tw_cmd_serve, "the tracing service, in the foreground"},
    {"record", tw_cmd_record, "a consumer: traces and writes a trace file"},
    {"produce", tw_cmd_produce, "a producer for tests and demos"},
    {"trace", tw_cmd_trace, "says what is in a trace file, and whether it is right"},
    {"config", tw_cmd_config, "checks a trace config in text format"},
    {"decode", tw_cmd_decode, "prints a recorded stream as readable text"},
    {"demo", tw_cmd_demo, "service, producer and consumer together for two seconds"},
};

static int print_help(void)
{
    printf("Usage: tracewire COMMAND [ARGS...]\n"
           "\n"
           "The Perfetto tracing protocol: service, consumer, producer and decoder.\n"
           "\n"
           "Commands (each has its own --help):\n");
    for (size_t i = 0; i < TW_ARRAY_LEN(commands); i++)
        printf("  %-9s %s\n", commands[i].name, commands[i].about);
    printf("\n"
           "  -h, --help     this text\n"
           "      --version  the version\n"
           "\n"
           "Exit status: 0 success, 1 failure, 2 bad command line or missing file; the help\n"
           "of a command names those it has besides.\n");
    return TW_EXIT_OK;
}

/* Output that nobody got is a failure, whatever the command thought of itself. */
static int finish(int status)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return status;
    fprintf(stderr, "tracewire: cannot write to standard output: %m\n");
    return status == TW_EXIT_OK ? TW_EXIT_FAILURE : status;
}

static int dispatch(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : NULL;

    if (!name)
        return tw_usage_error("", "which command?");
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0)
        return print_help();
    if (strcmp(name, "--version") == 0)
        return tw_print_version();
    for (size_t i = 0; i < TW_ARRAY_LEN(commands); i++)
        if (strcmp(commands[i].name, name) == 0)
            return commands[i].run(argc - 1, argv + 1);
    return tw_usage_error("", name[0] == '-' ? "unknown flag '%s'" : "unknown command '%s'", name);
}

int main(int argc, char **argv)
{
    return finish(dispatch(argc, argv));
}
