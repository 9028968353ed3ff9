/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of the trace buffer share.
 *
 * Chunks lie as records one behind the other in the ring, each beginning with a struct tw_tb_rec.
 * Records refer to each other by place, so that the whole can be copied to another address:
 *
 *     0          wr          free_end                    lap_end      size
 *     | this lap | no records | records of the lap before | unused     |
 *
 * Two structures hold the records that are not read: a hash by (sequence, chunk id), and for each
 * sequence a list in the order of its ids, with a treap over it that finds the place of a chunk
 * that comes out of order in logarithmic time, whatever ids a peer chooses.
 */
#pragma once

#include "base/macros.h"
#include "service/trace_buffer.h"
#include "smb/abi.h"

enum {
    TW_TB_ALIGN = 16,              /* bytes: every record begins at a multiple of it */
    TW_TB_PAGE = 4096,             /* bytes */
    TW_TB_SEQS_MIN = 1024,         /* sequences: many threads share a small buffer. TW-LIM-132 */
    TW_TB_SEQS_MAX = 65536,        /* sequences: more are not found in practice. TW-LIM-133 */
    TW_TB_BYTES_PER_SEQ = 2048,    /* keeps the sequences' memory below an eighth of the ring's */
    TW_TB_BYTES_PER_BUCKET = 1024, /* keeps hash chains short for all but the tiniest chunks */
    TW_TB_BYTES_PER_SLICE = 64,    /* the smallest record that has a slice to give */
    TW_TB_REC_INCOMPLETE = 0x80,   /* in flags, where the ABI has no bit */
    TW_TB_AHEAD = 1536,            /* bytes fetched before use: small packets are passed in a few
                                      nanoseconds each, and memory takes a hundred */
    TW_TB_CACHE_LINE = 64,         /* bytes, of most processors; on others it is only slower */
};

/* The place of a record: 1 + offset / TW_TB_ALIGN; 0 is none. */
typedef uint32_t tw_tb_ref;

struct tw_tb_rec {
    uint32_t units; /* of TW_TB_ALIGN bytes, from this record to the next */
    uint32_t seq;   /* index of its sequence; 0 when it is read, and only its bytes are left */
    uint32_t chunk_id;
    tw_tb_ref hash_next;
    tw_tb_ref prev, next;          /* in the order of ids */
    tw_tb_ref left, right, parent; /* in the treap */
    uint16_t room;                 /* payload bytes that fit */
    uint16_t payload;              /* of which are sound fragments */
    uint16_t read_off;             /* of which are read; only the first of a sequence is begun */
    uint16_t n_fragments;          /* sound ones */
    uint16_t lost_after;           /* enum tw_loss: between this chunk's payload and the next's */
    uint8_t flags;                 /* enum tw_chunk_flags, TW_TB_REC_INCOMPLETE */
    uint8_t reserved;
};

_Static_assert(sizeof(struct tw_tb_rec) % TW_TB_ALIGN == 0, "payload goes on at the same grain");

struct tw_tb_seq {
    struct tw_writer_key key;
    struct tw_peer_ids peer;
    uint32_t hash_next;
    uint32_t list_prev, list_next; /* in the list of those with records or of those without */
    tw_tb_ref head, tail, root;
    uint32_t pos_id;     /* where reading stands; all ids in the buffer are less than 2^31 ahead */
    uint16_t pos_off;    /* payload bytes read of that chunk */
    bool pos_set;        /* reading has begun; else pos_id only bounds the ids */
    bool pos_done;       /* nothing of chunk pos_id is to come */
    uint16_t lost_after; /* as a record's, for the chunk at pos_id, which may be gone */
    uint16_t dropped;    /* enum tw_loss: to be told with the next packet */
    struct tw_writer_histogram histogram;
};

struct tw_tb_list {
    uint32_t head, tail;
};

struct tw_trace_buffer {
    uint8_t *ring;
    size_t size, wr, free_end, lap_end;
    tw_tb_ref *buckets;
    uint32_t n_buckets; /* a power of two */
    struct tw_tb_seq *seqs;
    uint32_t *seq_buckets;
    uint32_t n_seq_buckets;       /* a power of two */
    uint32_t n_seqs, seqs_max;    /* n_seqs were ever used; 0 is none */
    struct tw_tb_list busy, idle; /* sequences with records, by when they got one, and without */
    uint32_t cursor;              /* the sequence being read */
    size_t steps; /* chunks and fragments that tw_trace_buffer_next_packet() passed over */
    struct tw_bytes *slices;
    void *map;
    size_t map_size;
    uint64_t hash_key[2]; /* secret, so that no peer can fill one bucket */
    enum tw_fill_policy policy;
    bool full;      /* TW_FILL_DISCARD has begun to discard */
    bool last_read; /* nothing more will come */
    struct tw_trace_buffer_stats stats;
};

static inline struct tw_tb_rec *tw_tb_at(const struct tw_trace_buffer *tb, tw_tb_ref ref)
{
    return (void *)(tb->ring + (uint64_t)(ref - 1) * TW_TB_ALIGN);
}

static inline tw_tb_ref tw_tb_ref_of(const struct tw_trace_buffer *tb, const struct tw_tb_rec *rec)
{
    return (tw_tb_ref)((uint64_t)((const uint8_t *)rec - tb->ring) / TW_TB_ALIGN) + 1;
}

static inline uint8_t *tw_tb_payload(struct tw_tb_rec *rec)
{
    return (uint8_t *)(rec + 1);
}

static inline struct tw_bytes tw_tb_sound(struct tw_tb_rec *rec)
{
    return (struct tw_bytes){.p = tw_tb_payload(rec), .n = rec->payload};
}

static inline size_t tw_tb_outer(size_t payload)
{
    return (sizeof(struct tw_tb_rec) + payload + TW_TB_ALIGN - 1) & ~(size_t)(TW_TB_ALIGN - 1);
}

/* Has the beginning of n bytes fetched from memory while other things are done. */
static inline void tw_tb_fetch(const void *p, size_t n)
{
    for (size_t i = 0; i < tw_min(n, TW_TB_AHEAD); i += TW_TB_CACHE_LINE)
        __builtin_prefetch((const uint8_t *)p + i);
}

/* trace_buffer_index.c: who is where. */
uint64_t tw_tb_hash(const struct tw_trace_buffer *tb, uint64_t word);
tw_tb_ref *tw_tb_bucket(const struct tw_trace_buffer *tb, uint32_t seq, uint32_t chunk_id);
uint32_t *tw_tb_seq_bucket(const struct tw_trace_buffer *tb, struct tw_writer_key key);
struct tw_tb_rec *tw_tb_find(const struct tw_trace_buffer *tb, uint32_t seq, uint32_t chunk_id);
void tw_tb_index_add(struct tw_trace_buffer *tb, struct tw_tb_rec *rec);
void tw_tb_index_remove(struct tw_trace_buffer *tb, struct tw_tb_rec *rec);
/* 0 is none. */
uint32_t tw_tb_seq_find(const struct tw_trace_buffer *tb, struct tw_writer_key key);
/* A new sequence, of which there is none yet; 0 when there is no room. */
uint32_t tw_tb_seq_new(struct tw_trace_buffer *tb, const struct tw_chunk_in *in);
void tw_tb_seq_to_list(struct tw_trace_buffer *tb, uint32_t seq, bool busy);

/* trace_buffer_order.c: the records of one sequence in the order of their ids. */
/* Whether all records of the sequence come before this id: the usual case of a new chunk. */
bool tw_tb_is_newest(const struct tw_trace_buffer *tb, uint32_t seq, uint32_t chunk_id);
void tw_tb_order_add(struct tw_trace_buffer *tb, struct tw_tb_rec *rec);
void tw_tb_order_remove(struct tw_trace_buffer *tb, struct tw_tb_rec *rec);

/* trace_buffer_ring.c: room. */
/* Into the index and the order of seq / out of both. */
void tw_tb_link(struct tw_trace_buffer *tb, struct tw_tb_rec *rec, uint32_t seq);
void tw_tb_unlink(struct tw_trace_buffer *tb, struct tw_tb_rec *rec);
/* Whether need bytes can be had without overwriting anything unread. */
bool tw_tb_has_room(const struct tw_trace_buffer *tb, size_t need);
/* Makes need bytes free at wr, overwriting the oldest; need is at most the size. */
void tw_tb_reserve(struct tw_trace_buffer *tb, size_t need);
/* Whether a record of a ring is so old that waiting any longer may cost it. */
bool tw_tb_is_old(const struct tw_trace_buffer *tb, const struct tw_tb_rec *rec);

/* trace_buffer_read.c */
/* Lets a record go that was read while it was incomplete and turns out to have no more. */
void tw_tb_settle(struct tw_trace_buffer *tb, struct tw_tb_rec *rec);
