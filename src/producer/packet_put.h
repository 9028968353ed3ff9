/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fields straight into the chunk. A chunk has far more room than a field takes, so whoever writes
 * asks once whether all of it fits, and then encodes without a look at where the chunk ends:
 *
 *     if (tw_packet_has_room(w, 2 * TW_RAW_FIELD_MAX)) {
 *         uint8_t *p = w->p;
 *
 *         p = tw_raw_field(p, 8, TW_WIRE_VARINT, timestamp);
 *         w->p = tw_raw_field(p, 13, TW_WIRE_VARINT, flags);
 *     }
 *
 * or even a packet as a whole:
 *
 *     if (tw_packet_fits(w, 2 * TW_RAW_FIELD_MAX))
 *         tw_packet_done(w, put_fields(tw_packet_at(w)));
 *
 * What is not that lucky goes through the calls of tracewire/producer.h, which make fragments.
 */
#pragma once

#include <stdatomic.h>

#include "base/macros.h"
#include "producer/trace_writer.h"
#include "wire/raw.h"

/* Whether a packet is open and so many bytes of it fit the chunk. */
static inline bool tw_packet_has_room(const struct tw_trace_writer *w, size_t n)
{
    return w->state == TW_PACKET_OPEN && (size_t)(w->end - w->p) >= n;
}

/* Where the chunk is nearly full: a field that may have to be split. */
void tw_packet_put_split(struct tw_trace_writer *w, uint32_t field, enum tw_wire_type type,
                         uint64_t value);

/* A scalar, or the tag and length of what comes next. */
static inline void tw_packet_put(struct tw_trace_writer *w, uint32_t field, enum tw_wire_type type,
                                 uint64_t value)
{
    if (TW_LIKELY(tw_packet_has_room(w, TW_RAW_FIELD_MAX)))
        w->p = tw_raw_field(w->p, field, type, value);
    else
        tw_packet_put_split(w, field, type, value);
}

/* Whether a packet of at most n bytes can be put there now, as one fragment of which nothing else
 * has to be said; if not, it takes tw_writer_begin(). */
static inline bool tw_packet_fits(const struct tw_trace_writer *w, size_t n)
{
    return (size_t)(w->end - w->p) >= TW_WIRE_SIZE_BYTES + n && w->state == TW_PACKET_NONE &&
           !w->marks && w->n_packets < TW_PACKETS_A_CHUNK &&
           w->flush_generation ==
               atomic_load_explicit(&w->arbiter->flush_generation, memory_order_relaxed);
}

/* Where its first byte goes. */
static inline uint8_t *tw_packet_at(const struct tw_trace_writer *w)
{
    return w->p + TW_WIRE_SIZE_BYTES;
}

/* It is there, and ends at end. */
static inline void tw_packet_done(struct tw_trace_writer *w, uint8_t *end)
{
    uint32_t size = (uint32_t)(end - tw_packet_at(w));

    (void)tw_raw_padded_size(w->p, size);
    w->p = end;
    w->n_packets++;
    /* Not announced before, as tw_writer_begin() does: a scraper that looks meanwhile finds one
     * less, and the complete chunk counts all the more. */
    tw_chunk_store_packets(w->chunk.header, w->n_packets, w->flags);
    w->stats.packets++;
    w->stats.bytes += size;
}
