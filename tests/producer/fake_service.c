/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/producer/fake_service.h"

#include <stdlib.h>
#include <string.h>

#include "tests/harness.h"
#include "wire/reader.h"

struct tw_arbiter *fake_arbiter(size_t size, size_t page_size, enum tw_page_layout layout,
                                bool direct_patching)
{
    struct tw_arbiter_config config = {
        .page_size = page_size, .layout = layout, .direct_patching = direct_patching};
    struct tw_arbiter *arbiter;
    struct tw_shm shm;

    assert_int_equal(tw_shm_create(&shm, size), 0);
    assert_int_equal(tw_arbiter_new(&arbiter, &shm, &config), 0);
    assert_null(shm.p);
    return arbiter;
}

static struct fake_chunk *find(const struct fake_service *s, uint16_t writer_id, uint32_t chunk_id)
{
    for (size_t i = s->n; i > 0; i--)
        if (s->chunks[i - 1].header.writer_id == writer_id &&
            s->chunks[i - 1].header.chunk_id == chunk_id)
            return &s->chunks[i - 1];
    return NULL;
}

static void take_move(struct fake_service *s, const struct tw_move *move)
{
    struct tw_smb_chunk chunk;
    struct fake_chunk *c;

    assert_int_equal(
        tw_smb_acquire_for_reading(&s->arbiter->smb, move->chunk.page, move->chunk.idx, &chunk), 0);
    if (s->n == s->cap) {
        s->cap = s->cap ? s->cap * 2 : 64;
        s->chunks = realloc(s->chunks, s->cap * sizeof(*s->chunks));
        assert_non_null(s->chunks);
    }
    c = &s->chunks[s->n];
    c->header = tw_chunk_load(chunk.header);
    assert_int_equal(c->header.writer_id, move->writer_id);
    assert_int_equal(c->header.chunk_id, move->chunk_id);
    assert_null(find(s, move->writer_id, move->chunk_id));
    c->n = chunk.payload_size;
    c->payload = malloc(c->n);
    assert_non_null(c->payload);
    tw_shared_copy(c->payload, chunk.payload, c->n);
    s->n++;
    s->moves++;
    assert_int_equal(tw_smb_release_as_free(&s->arbiter->smb, &chunk), 0);
}

static void take_patch(struct fake_service *s, const struct tw_late_patch *patch)
{
    struct fake_chunk *c = find(s, patch->writer_id, patch->chunk_id);

    assert_non_null(c);
    assert_true(c->header.flags & TW_CHUNK_NEEDS_PATCHING);
    assert_true(patch->offset + sizeof(patch->bytes) <= c->n);
    memcpy(c->payload + patch->offset, patch->bytes, sizeof(patch->bytes));
    if (!patch->has_more)
        c->header.flags &= (uint8_t)~TW_CHUNK_NEEDS_PATCHING;
    s->patches++;
}

static bool take_moves(struct fake_service *s)
{
    struct tw_move moves[16];
    size_t n = tw_arbiter_take_moves(s->arbiter, moves, 16);

    for (size_t i = 0; i < n; i++)
        take_move(s, &moves[i]);
    return n > 0;
}

static bool take_patches(struct fake_service *s)
{
    struct tw_late_patch patches[16];
    size_t n = tw_arbiter_take_patches(s->arbiter, patches, 16);

    for (size_t i = 0; i < n; i++)
        take_patch(s, &patches[i]);
    return n > 0;
}

bool fake_service_pump(struct fake_service *s)
{
    struct tw_writer_reg *reg;
    bool any = false, more = true;

    (void)tw_arbiter_wake(s->arbiter, true);
    while (tw_arbiter_take_new(s->arbiter))
        any = true;
    while (more) {
        more = take_moves(s);
        more = take_patches(s) || more;
        any = any || more;
    }
    while ((reg = tw_arbiter_take_gone(s->arbiter))) {
        any = true;
        tw_arbiter_free_writer(s->arbiter, reg);
    }
    return any;
}

static void add(struct fake_packets *out, uint8_t *p, size_t n)
{
    struct tw_reader reader = tw_reader_of((struct tw_bytes){p, n});
    struct tw_field f;
    int r;

    while ((r = tw_read_field(&reader, &f)) == 0)
        out->told += f.number == 42;
    assert_int_equal(r, TW_MORE);
    out->list = realloc(out->list, (out->n + 1) * sizeof(*out->list));
    assert_non_null(out->list);
    out->list[out->n++] = (struct fake_packet){p, n};
}

struct joiner {
    uint8_t *p; /* the packet so far; NULL when none is open */
    size_t n;
};

/* One fragment of size bytes, or the mark of a dropped packet. */
static void join(struct joiner *j, struct fake_packets *out, const uint8_t *p, size_t n, bool first,
                 bool last)
{
    if (first && j->p) { /* the writer gave up the one before */
        free(j->p);
        *j = (struct joiner){0};
        out->dropped++;
    }
    assert_true((j->p != NULL) == !first);
    j->p = realloc(j->p, j->n + n + 1);
    assert_non_null(j->p);
    memcpy(j->p + j->n, p, n);
    j->n += n;
    if (!last)
        return;
    add(out, j->p, j->n);
    *j = (struct joiner){0};
}

static void read_chunk(const struct fake_chunk *c, struct joiner *j, struct fake_packets *out)
{
    struct tw_reader r = tw_reader_of((struct tw_bytes){c->payload, c->n});

    assert_false(c->header.flags & TW_CHUNK_NEEDS_PATCHING);
    for (uint16_t i = 0; i < c->header.n_packets; i++) {
        bool first = i > 0 || !(c->header.flags & TW_CHUNK_FIRST_CONTINUES);
        bool last = i + 1 < c->header.n_packets || !(c->header.flags & TW_CHUNK_LAST_CONTINUES);
        uint64_t size;

        assert_int_equal(tw_read_varint(&r, &size), 0);
        if (size == TW_PACKET_SIZE_DROP) {
            assert_int_equal(i + 1, c->header.n_packets);
            assert_true(last);
            free(j->p);
            *j = (struct joiner){0};
            out->dropped++;
            return;
        }
        assert_true(size <= tw_reader_left(&r));
        join(j, out, r.p, (size_t)size, first, last);
        r.p += size;
    }
}

struct fake_packets fake_service_packets(const struct fake_service *s, uint16_t writer_id)
{
    struct fake_packets out = {0};
    struct joiner j = {0};
    const struct fake_chunk *c;

    for (uint32_t id = 0; (c = find(s, writer_id, id)); id++)
        read_chunk(c, &j, &out);
    out.dropped += j.p != NULL;
    free(j.p);
    return out;
}

void fake_packets_free(struct fake_packets *packets)
{
    for (size_t i = 0; i < packets->n; i++)
        free(packets->list[i].p);
    free(packets->list);
    *packets = (struct fake_packets){0};
}

void fake_service_deinit(struct fake_service *s)
{
    for (size_t i = 0; i < s->n; i++)
        free(s->chunks[i].payload);
    free(s->chunks);
    tw_arbiter_unref(s->arbiter);
    *s = (struct fake_service){0};
}
