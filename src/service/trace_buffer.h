/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A central trace buffer: chunks of many writers go in, whole packets come out.
 *
 * A sequence is everything one writer writes. Its packets come out in the order of its chunk ids,
 * none twice, and none without a word before it about what is missing: spec/trace-buffer.md.
 *
 * Memory: one mapping of size bytes for chunks (each with a header of 48 bytes), beside it at most
 * a quarter of that for slices and an eighth, but not less than 300 KiB, for the index; all of it
 * is committed by the kernel only as it is used. Only tw_trace_buffer_new() and
 * tw_trace_buffer_clone() allocate. Not thread-safe.
 */
#pragma once

#include "service/fragment.h"
#include "smb/shared.h"

/* Bytes. The largest buffer that upstream's service takes. TW-LIM-130 */
#define TW_TRACE_BUFFER_SIZE_MAX (UINT64_C(4) << 30)

enum {
    TW_CHUNK_PAYLOAD_MAX =
        65535, /* bytes: a chunk is smaller than its page, at most 64 KiB. TW-LIM-131 */
    TW_WRITER_HISTOGRAM_SIZE = 11, /* ranges of sizes, the last without an end */
};

enum tw_fill_policy {
    TW_FILL_RING,    /* overwrite the oldest */
    TW_FILL_DISCARD, /* once there is no room that has been read, take nothing any more */
};

/* What names a sequence. */
struct tw_writer_key {
    uint32_t producer; /* the serial number of its connection */
    uint16_t writer_id;
    uint16_t life; /* writers with that id that the producer has unregistered before */
};

/* Another number for each key. */
static inline uint64_t tw_writer_key_number(struct tw_writer_key key)
{
    return (uint64_t)key.producer << 32 | (uint32_t)key.writer_id << 16 | key.life;
}

/* Who wrote it, from the socket; a sequence has one. */
struct tw_peer_ids {
    int32_t uid, pid;
    uint32_t machine_id;
    uint16_t producer_id;
};

struct tw_chunk_in {
    struct tw_writer_key seq;
    struct tw_peer_ids peer;
    uint32_t chunk_id;
    uint16_t n_fragments; /* as the chunk's header says; it may lie */
    uint8_t flags;        /* enum tw_chunk_flags */
    bool complete;        /* else the last fragment, and what the flags say of it, is ignored */
    struct tw_shared_bytes payload; /* copied once */
};

struct tw_patch {
    uint32_t offset; /* in the chunk's payload */
    uint8_t data[4];
};

struct tw_packet_out {
    struct tw_writer_key seq;
    struct tw_peer_ids peer;
    uint32_t dropped; /* enum tw_loss; 0: nothing was lost before this packet */
    /* None is empty. They are valid until the next call with the buffer, and the bytes they point
     * at until it is written to, patched or freed: whoever sends them relies on that. */
    const struct tw_bytes *slices;
    size_t n_slices;
    size_t size; /* bytes in all slices, at least one */
};

/* By the names of TraceStats.BufferStats. Bytes count chunks with their headers in the buffer. */
struct tw_trace_buffer_stats {
    uint64_t buffer_size, bytes_written, bytes_overwritten, bytes_read;
    uint64_t padding_bytes_written, padding_bytes_cleared;
    uint64_t chunks_written, chunks_rewritten, chunks_relocated, chunks_overwritten;
    uint64_t chunks_discarded, chunks_read, chunks_committed_out_of_order;
    uint64_t write_wrap_count, patches_succeeded, patches_failed;
    uint64_t readaheads_succeeded, readaheads_failed;
    uint64_t abi_violations, trace_writer_packet_loss;
};

/* How large the chunks of a writer were, by ranges of payload bytes. */
struct tw_writer_histogram {
    uint64_t counts[TW_WRITER_HISTOGRAM_SIZE];
    uint64_t sums[TW_WRITER_HISTOGRAM_SIZE]; /* bytes */
};

/* The upper end of each range, inclusive, in bytes; the last is INT64_MAX. */
extern const int64_t tw_writer_histogram_ends[TW_WRITER_HISTOGRAM_SIZE];

struct tw_writer_info {
    struct tw_writer_key seq;
    struct tw_peer_ids peer;
    struct tw_writer_histogram histogram;
};

struct tw_trace_buffer;

/* size is rounded up to pages of 4 KiB. TW_E_LIMIT over the largest size, -ENOMEM. */
TW_MUST_USE int tw_trace_buffer_new(struct tw_trace_buffer **ret_buffer, uint64_t size,
                                    enum tw_fill_policy policy);
/*
 * A second buffer with what is in this one now, which is left as it is; -ENOMEM. It costs what is
 * in use, not the size. What was read of the original is not in it: so the first packet of each
 * sequence has TW_LOSS_PRESENT again. Its statistics are the original's, but nothing is read yet.
 */
TW_MUST_USE int tw_trace_buffer_clone(const struct tw_trace_buffer *tb,
                                      struct tw_trace_buffer **ret_clone);
/* NULL is fine. */
void tw_trace_buffer_free(struct tw_trace_buffer *tb);

/*
 * Takes a chunk, or more of one that it has already.
 *   0             it is in the buffer, perhaps only its sound beginning
 *   TW_E_EXISTS   nothing new: the same again, or too late
 *   TW_E_LIMIT    not taken: the buffer is full (TW_FILL_DISCARD), has too many writers, or is
 *                 smaller than the chunk
 *   TW_E_PROTOCOL it contradicts what the buffer has of it
 */
TW_MUST_USE int tw_trace_buffer_write(struct tw_trace_buffer *tb, const struct tw_chunk_in *in);

/*
 * Applies all n patches or none; without more_pending the chunk is ready to be read afterwards.
 * TW_E_NOT_FOUND: the chunk is not there (any more); TW_E_INVALID: an offset is not inside what is
 * still to be read of it.
 */
TW_MUST_USE int tw_trace_buffer_patch(struct tw_trace_buffer *tb, struct tw_writer_key seq,
                                      uint32_t chunk_id, const struct tw_patch *patches, size_t n,
                                      bool more_pending);

/*
 * Begins a pass over all sequences. last: no more chunks will come, so holes are skipped. Chunks
 * written during a pass are read in it when their sequence has not been passed yet.
 */
void tw_trace_buffer_begin_read(struct tw_trace_buffer *tb, bool last);
/* The next packet of this pass, which the buffer then no longer has. TW_MORE: none is ready.
 * TW_AGAIN: so far there was none, and there is more to look at. */
TW_MUST_USE int tw_trace_buffer_next_packet(struct tw_trace_buffer *tb,
                                            struct tw_packet_out *ret_packet);

const struct tw_trace_buffer_stats *tw_trace_buffer_stats(const struct tw_trace_buffer *tb);
/* Every sequence the buffer knows of; *at begins as 0. TW_MORE at the end. The buffer forgets the
 * one that has been empty for the longest when it has to make room for a new one. */
TW_MUST_USE int tw_trace_buffer_next_writer(const struct tw_trace_buffer *tb, size_t *at,
                                            struct tw_writer_info *ret_info);
