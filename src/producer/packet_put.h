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
 * What is not that lucky goes through the calls of tracewire/producer.h, which make fragments.
 */
#pragma once

#include "producer/trace_writer.h"
#include "wire/raw.h"

/* Whether a packet is open and so many bytes of it fit the chunk. */
static inline bool tw_packet_has_room(const struct tw_trace_writer *w, size_t n)
{
    return w->state == TW_PACKET_OPEN && (size_t)(w->end - w->p) >= n;
}
