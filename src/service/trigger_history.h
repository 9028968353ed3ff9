/* SPDX-License-Identifier: Apache-2.0 */
/* Which triggers were received in the last 24 hours, for max_per_24_h: a list in the order of time,
 * of a bounded length. Names are kept as hashes. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct tw_trigger_history {
    struct tw_trigger_mark {
        uint64_t ns, name_hash;
    } * marks; /* TW_TRIGGER_HISTORY_MAX of them, made for the first */
    size_t n;
};

/* FNV-1a of 64 bits. */
uint64_t tw_trigger_hash(const char *name);
/* How often this name was received in the 24 hours before now_ns, which never goes back. */
size_t tw_trigger_history_count(struct tw_trigger_history *history, uint64_t now_ns,
                                uint64_t name_hash);
/* When there is no room the oldest of this name makes room, or else the oldest of all: a name that
 * comes often wears out its own past first. -ENOMEM. */
TW_MUST_USE int tw_trigger_history_add(struct tw_trigger_history *history, uint64_t now_ns,
                                       uint64_t name_hash);
void tw_trigger_history_deinit(struct tw_trigger_history *history);
