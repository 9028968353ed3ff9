/* SPDX-License-Identifier: Apache-2.0 */
/* fork(), at any moment: the child is silent and safe, the parent notices nothing. */
#include "tests/harness.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "frame/pump.h"
#include "producer/endpoint.h"
#include "producer/events.h"
#include "producer/trace_writer.h"
#include "tests/producer/fake_service.h"
#include "tests/producer/world.h"
#include "wire/reader.h"

enum { SHM = 16 * 1024, CHILD_SECONDS_MAX = 60, FORKS = 12, LONG_TEXT = 9000 };

static bool without_wiping; /* of a kernel that does not know how */

int __real_madvise(void *p, size_t n, int advice);
int __wrap_madvise(void *p, size_t n, int advice);

int __wrap_madvise(void *p, size_t n, int advice)
{
    if (without_wiping && advice == MADV_WIPEONFORK) {
        errno = EINVAL;
        return -1;
    }
    return __real_madvise(p, n, advice);
}

/* ---- children ---- */

/* In a child: what does not hold is its exit status, for cmocka is the parent's. */
#define MUST(condition)                                                                            \
    do {                                                                                           \
        if (!(condition))                                                                          \
            _exit(1 + __LINE__ % 255);                                                             \
    } while (0)

/* Runs fn in a child, which must come to its end. */
static void in_child(void (*fn)(void *arg), void *arg)
{
    int status = -1;
    pid_t pid = fork();

    if (pid == 0) {
        alarm(CHILD_SECONDS_MAX); /* one that waits for a lock waits for ever */
        fn(arg);
        _exit(0);
    }
    assert_true(pid > 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

static void put_numbered(struct tw_trace_writer *w, uint32_t n, size_t size)
{
    static const uint8_t text[LONG_TEXT];

    tw_writer_begin(w);
    tw_writer_u64(w, 1, n);
    tw_writer_nest(w, 2);
    tw_writer_bytes(w, 3, (struct tw_bytes){text, size});
    tw_writer_unnest(w);
}

/* The next packets of a writer that has come with the fork. */
static void write_in_child(struct tw_trace_writer *w)
{
    struct tw_writer_stats stats;

    for (uint32_t i = 0; i < 100; i++) {
        put_numbered(w, i, i * 20);
        MUST(tw_writer_end(w) == TW_E_CLOSED);
    }
    tw_writer_stats(w, &stats);
    MUST(stats.packets == 0 && stats.lost == 100);
    tw_writer_flush(w);
}

/* ---- writers ---- */

static void go_on_with_a_packet(void *arg)
{
    struct tw_trace_writer *w = arg;

    tw_writer_str(w, 4, "the child's");
    tw_writer_nest(w, 5);
    tw_writer_unnest(w);
    tw_writer_unnest(w);
    MUST(tw_writer_end(w) == TW_E_INVALID); /* it has never begun one */
    write_in_child(w);
    tw_writer_free(w);
}

static void assert_packets(struct fake_service *s, uint16_t id, size_t n)
{
    struct fake_packets packets = fake_service_packets(s, id);

    assert_int_equal(packets.n, n);
    assert_int_equal(packets.dropped + packets.told, 0);
    for (size_t i = 0; i < n; i++) {
        struct tw_reader r = tw_reader_of((struct tw_bytes){packets.list[i].p, packets.list[i].n});
        struct tw_field f;

        do /* the first packet of the sequence says that it is */
            assert_int_equal(tw_read_field(&r, &f), 0);
        while (f.number != 1);
        assert_int_equal(f.value, i);
    }
    fake_packets_free(&packets);
}

static void a_fork_in_the_middle_of_a_packet_changes_no_byte(void **state)
{
    REQ("TW-SHM-070");
    struct fake_service s = {.arbiter = fake_arbiter(SHM, 4096, TW_PAGE_DIV1, true)};
    uint8_t *before = malloc(SHM);
    struct tw_trace_writer *w;
    uint16_t id;

    (void)state;
    assert_non_null(before);
    assert_int_equal(tw_trace_writer_new(&w, s.arbiter, 1, TW_EXHAUSTED_STALL), 0);
    id = w->reg->id;
    for (uint32_t i = 0; i < FORKS; i++) {
        put_numbered(w, i, i % 3 * 4000); /* in its first chunk, its second and its third */
        memcpy(before, tw_shared_own(s.arbiter->smb.base), SHM);
        in_child(go_on_with_a_packet, w);
        assert_memory_equal(before, tw_shared_own(s.arbiter->smb.base), SHM);
        assert_int_equal(tw_writer_end(w), 0);
        tw_writer_flush(w);
        (void)fake_service_pump(&s);
    }
    tw_writer_free(w);
    (void)fake_service_pump(&s);
    assert_packets(&s, id, FORKS);
    free(before);
    fake_service_deinit(&s);
}

struct busy {
    pthread_t thread;
    struct tw_arbiter *arbiter;
    struct tw_trace_writer *_Atomic writer;
    uint16_t id;
    uint32_t n;
    _Atomic bool stop, done;
};

static void *write_until_told(void *arg)
{
    struct busy *busy = arg;
    struct tw_trace_writer *w;

    if (tw_trace_writer_new(&w, busy->arbiter, 1, TW_EXHAUSTED_STALL) == 0) {
        busy->id = w->reg->id;
        atomic_store(&busy->writer, w);
        for (; !atomic_load(&busy->stop); busy->n++) {
            put_numbered(w, busy->n, busy->n * 37 % LONG_TEXT);
            if (tw_writer_end(w))
                break;
        }
        tw_writer_free(w);
    }
    atomic_store(&busy->done, true);
    return NULL;
}

static void serve(struct fake_service *s)
{
    if (!fake_service_pump(s))
        sched_yield();
}

static void join(struct busy *busy, struct fake_service *s)
{
    while (!atomic_load(&busy->done))
        serve(s);
    pthread_join(busy->thread, NULL);
}

/* That of a thread which is not there. */
static void write_for_another_thread(void *arg)
{
    struct busy *busy = arg;

    write_in_child(atomic_load(&busy->writer));
}

static void a_fork_while_threads_write_costs_none_of_their_packets(void **state)
{
    REQ("TW-SHM-070");
    struct fake_service s = {.arbiter = fake_arbiter(SHM, 4096, TW_PAGE_DIV4, true)};
    struct busy busy[2] = {{.arbiter = s.arbiter}, {.arbiter = s.arbiter}};

    (void)state;
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&busy[i].thread, NULL, write_until_told, &busy[i]), 0);
    for (int i = 0; i < FORKS; i++) {
        while (!atomic_load(&busy[i % 2].writer) || s.moves < (size_t)i * 8)
            serve(&s);
        in_child(write_for_another_thread, &busy[i % 2]);
    }
    for (int i = 0; i < 2; i++)
        atomic_store(&busy[i].stop, true);
    for (int i = 0; i < 2; i++)
        join(&busy[i], &s);
    (void)fake_service_pump(&s);
    for (int i = 0; i < 2; i++)
        assert_packets(&s, busy[i].id, busy[i].n);
    assert_int_equal(s.arbiter->broken, 0);
    fake_service_deinit(&s);
}

static void where_pages_cannot_be_wiped_there_are_no_writers(void **state)
{
    REQ("TW-SHM-070");
    struct fake_service s = {.arbiter = fake_arbiter(SHM, 4096, TW_PAGE_DIV1, true)};
    struct tw_trace_writer *w;

    (void)state;
    without_wiping = true;
    assert_int_equal(tw_trace_writer_new(&w, s.arbiter, 1, TW_EXHAUSTED_DROP), -EINVAL);
    without_wiping = false;
    assert_true(tw_arbiter_is_empty(s.arbiter));
    fake_service_deinit(&s);
}

/* ---- the endpoint ---- */

struct scene {
    struct world w;
    int fds_before; /* open descriptors */
    struct tw_trace_writer *writer;
};

static void scene_init(struct scene *scene)
{
    *scene = (struct scene){.fds_before = tw_fd_count_open()};
    world_init(&scene->w);
    world_bring_up(&scene->w);
    world_start_instance(&scene->w, 5);
    assert_int_equal(tw_writer_new(&scene->writer, scene->w.instance, TW_EXHAUSTED_DROP), 0);
}

/* The connection, its loop and its writer are as they were. */
static void assert_unharmed(struct scene *scene)
{
    struct world *w = &scene->w;
    uint32_t moves = w->moves;
    int flushes = w->flushes;
    size_t calls = w->n_calls;

    world_step(w, 0);
    for (; calls < w->n_calls; calls++) /* the parent's own: nothing of the child's */
        assert_int_equal(w->calls[calls], TW_PRODUCER_REGISTER_TRACE_WRITER);
    put_numbered(scene->writer, 0, 10);
    assert_int_equal(tw_writer_end(scene->writer), 0);
    tw_writer_flush(scene->writer);
    UNTIL(w, w->moves == moves + 1);
    world_command(w, 5, 5, 9, world_no_bytes, -1);
    UNTIL(w, w->flushes == flushes + 1);
    assert_int_equal(w->connects, 1);
    assert_int_equal(w->disconnects + w->stops, 0);
}

static void scene_deinit(struct scene *scene)
{
    tw_writer_free(scene->writer);
    world_deinit(&scene->w);
}

static void use_the_producer(void *arg)
{
    struct scene *scene = arg;
    struct world *w = &scene->w;
    struct tw_data_source_config more = {.name = "tw.more"};
    struct tw_trace_writer *writer;

    MUST(!tw_producer_connected(w->producer) && tw_producer_idle(w->producer));
    MUST(tw_producer_dispatch(w->producer, -1) == TW_E_CLOSED);
    MUST(tw_producer_register(w->producer, &more) == TW_E_CLOSED);
    MUST(tw_producer_update(w->producer, "tw.test", world_no_bytes) == TW_E_CLOSED);
    MUST(tw_producer_unregister(w->producer, "tw.test") == TW_E_CLOSED);
    MUST(tw_writer_new(&writer, w->instance, TW_EXHAUSTED_STALL) == TW_E_CLOSED);
    tw_instance_done(w->instance);
    write_in_child(scene->writer);
}

static void a_child_that_uses_the_producer_hears_that_it_is_closed(void **state)
{
    REQ("TW-PROD-090");
    struct scene scene;

    (void)state;
    scene_init(&scene);
    in_child(use_the_producer, &scene);
    assert_unharmed(&scene);
    /* Whoever holds the lock now does not in the child. */
    pthread_mutex_lock(&scene.w.producer->arbiter->lock);
    in_child(use_the_producer, &scene);
    pthread_mutex_unlock(&scene.w.producer->arbiter->lock);
    assert_unharmed(&scene);
    scene_deinit(&scene);
}

static void close_everything(void *arg)
{
    struct scene *scene = arg;
    int told = scene->w.stops + scene->w.disconnects;

    scene_deinit(scene);
    MUST(scene->w.stops + scene->w.disconnects == told);
    MUST(tw_fd_count_open() == scene->fds_before);
}

static void a_child_that_closes_everything_closes_nothing_of_its_parents(void **state)
{
    REQ("TW-PROD-090");
    struct scene scene;

    (void)state;
    scene_init(&scene);
    pthread_mutex_lock(&scene.w.producer->arbiter->lock);
    in_child(close_everything, &scene);
    pthread_mutex_unlock(&scene.w.producer->arbiter->lock);
    assert_unharmed(&scene);
    tw_writer_free(scene.writer);
    scene.writer = NULL;
    world_hang_up(&scene.w); /* and the way back is still watched */
    UNTIL(&scene.w, scene.w.disconnects == 1 && scene.w.connects == 2);
    in_child(close_everything, &scene);
    scene_deinit(&scene);
}

static void open_another(void *arg)
{
    struct scene *parents = arg, own;

    scene_deinit(parents);
    scene_init(&own);
    assert_unharmed(&own);
    scene_deinit(&own);
}

static void a_child_may_have_a_producer_of_its_own(void **state)
{
    struct scene scene;

    (void)state;
    scene_init(&scene);
    in_child(open_another, &scene);
    assert_unharmed(&scene);
    scene_deinit(&scene);
}

/* How many descriptors whoever we execute begins with, and one. */
static int count_in_other_program(void)
{
    int status;
    pid_t pid = fork();

    if (pid == 0) {
        execl("/bin/sh", "sh", "-c", "exit $(ls /proc/self/fd | wc -l)", (char *)NULL);
        _exit(0);
    }
    assert_true(pid > 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) > 0);
    return WEXITSTATUS(status);
}

static void another_program_gets_no_descriptor_of_ours(void **state)
{
    int before = count_in_other_program();
    struct scene scene;

    (void)state;
    scene_init(&scene);
    assert_int_equal(count_in_other_program(), before);
    assert_unharmed(&scene);
    scene_deinit(&scene);
}

/* A descriptor that a child holds would keep the connection open. */
static void a_closed_producer_is_gone_although_a_child_lives(void **state)
{
    struct scene scene;
    int wait[2], status;
    pid_t pid;

    (void)state;
    scene_init(&scene);
    assert_int_equal(pipe(wait), 0);
    pid = fork();
    if (pid == 0) {
        char c;

        close(wait[1]);
        _exit(read(wait[0], &c, 1) != 0);
    }
    assert_true(pid > 0);
    close(wait[0]);
    tw_writer_free(scene.writer);
    tw_producer_close(scene.w.producer);
    scene.w.producer = NULL;
    for (int r = TW_MORE; r != TW_E_CLOSED;) { /* nothing is said behind what has been sent */
        struct tw_host_call call;

        r = tw_pump_in(scene.w.conn, &scene.w.host.rx);
        while (tw_host_next(&scene.w.host, &call) == 0)
            ;
    }
    close(wait[1]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    world_deinit(&scene.w);
}

/* ---- track events ---- */

static struct tw_category category = TW_CATEGORY("fork", NULL, NULL);

struct program {
    struct tw_arbiter *arbiter;
    struct tw_instance *instance;
    struct tw_events *events;
};

static void write_events_in_child(void *arg)
{
    struct program *p = arg;

    for (int i = 0; i < 10; i++)
        TW_EVENT_INSTANT(&category, "the child's");
    tw_events_end(p->events, p->instance);
    tw_events_free(p->events);
    MUST(!TW_CATEGORY_ON(&category));
}

/* On a thread without events so far, with a sequence in nobody's hands. */
static void *fork_on_a_thread(void *arg)
{
    in_child(write_events_in_child, arg);
    return NULL;
}

static void events_of_a_child_go_nowhere(void **state)
{
    REQ("TW-SHM-070");
    static const uint8_t config[] = "\x0a\x0btrack_event";
    struct tw_bytes bytes = {config, sizeof(config) - 1};
    struct fake_service s = {.arbiter = fake_arbiter(64 * 1024, 4096, TW_PAGE_DIV1, true)};
    struct program p = {.arbiter = s.arbiter};
    struct tw_events_config events = {.categories = &category, .n_categories = 1};
    struct tw_events_stats stats;
    struct tw_source_config parsed;
    pthread_t thread;

    (void)state;
    assert_int_equal(tw_source_config_read(bytes, &parsed), 0);
    assert_int_equal(tw_instance_new(&p.instance, s.arbiter, 1, bytes, &parsed), 0);
    atomic_store(&p.instance->active, true);
    assert_int_equal(tw_events_make(&p.events, &events), 0);
    tw_events_on_start(p.events, p.instance);
    TW_EVENT_INSTANT(&category, "the parent's");
    in_child(write_events_in_child, &p);
    assert_int_equal(pthread_create(&thread, NULL, fork_on_a_thread, &p), 0);
    pthread_join(thread, NULL);
    TW_EVENT_INSTANT(&category, "the parent's");
    tw_events_stats(p.events, &stats);
    assert_int_equal(stats.lost, 0);
    tw_events_end(p.events, p.instance);
    tw_events_free(p.events);
    tw_arbiter_kill(s.arbiter);
    tw_instance_unref(p.instance);
    fake_service_deinit(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        tw_unit_test(a_fork_in_the_middle_of_a_packet_changes_no_byte),
        tw_unit_test(a_fork_while_threads_write_costs_none_of_their_packets),
        tw_unit_test(where_pages_cannot_be_wiped_there_are_no_writers),
        tw_unit_test(a_child_that_uses_the_producer_hears_that_it_is_closed),
        tw_unit_test(a_child_that_closes_everything_closes_nothing_of_its_parents),
        tw_unit_test(a_child_may_have_a_producer_of_its_own),
        tw_unit_test(another_program_gets_no_descriptor_of_ours),
        tw_unit_test(a_closed_producer_is_gone_although_a_child_lives),
        tw_unit_test(events_of_a_child_go_nowhere),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
