/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reassembly of packets from ReadBuffersResponse. The first byte of the input chooses the maximum
 * of a packet, the rest is one message. One that is refused gives nothing. Fed as a whole and field
 * by field, any other must give the same packets and the same result: where messages end means
 * nothing.
 */
#include "base/req.h"
#include "consumer/reassembly.h"
#include "fuzz/input.h"
#include "wire/views.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct seen {
    size_t max, packets, bytes;
    uint64_t hash;
    size_t stop_at; /* packets after which no more are wanted; 0: never */
};

static int see(void *user, struct tw_bytes packet)
{
    struct seen *seen = user;

    REQ("TW-LIM-006");
    CHECK(packet.n <= seen->max);
    seen->packets++;
    seen->bytes += packet.n;
    seen->hash = seen->hash * 31 + packet.n;
    for (size_t i = 0; i < packet.n; i++)
        seen->hash = seen->hash * 31 + packet.p[i];
    return seen->stop_at && seen->packets == seen->stop_at ? TW_E_CLOSED : 0;
}

static int feed_fields(struct tw_reassembly *ra, struct tw_bytes message, struct seen *seen)
{
    struct tw_reader r = tw_reader_of(message);
    struct tw_field field;
    int rc;

    for (;;) {
        const uint8_t *begin = r.p;

        rc = tw_read_field(&r, &field);
        if (rc)
            return rc == TW_MORE ? 0 : TW_E_PROTOCOL;
        rc = tw_reassembly_feed(ra, (struct tw_bytes){.p = begin, .n = (size_t)(r.p - begin)}, see,
                                seen);
        if (rc)
            return rc;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tw_bytes message = {.p = data, .n = size};
    uint8_t choice = input_byte(&message);
    struct seen whole = {.max = (size_t)(choice & 0x7f) * 64, .stop_at = choice >> 7};
    struct seen pieces = whole;
    struct tw_reassembly a = TW_REASSEMBLY_INIT(whole.max), b = TW_REASSEMBLY_INIT(whole.max);
    int ra = tw_reassembly_feed(&a, message, see, &whole);
    int refused = tw_view_slices(message, NULL);
    int rb = refused ? refused : feed_fields(&b, message, &pieces);

    CHECK(ra == rb);
    CHECK(whole.packets == pieces.packets && whole.bytes == pieces.bytes);
    CHECK(whole.hash == pieces.hash && whole.bytes <= size);
    CHECK(a.partial.n == b.partial.n && a.partial.n <= whole.max);
    CHECK(tw_reassembly_end(&a) == tw_reassembly_end(&b));
    tw_reassembly_deinit(&a);
    tw_reassembly_deinit(&b);
    return 0;
}
