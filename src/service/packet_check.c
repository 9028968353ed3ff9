/* SPDX-License-Identifier: Apache-2.0 */
#include "service/packet_check.h"

#include "base/macros.h"
#include "base/req.h"
#include "wire/reader.h"
#include "wire/writer.h"

enum {
    TAG_BYTES_MAX = 5, /* bytes: 32 bits; decoders stop, or truncate, behind that */
};

/* What the next byte that is not skipped belongs to. */
enum state { IN_TAG, IN_VALUE, IN_LENGTH };

struct check {
    enum state state;
    uint64_t varint;
    uint32_t varint_bytes; /* of varint, so far */
    uint64_t skip;         /* bytes of a body to pass over */
};

/* Fields of TracePacket that the service writes and readers trust. */
static bool is_reserved(uint64_t field)
{
    REQ("TW-RELAY-014");
    switch (field) {
    case 3:   /* trusted_uid */
    case 10:  /* trusted_packet_sequence_id */
    case 33:  /* trace_config */
    case 35:  /* trace_stats */
    case 36:  /* synchronization_marker */
    case 50:  /* compressed_packets */
    case 69:  /* service_event */
    case 79:  /* trusted_pid */
    case 98:  /* machine_id */
    case 107: /* remote_clock_sync */
    case 124: /* trace_provenance */
    case 125: /* protovms */
    case 133: /* zstd_compressed_packets */
        return true;
    default:
        return false;
    }
}

static int take_tag(struct check *c)
{
    uint64_t field = c->varint >> 3;

    if (c->varint_bytes > TAG_BYTES_MAX || field == 0 || field > TW_WIRE_FIELD_MAX ||
        is_reserved(field))
        return TW_E_PROTOCOL;
    switch (c->varint & 7) {
    case TW_WIRE_VARINT:
        c->state = IN_VALUE;
        return 0;
    case TW_WIRE_FIXED64:
        c->skip = 8;
        return 0;
    case TW_WIRE_LEN:
        c->state = IN_LENGTH;
        return 0;
    case TW_WIRE_FIXED32:
        c->skip = 4;
        return 0;
    default:
        return TW_E_PROTOCOL;
    }
}

static int take_varint(struct check *c)
{
    if (c->state == IN_TAG)
        return take_tag(c);
    if (c->state == IN_LENGTH) {
        if (c->varint > TW_WIRE_SIZE_MAX)
            return TW_E_PROTOCOL;
        c->skip = c->varint;
    }
    c->state = IN_TAG;
    return 0;
}

static int take_octet(struct check *c, uint8_t octet)
{
    int rc;

    if (c->varint_bytes == TW_WIRE_VARINT_MAX - 1 && octet > 1)
        return TW_E_PROTOCOL; /* the tenth byte has room for bit 63 only */
    c->varint |= (uint64_t)(octet & 0x7f) << (7 * c->varint_bytes);
    c->varint_bytes++;
    if (octet >= 0x80)
        return 0;
    rc = take_varint(c);
    c->varint = 0;
    c->varint_bytes = 0;
    return rc;
}

static int take_slice(struct check *c, struct tw_bytes slice)
{
    size_t i = 0;

    while (i < slice.n) {
        size_t skip = c->skip < slice.n - i ? (size_t)c->skip : slice.n - i;

        if (skip) {
            c->skip -= skip;
            i += skip;
        } else if (take_octet(c, slice.p[i++])) {
            return TW_E_PROTOCOL;
        }
    }
    return 0;
}

int tw_packet_check(const struct tw_bytes *slices, size_t n)
{
    REQ("TW-PROD-022");
    struct check c = {.state = IN_TAG};

    for (size_t i = 0; i < n; i++) {
        if (take_slice(&c, slices[i]))
            return TW_E_PROTOCOL;
    }
    return c.state == IN_TAG && c.varint_bytes == 0 && c.skip == 0 ? 0 : TW_E_PROTOCOL;
}
