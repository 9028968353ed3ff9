/* SPDX-License-Identifier: Apache-2.0 */
/* What events have besides category and name, written by the macros. */
#include "tests/harness.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/macros.h"
#include "producer/events.h"
#include "producer/instance.h"
#include "tests/producer/paths.h"
#include "wire/writer.h"

enum { SHM = 256 * 1024, CONFIG_MAX = 64 };

struct world {
    struct tw_category category;
    struct tw_events *events;
    struct fake_service service;
    struct tw_instance *instance;
};

/* A session with this field of TrackEventConfig; 0: none. */
static void world_init(struct world *w, uint32_t field)
{
    uint8_t buf[CONFIG_MAX], *nested;
    struct tw_writer config = tw_writer_of(buf, sizeof(buf));
    struct tw_bytes bytes = {.p = buf};
    struct tw_events_config events = {.n_categories = 1, .policy = TW_EXHAUSTED_DROP};
    struct tw_source_config parsed;

    nested = tw_put_begin(&config, 113);
    if (field)
        tw_put_bool(&config, field, true);
    tw_put_end(&config, nested);
    bytes.n = tw_writer_size(&config);
    *w = (struct world){.category = TW_CATEGORY("net", NULL, NULL),
                        .service.arbiter = fake_arbiter(SHM, 4096, TW_PAGE_DIV1, false)};
    events.categories = &w->category;
    assert_int_equal(tw_events_make(&w->events, &events), 0);
    assert_int_equal(tw_source_config_read(bytes, &parsed), 0);
    assert_int_equal(tw_instance_new(&w->instance, w->service.arbiter, 1, bytes, &parsed), 0);
    atomic_store(&w->instance->active, true);
    tw_events_on_start(w->events, w->instance);
}

static struct fake_packets world_end(struct world *w)
{
    struct tw_events_stats stats;
    struct fake_packets packets;

    tw_events_stats(w->events, &stats);
    assert_int_equal(stats.lost, 0);
    tw_events_free(w->events);
    (void)fake_service_pump(&w->service);
    packets = fake_service_packets(&w->service, 1);
    tw_instance_unref(w->instance);
    fake_service_deinit(&w->service);
    return packets;
}

static void arguments_have_names_and_values(void **state)
{
    static const double half = 0.5;
    struct fake_packets packets;
    const struct fake_packet *p;
    struct world w;

    REQ("TW-EVT-042");
    (void)state;
    world_init(&w, 0);
    for (int i = 0; i < 2; i++)
        TW_EVENT_INSTANT_WITH(&w.category, "name", tw_arg_bool("bool", true),
                              tw_arg_uint("uint", UINT64_MAX), tw_arg_int("int", -5),
                              tw_arg_double("double", half), tw_arg_str("str", "text"),
                              tw_arg_pointer("pointer", &half));
    packets = world_end(&w);
    assert_int_equal(packets.n, 5);
    p = &packets.list[3];
    assert_int_equal(count_at(p, PATH(11, 4)), 6);
    assert_int_equal(count_at(p, PATH(11, 4, 1)), 6);
    assert_int_equal(count_at(p, PATH(12, 3)), 6);
    assert_int_equal(value_at(p, PATH(12, 3, 1)), 6);
    assert_int_equal(value_at(p, PATH(11, 4, 1)), 6);
    assert_int_equal(count_at(p, PATH(11, 4, 2)), 1);
    assert_int_equal(count_at(p, PATH(11, 4, 3)), 1);
    assert_int_equal(count_at(p, PATH(11, 4, 4)), 1);
    assert_int_equal(count_at(p, PATH(11, 4, 5)), 1);
    assert_int_equal(count_at(p, PATH(11, 4, 6)), 1);
    assert_true(value_at(p, PATH(11, 4, 7)) == (uintptr_t)&half);
    /* The names are known by then. */
    assert_int_equal(count_at(&packets.list[4], PATH(12)), 0);
    assert_int_equal(count_at(&packets.list[4], PATH(11, 4, 1)), 6);
    fake_packets_free(&packets);
}

static void values_are_those_that_were_given(void **state)
{
    const double third = 1.0 / 3;
    struct fake_packets packets;
    uint64_t bits;
    struct world w;

    REQ("TW-EVT-042");
    (void)state;
    world_init(&w, 0);
    TW_EVENT_INSTANT_WITH(&w.category, "a", tw_arg_bool("v", false));
    TW_EVENT_INSTANT_WITH(&w.category, "a", tw_arg_uint("v", UINT64_MAX));
    TW_EVENT_INSTANT_WITH(&w.category, "a", tw_arg_int("v", INT64_MIN));
    TW_EVENT_INSTANT_WITH(&w.category, "a", tw_arg_double("v", third));
    packets = world_end(&w);
    assert_int_equal(packets.n, 7);
    memcpy(&bits, &third, sizeof(bits));
    assert_true(value_at(&packets.list[3], PATH(11, 4, 2)) == 0);
    assert_true(value_at(&packets.list[4], PATH(11, 4, 3)) == UINT64_MAX);
    assert_true(value_at(&packets.list[5], PATH(11, 4, 4)) == (uint64_t)INT64_MIN);
    assert_true(value_at(&packets.list[6], PATH(11, 4, 5)) == bits);
    fake_packets_free(&packets);
}

static void a_session_may_want_no_arguments(void **state)
{
    struct fake_packets packets;
    struct world w;

    REQ("TW-EVT-043");
    (void)state;
    world_init(&w, 7);
    TW_EVENT_INSTANT_WITH(&w.category, "name", tw_arg_bool("bool", true), tw_flow(3));
    packets = world_end(&w);
    assert_int_equal(count_all(&packets, PATH(11)), 1);
    assert_int_equal(count_all(&packets, PATH(11, 4)), 0);
    assert_int_equal(count_all(&packets, PATH(12, 3)), 0);
    assert_int_equal(count_all(&packets, PATH(11, 47)), 1);
    fake_packets_free(&packets);
}

/* Whether the packet has these bytes. */
static bool contains(const struct fake_packet *p, const char *text)
{
    return memmem(p->p, p->n, text, strlen(text)) != NULL;
}

static void names_need_not_be_static(void **state)
{
    struct fake_packets packets;
    struct world w;
    char name[16];

    (void)state;
    world_init(&w, 0);
    for (int i = 0; i < 2; i++) {
        snprintf(name, sizeof(name), "frame %d", i);
        TW_EVENT_BEGIN_WITH(&w.category, NULL, tw_named(name));
        TW_EVENT_END(&w.category);
    }
    packets = world_end(&w);
    assert_int_equal(packets.n, 7);
    assert_int_equal(count_all(&packets, PATH(11, 23)), 2);
    assert_int_equal(count_all(&packets, PATH(11, 3)), 2);
    assert_int_equal(count_all(&packets, PATH(12, 2)), 0);
    assert_true(contains(&packets.list[3], "frame 0") && contains(&packets.list[5], "frame 1"));
    fake_packets_free(&packets);
}

static void a_session_may_want_no_names_that_are_not_static(void **state)
{
    struct fake_packets packets;
    struct world w;

    REQ("TW-EVT-043");
    (void)state;
    world_init(&w, 9);
    TW_EVENT_INSTANT_WITH(&w.category, "static", tw_named("secret"));
    TW_EVENT_INSTANT(&w.category, "static");
    packets = world_end(&w);
    assert_int_equal(packets.n, 5);
    assert_true(contains(&packets.list[3], "FILTERED"));
    assert_false(contains(&packets.list[3], "secret"));
    assert_true(contains(&packets.list[4], "static"));
    fake_packets_free(&packets);
}

static void flows_belong_to_the_process(void **state)
{
    struct fake_packets packets;
    struct world w;
    uint64_t process;

    REQ("TW-EVT-041");
    (void)state;
    world_init(&w, 0);
    TW_EVENT_INSTANT_WITH(&w.category, "asks", tw_flow(7));
    TW_EVENT_INSTANT_WITH(&w.category, "answers", tw_flow_end(7));
    packets = world_end(&w);
    assert_int_equal(packets.n, 5);
    process = value_at(&packets.list[1], PATH(60, 1));
    assert_true(value_at(&packets.list[3], PATH(11, 47)) == (process ^ 7));
    assert_true(value_at(&packets.list[4], PATH(11, 48)) == (process ^ 7));
    assert_int_equal(count_at(&packets.list[4], PATH(11, 47)), 0);
    fake_packets_free(&packets);
}

static void tracks_are_described_once_and_told_apart(void **state)
{
    static const struct tw_track one = {"request", 1}, two = {"request", 2}, other = {"reply", 1};
    struct fake_packets packets;
    uint64_t uuid[4], process;
    size_t n = 0;
    struct world w;

    REQ("TW-EVT-032");
    REQ("TW-EVT-033");
    (void)state;
    world_init(&w, 0);
    for (int i = 0; i < 3; i++) {
        TW_EVENT_BEGIN_WITH(&w.category, "wait", tw_on(&one));
        TW_EVENT_END_WITH(&w.category, tw_on(&one));
    }
    TW_EVENT_INSTANT_WITH(&w.category, "wait", tw_on(&two));
    TW_EVENT_INSTANT_WITH(&w.category, "wait", tw_on(&other));
    TW_EVENT_COUNTER(&w.category, "request", 1);
    packets = world_end(&w);
    process = value_at(&packets.list[1], PATH(60, 1));
    for (size_t i = 3; i < packets.n; i++) {
        if (count_at(&packets.list[i], PATH(60)) == 0) {
            /* It is on the track that was described last. */
            assert_true(value_at(&packets.list[i], PATH(11, 11)) == uuid[n - 1]);
            continue;
        }
        assert_true(n < TW_ARRAY_LEN(uuid));
        assert_true(value_at(&packets.list[i], PATH(60, 5)) == process);
        uuid[n++] = value_at(&packets.list[i], PATH(60, 1));
    }
    assert_int_equal(n, 4);
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < i; k++)
            assert_true(uuid[i] != uuid[k]);
    fake_packets_free(&packets);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        tw_unit_test(arguments_have_names_and_values),
        tw_unit_test(values_are_those_that_were_given),
        tw_unit_test(a_session_may_want_no_arguments),
        tw_unit_test(names_need_not_be_static),
        tw_unit_test(a_session_may_want_no_names_that_are_not_static),
        tw_unit_test(flows_belong_to_the_process),
        tw_unit_test(tracks_are_described_once_and_told_apart),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
