/* SPDX-License-Identifier: Apache-2.0 */
#include "service/patterns.h"

#include <errno.h>
#include <string.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "base/req.h"

/* Groups inside each other: the compiler calls itself for each. */
enum { NESTING_MAX = 32 };
/* KiB that one match may take from the heap, for the places it may have to go back to. */
enum { HEAP_MAX_KIB = 1024 };

/* Names and patterns are bytes: what is not valid UTF-8 must not make a match fail. */
#define OPTIONS                                                                                    \
    (PCRE2_ANCHORED | PCRE2_ENDANCHORED | PCRE2_DOLLAR_ENDONLY | PCRE2_NEVER_UTF |                 \
     PCRE2_NEVER_UCP | PCRE2_NEVER_BACKSLASH_C)

static int compile(const char *text, void **ret_code)
{
    REQ("TW-LIM-105");
    pcre2_compile_context *context = pcre2_compile_context_create(NULL);
    pcre2_code *code;
    size_t where;
    int error = 0;

    if (!context)
        return -ENOMEM;
    pcre2_set_parens_nest_limit(context, NESTING_MAX);
    pcre2_set_max_pattern_length(context, TW_PATTERN_MAX);
    code = pcre2_compile((PCRE2_SPTR)text, PCRE2_ZERO_TERMINATED, OPTIONS, &error, &where, context);
    pcre2_compile_context_free(context);
    if (!code)
        return error == PCRE2_ERROR_HEAP_FAILED ? -ENOMEM : TW_E_REFUSED;
    *ret_code = code;
    return 0;
}

static int add(struct tw_patterns *patterns, const char *text, const char **ret_error)
{
    REQ("TW-TRIG-031");
    REQ("TW-LIM-104");
    void *code;
    int rc;

    *ret_error = "the trace config has more than 64 regular expressions";
    if (patterns->n == TW_PATTERNS_MAX)
        return TW_E_REFUSED;
    *ret_error = "a regular expression is wrong, too deep or over 1024 bytes";
    rc = compile(text, &code);
    if (!rc)
        patterns->list[patterns->n++] = (struct tw_pattern){.text = text, .code = code};
    else if (rc < 0)
        *ret_error = "the service is out of memory";
    return rc;
}

static int add_of_data_sources(struct tw_patterns *patterns, const Tw__TraceConfig *config,
                               const char **ret_error)
{
    int rc = 0;

    for (size_t i = 0; !rc && i < config->n_data_sources; i++) {
        const Tw__TraceConfig__DataSource *d = config->data_sources[i];

        for (size_t k = 0; !rc && k < d->n_producer_name_regex_filter; k++)
            rc = add(patterns, d->producer_name_regex_filter[k], ret_error);
    }
    return rc;
}

static int add_of_triggers(struct tw_patterns *patterns, const Tw__TraceConfig *config,
                           const char **ret_error)
{
    const Tw__TraceConfig__TriggerConfig *t = config->trigger_config;
    int rc = 0;

    for (size_t i = 0; !rc && t && i < t->n_triggers; i++)
        if (t->triggers[i]->producer_name_regex && t->triggers[i]->producer_name_regex[0])
            rc = add(patterns, t->triggers[i]->producer_name_regex, ret_error);
    return rc;
}

int tw_patterns_init(struct tw_patterns *patterns, const Tw__TraceConfig *config,
                     const char **ret_error)
{
    int rc = add_of_data_sources(patterns, config, ret_error);

    return rc ? rc : add_of_triggers(patterns, config, ret_error);
}

void tw_patterns_deinit(struct tw_patterns *patterns)
{
    for (size_t i = 0; i < patterns->n; i++)
        pcre2_code_free(patterns->list[i].code);
    patterns->n = 0;
}

static bool match(const pcre2_code *code, const char *name)
{
    REQ("TW-LIM-106");
    pcre2_match_context *context = pcre2_match_context_create(NULL);
    pcre2_match_data *data = pcre2_match_data_create(1, NULL);
    int rc = PCRE2_ERROR_NOMEMORY;

    if (context && data) {
        pcre2_set_match_limit(context, TW_PATTERN_STEPS_MAX);
        pcre2_set_heap_limit(context, HEAP_MAX_KIB);
        rc = pcre2_match(code, (PCRE2_SPTR)name, strlen(name), 0, 0, data, context);
    }
    pcre2_match_data_free(data);
    pcre2_match_context_free(context);
    return rc >= 0; /* a match, also one with more groups than there is room for */
}

/* One producer may name triggers thousands of times in one turn. */
static bool match_once(struct tw_pattern *pattern, const char *name, uint64_t whose)
{
    REQ("TW-LIM-179");
    if (pattern->asked != whose) {
        pattern->answer = match(pattern->code, name);
        pattern->asked = whose;
    }
    return pattern->answer;
}

bool tw_patterns_match(struct tw_patterns *patterns, const char *text, const char *name,
                       uint64_t whose)
{
    for (size_t i = 0; i < patterns->n; i++)
        if (patterns->list[i].text == text)
            return match_once(&patterns->list[i], name, whose);
    return false;
}
