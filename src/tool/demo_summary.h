/* SPDX-License-Identifier: Apache-2.0 */
/* What a trace file holds, counted. */
#pragma once

#include <stdio.h>

#include "base/macros.h"

/* Sequences that are told apart; far more than the demo has. */
enum { TW_SUMMARY_SEQUENCES_MAX = 256 };

struct tw_summary {
    uint64_t packets, bytes;
    uint64_t track_events, slices, instants, counters; /* the last three are in the first */
    uint64_t test_packets;
    uint64_t descriptors;
    uint64_t by_service;
    uint64_t gaps;              /* places where the service says that packets are missing */
    uint64_t first_ns, last_ns; /* of the events and test packets; 0 if there are none */
    uint32_t sequence[TW_SUMMARY_SEQUENCES_MAX];
    size_t n_sequences;
};

/* Results as those of tw_trace_reader_next() but TW_MORE; TW_E_PROTOCOL too when a packet is
 * malformed. */
TW_MUST_USE int tw_summary_read(const char *path, struct tw_summary *ret_summary);
