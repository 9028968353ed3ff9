/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writers that nest as they like, in a shared memory of a few pages, and a service that takes
 * chunks, scrapes and patches when it likes: what comes out of its trace buffer is, byte for byte,
 * each packet that tw_writer_end() said was written, in order, and after a loss one that tells.
 *
 *   script := u8 memory and policy, operation*      operation := u8 writer and what, u8 argument
 */
#include "fuzz/check.h"

#include <stdint.h>
#include <string.h>

#include "base/macros.h"
#include "producer/trace_writer.h"
#include "service/trace_buffer_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    WRITERS = 3,
    PAGE = 4096,
    BUFFER = 4 << 20,     /* bytes; holds all that is written */
    WRITTEN_MAX = 200000, /* bytes of a writer */
    PACKETS_MAX = 1000,   /* of a writer */
    RUN_MAX = 256 * 97,   /* bytes at once */
    TAKE_MAX = 8,
    FIELD_NUMBER = 8,
    FIELD_BYTES = 7,
    FIELD_NESTED = 900,
};

enum op { BEGIN, END, NEST, UNNEST, NUMBER, SHORT, LONG, FLUSH, MOVE, PATCH, SCRAPE, READ, OPS };

struct expected {
    size_t at, n;    /* in bytes */
    bool after_loss; /* something before it was lost */
};

/* A writer, and what it should have written. */
struct model {
    struct tw_trace_writer *w;
    uint64_t packets; /* written, of its statistics */
    uint8_t bytes[WRITTEN_MAX + 2 * RUN_MAX];
    size_t n, begin; /* the packet that is open, or was given up */
    bool open;
    size_t depth, nest[TW_NEST_MAX];
    struct expected queue[PACKETS_MAX];
    size_t written, read;
    bool lost, ever_lost, told;
};

struct world {
    struct tw_bytes input;
    struct tw_arbiter *arbiter;
    struct tw_trace_buffer *buffer;
    bool early; /* scraped while chunks waited to be taken: their successors may come before them */
    struct model models[WRITERS];
};

static uint8_t text[RUN_MAX];

static uint8_t next(struct world *s)
{
    if (s->input.n == 0)
        return 0;
    s->input.n--;
    return *s->input.p++;
}

/* ---- what is expected ---- */

static void append(struct model *m, const void *p, size_t n)
{
    memcpy(m->bytes + m->n, p, n);
    m->n += n;
}

static void append_varint(struct model *m, uint64_t value)
{
    uint8_t buf[10];
    struct tw_writer w = tw_writer_of(buf, sizeof(buf));

    tw_put_varint(&w, value);
    append(m, buf, tw_writer_size(&w));
}

static void close_nested(struct model *m)
{
    size_t at = m->nest[--m->depth];

    tw_write_padded_size(m->bytes + at, (uint32_t)(m->n - at - TW_WIRE_SIZE_BYTES));
}

/* Whatever ended it, the statistics say what became of it. */
static void note_end(struct model *m)
{
    struct tw_writer_stats stats;

    tw_writer_stats(m->w, &stats);
    if (!m->open)
        return;
    m->open = false;
    while (m->depth > 0)
        close_nested(m);
    if (stats.packets == m->packets) {
        m->n = m->begin;
        m->lost = m->ever_lost = true;
        return;
    }
    CHECK(stats.packets == ++m->packets);
    m->queue[m->written++] = (struct expected){m->begin, m->n - m->begin, m->lost};
    m->lost = false;
}

/* ---- writing ---- */

static void begin(struct model *m)
{
    if (m->written == PACKETS_MAX || m->n > WRITTEN_MAX)
        return;
    tw_writer_begin(m->w);
    note_end(m); /* of the one before */
    m->open = true;
    m->begin = m->n;
    m->depth = 0;
    tw_writer_u64(m->w, FIELD_NUMBER, m->written);
    append_varint(m, FIELD_NUMBER << 3);
    append_varint(m, m->written);
}

static void nest(struct model *m)
{
    static const uint8_t no_size[TW_WIRE_SIZE_BYTES];

    tw_writer_nest(m->w, FIELD_NESTED);
    if (!m->open || m->depth == TW_NEST_MAX)
        return; /* too deep: given up */
    append_varint(m, FIELD_NESTED << 3 | 2);
    m->nest[m->depth++] = m->n;
    append(m, no_size, sizeof(no_size));
}

static void unnest(struct model *m)
{
    tw_writer_unnest(m->w);
    if (m->open && m->depth > 0)
        close_nested(m);
}

static void put_number(struct model *m, uint64_t value)
{
    tw_writer_u64(m->w, FIELD_NUMBER, value);
    if (!m->open)
        return;
    append_varint(m, FIELD_NUMBER << 3);
    append_varint(m, value);
}

static void put_bytes(struct model *m, size_t n)
{
    if (m->n > WRITTEN_MAX)
        return;
    tw_writer_bytes(m->w, FIELD_BYTES, (struct tw_bytes){text, n});
    if (!m->open)
        return;
    append_varint(m, FIELD_BYTES << 3 | 2);
    append_varint(m, n);
    append(m, text, n);
}

/* ---- the service ---- */

static struct tw_writer_key key_of(uint16_t writer_id)
{
    return (struct tw_writer_key){.producer = 1, .writer_id = writer_id};
}

static void give(struct world *s, const struct tw_smb_chunk *chunk,
                 const struct tw_chunk_header *header, bool complete)
{
    struct tw_chunk_in in = {
        .seq = key_of(header->writer_id),
        .peer = {.uid = 1, .pid = 1},
        .chunk_id = header->chunk_id,
        .n_fragments = header->n_packets,
        .flags = header->flags,
        .complete = complete,
        .payload = {.p = chunk->payload, .n = chunk->payload_size},
    };
    int r = tw_trace_buffer_write(s->buffer, &in);

    CHECK(r == 0 || r == TW_E_EXISTS);
}

static bool take_moves(struct world *s, size_t max)
{
    struct tw_move moves[TAKE_MAX];
    size_t n = tw_arbiter_take_moves(s->arbiter, moves, max);

    for (size_t i = 0; i < n; i++) {
        struct tw_smb_chunk chunk;
        struct tw_chunk_header header;

        CHECK(!tw_smb_acquire_for_reading(&s->arbiter->smb, moves[i].chunk.page, moves[i].chunk.idx,
                                          &chunk));
        header = tw_chunk_load(chunk.header);
        CHECK(header.writer_id == moves[i].writer_id && header.chunk_id == moves[i].chunk_id);
        give(s, &chunk, &header, true);
        CHECK(!tw_smb_release_as_free(&s->arbiter->smb, &chunk));
    }
    return n > 0;
}

static bool take_patches(struct world *s, size_t max)
{
    struct tw_late_patch patches[TAKE_MAX];
    size_t n = tw_arbiter_take_patches(s->arbiter, patches, max);

    for (size_t i = 0; i < n; i++) {
        struct tw_patch patch = {.offset = patches[i].offset};
        int r;

        memcpy(patch.data, patches[i].bytes, sizeof(patch.data));
        r = tw_trace_buffer_patch(s->buffer, key_of(patches[i].writer_id), patches[i].chunk_id,
                                  &patch, 1, patches[i].has_more);
        CHECK(r == 0 || s->early);
    }
    return n > 0;
}

/* A writer that stalls gets all that others have handed over. */
static void commit_now(void *user)
{
    while (take_moves(user, TAKE_MAX)) {
    }
}

static void scrape(struct world *s)
{
    struct tw_smb_walk walk = {0};
    struct tw_smb_scrape found;

    s->early = s->early || s->arbiter->commits.moves.n > 0;
    while (!tw_smb_walk_next(&s->arbiter->smb, &walk, &found))
        give(s, &found.chunk, &found.header, found.complete);
}

/* ---- reading ---- */

/* Takes off what the library puts in front; whether that tells of a loss. */
static bool take_marks(struct tw_bytes *packet)
{
    static const uint8_t loss[] = {0xd0, 0x02, 1}, first[] = {0xb8, 0x05, 1};
    bool told = packet->n >= sizeof(loss) && memcmp(packet->p, loss, sizeof(loss)) == 0;

    *packet = (struct tw_bytes){packet->p + told * sizeof(loss), packet->n - told * sizeof(loss)};
    if (packet->n >= sizeof(first) && memcmp(packet->p, first, sizeof(first)) == 0)
        *packet = (struct tw_bytes){packet->p + sizeof(first), packet->n - sizeof(first)};
    return told;
}

static bool is_it(const struct model *m, struct tw_bytes packet)
{
    const struct expected *e = &m->queue[m->read];

    return packet.n == e->n && memcmp(packet.p, m->bytes + e->at, e->n) == 0;
}

/* Those that the buffer gave up, because chunks behind theirs were read before it had theirs. */
static void pass_over(struct world *s, struct model *m, struct tw_bytes packet, bool dropped)
{
    while (s->early && dropped && m->read < m->written && !is_it(m, packet))
        m->read++;
}

static void judge(struct world *s, struct model *m, struct tw_bytes packet, bool dropped)
{
    bool told = take_marks(&packet);

    CHECK(!told || m->ever_lost);
    m->told = m->told || told;
    if (packet.n == 0 && told)
        return; /* only tells: at a flush */
    pass_over(s, m, packet, dropped);
    CHECK(m->read < m->written);
    CHECK(is_it(m, packet));
    CHECK(m->told || dropped || !m->queue[m->read].after_loss);
    m->told = false;
    m->read++;
}

static void read_packets(struct world *s, bool last)
{
    static uint8_t whole[WRITTEN_MAX + 2 * RUN_MAX];
    struct tw_packet_out out;
    int r;

    tw_trace_buffer_begin_read(s->buffer, last);
    while ((r = tw_trace_buffer_next_packet(s->buffer, &out)) != TW_MORE) {
        size_t n = 0;

        if (r)
            continue;
        CHECK(out.size <= sizeof(whole) && out.seq.writer_id <= WRITERS);
        for (size_t i = 0; i < out.n_slices; i++) {
            memcpy(whole + n, out.slices[i].p, out.slices[i].n);
            n += out.slices[i].n;
        }
        judge(s, &s->models[out.seq.writer_id - 1], (struct tw_bytes){whole, n}, out.dropped);
    }
}

/* ---- a run ---- */

static void set_up(struct world *s, uint8_t setup)
{
    uint32_t pages = 1U << (setup >> 4 & 3);
    struct tw_arbiter_config config = {
        .page_size = PAGE,
        .layout = (enum tw_page_layout)(TW_PAGE_DIV1 + setup % 5),
        .direct_patching = setup & 8,
        .commit_now = commit_now,
        .user = s,
    };
    enum tw_exhausted policy = TW_EXHAUSTED_DROP;
    struct tw_shm shm;

    /* With a chunk for each writer and one more nobody waits for what will not come. */
    if (setup & 64 && pages * tw_layout_chunks((uint32_t)config.layout) > WRITERS)
        policy = setup & 128 ? TW_EXHAUSTED_STALL : TW_EXHAUSTED_STALL_THEN_DROP;
    CHECK(!tw_shm_create(&shm, (size_t)pages * PAGE));
    CHECK(!tw_arbiter_new(&s->arbiter, &shm, &config));
    CHECK(!tw_trace_buffer_new(&s->buffer, BUFFER, TW_FILL_DISCARD));
    memset(s->buffer->hash_key, 1, sizeof(s->buffer->hash_key)); /* the same input, the same path */
    for (uint16_t i = 0; i < WRITERS; i++) {
        CHECK(!tw_trace_writer_new(&s->models[i].w, s->arbiter, 1, policy));
        CHECK(s->models[i].w->reg->id == i + 1);
    }
}

static void write_op(struct model *m, enum op op, uint8_t arg)
{
    switch (op) {
    case BEGIN:
        begin(m);
        break;
    case END:
        (void)!tw_writer_end(m->w);
        note_end(m);
        break;
    case NEST:
        nest(m);
        break;
    case UNNEST:
        unnest(m);
        break;
    case NUMBER:
        put_number(m, (uint64_t)arg << (arg & 56));
        break;
    case SHORT:
        put_bytes(m, arg);
        break;
    default:
        put_bytes(m, arg * (size_t)97);
        break;
    }
}

static void step(struct world *s)
{
    uint8_t what = next(s), arg = next(s);
    struct model *m = &s->models[what / OPS % WRITERS];
    enum op op = (enum op)(what % OPS);

    if (op < FLUSH)
        write_op(m, op, arg);
    else if (op == FLUSH)
        tw_writer_flush(m->w);
    else if (op == MOVE)
        take_moves(s, 1 + arg % TAKE_MAX);
    else if (op == PATCH)
        take_patches(s, 1 + arg % TAKE_MAX);
    else if (op == SCRAPE)
        scrape(s);
    else
        read_packets(s, false);
}

static void take_all(struct world *s)
{
    bool any = true;

    while (any) {
        any = take_moves(s, TAKE_MAX);
        any = take_patches(s, TAKE_MAX) || any;
    }
}

static void tear_down(struct world *s)
{
    struct tw_writer_reg *reg;

    while (tw_arbiter_take_new(s->arbiter)) {
    }
    for (size_t i = 0; i < WRITERS; i++) {
        struct model *m = &s->models[i];

        (void)!tw_writer_end(m->w);
        note_end(m);
        take_all(s);
        tw_writer_free(m->w);
    }
    take_all(s);
    read_packets(s, true);
    for (size_t i = 0; i < WRITERS; i++)
        CHECK(s->models[i].read == s->models[i].written || s->early);
    while ((reg = tw_arbiter_take_gone(s->arbiter)))
        tw_arbiter_free_writer(s->arbiter, reg);
    CHECK(s->arbiter->broken == 0 && tw_arbiter_is_empty(s->arbiter));
    tw_arbiter_unref(s->arbiter);
    tw_trace_buffer_free(s->buffer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct world s;

    for (size_t i = 0; text[1] == 0 && i < sizeof(text); i++)
        text[sizeof(text) - 1 - i] = (uint8_t)(i * 7 + i / 251 + 1);
    s.input = (struct tw_bytes){data, size};
    s.early = false;
    for (size_t i = 0; i < WRITERS; i++) {
        struct model *m = &s.models[i];

        m->packets = m->n = m->begin = m->depth = m->written = m->read = 0;
        m->open = m->lost = m->ever_lost = m->told = false;
    }
    set_up(&s, next(&s));
    while (s.input.n)
        step(&s);
    tear_down(&s);
    return 0;
}
