/* SPDX-License-Identifier: Apache-2.0 */
/* Which trigger configs are refused, and with which words. */
#include <string.h>

#include "service/limits.h"
#include "tests/harness.h"
#include "tests/service/trigger_scene.h"

static const char *error_of(struct trigger_scene *s)
{
    struct rig_peer *consumer = rig_consumer(&s->rig);
    uint64_t id = rig_enable(consumer, s->config);
    Tw__EnableTracingResponse *response =
        rig_decode(consumer, rig_last(consumer, id), &tw__enable_tracing_response__descriptor);
    const char *error = response ? response->error : NULL;

    rig_disconnect(consumer);
    return error;
}

static void no_mode(struct trigger_scene *s)
{
    s->triggers.has_trigger_mode = false;
}

static void another_mode(struct trigger_scene *s)
{
    s->triggers.trigger_mode = 3;
}

static void mode_of_the_future(struct trigger_scene *s)
{
    s->triggers.trigger_mode = 5;
}

static void override_of_start(struct trigger_scene *s)
{
    s->triggers.has_use_clone_snapshot_if_available = true;
    s->triggers.use_clone_snapshot_if_available = true;
}

static void no_timeout(struct trigger_scene *s)
{
    s->triggers.trigger_timeout_ms = 0;
}

static void long_timeout(struct trigger_scene *s)
{
    s->triggers.trigger_timeout_ms = TW_DURATION_MAX_MS + 1;
}

static void duration(struct trigger_scene *s)
{
    s->config->has_duration_ms = true;
    s->config->duration_ms = 1;
}

static void long_delay(struct trigger_scene *s)
{
    s->list[1].stop_delay_ms = TW_DURATION_MAX_MS + 1;
}

static void same_name(struct trigger_scene *s)
{
    s->list[1].name = s->list[0].name;
}

static void no_names(struct trigger_scene *s)
{
    s->list[0].name = s->list[1].name = NULL;
}

static void into_a_file(struct trigger_scene *s)
{
    s->triggers.trigger_mode = MODE(STOP_TRACING);
    s->config->has_write_into_file = s->config->write_into_file = true;
}

static void long_name(struct trigger_scene *s)
{
    static char name[TW_NAME_MAX + 2];

    memset(name, 'x', sizeof(name) - 1);
    s->list[1].name = name;
}

static void many(struct trigger_scene *s)
{
    static Tw__TraceConfig__TriggerConfig__Trigger *list[TW_TRIGGERS_MAX + 1];

    for (size_t i = 0; i <= TW_TRIGGERS_MAX; i++)
        list[i] = &s->list[0];
    s->triggers.triggers = list;
    s->triggers.n_triggers = TW_TRIGGERS_MAX + 1;
}

static void what_cannot_be_waited_for_is_refused(void **state)
{
    REQ("TW-TRIG-020");
    REQ("TW-TRIG-021");
    REQ("TW-LIM-019");
    REQ("TW-LIM-100");
    static const struct {
        void (*spoil)(struct trigger_scene *s);
        const char *text;
    } rows[] = {
        {no_mode, "no trigger_mode"},
        {another_mode, "trigger_mode is unknown"},
        {mode_of_the_future, "trigger_mode is unknown"},
        {override_of_start, "use_clone_snapshot_if_available"},
        {no_timeout, "trigger_timeout_ms"},
        {long_timeout, "trigger_timeout_ms"},
        {duration, "duration_ms and"},
        {long_delay, "stop_delay_ms"},
        {into_a_file, "write_into_file with a trigger_mode"},
        {same_name, "same name"},
        {no_names, "same name"},
        {long_name, "1024 bytes"},
        {many, "256 triggers"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct trigger_scene s;
        const char *error;

        trigger_scene(&s, MODE(START_TRACING));
        assert_null(error_of(&s));
        rows[i].spoil(&s);
        error = error_of(&s);
        assert_non_null(error);
        assert_non_null(strstr(error, rows[i].text));
        rig_free(&s.rig);
    }
}

static void the_most_triggers_that_may_be_are_accepted(void **state)
{
    REQ("TW-LIM-100");
    static Tw__TraceConfig__TriggerConfig__Trigger list[TW_TRIGGERS_MAX],
        *pointers[TW_TRIGGERS_MAX];
    static char names[TW_TRIGGERS_MAX][4];
    struct trigger_scene s;

    (void)state;
    trigger_scene(&s, MODE(START_TRACING));
    for (size_t i = 0; i < TW_TRIGGERS_MAX; i++) {
        list[i] = s.list[0];
        names[i][0] = (char)('a' + i / 16);
        names[i][1] = (char)('a' + i % 16);
        list[i].name = names[i];
        pointers[i] = &list[i];
    }
    s.triggers.triggers = pointers;
    s.triggers.n_triggers = TW_TRIGGERS_MAX;
    s.triggers.trigger_timeout_ms = list[0].stop_delay_ms = TW_DURATION_MAX_MS;
    s.enabled = rig_enable(s.consumer, s.config);
    assert_int_equal(rig_count(s.consumer, s.enabled), 0); /* it goes on */
    trigger_once(&s, names[TW_TRIGGERS_MAX - 1]);
    assert_int_equal(STARTS(s.producer), 1);
    rig_free(&s.rig);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        tw_unit_test(what_cannot_be_waited_for_is_refused),
        tw_unit_test(the_most_triggers_that_may_be_are_accepted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
