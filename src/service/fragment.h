/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The fragments of a chunk's payload: fragment := varint size | size bytes, one after another. The
 * bytes are a peer's, but in memory that it can no longer change.
 */
#pragma once

#include "smb/abi.h"
#include "wire/field.h"

/* Why packets of a sequence were lost: the bits of TracePacket.previous_packet_dropped. */
enum tw_loss {
    TW_LOSS_PRESENT = 1, /* something was lost; set with every other bit */
    TW_LOSS_READ_GAP = 2,
    TW_LOSS_CHUNK_CORRUPTED = 4,
    TW_LOSS_ORPHAN_CONTINUATION = 8, /* the end of a packet whose begin is not there */
    TW_LOSS_REASSEMBLY_GAP = 16,
    TW_LOSS_REASSEMBLY_BROKEN_CHAIN = 32, /* a packet goes on in a chunk that knows nothing of it */
    TW_LOSS_OVERWRITE = 64,
    TW_LOSS_WRITER_ABORT = 128,
};

struct tw_fragment {
    struct tw_bytes bytes;
    size_t end; /* offset of the next fragment */
};

/* The fragment at offset off of payload. TW_MORE at the end; TW_E_REFUSED when the writer gave this
 * packet up; TW_E_PROTOCOL when the size is no varint or leads out of the payload. Inline, as there
 * is one for each small packet. */
TW_MUST_USE static inline int tw_fragment_read(struct tw_bytes payload, size_t off,
                                               struct tw_fragment *ret_fragment)
{
    const uint8_t *end = payload.p + payload.n, *p;
    struct tw_varint size;

    if (off >= payload.n)
        return TW_MORE;
    p = payload.p + off;
    size = tw_varint_at(p, end, TW_WIRE_VARINT_MAX);
    if (size.n == 0)
        return TW_E_PROTOCOL;
    if (size.value == TW_PACKET_SIZE_DROP)
        return TW_E_REFUSED;
    p += size.n;
    if (size.value > (size_t)(end - p))
        return TW_E_PROTOCOL;
    ret_fragment->bytes = (struct tw_bytes){.p = p, .n = (size_t)size.value};
    ret_fragment->end = (size_t)(p - payload.p) + (size_t)size.value;
    return 0;
}

/* The prefix of payload that consists of whole fragments, at most max_fragments of them. */
struct tw_fragment_prefix {
    size_t size;     /* bytes */
    uint16_t n;      /* fragments */
    uint32_t losses; /* enum tw_loss: why there are not max_fragments; 0 when there are */
};

struct tw_fragment_prefix tw_fragment_scan(struct tw_bytes payload, uint16_t max_fragments);

/* The bit for a failure of tw_fragment_read(). */
uint32_t tw_fragment_loss(int failure);
