/* SPDX-License-Identifier: Apache-2.0 */
#include "service/trace_buffer_internal.h"

#include "base/req.h"

void tw_tb_link(struct tw_trace_buffer *tb, struct tw_tb_rec *rec, uint32_t seq)
{
    rec->seq = seq;
    if (!tb->seqs[seq].head)
        tw_tb_seq_to_list(tb, seq, true);
    tw_tb_index_add(tb, rec);
    tw_tb_order_add(tb, rec);
}

void tw_tb_unlink(struct tw_trace_buffer *tb, struct tw_tb_rec *rec)
{
    uint32_t seq = rec->seq;

    tw_tb_index_remove(tb, rec);
    tw_tb_order_remove(tb, rec);
    rec->seq = 0;
    if (!tb->seqs[seq].head)
        tw_tb_seq_to_list(tb, seq, false);
}

/*
 * The chunk before, or the place where reading stands, remembers what is lost here. Of an
 * incomplete chunk only a hole is left: its commit is still to come and brings everything back.
 */
static void evict(struct tw_trace_buffer *tb, struct tw_tb_rec *rec)
{
    REQ("TW-BUF-032");
    REQ("TW-BUF-056");
    uint16_t *lost =
        rec->prev ? &tw_tb_at(tb, rec->prev)->lost_after : &tb->seqs[rec->seq].lost_after;

    if (rec->read_off < rec->payload) {
        tb->stats.chunks_overwritten++;
        tb->stats.bytes_overwritten += (uint64_t)rec->units * TW_TB_ALIGN;
    }
    *lost |= rec->lost_after;
    if (!(rec->flags & TW_TB_REC_INCOMPLETE))
        *lost |= TW_LOSS_OVERWRITE;
    tw_tb_unlink(tb, rec);
}

/* Moves free_end to at least to, over whole records. */
static void advance(struct tw_trace_buffer *tb, uint64_t to)
{
    while (tb->free_end < to) {
        struct tw_tb_rec *rec = (void *)(tb->ring + tb->free_end);

        if (tb->free_end >= tb->lap_end) {
            tb->stats.padding_bytes_cleared += tb->lap_end ? tb->size - tb->free_end : 0;
            tb->free_end = tb->size;
            return;
        }
        tb->free_end += (uint64_t)rec->units * TW_TB_ALIGN;
        if (rec->seq)
            evict(tb, rec);
    }
}

void tw_tb_reserve(struct tw_trace_buffer *tb, size_t need)
{
    REQ("TW-BUF-060");
    if (need > tb->size - tb->wr) {
        advance(tb, tb->size);
        tb->stats.padding_bytes_written += tb->size - tb->wr;
        tb->stats.write_wrap_count++;
        tb->lap_end = tb->wr;
        tb->wr = tb->free_end = 0;
    }
    advance(tb, tb->wr + need);
    if (tb->free_end < tb->lap_end) /* it is the next to go */
        __builtin_prefetch(tb->ring + tb->free_end);
}

/* Whether all records from one that begins at from are read, up to the one that reaches to. */
static bool is_read(const struct tw_trace_buffer *tb, uint64_t from, uint64_t to)
{
    while (from < to) {
        const struct tw_tb_rec *rec = (const void *)(tb->ring + from);

        if (rec->seq)
            return false;
        from += (uint64_t)rec->units * TW_TB_ALIGN;
    }
    return true;
}

bool tw_tb_has_room(const struct tw_trace_buffer *tb, size_t need)
{
    REQ("TW-BUF-061");
    REQ("TW-BUF-062");
    if (need <= tb->size - tb->wr)
        return is_read(tb, tb->free_end, tw_min(tb->wr + need, tb->lap_end));
    return is_read(tb, tb->free_end, tb->lap_end) && is_read(tb, 0, tw_min(need, tb->wr));
}

bool tw_tb_is_old(const struct tw_trace_buffer *tb, const struct tw_tb_rec *rec)
{
    uint64_t at = (uint64_t)((const uint8_t *)rec - tb->ring);
    uint64_t written_since = at < tb->wr ? tb->wr - at : tb->size - at + tb->wr;

    return tb->policy == TW_FILL_RING && written_since > tb->size / 2;
}
