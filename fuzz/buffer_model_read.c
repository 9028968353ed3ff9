/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz/buffer_model_internal.h"

#include <string.h>

#include "base/macros.h"

/* Whether waiting for what is before this chunk is over; there may be none. */
static bool give_up_for(const struct buffer_model *m, const struct model_chunk *chunk)
{
    return chunk && (m->last_read || model_is_old(m, chunk));
}

static struct model_chunk *nth(const struct model_seq *seq, size_t i)
{
    return i < seq->n_chunks ? seq->chunks[i] : NULL;
}

static bool is_entered(const struct model_seq *seq, const struct model_chunk *chunk)
{
    return seq->begun && !seq->left && seq->at_id == chunk->id;
}

/* Whether ids are missing before the first chunk that may still come. */
static bool is_behind_hole(const struct model_seq *seq, const struct model_chunk *first)
{
    bool follows = seq->left && first->id == seq->at_id + 1;

    return seq->begun && !is_entered(seq, first) && !follows && !(seq->lost & TW_LOSS_OVERWRITE);
}

void model_consume(struct buffer_model *m, struct model_chunk *chunk, size_t to)
{
    struct model_seq *seq = chunk->seq;

    if (!is_entered(seq, chunk)) {
        if (is_behind_hole(seq, chunk))
            seq->to_tell |= TW_LOSS_READ_GAP;
        seq->to_tell |= seq->lost;
        seq->lost = 0;
        seq->begun = true;
        seq->left = false;
        seq->at_id = chunk->id;
    }
    chunk->read = seq->at_byte = to;
    if (to < chunk->sound || !chunk->complete)
        return;
    seq->left = true;
    seq->lost |= chunk->lost;
    m->stats.chunks_read++;
    m->stats.bytes_read += model_record_of(m, chunk)->size;
    model_remove(m, chunk);
}

static void packet_add(struct buffer_model *m, const uint8_t *p, size_t n)
{
    m->packet = model_grow(m->packet, m->packet_n + n, 1);
    memcpy(m->packet + m->packet_n, p, n);
    m->packet_n += n;
}

enum outcome { WAIT, AGAIN, PACKET };

/* The packet that begins with the last fragment of the first chunk, which goes on: how many chunks
 * have a part of it, and where it ends in the last of them. */
struct chain {
    size_t n, end;
    uint32_t lost; /* why it cannot be had; 0 when it waits, or is whole */
    bool whole;
};

static bool ends(struct chain *chain, uint32_t lost)
{
    chain->lost = lost;
    return false;
}

static uint32_t given_up_for(const struct buffer_model *m, const struct model_chunk *chunk)
{
    return give_up_for(m, chunk) ? TW_LOSS_REASSEMBLY_GAP : 0;
}

/* A chunk without fragments: it is passed over, unless something was or will be in it. */
static bool look_past(const struct buffer_model *m, const struct model_seq *seq, size_t i,
                      struct chain *chain)
{
    const struct model_chunk *c = nth(seq, i);
    uint32_t broken = c->lost & (TW_LOSS_WRITER_ABORT | TW_LOSS_CHUNK_CORRUPTED);

    if (broken)
        return ends(chain, broken);
    if (!c->complete)
        return ends(chain, given_up_for(m, nth(seq, i + 1)));
    chain->n = i + 1;
    chain->end = 0;
    return true;
}

/* Looks at what chunk i of the sequence has of it. False when the chain ends there. */
static bool look_at(struct buffer_model *m, const struct model_seq *seq, size_t i,
                    struct chain *chain)
{
    const struct model_chunk *before = nth(seq, i - 1), *c = nth(seq, i);
    size_t begin, end;
    int rc;

    if (!c || c->id != before->id + 1)
        return ends(chain,
                    before->lost & TW_LOSS_OVERWRITE ? TW_LOSS_OVERWRITE : given_up_for(m, c));
    rc = model_fragment(c->bytes, c->sound, 0, &begin, &end);
    if (rc == TW_MORE)
        return look_past(m, seq, i, chain);
    if (rc)
        return ends(chain, (uint32_t)rc);
    if (!c->first_goes_on)
        return ends(chain, TW_LOSS_REASSEMBLY_BROKEN_CHAIN);
    if (end == c->sound && c->needs_patching)
        return ends(chain, given_up_for(m, nth(seq, i + 1)));
    packet_add(m, c->bytes + begin, end - begin);
    chain->n = i + 1;
    chain->end = end;
    chain->whole = !(end == c->sound && c->last_goes_on);
    return !chain->whole;
}

static enum outcome join(struct buffer_model *m, struct model_seq *seq)
{
    struct chain chain = {.n = 1, .end = seq->chunks[0]->sound};

    for (size_t i = 1; look_at(m, seq, i, &chain);)
        i++;
    if (chain.whole)
        m->stats.readaheads_succeeded++;
    else
        m->stats.readaheads_failed++;
    if (!chain.whole && !chain.lost)
        return WAIT;
    for (size_t left = chain.n; left > 0; left--) {
        struct model_chunk *c = seq->chunks[0];

        model_consume(m, c, left == 1 ? chain.end : c->sound);
    }
    seq->to_tell |= chain.lost;
    return chain.whole && m->packet_n ? PACKET : AGAIN;
}

/* The first chunk has no more fragments. */
static enum outcome end_of(struct buffer_model *m, struct model_chunk *c)
{
    if (!c->complete) {
        if (!give_up_for(m, nth(c->seq, 1)))
            return WAIT;
        c->complete = true;
        c->lost |= TW_LOSS_READ_GAP;
    }
    model_consume(m, c, c->read);
    return AGAIN;
}

/* A patch has made it unsound. */
static enum outcome cut(struct buffer_model *m, struct model_chunk *c, uint32_t why)
{
    model_count_losses(m, why);
    c->lost |= why;
    c->sound = c->read;
    c->last_goes_on = c->needs_patching = false;
    return AGAIN;
}

static enum outcome leave_out(struct buffer_model *m, struct model_chunk *c, size_t end,
                              uint32_t why)
{
    struct model_seq *seq = c->seq;

    model_consume(m, c, end);
    seq->to_tell |= why;
    return AGAIN;
}

static enum outcome step(struct buffer_model *m, struct model_seq *seq)
{
    struct model_chunk *c = nth(seq, 0);
    size_t begin, end;
    int rc;

    m->packet_n = 0;
    if (!c || (is_behind_hole(seq, c) && !give_up_for(m, c)))
        return WAIT;
    rc = model_fragment(c->bytes, c->sound, c->read, &begin, &end);
    if (rc == TW_MORE)
        return end_of(m, c);
    if (rc)
        return cut(m, c, (uint32_t)rc);
    if (end == c->sound && c->needs_patching) {
        if (!give_up_for(m, nth(seq, 1)))
            return WAIT;
        return leave_out(m, c, end, TW_LOSS_REASSEMBLY_GAP);
    }
    if (c->read == 0 && c->first_goes_on)
        return leave_out(m, c, end, TW_LOSS_ORPHAN_CONTINUATION);
    packet_add(m, c->bytes + begin, end - begin);
    if (end == c->sound && c->last_goes_on)
        return join(m, seq);
    model_consume(m, c, end);
    return m->packet_n ? PACKET : AGAIN;
}

void buffer_model_begin_read(struct buffer_model *m, bool last)
{
    m->reading = m->busy.n ? m->busy.seqs[0] : NULL;
    m->last_read = last;
}

/* The pass has come to an end with this sequence, which may have none any more. */
static void go_on_from(struct buffer_model *m, const struct model_seq *seq)
{
    for (size_t i = 0; i < m->busy.n; i++)
        if (m->busy.seqs[i] == seq && m->reading == seq) {
            m->reading = i + 1 < m->busy.n ? m->busy.seqs[i + 1] : NULL;
            return;
        }
}

int buffer_model_next_packet(struct buffer_model *m, struct model_packet *ret_packet)
{
    while (m->reading) {
        struct model_seq *seq = m->reading;
        enum outcome outcome;

        do
            outcome = step(m, seq);
        while (outcome == AGAIN);
        if (outcome == PACKET) {
            *ret_packet = (struct model_packet){
                .seq = seq->key,
                .peer = seq->peer,
                .dropped = seq->to_tell ? seq->to_tell | (uint32_t)TW_LOSS_PRESENT : 0,
                .p = m->packet,
                .n = m->packet_n,
            };
            seq->to_tell = 0;
            return 0;
        }
        go_on_from(m, seq);
    }
    return TW_MORE;
}
