/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the model share. */
#pragma once

#include "fuzz/buffer_model.h"

enum {
    MODEL_HEADER = 48, /* bytes of a record before its payload */
    MODEL_GRAIN = 16,  /* bytes that records are rounded up to */
};

struct model_seq;

struct model_chunk {
    struct model_seq *seq;
    uint32_t id;
    bool complete, first_goes_on, last_goes_on, needs_patching;
    size_t room;        /* bytes it may have */
    uint8_t *bytes;     /* of which room are allocated */
    size_t sound, read; /* bytes: of sound fragments, and of which are read */
    uint16_t fragments; /* sound ones */
    uint32_t lost;      /* noted behind it */
};

struct model_seq {
    struct tw_writer_key key;
    struct tw_peer_ids peer;
    struct model_chunk **chunks; /* in the order of ids */
    size_t n_chunks;
    uint32_t at_id; /* where reading stands */
    bool begun;     /* reading has; else at_id only bounds the ids */
    bool left;      /* reading is done with chunk at_id */
    size_t at_byte; /* how far reading is in that chunk */
    uint32_t lost;  /* noted where reading stands */
    uint32_t to_tell;
    struct tw_writer_histogram histogram;
};

/* A piece of the ring; chunk is NULL when nothing of it is unread. */
struct model_record {
    uint64_t lap;
    size_t at, size; /* bytes */
    struct model_chunk *chunk;
};

struct model_list {
    struct model_seq **seqs;
    size_t n;
};

struct buffer_model {
    enum tw_fill_policy policy;
    size_t size;
    bool full, last_read;
    struct model_record *records; /* the oldest first */
    size_t n_records;
    uint64_t lap;
    size_t write_at, lap_end; /* lap_end: where the lap before ended */
    bool padding;             /* what is behind it is still there */
    size_t seqs_max;
    struct model_list busy, idle; /* by when they came to have records, or to have none */
    struct model_seq *reading;    /* the sequence a pass is at, NULL at the end */
    uint8_t *packet;
    size_t packet_n;
    struct tw_trace_buffer_stats stats;
};

/* buffer_model.c: room for one more in an array of n. */
void *model_grow(void *array, size_t n, size_t size);

/* buffer_model_seq.c. NULL: there is none; a new one: no room. */
struct model_seq *model_find_seq(const struct buffer_model *m, struct tw_writer_key key);
struct model_seq *model_new_seq(struct buffer_model *m, const struct tw_chunk_in *in);
struct model_chunk *model_find_chunk(const struct model_seq *seq, uint32_t id);
void model_list_add(struct model_list *list, struct model_seq *seq);
/* Into its sequence / out of that and out of its record. */
void model_insert(struct buffer_model *m, struct model_seq *seq, struct model_chunk *chunk);
void model_remove(struct buffer_model *m, struct model_chunk *chunk);

/* buffer_model_room.c */
size_t model_record_size(size_t payload);
struct model_record *model_record_of(const struct buffer_model *m, const struct model_chunk *chunk);
bool model_is_old(const struct buffer_model *m, const struct model_chunk *chunk);
/* Room for so many bytes at the place of writing; whether it can be had without a loss. */
void model_make_room(struct buffer_model *m, size_t need);
bool model_has_room(const struct buffer_model *m, size_t need);

/* buffer_model_write.c */
/* One fragment: 0 with where its bytes begin and end, TW_MORE at the end, or why it is not sound,
 * an enum tw_loss. */
int model_fragment(const uint8_t *p, size_t n, size_t at, size_t *ret_begin, size_t *ret_end);
void model_count_losses(struct buffer_model *m, uint32_t losses);

/* buffer_model_read.c: everything of the first chunk of a sequence up to there is read. */
void model_consume(struct buffer_model *m, struct model_chunk *chunk, size_t to);
