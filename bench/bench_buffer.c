/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The trace buffer against memcpy() of the same bytes to the same places, in the same run: taking
 * chunks of 4 KiB with packets of 100 bytes, where everything is read and where everything is
 * overwritten, and handing those packets back as slices. And patches of the newest chunks against
 * patches of the oldest. Ends with status 1 when a ratio is missed.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"
#include "bench/measure.h"
#include "service/trace_buffer.h"

enum {
    CHUNK = 4096 - 8 - 16,          /* bytes of payload: a page of one chunk less the headers */
    PACKET = 100,                   /* bytes */
    PACKETS = CHUNK / (PACKET + 1), /* in a chunk */
    WRITERS = 16,
    SMB_CHUNKS = 64,
    RING_CHUNKS = 4096, /* 16 MiB: more than the caches next to a core */
    SLICES = 8,         /* of a ring, each timed by itself: short enough not to be interrupted */
    SLICE = RING_CHUNKS / SLICES, /* chunks */
    ROUNDS = 200,                 /* two seconds when nothing else runs */
    PATCHED = 256,                /* chunks patched in a slice */
};

#define AT_LEAST_OF_MEMCPY 0.7
#define OLD_PATCH_AT_LEAST 0.5 /* times as fast as a new one */

static struct {
    uint8_t smb[SMB_CHUNKS][CHUNK];
    uint8_t *copies; /* as large as what is taken */
    struct tw_trace_buffer *tb;
    uint32_t chunk_ids[WRITERS];
} work;

static void must(bool ok)
{
    if (!ok)
        abort();
}

static void fill_chunks(void)
{
    for (size_t i = 0; i < PACKETS; i++) {
        uint8_t *fragment = work.smb[0] + i * (PACKET + 1);

        fragment[0] = PACKET;
        memset(fragment + 1, 0x5a, PACKET);
    }
    for (size_t i = 1; i < SMB_CHUNKS; i++)
        memcpy(work.smb[i], work.smb[0], CHUNK);
}

static void copy(size_t slice)
{
    static volatile size_t size = CHUNK; /* as the buffer does not know it either */

    for (size_t i = slice * SLICE; i < (slice + 1) * SLICE; i++)
        memcpy(work.copies + i * CHUNK, work.smb[i % SMB_CHUNKS], size);
}

static void take(size_t slice)
{
    struct tw_chunk_in in = {
        .peer = {.uid = 1000, .pid = 42},
        .n_fragments = PACKETS,
        .complete = true,
    };

    for (size_t i = slice * SLICE; i < (slice + 1) * SLICE; i++) {
        in.seq = (struct tw_writer_key){.producer = 1, .writer_id = (uint16_t)(i % WRITERS + 1)};
        in.chunk_id = work.chunk_ids[i % WRITERS]++;
        in.payload = (struct tw_shared_bytes){tw_shared_of(work.smb[i % SMB_CHUNKS]), CHUNK};
        must(!tw_trace_buffer_write(work.tb, &in));
    }
}

static void hand_back(size_t slice)
{
    struct tw_packet_out packet;

    if (slice == 0)
        tw_trace_buffer_begin_read(work.tb, false);
    for (size_t i = 0; i < SLICE * PACKETS; i++)
        must(!tw_trace_buffer_next_packet(work.tb, &packet) && packet.size == PACKET);
}

static void patch(uint32_t first)
{
    const struct tw_patch p = {.offset = 10, .data = "abcd"};

    for (uint32_t i = 0; i < PATCHED; i++)
        must(!tw_trace_buffer_patch(work.tb, (struct tw_writer_key){.producer = 1}, first + i, &p,
                                    1, true));
}

static void patch_oldest(size_t slice)
{
    patch((uint32_t)slice * PATCHED);
}

static void patch_newest(size_t slice)
{
    patch(RING_CHUNKS - (uint32_t)(slice + 1) * PATCHED);
}

/* Runs each in turn over all slices, and keeps the fastest slice of each: a busy machine only ever
 * makes one slower. */
static void measure(void (*const run[])(size_t), uint64_t ns[], size_t n)
{
    for (size_t i = 0; i < n; i++)
        ns[i] = UINT64_MAX;
    for (size_t k = 0; k < ROUNDS * n * SLICES; k++) {
        size_t i = k / SLICES % n;
        uint64_t begin = tw_clock_ns(CLOCK_MONOTONIC), took;

        run[i](k % SLICES);
        took = tw_clock_ns(CLOCK_MONOTONIC) - begin;
        ns[i] = took < ns[i] ? took : ns[i];
    }
}

static bool of_memcpy(const char *what, size_t bytes, uint64_t ns, double memcpy_speed)
{
    double speed = (double)bytes / (double)ns;

    printf("     %s at %.1f GB/s, memcpy at %.1f\n", what, speed, memcpy_speed);
    return tw_bench_at_least(what, speed / memcpy_speed, AT_LEAST_OF_MEMCPY);
}

static bool chunks_and_packets(void)
{
    /* The first lap goes over what is read, the second over what is not. */
    void (*const run[])(size_t) = {copy, take, take, hand_back};
    const size_t bytes = (size_t)SLICE * CHUNK, packets = (size_t)SLICE * PACKETS * PACKET;
    uint64_t ns[4];
    double speed;
    bool good;

    measure(run, ns, 4);
    speed = (double)bytes / (double)ns[0];
    good = of_memcpy("takes chunks where all is read", bytes, ns[1], speed);
    good = of_memcpy("takes chunks and overwrites", bytes, ns[2], speed) && good;
    return of_memcpy("hands packets back", packets, ns[3], speed) && good;
}

static bool patches(void)
{
    void (*const run[])(size_t) = {patch_newest, patch_oldest};
    struct tw_chunk_in in = {
        .seq = {.producer = 1},
        .n_fragments = PACKETS,
        .complete = true,
        .payload = {tw_shared_of(work.smb[0]), CHUNK},
    };
    uint64_t ns[2];

    for (; in.chunk_id < RING_CHUNKS; in.chunk_id++)
        must(!tw_trace_buffer_write(work.tb, &in));
    measure(run, ns, 2);
    printf("     a patch of a new chunk in %.0f ns, of an old one in %.0f\n",
           (double)ns[0] / PATCHED, (double)ns[1] / PATCHED);
    return tw_bench_at_least("patches an old chunk as fast as a new one",
                             (double)ns[0] / (double)ns[1], OLD_PATCH_AT_LEAST);
}

int main(void)
{
    const size_t record = CHUNK + 64; /* with room for its header */
    bool good;

    fill_chunks();
    work.copies = malloc((size_t)RING_CHUNKS * CHUNK);
    must(work.copies && !tw_trace_buffer_new(&work.tb, RING_CHUNKS * record, TW_FILL_RING));
    good = chunks_and_packets();
    good = patches() && good;
    tw_trace_buffer_free(work.tb);
    free(work.copies);
    return good ? 0 : 1;
}
