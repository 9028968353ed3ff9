/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Trace files: one Trace message, in which every packet is a field 1. Written and read one packet
 * at a time. Not thread-safe.
 */
#pragma once

#include "base/bytes.h"

/* Bytes of a packet in a file; what the consumer can put together. */
#define TW_TRACE_FILE_PACKET_MAX ((size_t)64 * 1024 * 1024)

struct tw_trace_out {
    int fd;
    bool close_fd;      /* not for standard output */
    struct tw_buf buf;  /* what is not written yet */
    uint64_t n_packets; /* taken */
    uint64_t n_bytes;   /* in the file so far */
    int error;          /* the first failure; nothing is written after it */
};

/* Creates or empties the file, readable and writable by its owner: a trace can tell secrets. "-" is
 * standard output. Negative errno. */
TW_MUST_USE int tw_trace_out_open(struct tw_trace_out *out, const char *path);
/* Takes fd. */
void tw_trace_out_init(struct tw_trace_out *out, int fd);

/* Adds one packet. What was written before a failure stays; after one, every call returns it.
 * -ENOSPC and -EFBIG tell of a full disk. */
TW_MUST_USE int tw_trace_out_packet(struct tw_trace_out *out, struct tw_bytes packet);
/* Writes what is buffered and closes. The first failure of all, 0 if there was none. */
TW_MUST_USE int tw_trace_out_close(struct tw_trace_out *out);

struct tw_trace_in {
    int fd;
    struct tw_buf buf; /* what was read; up to start it has been handed out */
    size_t start;
    bool ended; /* of the file */
};

TW_MUST_USE int tw_trace_in_open(struct tw_trace_in *in, const char *path);
/* NULL is fine. */
void tw_trace_in_close(struct tw_trace_in *in);
/* The next packet, valid until the next call. TW_MORE behind the last, TW_E_TRUNCATED when the file
 * ends inside one, TW_E_PROTOCOL for what is no trace file, TW_E_LIMIT for a packet over the
 * maximum; negative errno. */
TW_MUST_USE int tw_trace_in_next(struct tw_trace_in *in, struct tw_bytes *ret_packet);
