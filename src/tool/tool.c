/* SPDX-License-Identifier: Apache-2.0 */
#include "tool/tool.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Longest text of a message; a longer argument is cut, the line stays one line. */
enum { USAGE_TEXT_MAX = 256, COMPLAINT_MAX = 1024 };

void tw_options_begin(void)
{
    opterr = 0;
    optind = 0; /* glibc: start over, and look at the short options again */
}

bool tw_one_file(const char *command, int first, int argc)
{
    if (first >= argc)
        tw_usage_error(command, "which FILE?");
    else if (argc - first > 1)
        tw_usage_error(command, "one FILE at a time");
    return argc - first == 1;
}

int tw_options_bad(int opt, char **argv)
{
    const char *last = argv[optind - 1];

    if (opt == ':')
        return tw_usage_error(argv[0], "'%s' wants a value", last);
    if (optopt > 0 && optopt < 128 && strncmp(last, "--", 2) != 0)
        return tw_usage_error(argv[0], "unknown flag '-%c'", optopt);
    if (optopt) /* getopt knows the flag: only a value that it does not take is wrong */
        return tw_usage_error(argv[0], "'%s': the flag takes no value", last);
    return tw_usage_error(argv[0], "unknown flag '%s'", last);
}

int tw_print_version(void)
{
    printf("tracewire " TW_VERSION "\n");
    return TW_EXIT_OK;
}

void tw_make_printable(char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < ' ' || *text == 0x7f)
            *text = '?';
}

void tw_complain(const char *command, const char *fmt, ...)
{
    char text[COMPLAINT_MAX];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    tw_make_printable(text);
    fprintf(stderr, "tracewire %s: %s\n", command, text);
}

int tw_usage_error(const char *command, const char *fmt, ...)
{
    char text[USAGE_TEXT_MAX];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    tw_make_printable(text);
    fprintf(stderr, "tracewire%s%s: %s (try 'tracewire%s%s --help')\n", *command ? " " : "",
            command, text, *command ? " " : "", command);
    return TW_EXIT_USAGE;
}

struct unit {
    const char *name;
    uint64_t factor;
};

enum { SECOND_MS = 1000, MINUTE_MS = 60000, HOUR_MS = 3600000, MB_KB = 1024, GB_KB = 1048576 };

static const struct unit time_units[] = {
    {"ms", 1}, {"s", SECOND_MS}, {"m", MINUTE_MS}, {"h", HOUR_MS}, {NULL, 0}};

static const struct unit size_units[] = {{"kb", 1},    {"mb", MB_KB}, {"gb", GB_KB}, {"k", 1},
                                         {"m", MB_KB}, {"g", GB_KB},  {NULL, 0}};

/* The digits at the start of text; *ret_rest is what follows. */
static int parse_digits(const char *text, uint64_t *ret_value, const char **ret_rest)
{
    char *end;
    unsigned long long value;

    if (*text < '0' || *text > '9') /* strtoull() would take blanks and signs */
        return TW_E_INVALID;
    errno = 0;
    value = strtoull(text, &end, 10);
    if (errno)
        return TW_E_INVALID;
    *ret_value = value;
    *ret_rest = end;
    return 0;
}

static int parse_with_unit(const char *text, const struct unit *units, uint64_t max,
                           uint64_t *ret_value)
{
    const char *rest;
    uint64_t value;

    if (parse_digits(text, &value, &rest))
        return TW_E_INVALID;
    if (value == 0 && *rest == '\0') {
        *ret_value = 0;
        return 0;
    }
    while (units->name && strcmp(units->name, rest) != 0)
        units++;
    if (!units->name || value > max / units->factor)
        return TW_E_INVALID;
    *ret_value = value * units->factor;
    return 0;
}

int tw_parse_time_ms(const char *text, uint64_t max, uint64_t *ret_ms)
{
    return parse_with_unit(text, time_units, max, ret_ms);
}

int tw_parse_size_kb(const char *text, uint64_t max, uint64_t *ret_kb)
{
    return parse_with_unit(text, size_units, max, ret_kb);
}

int tw_parse_number(const char *text, uint64_t min, uint64_t max, uint64_t *ret_value)
{
    const char *rest;
    uint64_t value;

    if (parse_digits(text, &value, &rest) || *rest || value < min || value > max)
        return TW_E_INVALID;
    *ret_value = value;
    return 0;
}
