/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Instants of signal handlers, which come at any moment: each is in the trace, or counted as lost.
 *
 * With the argument "whole" more moments are tried.
 */
#include "tests/harness.h"

#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "producer/events.h"
#include "producer/instance.h"
#include "tests/producer/paths.h"

enum {
    SHM = 64 * 1024,
    THREADS = 2,
    TIMERS = 1,     /* of a thread */
    INSTANTS = 200, /* of a thread's timers, at least */
    INSTANTS_WHOLE = 1500,
    DELAY_MAX_NS = 30000, /* about as long as what they interrupt takes */
    TYPE_INSTANT = 3,
};

static uint32_t wanted = INSTANTS;
static struct tw_category category = TW_CATEGORY("signals", NULL, NULL);

struct world {
    struct tw_events *events;
    struct fake_service service;
    struct tw_instance *instance;
    uint64_t begin_ns;
};

static void world_init(struct world *w)
{
    static const uint8_t config[] = "\x0a\x0btrack_event";
    struct tw_bytes bytes = {config, sizeof(config) - 1};
    struct tw_events_config events = {
        .categories = &category, .n_categories = 1, .policy = TW_EXHAUSTED_STALL};
    struct tw_source_config parsed;

    *w = (struct world){.service.arbiter = fake_arbiter(SHM, 4096, TW_PAGE_DIV1, true),
                        .begin_ns = tw_clock_ns(CLOCK_BOOTTIME)};
    assert_int_equal(tw_events_make(&w->events, &events), 0);
    assert_int_equal(tw_source_config_read(bytes, &parsed), 0);
    assert_int_equal(tw_instance_new(&w->instance, w->service.arbiter, 1, bytes, &parsed), 0);
    atomic_store(&w->instance->active, true);
    tw_events_on_start(w->events, w->instance);
}

static void stop(struct world *w)
{
    atomic_store(&w->instance->active, false);
    tw_events_on_stop(w->events, w->instance);
}

static void world_deinit(struct world *w)
{
    tw_events_free(w->events);
    tw_instance_unref(w->instance);
    tw_arbiter_kill(w->service.arbiter);
    fake_service_deinit(&w->service);
}

static uint64_t lost(const struct world *w)
{
    struct tw_events_stats stats;

    tw_events_stats(w->events, &stats);
    return stats.lost;
}

static size_t instants_in(const struct fake_packets *packets)
{
    size_t n = 0;

    for (size_t i = 0; i < packets->n; i++)
        n += value_at(&packets->list[i], PATH(11, 9)) == TYPE_INSTANT;
    return n;
}

/* In the packets of all writers so far. */
static size_t instants(struct world *w)
{
    size_t n = 0;

    (void)fake_service_pump(&w->service);
    for (uint16_t id = 1; id <= THREADS + 1; id++) {
        struct fake_packets packets = fake_service_packets(&w->service, id);

        n += instants_in(&packets);
        fake_packets_free(&packets);
    }
    return n;
}

static void handle(int signo, void (*fn)(int))
{
    struct sigaction action = {.sa_handler = fn, .sa_flags = SA_RESTART};

    assert_int_equal(sigaction(signo, &action, NULL), 0);
}

/* ---- timers ---- */

static _Thread_local _Atomic uint32_t n_called; /* one handler may interrupt the other */

static void on_timer(int signo)
{
    (void)signo;
    TW_EVENT_INSTANT_IN_SIGNAL(&category, "tick");
    atomic_fetch_add(&n_called, 1);
}

/* Each interrupts the thread, or the handler of the other. */
static void make_timers(timer_t timers[TIMERS])
{
    for (int i = 0; i < TIMERS; i++) {
        struct sigevent to_me = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGRTMIN + i};

        to_me._sigev_un._tid = gettid();
        assert_int_equal(timer_create(CLOCK_MONOTONIC, &to_me, &timers[i]), 0);
    }
}

static void arm(timer_t timer, uint32_t *random)
{
    struct itimerspec in = {0};

    *random = *random * 1664525 + 1013904223;
    in.it_value.tv_nsec = 1 + (long)((*random >> 8) % DELAY_MAX_NS);
    assert_int_equal(timer_settime(timer, 0, &in, NULL), 0);
}

struct busy {
    pthread_t thread;
    uint32_t random, called;
    _Atomic bool done;
};

/* All that events do: intern, describe tracks, fill chunks, wait for free ones. */
static void write_events(uint32_t i)
{
    struct tw_track track = TW_TRACK("of its own", i % 100);

    TW_EVENT_BEGIN_WITH(&category, "work", tw_arg_uint("number", i), tw_on(&track));
    TW_EVENT_COUNTER(&category, "done", i);
    TW_EVENT_END_WITH(&category, tw_on(&track), tw_arg_str("text", "some text of no meaning"));
}

static void *write_while_interrupted(void *arg)
{
    struct busy *busy = arg;
    timer_t timers[TIMERS];

    make_timers(timers);
    TW_EVENT_BEGIN(&category, "first");
    for (uint32_t i = 0; n_called < wanted; i++) {
        for (int k = 0; k < TIMERS; k++)
            arm(timers[k], &busy->random);
        write_events(i);
    }
    for (int k = 0; k < TIMERS; k++)
        timer_delete(timers[k]);
    busy->called = n_called;
    TW_EVENT_END(&category); /* with what the last call left */
    atomic_store(&busy->done, true);
    return NULL;
}

static void what_a_timer_interrupts_is_whole_and_its_instants_are_there(void **state)
{
    REQ("TW-EVT-050");
    struct world w;
    struct busy busy[THREADS] = {{.random = 1}, {.random = 2}};
    uint64_t called = 0, n;

    (void)state;
    for (int i = 0; i < TIMERS; i++)
        handle(SIGRTMIN + i, on_timer);
    world_init(&w);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&busy[i].thread, NULL, write_while_interrupted, &busy[i]),
                         0);
    while (!atomic_load(&busy[0].done) || !atomic_load(&busy[1].done))
        if (!fake_service_pump(&w.service))
            sched_yield();
    for (int i = 0; i < THREADS; i++) {
        pthread_join(busy[i].thread, NULL);
        called += busy[i].called;
    }
    stop(&w);
    assert_true(called >= THREADS * wanted);
    n = instants(&w);
    assert_int_equal(n + lost(&w), called);
    assert_true(n > called / 2);
    world_deinit(&w);
}

/* ---- one by one ---- */

static sem_t handled;

static void on_signal(int signo)
{
    (void)signo;
    TW_EVENT_INSTANT_IN_SIGNAL(&category, "signal");
    sem_post(&handled);
}

static void an_instant_has_the_time_of_its_signal(void **state)
{
    REQ("TW-EVT-050");
    struct fake_packets packets;
    uint64_t before, after, ns = 0;
    struct world w;

    (void)state;
    handle(SIGUSR1, on_signal);
    world_init(&w);
    TW_EVENT_BEGIN(&category, "first");
    before = tw_clock_ns(CLOCK_BOOTTIME);
    raise(SIGUSR1);
    after = tw_clock_ns(CLOCK_BOOTTIME);
    assert_int_equal(instants(&w), 0);
    while (tw_clock_ns(CLOCK_BOOTTIME) < after + 1000000)
        sched_yield();
    TW_EVENT_END(&category);
    stop(&w);
    (void)fake_service_pump(&w.service);
    packets = fake_service_packets(&w.service, 1);
    assert_int_equal(instants_in(&packets), 1);
    for (size_t i = 0; i < packets.n; i++) {
        /* Deltas, but for the first, which begins the sequence's clock. */
        ns = value_at(&packets.list[i], PATH(58)) ? value_at(&packets.list[i], PATH(8))
                                                  : ns + value_at(&packets.list[i], PATH(8));
        if (value_at(&packets.list[i], PATH(11, 9)) == TYPE_INSTANT)
            assert_in_range(ns, before, after);
    }
    fake_packets_free(&packets);
    world_deinit(&w);
}

static void what_does_not_fit_is_counted_as_lost(void **state)
{
    REQ("TW-LIM-215");
    struct world w;

    (void)state;
    handle(SIGUSR1, on_signal);
    world_init(&w);
    raise(SIGUSR1); /* no event so far: nowhere to put it */
    assert_int_equal(lost(&w), 1);
    TW_EVENT_BEGIN(&category, "first");
    for (int i = 0; i < TW_SIGNAL_INSTANTS_MAX + 5; i++)
        raise(SIGUSR1);
    assert_int_equal(lost(&w), 1 + 5);
    TW_EVENT_END(&category);
    raise(SIGUSR1); /* there is room again */
    stop(&w);
    raise(SIGUSR1); /* nobody wants it */
    assert_int_equal(lost(&w), 1 + 5);
    assert_int_equal(instants(&w), TW_SIGNAL_INSTANTS_MAX + 1);
    world_deinit(&w);
}

struct sleeper {
    pthread_t thread;
    sem_t ready, wake;
};

static void *sleep_until_woken(void *arg)
{
    struct sleeper *s = arg;

    TW_EVENT_INSTANT(&category, "its own");
    sem_post(&s->ready);
    while (sem_wait(&s->wake))
        ;
    return NULL;
}

static void sleeper_start(struct sleeper *s)
{
    sem_init(&s->ready, 0, 0);
    sem_init(&s->wake, 0, 0);
    assert_int_equal(pthread_create(&s->thread, NULL, sleep_until_woken, s), 0);
    sem_wait(&s->ready);
}

static void interrupt(struct sleeper *s)
{
    sem_init(&handled, 0, 0);
    assert_int_equal(pthread_kill(s->thread, SIGUSR1), 0);
    while (sem_wait(&handled))
        ;
}

static void sleeper_end(struct sleeper *s)
{
    sem_post(&s->wake);
    pthread_join(s->thread, NULL);
}

/* The tracks of all instants are the same: the thread's, which its own sequence has by default. */
static void assert_on_its_track(struct world *w, uint16_t own, uint16_t others, size_t n)
{
    struct fake_packets packets = fake_service_packets(&w->service, own);
    uint64_t track = value_at(&packets.list[0], PATH(59, 11, 11));
    size_t on_it = 0;

    fake_packets_free(&packets);
    packets = fake_service_packets(&w->service, others);
    assert_int_equal(instants_in(&packets), n);
    for (size_t i = 0; i < packets.n; i++)
        on_it += value_at(&packets.list[i], PATH(11, 11)) == track;
    assert_true(track != 0);
    assert_int_equal(on_it, n);
    fake_packets_free(&packets);
}

static void those_of_a_sleeping_thread_come_with_a_flush_and_at_the_end(void **state)
{
    REQ("TW-EVT-050");
    struct sleeper sleeper;
    struct world w;

    (void)state;
    handle(SIGUSR1, on_signal);
    world_init(&w);
    sleeper_start(&sleeper);
    interrupt(&sleeper);
    interrupt(&sleeper);
    tw_events_on_flush(w.events, w.instance);
    assert_int_equal(instants(&w), 2); /* and its own is still in its chunk */
    interrupt(&sleeper);
    stop(&w);
    assert_int_equal(instants(&w), 3);
    sleeper_end(&sleeper);
    assert_int_equal(instants(&w), 4);
    assert_on_its_track(&w, 1, 2, 3);
    assert_int_equal(lost(&w), 0);
    world_deinit(&w);
}

static void those_of_a_thread_that_ends_come_with_its_end(void **state)
{
    REQ("TW-EVT-050");
    struct sleeper sleeper;
    struct world w;

    (void)state;
    handle(SIGUSR1, on_signal);
    world_init(&w);
    sleeper_start(&sleeper);
    interrupt(&sleeper);
    sleeper_end(&sleeper);
    assert_int_equal(instants(&w), 2);
    stop(&w);
    world_deinit(&w);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        tw_unit_test(what_a_timer_interrupts_is_whole_and_its_instants_are_there),
        tw_unit_test(an_instant_has_the_time_of_its_signal),
        tw_unit_test(what_does_not_fit_is_counted_as_lost),
        tw_unit_test(those_of_a_sleeping_thread_come_with_a_flush_and_at_the_end),
        tw_unit_test(those_of_a_thread_that_ends_come_with_its_end),
    };

    if (argc > 1 && strcmp(argv[1], "whole") == 0)
        wanted = INSTANTS_WHOLE;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
