/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The shared memory ABI: where a page and a chunk keep what, and the only functions that touch
 * their headers. Each fetches or stores its fields exactly once (smb/shared.h).
 *
 *   page   := u32 bitmap | u32 reserved | chunk * n          n is 1, 2, 4, 7 or 14 by its layout
 *   bitmap := [30:28] layout, [2i+1:2i] state of chunk i     all zero: free and not partitioned
 *   chunk  := u32 chunk_id | u16 writer_id | u16 packets | payload
 *   packets := [9:0] count, [15:10] flags
 */
#pragma once

#include <string.h>

#include "smb/shared.h"

enum {
    TW_PAGE_SIZE_MIN = 4096,  /* bytes, and every page size is a multiple of it */
    TW_PAGE_SIZE_MAX = 65536, /* bytes: the size of a chunk is kept in 16 bits */
    TW_PAGE_HEADER_SIZE = 8,  /* bytes */
    TW_PAGE_CHUNKS_MAX = 14,  /* chunks: what fits the bitmap beside the layout */

    TW_CHUNK_HEADER_SIZE = 8,    /* bytes */
    TW_CHUNK_ALIGN = 4,          /* bytes */
    TW_CHUNK_PACKETS_MAX = 1023, /* packets: the count has ten bits */
    TW_CHUNK_WRITER_OFFSET = 4,  /* bytes from the chunk's begin */
    TW_CHUNK_PACKETS_OFFSET = 6, /* bytes from the chunk's begin */

    TW_WRITER_ID_MAX = 32767, /* 0 is no writer; the largest that every service knows */
};

/* The size of a fragment that tells the reader to throw the packet away. */
#define TW_PACKET_SIZE_DROP UINT32_C(0x0fffffff)

enum tw_page_layout {
    TW_PAGE_FREE = 0,
    TW_PAGE_DIV1,
    TW_PAGE_DIV2,
    TW_PAGE_DIV4,
    TW_PAGE_DIV7,
    TW_PAGE_DIV14,
    TW_PAGE_LAYOUTS = 8, /* 6 and 7 are reserved: pages without chunks */
};

/* Free -> being written -> complete by the producer, complete -> being read -> free by the
 * service. */
enum tw_chunk_state {
    TW_CHUNK_FREE = 0,
    TW_CHUNK_BEING_WRITTEN = 1,
    TW_CHUNK_BEING_READ = 2,
    TW_CHUNK_COMPLETE = 3,
};

enum tw_chunk_flags {
    TW_CHUNK_FIRST_CONTINUES = 1, /* the first packet began in chunk_id - 1 */
    TW_CHUNK_LAST_CONTINUES = 2,  /* the last packet goes on in chunk_id + 1 */
    TW_CHUNK_NEEDS_PATCHING = 4,  /* the last packet has sizes that are still to come */
    TW_CHUNK_FLAGS_MASK = 0x3f,
};

#define TW_PAGE_STATE_BITS   2u
#define TW_PAGE_STATE_MASK   UINT32_C(3)
#define TW_PAGE_STATES_MASK  UINT32_C(0x0fffffff)
#define TW_PAGE_LAYOUT_SHIFT 28u
#define TW_PAGE_LAYOUT_MASK  UINT32_C(7)

struct tw_chunk_header {
    uint32_t chunk_id; /* counts the writer's chunks, wraps */
    uint16_t writer_id;
    uint16_t n_packets; /* 0 to TW_CHUNK_PACKETS_MAX, fragments count as packets */
    uint8_t flags;      /* enum tw_chunk_flags and three bits without a meaning */
};

static inline uint32_t tw_bitmap_layout(uint32_t bitmap)
{
    return bitmap >> TW_PAGE_LAYOUT_SHIFT & TW_PAGE_LAYOUT_MASK;
}

/* How many chunks a page of this layout has; 0 for a free page and for reserved layouts. */
static inline uint32_t tw_layout_chunks(uint32_t layout)
{
    static const uint8_t chunks[TW_PAGE_LAYOUTS] = {0, 1, 2, 4, 7, 14, 0, 0};

    return chunks[layout & TW_PAGE_LAYOUT_MASK];
}

/* chunk is below TW_PAGE_CHUNKS_MAX. */
static inline uint32_t tw_bitmap_state(uint32_t bitmap, uint32_t chunk)
{
    return bitmap >> chunk * TW_PAGE_STATE_BITS & TW_PAGE_STATE_MASK;
}

static inline uint32_t tw_bitmap_with_state(uint32_t bitmap, uint32_t chunk, uint32_t state)
{
    uint32_t shift = chunk * TW_PAGE_STATE_BITS;

    return (bitmap & ~(TW_PAGE_STATE_MASK << shift)) | state << shift;
}

/* Bytes of one chunk with its header; 0 for layouts without chunks. */
static inline size_t tw_chunk_size(size_t page_size, uint32_t layout)
{
    uint32_t n = tw_layout_chunks(layout);

    return n ? ((page_size - TW_PAGE_HEADER_SIZE) / n & ~(size_t)(TW_CHUNK_ALIGN - 1)) : 0;
}

static inline uint32_t tw_page_load(volatile struct tw_shared *page)
{
    return tw_shared_load32(page);
}

/* True when the page was at *expected; else *expected is what it is now. */
static inline bool tw_page_exchange(volatile struct tw_shared *page, uint32_t *expected,
                                    uint32_t next)
{
    return tw_shared_exchange32(page, expected, next);
}

/* The packet count first: it is what the producer stores last. */
static inline struct tw_chunk_header tw_chunk_load(volatile struct tw_shared *chunk)
{
    uint16_t packets = tw_shared_load16(tw_shared_at(chunk, TW_CHUNK_PACKETS_OFFSET));

    return (struct tw_chunk_header){
        .chunk_id = tw_shared_load32(chunk),
        .writer_id = tw_shared_load16(tw_shared_at(chunk, TW_CHUNK_WRITER_OFFSET)),
        .n_packets = packets & TW_CHUNK_PACKETS_MAX,
        .flags = (uint8_t)(packets >> 10),
    };
}

/* The same of a chunk that came in a message: TW_CHUNK_HEADER_SIZE bytes, wherever they lie. */
static inline struct tw_chunk_header tw_chunk_parse(const uint8_t *chunk)
{
    _Alignas(uint32_t) uint8_t aligned[TW_CHUNK_HEADER_SIZE];

    memcpy(aligned, chunk, sizeof(aligned));
    return tw_chunk_load(tw_shared_of(aligned));
}

/* Publishes what was written before: a reader that sees the count sees those packets. */
static inline void tw_chunk_store_packets(volatile struct tw_shared *chunk, uint16_t n_packets,
                                          uint8_t flags)
{
    tw_shared_store16(tw_shared_at(chunk, TW_CHUNK_PACKETS_OFFSET),
                      (uint16_t)((n_packets & TW_CHUNK_PACKETS_MAX) |
                                 (uint32_t)(flags & TW_CHUNK_FLAGS_MASK) << 10));
}

static inline void tw_chunk_store(volatile struct tw_shared *chunk,
                                  const struct tw_chunk_header *header)
{
    tw_shared_store16(tw_shared_at(chunk, TW_CHUNK_WRITER_OFFSET), header->writer_id);
    tw_shared_store32(chunk, header->chunk_id);
    tw_chunk_store_packets(chunk, header->n_packets, header->flags);
}
