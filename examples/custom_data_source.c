/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A data source of one's own: "example.memory" writes how much memory is free, as often as the
 * session wants, until no session wants it. It goes on for ever.
 *
 * Its packets are TracePackets with a timestamp (field 8) and SysStats (7), in which a MeminfoValue
 * (1) is a key (1) and kilobytes (2). tw_writer_nest() and tw_writer_unnest() stand around each
 * nested message, and no size has to be known before.
 */
#include <stdio.h>
#include <time.h>

#include "tracewire/producer.h"

enum { PERIOD_MS = 20, MEMINFO_MEM_FREE = 2 };

/* One session: a data source may be in several at once, and each has its own writer. */
static struct memory {
    struct tw_instance *instance; /* NULL: no session */
    struct tw_trace_writer *writer;
} sessions[4];

/* The service set up the data source for a session, and now that begins. */
static void on_start(void *user, struct tw_instance *instance)
{
    (void)user;
    for (size_t i = 0; i < sizeof(sessions) / sizeof(sessions[0]); i++) {
        struct memory *m = &sessions[i];

        if (!m->instance && !tw_writer_new(&m->writer, instance, TW_EXHAUSTED_DEFAULT)) {
            m->instance = tw_instance_ref(instance);
            return;
        }
    }
    fprintf(stderr, "one session too many: it gets nothing from us\n");
}

/* It ends, or the connection has. Everything written is handed over when the writer is freed. */
static void on_stop(void *user, struct tw_instance *instance)
{
    (void)user;
    for (size_t i = 0; i < sizeof(sessions) / sizeof(sessions[0]); i++)
        if (sessions[i].instance == instance) {
            tw_writer_free(sessions[i].writer);
            tw_instance_unref(instance);
            sessions[i].instance = NULL;
        }
    tw_instance_done(instance);
}

/* The session wants what there is so far. */
static void on_flush(void *user, struct tw_instance *instance)
{
    (void)user;
    for (size_t i = 0; i < sizeof(sessions) / sizeof(sessions[0]); i++)
        if (sessions[i].instance == instance)
            tw_writer_flush(sessions[i].writer);
}

static uint64_t now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_BOOTTIME, &t); /* what a timestamp is in when nothing else is said */
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static uint64_t free_kilobytes(void)
{
    unsigned long long n = 0;
    char line[128];
    FILE *file = fopen("/proc/meminfo", "re");

    while (file && fgets(line, sizeof(line), file) && sscanf(line, "MemFree: %llu", &n) != 1)
        continue;
    if (file)
        fclose(file);
    return n;
}

static void write_packet(struct tw_trace_writer *w)
{
    tw_writer_begin(w);
    tw_writer_u64(w, 8, now_ns());
    tw_writer_nest(w, 7);
    tw_writer_nest(w, 1);
    tw_writer_u64(w, 1, MEMINFO_MEM_FREE);
    tw_writer_u64(w, 2, free_kilobytes());
    tw_writer_unnest(w);
    tw_writer_unnest(w);
    tw_writer_end(w); /* a loss is marked in the trace: there is nothing to do about it here */
}

int main(void)
{
    const struct tw_producer_config config = {.name = "custom_data_source"};
    const struct tw_data_source_config source = {
        .name = "example.memory",
        .ops = {.start = on_start, .stop = on_stop, .flush = on_flush},
    };
    struct tw_producer *producer;
    uint64_t due_ns = now_ns();

    if (tw_producer_open(&producer, &config) || tw_producer_register(producer, &source))
        return 1;
    while (!tw_producer_dispatch(producer, PERIOD_MS)) {
        if (now_ns() < due_ns)
            continue; /* something came from the service before it was time */
        due_ns = now_ns() + PERIOD_MS * UINT64_C(1000000);
        for (size_t i = 0; i < sizeof(sessions) / sizeof(sessions[0]); i++)
            if (sessions[i].instance)
                write_packet(sessions[i].writer);
    }
    tw_producer_close(producer);
    return 1;
}
