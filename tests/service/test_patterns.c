/* SPDX-License-Identifier: Apache-2.0 */
/* Which producers a config means: by name, and by regular expressions that cannot do harm. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "service/patterns.h"
#include "tests/harness.h"
#include "tests/service/rig.h"

#define SETUPS(p) rig_commands(p, TW__GET_ASYNC_COMMAND_RESPONSE__CMD_SETUP_DATA_SOURCE)

#define OPEN_8  "(((((((("
#define CLOSE_8 "))))))))"
/* Groups inside each other, as many as there may be. */
#define DEEP_32 OPEN_8 OPEN_8 OPEN_8 OPEN_8 "a" CLOSE_8 CLOSE_8 CLOSE_8 CLOSE_8

/* A config with these patterns as the filter of its data source. */
static void filter(Tw__TraceConfig *config, char **patterns, size_t n)
{
    config->data_sources[0]->producer_name_regex_filter = patterns;
    config->data_sources[0]->n_producer_name_regex_filter = n;
}

static const char *error_of(struct rig *rig, const Tw__TraceConfig *config)
{
    struct rig_peer *consumer = rig_consumer(rig);
    uint64_t id = rig_enable(consumer, config);
    Tw__EnableTracingResponse *response =
        rig_decode(consumer, rig_last(consumer, id), &tw__enable_tracing_response__descriptor);
    const char *error = response ? response->error : NULL;

    rig_disconnect(consumer);
    return error;
}

static void a_pattern_matches_the_whole_name(void **state)
{
    REQ("TW-TRIG-030");
    static const struct {
        const char *pattern, *name;
        bool matches;
    } rows[] = {
        {"abc", "abc", true},
        {"abc", "abcd", false},
        {"abc", "xabc", false},
        {"abc", "abc\n", false},
        {"abc$", "abc\n", false},
        {"ab|abc", "abc", true},
        {"a\\d+", "a12", true},
        {"a.c",
         "a\xff"
         "c",
         true},
        {"(?i)ABC", "abc", true},
        {"org\\.chromium\\.(gpu|renderer)-[0-9]{1,3}", "org.chromium.gpu-12", true},
        {DEEP_32, "a", true},
        {"", "", true},
        {"", "a", false},
        {".*", "", true},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct tw_patterns patterns = {.n = 0};
        struct rig rig;
        Tw__TraceConfig *config;
        const char *error;
        char *list[] = {tw_pbc_str(rows[i].pattern)};

        rig_init(&rig);
        config = rig_config(&rig, "source");
        filter(config, list, 1);
        assert_int_equal(tw_patterns_init(&patterns, config, &error), 0);
        assert_int_equal(tw_patterns_match(&patterns, list[0], rows[i].name, 1), rows[i].matches);
        assert_false(tw_patterns_match(&patterns, "of another config", rows[i].name, 1));
        tw_patterns_deinit(&patterns);
        rig_free(&rig);
    }
}

static void filters_choose_among_producers(void **state)
{
    REQ("TW-TRIG-030");
    char *exact[] = {tw_pbc_str("one")}, *regex[] = {tw_pbc_str("tw."), tw_pbc_str("th.*")};
    struct rig rig;
    struct rig_peer *consumer, *early[4];
    Tw__TraceConfig *config;
    static const char *const names[] = {"one", "two", "three", "tw"};

    (void)state;
    rig_init(&rig);
    for (size_t i = 0; i < 4; i++) {
        early[i] = rig_producer(&rig, names[i]);
        rig_register(early[i], "source");
    }
    config = rig_config(&rig, "source");
    filter(config, regex, 2);
    config->data_sources[0]->producer_name_filter = exact;
    config->data_sources[0]->n_producer_name_filter = 1;
    consumer = rig_consumer(&rig);
    rig_enable(consumer, config);
    for (size_t i = 0; i < 4; i++) {
        struct rig_peer *late = rig_producer(&rig, names[i]);

        rig_register(late, "source");
        assert_int_equal(SETUPS(early[i]), i < 3);
        assert_int_equal(SETUPS(late), i < 3);
    }
    config->data_sources[0]->n_producer_name_filter = 0;
    rig_enable(rig_consumer(&rig), config);
    assert_int_equal(SETUPS(early[0]), 1);
    assert_int_equal(SETUPS(early[1]), 2);
    rig_free(&rig);
}

static void triggers_count_from_producers_that_match(void **state)
{
    REQ("TW-TRIG-010");
    Tw__TraceConfig__TriggerConfig triggers = TW__TRACE_CONFIG__TRIGGER_CONFIG__INIT;
    Tw__TraceConfig__TriggerConfig__Trigger trigger =
        TW__TRACE_CONFIG__TRIGGER_CONFIG__TRIGGER__INIT;
    Tw__TraceConfig__TriggerConfig__Trigger *list[] = {&trigger};
    Tw__ActivateTriggersRequest req = TW__ACTIVATE_TRIGGERS_REQUEST__INIT;
    char *names[] = {tw_pbc_str("go")};
    struct rig rig;
    struct rig_peer *producer, *caller;
    Tw__TraceConfig *config;

    (void)state;
    rig_init(&rig);
    producer = rig_producer(&rig, "p");
    rig_register(producer, "source");
    config = rig_config(&rig, "source");
    triggers.has_trigger_mode = triggers.has_trigger_timeout_ms = true;
    triggers.trigger_mode = TW__TRACE_CONFIG__TRIGGER_CONFIG__TRIGGER_MODE__START_TRACING;
    triggers.trigger_timeout_ms = 1000;
    triggers.n_triggers = 1;
    triggers.triggers = list;
    trigger.name = names[0];
    trigger.producer_name_regex = tw_pbc_str("call.+");
    config->trigger_config = &triggers;
    rig_enable(rig_consumer(&rig), config);
    req.n_trigger_names = 1;
    req.trigger_names = names;
    caller = rig_producer(&rig, "call");
    assert_true(rig_call(caller, TW_PRODUCER_ACTIVATE_TRIGGERS, &req.base)->success);
    assert_int_equal(rig_commands(producer, TW__GET_ASYNC_COMMAND_RESPONSE__CMD_START_DATA_SOURCE),
                     0);
    caller = rig_producer(&rig, "caller");
    assert_true(rig_call(caller, TW_PRODUCER_ACTIVATE_TRIGGERS, &req.base)->success);
    assert_int_equal(rig_commands(producer, TW__GET_ASYNC_COMMAND_RESPONSE__CMD_START_DATA_SOURCE),
                     1);
    trigger.producer_name_regex = tw_pbc_str("(");
    assert_non_null(strstr(error_of(&rig, config), "regular expression"));
    rig_free(&rig);
}

/* Text repeated n times between others, to be freed. */
static char *repeated(const char *before, const char *text, size_t n, const char *after)
{
    char *out = calloc(1, strlen(before) + n * strlen(text) + strlen(after) + 1), *p;

    assert_non_null(out);
    p = stpcpy(out, before);
    while (n--)
        p = stpcpy(p, text);
    strcpy(p, after);
    return out;
}

static void what_is_no_pattern_is_refused(void **state)
{
    REQ("TW-TRIG-031");
    REQ("TW-LIM-104");
    REQ("TW-LIM-105");
    char *rows[] = {
        repeated("(", "", 0, ""),
        repeated("[", "", 0, ""),
        repeated("a{2,1}", "", 0, ""),
        repeated("*", "", 0, ""),
        repeated("\\", "", 0, ""),
        repeated("\\C", "", 0, ""),
        repeated("(*UTF)a", "", 0, ""),
        repeated("", "a", TW_PATTERN_MAX + 1, ""),
        repeated("", "(", 400, ""),
        repeated("(" DEEP_32 ")", "", 0, ""),
        repeated("((((a{999}){999}){999}){999})", "", 0, ""),
    };
    char *many[TW_PATTERNS_MAX + 1], *longest = repeated("", "a", TW_PATTERN_MAX, "");
    struct rig rig;
    Tw__TraceConfig *config;

    (void)state;
    rig_init(&rig);
    config = rig_config(&rig, "source");
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *error;

        filter(config, &rows[i], 1);
        error = error_of(&rig, config);
        assert_non_null(error);
        assert_non_null(strstr(error, "a regular expression is wrong"));
        free(rows[i]);
    }
    for (size_t i = 0; i <= TW_PATTERNS_MAX; i++)
        many[i] = longest;
    filter(config, many, TW_PATTERNS_MAX);
    assert_null(error_of(&rig, config));
    filter(config, many, TW_PATTERNS_MAX + 1);
    assert_non_null(strstr(error_of(&rig, config), "64 regular expressions"));
    free(longest);
    rig_free(&rig);
}

/* Each would take longer than the universe is old, if it was let. */
static void a_match_that_costs_too_much_is_none(void **state)
{
    REQ("TW-TRIG-031");
    REQ("TW-LIM-106");
    static const char *const rows[] = {"(a*)*b",     "(a+)+b",
                                       "(a|aa)+b",   "(.*)(.*)(.*)(.*)(.*)(.*)b",
                                       "((a?)*)*b",  "^(?:(?=(a*))a\\1?)*b",
                                       "(a(?R)?)*b", "(?:a{0,60}){0,60}b"};
    char *name = repeated("", "a", TW_NAME_MAX - 2, "b!"); /* with all that it looks for first */

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct tw_patterns patterns = {.n = 0};
        struct rig rig;
        Tw__TraceConfig *config;
        const char *error;
        uint64_t begin;
        char *pattern = tw_pbc_str(rows[i]);

        rig_init(&rig);
        config = rig_config(&rig, "source");
        filter(config, &pattern, 1);
        assert_int_equal(tw_patterns_init(&patterns, config, &error), 0);
        begin = tw_clock_ns(CLOCK_THREAD_CPUTIME_ID);
        assert_false(tw_patterns_match(&patterns, pattern, name, 1));
        assert_true(tw_clock_ns(CLOCK_THREAD_CPUTIME_ID) - begin < TW_NS_PER_S);
        tw_patterns_deinit(&patterns);
        rig_free(&rig);
    }
    free(name);
}

/* Without its code a pattern matches nothing: so the answer is the one from before. */
static void who_asks_again_costs_nothing(void **state)
{
    REQ("TW-LIM-179");
    struct tw_patterns patterns = {.n = 0};
    struct rig rig;
    Tw__TraceConfig *config;
    const char *error;
    char *pattern = tw_pbc_str("a.*");
    void *code;

    (void)state;
    rig_init(&rig);
    config = rig_config(&rig, "source");
    filter(config, &pattern, 1);
    assert_int_equal(tw_patterns_init(&patterns, config, &error), 0);
    assert_true(tw_patterns_match(&patterns, pattern, "abc", 1));
    code = patterns.list[0].code;
    patterns.list[0].code = NULL;
    assert_true(tw_patterns_match(&patterns, pattern, "abc", 1));
    assert_false(tw_patterns_match(&patterns, pattern, "abc", 2));
    patterns.list[0].code = code;
    assert_true(tw_patterns_match(&patterns, pattern, "abc", 1));
    tw_patterns_deinit(&patterns);
    rig_free(&rig);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        tw_unit_test(a_pattern_matches_the_whole_name),
        tw_unit_test(filters_choose_among_producers),
        tw_unit_test(triggers_count_from_producers_that_match),
        tw_unit_test(what_is_no_pattern_is_refused),
        tw_unit_test(a_match_that_costs_too_much_is_none),
        tw_unit_test(who_asks_again_costs_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
