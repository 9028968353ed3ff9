/* SPDX-License-Identifier: Apache-2.0 */
#include "service/fragment.h"

#include "base/req.h"
#include "smb/abi.h"
#include "wire/reader.h"

int tw_fragment_read(struct tw_bytes payload, size_t off, struct tw_fragment *ret_fragment)
{
    struct tw_reader r = tw_reader_of(payload);
    uint64_t size;

    if (off >= payload.n)
        return TW_MORE;
    r.p += off;
    if (tw_read_varint(&r, &size))
        return TW_E_PROTOCOL;
    if (size == TW_PACKET_SIZE_DROP)
        return TW_E_REFUSED;
    if (size > tw_reader_left(&r))
        return TW_E_PROTOCOL;
    ret_fragment->bytes = (struct tw_bytes){.p = r.p, .n = (size_t)size};
    ret_fragment->end = (size_t)(r.p - payload.p) + (size_t)size;
    return 0;
}

uint32_t tw_fragment_loss(int failure)
{
    return failure == TW_E_REFUSED ? TW_LOSS_WRITER_ABORT : TW_LOSS_CHUNK_CORRUPTED;
}

struct tw_fragment_prefix tw_fragment_scan(struct tw_bytes payload, uint16_t max_fragments)
{
    REQ("TW-SHM-050");
    struct tw_fragment_prefix prefix = {0};

    while (prefix.n < max_fragments) {
        struct tw_fragment fragment;
        int rc = tw_fragment_read(payload, prefix.size, &fragment);

        if (rc) {
            prefix.losses = tw_fragment_loss(rc);
            break;
        }
        prefix.size = fragment.end;
        prefix.n++;
    }
    return prefix;
}
