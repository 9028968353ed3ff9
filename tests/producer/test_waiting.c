/* SPDX-License-Identifier: Apache-2.0 */
/* What waits, and for how long: commits for their batch, writers for a service that is too slow. */
#include "tests/harness.h"

#include <time.h>

#include "base/clock.h"
#include "producer/endpoint.h"
#include "producer/trace_writer.h"
#include "tests/producer/fake_service.h"
#include "tests/producer/world.h"

enum { CHUNKS = 16, LONG_MS = 3600000, STEPS = 30 };

/* While it is on, time passes only for who sleeps. */
static bool time_stands_still;
static uint64_t now_ns;

uint64_t __real_tw_clock_ns(clockid_t id);
uint64_t __wrap_tw_clock_ns(clockid_t id);
int __wrap_nanosleep(const struct timespec *ts, struct timespec *left);

uint64_t __wrap_tw_clock_ns(clockid_t id)
{
    return time_stands_still ? now_ns : __real_tw_clock_ns(id);
}

int __wrap_nanosleep(const struct timespec *ts, struct timespec *left)
{
    (void)left;
    now_ns += (uint64_t)ts->tv_sec * TW_NS_PER_S + (uint64_t)ts->tv_nsec;
    return 0;
}

/* ---- writers ---- */

static int write_one(struct tw_trace_writer *w, size_t n)
{
    static const uint8_t bytes[4096];

    tw_writer_begin(w);
    tw_writer_bytes(w, 1, (struct tw_bytes){bytes, n});
    return tw_writer_end(w);
}

/* The service takes nothing: how long does a writer whose packet has no room wait? */
static uint64_t waited_ns(struct tw_trace_writer *w)
{
    uint64_t before = now_ns;

    assert_int_equal(write_one(w, 4000), TW_E_LIMIT);
    return now_ns - before;
}

static void a_writer_waits_for_so_long_and_no_longer(void **state)
{
    static const struct {
        enum tw_exhausted policy;
        bool waits, waits_again;
    } policies[] = {
        {TW_EXHAUSTED_DROP, false, false},
        {TW_EXHAUSTED_STALL, true, true},
        {TW_EXHAUSTED_STALL_THEN_DROP, true, false},
    };
    const uint64_t bound_ns = TW_STALL_MAX_MS * TW_NS_PER_MS;

    (void)state;
    time_stands_still = true;
    now_ns = 1;
    for (size_t i = 0; i < 3; i++) {
        struct fake_service s = {.arbiter = fake_arbiter(4096, 4096, TW_PAGE_DIV1, false)};
        struct tw_trace_writer *w;
        uint64_t ns;

        assert_int_equal(tw_trace_writer_new(&w, s.arbiter, 1, policies[i].policy), 0);
        assert_int_equal(write_one(w, 4000), 0);
        ns = waited_ns(w);
        assert_in_range(ns, policies[i].waits ? bound_ns : 0,
                        policies[i].waits ? bound_ns + bound_ns / 100 : 0);
        assert_int_equal(waited_ns(w) > 0, policies[i].waits_again);
        assert_int_equal(tw_writer_lost(w), 2);
        (void)fake_service_pump(&s);
        assert_int_equal(write_one(w, 4000), 0); /* there is room again */
        tw_writer_free(w);
        (void)fake_service_pump(&s);
        fake_service_deinit(&s);
    }
    time_stands_still = false;
}

/* ---- batches ---- */

static void batching_init(struct world *w, uint32_t batch_ms, struct tw_trace_writer **ret_writer)
{
    world_prepare(w);
    w->config.batch_ms = batch_ms;
    world_listen(w);
    world_open(w);
    world_bring_up(w);
    world_start_instance(w, 1);
    assert_int_equal(tw_writer_new(ret_writer, w->instance, TW_EXHAUSTED_DROP), 0);
    for (int i = 0; i < STEPS; i++)
        world_step(w, 0); /* the writer is registered, at once */
    assert_int_equal(w->moves, 0);
}

static void batching_deinit(struct world *w, struct tw_trace_writer *writer)
{
    tw_writer_free(writer);
    world_deinit(w);
}

/* Hands over so many chunks. */
static void fill(struct tw_trace_writer *writer, int chunks)
{
    for (int i = 0; i <= chunks; i++) /* each finds no room behind the one before */
        assert_int_equal(write_one(writer, 4060), 0);
}

static void a_batch_goes_when_its_time_has_come(void **state)
{
    struct tw_trace_writer *writer;
    struct world w;

    (void)state;
    batching_init(&w, 20, &writer);
    fill(writer, 3);
    UNTIL(&w, w.moves > 0);
    assert_int_equal(w.moves, 3); /* together */
    batching_deinit(&w, writer);
}

static void a_batch_goes_when_half_of_the_memory_waits(void **state)
{
    struct tw_trace_writer *writer;
    struct world w;

    (void)state;
    batching_init(&w, LONG_MS, &writer);
    fill(writer, CHUNKS / 2); /* without the headers of their pages a little less than half */
    for (int i = 0; i < STEPS; i++)
        world_step(&w, 0);
    assert_int_equal(w.moves, 0);
    fill(writer, 0);
    UNTIL(&w, w.moves > 0);
    assert_int_equal(w.moves, CHUNKS / 2 + 1);
    batching_deinit(&w, writer);
}

static void a_batch_goes_when_it_is_asked_for(void **state)
{
    struct tw_trace_writer *writer;
    struct world w;

    (void)state;
    batching_init(&w, LONG_MS, &writer);
    fill(writer, 2);
    for (int i = 0; i < STEPS; i++)
        world_step(&w, 0);
    assert_int_equal(w.moves, 0);
    tw_writer_flush(writer);
    UNTIL(&w, w.moves > 0);
    assert_int_equal(w.moves, 3); /* with the last one */
    batching_deinit(&w, writer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        tw_unit_test(a_writer_waits_for_so_long_and_no_longer),
        tw_unit_test(a_batch_goes_when_its_time_has_come),
        tw_unit_test(a_batch_goes_when_half_of_the_memory_waits),
        tw_unit_test(a_batch_goes_when_it_is_asked_for),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
