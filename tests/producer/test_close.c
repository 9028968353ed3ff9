/* SPDX-License-Identifier: Apache-2.0 */
/* The end of a program: what it wrote is sent, and it does not hang on a service that reads
 * nothing.
 */
#include <poll.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "frame/pump.h"
#include "producer/endpoint.h"
#include "tests/producer/stage.h"
#include "tests/producer/world.h"

enum { LONG_MS = 3600000, TURNS = 1000, BLOCKS = 200 };
enum { BLOCK = 4060 }; /* bytes, so that each fills a chunk */

/* While it is on, time passes only for who waits. */
static bool time_stands_still;
static uint64_t now_ns;
static struct world *slow; /* reads while it is waited for; NULL: nobody does */

uint64_t __real_tw_clock_ns(clockid_t id);
uint64_t __wrap_tw_clock_ns(clockid_t id);
int __real_nanosleep(const struct timespec *ts, struct timespec *left);
int __wrap_nanosleep(const struct timespec *ts, struct timespec *left);
int __real_poll(struct pollfd *fds, nfds_t n, int timeout_ms);
int __wrap_poll(struct pollfd *fds, nfds_t n, int timeout_ms);

uint64_t __wrap_tw_clock_ns(clockid_t id)
{
    return time_stands_still ? now_ns : __real_tw_clock_ns(id);
}

int __wrap_nanosleep(const struct timespec *ts, struct timespec *left)
{
    if (!time_stands_still)
        return __real_nanosleep(ts, left);
    now_ns += (uint64_t)ts->tv_sec * TW_NS_PER_S + (uint64_t)ts->tv_nsec;
    return 0;
}

int __wrap_poll(struct pollfd *fds, nfds_t n, int timeout_ms)
{
    if (!time_stands_still)
        return __real_poll(fds, n, timeout_ms);
    if (slow) {
        now_ns += TW_NS_PER_MS;
        world_hear(slow);
    } else {
        now_ns += (uint64_t)timeout_ms * TW_NS_PER_MS;
    }
    return __real_poll(fds, n, 0);
}

/* ---- the real service ---- */

static void close_now(struct stage *s)
{
    tw_producer_close(s->producer);
    s->producer = NULL;
}

/* Nobody dispatches any more. */
static void let_the_service_read(struct stage *s)
{
    for (int i = 0; i < TURNS; i++)
        stage_wait(s);
}

static void write_and_close(bool remote, bool thread, uint32_t batch_ms)
{
    struct tw_trace_writer *w;
    struct stage s;

    stage_init(&s);
    s.remote = remote;
    s.config.batch_ms = batch_ms;
    stage_open(&s);
    stage_turn(&s);
    stage_trace(&s, 1024);
    if (thread)
        assert_int_equal(tw_producer_start_thread(s.producer), 0);
    assert_int_equal(tw_writer_new(&w, s.instance, TW_EXHAUSTED_DROP), 0);
    for (uint32_t n = 0; n < 100; n++)
        assert_int_equal(stage_write(w, n, 900), 0);
    tw_writer_free(w);
    close_now(&s);
    let_the_service_read(&s);
    stage_assert_numbers(&s, 0, 100);
    stage_end(&s);
}

static void what_was_handed_over_is_in_the_trace(void **state)
{
    REQ("TW-PROD-080");
    (void)state;
    for (int i = 0; i < 8; i++)
        write_and_close(i & 1, i & 2, i & 4 ? LONG_MS : 0);
}

/* ---- a service of our own ---- */

static struct tw_trace_writer *writer;

static int write_block(void)
{
    static const uint8_t bytes[BLOCK];

    tw_writer_begin(writer);
    tw_writer_bytes(writer, 1, (struct tw_bytes){bytes, sizeof(bytes)});
    return tw_writer_end(writer);
}

static void on_start(void *user, struct tw_instance *instance)
{
    (void)user;
    assert_int_equal(tw_writer_new(&writer, instance, TW_EXHAUSTED_STALL), 0);
}

static void free_writer(void *user, struct tw_instance *instance)
{
    (void)user;
    assert_int_equal(write_block(), 0);
    tw_writer_free(writer);
    tw_instance_done(instance);
}

static void write_until_there_is_no_room(void *user, struct tw_instance *instance)
{
    (void)user;
    while (write_block() == 0) {
    }
    tw_writer_free(writer);
    tw_instance_done(instance);
}

/* One data source, "tw.last", that has a writer until it stops; chunks go by the socket. */
static void begin(struct world *w, void (*stop)(void *user, struct tw_instance *instance))
{
    static const uint8_t config[] = "\x0a\x07tw.last\x10\x07";
    struct tw_bytes bytes = {config, sizeof(config) - 1};
    struct tw_data_source_config source = {.name = "tw.last",
                                           .ops = {.start = on_start, .stop = stop}};

    world_prepare(w);
    w->emulation = true;
    w->config.send_buffer = 4096;
    world_listen(w);
    world_open(w);
    assert_int_equal(tw_producer_register(w->producer, &source), 0);
    world_bring_up(w);
    world_command(w, 3, 4, 0, world_no_bytes, -1);
    world_command(w, 6, 5, 0, bytes, -1);
    world_command(w, 1, 5, 0, bytes, -1);
    UNTIL(w, w->last_arg[TW_PRODUCER_NOTIFY_DATA_SOURCE_STARTED] == 5);
    time_stands_still = true;
    now_ns = 1;
}

static void end(struct world *w)
{
    time_stands_still = false;
    slow = NULL;
    world_deinit(w);
}

static uint64_t time_to_close(struct world *w)
{
    uint64_t before = now_ns;

    tw_producer_close(w->producer);
    w->producer = NULL;
    return now_ns - before;
}

static void hear_the_rest(struct world *w)
{
    for (int i = 0; i < TURNS && w->conn >= 0; i++) {
        w->n_calls = 0;
        world_hear(w);
    }
    assert_int_equal(w->conn, -1);
}

static void instances_stop_and_that_is_told(void **state)
{
    REQ("TW-PROD-080");
    struct world w;

    (void)state;
    begin(&w, free_writer);
    assert_int_equal(time_to_close(&w), 0);
    hear_the_rest(&w);
    assert_int_equal(w.moves, 1); /* what was written last of all */
    assert_int_equal(w.last_arg[TW_PRODUCER_NOTIFY_DATA_SOURCE_STOPPED], 5);
    end(&w);
}

static void a_slow_service_gets_all(void **state)
{
    REQ("TW-PROD-080");
    struct world w;
    uint64_t ns;

    (void)state;
    begin(&w, free_writer);
    for (int i = 0; i < BLOCKS; i++)
        assert_int_equal(write_block(), 0);
    slow = &w;
    w.n_calls = 0;
    ns = time_to_close(&w);
    hear_the_rest(&w);
    assert_int_equal(w.moves, BLOCKS + 1);
    assert_int_equal(w.last_arg[TW_PRODUCER_NOTIFY_DATA_SOURCE_STOPPED], 5);
    assert_in_range(ns, 1, TW_CLOSE_MAX_MS * TW_NS_PER_MS - 1);
    end(&w);
}

static void one_that_reads_nothing_is_waited_for_so_long_and_no_longer(void **state)
{
    REQ("TW-LIM-209");
    static void (*const stops[])(void *user, struct tw_instance *instance) = {
        free_writer, write_until_there_is_no_room /* and waits for some, in vain */};
    const uint64_t bound_ns = TW_CLOSE_MAX_MS * TW_NS_PER_MS;

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct world w;
        uint64_t ns;

        begin(&w, stops[i]);
        for (int n = 0; n < BLOCKS; n++)
            assert_int_equal(write_block(), 0);
        ns = time_to_close(&w);
        assert_in_range(ns, bound_ns, bound_ns + bound_ns / 100);
        assert_int_equal(w.moves, 0);
        end(&w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        tw_unit_test(what_was_handed_over_is_in_the_trace),
        tw_unit_test(instances_stop_and_that_is_told),
        tw_unit_test(a_slow_service_gets_all),
        tw_unit_test(one_that_reads_nothing_is_waited_for_so_long_and_no_longer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
