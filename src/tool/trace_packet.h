/* SPDX-License-Identifier: Apache-2.0 */
/* The outermost fields of a TracePacket: who wrote it, when, and what kind it is. */
#pragma once

#include "base/macros.h"

/* Kinds of packets, as field numbers (spec/proto/trace.proto). */
enum {
    TW_PACKET_CLOCK_SNAPSHOT = 6,
    TW_PACKET_TRACK_EVENT = 11,
    TW_PACKET_TRACE_CONFIG = 33,
    TW_PACKET_TRACE_STATS = 35,
    TW_PACKET_SYNC_MARKER = 36,
    TW_PACKET_PROCESS_DESCRIPTOR = 43,
    TW_PACKET_THREAD_DESCRIPTOR = 44,
    TW_PACKET_SYSTEM_INFO = 45,
    TW_PACKET_TRACK_DESCRIPTOR = 60,
    TW_PACKET_SERVICE_EVENT = 69,
    TW_PACKET_TRACE_UUID = 89,
    TW_PACKET_REMOTE_CLOCK_SYNC = 107,
    TW_PACKET_TRACE_PROVENANCE = 124,
    TW_PACKET_FOR_TESTING = 900,
};

struct tw_packet_facts {
    uint32_t kind;        /* field number of what it is about; 0 when nothing is */
    struct tw_bytes body; /* that field */
    bool has_sequence, has_uid, has_timestamp, has_defaults;
    uint32_t sequence; /* trusted_packet_sequence_id */
    int32_t uid, pid;  /* pid is 0 when nothing is said */
    uint32_t machine;  /* 0: the service's */
    uint64_t timestamp;
    uint32_t clock;         /* of the timestamp; 0 when nothing is said */
    uint32_t default_clock; /* trace_packet_defaults.timestamp_clock_id; 0 the same */
    uint32_t dropped;       /* previous_packet_dropped */
    bool first;             /* first_packet_on_sequence */
    bool clears, needs;     /* incremental state */
};

/* TW_E_PROTOCOL when it is not a sequence of well-formed fields. */
TW_MUST_USE int tw_packet_facts_of(struct tw_bytes packet, struct tw_packet_facts *ret);
/* The name that the original gives a kind; NULL for one that v58.2 does not have. */
const char *tw_packet_kind_name(uint32_t kind);
