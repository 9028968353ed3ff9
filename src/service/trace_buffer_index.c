/* SPDX-License-Identifier: Apache-2.0 */
#include "service/trace_buffer_internal.h"

#include "base/req.h"

#include <string.h>

static uint64_t rotl(uint64_t x, unsigned int n)
{
    return x << n | x >> (64 - n);
}

static inline void sip_round(uint64_t v[4])
{
    v[0] += v[1];
    v[2] += v[3];
    v[1] = rotl(v[1], 13) ^ v[0];
    v[3] = rotl(v[3], 16) ^ v[2];
    v[0] = rotl(v[0], 32);
    v[2] += v[1];
    v[0] += v[3];
    v[1] = rotl(v[1], 17) ^ v[2];
    v[3] = rotl(v[3], 21) ^ v[0];
    v[2] = rotl(v[2], 32);
}

/* SipHash-1-3 of one word: keyed, as peers choose the ids. */
uint64_t tw_tb_hash(const struct tw_trace_buffer *tb, uint64_t word)
{
    uint64_t last = UINT64_C(8) << 56; /* the message's length in bytes */
    uint64_t v[4] = {
        tb->hash_key[0] ^ UINT64_C(0x736f6d6570736575),
        tb->hash_key[1] ^ UINT64_C(0x646f72616e646f6d),
        tb->hash_key[0] ^ UINT64_C(0x6c7967656e657261),
        tb->hash_key[1] ^ UINT64_C(0x7465646279746573),
    };

    v[3] ^= word;
    sip_round(v);
    v[0] ^= word;
    v[3] ^= last;
    sip_round(v);
    v[0] ^= last;
    v[2] ^= 0xff;
    for (int i = 0; i < 3; i++)
        sip_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

tw_tb_ref *tw_tb_bucket(const struct tw_trace_buffer *tb, uint32_t seq, uint32_t chunk_id)
{
    uint64_t hash = tw_tb_hash(tb, (uint64_t)seq << 32 | chunk_id);

    return &tb->buckets[hash & (tb->n_buckets - 1)];
}

struct tw_tb_rec *tw_tb_find(const struct tw_trace_buffer *tb, uint32_t seq, uint32_t chunk_id)
{
    for (tw_tb_ref ref = *tw_tb_bucket(tb, seq, chunk_id); ref;) {
        struct tw_tb_rec *rec = tw_tb_at(tb, ref);

        if (rec->seq == seq && rec->chunk_id == chunk_id)
            return rec;
        ref = rec->hash_next;
    }
    return NULL;
}

void tw_tb_index_add(struct tw_trace_buffer *tb, struct tw_tb_rec *rec)
{
    tw_tb_ref *bucket = tw_tb_bucket(tb, rec->seq, rec->chunk_id);

    rec->hash_next = *bucket;
    *bucket = tw_tb_ref_of(tb, rec);
}

void tw_tb_index_remove(struct tw_trace_buffer *tb, struct tw_tb_rec *rec)
{
    tw_tb_ref *link = tw_tb_bucket(tb, rec->seq, rec->chunk_id);
    tw_tb_ref ref = tw_tb_ref_of(tb, rec);

    while (*link != ref)
        link = &tw_tb_at(tb, *link)->hash_next;
    *link = rec->hash_next;
}

uint32_t *tw_tb_seq_bucket(const struct tw_trace_buffer *tb, struct tw_writer_key key)
{
    uint64_t hash = tw_tb_hash(tb, tw_writer_key_number(key));

    return &tb->seq_buckets[hash & (tb->n_seq_buckets - 1)];
}

uint32_t tw_tb_seq_find(const struct tw_trace_buffer *tb, struct tw_writer_key key)
{
    uint32_t i = *tw_tb_seq_bucket(tb, key);

    while (i && tw_writer_key_number(tb->seqs[i].key) != tw_writer_key_number(key))
        i = tb->seqs[i].hash_next;
    return i;
}

static void list_add(struct tw_trace_buffer *tb, struct tw_tb_list *list, uint32_t i)
{
    struct tw_tb_seq *seq = &tb->seqs[i];

    seq->list_prev = list->tail;
    seq->list_next = 0;
    if (list->tail)
        tb->seqs[list->tail].list_next = i;
    else
        list->head = i;
    list->tail = i;
}

static void list_remove(struct tw_trace_buffer *tb, struct tw_tb_list *list, uint32_t i)
{
    struct tw_tb_seq *seq = &tb->seqs[i];

    if (seq->list_prev)
        tb->seqs[seq->list_prev].list_next = seq->list_next;
    else
        list->head = seq->list_next;
    if (seq->list_next)
        tb->seqs[seq->list_next].list_prev = seq->list_prev;
    else
        list->tail = seq->list_prev;
}

void tw_tb_seq_to_list(struct tw_trace_buffer *tb, uint32_t seq, bool busy)
{
    if (!busy && tb->cursor == seq)
        tb->cursor = tb->seqs[seq].list_next;
    list_remove(tb, busy ? &tb->idle : &tb->busy, seq);
    list_add(tb, busy ? &tb->busy : &tb->idle, seq);
}

/* Forgets the sequence that has been empty for the longest. */
static uint32_t seq_reclaim(struct tw_trace_buffer *tb)
{
    REQ("TW-BUF-005");
    uint32_t i = tb->idle.head;
    uint32_t *link;

    if (!i)
        return 0;
    list_remove(tb, &tb->idle, i);
    link = tw_tb_seq_bucket(tb, tb->seqs[i].key);
    while (*link != i)
        link = &tb->seqs[*link].hash_next;
    *link = tb->seqs[i].hash_next;
    return i;
}

uint32_t tw_tb_seq_new(struct tw_trace_buffer *tb, const struct tw_chunk_in *in)
{
    uint32_t i = tb->n_seqs < tb->seqs_max ? ++tb->n_seqs : seq_reclaim(tb);
    uint32_t *bucket = tw_tb_seq_bucket(tb, in->seq);

    if (!i)
        return 0;
    tb->seqs[i] = (struct tw_tb_seq){
        .key = in->seq,
        .peer = in->peer,
        .hash_next = *bucket,
        /* Nobody says where ids begin: as many may still come below the first as above it. */
        .pos_id = in->chunk_id - (UINT32_C(1) << 30),
        .dropped = TW_LOSS_PRESENT,
    };
    *bucket = i;
    list_add(tb, &tb->idle, i);
    return i;
}

int tw_trace_buffer_next_writer(const struct tw_trace_buffer *tb, size_t *at,
                                struct tw_writer_info *ret_info)
{
    const struct tw_tb_seq *seq;

    if (*at >= tb->n_seqs)
        return TW_MORE;
    seq = &tb->seqs[++*at];
    *ret_info = (struct tw_writer_info){
        .seq = seq->key,
        .peer = seq->peer,
        .histogram = seq->histogram,
    };
    return 0;
}
