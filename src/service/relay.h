/* SPDX-License-Identifier: Apache-2.0 */
/* Relays: what they tell of their machines, and what of it goes into traces (spec/relay.md). */
#pragma once

#include "relay_port.pb-c.h"
#include "service/core.h"

struct tw_relay_clock {
    uint32_t id; /* a BuiltinClock */
    uint64_t ns;
};

/* One SyncClock: the relay's clocks when it was sent, and ours when it came. */
struct tw_relay_sync {
    struct tw_relay_clock clocks[TW_RELAY_CLOCKS_MAX];
    size_t n_clocks;
    struct tw_clock_snapshot ours;
};

struct tw_relay {
    TAILQ_ENTRY(tw_relay) next;
    struct tw_service_conn *conn;
    uint64_t serial;    /* counts those whose clocks are known; 0 until then */
    struct tw_buf info; /* a SystemInfo; empty until it has come */
    struct tw_relay_sync syncs[TW_RELAY_SYNCS_MAX]; /* the oldest first */
    size_t n_syncs;
};

extern const struct tw_port_handler tw_relay_handlers[TW_RELAY_METHOD_MAX];

/* Forgets the connection's relay, if it is one. */
void tw_relay_free(struct tw_service_conn *conn);

/* What relays have told that this session has not seen yet, one of each machine: a SystemInfo and a
 * RemoteClockSync, each as a field of a Trace, appended. TW_E_LIMIT, -ENOMEM. */
TW_MUST_USE int tw_relay_packets(struct tw_session *session, struct tw_buf *out);
