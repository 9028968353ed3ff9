/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The two directions of a recorded connection, and ways to feed one of them to something that
 * receives: as it was recorded, a byte at a time, cut in two anywhere, cut at every n-th byte.
 */
#pragma once

#include "base/bytes.h"
#include "base/macros.h"
#include "tests/harness.h"
#include "tracewire/frame.h"

/* Descriptors that came with one recorded receive call. */
struct stream_fds {
    size_t frame; /* offset of the frame that holds the call's last byte: they are this frame's */
    size_t end;   /* offset behind that last byte */
    size_t n;
};

enum { STREAM_FDS_MAX = 8 };

struct stream {
    struct tw_buf bytes;
    size_t *ends; /* offset behind each recorded receive call */
    size_t n_ends;
    size_t n_frames;
    struct stream_fds fds[STREAM_FDS_MAX];
    size_t n_fds;
};

struct session {
    char *path;
    bool producer; /* else a consumer's connection */
    struct stream client, service;
};

/* Every recorded connection of tests/data/captures. There is at least one. */
struct sessions {
    struct session *list;
    size_t n;
};

/* All frames of a stream, which lie in it; the list is the caller's to free. */
struct tw_frame *stream_decode(const struct stream *stream);

void sessions_load(struct sessions *sessions);
void sessions_free(struct sessions *sessions);

/* What is fed. run() is called after each piece and handles everything that is whole. */
struct sink {
    void *user;
    void (*space)(void *user, uint8_t **ret_p, size_t *ret_n);
    void (*filled)(void *user, size_t n, const int *fds, size_t n_fds);
    void (*run)(void *user);
};

/* How a stream is fed. */
struct cut {
    enum { CUT_AS_RECORDED, CUT_BYTES, CUT_ONCE, CUT_COMB } how;
    size_t at;    /* CUT_ONCE: where; CUT_COMB: the first cut */
    size_t tooth; /* CUT_COMB: bytes from one cut to the next */
};

/* Descriptors come where a socket delivers them: a receive call never goes past the bytes that one
 * was sent with, and byte by byte it comes with the first of them. */
void stream_feed(const struct stream *stream, struct cut cut, const struct sink *sink);

/* Calls try(cut) for: as recorded, byte by byte, and cut so that every position of the stream is a
 * cut at least once: alone for short streams, together with others for long ones. */
void stream_every_cut(const struct stream *stream, void (*try)(struct cut cut, void *user),
                      void *user);
