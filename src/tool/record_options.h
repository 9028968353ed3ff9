/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The command line of `tracewire record`: which options there are, what each goes with, and which
 * of upstream's are refused. Strings are those of argv.
 */
#pragma once

#include "base/macros.h"

enum tw_record_option {
    TW_REC_CONFIG,
    TW_REC_TXT,
    TW_REC_OUT,
    TW_REC_NO_CLOBBER,
    TW_REC_TIME,
    TW_REC_BUFFER,
    TW_REC_SIZE,
    TW_REC_APP,
    TW_REC_CATEGORY, /* an argument that is no option */
    TW_REC_ADD_ATTRIBUTE,
    TW_REC_BACKGROUND,
    TW_REC_BACKGROUND_WAIT,
    TW_REC_NOTIFY_FD,
    TW_REC_DETACH,
    TW_REC_ATTACH,
    TW_REC_IS_DETACHED,
    TW_REC_STOP,
    TW_REC_CLONE,
    TW_REC_CLONE_BY_NAME,
    TW_REC_CLONE_FOR_BUGREPORT,
    TW_REC_SAVE_FOR_BUGREPORT,
    TW_REC_QUERY,
    TW_REC_QUERY_RAW,
    TW_REC_LONG,
    TW_REC_NO_GUARDRAILS,
    TW_REC_CONSUMER_SOCKET,
    TW_REC_VERBOSE,
    TW_REC_HELP,
    TW_REC_VERSION,
    TW_REC_OPTIONS,
};

#define TW_REC_BIT(option) (UINT32_C(1) << (option))

/* Values of an option that may be repeated; more are refused. */
enum { TW_REC_LIST_MAX = 64 };

struct tw_record_list {
    const char *item[TW_REC_LIST_MAX];
    size_t n;
};

struct tw_record_args {
    uint32_t seen; /* TW_REC_BIT */
    /* The option that says what to do; TW_REC_OPTIONS: trace, as without any. */
    enum tw_record_option action;
    const char *value[TW_REC_OPTIONS]; /* the last one given */
    struct tw_record_list apps, attributes;
    char *const *categories;
    size_t n_categories;
};

static inline bool tw_record_has(const struct tw_record_args *args, enum tw_record_option option)
{
    return args->seen & TW_REC_BIT(option);
}

/* -1: go on, everything that was given goes together. Else the exit status; why has been said. */
TW_MUST_USE int tw_record_options_parse(int argc, char **argv, struct tw_record_args *ret_args);
