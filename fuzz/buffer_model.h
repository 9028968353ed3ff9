/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A trace buffer as spec/trace-buffer.md has it, to compare the real one with: arrays that are
 * searched from the beginning, copies of everything, and of the ring only the byte counts. Slow,
 * and meant to be obviously right. The calls are those of service/trace_buffer.h; memory that runs
 * out ends the program.
 */
#pragma once

#include "service/trace_buffer.h"

struct buffer_model;

struct model_packet {
    struct tw_writer_key seq;
    struct tw_peer_ids peer;
    uint32_t dropped;
    const uint8_t *p; /* valid until the next call with the model */
    size_t n;
};

struct buffer_model *buffer_model_new(uint64_t size, enum tw_fill_policy policy);
struct buffer_model *buffer_model_clone(const struct buffer_model *m);
void buffer_model_free(struct buffer_model *m);

int buffer_model_write(struct buffer_model *m, const struct tw_chunk_in *in);
int buffer_model_patch(struct buffer_model *m, struct tw_writer_key seq, uint32_t chunk_id,
                       const struct tw_patch *patches, size_t n, bool more_pending);
void buffer_model_begin_read(struct buffer_model *m, bool last);
int buffer_model_next_packet(struct buffer_model *m, struct model_packet *ret_packet);

const struct tw_trace_buffer_stats *buffer_model_stats(const struct buffer_model *m);
/* NULL: the sequence is not known. */
const struct tw_writer_histogram *buffer_model_histogram(const struct buffer_model *m,
                                                         struct tw_writer_key seq);
size_t buffer_model_sequences(const struct buffer_model *m);
