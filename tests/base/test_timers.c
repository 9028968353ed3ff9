/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/harness.h"

#include <stdbool.h>
#include <string.h>

#include "base/macros.h"
#include "base/timers.h"

enum { N = 200 };

/* A timer that writes down when it ran, and may act on another one. */
struct probe {
    struct tw_timer timer;
    struct tw_timers *timers;
    struct probe *set, *clear;
    uint64_t set_due;
    unsigned ran;
};

static struct probe *order[4 * N];
static size_t n_order;

static void on_probe(struct tw_timer *timer)
{
    struct probe *p = TW_CONTAINER_OF(timer, struct probe, timer);

    assert_false(tw_timer_is_set(timer));
    assert_true(n_order < TW_ARRAY_LEN(order));
    order[n_order++] = p;
    p->ran++;
    if (p->set)
        assert_int_equal(tw_timer_set(p->timers, &p->set->timer, p->set_due), 0);
    if (p->clear)
        tw_timer_clear(p->timers, &p->clear->timer);
}

static int forget_order(void **state)
{
    n_order = 0;
    return tw_test_fds_before(state);
}

static struct probe probe_of(struct tw_timers *timers)
{
    return (struct probe){.timer.fn = on_probe, .timers = timers};
}

static void what_is_due_runs_in_order(void **state)
{
    struct tw_timers timers = {0};
    struct probe p[N];

    (void)state;
    for (size_t i = 0; i < N; i++) {
        p[i] = probe_of(&timers);
        assert_int_equal(tw_timer_set(&timers, &p[i].timer, i * 7919 % 1009), 0);
    }
    tw_timers_run(&timers, 500);
    for (size_t i = 1; i < n_order; i++)
        assert_true(order[i - 1]->timer.due_ns <= order[i]->timer.due_ns);
    for (size_t i = 0; i < N; i++) {
        assert_int_equal(p[i].ran, p[i].timer.due_ns <= 500);
        assert_int_equal(tw_timer_is_set(&p[i].timer), p[i].timer.due_ns > 500);
    }
    assert_true(tw_timers_next(&timers) > 500);
    tw_timers_run(&timers, UINT64_MAX - 1);
    assert_int_equal(n_order, N);
    assert_true(tw_timers_next(&timers) == TW_NEVER);
    tw_timers_deinit(&timers);
}

static void a_timer_runs_once_and_not_early(void **state)
{
    struct tw_timers timers = {0};
    struct probe p = probe_of(&timers);

    (void)state;
    assert_int_equal(tw_timer_set(&timers, &p.timer, 10), 0);
    assert_int_equal(tw_timers_next(&timers), 10);
    tw_timers_run(&timers, 9);
    assert_int_equal(p.ran, 0);
    tw_timers_run(&timers, 10);
    tw_timers_run(&timers, 11);
    assert_int_equal(p.ran, 1);
    tw_timers_deinit(&timers);
}

static void setting_again_moves_a_timer(void **state)
{
    struct tw_timers timers = {0};
    struct probe p = probe_of(&timers);

    (void)state;
    assert_int_equal(tw_timer_set(&timers, &p.timer, 10), 0);
    assert_int_equal(tw_timer_set(&timers, &p.timer, 30), 0);
    assert_int_equal(timers.n, 1);
    tw_timers_run(&timers, 20);
    assert_int_equal(p.ran, 0);
    assert_int_equal(tw_timer_set(&timers, &p.timer, 5), 0);
    assert_int_equal(tw_timers_next(&timers), 5);
    tw_timers_run(&timers, 20);
    assert_int_equal(p.ran, 1);
    tw_timers_deinit(&timers);
}

/* Every timer in turn is cleared from a heap of many; the rest must keep their order. */
static void clearing_any_timer_keeps_the_others(void **state)
{
    (void)state;
    for (size_t gone = 0; gone < 40; gone++) {
        struct tw_timers timers = {0};
        struct probe p[40];

        n_order = 0;
        for (size_t i = 0; i < 40; i++) {
            p[i] = probe_of(&timers);
            assert_int_equal(tw_timer_set(&timers, &p[i].timer, i * 31 % 41), 0);
        }
        tw_timer_clear(&timers, &p[gone].timer);
        tw_timer_clear(&timers, &p[gone].timer);
        assert_false(tw_timer_is_set(&p[gone].timer));
        tw_timers_run(&timers, 100);
        assert_int_equal(n_order, 39);
        assert_int_equal(p[gone].ran, 0);
        for (size_t i = 1; i < n_order; i++)
            assert_true(order[i - 1]->timer.due_ns < order[i]->timer.due_ns);
        tw_timers_deinit(&timers);
    }
}

static void a_callback_may_clear_one_that_is_due(void **state)
{
    struct tw_timers timers = {0};
    struct probe a = probe_of(&timers), b = probe_of(&timers);

    (void)state;
    a.clear = &b;
    assert_int_equal(tw_timer_set(&timers, &a.timer, 1), 0);
    assert_int_equal(tw_timer_set(&timers, &b.timer, 2), 0);
    tw_timers_run(&timers, 3);
    assert_int_equal(a.ran, 1);
    assert_int_equal(b.ran, 0);
    assert_int_equal(timers.n, 0);
    tw_timers_deinit(&timers);
}

static void a_callback_that_sets_itself_again_does_not_spin(void **state)
{
    struct tw_timers timers = {0};
    struct probe p = probe_of(&timers);

    (void)state;
    p.set = &p;
    p.set_due = 5;
    assert_int_equal(tw_timer_set(&timers, &p.timer, 5), 0);
    tw_timers_run(&timers, 5);
    assert_int_equal(p.ran, 1);
    assert_true(tw_timer_is_set(&p.timer));
    tw_timers_run(&timers, 6);
    assert_int_equal(p.ran, 2);
    tw_timers_deinit(&timers);
}

static void a_callback_that_sets_itself_in_the_past_starves_nobody(void **state)
{
    struct tw_timers timers = {0};
    struct probe a = probe_of(&timers), b = probe_of(&timers);

    (void)state;
    a.set = &a;
    a.set_due = 0;
    assert_int_equal(tw_timer_set(&timers, &a.timer, 1), 0);
    assert_int_equal(tw_timer_set(&timers, &b.timer, 2), 0);
    tw_timers_run(&timers, 3);
    assert_int_equal(a.ran, 1);
    assert_int_equal(b.ran, 1);
    tw_timers_deinit(&timers);
}

static void deinit_clears_what_is_set(void **state)
{
    struct tw_timers timers = {0};
    struct probe p = probe_of(&timers);

    (void)state;
    tw_timers_deinit(NULL);
    assert_int_equal(tw_timer_set(&timers, &p.timer, 5), 0);
    tw_timers_deinit(&timers);
    assert_false(tw_timer_is_set(&p.timer));
    tw_timer_clear(&timers, &p.timer);
    assert_true(tw_timers_next(&timers) == TW_NEVER);
    tw_timers_run(&timers, TW_NEVER);
    assert_int_equal(p.ran, 0);
}

#define timers_test(fn) cmocka_unit_test_setup_teardown(fn, forget_order, tw_test_fds_after)

int main(void)
{
    const struct CMUnitTest tests[] = {
        timers_test(what_is_due_runs_in_order),
        timers_test(a_timer_runs_once_and_not_early),
        timers_test(setting_again_moves_a_timer),
        timers_test(clearing_any_timer_keeps_the_others),
        timers_test(a_callback_may_clear_one_that_is_due),
        timers_test(a_callback_that_sets_itself_again_does_not_spin),
        timers_test(a_callback_that_sets_itself_in_the_past_starves_nobody),
        timers_test(deinit_clears_what_is_set),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
