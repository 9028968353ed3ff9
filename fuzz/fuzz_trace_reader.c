/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A trace file of anybody's. The first byte of the input chooses the largest packet that is taken,
 * the second the pieces in which the rest comes. Read in pieces and at once it gives the same: the
 * packets, each where the one before it ends and none over the maximum, and then the same verdict
 * at the same place. What a packet has compressed lies inside of it.
 */
#include "base/req.h"
#include "fuzz/input.h"
#include "tracewire/consumer.h"
#include "wire/reader.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct source {
    struct tw_bytes left;
    size_t piece;
};

struct seen {
    size_t packets, packed[TW_TRACE_ZSTD + 1];
    uint64_t hash, offset;
    int said;
};

static int read_source(void *user, uint8_t *p, size_t n, size_t *ret_n)
{
    struct source *s = user;

    CHECK(n > 0);
    *ret_n = tw_min(tw_min(n, s->piece), s->left.n);
    if (*ret_n > 0)
        memcpy(p, s->left.p, *ret_n);
    s->left.p += *ret_n;
    s->left.n -= *ret_n;
    return 0;
}

static void see(struct seen *seen, const struct tw_trace_packet *packet, size_t max)
{
    REQ("TW-TRACE-060");
    CHECK(packet->packet.n <= max);
    CHECK(packet->offset == seen->offset);
    seen->packets++;
    seen->packed[packet->coding] += packet->packed.n;
    for (size_t i = 0; i < packet->packet.n; i++)
        seen->hash = seen->hash * 31 + packet->packet.p[i];
    if (packet->coding == TW_TRACE_PLAIN) {
        CHECK(packet->packed.n == 0);
    } else {
        CHECK(packet->packed.p > packet->packet.p);
        CHECK(packet->packed.n <= (size_t)(packet->packet.p + packet->packet.n - packet->packed.p));
    }
}

static struct seen read_all(struct tw_bytes trace, size_t piece, size_t max)
{
    struct source source = {.left = trace, .piece = piece};
    struct tw_trace_reader *reader;
    struct tw_trace_packet packet;
    struct seen seen = {0};

    CHECK(tw_trace_reader_new(read_source, &source, max, &reader) == 0);
    while (!(seen.said = tw_trace_reader_next(reader, &packet))) {
        see(&seen, &packet, max);
        seen.offset = tw_trace_reader_offset(reader);
        CHECK(seen.offset > packet.offset + packet.packet.n);
    }
    CHECK(tw_trace_reader_next(reader, &packet) == seen.said);
    CHECK(tw_trace_reader_offset(reader) == seen.offset);
    tw_trace_reader_free(reader);
    return seen;
}

/* What stands where the reading ended is what was said of it. */
static void judge_end(struct tw_bytes trace, const struct seen *seen, size_t max)
{
    struct tw_reader r;
    struct tw_field field;
    int rc;

    REQ("TW-TRACE-061");
    CHECK(seen->offset <= trace.n);
    CHECK((seen->said == TW_MORE) == (seen->offset == trace.n));
    trace.p += seen->offset;
    trace.n -= (size_t)seen->offset;
    r = tw_reader_of(trace);
    rc = tw_read_field(&r, &field);
    if (rc == 0 && field.number == 1 && field.type == TW_WIRE_LEN) {
        CHECK(seen->said == TW_E_LIMIT);
        CHECK(field.bytes.n > max);
    } else if (rc == 0) {
        CHECK(seen->said == TW_E_PROTOCOL);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tw_bytes trace = {.p = data, .n = size};
    size_t max = (size_t)input_byte(&trace) * 16, piece = (size_t)input_byte(&trace) + 1;
    struct seen whole = read_all(trace, SIZE_MAX, max), pieces = read_all(trace, piece, max);

    CHECK(whole.said == pieces.said && whole.offset == pieces.offset);
    CHECK(whole.packets == pieces.packets && whole.hash == pieces.hash);
    CHECK(memcmp(whole.packed, pieces.packed, sizeof(whole.packed)) == 0);
    judge_end(trace, &whole, max);
    return 0;
}
