/* SPDX-License-Identifier: Apache-2.0 */
#include "smb/smb.h"

#include "base/macros.h"
#include "base/req.h"

int tw_smb_init(struct tw_smb *ret_smb, volatile struct tw_shared *base, size_t size,
                size_t page_size)
{
    if (page_size < TW_PAGE_SIZE_MIN || page_size > TW_PAGE_SIZE_MAX ||
        page_size % TW_PAGE_SIZE_MIN != 0 || size == 0 || size % page_size != 0 ||
        size / page_size > UINT32_MAX)
        return TW_E_INVALID;
    if (!tw_shared_is_aligned(base, TW_CHUNK_ALIGN))
        return TW_E_INVALID;
    *ret_smb = (struct tw_smb){
        .base = base, .size = size, .page_size = page_size, .n_pages = size / page_size};
    return 0;
}

static volatile struct tw_shared *page_at(const struct tw_smb *smb, size_t page)
{
    return tw_shared_at(smb->base, page * smb->page_size);
}

/* Only for a page that exists and a chunk that this bitmap's layout has. */
static struct tw_smb_chunk chunk_at(const struct tw_smb *smb, uint32_t page, uint32_t bitmap,
                                    uint32_t chunk)
{
    REQ("TW-SHM-040");
    size_t size = tw_chunk_size(smb->page_size, tw_bitmap_layout(bitmap));
    volatile struct tw_shared *header =
        tw_shared_at(page_at(smb, page), TW_PAGE_HEADER_SIZE + chunk * size);

    return (struct tw_smb_chunk){
        .page = page,
        .idx = chunk,
        .header = header,
        .payload = tw_shared_at(header, TW_CHUNK_HEADER_SIZE),
        .payload_size = size - TW_CHUNK_HEADER_SIZE,
    };
}

int tw_smb_chunk_locate(const struct tw_smb *smb, uint32_t page, uint32_t chunk,
                        struct tw_smb_chunk *ret_chunk)
{
    uint32_t bitmap;

    if (page >= smb->n_pages)
        return TW_E_INVALID;
    bitmap = tw_page_load(page_at(smb, page));
    if (chunk >= tw_layout_chunks(tw_bitmap_layout(bitmap)))
        return TW_E_INVALID;
    *ret_chunk = chunk_at(smb, page, bitmap, chunk);
    return 0;
}

/* chunk_size: what the chunk must have by the layout, 0 for any. */
static int change_state(const struct tw_smb *smb, uint32_t page, uint32_t chunk, size_t chunk_size,
                        enum tw_chunk_state from, enum tw_chunk_state to, uint32_t *ret_bitmap)
{
    REQ("TW-SHM-041");
    REQ("TW-SHM-049");
    REQ("TW-SHM-001");
    volatile struct tw_shared *p;
    uint32_t bitmap, next;
    size_t size;

    if (page >= smb->n_pages)
        return TW_E_INVALID;
    p = page_at(smb, page);
    bitmap = tw_page_load(p);
    for (int i = 0; i < TW_SMB_ATTEMPTS; i++) {
        if (chunk >= tw_layout_chunks(tw_bitmap_layout(bitmap)))
            return TW_E_INVALID;
        size = tw_chunk_size(smb->page_size, tw_bitmap_layout(bitmap));
        if (chunk_size && chunk_size != size)
            return TW_E_INVALID;
        if (tw_bitmap_state(bitmap, chunk) != from)
            return TW_E_REFUSED;
        next = tw_bitmap_with_state(bitmap, chunk, to);
        /* A page whose chunks are all free may be divided anew. */
        if (to == TW_CHUNK_FREE && (next & TW_PAGE_STATES_MASK) == 0)
            next = 0;
        if (tw_page_exchange(p, &bitmap, next)) {
            *ret_bitmap = bitmap;
            return 0;
        }
    }
    return TW_E_LIMIT;
}

static int acquire(const struct tw_smb *smb, uint32_t page, uint32_t chunk,
                   enum tw_chunk_state from, enum tw_chunk_state to, struct tw_smb_chunk *ret_chunk)
{
    uint32_t bitmap;
    int r = change_state(smb, page, chunk, 0, from, to, &bitmap);

    if (r)
        return r;
    *ret_chunk = chunk_at(smb, page, bitmap, chunk);
    return 0;
}

static int release(const struct tw_smb *smb, const struct tw_smb_chunk *chunk,
                   enum tw_chunk_state from, enum tw_chunk_state to)
{
    REQ("TW-SHM-042");
    static const struct tw_chunk_header cleared;
    uint32_t bitmap;

    /* A chunk that is free has an empty header, so that a scraper that meets it between the next
     * acquisition and the header of that one finds nothing in it. */
    if (to == TW_CHUNK_FREE)
        tw_chunk_store(chunk->header, &cleared);
    return change_state(smb, chunk->page, chunk->idx, chunk->payload_size + TW_CHUNK_HEADER_SIZE,
                        from, to, &bitmap);
}

int tw_smb_acquire_for_reading(const struct tw_smb *smb, uint32_t page, uint32_t chunk,
                               struct tw_smb_chunk *ret_chunk)
{
    return acquire(smb, page, chunk, TW_CHUNK_COMPLETE, TW_CHUNK_BEING_READ, ret_chunk);
}

int tw_smb_release_as_free(const struct tw_smb *smb, const struct tw_smb_chunk *chunk)
{
    return release(smb, chunk, TW_CHUNK_BEING_READ, TW_CHUNK_FREE);
}

/* Of a chunk that is complete or being written. */
static bool worth_scraping(uint32_t state, const struct tw_chunk_header *header)
{
    return state == TW_CHUNK_COMPLETE || header->n_packets > 1;
}

static bool walk_page(const struct tw_smb *smb, struct tw_smb_walk *walk,
                      struct tw_smb_scrape *ret_scrape)
{
    REQ("TW-SHM-002");
    REQ("TW-SHM-020");
    struct tw_smb_chunk chunk;
    struct tw_chunk_header header;
    uint32_t state, i;

    while (walk->idx < tw_layout_chunks(tw_bitmap_layout(walk->bitmap))) {
        i = walk->idx++;
        state = tw_bitmap_state(walk->bitmap, i);
        if (state != TW_CHUNK_COMPLETE && state != TW_CHUNK_BEING_WRITTEN)
            continue;
        chunk = chunk_at(smb, (uint32_t)walk->page, walk->bitmap, i);
        header = tw_chunk_load(chunk.header);
        if (!worth_scraping(state, &header))
            continue;
        *ret_scrape = (struct tw_smb_scrape){
            .chunk = chunk, .header = header, .complete = state == TW_CHUNK_COMPLETE};
        return true;
    }
    return false;
}

int tw_smb_walk_next(const struct tw_smb *smb, struct tw_smb_walk *walk,
                     struct tw_smb_scrape *ret_scrape)
{
    size_t end = walk->end ? tw_min(walk->end, smb->n_pages) : smb->n_pages;

    for (; walk->page < end; walk->page++, walk->idx = 0) {
        /* One look at the bitmap a page: the layout must not change under the walk. */
        if (walk->idx == 0)
            walk->bitmap = tw_page_load(page_at(smb, walk->page));
        if (walk_page(smb, walk, ret_scrape))
            return 0;
    }
    return TW_MORE;
}

int tw_smb_partition(const struct tw_smb *smb, uint32_t page, enum tw_page_layout layout)
{
    REQ("TW-SHM-041");
    uint32_t expected = 0;

    if (page >= smb->n_pages || !tw_layout_chunks((uint32_t)layout))
        return TW_E_INVALID;
    if (!tw_page_exchange(page_at(smb, page), &expected, (uint32_t)layout << TW_PAGE_LAYOUT_SHIFT))
        return TW_E_REFUSED;
    return 0;
}

int tw_smb_acquire_for_writing(const struct tw_smb *smb, uint32_t page, uint32_t chunk,
                               const struct tw_chunk_header *header, struct tw_smb_chunk *ret_chunk)
{
    int r = acquire(smb, page, chunk, TW_CHUNK_FREE, TW_CHUNK_BEING_WRITTEN, ret_chunk);

    if (r)
        return r;
    tw_chunk_store(ret_chunk->header, header);
    return 0;
}

int tw_smb_release_as_complete(const struct tw_smb *smb, const struct tw_smb_chunk *chunk)
{
    return release(smb, chunk, TW_CHUNK_BEING_WRITTEN, TW_CHUNK_COMPLETE);
}

int tw_smb_release_as_sent(const struct tw_smb *smb, const struct tw_smb_chunk *chunk)
{
    return release(smb, chunk, TW_CHUNK_COMPLETE, TW_CHUNK_FREE);
}
