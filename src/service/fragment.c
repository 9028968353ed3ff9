/* SPDX-License-Identifier: Apache-2.0 */
#include "service/fragment.h"

#include "base/req.h"

uint32_t tw_fragment_loss(int failure)
{
    REQ("TW-BUF-052");
    REQ("TW-BUF-057");
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
