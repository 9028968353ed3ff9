/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whole packets from ReadBuffersResponse messages: a packet comes in slices, which may be spread
 * over several messages. A packet of one slice is handed out where it lies; nothing is copied.
 * Not thread-safe.
 */
#pragma once

#include "base/bytes.h"

struct tw_reassembly {
    struct tw_buf partial; /* slices of the packet that is not whole yet */
    bool open;             /* a packet has begun; it may still be empty */
};

#define TW_REASSEMBLY_INIT(packet_max) ((struct tw_reassembly){.partial = TW_BUF_INIT(packet_max)})

void tw_reassembly_deinit(struct tw_reassembly *ra);

/*
 * Takes one encoded ReadBuffersResponse and calls fn for each packet that it completes; the packet
 * is valid during the call. When fn returns anything but 0 that is returned at once. What tw_scan()
 * says of a message that is malformed, before anything of it is taken; TW_E_LIMIT for a packet over
 * the maximum, -ENOMEM.
 */
TW_MUST_USE int tw_reassembly_feed(struct tw_reassembly *ra, struct tw_bytes response,
                                   int (*fn)(void *user, struct tw_bytes packet), void *user);
/* After the last message: TW_E_TRUNCATED when a packet is not whole. It is dropped. */
TW_MUST_USE int tw_reassembly_end(struct tw_reassembly *ra);
