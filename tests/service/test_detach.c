/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions that are left behind under a key, and taken back. */
#include <string.h>

#include "service/core.h"
#include "tests/harness.h"
#include "tests/service/rig.h"

struct scene {
    struct rig rig;
    struct rig_peer *producer, *consumer;
    uint64_t enabled; /* the request */
};

static void begin_with(struct scene *s, const Tw__TraceConfig *config)
{
    s->producer = rig_producer(&s->rig, "p");
    rig_register(s->producer, "source");
    s->consumer = rig_consumer(&s->rig);
    s->enabled = rig_enable(s->consumer, config);
}

static void begin(struct scene *s)
{
    rig_init(&s->rig);
    begin_with(s, rig_config(&s->rig, "source"));
}

static const struct rig_reply *detach(struct rig_peer *consumer, const char *key)
{
    Tw__DetachRequest req = TW__DETACH_REQUEST__INIT;

    req.key = tw_pbc_str(key);
    return rig_call(consumer, TW_CONSUMER_DETACH, &req.base);
}

static Tw__AttachResponse *attach(struct rig_peer *consumer, const char *key)
{
    Tw__AttachRequest req = TW__ATTACH_REQUEST__INIT;

    req.key = tw_pbc_str(key);
    return rig_decode(consumer, rig_call(consumer, TW_CONSUMER_ATTACH, &req.base),
                      &tw__attach_response__descriptor);
}

static uint64_t notify_only(struct rig_peer *consumer)
{
    Tw__EnableTracingRequest req = TW__ENABLE_TRACING_REQUEST__INIT;
    uint64_t id;

    req.has_attach_notification_only = req.attach_notification_only = true;
    id = rig_send(consumer, TW_CONSUMER_ENABLE_TRACING, &req.base);
    rig_pump(consumer->rig);
    return id;
}

static size_t stops(struct rig_peer *producer)
{
    return rig_commands(producer, TW__GET_ASYNC_COMMAND_RESPONSE__CMD_STOP_DATA_SOURCE);
}

static void a_session_outlives_its_connection(void **state)
{
    struct scene s;
    struct rig_peer *later;
    Tw__AttachResponse *attached;
    struct rig_trace trace;
    uint64_t waits;

    REQ("TW-CONS-010");
    REQ("TW-CONS-011");
    REQ("TW-CONS-003");
    (void)state;
    begin(&s);
    assert_true(detach(s.consumer, "key")->success);
    rig_disconnect(s.consumer);
    assert_int_equal(stops(s.producer), 0);
    rig_emit(s.producer, 0, rig_buffer(s.producer), "while nobody was there");

    later = rig_consumer(&s.rig);
    attached = attach(later, "key");
    assert_non_null(attached);
    assert_string_equal(attached->trace_config->data_sources[0]->config->name, "source");
    waits = notify_only(later);
    assert_int_equal(rig_count(later, waits), 0);
    assert_true(rig_call(later, TW_CONSUMER_DISABLE_TRACING, NULL)->success);
    assert_int_equal(stops(s.producer), 1);
    assert_int_equal(rig_count(later, waits), 1);
    trace = rig_read(later);
    assert_int_equal(rig_find(&trace, "while nobody was there", NULL), 1);
    assert_true(rig_call(later, TW_CONSUMER_FREE_BUFFERS, NULL)->success);
    assert_null(attach(later, "key"));
    rig_free(&s.rig);
}

static void a_key_that_cannot_be_is_refused(void **state)
{
    static char key[TW_DETACH_KEY_MAX + 2];
    struct scene s;

    REQ("TW-CONS-010");
    REQ("TW-LIM-090");
    (void)state;
    begin(&s);
    memset(key, 'k', TW_DETACH_KEY_MAX + 1);
    assert_false(detach(s.consumer, NULL)->success);
    assert_false(detach(s.consumer, "")->success);
    assert_false(detach(s.consumer, key)->success);
    key[TW_DETACH_KEY_MAX] = '\0';
    assert_true(detach(s.consumer, key)->success);
    assert_false(detach(s.consumer, "again")->success); /* no session any more */
    assert_null(attach(s.consumer, ""));
    assert_null(attach(s.consumer, NULL));
    assert_non_null(attach(s.consumer, key));
    rig_free(&s.rig);
}

static void a_key_is_of_one_session_of_a_user(void **state)
{
    struct scene s;
    struct rig_peer *second, *stranger;

    REQ("TW-CONS-010");
    REQ("TW-CONS-011");
    (void)state;
    begin(&s);
    second = rig_consumer(&s.rig);
    rig_enable(second, rig_config(&s.rig, "source"));
    stranger = rig_consumer_as(&s.rig, RIG_UID + 1);
    rig_enable(stranger, rig_config(&s.rig, "source"));

    assert_true(detach(s.consumer, "key")->success);
    assert_false(detach(second, "key")->success);
    assert_null(attach(second, "key")); /* it has a session */
    assert_true(detach(second, "other")->success);
    assert_true(detach(stranger, "key")->success); /* keys are a user's own */
    assert_null(attach(stranger, "other"));
    assert_non_null(attach(second, "key"));
    assert_non_null(attach(stranger, "key"));
    assert_int_equal(second->conn->session->id, 1);
    assert_int_equal(stranger->conn->session->id, 3);
    rig_free(&s.rig);
}

static void a_detached_session_ends_by_its_config(void **state)
{
    struct scene s;
    Tw__TraceConfig *config;

    REQ("TW-CONS-015");
    (void)state;
    rig_init(&s.rig);
    config = rig_config(&s.rig, "source");
    config->has_duration_ms = true;
    config->duration_ms = 500;
    begin_with(&s, config);
    assert_true(detach(s.consumer, "key")->success);
    rig_disconnect(s.consumer);
    rig_advance(&s.rig, 500 + TW_FLUSH_TIMEOUT_MS); /* nobody acknowledges the last flush */
    assert_int_equal(stops(s.producer), 1);
    assert_null(attach(rig_consumer(&s.rig), "key")); /* nobody was there to read it */
    assert_true(TAILQ_EMPTY(&s.rig.service->sessions));
    rig_free(&s.rig);
}

/* The clone's flush and the last one end in the same moment, and the session with them. */
static void a_detached_session_ends_under_its_clone(void **state)
{
    struct scene s;
    struct rig_peer *cloner;
    Tw__TraceConfig *config;
    uint64_t id;

    REQ("TW-CONS-015");
    REQ("TW-CONS-056");
    (void)state;
    rig_init(&s.rig);
    config = rig_config(&s.rig, "source");
    config->has_duration_ms = true;
    config->duration_ms = 500;
    begin_with(&s, config);
    assert_true(detach(s.consumer, "key")->success);
    rig_disconnect(s.consumer);
    rig_advance(&s.rig, 500); /* the last flush has begun */
    cloner = rig_consumer(&s.rig);
    id = rig_clone_by_id(cloner, 1);
    rig_advance(&s.rig, TW_FLUSH_TIMEOUT_MS);
    assert_int_equal(rig_count(cloner, id), 1);
    assert_null(attach(rig_consumer(&s.rig), "key"));
    rig_free(&s.rig);
}

static void what_was_over_when_it_was_detached_is_kept(void **state)
{
    struct scene s;
    struct rig_peer *later;

    REQ("TW-CONS-004");
    REQ("TW-CONS-015");
    (void)state;
    begin(&s);
    rig_call(s.consumer, TW_CONSUMER_DISABLE_TRACING, NULL);
    assert_true(detach(s.consumer, "key")->success);
    rig_disconnect(s.consumer);
    later = rig_consumer(&s.rig);
    assert_non_null(attach(later, "key"));
    assert_int_equal(rig_count(later, notify_only(later)), 1);
    assert_true(rig_read(later).whole);
    rig_free(&s.rig);
}

static void a_deferred_session_is_started_by_who_attached(void **state)
{
    struct scene s;
    struct rig_peer *later;
    Tw__TraceConfig *config;

    (void)state;
    rig_init(&s.rig);
    config = rig_config(&s.rig, "source");
    config->has_deferred_start = config->deferred_start = true;
    begin_with(&s, config);
    assert_true(detach(s.consumer, "key")->success);
    assert_false(rig_call(s.consumer, TW_CONSUMER_START_TRACING, NULL)->success);
    later = rig_consumer(&s.rig);
    assert_non_null(attach(later, "key"));
    assert_true(rig_call(later, TW_CONSUMER_START_TRACING, NULL)->success);
    rig_free(&s.rig);
}

static void who_detached_hears_nothing_more_of_it(void **state)
{
    struct scene s;
    struct rig_peer *later;
    uint64_t flush, second;

    REQ("TW-CONS-012");
    REQ("TW-CONS-013");
    (void)state;
    begin(&s);
    flush = rig_send(s.consumer, TW_CONSUMER_FLUSH, NULL);
    rig_pump(&s.rig);
    assert_true(detach(s.consumer, "key")->success);
    assert_int_equal(rig_count(s.consumer, flush), 1);
    assert_false(rig_last(s.consumer, flush)->success);
    later = rig_consumer(&s.rig);
    assert_non_null(attach(later, "key"));
    rig_advance(&s.rig, TW_FLUSH_TIMEOUT_MS);
    assert_true(rig_call(later, TW_CONSUMER_FREE_BUFFERS, NULL)->success);
    assert_int_equal(rig_count(s.consumer, flush), 1);
    assert_int_equal(rig_count(s.consumer, s.enabled), 0);

    second = rig_enable(s.consumer, rig_config(&s.rig, "source")); /* waits in place of the first */
    assert_int_equal(rig_count(s.consumer, s.enabled), 1);
    assert_false(rig_last(s.consumer, s.enabled)->success);
    assert_int_equal(rig_count(s.consumer, second), 0);
    rig_free(&s.rig);
}

static void a_read_under_way_is_refused(void **state)
{
    struct scene s;
    uint64_t read;

    REQ("TW-CONS-013");
    (void)state;
    begin(&s);
    read = rig_send(s.consumer, TW_CONSUMER_READ_BUFFERS, NULL);
    assert_true(detach(s.consumer, "key")->success); /* in the same turn */
    assert_int_equal(rig_count(s.consumer, read), 1);
    assert_false(rig_last(s.consumer, read)->success);
    rig_free(&s.rig);
}

static void an_observer_is_told_what_it_attached_to(void **state)
{
    Tw__ObserveEventsRequest req = TW__OBSERVE_EVENTS_REQUEST__INIT;
    Tw__ObservableEvents__Type type = TW__OBSERVABLE_EVENTS__TYPE__TYPE_ALL_DATA_SOURCES_STARTED;
    struct scene s;
    struct rig_peer *later;
    uint64_t id;

    REQ("TW-CONS-014");
    (void)state;
    begin(&s);
    assert_true(detach(s.consumer, "key")->success);
    later = rig_consumer(&s.rig);
    req.n_events_to_observe = 1;
    req.events_to_observe = &type;
    id = rig_send(later, TW_CONSUMER_OBSERVE_EVENTS, &req.base);
    rig_pump(&s.rig);
    assert_int_equal(rig_count(later, id), 0);
    assert_non_null(attach(later, "key"));
    assert_int_equal(rig_count(later, id), 1);
    rig_free(&s.rig);
}

static void detached_sessions_count_and_go_with_the_service(void **state)
{
    struct scene s;

    REQ("TW-LIM-011");
    (void)state;
    begin(&s);
    assert_true(detach(s.consumer, "0")->success);
    for (char key[] = "1"; key[0] < '0' + TW_SESSIONS_PER_UID_MAX; key[0]++) {
        assert_int_equal(
            rig_count(s.consumer, rig_enable(s.consumer, rig_config(&s.rig, "source"))), 0);
        assert_true(detach(s.consumer, key)->success);
    }
    assert_int_equal(rig_count(s.consumer, rig_enable(s.consumer, rig_config(&s.rig, "source"))),
                     1);
    rig_free(&s.rig);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        tw_unit_test(a_session_outlives_its_connection),
        tw_unit_test(a_key_that_cannot_be_is_refused),
        tw_unit_test(a_key_is_of_one_session_of_a_user),
        tw_unit_test(a_detached_session_ends_by_its_config),
        tw_unit_test(a_detached_session_ends_under_its_clone),
        tw_unit_test(what_was_over_when_it_was_detached_is_kept),
        tw_unit_test(a_deferred_session_is_started_by_who_attached),
        tw_unit_test(who_detached_hears_nothing_more_of_it),
        tw_unit_test(a_read_under_way_is_refused),
        tw_unit_test(an_observer_is_told_what_it_attached_to),
        tw_unit_test(detached_sessions_count_and_go_with_the_service),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
