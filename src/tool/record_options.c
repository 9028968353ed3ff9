/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One table says of each option what it goes with, so that every combination that makes no sense
 * gets one error. The tables hold no pointers: those would cost every `tracewire` process pages of
 * its own.
 */
#include "tool/record_options.h"

#include <stdio.h>
#include <string.h>

#include "tool/tool.h"

#define BIT(option) TW_REC_BIT(TW_REC_##option)
/* Without an option that says what to do. */
#define TRACE TW_REC_BIT(TW_REC_OPTIONS)

/* The options that say what to do. Two of them never go together. */
#define CLONES (BIT(CLONE) | BIT(CLONE_BY_NAME) | BIT(SAVE_FOR_BUGREPORT))
#define ACTIONS                                                                                    \
    (BIT(DETACH) | BIT(ATTACH) | BIT(IS_DETACHED) | CLONES | BIT(QUERY) | BIT(QUERY_RAW))
#define ANY (ACTIONS | TRACE)
/* What begins a session of its own, and what writes a file. */
#define BEGINS     (TRACE | BIT(DETACH))
#define WRITES     (BEGINS | CLONES)
#define SHORT_FORM (BIT(TIME) | BIT(BUFFER) | BIT(SIZE) | BIT(APP) | BIT(CATEGORY))

enum { NAME_MAX_BYTES = 24, REASON_MAX_BYTES = 64 };

static const struct rule {
    char name[NAME_MAX_BYTES];
    char letter; /* 0: none */
    bool takes_value;
    uint32_t with;     /* what to do, of those it goes with */
    uint32_t excludes; /* other options */
} rules[TW_REC_OPTIONS] = {
    [TW_REC_CONFIG] = {"config", 'c', true, BEGINS, SHORT_FORM},
    [TW_REC_TXT] = {"txt", 0, false, BEGINS, SHORT_FORM},
    [TW_REC_OUT] = {"out", 'o', true, WRITES, 0},
    [TW_REC_NO_CLOBBER] = {"no-clobber", 0, false, WRITES, 0},
    [TW_REC_TIME] = {"time", 't', true, BEGINS, 0},
    [TW_REC_BUFFER] = {"buffer", 'b', true, BEGINS, 0},
    [TW_REC_SIZE] = {"size", 's', true, BEGINS, 0},
    [TW_REC_APP] = {"app", 'a', true, BEGINS, 0},
    [TW_REC_CATEGORY] = {"CATEGORY", 0, false, BEGINS, 0},
    [TW_REC_ADD_ATTRIBUTE] = {"add-attribute", 0, true, BEGINS, 0},
    [TW_REC_BACKGROUND] = {"background", 'd', false, TRACE | BIT(ATTACH) | CLONES,
                           BIT(BACKGROUND_WAIT) | BIT(NOTIFY_FD)},
    [TW_REC_BACKGROUND_WAIT] = {"background-wait", 'D', false, TRACE, BIT(NOTIFY_FD)},
    [TW_REC_NOTIFY_FD] = {"notify-fd", 0, true, TRACE, 0},
    [TW_REC_DETACH] = {"detach", 0, true, ACTIONS, 0},
    [TW_REC_ATTACH] = {"attach", 0, true, ACTIONS, 0},
    [TW_REC_IS_DETACHED] = {"is_detached", 0, true, ACTIONS, 0},
    [TW_REC_STOP] = {"stop", 0, false, BIT(ATTACH), 0},
    [TW_REC_CLONE] = {"clone", 0, true, ACTIONS, 0},
    [TW_REC_CLONE_BY_NAME] = {"clone-by-name", 0, true, ACTIONS, 0},
    [TW_REC_CLONE_FOR_BUGREPORT] = {"clone-for-bugreport", 0, false,
                                    BIT(CLONE) | BIT(CLONE_BY_NAME), 0},
    [TW_REC_SAVE_FOR_BUGREPORT] = {"save-for-bugreport", 0, false, ACTIONS, 0},
    [TW_REC_QUERY] = {"query", 0, false, ACTIONS, 0},
    [TW_REC_QUERY_RAW] = {"query-raw", 0, false, ACTIONS, 0},
    [TW_REC_LONG] = {"long", 0, false, BIT(QUERY), 0},
    [TW_REC_NO_GUARDRAILS] = {"no-guardrails", 0, false, ANY, 0},
    [TW_REC_CONSUMER_SOCKET] = {"consumer-socket", 0, true, ANY, 0},
    [TW_REC_VERBOSE] = {"verbose", 'v', false, ANY, 0},
    [TW_REC_HELP] = {"help", 'h', false, ANY, 0},
    [TW_REC_VERSION] = {"version", 0, false, ANY, 0},
};

/* Options of upstream's command that are refused. */
static const struct refusal {
    char name[NAME_MAX_BYTES];
    bool takes_value;
    char reason[REASON_MAX_BYTES];
} refusals[] = {
    {"upload", false, "only Android has somewhere to upload to; -o writes a file"},
    {"dropbox", true, "only Android has somewhere to upload to; -o writes a file"},
    {"alert-id", true, "only Android's statsd wants it"},
    {"config-id", true, "only Android's statsd wants it"},
    {"config-uid", true, "only Android's statsd wants it"},
    {"subscription-id", true, "only Android's statsd wants it"},
    {"reset-guardrails", false, "no state of guardrails is kept"},
    {"save-all-for-bugreport", false, "only Android has a place for them"},
    {"txt-lossy", false, "a config that is not understood is not traced; see --txt"},
};

/* getopt's numbers of long options; those of refusals lie behind. */
enum { LONG_FIRST = 256, REFUSED_FIRST = LONG_FIRST + TW_REC_OPTIONS };

struct syntax {
    struct option longs[TW_REC_OPTIONS + TW_ARRAY_LEN(refusals) + 1];
    char shorts[2 * TW_REC_OPTIONS + 2];
};

static void add_long(struct option **at, const char *name, bool takes_value, int number)
{
    *(*at)++ = (struct option){
        .name = name, .has_arg = takes_value ? required_argument : no_argument, .val = number};
}

static void make_syntax(struct syntax *syntax)
{
    struct option *longs = syntax->longs;
    char *shorts = syntax->shorts;

    *syntax = (struct syntax){0};
    *shorts++ = ':';
    for (int i = 0; i < TW_REC_OPTIONS; i++) {
        if (i == TW_REC_CATEGORY)
            continue;
        add_long(&longs, rules[i].name, rules[i].takes_value, LONG_FIRST + i);
        if (rules[i].letter)
            *shorts++ = rules[i].letter;
        if (rules[i].letter && rules[i].takes_value)
            *shorts++ = ':';
    }
    for (size_t i = 0; i < TW_ARRAY_LEN(refusals); i++)
        add_long(&longs, refusals[i].name, refusals[i].takes_value, REFUSED_FIRST + (int)i);
}

/* The option that getopt's number means; TW_REC_OPTIONS: none of ours. */
static enum tw_record_option option_of(int number)
{
    int i = 0;

    if (number >= LONG_FIRST)
        return (enum tw_record_option)(number - LONG_FIRST);
    while (i < TW_REC_OPTIONS && rules[i].letter != number)
        i++;
    return (enum tw_record_option)i;
}

/* As it is written on a command line, the short way if there is one. */
static const char *shown(enum tw_record_option option, char text[NAME_MAX_BYTES + 2])
{
    const struct rule *rule = &rules[option];

    if (rule->letter)
        snprintf(text, NAME_MAX_BYTES + 2, "-%c", rule->letter);
    else
        snprintf(text, NAME_MAX_BYTES + 2, "%s%s", option == TW_REC_CATEGORY ? "" : "--",
                 rule->name);
    return text;
}

static int exclude_each_other(enum tw_record_option a, enum tw_record_option b)
{
    char first[NAME_MAX_BYTES + 2], second[NAME_MAX_BYTES + 2];

    return tw_usage_error("record", "%s and %s exclude each other", shown(a, first),
                          shown(b, second));
}

/* The first of these options, TW_REC_OPTIONS if there is none. */
static enum tw_record_option first_of(uint32_t options)
{
    enum tw_record_option i = 0;

    while (i < TW_REC_OPTIONS && !(options & TW_REC_BIT(i)))
        i++;
    return i;
}

/* Says with which options it goes instead. */
static int goes_with_others(enum tw_record_option option)
{
    char name[NAME_MAX_BYTES + 2], other[NAME_MAX_BYTES + 2], others[3 * NAME_MAX_BYTES] = "";
    uint32_t with = rules[option].with;

    while (with) {
        enum tw_record_option next = first_of(with);
        size_t n = strlen(others);

        snprintf(others + n, sizeof(others) - n, "%s%s", n ? " or " : "", shown(next, other));
        with &= ~TW_REC_BIT(next);
    }
    return tw_usage_error("record", "%s goes with %s only", shown(option, name), others);
}

static int check_option(const struct tw_record_args *args, enum tw_record_option option)
{
    const struct rule *rule = &rules[option];
    enum tw_record_option other = first_of(args->seen & rule->excludes & ~TW_REC_BIT(option));

    if (other < TW_REC_OPTIONS)
        return exclude_each_other(option, other);
    if (rule->with & TW_REC_BIT(args->action))
        return -1;
    return args->action == TW_REC_OPTIONS ? goes_with_others(option)
                                          : exclude_each_other(option, args->action);
}

static int check(struct tw_record_args *args)
{
    int status = -1;
    enum tw_record_option second;

    args->action = first_of(args->seen & ACTIONS);
    second = first_of(args->seen & ACTIONS & ~TW_REC_BIT(args->action));
    if (second < TW_REC_OPTIONS)
        return exclude_each_other(args->action, second);
    for (enum tw_record_option i = 0; i < TW_REC_OPTIONS && status < 0; i++)
        if (tw_record_has(args, i))
            status = check_option(args, i);
    if (status >= 0 || !(BEGINS & TW_REC_BIT(args->action)))
        return status;
    if (!(args->seen & (BIT(CONFIG) | SHORT_FORM)))
        return tw_usage_error("record", tw_record_has(args, TW_REC_TXT)
                                            ? "--txt is about the file of -c"
                                            : "what? -c FILE, or -t, -b or CATEGORY");
    return -1;
}

static int add_to(struct tw_record_list *list, const char *value)
{
    if (list->n == TW_REC_LIST_MAX)
        return tw_usage_error("record", "more than %d times the same flag", TW_REC_LIST_MAX);
    list->item[list->n++] = value;
    return -1;
}

static int refuse(const struct refusal *refusal)
{
    return tw_usage_error("record", "--%s: %s", refusal->name, refusal->reason);
}

static int take(struct tw_record_args *args, int number, char **argv)
{
    enum tw_record_option option;

    if (number == '?' || number == ':')
        return tw_options_bad(number, argv);
    if (number >= REFUSED_FIRST)
        return refuse(&refusals[number - REFUSED_FIRST]);
    option = option_of(number);
    args->seen |= TW_REC_BIT(option);
    args->value[option] = optarg;
    if (option == TW_REC_APP)
        return add_to(&args->apps, optarg);
    if (option == TW_REC_ADD_ATTRIBUTE)
        return add_to(&args->attributes, optarg);
    return -1;
}

int tw_record_options_parse(int argc, char **argv, struct tw_record_args *ret_args)
{
    struct tw_record_args args = {0};
    struct syntax syntax;
    int number, status = -1;

    make_syntax(&syntax);
    tw_options_begin();
    while (status < 0 && !(args.seen & (BIT(HELP) | BIT(VERSION))) &&
           (number = getopt_long(argc, argv, syntax.shorts, syntax.longs, NULL)) != -1)
        status = take(&args, number, argv);
    args.categories = argv + optind;
    args.n_categories = (size_t)(argc - optind);
    if (args.n_categories)
        args.seen |= BIT(CATEGORY);
    if (status < 0 && !(args.seen & (BIT(HELP) | BIT(VERSION))))
        status = check(&args);
    *ret_args = args;
    return status;
}
