/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The trace writer: one sequence of packets, cut into fragments over chunks. packet.c encodes
 * fields with producer/packet_put.h, in the chunk where there is room. One thread at a time.
 */
#pragma once

#include "producer/arbiter.h"
#include "tracewire/producer.h"

enum {
    /* A packet begins in a chunk only with room for its size and as many bytes: fewer would only
     * make a fragment of it. */
    TW_PACKET_ROOM = TW_WIRE_SIZE_BYTES + 8,
    /* One less than the header can count: while a chunk is being written, one packet more than is
     * finished is announced, since scrapers leave out the last one. */
    TW_PACKETS_A_CHUNK = TW_CHUNK_PACKETS_MAX - 1,
};

struct tw_nest {
    uint8_t *size;     /* where its size goes in the current chunk; NULL: in an earlier chunk, */
    uint32_t chunk_id; /* this one, */
    uint16_t offset;   /* at so many bytes of its payload */
    uint32_t begin;    /* bytes of the packet in front of it */
};

enum tw_packet_state { TW_PACKET_NONE, TW_PACKET_OPEN, TW_PACKET_LOST };

/* What the next packet says of its sequence. */
enum tw_packet_marks {
    TW_MARK_FIRST = 1, /* nothing has been written before */
    TW_MARK_LOSS = 2,  /* packets are missing */
};

/* Lies in pages of its own that a child of fork() finds zeroed, while its parent may be writing on
 * any thread. So all zero is a writer that swallows whatever it is given. TW-SHM-070
 * What every packet needs comes first, so that it shares few lines of the cache. */
struct tw_trace_writer {
    /* Where the next byte goes and how far it is to the end; NULL without a chunk. */
    uint8_t *p, *end;
    uint8_t *fragment; /* the first byte of the one being written, behind its size */
    enum tw_packet_state state;
    uint32_t before; /* bytes of the packet in earlier fragments */
    uint32_t depth;
    uint32_t flush_generation;  /* of the arbiter, when we last looked */
    uint16_t n_packets;         /* finished in the chunk */
    uint8_t flags;              /* of the chunk */
    uint8_t marks;              /* enum tw_packet_marks */
    struct tw_arbiter *arbiter; /* a reference; NULL in a child */
    uint64_t wait_until_ns;     /* how long the packet may wait for chunks; 0: it has not had to */
    struct tw_smb_chunk chunk;
    struct tw_writer_stats stats;
    struct tw_nest nest[TW_NEST_MAX];

    struct tw_writer_reg *reg;
    enum tw_exhausted policy;
    bool has_chunk;
    bool gave_up;           /* the last attempt to get a chunk failed */
    int lost_why;           /* of the packet that is being swallowed */
    uint32_t next_chunk_id; /* the one after the chunk's */
};

/* A writer that is not bound to an instance. Results as tw_writer_new(). */
TW_MUST_USE int tw_trace_writer_new(struct tw_trace_writer **ret_writer, struct tw_arbiter *arbiter,
                                    uint32_t target_buffer, enum tw_exhausted policy);
/* Bytes of the packet that is open, over as many chunks as they take; swallowed when there is none.
 */
void tw_trace_writer_put(struct tw_trace_writer *w, const uint8_t *p, size_t n);
