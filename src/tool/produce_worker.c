/* SPDX-License-Identifier: Apache-2.0 */
#include "tool/produce_worker.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

/* Field numbers of the numbered packets. */
enum {
    PACKET_TIMESTAMP = 8,
    PACKET_FOR_TESTING = 900,
    TEST_SEQ_VALUE = 2,
    TEST_COUNTER = 3,
    TEST_IS_LAST = 4,
    TEST_PAYLOAD = 5,
    PAYLOAD_STR = 1,
};

enum {
    RARE = 10,   /* every so many ticks an instant and a counter besides the slice */
    STOP_MS = 5, /* how soon a thread that waits for its next tick notices that it is to end */
};

struct worker {
    pthread_t thread;
    struct tw_workers *all;
    bool running;
};

struct tw_workers {
    struct tw_workers_config config;
    char *payload;
    _Atomic bool stop;
    _Atomic uint32_t live;
    size_t n;
    struct worker worker[];
};

static bool may_go_on(const struct tw_workers *all)
{
    return !atomic_load_explicit(&all->stop, memory_order_relaxed) &&
           (!all->config.instance || tw_instance_active(all->config.instance));
}

/* Waits for tick n of a thread that began at begin_ns; false when it is to end. */
static bool wait_for_tick(const struct tw_workers *all, uint64_t begin_ns, uint64_t n)
{
    uint64_t rate = all->config.options->rate;
    uint64_t due = rate ? begin_ns + n * TW_NS_PER_S / rate : 0;

    while (may_go_on(all)) {
        uint64_t now = rate ? tw_clock_ns(CLOCK_MONOTONIC) : 0;
        struct timespec nap = {0};

        if (now >= due)
            return true;
        nap.tv_nsec =
            (long)(due - now < STOP_MS * TW_NS_PER_MS ? due - now : STOP_MS * TW_NS_PER_MS);
        nanosleep(&nap, NULL);
    }
    return false;
}

static void write_numbered(struct tw_trace_writer *w, const struct tw_workers *all, uint64_t n)
{
    const struct tw_produce_options *o = all->config.options;

    tw_writer_begin(w);
    tw_writer_u64(w, PACKET_TIMESTAMP, tw_clock_ns(CLOCK_BOOTTIME));
    tw_writer_nest(w, PACKET_FOR_TESTING);
    tw_writer_u64(w, TEST_SEQ_VALUE, n & UINT32_MAX);
    tw_writer_u64(w, TEST_COUNTER, n);
    if (n + 1 == o->count)
        tw_writer_bool(w, TEST_IS_LAST, true);
    tw_writer_nest(w, TEST_PAYLOAD);
    tw_writer_bytes(w, PAYLOAD_STR,
                    (struct tw_bytes){(const uint8_t *)all->payload, (size_t)o->payload});
    tw_writer_unnest(w);
    tw_writer_unnest(w);
    (void)tw_writer_end(w); /* what is lost is counted by the writer */
}

static void run_numbered(struct tw_workers *all)
{
    bool stall = all->config.options->stall;
    uint64_t begin = tw_clock_ns(CLOCK_MONOTONIC), count = all->config.options->count;
    struct tw_writer_stats stats;
    struct tw_trace_writer *w;

    if (tw_writer_new(&w, all->config.instance, stall ? TW_EXHAUSTED_STALL : TW_EXHAUSTED_DEFAULT))
        return;
    for (uint64_t n = 0; (!count || n < count) && wait_for_tick(all, begin, n); n++)
        write_numbered(w, all, n);
    tw_writer_stats(w, &stats);
    atomic_fetch_add(&all->config.produced->packets, stats.packets);
    atomic_fetch_add(&all->config.produced->bytes, stats.bytes);
    atomic_fetch_add(&all->config.produced->lost, stats.lost);
    tw_writer_free(w);
}

static void write_events(const struct tw_category *category, uint64_t n)
{
    TW_EVENT_BEGIN(category, "work");
    if (n % RARE == 0) {
        TW_EVENT_INSTANT(category, "mark");
        TW_EVENT_COUNTER(category, "ticks", (int64_t)n);
    }
    TW_EVENT_END(category);
}

static void run_events(struct tw_workers *all)
{
    const struct tw_category *category = all->config.category;
    uint64_t begin = tw_clock_ns(CLOCK_MONOTONIC), count = all->config.options->count;

    for (uint64_t n = 0; (!count || n < count) && wait_for_tick(all, begin, n); n++)
        write_events(category, n);
    tw_events_flush(category->events);
}

static void one_less(struct tw_workers *all)
{
    int done_fd = all->config.done_fd;
    uint64_t one = 1;
    ssize_t n;

    if (atomic_fetch_sub(&all->live, 1) != 1)
        return;
    n = write(done_fd, &one, sizeof(one));
    (void)n; /* fails only when it is readable anyway */
}

static void *run(void *arg)
{
    struct worker *w = arg;

    if (w->all->config.instance)
        run_numbered(w->all);
    else
        run_events(w->all);
    one_less(w->all);
    return NULL;
}

static int start_threads(struct tw_workers *all)
{
    size_t started = 0;

    for (size_t i = 0; i < all->n; i++) {
        struct worker *w = &all->worker[i];

        w->all = all;
        w->running = pthread_create(&w->thread, NULL, run, w) == 0;
        started += w->running;
        if (!w->running)
            one_less(all);
    }
    return started ? 0 : -EAGAIN;
}

int tw_workers_start(struct tw_workers **ret_workers, const struct tw_workers_config *config)
{
    size_t n = (size_t)config->options->threads, payload = (size_t)config->options->payload;
    struct tw_workers *all = calloc(1, sizeof(*all) + n * sizeof(all->worker[0]));
    int r;

    if (!all)
        return -ENOMEM;
    all->config = *config;
    all->n = n;
    all->payload = malloc(payload + 1);
    if (!all->payload) {
        free(all);
        return -ENOMEM;
    }
    for (size_t i = 0; i < payload; i++)
        all->payload[i] = (char)('a' + i % 26);
    if (all->config.instance)
        tw_instance_ref(all->config.instance);
    atomic_init(&all->live, (uint32_t)n);
    r = start_threads(all);
    if (r) {
        tw_workers_free(all);
        return r;
    }
    *ret_workers = all;
    return 0;
}

bool tw_workers_done(const struct tw_workers *workers)
{
    return atomic_load(&workers->live) == 0;
}

void tw_workers_stop(struct tw_workers *workers)
{
    atomic_store(&workers->stop, true);
}

struct tw_instance *tw_workers_instance(const struct tw_workers *workers)
{
    return workers->config.instance;
}

void tw_workers_free(struct tw_workers *workers)
{
    if (!workers)
        return;
    tw_workers_stop(workers);
    for (size_t i = 0; i < workers->n; i++)
        if (workers->worker[i].running)
            pthread_join(workers->worker[i].thread, NULL);
    tw_instance_unref(workers->config.instance);
    free(workers->payload);
    free(workers);
}
