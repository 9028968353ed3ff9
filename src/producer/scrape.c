/* SPDX-License-Identifier: Apache-2.0 */
/* What is finished in chunks that are being written, where the service cannot look for itself. */
#include <string.h>

#include "base/macros.h"
#include "base/req.h"
#include "producer/endpoint.h"
#include "wire/reader.h"

static bool scrapes(const struct tw_producer *p)
{
    return p->inlined && p->arbiter && p->config.scraping == TW_SCRAPING_ON;
}

void tw_endpoint_writer_registered(struct tw_producer *p, struct tw_writer_reg *reg)
{
    if (!scrapes(p))
        return;
    reg->next_new = p->registered;
    p->registered = reg;
}

void tw_endpoint_writer_gone(struct tw_producer *p, const struct tw_writer_reg *reg)
{
    struct tw_writer_reg **at = &p->registered;

    while (*at && *at != reg)
        at = &(*at)->next_new;
    if (*at)
        *at = reg->next_new;
}

static const struct tw_writer_reg *find_writer(const struct tw_producer *p, uint16_t id)
{
    const struct tw_writer_reg *reg = p->registered;

    while (reg && reg->id != id)
        reg = reg->next_new;
    return reg;
}

/* Copies that many whole fragments; nobody writes to them any more, but behind them somebody may.
 */
static void copy_fragments(uint8_t *dst, const struct tw_smb_chunk *chunk, uint32_t n)
{
    size_t at = 0;

    for (; n > 0 && chunk->payload_size - at >= TW_WIRE_SIZE_BYTES; n--) {
        struct tw_reader reader =
            tw_reader_of((struct tw_bytes){.p = dst + at, .n = TW_WIRE_SIZE_BYTES});
        uint64_t size;

        tw_shared_copy(dst + at, tw_shared_at(chunk->payload, at), TW_WIRE_SIZE_BYTES);
        at += TW_WIRE_SIZE_BYTES;
        if (tw_read_varint(&reader, &size) || size > chunk->payload_size - at)
            return;
        tw_shared_copy(dst + at, tw_shared_at(chunk->payload, at), (size_t)size);
        at += (size_t)size;
    }
}

/* The chunk as it is by now. Its header counts one fragment more, which whoever reads it leaves out
 * as unfinished. */
static void put_chunk(struct tw_writer *w, const struct tw_smb_scrape *found)
{
    _Alignas(uint32_t) uint8_t header[TW_CHUNK_HEADER_SIZE];
    size_t n = sizeof(header) + found->chunk.payload_size;

    tw_put_len(w, 4, n);
    w->overflow = w->overflow || n > (size_t)(w->end - w->p);
    if (w->overflow)
        return;
    tw_chunk_store(tw_shared_of(header), &found->header);
    memcpy(w->p, header, sizeof(header));
    memset(w->p + sizeof(header), 0, n - sizeof(header));
    copy_fragments(w->p + sizeof(header), &found->chunk, found->header.n_packets - 1u);
    w->p += n;
}

static void put_move(struct tw_writer *w, const struct tw_smb_scrape *found, uint32_t target_buffer)
{
    uint8_t *nested = tw_put_begin(w, 1);

    tw_put_u64(w, 1, found->chunk.page);
    tw_put_u64(w, 2, found->chunk.idx);
    tw_put_u64(w, 3, target_buffer);
    put_chunk(w, found);
    tw_put_bool(w, 5, true); /* chunk_incomplete */
    tw_put_end(w, nested);
}

bool tw_endpoint_scrape(struct tw_producer *p, struct tw_writer *w)
{
    struct tw_smb_scrape found;

    REQ("TW-PROD-079");
    while (scrapes(p) && tw_smb_walk_next(&p->arbiter->smb, &p->walk, &found) == 0) {
        const struct tw_writer_reg *reg =
            found.complete ? NULL : find_writer(p, found.header.writer_id);

        if (!reg) /* it is on its way anyhow, or nobody's yet */
            continue;
        *w = tw_writer_of(p->frame, TW_INLINE_REQUEST_MAX);
        put_move(w, &found, tw_startup_target(p, reg->target_buffer));
        return true;
    }
    p->walk = (struct tw_smb_walk){0};
    return false;
}
