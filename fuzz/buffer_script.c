/* SPDX-License-Identifier: Apache-2.0 */
/*
 *   script    := u8 size and policy, operation*
 *   operation := u8 which, operands; none are zeros
 *
 * What writes breaks every rule, but not so often that nothing fits together: ids count up by
 * themselves, chunks are made of fragments, and come again as they were or nearly so.
 */
#include "fuzz/buffer_script.h"

#include <string.h>

#include "base/req.h"
#include "fuzz/buffer_model.h"
#include "fuzz/check.h"
#include "fuzz/input.h"
#include "service/trace_buffer_internal.h"
#include "wire/writer.h"

enum {
    WRITERS = 3,
    REMEMBERED = 8,    /* chunks that may come again */
    CHUNK_MAX = 6000,  /* bytes: larger than the smallest buffer */
    SIZE_MORE = 200,   /* sizes from here on stand for larger ones */
    SIZE_STEP = 64,    /* bytes */
    SIZE_LONG = 253,   /* one byte, its size in four */
    SIZE_DROP = 254,   /* the writer gives the packet up */
    SIZE_BROKEN = 255, /* no size at all */
};

struct chunk {
    struct tw_chunk_in in;
    uint8_t bytes[CHUNK_MAX];
};

struct pair {
    struct tw_trace_buffer *real;
    struct buffer_model *model;
};

struct script {
    struct tw_bytes input;
    struct pair pair;
    uint32_t next_ids[WRITERS];
    struct chunk chunks[REMEMBERED];
    size_t n_chunks; /* ever made */
    uint8_t fill;    /* no two fragments look the same for a while */
    size_t n_packets;
};

static uint8_t next(struct script *s)
{
    return input_byte(&s->input);
}

/* Comparing. */

static bool same_bytes(const struct tw_packet_out *ours, const struct model_packet *theirs)
{
    size_t at = 0;

    for (size_t i = 0; i < ours->n_slices; i++) {
        if (!ours->slices[i].n || ours->slices[i].n > theirs->n - at ||
            memcmp(ours->slices[i].p, theirs->p + at, ours->slices[i].n) != 0)
            return false;
        at += ours->slices[i].n;
    }
    return at == theirs->n && ours->size == theirs->n;
}

static void compare_stats(const struct pair *pair)
{
    REQ("TW-BUF-080");
    REQ("TW-BUF-081");
    struct tw_writer_info info;
    size_t n = 0;

    CHECK(memcmp(tw_trace_buffer_stats(pair->real), buffer_model_stats(pair->model),
                 sizeof(struct tw_trace_buffer_stats)) == 0);
    while (!tw_trace_buffer_next_writer(pair->real, &n, &info)) {
        const struct tw_writer_histogram *theirs = buffer_model_histogram(pair->model, info.seq);

        CHECK(theirs && memcmp(&info.histogram, theirs, sizeof(*theirs)) == 0);
    }
    CHECK(n == buffer_model_sequences(pair->model));
}

static void compare_packets(struct script *s, const struct pair *pair, size_t max)
{
    REQ("TW-BUF-001");
    REQ("TW-BUF-002");
    REQ("TW-BUF-050");
    REQ("TW-BUF-070");
    for (; max > 0; max--) {
        struct tw_packet_out ours;
        struct model_packet theirs;
        int rc;

        do
            rc = tw_trace_buffer_next_packet(pair->real, &ours);
        while (rc == TW_AGAIN);
        CHECK(rc == buffer_model_next_packet(pair->model, &theirs));
        if (rc)
            break;
        CHECK(tw_writer_key_number(ours.seq) == tw_writer_key_number(theirs.seq));
        CHECK(ours.peer.uid == theirs.peer.uid && ours.peer.pid == theirs.peer.pid);
        CHECK(ours.dropped == theirs.dropped);
        CHECK(same_bytes(&ours, &theirs));
        s->n_packets++;
    }
    compare_stats(pair);
}

static void begin_read(const struct pair *pair, bool last)
{
    tw_trace_buffer_begin_read(pair->real, last);
    buffer_model_begin_read(pair->model, last);
}

static void end(const struct pair *pair)
{
    tw_trace_buffer_free(pair->real);
    buffer_model_free(pair->model);
}

/* Writing. */

static void put_fragment(struct script *s, struct tw_writer *w)
{
    uint8_t what = next(s);
    size_t size = what < SIZE_MORE ? what : (size_t)(what - SIZE_MORE + 1) * SIZE_STEP;

    if (what == SIZE_BROKEN) {
        tw_put_raw(w, (const uint8_t[]){255, 255, 255, 255, 255, 255, 255, 255, 255, 255}, 10);
        return;
    }
    if (what == SIZE_DROP) {
        tw_put_raw(w, (const uint8_t[]){255, 255, 255, 127}, 4);
        return;
    }
    if (what == SIZE_LONG)
        tw_put_raw(w, (const uint8_t[]){129, 128, 128, 0}, 4);
    else
        tw_put_varint(w, size);
    for (size_t i = what == SIZE_LONG ? 1 : size; i > 0; i--)
        tw_put_raw(w, &s->fill, 1);
    s->fill++;
}

static void give(struct script *s, const struct tw_chunk_in *in)
{
    struct tw_chunk_in exact = *in;

    CHECK(tw_trace_buffer_write(s->pair.real, in) == buffer_model_write(s->pair.model, &exact));
}

/* A chunk with the next id of its writer, moved by so many. */
static void new_chunk(struct script *s, uint32_t moved)
{
    struct chunk *c = &s->chunks[s->n_chunks++ % REMEMBERED];
    struct tw_writer w = tw_writer_of(c->bytes, sizeof(c->bytes));
    uint8_t how = next(s), shape = next(s), spare = next(s);
    uint32_t *next_id = &s->next_ids[how % WRITERS];

    *next_id += moved;
    c->in = (struct tw_chunk_in){
        .seq = {.producer = 7, .writer_id = (uint16_t)(how % WRITERS + 1), .life = how >> 7},
        .peer = {.uid = 1000, .pid = 42},
        .chunk_id = (*next_id)++,
        .flags = shape & TW_CHUNK_FLAGS_MASK,
        .complete = (how / WRITERS & 3) != 0,
    };
    for (int i = shape >> 3 & 7; i > 0; i--, c->in.n_fragments++)
        put_fragment(s, &w);
    if (shape >> 6 == 3) /* the count lies */
        c->in.n_fragments = (uint16_t)(c->in.n_fragments + spare % 4);
    spare = (uint8_t)(spare & ~3);
    for (size_t i = 0; i < (size_t)spare * 4; i++)
        tw_put_raw(&w, "", 1);
    c->in.payload = (struct tw_shared_bytes){tw_shared_of(c->bytes), tw_writer_size(&w)};
    give(s, &c->in);
}

/* One that was given before, perhaps with another count, complete or not. */
static void same_chunk(struct script *s)
{
    uint8_t which = next(s), how = next(s);
    struct tw_chunk_in in = s->chunks[which % REMEMBERED].in;

    if (!in.payload.p)
        return;
    in.complete = how & 1;
    in.n_fragments = (uint16_t)(tw_max(in.n_fragments + (how >> 1 & 7), 4) - 4);
    if (how & 16)
        in.flags = how >> 5;
    give(s, &in);
}

static void patch(struct script *s)
{
    uint8_t how = next(s), back = next(s), n = next(s) & 3;
    struct tw_writer_key key = {
        .producer = 7, .writer_id = (uint16_t)(how % WRITERS + 1), .life = how >> 7};
    uint32_t id = s->next_ids[how % WRITERS] - 1 - back % 16;
    struct tw_patch patches[3];

    n = (uint8_t)tw_min(n, 3);
    for (uint8_t i = 0; i < n; i++) {
        patches[i].offset = next(s);
        for (size_t k = 0; k < sizeof(patches[i].data); k++)
            patches[i].data[k] = next(s);
        if (how & 64)
            patches[i].offset = UINT32_MAX - patches[i].offset;
    }
    CHECK(tw_trace_buffer_patch(s->pair.real, key, id, patches, n, back >> 7) ==
          buffer_model_patch(s->pair.model, key, id, patches, n, back >> 7));
}

/* The clones are read, or live on in the place of the originals. */
static void clone_both(struct script *s)
{
    REQ("TW-BUF-071");
    uint8_t how = next(s);
    struct pair clone = {.model = buffer_model_clone(s->pair.model)};

    CHECK(!tw_trace_buffer_clone(s->pair.real, &clone.real));
    compare_stats(&clone);
    if (how & 1) {
        end(&s->pair);
        s->pair = clone;
        return;
    }
    begin_read(&clone, how & 2);
    compare_packets(s, &clone, SIZE_MAX);
    end(&clone);
}

/* Something large, so that rings go round. */
static void filler(struct script *s)
{
    static uint8_t bytes[CHUNK_MAX];
    size_t size = next(s) * (size_t)23;
    struct tw_writer w = tw_writer_of(bytes, sizeof(bytes));
    struct tw_chunk_in in = {
        .seq = {.producer = 8, .writer_id = 1},
        .chunk_id = (uint32_t)s->n_packets << 16 | s->fill,
        .n_fragments = 1,
        .complete = true,
    };

    tw_put_varint(&w, size);
    memset(w.p, s->fill++, (size_t)(w.end - w.p));
    in.payload = (struct tw_shared_bytes){tw_shared_of(bytes), tw_writer_size(&w) + size};
    give(s, &in);
}

static void step(struct script *s)
{
    uint8_t which = next(s);

    switch (which % 12) {
    default:
        new_chunk(s, 0);
        return;
    case 5:
        new_chunk(s, (uint32_t)(int8_t)next(s));
        return;
    case 6:
        new_chunk(s, (uint32_t)next(s) << 24);
        return;
    case 7:
        same_chunk(s);
        return;
    case 8:
        patch(s);
        return;
    case 9:
        begin_read(&s->pair, which > 240);
        compare_packets(s, &s->pair, next(s) & 15);
        return;
    case 10:
        clone_both(s);
        return;
    case 11:
        if (which < 128)
            filler(s);
        else
            compare_packets(s, &s->pair, SIZE_MAX);
        return;
    }
}

size_t buffer_script_run(struct tw_bytes bytes)
{
    static struct script s;
    enum tw_fill_policy policy;
    uint64_t size;
    uint8_t first;

    s = (struct script){.input = bytes};
    first = next(&s);
    size = (uint64_t)(first & 7) * 4096;
    policy = first & 128 ? TW_FILL_DISCARD : TW_FILL_RING;
    CHECK(!tw_trace_buffer_new(&s.pair.real, size, policy));
    memset(s.pair.real->hash_key, 1, sizeof(s.pair.real->hash_key)); /* no chance in it */
    s.pair.model = buffer_model_new(size, policy);
    while (s.input.n)
        step(&s);
    for (int last = 0; last < 2; last++) {
        begin_read(&s.pair, last);
        compare_packets(&s, &s.pair, SIZE_MAX);
    }
    end(&s.pair);
    return s.n_packets;
}
