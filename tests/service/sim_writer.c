/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/service/sim_writer.h"

#include <string.h>

#include "base/macros.h"
#include "smb/abi.h"
#include "wire/writer.h"

enum {
    PATCHED = 0xa5,   /* what the first four bytes of every packet hold in the end */
    FRAGMENT_MIN = 8, /* bytes: more than the patched bytes in the first fragment */
};

static size_t packet_size(const struct sim_writer *w, uint32_t number)
{
    return SIM_PACKET_MIN +
           (number * UINT32_C(2654435761) >> 16) % (w->max_packet - SIM_PACKET_MIN + 1);
}

static uint8_t packet_byte(uint32_t number, size_t i)
{
    if (i < 4)
        return PATCHED;
    if (i < 8)
        return (uint8_t)(number >> 8 * (i - 4));
    return (uint8_t)(number * 31 + i * 7);
}

void sim_init(struct sim_writer *w, uint16_t writer_id, uint32_t first_chunk_id, size_t chunk_size,
              size_t max_packet)
{
    memset(w, 0, sizeof(*w));
    w->key = (struct tw_writer_key){.producer = 1, .writer_id = writer_id};
    w->peer = (struct tw_peer_ids){.uid = 1000, .pid = 100 + writer_id};
    w->chunk_size = chunk_size;
    w->max_packet = max_packet;
    w->next_id = first_chunk_id;
}

static size_t free_chunks(const struct sim_writer *w)
{
    size_t n = 0;

    for (size_t i = 0; i < SIM_CHUNKS; i++)
        n += !w->chunks[i].in_use;
    return n;
}

static struct sim_chunk *open_chunk(struct sim_writer *w)
{
    for (size_t i = 0; i < SIM_CHUNKS; i++) {
        struct sim_chunk *chunk = &w->chunks[i];

        if (chunk->in_use)
            continue;
        memset(chunk, 0, sizeof(*chunk));
        chunk->in_use = true;
        chunk->id = w->next_id++;
        w->open = chunk;
        return chunk;
    }
    return NULL;
}

void sim_close(struct sim_writer *w)
{
    if (w->open)
        w->open->complete = true;
    w->open = NULL;
}

static size_t room(const struct sim_writer *w)
{
    size_t used = w->open ? w->open->n + TW_WIRE_SIZE_BYTES : w->chunk_size;

    return used < w->chunk_size ? w->chunk_size - used : 0;
}

static void put_fragment(struct sim_writer *w, uint32_t number, size_t from, size_t n, bool patch)
{
    struct sim_chunk *chunk = w->open;

    tw_write_padded_size(chunk->bytes + chunk->n, (uint32_t)n);
    chunk->n += TW_WIRE_SIZE_BYTES;
    for (size_t i = 0; i < n; i++)
        chunk->bytes[chunk->n + i] = packet_byte(number, from + i);
    if (patch) {
        memset(chunk->bytes + chunk->n, 0, 4);
        chunk->flags |= TW_CHUNK_NEEDS_PATCHING;
        w->patches[w->n_patches++] =
            (struct sim_patch){.chunk_id = chunk->id, .offset = (uint32_t)chunk->n};
    }
    chunk->n += n;
    chunk->n_fragments++;
}

/* In place of the rest of a packet. */
static void put_abort(struct sim_writer *w)
{
    struct sim_chunk *chunk = w->open;

    tw_write_padded_size(chunk->bytes + chunk->n, TW_PACKET_SIZE_DROP);
    chunk->n += TW_WIRE_SIZE_BYTES;
    chunk->n_fragments++;
    sim_close(w);
}

static bool has_room(const struct sim_writer *w, size_t size)
{
    size_t per_chunk = w->chunk_size - TW_WIRE_SIZE_BYTES;

    return free_chunks(w) >= size / per_chunk + 2 && w->n_patches < SIM_PATCHES;
}

bool sim_write(struct sim_writer *w, bool abort)
{
    uint32_t number = w->n_written;
    size_t size = packet_size(w, number);

    if (!has_room(w, size))
        return false;
    if (room(w) < FRAGMENT_MIN) {
        sim_close(w);
        open_chunk(w);
    }
    w->n_written++;
    for (size_t at = 0; at < size;) {
        size_t n = tw_min(size - at, room(w));

        if (abort && (at || n == size)) {
            put_abort(w);
            return true;
        }
        put_fragment(w, number, at, n, at == 0 && n < size && !abort);
        at += n;
        if (at < size) {
            w->open->flags |= TW_CHUNK_LAST_CONTINUES;
            sim_close(w);
            open_chunk(w)->flags |= TW_CHUNK_FIRST_CONTINUES;
        }
    }
    return true;
}

static struct tw_chunk_in chunk_in(const struct sim_writer *w, const struct sim_chunk *chunk)
{
    return (struct tw_chunk_in){
        .seq = w->key,
        .peer = w->peer,
        .chunk_id = chunk->id,
        .n_fragments = chunk->n_fragments,
        .flags = chunk->flags,
        .complete = chunk->complete,
        .payload = {.p = tw_shared_of(chunk->bytes), .n = w->chunk_size},
    };
}

bool sim_commit(struct sim_writer *w, size_t nth, struct tw_trace_buffer *tb)
{
    for (size_t i = 0; i < SIM_CHUNKS; i++) {
        struct sim_chunk *chunk = &w->chunks[i];

        if (!chunk->in_use || !chunk->complete || nth--)
            continue;
        if (tb) {
            struct tw_chunk_in in = chunk_in(w, chunk);

            (void)!tw_trace_buffer_write(tb, &in);
        }
        chunk->in_use = false;
        return true;
    }
    return false;
}

void sim_scrape(const struct sim_writer *w, struct tw_trace_buffer *tb)
{
    for (size_t i = 0; i < SIM_CHUNKS; i++) {
        struct tw_chunk_in in = chunk_in(w, &w->chunks[i]);

        if (w->chunks[i].in_use)
            (void)!tw_trace_buffer_write(tb, &in);
    }
}

static struct sim_chunk *chunk_by_id(struct sim_writer *w, uint32_t id)
{
    for (size_t i = 0; i < SIM_CHUNKS; i++) {
        if (w->chunks[i].in_use && w->chunks[i].id == id)
            return &w->chunks[i];
    }
    return NULL;
}

void sim_patch_all(struct sim_writer *w, struct tw_trace_buffer *tb)
{
    struct tw_patch patch = {.data = {PATCHED, PATCHED, PATCHED, PATCHED}};

    for (size_t i = 0; i < w->n_patches; i++) {
        struct sim_chunk *chunk = chunk_by_id(w, w->patches[i].chunk_id);

        patch.offset = w->patches[i].offset;
        if (!chunk) {
            (void)!tw_trace_buffer_patch(tb, w->key, w->patches[i].chunk_id, &patch, 1, false);
            continue;
        }
        memcpy(chunk->bytes + patch.offset, patch.data, sizeof(patch.data));
        chunk->flags &= (uint8_t)~TW_CHUNK_NEEDS_PATCHING;
    }
    w->n_patches = 0;
}

void sim_finish(struct sim_writer *w, struct tw_trace_buffer *tb)
{
    sim_close(w);
    sim_patch_all(w, tb);
    while (sim_commit(w, 0, tb))
        ;
}

static uint8_t out_byte(const struct tw_packet_out *packet, size_t i)
{
    const struct tw_bytes *slice = packet->slices;

    for (; i >= slice->n; slice++)
        i -= slice->n;
    return slice->p[i];
}

const char *sim_judge(struct sim_writer *w, const struct tw_packet_out *packet)
{
    uint32_t number = 0;
    size_t size = 0;

    for (size_t i = 0; i < packet->n_slices; i++)
        size += packet->slices[i].n;
    if (size != packet->size)
        return "the size is not that of the slices";
    if (size < SIM_PACKET_MIN)
        return "the packet was never written";
    for (size_t i = 0; i < 4; i++)
        number |= (uint32_t)out_byte(packet, 4 + i) << 8 * i;
    if (number < w->next_number)
        return "the packet is out of order or a repetition";
    if (number >= w->n_written || size != packet_size(w, number))
        return "the packet was never written so";
    for (size_t i = 0; i < size; i++) {
        if (out_byte(packet, i) != packet_byte(number, i))
            return "the packet holds other bytes than were written";
    }
    if (number != w->next_number && !packet->dropped)
        return "a loss is not told";
    if (packet->peer.pid != w->peer.pid || packet->peer.uid != w->peer.uid)
        return "the packet is said to be somebody else's";
    w->next_number = number + 1;
    w->n_read++;
    return NULL;
}
