/* SPDX-License-Identifier: Apache-2.0 */
#include "producer/commits.h"

#include <errno.h>
#include <stdlib.h>

#include "base/macros.h"
#include "tracewire/producer.h"

int tw_commits_init(struct tw_commits *commits, size_t n_chunks)
{
    *commits = (struct tw_commits){
        .moves = {.ring = calloc(n_chunks, sizeof(struct tw_move)), .cap = n_chunks},
    };
    return commits->moves.ring ? 0 : -ENOMEM;
}

int tw_commits_reserve(struct tw_commits *commits, size_t n_writers)
{
    struct tw_patch_queue *q = &commits->patches, bigger = {0};
    size_t need = (commits->moves.cap + n_writers) * TW_NEST_MAX;

    if (need <= q->cap)
        return 0;
    bigger.cap = tw_max(need, q->cap * 2);
    bigger.ring = calloc(bigger.cap, sizeof(*bigger.ring));
    if (!bigger.ring)
        return -ENOMEM;
    for (; bigger.n < q->n; bigger.n++)
        bigger.ring[bigger.n] = q->ring[(q->head + bigger.n) % q->cap];
    free(q->ring);
    *q = bigger;
    return 0;
}

void tw_commits_deinit(struct tw_commits *commits)
{
    free(commits->moves.ring);
    free(commits->patches.ring);
    *commits = (struct tw_commits){0};
}

int tw_commits_add_move(struct tw_commits *commits, const struct tw_move *move)
{
    struct tw_move_queue *q = &commits->moves;

    if (q->n == q->cap)
        return TW_E_LIMIT;
    q->ring[(q->head + q->n++) % q->cap] = *move;
    return 0;
}

int tw_commits_add_patch(struct tw_commits *commits, const struct tw_late_patch *patch)
{
    struct tw_patch_queue *q = &commits->patches;

    if (q->n == q->cap)
        return TW_E_LIMIT;
    q->ring[(q->head + q->n) % q->cap] = *patch;
    q->ring[(q->head + q->n++) % q->cap].after = commits->moves.taken + commits->moves.n;
    return 0;
}

struct tw_move *tw_commits_find_open(const struct tw_commits *commits, uint16_t writer_id,
                                     uint32_t chunk_id)
{
    const struct tw_move_queue *q = &commits->moves;

    /* Newest first: that is where a chunk that is being patched usually is. */
    for (size_t i = q->n; i > 0; i--) {
        struct tw_move *m = &q->ring[(q->head + i - 1) % q->cap];

        if (m->open && m->writer_id == writer_id && m->chunk_id == chunk_id)
            return m;
    }
    return NULL;
}

size_t tw_commits_take_moves(struct tw_commits *commits, struct tw_move *out, size_t max)
{
    struct tw_move_queue *q = &commits->moves;
    size_t n = tw_min(q->n, max);

    for (size_t i = 0; i < n; i++) {
        out[i] = q->ring[q->head];
        q->head = (q->head + 1) % q->cap;
    }
    q->n -= n;
    q->taken += n;
    return n;
}

size_t tw_commits_take_patches(struct tw_commits *commits, struct tw_late_patch *out, size_t max)
{
    struct tw_patch_queue *q = &commits->patches;
    size_t n = 0;

    while (n < max && q->n > 0 && q->ring[q->head].after <= commits->moves.taken) {
        out[n++] = q->ring[q->head];
        q->head = (q->head + 1) % q->cap;
        q->n--;
    }
    return n;
}

/* The chunk whole, header included. */
static void put_chunk(struct tw_writer *w, const struct tw_smb_chunk *chunk)
{
    size_t n = TW_CHUNK_HEADER_SIZE + chunk->payload_size;

    tw_put_len(w, 4, n);
    w->overflow = w->overflow || n > (size_t)(w->end - w->p);
    if (w->overflow)
        return;
    tw_shared_copy(w->p, chunk->header, n);
    w->p += n;
}

void tw_commits_put_moves(struct tw_writer *w, const struct tw_move *moves, size_t n, bool inlined)
{
    for (size_t i = 0; i < n; i++) {
        uint8_t *nested = tw_put_begin(w, 1);

        tw_put_u64(w, 1, moves[i].chunk.page);
        tw_put_u64(w, 2, moves[i].chunk.idx);
        tw_put_u64(w, 3, moves[i].target_buffer);
        if (inlined)
            put_chunk(w, &moves[i].chunk);
        tw_put_end(w, nested);
    }
}

static bool same_chunk(const struct tw_late_patch *a, const struct tw_late_patch *b)
{
    return a->writer_id == b->writer_id && a->chunk_id == b->chunk_id;
}

static void put_patch(struct tw_writer *w, const struct tw_late_patch *patch)
{
    uint8_t *nested = tw_put_begin(w, 4);

    tw_put_u64(w, 1, patch->offset);
    tw_put_bytes(w, 2, (struct tw_bytes){patch->bytes, sizeof(patch->bytes)});
    tw_put_end(w, nested);
}

void tw_commits_put_patches(struct tw_writer *w, const struct tw_late_patch *patches, size_t n)
{
    /* Neighbours of one chunk share a ChunkToPatch; the last of them says whether more will come.
     */
    for (size_t i = 0; i < n;) {
        const struct tw_late_patch *first = &patches[i];
        uint8_t *nested = tw_put_begin(w, 2);

        tw_put_u64(w, 1, first->target_buffer);
        tw_put_u64(w, 2, first->writer_id);
        tw_put_u64(w, 3, first->chunk_id);
        for (; i < n && same_chunk(first, &patches[i]); i++)
            put_patch(w, &patches[i]);
        if (patches[i - 1].has_more)
            tw_put_bool(w, 5, true);
        tw_put_end(w, nested);
    }
}
