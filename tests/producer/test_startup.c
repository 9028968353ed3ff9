/* SPDX-License-Identifier: Apache-2.0 */
/* Tracing before there is a session, or even a service. */
#include "base/fd.h"
#include "producer/startup.h"
#include "tests/harness.h"
#include "tests/producer/stage.h"

static struct tw_trace_writer *new_writer(struct stage *s)
{
    struct tw_trace_writer *w;

    assert_int_equal(tw_writer_new(&w, s->instance, TW_EXHAUSTED_DROP), 0);
    return w;
}

static void write_some(struct tw_trace_writer *w, uint32_t first, uint32_t end, size_t bytes)
{
    for (uint32_t n = first; n < end; n++)
        assert_int_equal(stage_write(w, n, bytes), 0);
}

static int begin_startup(struct stage *s, uint32_t timeout_ms)
{
    struct tw_startup_config config = {.name = "tw.test", .timeout_ms = timeout_ms};

    return tw_producer_startup(s->producer, &config);
}

static uint64_t lost(const struct stage *s)
{
    struct tw_producer_stats stats;

    tw_producer_stats(s->producer, &stats);
    return stats.startup_lost;
}

/* What was written before there was a service is in the session that comes at last, in front of
 * what is written there. */
static void comes_first(struct stage *s, size_t bytes)
{
    struct tw_trace_writer *w;
    char name[64];
    int listener;

    stage_name(s, name);
    stage_open(s);
    assert_int_equal(begin_startup(s, 0), 0);
    assert_int_equal(s->setups, 1);
    assert_int_equal(s->starts, 1);
    assert_true(tw_instance_active(s->instance));
    assert_int_equal(tw_instance_id(s->instance), 0);
    w = new_writer(s);
    write_some(w, 0, 20, bytes);
    listener = stage_listen(s);
    stage_accept(s, listener);
    stage_turn(s);
    write_some(w, 20, 25, bytes);
    tw_writer_flush(w);
    stage_turn(s);
    stage_trace(s, 1024);
    assert_int_equal(s->starts, 1); /* it is the same instance */
    assert_int_not_equal(tw_instance_id(s->instance), 0);
    write_some(w, 25, 40, bytes);
    stage_stop(s);
    assert_int_equal(s->stops, 1);
    tw_writer_free(w);
    stage_turn(s);
    stage_assert_numbers(s, 0, 40);
    assert_int_equal(lost(s), 0);
    tw_fd_close(&listener);
}

static void what_was_written_before_a_service_came_is_in_the_trace(void **state)
{
    REQ("TW-PROD-071");
    REQ("TW-PROD-072");

    (void)state;
    for (size_t bytes = 20; bytes < 10000; bytes *= 20) { /* 20, and 8,000 in patched chunks */
        struct stage s;

        stage_init(&s);
        comes_first(&s, bytes);
        assert_true(s.received < 8192); /* not the packets themselves */
        stage_end(&s);
    }
}

static void it_is_where_memory_is_not_shared(void **state)
{
    REQ("TW-PROD-074");

    (void)state;
    for (size_t bytes = 20; bytes < 10000; bytes *= 20) {
        struct stage s;

        stage_init(&s);
        s.remote = true;
        comes_first(&s, bytes);
        stage_end(&s);
    }
}

/* The service has no room for the memory, so that the chunks come inside of CommitData. */
static void it_is_where_the_memory_is_not_adopted(void **state)
{
    REQ("TW-PROD-074");
    uint64_t limits[TW_QUOTAS] = {[TW_QUOTA_SHM] = 65536};
    struct stage s;

    (void)state;
    stage_init_limited(&s, limits);
    comes_first(&s, 1000);
    assert_true(s.received > 40 * 1000);
    stage_end(&s);
}

/* ---- what does not come ---- */

static void what_no_session_asks_for_in_time_is_lost_and_told(void **state)
{
    REQ("TW-PROD-073");
    struct tw_trace_writer *w;
    struct stage s;

    (void)state;
    for (int connected = 0; connected < 2; connected++) {
        char name[64];

        stage_init(&s);
        if (!connected)
            stage_name(&s, name);
        stage_open(&s);
        assert_int_equal(begin_startup(&s, 20), 0);
        stage_turn(&s);
        assert_int_equal(tw_producer_connected(s.producer), connected);
        w = new_writer(&s);
        write_some(w, 0, 7, 3000);
        tw_writer_flush(w);
        for (int i = 0; i < 5000 && s.stops == 0; i++)
            assert_int_equal(tw_producer_dispatch(s.producer, 1), 0);
        assert_int_equal(s.stops, 1);
        assert_false(tw_instance_active(s.instance));
        assert_int_equal(lost(&s), 7);
        /* A writer that goes on all the same does no harm. */
        (void)stage_write(w, 7, 3000);
        tw_writer_free(w);
        stage_turn(&s);
        stage_end(&s);
    }
}

static bool asked; /* by a session */

static bool no_match(void *user, struct tw_bytes config)
{
    (void)user;
    asked = true;
    assert_true(config.n > 0);
    return false;
}

static void a_session_that_does_not_match_gets_an_instance_of_its_own(void **state)
{
    REQ("TW-PROD-072");
    struct tw_startup_config config = {.name = "tw.test", .matches = no_match};
    struct tw_trace_writer *early, *w;
    struct tw_instance *first;
    struct stage s;

    (void)state;
    stage_begin(&s, false);
    assert_int_equal(tw_producer_startup(s.producer, &config), 0);
    first = tw_instance_ref(s.instance);
    early = new_writer(&s);
    write_some(early, 100, 120, 1000);
    tw_writer_flush(early);
    stage_turn(&s);
    asked = false;
    stage_trace(&s, 1024);
    assert_true(asked);
    assert_int_equal(s.starts, 2);
    assert_ptr_not_equal(s.instance, first);
    /* What is held back does not hold this back. */
    w = new_writer(&s);
    write_some(w, 0, 10, 1000);
    tw_writer_free(w);
    stage_turn(&s);
    stage_stop(&s);
    stage_assert_numbers(&s, 0, 10);
    tw_writer_free(early);
    tw_instance_unref(first);
    stage_end(&s);
}

/* ---- connections that end ---- */

static void a_service_that_hangs_up_before_its_answer_costs_nothing(void **state)
{
    REQ("TW-PROD-071");
    struct tw_trace_writer *w;
    char name[64];
    int listener;
    struct stage s;

    (void)state;
    stage_init(&s);
    stage_name(&s, name);
    listener = stage_listen(&s);
    stage_open(&s);
    assert_int_equal(begin_startup(&s, 0), 0);
    w = new_writer(&s);
    write_some(w, 0, 20, 100);
    stage_accept(&s, listener);
    stage_hang_up(&s);
    stage_accept(&s, listener);
    stage_turn(&s);
    stage_trace(&s, 1024);
    tw_writer_free(w);
    stage_turn(&s);
    stage_stop(&s);
    stage_assert_numbers(&s, 0, 20);
    tw_fd_close(&listener);
    stage_end(&s);
}

static void with_the_connection_goes_what_waits_on_it(void **state)
{
    REQ("TW-PROD-073");
    struct tw_trace_writer *w;
    char name[64];
    int listener;
    struct stage s;

    (void)state;
    stage_init(&s);
    stage_name(&s, name);
    listener = stage_listen(&s);
    stage_open(&s);
    assert_int_equal(begin_startup(&s, 0), 0);
    stage_accept(&s, listener);
    stage_turn(&s);
    assert_true(tw_producer_connected(s.producer));
    w = new_writer(&s);
    write_some(w, 0, 20, 100);
    tw_writer_flush(w);
    stage_turn(&s);
    stage_hang_up(&s);
    stage_turn(&s);
    assert_int_equal(s.stops, 1);
    assert_int_equal(lost(&s), 20);
    assert_int_equal(stage_write(w, 20, 0), TW_E_CLOSED);
    tw_writer_free(w);
    /* Another one can begin, and goes with the next connection. */
    assert_int_equal(begin_startup(&s, 0), 0);
    w = new_writer(&s);
    write_some(w, 0, 20, 100);
    stage_accept(&s, listener);
    stage_turn(&s);
    stage_trace(&s, 1024);
    tw_writer_free(w);
    stage_turn(&s);
    stage_assert_numbers(&s, 0, 20);
    tw_fd_close(&listener);
    stage_end(&s);
}

/* ---- writers that come and go ---- */

static void writers_that_are_gone_by_then_are_in_the_trace(void **state)
{
    REQ("TW-PROD-072");
    struct stage s;

    (void)state;
    stage_begin(&s, false);
    assert_int_equal(begin_startup(&s, 0), 0);
    for (uint32_t n = 0; n < 40; n++) {
        struct tw_trace_writer *w = new_writer(&s);

        write_some(w, n, n + 1, n * 100);
        tw_writer_free(w);
        stage_turn(&s);
    }
    stage_trace(&s, 1024);
    stage_stop(&s);
    stage_assert_numbers(&s, 0, 40);
    stage_end(&s);
}

/* ---- wrong use ---- */

static void startup_that_cannot_be_is_refused(void **state)
{
    REQ("TW-PROD-071");
    REQ("TW-LIM-207");
    struct tw_startup_config other = {.name = "tw.other"}, again = {.name = "tw.test"};
    static const uint8_t torn[] = {0x0a, 0x05};
    struct stage s;

    (void)state;
    stage_begin(&s, false);
    assert_int_equal(tw_producer_startup(s.producer, &other), TW_E_NOT_FOUND);
    again.config = (struct tw_bytes){torn, sizeof(torn)};
    assert_int_equal(tw_producer_startup(s.producer, &again), TW_E_TRUNCATED);
    assert_int_equal(begin_startup(&s, 0), 0);
    assert_int_equal(begin_startup(&s, 0), TW_E_EXISTS);
    for (int i = 1; i < TW_STARTUPS_MAX; i++) { /* those who are taken back count, too */
        struct tw_data_source_config source = {.name = "tw.other"};

        assert_int_equal(tw_producer_register(s.producer, &source), 0);
        assert_int_equal(tw_producer_startup(s.producer, &other), 0);
        assert_int_equal(tw_producer_unregister(s.producer, "tw.other"), 0);
        stage_turn(&s);
    }
    assert_int_equal(tw_producer_unregister(s.producer, "tw.test"), 0);
    assert_int_equal(s.stops, 1);
    stage_open_source(&s);
    assert_int_equal(begin_startup(&s, 0), TW_E_LIMIT);
    stage_end(&s);

    stage_begin(&s, false);
    stage_turn(&s);
    assert_true(tw_producer_connected(s.producer));
    assert_int_equal(begin_startup(&s, 0), TW_E_CLOSED); /* no memory yet, and too late for ours */
    stage_trace(&s, 64);
    assert_int_equal(begin_startup(&s, 0), 0);
    stage_end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        tw_unit_test(what_was_written_before_a_service_came_is_in_the_trace),
        tw_unit_test(it_is_where_memory_is_not_shared),
        tw_unit_test(it_is_where_the_memory_is_not_adopted),
        tw_unit_test(what_no_session_asks_for_in_time_is_lost_and_told),
        tw_unit_test(a_session_that_does_not_match_gets_an_instance_of_its_own),
        tw_unit_test(a_service_that_hangs_up_before_its_answer_costs_nothing),
        tw_unit_test(with_the_connection_goes_what_waits_on_it),
        tw_unit_test(writers_that_are_gone_by_then_are_in_the_trace),
        tw_unit_test(startup_that_cannot_be_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
