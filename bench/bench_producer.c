/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What it costs a program to be traced: an event that is off, an instant, a packet of 32 bytes,
 * beside one of LTTng-UST, clock_gettime() and a plain memcpy() of as many bytes; instants of up to
 * eight threads; system calls. All through the command `tracewire serve`, with a session that wants
 * everything. The producer has a thread of its own, as in a program that is not written around it.
 * Ends with status 1 when a bound is missed.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/macros.h"
#include "bench/calls.h"
#include "bench/lttng.h"
#include "bench/measure.h"
#include "bench/serve.h"
#include "consumer_port.pb-c.h"
#include "tracewire/track_event.h"

/* Of one kind in a slice: some chunks full, and still short for the time between interruptions. */
enum { ROUND = 500 };
enum { PACKET = 32, COPIES = 4096 }; /* bytes; so many of them are as much as shared memory */

#define INSTANT_AT_MOST 0.5 /* of an event of LTTng-UST */
#define PACKET_AT_MOST  3.0 /* calls of clock_gettime */
#define CALLS_AT_MOST   2.0 /* for a thousand events */

enum { THREADS_MAX = 8, OF_A_THREAD = 400 * 1000, COUNTED = 200 * 1000 }; /* events */
enum { BATCH_MS = 100 };

static struct tw_category categories[] = {
    TW_CATEGORY("on", "Wanted by the session", NULL),
    TW_CATEGORY("off", "Not wanted unless it is asked for", "slow"),
};

static struct {
    struct serve serve;
    struct peer consumer;
    struct tw_producer *producer;
    pthread_t thread; /* of the producer */
    _Atomic bool ended;
    struct tw_events *events;
    struct tw_trace_writer *_Atomic writer; /* of plain packets; NULL: the session has not begun */
    uint8_t copies[COPIES][PACKET];
    size_t at;
} world;

/* ---- what is timed ---- */

static void disabled(void)
{
    for (int i = 0; i < ROUND; i++)
        TW_EVENT_INSTANT(&categories[1], "instant");
}

static void instants(void)
{
    for (int i = 0; i < ROUND; i++)
        TW_EVENT_INSTANT(&categories[0], "instant");
}

static void clocks(void)
{
    for (int i = 0; i < ROUND; i++)
        (void)tw_clock_ns(CLOCK_BOOTTIME);
}

/* A timestamp, and a message with a text that fills it up to PACKET. */
static struct tw_bytes text = {(const uint8_t *)"sixteen bytes, or less or more", 16};

static void packet(void)
{
    struct tw_trace_writer *w = world.writer;

    tw_writer_begin(w);
    tw_writer_u64(w, 8 /* timestamp */, tw_clock_ns(CLOCK_BOOTTIME));
    tw_writer_nest(w, 900 /* for_testing */);
    tw_writer_bytes(w, 1, text);
    tw_writer_unnest(w);
    serve_must(!tw_writer_end(w), "a packet was lost");
}

static void packets(void)
{
    for (int i = 0; i < ROUND; i++)
        packet();
}

static void copies(void)
{
    for (int i = 0; i < ROUND; i++, world.at++)
        memcpy(world.copies[world.at % COPIES], world.copies[(world.at + 1) % COPIES], PACKET);
}

static uint64_t lttng(void)
{
    return lttng_ns(ROUND);
}

enum { DISABLED, INSTANT, LTTNG, CLOCK, PACKET_32, COPY };

static const struct tw_bench_part parts[] = {
    [DISABLED] = {"a disabled event", disabled, NULL},
    [INSTANT] = {"an instant, its name interned", instants, NULL},
    [LTTNG] = {"an event of LTTng-UST, a number", NULL, lttng},
    [CLOCK] = {"clock_gettime", clocks, NULL},
    [PACKET_32] = {"a packet of 32 bytes with its time", packets, NULL},
    [COPY] = {"memcpy of 32 bytes", copies, NULL},
};

/* ---- the session ---- */

static void on_start(void *user, struct tw_instance *instance)
{
    struct tw_trace_writer *w;

    (void)user;
    serve_must(!tw_writer_new(&w, instance, TW_EXHAUSTED_STALL), "no writer");
    world.writer = w;
}

static void *dispatch(void *unused)
{
    (void)unused;
    while (!world.ended)
        serve_must(tw_producer_dispatch(world.producer, 20) >= 0, "the producer failed");
    return NULL;
}

static void open_producer(uint32_t batch_ms)
{
    struct tw_producer_config config = {
        .socket = world.serve.producer, .name = "bench", .batch_ms = batch_ms};
    struct tw_data_source_config source = {.name = SERVE_DATA_SOURCE, .ops = {.start = on_start}};
    struct tw_events_config events = {
        .categories = categories,
        .n_categories = TW_ARRAY_LEN(categories),
        .policy = TW_EXHAUSTED_STALL,
    };

    serve_must(!tw_producer_open(&world.producer, &config) &&
                   !tw_producer_register(world.producer, &source) &&
                   !tw_events_new(&world.events, world.producer, &events),
               "no producer");
    serve_must(!pthread_create(&world.thread, NULL, dispatch, NULL), "no thread");
}

/* Everything that is not slow. */
static void enable(void)
{
    static char packet_source[] = SERVE_DATA_SOURCE, event_source[] = "track_event";
    Tw__EnableTracingRequest request = TW__ENABLE_TRACING_REQUEST__INIT;
    Tw__TraceConfig config = TW__TRACE_CONFIG__INIT;
    Tw__TraceConfig__BufferConfig buffer = TW__TRACE_CONFIG__BUFFER_CONFIG__INIT;
    Tw__TraceConfig__BufferConfig *buffers[] = {&buffer};
    Tw__TraceConfig__DataSource source[2] = {TW__TRACE_CONFIG__DATA_SOURCE__INIT,
                                             TW__TRACE_CONFIG__DATA_SOURCE__INIT};
    Tw__TraceConfig__DataSource *sources[] = {&source[0], &source[1]};
    Tw__DataSourceConfig source_config[2] = {TW__DATA_SOURCE_CONFIG__INIT,
                                             TW__DATA_SOURCE_CONFIG__INIT};

    source_config[0].name = event_source;
    source_config[1].name = packet_source;
    source[0].config = &source_config[0];
    source[1].config = &source_config[1];
    buffer.has_size_kb = true;
    buffer.size_kb = 1024;
    config.n_buffers = TW_ARRAY_LEN(buffers);
    config.buffers = buffers;
    config.n_data_sources = TW_ARRAY_LEN(sources);
    config.data_sources = sources;
    request.trace_config = &config;
    peer_call(&world.consumer, TW_CONSUMER_ENABLE_TRACING, &request.base, false);
}

static void begin(const char *argv0, uint32_t batch_ms)
{
    serve_start(&world.serve, argv0);
    open_producer(batch_ms);
    peer_open(&world.consumer, &world.serve, &tw_consumer_port);
    enable();
    while (!world.writer || !TW_CATEGORY_ON(&categories[0]))
        sched_yield();
    serve_must(!TW_CATEGORY_ON(&categories[1]), "what is slow is on");
}

static void end(void)
{
    tw_writer_free(world.writer);
    world.ended = true;
    serve_must(!pthread_join(world.thread, NULL), "no end of a thread");
    tw_producer_close(world.producer);
    tw_events_free(world.events);
    peer_close(&world.consumer);
    serve_stop(&world.serve);
}

/* ---- the figures ---- */

static size_t packet_size(void)
{
    struct tw_writer_stats before, after;

    tw_writer_stats(world.writer, &before);
    packet();
    tw_writer_stats(world.writer, &after);
    return (size_t)(after.bytes - before.bytes);
}

/* How many bytes the time takes depends on how long the machine has been up. */
static void choose_text(void)
{
    packet(); /* the first of a sequence says so */
    text.n += PACKET - packet_size();
    serve_must(packet_size() == PACKET, "the packet has another size");
}

static bool bench_time(void)
{
    uint64_t best[TW_ARRAY_LEN(parts)];
    struct tw_events_stats stats;
    bool good;

    choose_text();
    tw_bench_parts(parts, TW_ARRAY_LEN(parts), best);
    for (size_t i = 0; i < TW_ARRAY_LEN(parts); i++)
        printf("%-36s %7.1f ns\n", parts[i].name, (double)best[i] / ROUND);
    tw_events_stats(world.events, &stats);
    serve_must(stats.lost == 0, "events were lost");
    good = tw_bench_at_most("times an event of LTTng-UST that an instant takes",
                            (double)best[INSTANT] / (double)best[LTTNG], INSTANT_AT_MOST);
    printf("a packet: %.1f times memcpy of its bytes\n",
           (double)best[PACKET_32] / (double)best[COPY]);
    return tw_bench_at_most("calls of clock_gettime that a packet takes",
                            (double)best[PACKET_32] / (double)best[CLOCK], PACKET_AT_MOST) &&
           good;
}

/* ---- threads ---- */

/* The nanoseconds of a processor that a thread needed. */
static void *run_thread(void *ret_ns)
{
    for (int i = 0; i < OF_A_THREAD; i++)
        TW_EVENT_INSTANT(&categories[0], "instant");
    *(uint64_t *)ret_ns = tw_clock_ns(CLOCK_THREAD_CPUTIME_ID);
    return NULL;
}

static void bench_threads(size_t n)
{
    uint64_t ns[THREADS_MAX], begin = tw_clock_ns(CLOCK_MONOTONIC), all = 0;
    pthread_t threads[THREADS_MAX];

    for (size_t i = 0; i < n; i++)
        serve_must(!pthread_create(&threads[i], NULL, run_thread, &ns[i]), "no thread");
    for (size_t i = 0; i < n; i++) {
        serve_must(!pthread_join(threads[i], NULL), "no end of a thread");
        all += ns[i];
    }
    begin = tw_clock_ns(CLOCK_MONOTONIC) - begin;
    printf("%zu threads: %.2f million instants a second, each %.1f ns of a processor\n", n,
           (double)n * OF_A_THREAD * 1000 / (double)begin, (double)all / (double)n / OF_A_THREAD);
}

/* ---- system calls ---- */

/* In a child that is traced: a system call that there is none of says that it begins. */
static void count_me(const char *argv0, uint32_t batch_ms)
{
    begin(argv0, batch_ms);
    instants();
    syscall(-1);
    for (int i = 0; i < COUNTED; i++)
        TW_EVENT_INSTANT(&categories[0], "instant");
    end();
    exit(0);
}

/* Of all threads of the producer for a thousand events, to its very end. */
static double count_calls(const char *argv0, uint32_t batch_ms)
{
    pid_t child = fork(), stopped;
    bool counting = false;
    long n = 0;
    int status;

    serve_must(child >= 0, "cannot fork");
    if (child == 0)
        count_me(argv0, batch_ms);
    calls_trace(child);
    while ((stopped = waitpid(-1, &status, __WALL)) != child || WIFSTOPPED(status)) {
        long call;

        serve_must(stopped > 0, "nothing to wait for");
        if (!WIFSTOPPED(status))
            continue; /* one of its threads has ended */
        call = calls_go_on(stopped, status);
        n += counting && call != CALL_NONE;
        counting |= call == -1;
    }
    serve_must(counting && WIFEXITED(status) && !WEXITSTATUS(status), "the child did not end well");
    return (double)n * 1000 / COUNTED;
}

static bool bench_calls(const char *argv0)
{
    double at_once = count_calls(argv0, 0);

    printf("system calls for 1,000 events, committed at once: %.2f\n", at_once);
    fflush(stdout); /* once, and not by the next child, too */
    return tw_bench_at_most("system calls for 1,000 events, in batches",
                            count_calls(argv0, BATCH_MS), CALLS_AT_MOST);
}

int main(int argc, char **argv)
{
    bool good;

    serve_must(argc == 1, "usage: bench_producer");
    good = bench_calls(argv[0]);
    begin(argv[0], BATCH_MS);
    lttng_begin(argv[0]);
    good = bench_time() && good;
    lttng_end();
    for (size_t n = 1; n <= THREADS_MAX; n *= 2)
        bench_threads(n);
    end();
    return good ? 0 : 1;
}
