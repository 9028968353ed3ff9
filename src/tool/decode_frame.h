/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One recorded connection's frames as text. Follows both directions, as a reply does not say what
 * it answers and a method has a name only in the bind reply. Not thread-safe.
 */
#pragma once

#include <stdio.h>

#include "base/arena.h"
#include "frame/ports.h"
#include "frame/requests.h"
#include "frame/rx.h"
#include "tool/recording.h"

enum {
    TW_DECODE_METHODS_MAX = 64, /* of one service; the ports have 15 at most */
    TW_DECODE_NAME_MAX = 64,    /* bytes of a name, with the NUL */
};

struct tw_decoder {
    FILE *out;
    struct tw_arena arena;
    struct {
        struct tw_rx rx;
        uint64_t printed;       /* stream offset behind the last frame */
        uint64_t fds_at;        /* stream offset of the last byte that came with descriptors */
        size_t fds;             /* of them, not yet printed */
    } stream[2];                /* by enum tw_recording_dir */
    const struct tw_port *port; /* NULL: not bound, or none of ours */
    char service[TW_DECODE_NAME_MAX];
    struct {
        uint32_t id;
        uint32_t method; /* of port; 0: unknown there */
        char name[TW_DECODE_NAME_MAX];
    } methods[TW_DECODE_METHODS_MAX];
    size_t n_methods;
    struct tw_requests requests; /* their method is 1 + a place in methods, 0: unknown */
    size_t page_size;            /* of the shared memory, bytes */
};

TW_MUST_USE int tw_decoder_init(struct tw_decoder *decoder, FILE *out);
void tw_decoder_deinit(struct tw_decoder *decoder);
/* Prints every frame that these bytes complete. TW_E_PROTOCOL: the bytes are no frames; *ret_why,
 * a static text, says why. */
TW_MUST_USE int tw_decoder_feed(struct tw_decoder *decoder, const struct tw_recording_event *event,
                                const char **ret_why);
/* Bytes of a frame whose rest never came. */
size_t tw_decoder_pending(const struct tw_decoder *decoder, enum tw_recording_dir dir);
