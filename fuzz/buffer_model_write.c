/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz/buffer_model_internal.h"

#include <string.h>

#include "base/macros.h"

int model_fragment(const uint8_t *p, size_t n, size_t at, size_t *ret_begin, size_t *ret_end)
{
    uint64_t size = 0;

    if (at >= n)
        return TW_MORE;
    for (unsigned int shift = 0;; shift += 7) {
        if (at == n || shift == 70 || (shift == 63 && p[at] > 1))
            return TW_LOSS_CHUNK_CORRUPTED;
        size |= (uint64_t)(p[at] & 127) << shift;
        if (p[at++] < 128)
            break;
    }
    if (size == 268435455)
        return TW_LOSS_WRITER_ABORT;
    if (size > n - at)
        return TW_LOSS_CHUNK_CORRUPTED;
    *ret_begin = at;
    *ret_end = at + (size_t)size;
    return 0;
}

void model_count_losses(struct buffer_model *m, uint32_t losses)
{
    m->stats.trace_writer_packet_loss += (losses & TW_LOSS_WRITER_ABORT) != 0;
    m->stats.abi_violations += (losses & TW_LOSS_CHUNK_CORRUPTED) != 0;
}

static uint16_t counted(const struct tw_chunk_in *in)
{
    return (uint16_t)(in->n_fragments - (!in->complete && in->n_fragments > 0));
}

/* The chunk is as it came now, but for what is read of it. */
static void take(struct buffer_model *m, struct model_chunk *c, const struct tw_chunk_in *in)
{
    size_t n = tw_min(in->payload.n, c->room), begin;
    int why = 0;

    if (n > c->read)
        tw_shared_copy(c->bytes + c->read, tw_shared_at(in->payload.p, c->read), n - c->read);
    c->sound = 0;
    for (c->fragments = 0; c->fragments < counted(in); c->fragments++) {
        why = model_fragment(c->bytes, n, c->sound, &begin, &c->sound);
        if (why)
            break;
    }
    if (why == TW_MORE) /* fewer than it counts */
        why = TW_LOSS_CHUNK_CORRUPTED;
    c->sound = tw_max(c->sound, c->read);
    c->complete = in->complete;
    c->first_goes_on = in->flags & TW_CHUNK_FIRST_CONTINUES;
    c->last_goes_on = in->complete && !why && in->flags & TW_CHUNK_LAST_CONTINUES;
    c->needs_patching = in->complete && !why && in->flags & TW_CHUNK_NEEDS_PATCHING;
    model_count_losses(m, (uint32_t)why & ~c->lost);
    c->lost |= (uint32_t)why;
}

/* What came again and has nothing that is not read goes at once. */
static void settle(struct buffer_model *m, struct model_chunk *chunk)
{
    if (chunk->read > 0 && chunk->read == chunk->sound)
        model_consume(m, chunk, chunk->read);
}

static void count_size(struct model_seq *seq, size_t size)
{
    static const size_t ends[] = {8, 32, 128, 512, 1024, 2048, 4096, 8192, 12288, 16384};
    size_t i = 0;

    while (i < TW_ARRAY_LEN(ends) && size > ends[i])
        i++;
    seq->histogram.counts[i]++;
    seq->histogram.sums[i] += size;
}

static void store(struct buffer_model *m, struct model_seq *seq, const struct tw_chunk_in *in,
                  size_t read, uint32_t lost)
{
    struct model_chunk *c = model_grow(NULL, 0, sizeof(*c));
    struct model_record *r;

    model_make_room(m, model_record_size(in->payload.n));
    *c = (struct model_chunk){
        .seq = seq,
        .id = in->chunk_id,
        .room = in->payload.n,
        .bytes = model_grow(NULL, in->payload.n, 1),
        .lost = lost,
    };
    take(m, c, in);
    c->read = tw_min(read, c->sound);
    if (c->complete)
        c->room = c->sound;
    m->records = model_grow(m->records, m->n_records, sizeof(*m->records));
    r = &m->records[m->n_records++];
    *r = (struct model_record){m->lap, m->write_at, model_record_size(c->room), c};
    m->write_at += r->size;
    model_insert(m, seq, c);
    m->stats.chunks_written++;
    m->stats.bytes_written += r->size;
    count_size(seq, c->sound);
    settle(m, c);
}

static int again(struct buffer_model *m, struct model_chunk *c, const struct tw_chunk_in *in)
{
    struct model_seq *seq = c->seq;
    size_t read = c->read;
    uint32_t lost = c->lost & TW_LOSS_OVERWRITE;

    if (!(c->complete ? c->needs_patching && in->complete
                      : in->complete || counted(in) != c->fragments))
        return TW_E_EXISTS;
    if (counted(in) < c->fragments) {
        m->stats.abi_violations++;
        if (in->complete) {
            c->complete = true;
            c->lost |= TW_LOSS_CHUNK_CORRUPTED;
        }
        return TW_E_PROTOCOL;
    }
    if (model_is_old(m, c)) {
        model_remove(m, c);
        m->stats.chunks_relocated++;
        store(m, seq, in, read, lost);
        return 0;
    }
    take(m, c, in);
    m->stats.chunks_rewritten++;
    settle(m, c);
    return 0;
}

static int discard(struct buffer_model *m, int why)
{
    m->stats.chunks_discarded++;
    return why;
}

int buffer_model_write(struct buffer_model *m, const struct tw_chunk_in *in)
{
    struct model_seq *seq = model_find_seq(m, in->seq);
    struct model_chunk *chunk = model_find_chunk(seq, in->chunk_id);
    uint32_t ahead = seq ? in->chunk_id - seq->at_id : 1;
    bool entered = seq && seq->begun && !seq->left && ahead == 0;

    if (in->payload.n > 65535 || model_record_size(in->payload.n) > m->size) {
        m->stats.abi_violations++;
        return TW_E_LIMIT;
    }
    if (chunk)
        return again(m, chunk, in);
    if (ahead > INT32_MAX || (ahead == 0 && !entered))
        return discard(m, TW_E_EXISTS);
    if (m->policy == TW_FILL_DISCARD && !model_has_room(m, model_record_size(in->payload.n)))
        m->full = true;
    if (m->full)
        return discard(m, TW_E_LIMIT);
    if (!seq)
        seq = model_new_seq(m, in);
    if (!seq)
        return discard(m, TW_E_LIMIT);
    store(m, seq, in, entered ? seq->at_byte : 0, 0);
    return 0;
}

int buffer_model_patch(struct buffer_model *m, struct tw_writer_key seq, uint32_t chunk_id,
                       const struct tw_patch *patches, size_t n, bool more_pending)
{
    struct model_chunk *c = model_find_chunk(model_find_seq(m, seq), chunk_id);
    bool fits = c;

    for (size_t i = 0; i < n && fits; i++)
        fits = patches[i].offset >= c->read && (uint64_t)patches[i].offset + 4 <= c->sound;
    if (!fits) {
        m->stats.patches_failed++;
        return c ? TW_E_INVALID : TW_E_NOT_FOUND;
    }
    for (size_t i = 0; i < n; i++)
        memcpy(c->bytes + patches[i].offset, patches[i].data, 4);
    m->stats.patches_succeeded += n;
    c->needs_patching = c->needs_patching && more_pending;
    return 0;
}
