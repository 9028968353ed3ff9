/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads one recorded connection: lines of JSON, plain or compressed with gzip, as described in
 * tests/data/captures/README.md. Not thread-safe.
 */
#pragma once

#include "tracewire/common.h"

struct tw_recording;

enum tw_recording_kind {
    TW_RECORDING_BYTES, /* dir, bytes, n_fds */
    TW_RECORDING_SMB,   /* smb_index, smb_size: an image of the shared memory was taken here */
    TW_RECORDING_EOF,   /* dir has ended */
};

enum tw_recording_dir { TW_RECORDING_FROM_CLIENT, TW_RECORDING_FROM_SERVICE };

struct tw_recording_event {
    enum tw_recording_kind kind;
    double t; /* seconds since the recording began */
    enum tw_recording_dir dir;
    struct tw_bytes bytes; /* the recording's own, valid until its next call */
    size_t n_fds;          /* descriptors that came with the bytes */
    uint32_t smb_index;
    uint64_t smb_size; /* bytes */
};

/* Negative errno when path cannot be opened, -ENOMEM. */
TW_MUST_USE int tw_recording_open(const char *path, struct tw_recording **ret_recording);
/* NULL is fine. */
void tw_recording_close(struct tw_recording *recording);

/* The next line. TW_MORE behind the last one. TW_E_INVALID for a line that is none of ours or too
 * long, TW_E_TRUNCATED when the compressed file is damaged: tw_recording_line() says where. */
TW_MUST_USE int tw_recording_next(struct tw_recording *recording,
                                  struct tw_recording_event *ret_event);
/* The number of the line read last, from 1. */
size_t tw_recording_line(const struct tw_recording *recording);
