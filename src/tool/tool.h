/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the subcommands of `tracewire` share. A subcommand is one function that gets its own part of
 * the command line, with argv[0] its name, and returns the exit status. Command line problems go
 * to standard error as exactly one line; the help goes to standard output.
 */
#pragma once

#include <getopt.h>

#include "base/macros.h"

enum tw_exit {
    TW_EXIT_OK = 0,
    TW_EXIT_FAILURE = 1,
    TW_EXIT_USAGE = 2,       /* unknown flags, bad values, missing files: nothing was done */
    TW_EXIT_UNREACHABLE = 3, /* no service at the socket */
    TW_EXIT_REFUSED = 4,     /* the service refused the session or ended it with an error */
    TW_EXIT_INCOMPLETE = 5,  /* a trace that is right says that something is missing from it */
};

int tw_cmd_serve(int argc, char **argv);
int tw_cmd_record(int argc, char **argv);
int tw_cmd_produce(int argc, char **argv);
int tw_cmd_config(int argc, char **argv);
int tw_cmd_trace(int argc, char **argv);
int tw_cmd_decode(int argc, char **argv);
int tw_cmd_demo(int argc, char **argv);

/* Begins a new command line: silences getopt's own messages and resets its state. short_options
 * begins with ':', so that a missing value can be told from an unknown flag. */
void tw_options_begin(void);
/* The line and the status for a '?' or ':' from getopt_long(). */
int tw_options_bad(int opt, char **argv);
/* "tracewire COMMAND: text" on standard error: one line, whatever is in the arguments. */
void tw_complain(const char *command, const char *fmt, ...) TW_PRINTF(2, 3);
/* "tracewire COMMAND: text (try 'tracewire COMMAND --help')" on standard error. Returns
 * TW_EXIT_USAGE. */
int tw_usage_error(const char *command, const char *fmt, ...) TW_PRINTF(2, 3);
/* Whether the argument first is the only one from there on; else it was a usage error. */
bool tw_one_file(const char *command, int first, int argc);

/* Replaces control characters: whatever an argument or a peer says, a message stays one line and a
 * terminal is not told anything. */
void tw_make_printable(char *text);

/* For --version: prints it and returns the exit status. */
int tw_print_version(void);

/* Numbers with units, as upstream's command line has them; 0 needs none. TW_E_INVALID when it is
 * not one or over max. */
TW_MUST_USE int tw_parse_time_ms(const char *text, uint64_t max, uint64_t *ret_ms);
TW_MUST_USE int tw_parse_size_kb(const char *text, uint64_t max, uint64_t *ret_kb);
/* A plain decimal number from min to max. */
TW_MUST_USE int tw_parse_number(const char *text, uint64_t min, uint64_t max, uint64_t *ret_value);
