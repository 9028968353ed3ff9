/* SPDX-License-Identifier: Apache-2.0 */
#include "service/trace_buffer_internal.h"

#include <string.h>

#include "base/req.h"

/* Records go to the same places, so that they refer to each other as before. Of what is read only
 * the record itself is needed, to step over it. */
static void clone_records(struct tw_trace_buffer *clone, const struct tw_trace_buffer *tb,
                          size_t from, size_t to)
{
    while (from < to) {
        const struct tw_tb_rec *rec = (const void *)(tb->ring + from);

        memcpy(clone->ring + from, rec, sizeof(*rec) + (rec->seq ? rec->payload : 0));
        if (rec->seq)
            *tw_tb_bucket(clone, rec->seq, rec->chunk_id) =
                *tw_tb_bucket(tb, rec->seq, rec->chunk_id);
        from += (size_t)rec->units * TW_TB_ALIGN;
    }
}

/* Whoever reads the clone has not seen what the original's reader has. */
static void clone_sequences(struct tw_trace_buffer *clone, const struct tw_trace_buffer *tb)
{
    for (uint32_t i = 1; i <= tb->n_seqs; i++) {
        struct tw_tb_seq *seq = &clone->seqs[i];

        *seq = tb->seqs[i];
        seq->dropped |= TW_LOSS_PRESENT;
        *tw_tb_seq_bucket(clone, seq->key) = *tw_tb_seq_bucket(tb, seq->key);
    }
    clone->n_seqs = tb->n_seqs;
    clone->busy = tb->busy;
    clone->idle = tb->idle;
}

static void clone_stats(struct tw_trace_buffer *clone, const struct tw_trace_buffer *tb)
{
    clone->stats = tb->stats;
    clone->stats.bytes_read = clone->stats.chunks_read = 0;
    clone->stats.readaheads_succeeded = clone->stats.readaheads_failed = 0;
}

int tw_trace_buffer_clone(const struct tw_trace_buffer *tb, struct tw_trace_buffer **ret_clone)
{
    REQ("TW-BUF-071");
    struct tw_trace_buffer *clone;
    int rc = tw_trace_buffer_new(&clone, tb->size, tb->policy);

    if (rc)
        return rc;
    memcpy(clone->hash_key, tb->hash_key, sizeof(clone->hash_key));
    clone->wr = tb->wr;
    clone->free_end = tb->free_end;
    clone->lap_end = tb->lap_end;
    clone->full = tb->full;
    clone_records(clone, tb, 0, tb->wr);
    clone_records(clone, tb, tb->free_end, tb->lap_end);
    clone_sequences(clone, tb);
    clone_stats(clone, tb);
    *ret_clone = clone;
    return 0;
}
