/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A trace writer with its chunks, as a buffer sees it, for tests and fuzzing: it writes numbered
 * packets whose every byte is known, so that what comes back can be judged without a second
 * buffer. It keeps the rules; only what happens to its chunks is up to the caller.
 */
#pragma once

#include "service/trace_buffer.h"

enum {
    SIM_CHUNKS = 16,       /* chunks not given back yet */
    SIM_CHUNK_SIZE = 1024, /* bytes, largest */
    SIM_PATCHES = 64,      /* patches not sent yet */
    SIM_PACKET_MIN = 8,    /* bytes: four that may be patched, four of number */
};

struct sim_chunk {
    bool in_use, complete;
    uint32_t id;
    uint16_t n_fragments;
    uint8_t flags;
    size_t n;
    uint8_t bytes[SIM_CHUNK_SIZE];
};

struct sim_patch {
    uint32_t chunk_id, offset;
};

struct sim_writer {
    struct tw_writer_key key;
    struct tw_peer_ids peer;
    size_t chunk_size;  /* bytes of payload */
    size_t max_packet;  /* bytes */
    uint32_t next_id;   /* of chunks */
    uint32_t n_written; /* packets, aborted ones too */
    uint32_t n_read;
    uint32_t next_number; /* smaller ones must not come any more */
    struct sim_chunk *open;
    struct sim_chunk chunks[SIM_CHUNKS];
    struct sim_patch patches[SIM_PATCHES];
    size_t n_patches;
};

void sim_init(struct sim_writer *w, uint16_t writer_id, uint32_t first_chunk_id, size_t chunk_size,
              size_t max_packet);
/* Writes the next packet; one that spans chunks leaves four bytes of its first chunk to be patched.
 * abort gives it up halfway. False, and nothing written, when there are not enough free chunks. */
bool sim_write(struct sim_writer *w, bool abort);
/* Ends the chunk being written. */
void sim_close(struct sim_writer *w);
/* Gives the nth complete chunk to the buffer and forgets it; without tb it is lost. */
bool sim_commit(struct sim_writer *w, size_t nth, struct tw_trace_buffer *tb);
/* Shows every chunk to the buffer and keeps it. */
void sim_scrape(const struct sim_writer *w, struct tw_trace_buffer *tb);
/* Patches chunks that are still here in place and sends the buffer the rest. */
void sim_patch_all(struct sim_writer *w, struct tw_trace_buffer *tb);
/* Everything above, until the buffer has it all. */
void sim_finish(struct sim_writer *w, struct tw_trace_buffer *tb);

/* What is wrong with a packet of this writer that the buffer gave, given those before; NULL when
 * nothing is. A packet that is passed over must be told. */
const char *sim_judge(struct sim_writer *w, const struct tw_packet_out *packet);
