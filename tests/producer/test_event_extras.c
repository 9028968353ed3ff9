/* SPDX-License-Identifier: Apache-2.0 */
/* What events have besides category and name, written by the macros. */
#include "tests/harness.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/macros.h"
#include "producer/event_process.h"
#include "producer/events.h"
#include "producer/instance.h"
#include "producer/interning.h"
#include "tests/producer/paths.h"
#include "wire/writer.h"

enum { SHM = 256 * 1024, CONFIG_MAX = 64 };

struct world {
    struct tw_category category;
    struct tw_events *events;
    struct fake_service service;
    struct tw_instance *instance;
};

/* A session with this field of TrackEventConfig; 0: none. value NULL: it is true. */
static void world_init_with(struct world *w, struct tw_category category, uint32_t field,
                            const char *value)
{
    uint8_t buf[CONFIG_MAX], *nested;
    struct tw_writer config = tw_writer_of(buf, sizeof(buf));
    struct tw_bytes bytes = {.p = buf};
    struct tw_events_config events = {.n_categories = 1, .policy = TW_EXHAUSTED_DROP};
    struct tw_source_config parsed;

    nested = tw_put_begin(&config, 113);
    if (value)
        tw_put_str(&config, field, value);
    else if (field)
        tw_put_bool(&config, field, true);
    tw_put_end(&config, nested);
    bytes.n = tw_writer_size(&config);
    *w = (struct world){.category = category,
                        .service.arbiter = fake_arbiter(SHM, 4096, TW_PAGE_DIV1, false)};
    events.categories = &w->category;
    assert_int_equal(tw_events_make(&w->events, &events), 0);
    assert_int_equal(tw_source_config_read(bytes, &parsed), 0);
    assert_int_equal(tw_instance_new(&w->instance, w->service.arbiter, 1, bytes, &parsed), 0);
    atomic_store(&w->instance->active, true);
    tw_events_on_start(w->events, w->instance);
}

static void world_init(struct world *w, uint32_t field)
{
    world_init_with(w, (struct tw_category)TW_CATEGORY("net", NULL, NULL), field, NULL);
}

static struct fake_packets world_packets(struct world *w)
{
    struct fake_packets packets;

    tw_events_free(w->events);
    (void)fake_service_pump(&w->service);
    packets = fake_service_packets(&w->service, 1);
    tw_instance_unref(w->instance);
    fake_service_deinit(&w->service);
    return packets;
}

static struct fake_packets world_end(struct world *w)
{
    struct tw_events_stats stats;

    tw_events_stats(w->events, &stats);
    assert_int_equal(stats.lost, 0);
    return world_packets(w);
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
    static const struct tw_track one = TW_TRACK("request", 1), two = TW_TRACK("request", 2),
                                 other = TW_TRACK("reply", 1);
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

/* ---- tracks ---- */

/* The nth packet with a descriptor of a track besides process and thread. */
static const struct fake_packet *descriptor(const struct fake_packets *packets, size_t n)
{
    for (size_t i = 3; i < packets->n; i++)
        if (count_at(&packets->list[i], PATH(60)) && n-- == 0)
            return &packets->list[i];
    fail();
    return NULL;
}

static void tracks_have_parents(void **state)
{
    static const struct tw_track outer = TW_TRACK("outer", 1),
                                 middle = TW_TRACK_IN(&outer, "same", 1),
                                 inner = TW_TRACK_IN(&middle, "same", 1), process = TW_PROCESS;
    struct fake_packets packets;
    uint64_t uuid[3];
    struct world w;

    REQ("TW-EVT-055");
    REQ("TW-EVT-056");
    (void)state;
    world_init(&w, 0);
    TW_EVENT_INSTANT_WITH(&w.category, "a", tw_on(&inner));
    TW_EVENT_INSTANT_WITH(&w.category, "a", tw_on(&middle));
    TW_EVENT_INSTANT_WITH(&w.category, "a", tw_on(&process));
    packets = world_end(&w);
    assert_int_equal(packets.n, 9);
    for (size_t i = 0; i < TW_ARRAY_LEN(uuid); i++) {
        const struct fake_packet *p = descriptor(&packets, i);

        uuid[i] = value_at(p, PATH(60, 1));
        assert_true(value_at(p, PATH(60, 5)) ==
                    (i > 0 ? uuid[i - 1] : value_at(&packets.list[1], PATH(60, 1))));
        assert_int_equal(value_at(p, PATH(60, 15)), 2);
    }
    assert_true(uuid[0] != uuid[1] && uuid[1] != uuid[2]);
    assert_true(value_at(&packets.list[6], PATH(11, 11)) == uuid[2]);
    assert_true(value_at(&packets.list[7], PATH(11, 11)) == uuid[1]);
    assert_true(value_at(&packets.list[8], PATH(11, 11)) ==
                value_at(&packets.list[1], PATH(60, 1)));
    fake_packets_free(&packets);
}

static void tracks_inside_each_other_are_bounded(void **state)
{
    struct tw_track tracks[TW_TRACK_DEPTH_MAX + 2];
    struct fake_packets packets;
    struct world w;

    REQ("TW-LIM-220");
    (void)state;
    for (size_t i = 0; i < TW_ARRAY_LEN(tracks); i++)
        tracks[i] = (struct tw_track){.name = "t", .id = i, .parent = i ? &tracks[i - 1] : NULL};
    tracks[0].parent = &tracks[1]; /* not even a circle does harm */
    world_init(&w, 0);
    TW_EVENT_INSTANT_WITH(&w.category, "a", tw_on(&tracks[TW_TRACK_DEPTH_MAX + 1]));
    packets = world_end(&w);
    assert_int_equal(count_all(&packets, PATH(60)), 2 + TW_TRACK_DEPTH_MAX);
    assert_int_equal(count_all(&packets, PATH(11)), 1);
    fake_packets_free(&packets);
}

static void threads_may_be_named_elsewhere(void **state)
{
    struct tw_track other = TW_THREAD((uint64_t)gettid() + 1, "worker"),
                    own = TW_THREAD((uint64_t)gettid(), NULL);
    struct fake_packets packets;
    const struct fake_packet *p;
    struct world w;

    REQ("TW-EVT-056");
    (void)state;
    world_init(&w, 0);
    TW_EVENT_INSTANT_WITH(&w.category, "a", tw_on(&other));
    TW_EVENT_INSTANT_WITH(&w.category, "a", tw_on(&own));
    packets = world_end(&w);
    p = descriptor(&packets, 0);
    assert_int_equal(value_at(p, PATH(60, 4, 2)), other.id);
    assert_int_equal(count_at(p, PATH(60, 4, 5)), 1);
    p = descriptor(&packets, 1);
    assert_int_equal(count_at(p, PATH(60, 4, 5)), 0);
    assert_true(value_at(p, PATH(60, 1)) == value_at(&packets.list[2], PATH(60, 1)));
    fake_packets_free(&packets);
}

static void counters_have_units_and_kinds_of_values(void **state)
{
    static const struct tw_track bytes = TW_COUNTER("sent", TW_UNIT_BYTES, NULL),
                                 volts = TW_COUNTER_IN(&bytes, "power", TW_UNIT_NONE, "V");
    struct fake_packets packets;
    const struct fake_packet *p;
    struct world w;

    REQ("TW-EVT-056");
    (void)state;
    world_init(&w, 0);
    TW_EVENT_COUNTER_WITH(&w.category, tw_on(&bytes), tw_count(-1));
    TW_EVENT_COUNTER_WITH(&w.category, tw_on(&volts), tw_real(0.5));
    TW_EVENT_COUNTER_REAL(&w.category, "plain", 0.25);
    packets = world_end(&w);
    p = descriptor(&packets, 0);
    assert_int_equal(value_at(p, PATH(60, 8, 3)), 3);
    p = descriptor(&packets, 1);
    assert_int_equal(count_at(p, PATH(60, 8, 6)), 1);
    assert_true(value_at(p, PATH(60, 5)) == value_at(descriptor(&packets, 0), PATH(60, 1)));
    assert_int_equal(count_all(&packets, PATH(60, 8, 3)), 1);
    assert_int_equal(count_all(&packets, PATH(11, 30)), 1);
    assert_int_equal(count_all(&packets, PATH(11, 44)), 2);
    assert_true(value_at(&packets.list[packets.n - 1], PATH(11, 44)) == tw_bits_of(0.25));
    assert_int_equal(count_all(&packets, PATH(11, 3)), 0);
    fake_packets_free(&packets);
}

static void a_process_is_known_by_more_than_its_pid(void **state)
{
    struct tw_event_process a, b;
    struct fake_packets packets;
    struct world w;

    REQ("TW-EVT-059");
    REQ("TW-LIM-221");
    (void)state;
    tw_event_process_read(&a);
    tw_event_process_read(&b);
    assert_true(a.uuid == b.uuid && a.uuid != tw_mix((uint64_t)getpid()));
    assert_int_equal(a.pid, getpid());
    assert_true(a.cmdline_n > 1 && a.cmdline_n <= TW_CMDLINE_MAX);
    world_init(&w, 0);
    TW_EVENT_INSTANT(&w.category, "a");
    packets = world_end(&w);
    assert_true(value_at(&packets.list[1], PATH(60, 1)) == a.uuid);
    assert_int_equal(count_at(&packets.list[1], PATH(60, 3, 2)), 1);
    fake_packets_free(&packets);
}

/* ---- more extras ---- */

static void arguments_may_hold_others(void **state)
{
    struct fake_packets packets;
    struct world w;

    REQ("TW-EVT-058");
    (void)state;
    world_init(&w, 0);
    for (int i = 0; i < 2; i++) {
        const struct tw_extra values[] = {tw_arg_int(NULL, 1), tw_arg_str(NULL, "two")};
        const struct tw_extra members[] = {tw_arg_bool("yes", true),
                                           tw_arg_array("list", values, 2)};

        TW_EVENT_INSTANT_WITH(&w.category, "a", tw_arg_dict("dict", members, 2), tw_flow(1));
    }
    packets = world_end(&w);
    assert_int_equal(packets.n, 5);
    assert_int_equal(count_at(&packets.list[3], PATH(12, 3)), 3);
    assert_int_equal(count_at(&packets.list[4], PATH(12)), 0);
    assert_int_equal(count_at(&packets.list[4], PATH(11, 4, 11)), 2);
    assert_int_equal(count_at(&packets.list[4], PATH(11, 47)), 1);
    fake_packets_free(&packets);
}

/* As deep as it goes, and one more: that event is not in the trace, and those behind it are. */
static void arguments_in_arguments_are_bounded(void **state)
{
    struct tw_extra chain[TW_NEST_MAX + 4];
    struct tw_events_stats stats;
    struct fake_packets packets;
    struct world w;

    REQ("TW-EVT-058");
    (void)state;
    chain[0] = tw_arg_int("last", 1);
    for (size_t i = 1; i < TW_ARRAY_LEN(chain); i++)
        chain[i] = tw_arg_dict("dict", &chain[i - 1], 1);
    world_init(&w, 0);
    TW_EVENT_INSTANT_WITH(&w.category, "fits", chain[TW_NEST_MAX - 2]);
    TW_EVENT_INSTANT_WITH(&w.category, "does not", chain[TW_NEST_MAX - 1]);
    TW_EVENT_INSTANT_WITH(&w.category, "does not", chain[TW_NEST_MAX + 3]);
    TW_EVENT_INSTANT(&w.category, "is next");
    tw_events_stats(w.events, &stats);
    assert_int_equal(stats.lost, 2);
    packets = world_packets(&w);
    assert_int_equal(count_all(&packets, PATH(11)), 2);
    fake_packets_free(&packets);
}

static void flows_may_leave_the_process(void **state)
{
    struct fake_packets packets;
    struct world w;

    REQ("TW-EVT-057");
    (void)state;
    world_init(&w, 0);
    TW_EVENT_INSTANT_WITH(&w.category, "asks", tw_global_flow(7));
    TW_EVENT_INSTANT_WITH(&w.category, "answers", tw_global_flow_end(7));
    packets = world_end(&w);
    assert_int_equal(value_at(&packets.list[3], PATH(11, 47)), 7);
    assert_int_equal(value_at(&packets.list[4], PATH(11, 48)), 7);
    fake_packets_free(&packets);
}

static void events_may_be_of_another_time(void **state)
{
    struct fake_packets packets;
    struct world w;

    REQ("TW-EVT-060");
    (void)state;
    world_init(&w, 0);
    TW_EVENT_INSTANT_WITH(&w.category, "then", tw_at(TW_MONOTONIC, 12345));
    TW_EVENT_INSTANT(&w.category, "now");
    packets = world_end(&w);
    assert_int_equal(value_at(&packets.list[3], PATH(8)), 12345);
    assert_int_equal(value_at(&packets.list[3], PATH(58)), 3);
    assert_int_equal(count_at(&packets.list[4], PATH(58)), 0);
    assert_true(value_at(&packets.list[4], PATH(8)) < 1000000000);
    fake_packets_free(&packets);
}

/* ---- categories that come later ---- */

static void a_category_may_be_known_only_now(void **state)
{
    char name[] = "late";
    struct fake_packets packets;
    struct world w;

    REQ("TW-EVT-061");
    (void)state;
    world_init_with(&w, (struct tw_category)TW_CATEGORY_ANY, 1 /* disabled_categories */, "secret");
    TW_EVENT_INSTANT_WITH(&w.category, "a", tw_in(name));
    TW_EVENT_INSTANT_WITH(&w.category, "a", tw_in("secret"));
    TW_EVENT_INSTANT(&w.category, "without");
    packets = world_end(&w);
    assert_int_equal(packets.n, 5);
    assert_true(contains(&packets.list[3], "late"));
    assert_int_equal(count_at(&packets.list[3], PATH(11, 22)), 1);
    assert_int_equal(count_all(&packets, PATH(11, 3)), 0);
    fake_packets_free(&packets);
}

/* ---- scopes ---- */

static int leave_early(struct world *w, bool early)
{
    TW_EVENT_SCOPE(&w->category, "outer");
    if (early)
        return 1;
    {
        TW_EVENT_SCOPE(&w->category, "inner");
        TW_EVENT_INSTANT(&w->category, "in both");
    }
    return 0;
}

static void scopes_end_however_they_are_left(void **state)
{
    static const uint64_t types[] = {1, 2, 1, 1, 3, 2, 2};
    struct fake_packets packets;
    struct world w;

    (void)state;
    world_init(&w, 0);
    assert_int_equal(leave_early(&w, true), 1);
    assert_int_equal(leave_early(&w, false), 0);
    packets = world_end(&w);
    assert_int_equal(packets.n, 3 + TW_ARRAY_LEN(types));
    for (size_t i = 0; i < TW_ARRAY_LEN(types); i++)
        assert_int_equal(value_at(&packets.list[3 + i], PATH(11, 9)), types[i]);
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
        tw_unit_test(tracks_have_parents),
        tw_unit_test(tracks_inside_each_other_are_bounded),
        tw_unit_test(threads_may_be_named_elsewhere),
        tw_unit_test(counters_have_units_and_kinds_of_values),
        tw_unit_test(a_process_is_known_by_more_than_its_pid),
        tw_unit_test(arguments_may_hold_others),
        tw_unit_test(arguments_in_arguments_are_bounded),
        tw_unit_test(flows_may_leave_the_process),
        tw_unit_test(events_may_be_of_another_time),
        tw_unit_test(a_category_may_be_known_only_now),
        tw_unit_test(scopes_end_however_they_are_left),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
