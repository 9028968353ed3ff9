/* SPDX-License-Identifier: Apache-2.0 */
/* What peers may ask of the service, each with its unit and reason (spec/limits.md). */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "tracewire/frame.h"
#include "wire/scan.h"

enum {
    /* Sessions at once, and of one uid: the original's figures. TW-LIM-010, TW-LIM-011 */
    TW_SESSIONS_MAX = 15,
    TW_SESSIONS_PER_UID_MAX = 5,
    /* Buffers of one session: the original's figure. TW-LIM-012 */
    TW_SESSION_BUFFERS_MAX = 128,
    /* Buffer ids, global because producers know nothing of sessions. TW-LIM-013 */
    TW_BUFFER_IDS = TW_SESSIONS_MAX * TW_SESSION_BUFFERS_MAX + 1,
    /* Data sources in one trace config: far more than any config in use. TW-LIM-014 */
    TW_CONFIG_DATA_SOURCES_MAX = 1024,
    /* Producers at once: their ids have 16 bits, 0 is none. TW-LIM-015 */
    TW_PRODUCERS_MAX = 65535,
    /* Data sources of one producer; Chromium has nine. TW-LIM-016 */
    TW_DATA_SOURCES_MAX = 256,
    /* Data source instances one session may have: every matching one of every producer. TW-LIM-017
     */
    TW_INSTANCES_MAX = 16384,
    /* Flushes of one session that wait for producers. TW-LIM-018 */
    TW_FLUSHES_MAX = 1000,
    /* Bytes of a producer's name, its version or a data source's name that are kept. TW-LIM-019 */
    TW_NAME_MAX = 1024,
    /* Names remembered of sessions with enable_extra_guardrails that began lately, far more than a
     * machine begins. TW-LIM-094 */
    TW_GUARDED_NAMES_MAX = 256,
    /* Semaphores in one trace config: each is looked for in every session. TW-LIM-095 */
    TW_SEMAPHORES_MAX = 64,
    /* State changes of data sources in one reply to ObserveEvents: with the longest names they fit
     * a frame. TW-LIM-097 */
    TW_OBSERVE_BATCH = 32,
    /* Bytes of the key that a session is detached with. TW-LIM-090 */
    TW_DETACH_KEY_MAX = 1024,
    /* Patches of one chunk in one request. TW-LIM-020 */
    TW_PATCHES_MAX = 1024,
    /* Bytes of a chunk that comes inside of CommitData: the size of a chunk has 16 bits. TW-LIM-120
     */
    TW_INLINE_CHUNK_MAX = 65535,
    /* Bytes of the name of a machine, with its NUL: as long as a host's name may be. TW-LIM-122 */
    TW_MACHINE_NAME_SIZE = 256,
    /* Relays at once: one a machine. TW-LIM-124 */
    TW_RELAYS_MAX = 64,
    /* Clocks in one SyncClock; the original's relay has six. TW-LIM-125 */
    TW_RELAY_CLOCKS_MAX = 16,
    /* SyncClocks that are kept of one relay, the newest: the original's figure. TW-LIM-126 */
    TW_RELAY_SYNCS_MAX = 5,
    /* Clock snapshots kept until they are read. TW-LIM-021 */
    TW_CLOCK_SNAPSHOTS_MAX = 16,
    /* Lifecycle events kept until they are read; the oldest that comes again makes room. TW-LIM-022
     */
    TW_LIFECYCLE_EVENTS_MAX = 64,
    /* Data sources that one event names: the original's figure. TW-LIM-165 */
    TW_SLOW_SOURCES_MAX = 32,
    /* Changes of other sessions kept until they are read, with the longest names some 1 MiB.
     * TW-LIM-181 */
    TW_SESSION_CHANGES_MAX = 1024,
    /* Sequences that a trace_provenance names, of some 10 bytes. TW-LIM-167 */
    TW_PROVENANCE_MAX = 65536,
    /* Triggers that one config waits for: some dozens are usual. TW-LIM-100 */
    TW_TRIGGERS_MAX = 256,
    /* Triggers a session received, kept until they are read; the first stays. TW-LIM-101 */
    TW_TRIGGER_HITS_MAX = 64,
    /* Names in one ActivateTriggers: each is looked for in every session. TW-LIM-102 */
    TW_TRIGGER_NAMES_MAX = 128,
    /* Triggers of the last day that max_per_24_h counts, of 16 bytes. TW-LIM-103 */
    TW_TRIGGER_HISTORY_MAX = 4096,
    /* Regular expressions in one config, and bytes of one. TW-LIM-104, TW-LIM-105 */
    TW_PATTERNS_MAX = 64,
    TW_PATTERN_MAX = 1024,
    /* Steps of one match, some nanoseconds each: patterns for names need some dozens. TW-LIM-106 */
    TW_PATTERN_STEPS_MAX = 10000,
    /* Calls worked on for one connection before others get a turn. TW-LIM-023 */
    TW_CALLS_PER_TURN = 64,
    /* Milliseconds of a turn after which no further call, reply or packet is begun in it: as others
     * notice it. TW-LIM-162 */
    TW_TURN_MS = 10,
    /* Chunks and fragments passed over, in which there is no packet, before the clock is looked at.
     * TW-LIM-163 */
    TW_READ_STEPS = 64,
    /* Fragments of one packet: the largest (TW-LIM-028) has that many in the smallest chunks of
     * known producers. TW-LIM-164 */
    TW_PACKET_FRAGMENTS_MAX = 262144,
    /* Packets looked at for one ReadBuffers reply, and replies built before others get a turn: a
     * buffer full of packets that are not handed on costs its reader, not everybody. TW-LIM-032,
     * TW-LIM-033 */
    TW_READ_PACKETS_PER_REPLY = 4096,
    TW_READ_REPLIES_PER_TURN = 8,
};

/* What one user may hold, unless the service is told otherwise. Connections: two thousand producers
 * of one user and as many again. TW-LIM-062 */
#define TW_ACCOUNT_CONNECTIONS UINT64_C(4096)
/* Bytes of shared memory: what 4096 producers get by default, or 32 of the largest. TW-LIM-063 */
#define TW_ACCOUNT_SHM_BYTES (UINT64_C(1024) * 1024 * 1024)
/* Bytes of descriptors of data sources and bindings of writers: 64 KiB for each connection, five
 * times what Chromium has. TW-LIM-178 */
#define TW_ACCOUNT_MEMORY_BYTES (UINT64_C(256) * 1024 * 1024)
/* Bytes that wait to be read: 64 connections that are full. TW-LIM-064 */
#define TW_ACCOUNT_OUTPUT_BYTES (UINT64_C(64) * 1024 * 1024)
/* Calls outstanding: four for each connection, as known clients have them. TW-LIM-065 */
#define TW_ACCOUNT_REQUESTS UINT64_C(16384)
/* Descriptors: three for each connection, socket, memory, and one on its way. TW-LIM-066 */
#define TW_ACCOUNT_DESCRIPTORS UINT64_C(12288)
/* Users with an account of their own; the others share one. TW-LIM-067 */
#define TW_ACCOUNTS_MAX ((size_t)1024)

/* Sequences of one session: more than any trace has, and what producers that come and go may make
 * it remember (some 64 MiB). TW-LIM-036 */
#define TW_SEQUENCES_MAX UINT32_C(1000000)
/* Bytes one decoded request may cost, or the stats of a session while they are written: what the
 * pre-scan allows the largest frame. TW-LIM-024 */
#define TW_REQUEST_ARENA_MAX TW_SCAN_COST_MAX(TW_FRAME_PAYLOAD_MAX)
/* Bytes of what a trace config may cost for the life of its session: a second bound, above what
 * the pre-scan allows the largest frame. TW-LIM-025 */
#define TW_SESSION_ARENA_MAX ((size_t)8 * 1024 * 1024)
/* Bytes that may wait for a peer before its next request is looked at. TW-LIM-026 */
#define TW_TX_BACKLOG ((size_t)256 * 1024)
/* Bytes of packets after which one ReadBuffers reply is sent. TW-LIM-027 */
#define TW_READ_FRAME_BYTES ((size_t)32 * 1024)
/* Bytes of one packet: what a reader may be made to hold for one. Larger ones are dropped, and
 * that is told. TW-LIM-028 */
#define TW_PACKET_MAX ((size_t)64 * 1024 * 1024)

/* Bytes of a data source's config or descriptor: what travels in a frame one way has to fit the
 * frame that hands it on, which says more beside it. TW-LIM-034 */
#define TW_NESTED_MAX ((size_t)120 * 1024)
/* Bytes of all descriptors of one producer; Chromium's nine have 12 KiB. TW-LIM-035 */
#define TW_DESCRIPTORS_MAX ((size_t)1024 * 1024)

/* Milliseconds until a peer has to have said who it is (a consumer has bound its port, a producer
 * has initialised its connection as well), and for a whole frame from its first byte on: longer
 * than a loaded machine or a hand's pause takes, short enough that what it pins comes back.
 * TW-LIM-068 */
#define TW_PATIENCE_MS UINT32_C(30000)
/* Pages of shared memory that are scraped before others get a turn: some milliseconds when they are
 * full, and a producer counts as one. TW-LIM-161 */
#define TW_SCRAPE_PAGES_PER_TURN ((size_t)512)
/* Bytes of what a relay tells about its machine; the original's have some 300. TW-LIM-127 */
#define TW_RELAY_INFO_MAX ((size_t)16 * 1024)

/* Milliseconds. The original's defaults. */
#define TW_STOP_TIMEOUT_MS      UINT32_C(5000)
#define TW_FLUSH_TIMEOUT_MS     UINT32_C(5000)
#define TW_SNAPSHOT_INTERVAL_MS UINT32_C(10000)
/* Milliseconds that data sources have to start before the trace says which have not: the
 * original's figure. TW-LIM-166 */
#define TW_SLOW_START_MS UINT32_C(20000)
/* Bytes that one turn of a file writer fetches, a packet more at most: the original's figure; and
 * packets it looks at for that. TW-LIM-110, TW-LIM-111 */
#define TW_FILE_BYTES_PER_TURN   ((size_t)1024 * 1024)
#define TW_FILE_PACKETS_PER_TURN 4096
/* Bytes of packets that are compressed together: as many as take some milliseconds. TW-LIM-116 */
#define TW_COMPRESS_BATCH ((size_t)128 * 1024)
/* Level of zstd: up to here it takes no longer than deflate. TW-LIM-160 */
#define TW_ZSTD_LEVEL_MAX 9
/* Milliseconds between two passes of a file writer, at least, and when nothing is said: the
 * original's figures. TW-LIM-112, TW-LIM-113 */
#define TW_FILE_PERIOD_MIN_MS UINT32_C(100)
#define TW_FILE_PERIOD_MS     UINT32_C(5000)
/* Milliseconds after which a pipe or socket that is full is tried again, and after which it is
 * given up when it took nothing: as a peer is (TW-LIM-031). TW-LIM-114, TW-LIM-115 */
#define TW_FILE_RETRY_MS UINT32_C(100)
#define TW_FILE_STALL_MS UINT32_C(10000)
/* Below this a period asks for more wake-ups than its packets are worth. TW-LIM-029 */
#define TW_PERIOD_MIN_MS UINT32_C(100)
/* Seven days, in milliseconds: the original's figure. TW-LIM-030 */
#define TW_DURATION_MAX_MS UINT32_C(604800000)
/* A day, in milliseconds, for configs with enable_extra_guardrails: the original's figure.
 * TW-LIM-091 */
#define TW_GUARDED_DURATION_MAX_MS UINT32_C(86400000)
/* KiB of all buffers of such a config, unless it overrides this: the original's figure. TW-LIM-092
 */
#define TW_GUARDED_BUFFERS_MAX_KB UINT32_C(131072)
/* Milliseconds between two such sessions of a name: the original's figure. TW-LIM-093 */
#define TW_GUARDED_NAME_MS UINT64_C(300000)
/* Milliseconds after which a session that counts time in suspend looks at the clock again: timers
 * stand still in suspend. TW-LIM-096 */
#define TW_SUSPEND_CHECK_MS UINT32_C(10000)
