/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pre-scan against the unpack that it guards, protobuf-c's into an arena: the same recorded
 * messages (corpus/prescan) in the same run, as a ratio. Ends with status 1 when for any type the
 * scan takes more than a quarter of the unpack. Runs from the source tree.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/macros.h"
#include "bench/measure.h"
#include "tests/wire/schema.h"
#include "wire/scan.h"

enum { ROUNDS = 20, MESSAGES_MAX = 64, MESSAGE_MAX = 4096 };

#define UNPACK_AT_LEAST 4.0 /* times the scan */

struct message {
    uint8_t seed[MESSAGE_MAX]; /* its place in the list, and the message */
    struct tw_bytes bytes;
};

/* The messages of one type. */
static struct {
    const ProtobufCMessageDescriptor *type;
    struct message messages[MESSAGES_MAX];
    size_t n, bytes;
    struct tw_arena arena;
} work;

/* Empty messages tell nothing. */
static void load_one(const char *path, size_t place)
{
    struct message *m = &work.messages[work.n];
    FILE *f = fopen(path, "rb");
    size_t size = f ? fread(m->seed, 1, sizeof(m->seed), f) : 0, cost;

    if (f)
        fclose(f);
    if (size < 2 || m->seed[0] != place)
        return;
    m->bytes = (struct tw_bytes){.p = m->seed + 1, .n = size - 1};
    if (tw_scan(work.type, m->bytes, &cost, NULL)) /* a corpus has others too */
        return;
    work.bytes += m->bytes.n;
    work.n++;
}

static void load(size_t place)
{
    DIR *dir = opendir("corpus/prescan");
    const struct dirent *entry;

    work.type = schema_messages[place];
    work.n = work.bytes = 0;
    while (dir && work.n < MESSAGES_MAX && (entry = readdir(dir))) {
        char path[300];

        snprintf(path, sizeof(path), "corpus/prescan/%s", entry->d_name);
        load_one(path, place);
    }
    if (dir)
        closedir(dir);
}

static void scan(void *unused)
{
    (void)unused;
    for (int round = 0; round < ROUNDS; round++)
        for (size_t i = 0; i < work.n; i++) {
            size_t cost;

            if (tw_scan(work.type, work.messages[i].bytes, &cost, NULL))
                abort();
        }
}

static void *from_arena(void *user, size_t n)
{
    return tw_arena_alloc(user, n);
}

static void no_free(void *user, void *p)
{
    (void)user;
    (void)p;
}

static void unpack(void *unused)
{
    ProtobufCAllocator allocator = {from_arena, no_free, &work.arena};

    (void)unused;
    for (int round = 0; round < ROUNDS; round++)
        for (size_t i = 0; i < work.n; i++) {
            const struct tw_bytes *b = &work.messages[i].bytes;

            if (!protobuf_c_message_unpack(work.type, &allocator, b->n, b->p))
                abort();
            tw_arena_reset(&work.arena);
        }
}

static bool judge(size_t place)
{
    struct tw_bench_result best;
    char what[128];

    load(place);
    if (!work.n)
        abort();
    best = tw_bench(scan, unpack, NULL);
    snprintf(what, sizeof(what), "times the scan is the unpack: %s, %zu messages, %zu bytes each",
             work.type->name, work.n, work.bytes / work.n);
    return tw_bench_at_least(what, (double)best.ns[1] / (double)best.ns[0], UNPACK_AT_LEAST);
}

int main(void)
{
    const size_t places[] = {
        SCHEMA_OTHERS + 4,        /* IPCFrame */
        SCHEMA_PRODUCER_PORT + 6, /* CommitDataRequest */
        SCHEMA_PRODUCER_PORT + 2, /* RegisterDataSourceRequest */
        SCHEMA_PRODUCER_PORT + 9, /* GetAsyncCommandResponse */
        SCHEMA_CONSUMER_PORT,     /* EnableTracingRequest: a TraceConfig */
    };
    bool good = true;

    work.arena = TW_ARENA_INIT(SIZE_MAX / 2);
    for (size_t i = 0; i < TW_ARRAY_LEN(places); i++)
        good = judge(places[i]) && good;
    tw_arena_deinit(&work.arena);
    return good ? 0 : 1;
}
