/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Drives a trace buffer with a script: three writers that keep the rules, whose packets are checked
 * byte by byte and for order, repetition and losses that are not told, and a hostile one whose
 * chunks and patches are made of the input.
 *
 *   script := u8 size and policy, operation*      operation := u8 what, u8 argument, operands
 */
#include <stdio.h>
#include <string.h>

#include "fuzz/check.h"
#include "service/trace_buffer_internal.h"
#include "tests/service/sim_writer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    WRITERS = 3,
    HOSTILE = 100, /* writer id */
    RING_PAGES = 16,
};

struct script {
    const uint8_t *p;
    size_t left;
    struct tw_trace_buffer *tb;
    struct sim_writer writers[WRITERS];
};

static uint8_t next(struct script *s)
{
    if (!s->left)
        return 0;
    s->left--;
    return *s->p++;
}

static void judge(struct script *s, const struct tw_packet_out *packet)
{
    const char *wrong;

    CHECK(packet->size > 0 && packet->n_slices > 0);
    if (packet->seq.writer_id == HOSTILE)
        return;
    wrong = sim_judge(&s->writers[packet->seq.writer_id], packet);
    if (wrong)
        fprintf(stderr, "writer %u: %s\n", packet->seq.writer_id, wrong);
    CHECK(!wrong);
}

static void read_packets(struct script *s, bool last, size_t max)
{
    struct tw_packet_out packet;
    int rc = 0;

    tw_trace_buffer_begin_read(s->tb, last);
    while (rc != TW_MORE && max > 0) {
        rc = tw_trace_buffer_next_packet(s->tb, &packet);
        if (rc)
            continue;
        max--;
        judge(s, &packet);
    }
}

static void hostile_write(struct script *s, uint8_t arg)
{
    uint8_t id = next(s), n = next(s);
    struct tw_chunk_in in = {
        .seq = {.producer = 2, .writer_id = HOSTILE, .life = arg >> 7},
        .peer = {.uid = 1, .pid = 1},
        .chunk_id = (uint32_t)((int8_t)id) * (arg & 64 ? UINT32_C(0x01000001) : 1),
        .n_fragments = arg & 15,
        .flags = n & 7,
        .complete = !(arg & 16),
        .payload = {.p = tw_shared_of(s->p), .n = tw_min(s->left, (size_t)n >> 3)},
    };

    s->p += in.payload.n;
    s->left -= in.payload.n;
    (void)!tw_trace_buffer_write(s->tb, &in);
}

static void hostile_patch(struct script *s, uint8_t arg)
{
    uint32_t id = (uint32_t)(int8_t)next(s);
    struct tw_patch patch = {.offset = next(s)};
    struct tw_writer_key key = {.producer = 2, .writer_id = HOSTILE};

    if (arg & 2)
        patch.offset = UINT32_MAX - patch.offset;
    for (size_t i = 0; i < sizeof(patch.data); i++)
        patch.data[i] = next(s);
    (void)!tw_trace_buffer_patch(s->tb, key, id, &patch, 1, arg & 1);
}

static void step(struct script *s)
{
    uint8_t what = next(s), arg = next(s);
    struct sim_writer *w = &s->writers[arg % WRITERS];
    uint8_t more = arg / WRITERS;

    switch (what % 10) {
    case 0:
        for (uint8_t i = 0; i <= more % 8; i++)
            (void)sim_write(w, more / 8 == 7);
        return;
    case 1:
        (void)sim_commit(w, more % SIM_CHUNKS, s->tb);
        return;
    case 2:
        sim_scrape(w, s->tb);
        return;
    case 3:
        sim_patch_all(w, s->tb);
        return;
    case 4:
        read_packets(s, false, more);
        return;
    case 5:
        (void)sim_commit(w, more % SIM_CHUNKS, more & 64 ? NULL : s->tb);
        return;
    case 6:
        sim_close(w);
        return;
    case 7:
        hostile_write(s, arg);
        return;
    case 8:
        hostile_patch(s, arg);
        return;
    default:
        read_packets(s, more == 1, SIZE_MAX);
        return;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct script s;
    uint8_t first;

    s = (struct script){.p = data, .left = size};
    first = next(&s);
    if (tw_trace_buffer_new(&s.tb, (size_t)(1 + first % RING_PAGES) * 4096,
                            first & 128 ? TW_FILL_DISCARD : TW_FILL_RING))
        return 0;
    memset(s.tb->hash_key, 1, sizeof(s.tb->hash_key)); /* the same input, the same path */
    sim_init(&s.writers[0], 0, 0, 248, 100);
    sim_init(&s.writers[1], 1, UINT32_MAX - 2, 120, 400);
    sim_init(&s.writers[2], 2, 7, SIM_CHUNK_SIZE, 3000);
    while (s.left)
        step(&s);
    for (size_t i = 0; i < WRITERS; i++)
        sim_finish(&s.writers[i], s.tb);
    read_packets(&s, true, SIZE_MAX);
    tw_trace_buffer_free(s.tb);
    return 0;
}
