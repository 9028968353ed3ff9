/* SPDX-License-Identifier: Apache-2.0 */
#include "service/trace_buffer_internal.h"

#include "base/req.h"
#include "smb/smb.h"

/* What a new record takes over from what was there of the same chunk before. */
struct heritage {
    uint16_t read_off;
    uint16_t lost_after;
};

/* How many fragments may be used: the last of an incomplete chunk is being written. */
static uint16_t usable_fragments(const struct tw_chunk_in *in)
{
    REQ("TW-BUF-010");
    if (in->complete || in->n_fragments == 0)
        return in->n_fragments;
    return (uint16_t)(in->n_fragments - 1);
}

static uint8_t usable_flags(const struct tw_chunk_in *in)
{
    if (in->complete)
        return in->flags & TW_CHUNK_FLAGS_MASK;
    return (in->flags & TW_CHUNK_FIRST_CONTINUES) | TW_TB_REC_INCOMPLETE;
}

static void count_losses(struct tw_trace_buffer *tb, uint32_t losses)
{
    if (losses & TW_LOSS_WRITER_ABORT)
        tb->stats.trace_writer_packet_loss++;
    if (losses & TW_LOSS_CHUNK_CORRUPTED)
        tb->stats.abi_violations++;
}

static void count_size(struct tw_writer_histogram *histogram, uint64_t size)
{
    size_t i = 0;

    while ((int64_t)size > tw_writer_histogram_ends[i])
        i++;
    histogram->counts[i]++;
    histogram->sums[i] += size;
}

/*
 * Copies from the peer what is not read yet, at most what there is room for, and looks only at the
 * copy for what of it is sound. What was read before stays as it was read.
 */
static void take_payload(struct tw_trace_buffer *tb, struct tw_tb_rec *rec,
                         const struct tw_chunk_in *in)
{
    size_t n = tw_min(in->payload.n, rec->room);
    struct tw_bytes copy = {.p = tw_tb_payload(rec), .n = n};
    struct tw_fragment_prefix sound;

    if (n > rec->read_off)
        tw_shared_copy(tw_tb_payload(rec) + rec->read_off,
                       tw_shared_at(in->payload.p, rec->read_off), n - rec->read_off);
    sound = tw_fragment_scan(copy, usable_fragments(in));
    rec->payload = (uint16_t)tw_max(sound.size, rec->read_off);
    rec->n_fragments = sound.n;
    rec->flags = usable_flags(in);
    if (sound.losses) /* what these flags are about is lost */
        rec->flags &= (uint8_t) ~(TW_CHUNK_LAST_CONTINUES | TW_CHUNK_NEEDS_PATCHING);
    count_losses(tb, sound.losses & ~(uint32_t)rec->lost_after);
    rec->lost_after |= (uint16_t)sound.losses;
}

/* Puts a chunk that there is room for into the ring. */
static void store(struct tw_trace_buffer *tb, uint32_t seq, const struct tw_chunk_in *in,
                  struct heritage heritage)
{
    struct tw_tb_rec *rec;

    tw_tb_reserve(tb, tw_tb_outer(in->payload.n));
    rec = (void *)(tb->ring + tb->wr);
    *rec = (struct tw_tb_rec){
        .chunk_id = in->chunk_id,
        .room = (uint16_t)in->payload.n,
        .lost_after = heritage.lost_after,
    };
    take_payload(tb, rec, in);
    rec->read_off = (uint16_t)tw_min(heritage.read_off, rec->payload);
    if (in->complete) /* nothing will be added, so what is unused goes to the next chunk */
        rec->room = rec->payload;
    rec->units = (uint32_t)(tw_tb_outer(rec->room) / TW_TB_ALIGN);
    tw_tb_link(tb, rec, seq);
    tb->wr += (uint64_t)rec->units * TW_TB_ALIGN;
    tb->stats.chunks_written++;
    tb->stats.bytes_written += (uint64_t)rec->units * TW_TB_ALIGN;
    tb->stats.chunks_committed_out_of_order += rec->next != 0;
    count_size(&tb->seqs[seq].histogram, rec->payload);
    tw_tb_settle(tb, rec);
}

/* An incomplete record about to be overwritten moves to the young end, with all it says now. */
static void relocate(struct tw_trace_buffer *tb, struct tw_tb_rec *rec,
                     const struct tw_chunk_in *in)
{
    REQ("TW-BUF-033");
    struct heritage heritage = {
        .read_off = rec->read_off,
        .lost_after = rec->lost_after & TW_LOSS_OVERWRITE,
    };
    uint32_t seq = rec->seq;

    tw_tb_unlink(tb, rec);
    tb->stats.chunks_relocated++;
    store(tb, seq, in, heritage);
}

/* A commit that takes back what an earlier one gave: believed only in that nothing more comes. */
static int refuse_recommit(struct tw_trace_buffer *tb, struct tw_tb_rec *rec, bool complete)
{
    REQ("TW-BUF-031");
    tb->stats.abi_violations++;
    if (complete) {
        rec->flags &= (uint8_t)~TW_TB_REC_INCOMPLETE;
        rec->lost_after |= TW_LOSS_CHUNK_CORRUPTED;
    }
    return TW_E_PROTOCOL;
}

/* Whether a commit of a chunk that is in the buffer may say something new: it was scraped before
 * it was complete, or before its writer patched it in place. */
static bool may_add(const struct tw_tb_rec *rec, const struct tw_chunk_in *in)
{
    if (rec->flags & TW_TB_REC_INCOMPLETE)
        return in->complete || usable_fragments(in) != rec->n_fragments;
    return rec->flags & TW_CHUNK_NEEDS_PATCHING && in->complete;
}

static int recommit(struct tw_trace_buffer *tb, struct tw_tb_rec *rec, const struct tw_chunk_in *in)
{
    REQ("TW-BUF-030");
    if (!may_add(rec, in))
        return TW_E_EXISTS;
    if (usable_fragments(in) < rec->n_fragments)
        return refuse_recommit(tb, rec, in->complete);
    if (tw_tb_is_old(tb, rec)) {
        relocate(tb, rec, in);
        return 0;
    }
    take_payload(tb, rec, in);
    tb->stats.chunks_rewritten++;
    tw_tb_settle(tb, rec);
    return 0;
}

/* Whether reading has not passed this id. */
static bool is_in_time(const struct tw_tb_seq *seq, uint32_t chunk_id,
                       struct heritage *ret_heritage)
{
    REQ("TW-BUF-002");
    REQ("TW-BUF-004");
    uint32_t ahead = chunk_id - seq->pos_id;

    *ret_heritage = (struct heritage){0};
    if (ahead)
        return ahead <= INT32_MAX;
    if (!seq->pos_set || seq->pos_done)
        return false;
    ret_heritage->read_off = seq->pos_off;
    return true;
}

static int discard(struct tw_trace_buffer *tb, int why)
{
    tb->stats.chunks_discarded++;
    return why;
}

int tw_trace_buffer_write(struct tw_trace_buffer *tb, const struct tw_chunk_in *in)
{
    REQ("TW-BUF-012");
    REQ("TW-LIM-131");
    struct heritage heritage = {0};
    struct tw_tb_rec *rec = NULL;
    uint32_t seq;

    if (in->payload.n > TW_CHUNK_PAYLOAD_MAX || tw_tb_outer(in->payload.n) > tb->size) {
        tb->stats.abi_violations++;
        return TW_E_LIMIT;
    }
    tw_tb_fetch(tb->ring + tb->wr, tw_min(in->payload.n, tb->size - tb->wr));
    seq = tw_tb_seq_find(tb, in->seq);
    if (seq && !tw_tb_is_newest(tb, seq, in->chunk_id))
        rec = tw_tb_find(tb, seq, in->chunk_id);
    if (rec)
        return recommit(tb, rec, in);
    if (seq && !is_in_time(&tb->seqs[seq], in->chunk_id, &heritage))
        return discard(tb, TW_E_EXISTS);
    if (tb->policy == TW_FILL_DISCARD && !tw_tb_has_room(tb, tw_tb_outer(in->payload.n)))
        tb->full = true;
    if (tb->full)
        return discard(tb, TW_E_LIMIT);
    if (!seq)
        seq = tw_tb_seq_new(tb, in);
    if (!seq)
        return discard(tb, TW_E_LIMIT);
    store(tb, seq, in, heritage);
    return 0;
}
