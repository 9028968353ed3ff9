/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fixed pieces of work of the service and of its buffers, for scripts/bench as bench_count.c is.
 * The service is that of the tests, with its peers in one process: only what it does itself is
 * counted. Prints how often it asked for memory in all rounds.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/macros.h"
#include "service/trace_buffer.h"
#include "tests/allocations.h"
#include "tests/service/rig.h"

enum {
    ROUNDS = 1000,
    WARM_UP = 1200, /* rounds: until the ring has gone round and all is as large as it gets */
    PAGE = 4096,    /* bytes */
    PACKET = 96,    /* bytes with its size in front */
    PACKETS = 42,   /* in a chunk of a page, which they fill */
    BUFFER = 1024 * 1024,
};

static struct {
    struct rig rig;
    struct rig_peer *producer, *consumer;
    struct tw_trace_buffer *tb;
    struct tw_bytes packets[PACKETS];
    uint8_t payload[PACKETS * PACKET];
    uint32_t chunk_id;
    uint16_t buffer;
    bool warm; /* from now on it is counted */
} work;

/* callgrind counts here and nowhere else (--toggle-collect). */
__attribute__((noinline)) int measured(int (*fn)(void *), void *arg);
__attribute__((noinline)) int measured(int (*fn)(void *), void *arg)
{
    int rc;

    tw_allocations.counted = true;
    rc = fn(arg);
    tw_allocations.counted = false;
    return rc;
}

/* The linker sends these calls here: the service, and what it takes for random, which has a say in
 * how its structures look. */
int __real_tw_service_run(struct tw_service_conn *conn);
int __wrap_tw_service_run(struct tw_service_conn *conn);
ssize_t __wrap_getrandom(void *p, size_t n, unsigned int flags);

static int run(void *conn)
{
    return __real_tw_service_run(conn);
}

int __wrap_tw_service_run(struct tw_service_conn *conn)
{
    return work.warm ? measured(run, conn) : run(conn);
}

ssize_t __wrap_getrandom(void *p, size_t n, unsigned int flags)
{
    (void)flags;
    memset(p, 0x5a, n);
    return (ssize_t)n;
}

/* What each is prepared with. */

static void service(void)
{
    rig_init(&work.rig);
    work.rig.undecoded = true;
    work.producer = rig_producer(&work.rig, "p");
    rig_register(work.producer, "source");
    work.consumer = rig_consumer(&work.rig);
    rig_enable(work.consumer, rig_config(&work.rig, "source"));
    work.buffer = rig_buffer(work.producer);
    for (size_t i = 0; i < PACKETS; i++)
        work.packets[i] = rig_packet(&work.rig, "an event of a usual length, or a little more than "
                                                "that, and nothing else");
}

static void buffer(void)
{
    for (size_t i = 0; i < PACKETS; i++)
        work.payload[i * PACKET] = PACKET - 1;
    RIG_MUST(!tw_trace_buffer_new(&work.tb, BUFFER, TW_FILL_RING));
}

/* The work. */

static void sync_once(void)
{
    RIG_MUST(rig_call(work.producer, TW_PRODUCER_SYNC, NULL)->success);
}

static void commit(void)
{
    struct rig_chunk chunk = {.page = 0, .writer_id = 1, .chunk_id = work.chunk_id++};

    rig_write(work.producer, &chunk, work.packets, PACKETS);
    rig_commit(work.producer, 0, work.buffer);
}

/* One chunk of packets goes in uncounted, and to the consumer. */
static void read_chunk(void)
{
    bool warm = work.warm;
    struct rig_trace trace;

    work.warm = false;
    commit();
    work.warm = warm;
    trace = rig_read(work.consumer);
    RIG_MUST(trace.whole && trace.n >= PACKETS);
}

static int write_chunk(void *unused)
{
    struct tw_chunk_in in = {
        .seq = {.producer = 1, .writer_id = (uint16_t)(work.chunk_id % 16 + 1)},
        .chunk_id = work.chunk_id / 16,
        .n_fragments = PACKETS,
        .complete = true,
        .payload = {tw_shared_of(work.payload), sizeof(work.payload)},
    };

    (void)unused;
    work.chunk_id++;
    return tw_trace_buffer_write(work.tb, &in);
}

static int take_packets(void *unused)
{
    struct tw_packet_out packet;
    size_t n = 0;

    (void)unused;
    tw_trace_buffer_begin_read(work.tb, false);
    while (!tw_trace_buffer_next_packet(work.tb, &packet))
        n++;
    return n == PACKETS ? 0 : -1;
}

static int patch_chunk(void *unused)
{
    const struct tw_patch p = {.offset = 10, .data = "abcd"};
    uint32_t last = work.chunk_id - 1;
    struct tw_writer_key seq = {.producer = 1, .writer_id = (uint16_t)(last % 16 + 1)};

    (void)unused;
    return tw_trace_buffer_patch(work.tb, seq, last / 16, &p, 1, true);
}

static void once(int (*fn)(void *))
{
    RIG_MUST(!(work.warm ? measured(fn, NULL) : fn(NULL)));
}

static void buffer_write(void)
{
    once(write_chunk);
}

static void buffer_read(void)
{
    RIG_MUST(!write_chunk(NULL));
    once(take_packets);
}

static void buffer_patch(void)
{
    RIG_MUST(!write_chunk(NULL));
    once(patch_chunk);
}

static const struct {
    const char *name;
    void (*prepare)(void);
    void (*fn)(void);
} workloads[] = {
    {"service_sync", service, sync_once},     {"service_commit_42", service, commit}, /* packets */
    {"service_read_42", service, read_chunk}, {"buffer_write_42", buffer, buffer_write},
    {"buffer_read_42", buffer, buffer_read},  {"buffer_patch", buffer, buffer_patch},
};

static void measure(void (*prepare)(void), void (*fn)(void))
{
    prepare();
    for (int i = 0; i < WARM_UP + ROUNDS; i++) {
        work.warm = i >= WARM_UP;
        fn();
    }
    printf("%zu allocations\n", tw_allocations.n);
}

int main(int argc, char **argv)
{
    for (size_t i = 0; argc == 2 && i < TW_ARRAY_LEN(workloads); i++) {
        if (strcmp(argv[1], "--list") == 0)
            printf("%s %d\n", workloads[i].name, ROUNDS);
        if (strcmp(argv[1], workloads[i].name) != 0)
            continue;
        measure(workloads[i].prepare, workloads[i].fn);
        return 0;
    }
    return argc == 2 && strcmp(argv[1], "--list") == 0 ? 0 : 2;
}
