/* SPDX-License-Identifier: Apache-2.0 */
#include "producer/trace_writer.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/macros.h"
#include "base/req.h"
#include "producer/instance.h"
#include "producer/packet_put.h"

enum {
    FIELD_PREVIOUS_PACKET_DROPPED = 42,
    FIELD_FIRST_PACKET_ON_SEQUENCE = 87,
};

/* NULL with errno. */
static struct tw_trace_writer *map_writer(void)
{
    REQ("TW-SHM-070");
    void *p = mmap(NULL, sizeof(struct tw_trace_writer), PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int error;

    if (p == MAP_FAILED)
        return NULL;
    if (madvise(p, sizeof(struct tw_trace_writer), MADV_WIPEONFORK)) {
        error = errno; /* without that a child could write into what is its parent's */
        munmap(p, sizeof(struct tw_trace_writer));
        errno = error;
        return NULL;
    }
    return p;
}

static void unmap_writer(struct tw_trace_writer *w)
{
    munmap(w, sizeof(*w));
}

int tw_trace_writer_new(struct tw_trace_writer **ret_writer, struct tw_arbiter *arbiter,
                        uint32_t target_buffer, enum tw_exhausted policy)
{
    struct tw_trace_writer *w = map_writer();
    int r;

    if (!w)
        return -errno;
    r = tw_arbiter_add_writer(arbiter, target_buffer, &w->reg);
    if (r) {
        unmap_writer(w);
        return r;
    }
    w->arbiter = tw_arbiter_ref(arbiter);
    w->policy = policy;
    w->marks = TW_MARK_FIRST;
    w->flush_generation = atomic_load(&arbiter->flush_generation);
    *ret_writer = w;
    return 0;
}

int tw_writer_new(struct tw_trace_writer **ret_writer, struct tw_instance *instance,
                  enum tw_exhausted policy)
{
    return tw_trace_writer_new(ret_writer, instance->arbiter, instance->target_buffer,
                               policy == TW_EXHAUSTED_DEFAULT ? instance->policy : policy);
}

/* ---- chunks ---- */

static bool may_wait(const struct tw_trace_writer *w)
{
    return w->policy == TW_EXHAUSTED_STALL ||
           (w->policy == TW_EXHAUSTED_STALL_THEN_DROP && !w->gave_up);
}

static int acquire(struct tw_trace_writer *w, uint8_t flags, bool wait,
                   struct tw_smb_chunk *ret_chunk)
{
    struct tw_chunk_header header = {
        .chunk_id = w->next_chunk_id, .writer_id = w->reg->id, .n_packets = 1, .flags = flags};

    return tw_arbiter_acquire(w->arbiter, &header, wait ? &w->wait_until_ns : NULL, ret_chunk);
}

static void use_chunk(struct tw_trace_writer *w, const struct tw_smb_chunk *chunk, uint8_t flags)
{
    w->chunk = *chunk;
    w->has_chunk = true;
    w->flags = flags;
    w->n_packets = 0;
    w->next_chunk_id++;
    w->p = tw_shared_own(chunk->payload);
    /* Room is left for the mark of a loss, which has to fit even behind a packet that fills the
     * chunk: there may be no other place to tell of it. */
    w->end = w->p + chunk->payload_size - TW_WIRE_SIZE_BYTES;
}

static void return_chunk(struct tw_trace_writer *w)
{
    struct tw_move move = {
        .chunk = w->chunk,
        .target_buffer = w->reg->target_buffer,
        .chunk_id = w->next_chunk_id - 1,
        .writer_id = w->reg->id,
    };

    if (!w->has_chunk)
        return;
    tw_chunk_store_packets(w->chunk.header, w->n_packets, w->flags);
    tw_arbiter_return(w->arbiter, &move, w->flags);
    w->has_chunk = false;
    w->p = w->end = NULL;
}

static inline void begin_fragment(struct tw_trace_writer *w)
{
    w->fragment = w->p += TW_WIRE_SIZE_BYTES;
}

static inline void set_fragment_size(struct tw_trace_writer *w, uint32_t size)
{
    (void)tw_raw_padded_size(w->fragment - TW_WIRE_SIZE_BYTES, size);
}

static inline uint32_t packet_size(const struct tw_trace_writer *w)
{
    return w->before + (uint32_t)(w->p - w->fragment);
}

/* ---- sizes in chunks that are gone ---- */

static bool chunk_waits_for_more(const struct tw_trace_writer *w, uint32_t chunk_id)
{
    for (uint32_t i = 0; i < w->depth; i++)
        if (!w->nest[i].size && w->nest[i].chunk_id == chunk_id)
            return true;
    return false;
}

/* Takes the innermost message off the stack, whose size lies in a chunk that is gone. */
__attribute__((noinline)) static void patch_nest(struct tw_trace_writer *w, uint32_t size)
{
    const struct tw_nest *nest = &w->nest[--w->depth];
    struct tw_late_patch patch = {
        .target_buffer = w->reg->target_buffer,
        .chunk_id = nest->chunk_id,
        .writer_id = w->reg->id,
        .offset = nest->offset,
        .has_more = chunk_waits_for_more(w, nest->chunk_id),
    };

    (void)tw_raw_padded_size(patch.bytes, size);
    tw_arbiter_patch(w->arbiter, &patch);
}

static inline void close_nest(struct tw_trace_writer *w)
{
    const struct tw_nest *nest = &w->nest[w->depth - 1];
    uint32_t size = packet_size(w) - nest->begin;

    if (!nest->size) {
        patch_nest(w, size);
        return;
    }
    (void)tw_raw_padded_size(nest->size, size);
    w->depth--;
}

/* The current chunk is about to go: what it holds of unknown sizes has to be patched later. */
static void detach_nests(struct tw_trace_writer *w)
{
    REQ("TW-SHM-046");
    for (uint32_t i = 0; i < w->depth; i++) {
        struct tw_nest *nest = &w->nest[i];

        if (!nest->size)
            continue;
        nest->chunk_id = w->next_chunk_id - 1;
        nest->offset = (uint16_t)(nest->size - tw_shared_own(w->chunk.payload));
        nest->size = NULL;
        w->flags |= TW_CHUNK_NEEDS_PATCHING;
    }
}

/* ---- losses ---- */

static void lose(struct tw_trace_writer *w, int why)
{
    w->state = TW_PACKET_LOST;
    w->lost_why = why;
    w->marks |= TW_MARK_LOSS;
}

/* The open packet cannot be finished: its fragment tells the reader to throw all of it away. If
 * that is handed over already, the reader finds out when the next chunk does not go on with it. */
static void give_up(struct tw_trace_writer *w, int why)
{
    REQ("TW-SHM-047");
    if (w->has_chunk) {
        set_fragment_size(w, TW_PACKET_SIZE_DROP);
        w->n_packets++;
    }
    /* Sizes in this chunk do not matter any more; those in earlier ones would keep the reader
     * waiting for ever. */
    while (w->depth > 0) {
        if (w->nest[w->depth - 1].size)
            w->depth--;
        else
            patch_nest(w, 0);
    }
    return_chunk(w);
    lose(w, why);
}

/* No chunk for a packet that has not begun: says so behind the last one. */
static void end_with_loss(struct tw_trace_writer *w)
{
    if (!w->has_chunk)
        return;
    (void)tw_raw_padded_size(w->p, TW_PACKET_SIZE_DROP);
    w->n_packets++;
    return_chunk(w);
}

/* ---- packets ---- */

static bool has_room(const struct tw_trace_writer *w)
{
    return w->has_chunk && w->end - w->p >= TW_PACKET_ROOM && w->n_packets < TW_PACKETS_A_CHUNK;
}

/* Who waits holds no chunk meanwhile, or as many threads as there are chunks would wait for each
 * other. */
static int next_chunk(struct tw_trace_writer *w)
{
    struct tw_smb_chunk chunk;
    int r = acquire(w, 0, false, &chunk);

    if (r == TW_E_LIMIT && may_wait(w)) {
        return_chunk(w);
        r = acquire(w, 0, true, &chunk);
    }
    w->gave_up = r != 0;
    if (r) {
        end_with_loss(w);
        return r;
    }
    return_chunk(w);
    use_chunk(w, &chunk, 0);
    return 0;
}

/* The packet goes on in the next chunk. */
static void end_fragment(struct tw_trace_writer *w)
{
    REQ("TW-SHM-045");
    set_fragment_size(w, (uint32_t)(w->p - w->fragment));
    w->before = packet_size(w);
    detach_nests(w);
    w->flags |= TW_CHUNK_LAST_CONTINUES;
    w->n_packets++;
    return_chunk(w);
}

static void next_fragment(struct tw_trace_writer *w)
{
    struct tw_smb_chunk chunk;
    int r;

    if (packet_size(w) > TW_WIRE_SIZE_MAX - TW_PAGE_SIZE_MAX) {
        give_up(w, TW_E_LIMIT);
        return;
    }
    r = acquire(w, TW_CHUNK_FIRST_CONTINUES, false, &chunk);
    if (r == TW_E_LIMIT && may_wait(w)) {
        end_fragment(w);
        r = acquire(w, TW_CHUNK_FIRST_CONTINUES, true, &chunk);
    }
    w->gave_up = r != 0;
    if (r) {
        give_up(w, r);
        return;
    }
    if (w->has_chunk)
        end_fragment(w);
    use_chunk(w, &chunk, TW_CHUNK_FIRST_CONTINUES);
    begin_fragment(w);
}

void tw_trace_writer_put(struct tw_trace_writer *w, const uint8_t *p, size_t n)
{
    while (n > 0 && w->state == TW_PACKET_OPEN) {
        size_t now = tw_min(n, (size_t)(w->end - w->p));

        if (now == 0) {
            next_fragment(w);
            continue;
        }
        memcpy(w->p, p, now);
        w->p += now;
        p += now;
        n -= now;
    }
}

/* Makes sure that there is a chunk with room for a packet. */
static bool find_room(struct tw_trace_writer *w)
{
    int r = has_room(w) ? 0 : next_chunk(w);

    if (r)
        lose(w, r);
    return r == 0;
}

__attribute__((noinline)) static void put_marks(struct tw_trace_writer *w)
{
    if (w->marks & TW_MARK_LOSS)
        tw_writer_bool(w, FIELD_PREVIOUS_PACKET_DROPPED, true);
    if (w->marks & TW_MARK_FIRST)
        tw_writer_bool(w, FIELD_FIRST_PACKET_ON_SEQUENCE, true);
}

static inline void start_packet(struct tw_trace_writer *w)
{
    REQ("TW-SHM-043");
    /* Counted when it begins and not when it ends: a chunk that was scraped must count more when
     * it is complete, or a service may take it for what it has already. */
    tw_chunk_store_packets(w->chunk.header, (uint16_t)(w->n_packets + 1), w->flags);
    w->state = TW_PACKET_OPEN;
    w->before = 0;
    w->depth = 0;
    begin_fragment(w);
    if (w->marks)
        put_marks(w);
}

static inline uint32_t flush_generation(const struct tw_trace_writer *w)
{
    return atomic_load_explicit(&w->arbiter->flush_generation, memory_order_relaxed);
}

/* What is not as usual when a packet begins. */
__attribute__((noinline)) static bool prepare(struct tw_trace_writer *w)
{
    if (w->state != TW_PACKET_NONE)
        (void)tw_writer_end(w);
    if (!w->arbiter) {
        lose(w, TW_E_CLOSED);
        return false;
    }
    if (w->flush_generation != flush_generation(w)) {
        w->flush_generation = flush_generation(w);
        tw_writer_flush(w);
    }
    return find_room(w);
}

void tw_writer_begin(struct tw_trace_writer *writer)
{
    bool as_usual = writer->state == TW_PACKET_NONE && has_room(writer) &&
                    writer->flush_generation == flush_generation(writer);

    if (TW_LIKELY(as_usual) || prepare(writer))
        start_packet(writer);
}

static inline void finish_packet(struct tw_trace_writer *w)
{
    while (w->depth > 0)
        close_nest(w);
    set_fragment_size(w, (uint32_t)(w->p - w->fragment));
    w->n_packets++;
    w->state = TW_PACKET_NONE;
    w->wait_until_ns = 0;
    w->marks = 0;
    w->stats.packets++;
    w->stats.bytes += packet_size(w);
}

int tw_writer_end(struct tw_trace_writer *writer)
{
    if (TW_LIKELY(writer->state == TW_PACKET_OPEN)) {
        finish_packet(writer);
        return 0;
    }
    if (writer->state == TW_PACKET_NONE)
        return TW_E_INVALID;
    writer->state = TW_PACKET_NONE;
    writer->wait_until_ns = 0;
    writer->stats.lost++;
    return writer->lost_why;
}

/* Where the tag of a nested message and its size may have to be in two chunks. */
static bool split_nest(struct tw_trace_writer *w, uint64_t tag)
{
    uint8_t tmp[TW_RAW_VARINT_MAX];

    tw_trace_writer_put(w, tmp, (size_t)(tw_raw_varint(tmp, tag) - tmp));
    if (w->state == TW_PACKET_OPEN && w->depth == TW_NEST_MAX)
        give_up(w, TW_E_INVALID);
    if (w->state == TW_PACKET_OPEN && w->end - w->p < TW_WIRE_SIZE_BYTES)
        next_fragment(w); /* a size is patched in one chunk only */
    return w->state == TW_PACKET_OPEN;
}

void tw_writer_nest(struct tw_trace_writer *writer, uint32_t field)
{
    uint64_t tag = (uint64_t)field << 3 | TW_WIRE_LEN;
    struct tw_nest *nest;

    if (TW_LIKELY(tw_packet_has_room(writer, TW_RAW_FIELD_MAX) && writer->depth < TW_NEST_MAX))
        writer->p = tw_raw_varint(writer->p, tag);
    else if (!split_nest(writer, tag))
        return;
    nest = &writer->nest[writer->depth++];
    nest->size = writer->p;
    writer->p = tw_raw_padded_size(writer->p, 0);
    nest->begin = packet_size(writer);
}

void tw_writer_unnest(struct tw_trace_writer *writer)
{
    if (writer->state == TW_PACKET_OPEN && writer->depth > 0)
        close_nest(writer);
}

/* ---- the end ---- */

/* A loss that no later packet has told of yet gets a packet for itself. */
static void tell_loss(struct tw_trace_writer *w)
{
    enum tw_exhausted policy = w->policy;

    w->policy = TW_EXHAUSTED_DROP;
    if (find_room(w)) {
        start_packet(w);
        finish_packet(w);
        w->stats.packets--; /* it is not the caller's */
    }
    w->policy = policy;
    w->state = TW_PACKET_NONE;
}

void tw_writer_flush(struct tw_trace_writer *writer)
{
    if (writer->state != TW_PACKET_NONE || !writer->arbiter)
        return;
    if (writer->marks & TW_MARK_LOSS)
        tell_loss(writer);
    return_chunk(writer);
    tw_arbiter_flush(writer->arbiter);
}

void tw_writer_free(struct tw_trace_writer *writer)
{
    if (!writer)
        return;
    if (writer->state == TW_PACKET_OPEN)
        give_up(writer, TW_E_INVALID);
    writer->state = TW_PACKET_NONE;
    tw_writer_flush(writer);
    if (writer->arbiter) {
        tw_arbiter_remove_writer(writer->arbiter, writer->reg);
        tw_arbiter_unref(writer->arbiter);
    }
    unmap_writer(writer);
}

void tw_writer_stats(const struct tw_trace_writer *writer, struct tw_writer_stats *ret_stats)
{
    *ret_stats = writer->stats;
}

uint64_t tw_writer_lost(const struct tw_trace_writer *writer)
{
    return writer->stats.lost;
}
