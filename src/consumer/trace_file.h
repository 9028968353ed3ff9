/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes a trace file, one packet at a time: one Trace message, in which every packet is a field 1.
 * tw_trace_reader reads it. Not thread-safe.
 */
#pragma once

#include "base/bytes.h"

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
