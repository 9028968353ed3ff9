/* SPDX-License-Identifier: Apache-2.0 */
/* Producers with a thread of their own, and two of them in one process. */
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include "tests/harness.h"
#include "tests/producer/stage.h"

static void begin(struct stage *s, bool remote)
{
    stage_init(s);
    s->remote = remote;
    s->config.scraping = TW_SCRAPING_ON;
    stage_open(s);
    assert_int_equal(tw_producer_start_thread(s->producer), 0);
    STAGE_UNTIL(s, tw_producer_connected(s->producer));
}

static void trace(struct stage *s)
{
    int starts = s->starts;
    Tw__TraceConfig *config = rig_config(&s->rig, "tw.test");

    config->buffers[0]->size_kb = 4096;
    (void)rig_enable(s->consumer, config);
    STAGE_UNTIL(s, s->starts == starts + 1);
}

/* ---- syncs ---- */

struct told {
    _Atomic int times, result;
};

static void on_synced(void *user, int result)
{
    struct told *told = user;

    told->result = result;
    told->times++;
}

/* ---- a thread that writes ---- */

struct writing {
    struct stage *stage;
    uint32_t end;
    enum tw_exhausted policy;
    _Atomic bool done;
};

static void *write_numbers(void *user)
{
    struct writing *writing = user;
    struct tw_trace_writer *w;

    if (tw_writer_new(&w, writing->stage->instance, writing->policy) == 0) {
        for (uint32_t n = 0; n < writing->end; n++)
            (void)stage_write(w, n, n % 300);
        tw_writer_free(w);
    }
    writing->done = true;
    return NULL;
}

static void write_elsewhere(struct stage *s, uint32_t end)
{
    struct writing writing = {.stage = s, .end = end, .policy = TW_EXHAUSTED_STALL};
    struct tw_data_source_config other = {.name = "tw.other"};
    struct tw_producer_stats stats;
    struct told told = {0};
    uint64_t flush = 0;
    pthread_t thread;

    assert_int_equal(pthread_create(&thread, NULL, write_numbers, &writing), 0);
    while (!writing.done) { /* and whatever may be called meanwhile is */
        int r = tw_producer_register(s->producer, &other);

        tw_producer_stats(s->producer, &stats);
        if (!flush || rig_last(s->consumer, flush)) /* one at a time: there is a limit */
            flush = rig_send(s->consumer, TW_CONSUMER_FLUSH, NULL);
        stage_wait(s);
        assert_true(r == 0 || r == TW_E_LIMIT); /* its thread is behind */
        if (!r)
            assert_int_equal(tw_producer_unregister(s->producer, "tw.other"), 0);
    }
    pthread_join(thread, NULL);
    assert_int_equal(tw_producer_sync(s->producer, on_synced, &told), 0);
    STAGE_UNTIL(s, told.times);
    assert_int_equal(told.times, 1);
    assert_int_equal(told.result, 0);
}

static void a_producer_with_a_thread_is_for_every_thread(void **state)
{
    REQ("TW-PROD-077");
    REQ("TW-PROD-076");

    (void)state;
    for (int remote = 0; remote < 2; remote++) { /* where it scrapes its memory itself */
        struct stage s;

        begin(&s, remote);
        trace(&s);
        write_elsewhere(&s, 3000);
        assert_true(rig_call(s.consumer, TW_CONSUMER_DISABLE_TRACING, NULL)->success);
        STAGE_UNTIL(&s, s.stops == 1);
        stage_assert_numbers(&s, 0, 3000);
        stage_end(&s);
    }
}

/* The memory was made by this thread and not by the one that sends what is in it. */
static void who_waits_for_room_is_served_wherever_it_is(void **state)
{
    REQ("TW-PROD-077");
    struct tw_startup_config startup = {.name = "tw.test"};
    struct stage s;

    (void)state;
    stage_init(&s);
    s.config.shm_size = 16384;
    stage_open(&s);
    assert_int_equal(tw_producer_startup(s.producer, &startup), 0);
    assert_int_equal(tw_producer_start_thread(s.producer), 0);
    STAGE_UNTIL(&s, tw_producer_connected(s.producer));
    (void)rig_enable(s.consumer, rig_config(&s.rig, "tw.test"));
    STAGE_UNTIL(&s, tw_instance_active(s.instance));
    write_elsewhere(&s, 400);
    stage_end(&s);
}

static void what_is_not_for_a_thread_is_refused(void **state)
{
    REQ("TW-PROD-077");
    struct told told = {0};
    struct stage s;

    (void)state;
    begin(&s, false);
    assert_int_equal(tw_producer_start_thread(s.producer), TW_E_EXISTS);
    assert_int_equal(tw_producer_dispatch(s.producer, -1), TW_E_INVALID);
    /* No answer comes any more. */
    assert_int_equal(tw_producer_sync(s.producer, on_synced, &told), 0);
    stage_hang_up(&s);
    STAGE_UNTIL(&s, told.times);
    assert_int_equal(told.result, TW_E_CLOSED);
    assert_false(tw_producer_connected(s.producer));
    assert_int_equal(tw_producer_sync(s.producer, on_synced, &told), TW_E_CLOSED);
    assert_int_equal(told.times, 1);
    stage_end(&s);
}

/* Two libraries that each bring their own. */
static void producers_in_one_process_share_nothing(void **state)
{
    REQ("TW-PROD-077");
    struct stage one, other;

    (void)state;
    begin(&one, false);
    stage_begin(&other, false);
    stage_turn(&other); /* this one without a thread */
    trace(&one);
    stage_trace(&other, 1024);
    for (uint32_t n = 0; n < 50; n++) {
        struct stage *s[] = {&one, &other};

        for (size_t i = 0; i < 2; i++) {
            struct tw_trace_writer *w;

            assert_int_equal(tw_writer_new(&w, s[i]->instance, TW_EXHAUSTED_STALL), 0);
            assert_int_equal(stage_write(w, n * 2 + (uint32_t)i, 100), 0);
            tw_writer_free(w);
        }
    }
    stage_stop(&other);
    stage_end(&other);
    /* The end of one is none of the other's. */
    assert_true(tw_producer_connected(one.producer));
    write_elsewhere(&one, 10);
    stage_end(&one);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        tw_unit_test(a_producer_with_a_thread_is_for_every_thread),
        tw_unit_test(who_waits_for_room_is_served_wherever_it_is),
        tw_unit_test(what_is_not_for_a_thread_is_refused),
        tw_unit_test(producers_in_one_process_share_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
