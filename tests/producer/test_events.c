/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/harness.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "base/macros.h"
#include "producer/events.h"
#include "producer/instance.h"
#include "tests/producer/paths.h"
#include "wire/writer.h"

enum { SHM = 64 * 1024, SMALL = 4096, CONFIG_MAX = 64, NET = 0, DISK, BOTH, CATEGORIES };

/* One session, with memory of its own. */
struct session {
    struct fake_service service;
    struct tw_instance *instance;
};

struct world {
    struct tw_category list[CATEGORIES];
    struct tw_events *events;
};

static void world_init_with(struct world *w, struct tw_events_config config)
{
    *w = (struct world){.list = {[NET] = TW_CATEGORY("net", NULL, NULL),
                                 [DISK] = TW_CATEGORY("disk", NULL, NULL),
                                 [BOTH] = TW_CATEGORY("net,disk", NULL, NULL)}};
    config.categories = w->list;
    config.n_categories = CATEGORIES;
    config.policy = TW_EXHAUSTED_DROP;
    assert_int_equal(tw_events_make(&w->events, &config), 0);
}

static void world_init(struct world *w)
{
    world_init_with(w, (struct tw_events_config){0});
}

static struct tw_events_stats stats_of(const struct world *w)
{
    struct tw_events_stats stats;

    tw_events_stats(w->events, &stats);
    return stats;
}

/* A session that wants everything but one category. */
static void start(struct world *w, struct session *s, size_t shm_size, const char *off)
{
    uint8_t buf[CONFIG_MAX], *nested;
    struct tw_writer config = tw_writer_of(buf, sizeof(buf));
    struct tw_bytes bytes = {.p = buf};
    struct tw_source_config parsed;

    nested = tw_put_begin(&config, 113);
    tw_put_str(&config, 1, off);
    tw_put_end(&config, nested);
    bytes.n = tw_writer_size(&config);
    *s = (struct session){.service.arbiter = fake_arbiter(shm_size, 4096, TW_PAGE_DIV1, false)};
    assert_int_equal(tw_source_config_read(bytes, &parsed), 0);
    assert_int_equal(tw_instance_new(&s->instance, s->service.arbiter, 1, bytes, &parsed), 0);
    atomic_store(&s->instance->active, true);
    tw_events_on_start(w->events, s->instance);
}

static void stop(struct world *w, struct session *s)
{
    atomic_store(&s->instance->active, false);
    tw_events_on_stop(w->events, s->instance);
}

/* What the nth writer of the session wrote. */
static struct fake_packets packets_of(struct session *s, uint16_t writer)
{
    (void)fake_service_pump(&s->service);
    return fake_service_packets(&s->service, writer);
}

static void session_deinit(struct session *s)
{
    tw_instance_unref(s->instance);
    tw_arbiter_kill(s->service.arbiter);
    fake_service_deinit(&s->service);
}

/* Events of the nth writer. */
static size_t events_of(struct session *s, uint16_t writer)
{
    struct fake_packets packets = packets_of(s, writer);
    size_t n = count_all(&packets, PATH(11));

    fake_packets_free(&packets);
    return n;
}

static void a_session_gets_what_it_wants(void **state)
{
    struct fake_packets packets;
    struct session a, b;
    struct world w;

    (void)state;
    world_init(&w);
    start(&w, &a, SHM, "disk");
    start(&w, &b, SHM, "net");
    TW_EVENT_BEGIN(&w.list[NET], "send");
    TW_EVENT_COUNTER(&w.list[NET], "bytes", -7);
    TW_EVENT_INSTANT(&w.list[DISK], "sync");
    TW_EVENT_INSTANT(&w.list[BOTH], "both");
    TW_EVENT_END(&w.list[NET]);
    stop(&w, &a);
    stop(&w, &b);
    packets = packets_of(&a, 1);
    assert_int_equal(count_all(&packets, PATH(11)), 4);
    assert_int_equal(value_at(&packets.list[3], PATH(11, 9)), 1);
    assert_int_equal(count_all(&packets, PATH(60, 8)), 1);
    assert_true(count_all(&packets, PATH(11, 30)) == 1);
    assert_int_equal(value_at(&packets.list[packets.n - 1], PATH(11, 9)), 2);
    fake_packets_free(&packets);
    assert_int_equal(events_of(&b, 1), 2);
    assert_int_equal(stats_of(&w).lost, 0);
    tw_events_free(w.events);
    session_deinit(&a);
    session_deinit(&b);
}

static int ask(int *asked)
{
    return ++*asked;
}

static void what_is_off_costs_nothing(void **state)
{
    struct session s;
    struct world w;
    int asked = 0;

    (void)state;
    world_init(&w);
    TW_EVENT_COUNTER(&w.list[NET], "value", ask(&asked));
    assert_int_equal(asked, 0);
    start(&w, &s, SHM, "net");
    TW_EVENT_COUNTER(&w.list[NET], "value", ask(&asked));
    assert_int_equal(asked, 0);
    TW_EVENT_COUNTER(&w.list[DISK], "value", ask(&asked));
    assert_int_equal(asked, 1);
    stop(&w, &s);
    TW_EVENT_COUNTER(&w.list[DISK], "value", ask(&asked));
    assert_int_equal(asked, 1);
    tw_event_instant(&w.list[DISK], "nobody wants it");
    assert_int_equal(events_of(&s, 1), 1);
    tw_events_free(w.events);
    session_deinit(&s);
}

/* The slot of a session that has ended is the next one's, and the thread finds out. */
static void a_later_session_has_a_sequence_of_its_own(void **state)
{
    struct session a, b;
    struct world w;

    (void)state;
    world_init(&w);
    start(&w, &a, SHM, "none");
    TW_EVENT_INSTANT(&w.list[NET], "first");
    stop(&w, &a);
    start(&w, &b, SHM, "none");
    TW_EVENT_INSTANT(&w.list[NET], "second");
    TW_EVENT_INSTANT(&w.list[NET], "third");
    stop(&w, &b);
    assert_int_equal(events_of(&a, 1), 1);
    assert_int_equal(events_of(&b, 1), 2);
    tw_events_free(w.events);
    session_deinit(&a);
    session_deinit(&b);
}

/* The memory goes with the connection, some time before the callback says so. */
static void an_event_without_a_connection_is_not_lost(void **state)
{
    struct session s;
    struct world w;

    (void)state;
    world_init(&w);
    start(&w, &s, SHM, "none");
    tw_arbiter_kill(s.service.arbiter);
    TW_EVENT_INSTANT(&w.list[NET], "late");
    assert_int_equal(stats_of(&w).lost, 0);
    stop(&w, &s);
    assert_int_equal(events_of(&s, 1), 0);
    tw_events_free(w.events);
    session_deinit(&s);
}

static void remember(void *user, struct tw_instance *instance)
{
    *(struct tw_instance **)user = instance;
}

/* As long as it has not ended, what was begun can be ended. */
static void a_program_may_end_a_session_later(void **state)
{
    struct tw_instance *started = NULL, *stopped = NULL;
    struct session s;
    struct world w;

    (void)state;
    world_init_with(&w, (struct tw_events_config){.start = remember, .user = &started});
    start(&w, &s, SHM, "none");
    assert_ptr_equal(started, s.instance);
    stop(&w, &s);
    tw_events_free(w.events);
    session_deinit(&s);

    world_init_with(&w, (struct tw_events_config){.stop = remember, .user = &stopped});
    start(&w, &s, SHM, "none");
    TW_EVENT_BEGIN(&w.list[NET], "begun");
    stop(&w, &s);
    assert_ptr_equal(stopped, s.instance);
    assert_false(atomic_load(&s.instance->stopped));
    TW_EVENT_END(&w.list[NET]);
    tw_events_end(w.events, stopped);
    assert_true(atomic_load(&s.instance->stopped));
    TW_EVENT_INSTANT(&w.list[NET], "nobody wants it");
    assert_int_equal(events_of(&s, 1), 2);
    tw_events_free(w.events);
    session_deinit(&s);
}

static void a_thread_may_hand_over_what_it_wrote(void **state)
{
    struct session a, b;
    struct world w;

    (void)state;
    world_init(&w);
    start(&w, &a, SHM, "none");
    start(&w, &b, SHM, "none");
    TW_EVENT_INSTANT(&w.list[NET], "first");
    assert_int_equal(events_of(&a, 1), 0);
    tw_events_flush(w.events);
    assert_int_equal(events_of(&a, 1), 1);
    assert_int_equal(events_of(&b, 1), 1);
    stop(&w, &a);
    stop(&w, &b);
    tw_events_free(w.events);
    session_deinit(&a);
    session_deinit(&b);
}

static void losses_are_counted(void **state)
{
    struct session s;
    struct world w;

    (void)state;
    world_init(&w);
    start(&w, &s, SMALL, "none");
    for (int i = 0; i < 1000; i++)
        TW_EVENT_INSTANT(&w.list[NET], "event");
    assert_true(stats_of(&w).lost > 0);
    stop(&w, &s);
    assert_int_equal(events_of(&s, 1) + stats_of(&w).lost, 1000);
    tw_events_free(w.events);
    session_deinit(&s);
}

static void a_config_that_is_none_gets_nothing(void **state)
{
    struct session s;
    struct world w;

    REQ("TW-EVT-005");
    (void)state;
    world_init(&w);
    start(&w, &s, SHM, "none");
    stop(&w, &s);
    s.instance->config_n = 1; /* cut short */
    atomic_store(&s.instance->active, true);
    tw_events_on_start(w.events, s.instance);
    assert_false(TW_CATEGORY_ON(&w.list[NET]));
    stop(&w, &s);
    tw_events_free(w.events);
    session_deinit(&s);
}

/* ---- threads ---- */

enum { THREADS = 4, EVENTS = 200 };

static void *write_some(void *arg)
{
    struct world *w = arg;

    for (int i = 0; i < EVENTS; i++) {
        TW_EVENT_BEGIN(&w->list[NET], "work");
        TW_EVENT_END(&w->list[NET]);
    }
    return NULL;
}

static void a_thread_that_ends_has_handed_over_what_it_wrote(void **state)
{
    struct session s;
    struct world w;
    pthread_t thread[THREADS];

    (void)state;
    world_init(&w);
    start(&w, &s, 32 * SHM, "none");
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&thread[i], NULL, write_some, &w), 0);
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(thread[i], NULL);
    for (uint16_t id = 1; id <= THREADS; id++)
        assert_int_equal(events_of(&s, id), 2 * EVENTS);
    assert_int_equal(stats_of(&w).events, THREADS * 2 * EVENTS);
    assert_true(stats_of(&w).bytes > stats_of(&w).events);
    stop(&w, &s);
    tw_events_free(w.events);
    session_deinit(&s);
}

struct busy {
    struct world *w;
    _Atomic bool end;
};

static void *write_until_told(void *arg)
{
    struct busy *busy = arg;

    while (!atomic_load(&busy->end))
        TW_EVENT_INSTANT(&busy->w->list[NET], "event");
    return NULL;
}

static void sessions_come_and_go_while_threads_write(void **state)
{
    struct world w;
    struct busy busy = {.w = &w};
    pthread_t thread[2];

    (void)state;
    world_init(&w);
    for (size_t i = 0; i < TW_ARRAY_LEN(thread); i++)
        assert_int_equal(pthread_create(&thread[i], NULL, write_until_told, &busy), 0);
    for (int i = 0; i < 50; i++) {
        struct session s;

        start(&w, &s, SMALL, "disk");
        (void)fake_service_pump(&s.service);
        stop(&w, &s);
        session_deinit(&s);
    }
    atomic_store(&busy.end, true);
    for (size_t i = 0; i < TW_ARRAY_LEN(thread); i++)
        pthread_join(thread[i], NULL);
    tw_events_free(w.events);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        tw_unit_test(a_session_gets_what_it_wants),
        tw_unit_test(what_is_off_costs_nothing),
        tw_unit_test(a_later_session_has_a_sequence_of_its_own),
        tw_unit_test(an_event_without_a_connection_is_not_lost),
        tw_unit_test(a_program_may_end_a_session_later),
        tw_unit_test(a_thread_may_hand_over_what_it_wrote),
        tw_unit_test(losses_are_counted),
        tw_unit_test(a_config_that_is_none_gets_nothing),
        tw_unit_test(a_thread_that_ends_has_handed_over_what_it_wrote),
        tw_unit_test(sessions_come_and_go_while_threads_write),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
