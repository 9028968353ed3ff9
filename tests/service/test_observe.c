/* SPDX-License-Identifier: Apache-2.0 */
/* ObserveEvents: what a consumer is told of its session, and what it costs. */
#include <string.h>

#include "service/core.h"
#include "tests/harness.h"
#include "tests/service/rig.h"

#define STARTED                                                                                    \
    TW__OBSERVABLE_EVENTS__DATA_SOURCE_INSTANCE_STATE__DATA_SOURCE_INSTANCE_STATE_STARTED
#define STOPPED                                                                                    \
    TW__OBSERVABLE_EVENTS__DATA_SOURCE_INSTANCE_STATE__DATA_SOURCE_INSTANCE_STATE_STOPPED

struct scene {
    struct rig rig;
    struct rig_peer *producer, *consumer;
    Tw__TraceConfig *config;
    uint64_t id; /* of ObserveEvents */
};

static void begin(struct scene *s)
{
    rig_init(&s->rig);
    s->producer = rig_producer(&s->rig, "p");
    s->consumer = rig_consumer(&s->rig);
    s->config = rig_config(&s->rig, "source");
}

static uint64_t observe(struct rig_peer *consumer, uint32_t types)
{
    Tw__ObserveEventsRequest req = TW__OBSERVE_EVENTS_REQUEST__INIT;
    Tw__ObservableEvents__Type list[32];
    uint64_t id;

    for (uint32_t i = 0; i < 32; i++)
        if (types >> i & 1)
            list[req.n_events_to_observe++] = (Tw__ObservableEvents__Type)(UINT32_C(1) << i);
    req.events_to_observe = list;
    id = rig_send(consumer, TW_CONSUMER_OBSERVE_EVENTS, &req.base);
    rig_pump(consumer->rig);
    return id;
}

/* What the stream said: changes of data sources, and that all have started. */
struct told {
    size_t replies, changes, started, stopped, all_started, largest;
    bool ended;
};

static void count(struct told *told, const Tw__ObservableEvents *events)
{
    told->changes += events->n_instance_state_changes;
    if (events->n_instance_state_changes > told->largest)
        told->largest = events->n_instance_state_changes;
    for (size_t i = 0; i < events->n_instance_state_changes; i++) {
        told->started += events->instance_state_changes[i]->state == STARTED;
        told->stopped += events->instance_state_changes[i]->state == STOPPED;
    }
    told->all_started += events->all_data_sources_started != 0;
}

static struct told heard(struct rig_peer *consumer, uint64_t id)
{
    struct told told = {.replies = 0};

    for (size_t i = 0; i < consumer->n_replies; i++) {
        const struct rig_reply *reply = &consumer->replies[i];
        Tw__ObserveEventsResponse *response;

        if (reply->id != id)
            continue;
        told.replies++;
        told.ended = !reply->has_more;
        response = rig_decode(consumer, reply, &tw__observe_events_response__descriptor);
        if (response && response->events)
            count(&told, response->events);
    }
    return told;
}

static void only_what_was_asked_for_is_told(void **state)
{
    struct scene s;
    struct told told;
    uint64_t other;

    REQ("TW-CONS-040");
    REQ("TW-CONS-041");
    (void)state;
    begin(&s);
    rig_register(s.producer, "source");
    s.id = observe(s.consumer, TW__OBSERVABLE_EVENTS__TYPE__TYPE_ALL_DATA_SOURCES_STARTED);
    rig_enable(s.consumer, s.config);
    told = heard(s.consumer, s.id);
    assert_int_equal(told.all_started, 1);
    assert_int_equal(told.changes, 0);
    assert_false(told.ended);
    other = observe(s.consumer, TW__OBSERVABLE_EVENTS__TYPE__TYPE_DATA_SOURCES_INSTANCES);
    assert_true(heard(s.consumer, s.id).ended);
    told = heard(s.consumer, other);
    assert_int_equal(told.started, 1);
    assert_int_equal(told.all_started, 0);
    rig_register(s.producer, "source"); /* comes late */
    assert_int_equal(heard(s.consumer, other).started, 2);
    s.id = observe(s.consumer, 0);
    assert_true(heard(s.consumer, other).ended);
    assert_true(heard(s.consumer, s.id).ended);
    assert_int_equal(heard(s.consumer, s.id).replies, 1);
    rig_call(s.consumer, TW_CONSUMER_DISABLE_TRACING, NULL);
    assert_int_equal(heard(s.consumer, other).stopped, 0);
    rig_free(&s.rig);
}

static void what_is_set_up_and_not_started_counts_as_stopped(void **state)
{
    struct scene s;

    REQ("TW-CONS-040");
    (void)state;
    begin(&s);
    rig_register(s.producer, "source");
    s.config->has_deferred_start = s.config->deferred_start = true;
    rig_enable(s.consumer, s.config);
    s.id = observe(s.consumer, UINT32_MAX); /* types that nobody knows are no harm */
    assert_int_equal(heard(s.consumer, s.id).stopped, 1);
    assert_int_equal(heard(s.consumer, s.id).all_started, 0);
    rig_call(s.consumer, TW_CONSUMER_START_TRACING, NULL);
    assert_int_equal(heard(s.consumer, s.id).started, 1);
    assert_int_equal(heard(s.consumer, s.id).all_started, 1);
    rig_free(&s.rig);
}

/* One that acknowledges its start is told as stopped until it has. */
static void what_is_set_up_is_told_at_once(void **state)
{
    struct scene s;
    struct told told;
    Tw__DataSourceDescriptor descriptor = TW__DATA_SOURCE_DESCRIPTOR__INIT;

    REQ("TW-CONS-040");
    (void)state;
    begin(&s);
    descriptor.name = tw_pbc_str("source");
    descriptor.has_will_notify_on_start = descriptor.will_notify_on_start = true;
    rig_register_with(s.producer, &descriptor);
    s.id = observe(s.consumer, TW__OBSERVABLE_EVENTS__TYPE__TYPE_DATA_SOURCES_INSTANCES);
    rig_enable(s.consumer, s.config);
    told = heard(s.consumer, s.id);
    assert_int_equal(told.changes, 1);
    assert_int_equal(told.stopped, 1);
    rig_free(&s.rig);
}

static void the_end_is_told_after_what_led_to_it(void **state)
{
    struct scene s;
    uint64_t enabled;
    size_t stopped_at = 0, ended_at = 0;

    (void)state;
    begin(&s);
    rig_register(s.producer, "source");
    s.id = observe(s.consumer, TW__OBSERVABLE_EVENTS__TYPE__TYPE_DATA_SOURCES_INSTANCES);
    enabled = rig_enable(s.consumer, s.config);
    rig_call(s.consumer, TW_CONSUMER_DISABLE_TRACING, NULL);
    assert_int_equal(heard(s.consumer, s.id).stopped, 1);
    for (size_t i = 0; i < s.consumer->n_replies; i++) {
        if (s.consumer->replies[i].id == s.id)
            stopped_at = i;
        if (s.consumer->replies[i].id == enabled)
            ended_at = i;
    }
    assert_true(stopped_at < ended_at);
    rig_free(&s.rig);
}

static void what_goes_is_told_before(void **state)
{
    struct scene s;

    REQ("TW-CONS-040");
    (void)state;
    begin(&s);
    rig_register(s.producer, "source");
    s.id = observe(s.consumer, TW__OBSERVABLE_EVENTS__TYPE__TYPE_DATA_SOURCES_INSTANCES);
    rig_enable(s.consumer, s.config);
    rig_disconnect(s.producer);
    rig_pump(&s.rig);
    assert_int_equal(heard(s.consumer, s.id).stopped, 1);
    rig_free(&s.rig);
}

/* Names as long as they may be; with one reply a change, this many would not fit the queue. */
static void very_many_changes_cost_a_slow_observer_little(void **state)
{
    enum { PRODUCERS = 8, SOURCES = 250 };
    static char name[TW_NAME_MAX + 1];
    struct rig_peer *consumer;
    struct scene s;
    struct told told;

    REQ("TW-CONS-042");
    REQ("TW-LIM-097");
    (void)state;
    memset(name, 'n', TW_NAME_MAX);
    begin(&s);
    s.config->data_sources[0]->config->name = name;
    for (int i = 0; i < PRODUCERS; i++) {
        struct rig_peer *producer = rig_producer(&s.rig, name);

        for (int k = 0; k < SOURCES; k++)
            rig_register(producer, name);
    }
    consumer = s.consumer;
    s.id = observe(consumer, TW__OBSERVABLE_EVENTS__TYPE__TYPE_DATA_SOURCES_INSTANCES);
    consumer->deaf = true;
    rig_enable(consumer, s.config);
    for (int i = 0; i < 3; i++) /* each tells all of them anew */
        s.id = observe(consumer, TW__OBSERVABLE_EVENTS__TYPE__TYPE_DATA_SOURCES_INSTANCES);
    rig_call(consumer, TW_CONSUMER_DISABLE_TRACING, NULL);
    assert_non_null(consumer->conn);
    assert_true(tw_tx_queued(&consumer->conn->host.tx) < 512 * 1024);
    consumer->deaf = false;
    rig_pump(&s.rig);
    assert_non_null(consumer->conn);
    told = heard(consumer, s.id);
    assert_int_equal(told.stopped, PRODUCERS * SOURCES);
    assert_int_equal(told.largest, TW_OBSERVE_BATCH);
    assert_true(told.changes < 2 * PRODUCERS * SOURCES);
    rig_free(&s.rig);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        tw_unit_test(only_what_was_asked_for_is_told),
        tw_unit_test(what_is_set_up_and_not_started_counts_as_stopped),
        tw_unit_test(what_is_set_up_is_told_at_once),
        tw_unit_test(the_end_is_told_after_what_led_to_it),
        tw_unit_test(what_goes_is_told_before),
        tw_unit_test(very_many_changes_cost_a_slow_observer_little),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
