/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/harness.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/macros.h"
#include "base/req.h"
#include "producer/event_clock.h"
#include "producer/instance.h"
#include "producer/trace_writer.h"
#include "producer/track_event.h"
#include "tests/producer/fake_service.h"
#include "tests/producer/paths.h"
#include "wire/writer.h"

enum { SHM = 64 * 1024, CONFIG_MAX = 64 };

struct fixture {
    struct fake_service service;
    struct tw_instance *instance;
    struct tw_event_process process;
    struct tw_event_sequence *events;
    uint16_t id;
};

static void fixture_init_for(struct fixture *f, size_t shm_size, struct tw_bytes config)
{
    struct tw_source_config parsed;

    *f = (struct fixture){0};
    f->service.arbiter = fake_arbiter(shm_size, 4096, TW_PAGE_DIV1, false);
    assert_int_equal(tw_source_config_read(config, &parsed), 0);
    assert_int_equal(tw_instance_new(&f->instance, f->service.arbiter, 1, config, &parsed), 0);
    tw_event_process_read(&f->process);
    assert_int_equal(
        tw_event_sequence_new(&f->events, f->instance, &f->process, TW_EXHAUSTED_DEFAULT), 0);
    f->id = f->events->writer->reg->id;
}

static void fixture_init(struct fixture *f, size_t shm_size)
{
    fixture_init_for(f, shm_size, (struct tw_bytes){0});
}

/* With these fields of TrackEventConfig. */
static void fixture_init_clock(struct fixture *f, bool absolute, uint64_t unit)
{
    uint8_t buf[CONFIG_MAX], *nested;
    struct tw_writer w = tw_writer_of(buf, sizeof(buf));

    nested = tw_put_begin(&w, 113);
    tw_put_bool(&w, 5, absolute);
    tw_put_u64(&w, 6, unit);
    tw_put_end(&w, nested);
    fixture_init_for(f, SHM, (struct tw_bytes){buf, tw_writer_size(&w)});
}

static struct fake_packets fixture_end(struct fixture *f)
{
    struct fake_packets packets;

    tw_event_sequence_free(f->events);
    tw_instance_unref(f->instance);
    (void)fake_service_pump(&f->service);
    packets = fake_service_packets(&f->service, f->id);
    fake_service_deinit(&f->service);
    return packets;
}

static int write_event(struct tw_event_sequence *ev, enum tw_event_type type, const char *names,
                       const char *name)
{
    const struct tw_category category = {.name = names, .is_group = names && strchr(names, ',')};

    return tw_track_event(ev, &(struct tw_event){type, &category, name, NULL, 0});
}

static int count(struct tw_event_sequence *ev, const char *name, int64_t value)
{
    const struct tw_track track = TW_COUNTER(name, TW_UNIT_NONE, NULL);
    const struct tw_extra extras[] = {tw_on(&track), tw_count(value)};

    return tw_track_event(ev, &(struct tw_event){TW_EVENT_VALUE, NULL, NULL, extras, 2});
}

static int instant(struct tw_event_sequence *ev, const char *category, const char *name)
{
    return write_event(ev, TW_EVENT_MOMENT, category, name);
}

static size_t count_cleared(const struct fake_packets *packets)
{
    size_t count = 0;

    for (size_t i = 0; i < packets->n; i++)
        count += (value_at(&packets->list[i], PATH(13)) & 1) != 0;
    return count;
}

/* Flags: 1 state begins, 2 builds on it. */
static void a_sequence_begins_with_who_it_is(void **state)
{
    struct fake_packets packets;
    struct fixture f;
    uint64_t process, thread;

    REQ("TW-EVT-010");
    REQ("TW-EVT-011");
    REQ("TW-EVT-015");
    REQ("TW-EVT-030");
    REQ("TW-EVT-031");
    (void)state;
    fixture_init(&f, SHM);
    assert_int_equal(write_event(f.events, TW_EVENT_SLICE_BEGIN, "cat", "name"), 0);
    assert_int_equal(write_event(f.events, TW_EVENT_SLICE_END, NULL, NULL), 0);
    packets = fixture_end(&f);
    assert_int_equal(packets.n, 5);
    assert_int_equal(value_at(&packets.list[0], PATH(13)), 1);
    assert_int_equal(value_at(&packets.list[0], PATH(59, 58)), TW_CLOCK_INCREMENTAL);
    thread = value_at(&packets.list[0], PATH(59, 11, 11));
    process = value_at(&packets.list[1], PATH(60, 1));
    assert_int_equal(value_at(&packets.list[1], PATH(60, 3, 1)), getpid());
    assert_true(value_at(&packets.list[2], PATH(60, 1)) == thread);
    assert_true(value_at(&packets.list[2], PATH(60, 5)) == process);
    assert_int_equal(value_at(&packets.list[2], PATH(60, 4, 2)), gettid());
    assert_int_equal(value_at(&packets.list[3], PATH(11, 9)), 1);
    assert_int_equal(value_at(&packets.list[4], PATH(11, 9)), 2);
    for (size_t i = 1; i < packets.n; i++)
        assert_int_equal(value_at(&packets.list[i], PATH(13)), 2);
    fake_packets_free(&packets);
}

static void a_packet_with_clocks_has_neither_event_nor_descriptor(void **state)
{
    struct fake_packets packets;
    struct fixture f;

    REQ("TW-EVT-022");
    (void)state;
    fixture_init(&f, SHM);
    assert_int_equal(count(f.events, "count", 1), 0);
    atomic_fetch_add(&f.instance->generation, 1);
    assert_int_equal(instant(f.events, "cat", "name"), 0);
    packets = fixture_end(&f);
    assert_int_equal(count_all(&packets, PATH(6)), 2);
    for (size_t i = 0; i < packets.n; i++)
        assert_false(count_at(&packets.list[i], PATH(6)) && (count_at(&packets.list[i], PATH(11)) ||
                                                             count_at(&packets.list[i], PATH(60))));
    fake_packets_free(&packets);
}

/* ---- time ---- */

/* The sum of what the events' timestamps say, in nanoseconds of BOOTTIME. */
static uint64_t boottime_of_last(const struct fake_packets *packets, uint64_t unit)
{
    uint64_t ticks = 0;

    /* Clock 64 or 65 is the last of the snapshot. */
    assert_int_equal(count_at(&packets->list[0], PATH(6, 1, 1)), 2);
    for (size_t i = 1; i < packets->n; i++)
        ticks += value_at(&packets->list[i], PATH(8));
    return (value_at(&packets->list[0], PATH(6, 1, 2)) + ticks) * unit;
}

static void deltas_add_up_to_the_time(void **state)
{
    static const uint64_t units[] = {1, 1000, 1000 * 1000};

    REQ("TW-EVT-020");
    REQ("TW-EVT-021");
    (void)state;
    for (size_t i = 0; i < TW_ARRAY_LEN(units); i++) {
        uint64_t before = tw_clock_ns(CLOCK_BOOTTIME), after, last;
        struct fake_packets packets;
        struct fixture f;

        fixture_init_clock(&f, false, units[i]);
        for (int n = 0; n < 500; n++)
            assert_int_equal(instant(f.events, "cat", "name"), 0);
        after = tw_clock_ns(CLOCK_BOOTTIME);
        packets = fixture_end(&f);
        assert_int_equal(value_at(&packets.list[0], PATH(59, 58)), 64);
        assert_int_equal(value_at(&packets.list[0], PATH(6, 1, 1)), 64);
        assert_int_equal(value_at(&packets.list[0], PATH(6, 1, 3)), 1);
        assert_int_equal(count_at(&packets.list[0], PATH(6, 1, 4)), units[i] > 1);
        last = boottime_of_last(&packets, units[i]);
        assert_true(last + 2 * units[i] >= before && last <= after);
        fake_packets_free(&packets);
    }
}

static void timestamps_may_be_absolute(void **state)
{
    static const struct {
        uint64_t unit, clock, snapshots;
    } rows[] = {{0, 6, 0}, {1, 6, 0}, {1000, 65, 1}};

    REQ("TW-EVT-020");
    REQ("TW-EVT-021");
    (void)state;
    for (size_t i = 0; i < TW_ARRAY_LEN(rows); i++) {
        uint64_t unit = rows[i].unit ? rows[i].unit : 1, before = tw_clock_ns(CLOCK_BOOTTIME), last;
        struct fake_packets packets;
        struct fixture f;

        fixture_init_clock(&f, true, rows[i].unit);
        assert_int_equal(instant(f.events, "cat", "name"), 0);
        packets = fixture_end(&f);
        assert_int_equal(value_at(&packets.list[0], PATH(59, 58)), rows[i].clock);
        assert_int_equal(count_at(&packets.list[0], PATH(6)), rows[i].snapshots);
        assert_int_equal(count_at(&packets.list[0], PATH(6, 1, 3)), 0);
        last = value_at(&packets.list[packets.n - 1], PATH(8));
        assert_true(last >= before / unit && last <= tw_clock_ns(CLOCK_BOOTTIME) / unit);
        fake_packets_free(&packets);
    }
}

/* The timestamps of the moments, in ticks of 10 ns since 1000. */
static void what_rounding_cuts_off_is_not_lost_and_time_may_go_back(void **state)
{
    static const struct {
        uint64_t now, timestamp, clock;
    } rows[] = {
        {1000, 0, 0},    {1019, 1, 0}, {1020, 1, 0}, /* 9 and 1 are another tick */
        {1019, 1019, 6}, {1029, 0, 0}, {1030, 1, 0}, {2035, 100, 0},
    };
    struct tw_event_clock clock = {.id = TW_CLOCK_INCREMENTAL, .unit_ns = 10, .last_ns = 1000};
    struct fake_packets packets;
    struct fixture f;

    REQ("TW-EVT-023");
    (void)state;
    fixture_init(&f, SHM);
    for (size_t i = 0; i < TW_ARRAY_LEN(rows); i++) {
        tw_writer_begin(f.events->writer);
        tw_event_clock_stamp(&clock, f.events->writer, rows[i].now);
        assert_int_equal(tw_writer_end(f.events->writer), 0);
    }
    packets = fixture_end(&f);
    assert_int_equal(packets.n, TW_ARRAY_LEN(rows));
    for (size_t i = 0; i < packets.n; i++) {
        assert_int_equal(value_at(&packets.list[i], PATH(8)), rows[i].timestamp);
        assert_int_equal(value_at(&packets.list[i], PATH(58)), rows[i].clock);
    }
    fake_packets_free(&packets);
}

static void a_config_that_is_none_is_refused(void **state)
{
    struct tw_event_sequence *events = NULL;
    struct fake_packets packets;
    struct fixture f;

    REQ("TW-EVT-005");
    (void)state;
    fixture_init(&f, SHM);
    f.instance->config[0] = 0x8a; /* cut short */
    f.instance->config_n = 1;
    assert_int_equal(tw_event_sequence_new(&events, f.instance, &f.process, TW_EXHAUSTED_DEFAULT),
                     TW_E_TRUNCATED);
    assert_null(events);
    packets = fixture_end(&f);
    fake_packets_free(&packets);
}

/* ---- strings and state ---- */

/* Each list counts by itself: "both" is the second category and the first name. */
static void kinds_of_strings_have_numbers_of_their_own(void **state)
{
    static const char both[] = "both";
    struct fake_packets packets;
    struct fixture f;

    REQ("TW-EVT-014");
    (void)state;
    fixture_init(&f, SHM);
    assert_int_equal(instant(f.events, "cat", both), 0);
    assert_int_equal(instant(f.events, both, both), 0);
    packets = fixture_end(&f);
    assert_int_equal(packets.n, 5);
    assert_int_equal(value_at(&packets.list[3], PATH(12, 1, 1)), 1);
    assert_int_equal(value_at(&packets.list[3], PATH(12, 2, 1)), 1);
    assert_int_equal(value_at(&packets.list[4], PATH(12, 1, 1)), 2);
    assert_int_equal(count_at(&packets.list[4], PATH(12, 2)), 0);
    assert_int_equal(value_at(&packets.list[4], PATH(11, 3)), 2);
    assert_int_equal(value_at(&packets.list[4], PATH(11, 10)), 1);
    fake_packets_free(&packets);
}

static void an_event_may_have_several_categories(void **state)
{
    struct fake_packets packets;
    struct fixture f;

    REQ("TW-EVT-004");
    (void)state;
    fixture_init(&f, SHM);
    assert_int_equal(instant(f.events, "net,disk", "name"), 0);
    packets = fixture_end(&f);
    assert_int_equal(packets.n, 4);
    assert_int_equal(count_at(&packets.list[3], PATH(12, 1, 2)), 2);
    assert_int_equal(count_at(&packets.list[3], PATH(11, 3)), 2);
    assert_int_equal(value_at(&packets.list[3], PATH(11, 3)), 2);
    fake_packets_free(&packets);
}

static void strings_are_told_once(void **state)
{
    struct fake_packets packets;
    struct fixture f;

    REQ("TW-EVT-014");
    REQ("TW-EVT-032");
    (void)state;
    fixture_init(&f, SHM);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(instant(f.events, "cat", i % 2 ? "odd" : "even"), 0);
        assert_int_equal(count(f.events, "count", -i), 0);
    }
    packets = fixture_end(&f);
    assert_int_equal(count_all(&packets, PATH(12, 1)), 1);
    assert_int_equal(count_all(&packets, PATH(12, 2)), 2);
    assert_int_equal(count_all(&packets, PATH(60, 8)), 1);
    assert_int_equal(count_all(&packets, PATH(11, 10)), 5);
    assert_int_equal(count_all(&packets, PATH(11, 30)), 5);
    assert_true(value_at(&packets.list[packets.n - 1], PATH(11, 30)) == (uint64_t)-4);
    fake_packets_free(&packets);
}

static void everything_is_told_again_when_the_service_asks(void **state)
{
    struct fake_packets packets;
    struct fixture f;

    REQ("TW-EVT-011");
    REQ("TW-EVT-012");
    (void)state;
    fixture_init(&f, SHM);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(instant(f.events, "cat", "name"), 0);
        assert_int_equal(count(f.events, "count", i), 0);
        atomic_fetch_add(&f.instance->generation, 1);
    }
    packets = fixture_end(&f);
    assert_int_equal(count_cleared(&packets), 2);
    assert_int_equal(count_all(&packets, PATH(12, 1)), 2);
    assert_int_equal(count_all(&packets, PATH(12, 2)), 2);
    assert_int_equal(count_all(&packets, PATH(60, 8)), 2);
    assert_int_equal(count_all(&packets, PATH(60, 3)), 2);
    assert_int_equal(count_all(&packets, PATH(60, 4)), 2);
    fake_packets_free(&packets);
}

static void everything_is_told_again_after_a_loss(void **state)
{
    struct fake_packets packets;
    struct fixture f;
    int lost = 0;

    REQ("TW-EVT-013");
    (void)state;
    fixture_init(&f, 4096);
    for (int i = 0; i < 1000; i++) {
        lost += instant(f.events, "cat", "name") != 0;
        if (i % 300 == 299)
            (void)fake_service_pump(&f.service);
    }
    assert_true(lost > 0);
    packets = fixture_end(&f);
    assert_true(count_cleared(&packets) > 1);
    assert_int_equal(count_all(&packets, PATH(12, 1)), count_cleared(&packets));
    fake_packets_free(&packets);
}

static void more_strings_than_the_table_holds_are_written_out(void **state)
{
    static char names[300][8];
    struct fake_packets packets;
    struct fixture f;

    (void)state;
    fixture_init(&f, SHM);
    for (int i = 0; i < 300; i++) {
        snprintf(names[i], sizeof(names[i]), "n%d", i);
        assert_int_equal(instant(f.events, "cat", names[i]), 0);
    }
    packets = fixture_end(&f);
    assert_int_equal(count_all(&packets, PATH(11, 10)) + count_all(&packets, PATH(11, 23)), 300);
    assert_int_equal(count_all(&packets, PATH(11, 10)), count_all(&packets, PATH(12, 2)));
    assert_true(count_all(&packets, PATH(11, 23)) > 0);
    fake_packets_free(&packets);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        tw_unit_test(a_sequence_begins_with_who_it_is),
        tw_unit_test(a_packet_with_clocks_has_neither_event_nor_descriptor),
        tw_unit_test(deltas_add_up_to_the_time),
        tw_unit_test(timestamps_may_be_absolute),
        tw_unit_test(what_rounding_cuts_off_is_not_lost_and_time_may_go_back),
        tw_unit_test(a_config_that_is_none_is_refused),
        tw_unit_test(kinds_of_strings_have_numbers_of_their_own),
        tw_unit_test(an_event_may_have_several_categories),
        tw_unit_test(strings_are_told_once),
        tw_unit_test(everything_is_told_again_when_the_service_asks),
        tw_unit_test(everything_is_told_again_after_a_loss),
        tw_unit_test(more_strings_than_the_table_holds_are_written_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
