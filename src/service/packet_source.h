/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a session has to say, packet by packet: what the service writes before the buffers, the
 * buffers one after the other, what it writes after them. A producer's packet is checked, and
 * stamped with what the service vouches for; one that cannot be handed on is told with the next of
 * its sequence. When the config asks for compression, what comes out are packets that hold many of
 * those, compressed together. Where the packets go is the business of the reader: ReadBuffers, or a
 * file.
 */
#pragma once

#include "base/bytes.h"
#include "service/compress.h"
#include "service/trace_buffer.h"

struct tw_session;

enum { TW_STAMP_MAX = 48 }; /* bytes of the fields the service adds to a packet */

enum tw_packet_stage { TW_PACKETS_BEFORE, TW_PACKETS_OF_BUFFERS, TW_PACKETS_AFTER };

/* One packet: its slices one behind the other, then the stamp. Slices and stamp are valid until
 * the source is used again; the bytes in a slice that lies in a trace buffer, until the buffer is
 * written to or goes. */
struct tw_packet {
    const struct tw_bytes *slices;
    size_t n_slices;
    struct tw_bytes stamp;
    size_t size; /* bytes of all; never 0 */
    bool stays;  /* the slices lie in a trace buffer, and not in the source */
};

struct tw_packet_source {
    struct tw_session *session;
    enum tw_packet_stage stage;
    struct tw_buf own; /* encoded Trace fields, each a packet of the service */
    size_t own_offset;
    struct tw_bytes own_slice;
    size_t buffer_index; /* which of the session's buffers is being read */
    uint8_t stamp[TW_STAMP_MAX];

    /* With compression: a Trace message of the packets that are to become one, and that one's
     * bytes behind their head. */
    struct tw_compression compression;
    struct tw_buf batch, compressed;
    struct tw_bytes compressed_slices[2];
};

void tw_packet_source_init(struct tw_packet_source *src);
void tw_packet_source_deinit(struct tw_packet_source *src);
/* A new pass over the session, which must live until the next begin or deinit. -ENOMEM. */
TW_MUST_USE int tw_packet_source_begin(struct tw_packet_source *src, struct tw_session *session);
/* Looks at one packet. TW_AGAIN: there is none to hand out yet, ask again; TW_MORE: this was all;
 * negative: out of memory, and the pass is over. */
TW_MUST_USE int tw_packet_source_next(struct tw_packet_source *src, struct tw_packet *ret_packet);

/* The parts of a packet, i up to n_slices. */
static inline struct tw_bytes tw_packet_part(const struct tw_packet *packet, size_t i)
{
    return i < packet->n_slices ? packet->slices[i] : packet->stamp;
}
