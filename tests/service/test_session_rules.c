/* SPDX-License-Identifier: Apache-2.0 */
/* What sessions mean for each other, and the stricter limits of unattended ones. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "service/core.h"
#include "tests/harness.h"
#include "tests/service/rig.h"

static Tw__EnableTracingResponse *answer(struct rig_peer *consumer, uint64_t id)
{
    return rig_decode(consumer, rig_last(consumer, id), &tw__enable_tracing_response__descriptor);
}

/* The error of a consumer of its own that goes at once, NULL if its config was taken. */
static const char *error_of(struct rig *rig, const Tw__TraceConfig *config)
{
    struct rig_peer *consumer = rig_consumer(rig);
    Tw__EnableTracingResponse *response = answer(consumer, rig_enable(consumer, config));
    const char *error = response ? response->error : NULL;

    assert_true(!response || error);
    rig_disconnect(consumer);
    rig->n_peers--; /* the rig has room for a few only */
    tw_client_deinit(&consumer->client);
    free(consumer->replies);
    return error;
}

static bool says(const char *error, const char *text)
{
    return error && strstr(error, text);
}

static void unattended_sessions_have_stricter_limits(void **state)
{
    Tw__TraceConfig__GuardrailOverrides overrides = TW__TRACE_CONFIG__GUARDRAIL_OVERRIDES__INIT;
    struct rig rig;
    Tw__TraceConfig *c;

    REQ("TW-CONS-030");
    REQ("TW-LIM-091");
    REQ("TW-LIM-092");
    (void)state;
    rig_init(&rig);
    c = rig_config(&rig, "source");
    c->has_enable_extra_guardrails = c->enable_extra_guardrails = true;
    c->has_deferred_start = c->deferred_start = true;
    assert_true(says(error_of(&rig, c), "deferred_start"));
    c->deferred_start = false;
    c->buffers[0]->size_kb = 6;
    assert_true(says(error_of(&rig, c), "multiple of 4"));
    c->buffers[0]->size_kb = TW_GUARDED_BUFFERS_MAX_KB + 4;
    assert_true(says(error_of(&rig, c), "too large"));
    c->guardrail_overrides = &overrides;
    overrides.has_max_tracing_buffer_size_kb = true;
    overrides.max_tracing_buffer_size_kb = 4;
    assert_true(says(error_of(&rig, c), "too large"));
    overrides.max_tracing_buffer_size_kb = TW_GUARDED_BUFFERS_MAX_KB + 4;
    c->has_duration_ms = true;
    c->duration_ms = TW_GUARDED_DURATION_MAX_MS + 1;
    assert_true(says(error_of(&rig, c), "duration_ms"));
    c->duration_ms--;
    assert_null(error_of(&rig, c));
    rig_free(&rig);
}

static void unattended_sessions_of_a_name_are_rare(void **state)
{
    struct rig rig;
    Tw__TraceConfig *c;

    REQ("TW-CONS-031");
    REQ("TW-LIM-093");
    (void)state;
    rig_init(&rig);
    c = rig_config(&rig, "source");
    c->has_enable_extra_guardrails = c->enable_extra_guardrails = true;
    assert_null(error_of(&rig, c));
    assert_true(says(error_of(&rig, c), "five minutes"));
    c->unique_session_name = tw_pbc_str("other");
    assert_null(error_of(&rig, c));
    rig_advance(&rig, TW_GUARDED_NAME_MS - 1);
    assert_true(says(error_of(&rig, c), "five minutes"));
    rig_advance(&rig, 1);
    assert_null(error_of(&rig, c));
    c->enable_extra_guardrails = false;
    assert_null(error_of(&rig, c));
    rig_free(&rig);
}

static void names_of_unattended_sessions_are_bounded(void **state)
{
    struct rig rig;
    Tw__TraceConfig *c;

    REQ("TW-LIM-094");
    (void)state;
    rig_init(&rig);
    c = rig_config(&rig, "source");
    c->has_enable_extra_guardrails = c->enable_extra_guardrails = true;
    for (size_t i = 0; i < TW_GUARDED_NAMES_MAX - 1; i++)
        rig.service->guarded[rig.service->n_guarded++] =
            (struct tw_guarded_name){.name_hash = i, .ns = rig.now_ns};
    assert_null(error_of(&rig, c));
    c->unique_session_name = tw_pbc_str("other");
    assert_true(says(error_of(&rig, c), "TW-LIM-094"));
    rig_advance(&rig, TW_GUARDED_NAME_MS);
    assert_null(error_of(&rig, c));
    rig_free(&rig);
}

/* Three minutes awake and one asleep, of a duration of four. */
static bool ends_after_four_minutes(bool counts_suspend)
{
    struct rig rig;
    struct rig_peer *consumer;
    Tw__TraceConfig *c;
    uint64_t id;
    size_t n;

    rig_init(&rig);
    consumer = rig_consumer(&rig);
    c = rig_config(&rig, "source");
    c->has_prefer_suspend_clock_for_duration = true;
    c->prefer_suspend_clock_for_duration = counts_suspend;
    c->has_duration_ms = true;
    c->duration_ms = 240000;
    id = rig_enable(consumer, c);
    rig.asleep_ns += 60 * TW_NS_PER_S;
    rig_advance(&rig, 179000);
    assert_int_equal(rig_count(consumer, id), 0);
    rig_advance(&rig, 1000 + TW_SUSPEND_CHECK_MS);
    n = rig_count(consumer, id);
    rig_advance(&rig, 60000);
    assert_int_equal(rig_count(consumer, id), 1);
    rig_free(&rig);
    return n == 1;
}

static void time_asleep_counts_only_if_asked_for(void **state)
{
    REQ("TW-CONS-032");
    REQ("TW-LIM-096");
    (void)state;
    assert_true(ends_after_four_minutes(true));
    assert_false(ends_after_four_minutes(false));
}

static void a_name_is_taken_by_anybody(void **state)
{
    struct rig rig;
    struct rig_peer *stranger;
    Tw__TraceConfig *c;

    REQ("TW-CONS-033");
    (void)state;
    rig_init(&rig);
    c = rig_config(&rig, "source");
    c->unique_session_name = tw_pbc_str("name");
    stranger = rig_consumer_as(&rig, RIG_UID + 1);
    rig_enable(stranger, c);
    rig_call(stranger, TW_CONSUMER_DISABLE_TRACING, NULL);
    assert_true(says(error_of(&rig, c), "unique_session_name"));
    rig_call(stranger, TW_CONSUMER_FREE_BUFFERS, NULL);
    assert_null(error_of(&rig, c));
    c->unique_session_name = tw_pbc_str("");
    rig_enable(stranger, c);
    assert_null(error_of(&rig, c));
    rig_free(&rig);
}

static void semaphores_count_those_who_hold_them(void **state)
{
    Tw__TraceConfig__SessionSemaphore sem = TW__TRACE_CONFIG__SESSION_SEMAPHORE__INIT;
    Tw__TraceConfig__SessionSemaphore *list[TW_SEMAPHORES_MAX + 1];
    struct rig rig;
    struct rig_peer *first, *second;
    Tw__TraceConfig *c;

    REQ("TW-CONS-034");
    REQ("TW-LIM-095");
    (void)state;
    rig_init(&rig);
    for (size_t i = 0; i < TW_ARRAY_LEN(list); i++)
        list[i] = &sem;
    c = rig_config(&rig, "source");
    c->session_semaphores = list;
    c->n_session_semaphores = TW_SEMAPHORES_MAX + 1;
    assert_true(says(error_of(&rig, c), "TW-LIM-095"));
    c->n_session_semaphores = TW_SEMAPHORES_MAX;
    assert_null(error_of(&rig, c));

    c->n_session_semaphores = 1;
    sem.name = tw_pbc_str("s");
    sem.has_max_other_session_count = true;
    sem.max_other_session_count = 1;
    first = rig_consumer(&rig);
    rig_enable(first, c);
    sem.max_other_session_count = 0; /* the newcomer's own bound */
    assert_true(says(error_of(&rig, c), "session_semaphores"));
    sem.max_other_session_count = 9;
    second = rig_consumer(&rig);
    assert_int_equal(rig_count(second, rig_enable(second, c)), 0);
    assert_true(says(error_of(&rig, c), "session_semaphores")); /* the bound of the first */
    sem.name = tw_pbc_str("other");
    assert_null(error_of(&rig, c));
    sem.name = tw_pbc_str("s");
    rig_call(second, TW_CONSUMER_DISABLE_TRACING, NULL);
    assert_null(error_of(&rig, c));
    rig_free(&rig);
}

static void an_exclusive_session_ends_the_others(void **state)
{
    Tw__DetachRequest detach = TW__DETACH_REQUEST__INIT;
    struct rig rig;
    struct rig_peer *peers[3];
    Tw__TraceConfig *c;
    uint64_t ids[3];

    REQ("TW-CONS-035");
    (void)state;
    rig_init(&rig);
    c = rig_config(&rig, "source");
    c->unique_session_name = tw_pbc_str("name");
    for (size_t i = 0; i < 3; i++) {
        peers[i] = rig_consumer_as(&rig, RIG_UID + (int32_t)i);
        ids[i] = rig_enable(peers[i], c);
        c->unique_session_name = NULL;
    }
    detach.key = tw_pbc_str("key");
    assert_true(rig_call(peers[2], TW_CONSUMER_DETACH, &detach.base)->success);
    c->unique_session_name = tw_pbc_str("name");
    c->has_exclusive_prio = true;
    c->exclusive_prio = 5;
    c->n_buffers = 0;
    assert_true(says(error_of(&rig, c), "no buffers")); /* what is refused ends nobody */
    c->n_buffers = 1;
    assert_int_equal(rig_count(peers[0], ids[0]), 0);

    assert_int_equal(rig_count(peers[2], rig_enable(peers[2], c)), 0);
    for (size_t i = 0; i < 2; i++) {
        assert_true(says(answer(peers[i], ids[i])->error, "exclusive"));
        assert_null(peers[i]->conn->session);
    }
    assert_int_equal(rig_count(peers[2], ids[2]), 1); /* refused: another waits in its place */
    assert_true(TAILQ_FIRST(&rig.service->sessions) == peers[2]->conn->session);
    assert_null(TAILQ_NEXT(peers[2]->conn->session, next));
    c->unique_session_name = NULL;
    assert_true(says(error_of(&rig, c), "exclusive_prio"));
    c->has_exclusive_prio = false;
    c->exclusive_prio = 0;
    assert_true(says(error_of(&rig, c), "exclusive_prio"));
    c->has_exclusive_prio = true;
    c->exclusive_prio = 6;
    assert_null(error_of(&rig, c));
    assert_null(peers[2]->conn->session);
    rig_free(&rig);
}

/* The fifteenth session of the service and the fifth of the user are no hindrance. */
static void an_exclusive_session_finds_room(void **state)
{
    struct rig rig;
    struct rig_peer *consumer;
    Tw__TraceConfig *c;

    REQ("TW-CONS-035");
    (void)state;
    rig_init(&rig);
    for (int32_t i = 0; i < TW_SESSIONS_MAX; i++)
        rig_enable(rig_consumer_as(&rig, RIG_UID + i % 3), rig_config(&rig, "source"));
    c = rig_config(&rig, "source");
    c->has_exclusive_prio = true;
    c->exclusive_prio = 1;
    consumer = rig_consumer(&rig);
    assert_int_equal(rig_count(consumer, rig_enable(consumer, c)), 0);
    assert_null(TAILQ_NEXT(TAILQ_FIRST(&rig.service->sessions), next));
    rig_free(&rig);
}

static bool initialises(struct rig *rig, int32_t uid)
{
    struct rig_peer *producer = rig_connect_silent(rig, TW_SERVICE_PRODUCER, uid);

    assert_int_equal(tw_client_bind(&producer->client), 0);
    rig_pump(rig);
    return rig_call(producer, TW_PRODUCER_INITIALIZE_CONNECTION, NULL)->success;
}

static void lockdown_is_for_producers_of_others(void **state)
{
    struct rig rig;
    struct rig_peer *consumer, *producer;
    Tw__TraceConfig *c;

    REQ("TW-CONS-036");
    (void)state;
    rig_init(&rig);
    producer = rig_producer(&rig, "p");
    rig_register(producer, "source");
    consumer = rig_consumer(&rig);
    c = rig_config(&rig, "source");
    c->has_lockdown_mode = true;
    c->lockdown_mode = TW__TRACE_CONFIG__LOCKDOWN_MODE_OPERATION__LOCKDOWN_SET;
    rig_enable(consumer, c);
    assert_int_equal(rig_commands(producer, TW__GET_ASYNC_COMMAND_RESPONSE__CMD_SETUP_DATA_SOURCE),
                     0);
    assert_false(initialises(&rig, (int32_t)geteuid() + 1));
    assert_true(initialises(&rig, (int32_t)geteuid()));

    rig_call(consumer, TW_CONSUMER_FREE_BUFFERS, NULL);
    c->lockdown_mode = TW__TRACE_CONFIG__LOCKDOWN_MODE_OPERATION__LOCKDOWN_CLEAR;
    rig_enable(consumer, c);
    assert_int_equal(rig_commands(producer, TW__GET_ASYNC_COMMAND_RESPONSE__CMD_SETUP_DATA_SOURCE),
                     1);
    assert_true(initialises(&rig, (int32_t)geteuid() + 1));
    rig_free(&rig);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        tw_unit_test(unattended_sessions_have_stricter_limits),
        tw_unit_test(unattended_sessions_of_a_name_are_rare),
        tw_unit_test(names_of_unattended_sessions_are_bounded),
        tw_unit_test(time_asleep_counts_only_if_asked_for),
        tw_unit_test(a_name_is_taken_by_anybody),
        tw_unit_test(semaphores_count_those_who_hold_them),
        tw_unit_test(an_exclusive_session_ends_the_others),
        tw_unit_test(an_exclusive_session_finds_room),
        tw_unit_test(lockdown_is_for_producers_of_others),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
