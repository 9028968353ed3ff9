/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a program does to be traced, for scripts/bench as bench_count.c is: instants and packets
 * with the chunks that they fill. The clock is one that always goes as fast. Prints how often
 * memory was asked for in all rounds.
 */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/macros.h"
#include "producer/events.h"
#include "producer/instance.h"
#include "producer/trace_writer.h"
#include "tests/allocations.h"

enum {
    ROUNDS = 10000,
    WARM_UP = 1000, /* rounds: until the sequence has told who it is, and of its strings */
    A_TURN = 100,   /* rounds, after which the chunks that are full become free */
    MEMORY = 64 * 1024,
    PAGE = 4096,
};

static struct {
    struct tw_arbiter *arbiter;
    struct tw_instance *instance;
    struct tw_events *events;
    struct tw_trace_writer *writer;
    struct tw_category categories[2]; /* the second is off */
    uint64_t ns;
} work;

static void must(bool ok)
{
    if (!ok)
        abort();
}

/* callgrind counts here and nowhere else (--toggle-collect). */
__attribute__((noinline)) void measured(void (*fn)(void));
__attribute__((noinline)) void measured(void (*fn)(void))
{
    tw_allocations.counted = true;
    fn();
    tw_allocations.counted = false;
}

/* The linker sends its calls here. */
uint64_t __wrap_tw_clock_ns(clockid_t clock);
uint64_t __wrap_tw_clock_ns(clockid_t clock)
{
    (void)clock;
    return work.ns += 500;
}

/* The work. */

static void disabled(void)
{
    TW_EVENT_INSTANT(&work.categories[1], "instant");
}

static void instant(void)
{
    TW_EVENT_INSTANT(&work.categories[0], "instant");
}

static void packet_32(void)
{
    struct tw_trace_writer *w = work.writer;

    tw_writer_begin(w);
    tw_writer_u64(w, 8 /* timestamp */, tw_clock_ns(CLOCK_BOOTTIME));
    tw_writer_nest(w, 900 /* for_testing */);
    tw_writer_bytes(w, 1, (struct tw_bytes){(const uint8_t *)"sixteen bytes...", 16});
    tw_writer_unnest(w);
    must(!tw_writer_end(w));
}

/* What the service would do. */
static void free_chunks(void)
{
    struct tw_move moves[MEMORY / PAGE];
    size_t n = tw_arbiter_take_moves(work.arbiter, moves, TW_ARRAY_LEN(moves));

    (void)tw_arbiter_wake(work.arbiter, true);
    for (size_t i = 0; i < n; i++)
        must(!tw_smb_acquire_for_reading(&work.arbiter->smb, moves[i].chunk.page,
                                         moves[i].chunk.idx, &moves[i].chunk) &&
             !tw_smb_release_as_free(&work.arbiter->smb, &moves[i].chunk));
}

static void prepare(void)
{
    struct tw_arbiter_config arbiter = {.page_size = PAGE, .layout = TW_PAGE_DIV1};
    struct tw_events_config events = {.categories = work.categories,
                                      .n_categories = TW_ARRAY_LEN(work.categories)};
    struct tw_category on = TW_CATEGORY("on", NULL, NULL), off = TW_CATEGORY("off", NULL, "slow");
    struct tw_source_config config;
    struct tw_shm shm;

    work.ns = UINT64_C(50000) * TW_NS_PER_S; /* whose varint has seven bytes */
    work.categories[0] = on;
    work.categories[1] = off;
    must(!tw_shm_create(&shm, MEMORY) && !tw_arbiter_new(&work.arbiter, &shm, &arbiter) &&
         !tw_trace_writer_new(&work.writer, work.arbiter, 1, TW_EXHAUSTED_DROP) &&
         !tw_events_make(&work.events, &events) &&
         !tw_source_config_read((struct tw_bytes){0}, &config) &&
         !tw_instance_new(&work.instance, work.arbiter, 1, (struct tw_bytes){0}, &config));
    atomic_store(&work.instance->active, true);
    tw_events_on_start(work.events, work.instance);
}

static void finish(void)
{
    tw_writer_free(work.writer);
    atomic_store(&work.instance->active, false);
    tw_events_on_stop(work.events, work.instance);
    tw_events_free(work.events);
    tw_instance_unref(work.instance);
    tw_arbiter_kill(work.arbiter);
    tw_arbiter_unref(work.arbiter);
}

static const struct {
    const char *name;
    void (*fn)(void);
} workloads[] = {
    {"producer_disabled_event", disabled},
    {"producer_instant", instant},
    {"producer_packet_32", packet_32},
};

static void measure(void (*fn)(void))
{
    prepare();
    for (int i = 0; i < WARM_UP + ROUNDS; i++) {
        if (i % A_TURN == 0)
            free_chunks();
        if (i < WARM_UP)
            fn();
        else
            measured(fn);
    }
    finish();
    printf("%zu allocations\n", tw_allocations.n);
}

int main(int argc, char **argv)
{
    for (size_t i = 0; argc == 2 && i < TW_ARRAY_LEN(workloads); i++) {
        if (strcmp(argv[1], "--list") == 0)
            printf("%s %d\n", workloads[i].name, ROUNDS);
        if (strcmp(argv[1], workloads[i].name) != 0)
            continue;
        measure(workloads[i].fn);
        return 0;
    }
    return argc == 2 && strcmp(argv[1], "--list") == 0 ? 0 : 2;
}
