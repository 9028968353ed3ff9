/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Operations on a shared memory buffer: find, acquire and release chunks, and walk over those that
 * can be scraped. Nothing is kept beside the memory itself, and nothing in it is believed: pages,
 * chunks and headers may be changed by the other process between any two instructions. Whatever it
 * does, the chunks returned lie inside the mapping and every call ends. Thread-safe: any number of
 * threads on both sides may call at once.
 */
#pragma once

#include "smb/abi.h"

/* How often a compare-and-swap on a page is tried. It fails only because somebody else's succeeded,
 * so honest neighbours, at most 14 a page, never come near; a hostile one costs us this much. */
enum { TW_SMB_ATTEMPTS = 4096 };

struct tw_smb {
    volatile struct tw_shared *base; /* not owned; 4-byte aligned */
    size_t size, page_size, n_pages;
};

/* Where a chunk was when it was located or acquired. Plain values: nothing to release but by the
 * calls below. */
struct tw_smb_chunk {
    uint32_t page, idx;
    volatile struct tw_shared *header, *payload;
    size_t payload_size; /* bytes, at least one */
};

struct tw_smb_scrape {
    struct tw_smb_chunk chunk;
    struct tw_chunk_header header; /* fetched once; n_packets counts the unfinished last packet */
    bool complete; /* else the last packet may be unfinished and is not to be used */
};

/* Where a walk stands; all zero is the beginning of one over everything. Pages may be walked over
 * at different times, but each of them at one: a chunk that was complete may soon be another. */
struct tw_smb_walk {
    size_t page, end; /* end: the page before which it ends; 0: that after the last */
    uint32_t idx, bitmap;
};

/* TW_E_INVALID unless page_size is a multiple of 4 KiB up to 64 KiB and divides size. */
TW_MUST_USE int tw_smb_init(struct tw_smb *ret_smb, volatile struct tw_shared *base, size_t size,
                            size_t page_size);

/* The chunk by the page's layout as it is now, whatever its state. TW_E_INVALID: there is none. */
TW_MUST_USE int tw_smb_chunk_locate(const struct tw_smb *smb, uint32_t page, uint32_t chunk,
                                    struct tw_smb_chunk *ret_chunk);

/* Service: complete -> being read. TW_E_INVALID: no such chunk; TW_E_REFUSED: it is not complete;
 * TW_E_LIMIT: the page never stands still. */
TW_MUST_USE int tw_smb_acquire_for_reading(const struct tw_smb *smb, uint32_t page, uint32_t chunk,
                                           struct tw_smb_chunk *ret_chunk);
/* Service: clears the chunk's header, being read -> free, and frees the page with its last chunk.
 * Results as above; TW_E_INVALID also when the page has got another layout. There is nothing to be
 * done about a failure: the peer lost a chunk of its own. */
TW_MUST_USE int tw_smb_release_as_free(const struct tw_smb *smb, const struct tw_smb_chunk *chunk);
/* Service: the next chunk worth scraping, without acquiring it: complete, or being written with at
 * least two packets, of which the last is unfinished. TW_MORE at the end; at most 14 a page. */
TW_MUST_USE int tw_smb_walk_next(const struct tw_smb *smb, struct tw_smb_walk *walk,
                                 struct tw_smb_scrape *ret_scrape);

/* Producer: divides a free page. TW_E_REFUSED: the page is not free; TW_E_INVALID: no such page, or
 * a layout without chunks. */
TW_MUST_USE int tw_smb_partition(const struct tw_smb *smb, uint32_t page,
                                 enum tw_page_layout layout);
/* Producer: free -> being written, and sets its header. Results as for reading. */
TW_MUST_USE int tw_smb_acquire_for_writing(const struct tw_smb *smb, uint32_t page, uint32_t chunk,
                                           const struct tw_chunk_header *header,
                                           struct tw_smb_chunk *ret_chunk);
/* Producer: being written -> complete. The chunk may be gone the moment this returns. */
TW_MUST_USE int tw_smb_release_as_complete(const struct tw_smb *smb,
                                           const struct tw_smb_chunk *chunk);
/* Producer without shared memory: complete -> free, after the bytes went over the socket. */
TW_MUST_USE int tw_smb_release_as_sent(const struct tw_smb *smb, const struct tw_smb_chunk *chunk);
