/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is in a trace file: counted in one pass, in memory that does not grow with the file but for
 * the sequences in it, which are bounded too. Not thread-safe.
 */
#pragma once

#include "base/arena.h"
#include "tool/trace_findings.h"
#include "tool/trace_packet.h"
#include "tracewire/consumer.h"

enum {
    /* Sequences that are told apart, of some 200 bytes; later ones are counted together.
     * TW-LIM-196 */
    TW_SURVEY_SEQUENCES_MAX = 65536,
    TW_SURVEY_KINDS_MAX = 256,   /* kinds told apart; the original has 85. TW-LIM-197 */
    TW_SURVEY_CLOCKS_MAX = 64,   /* ids below are of all, from there on of one sequence */
    TW_SURVEY_NAME_MAX = 32,     /* bytes of a name with its NUL */
    TW_SURVEY_BUFFERS_MAX = 32,  /* buffers whose counters are compared */
    TW_SURVEY_SERVICE_SEQ = 1,   /* the sequence of the service's own packets */
    TW_SURVEY_CLOCK_DEFAULT = 6, /* BOOTTIME */
};

struct tw_survey_kind {
    uint32_t kind; /* field number; 0: nothing but fields that every packet may have */
    uint64_t packets, bytes;
};

/* Timestamps in one clock. Those in delta clocks of a sequence count for the clock that its
 * snapshot ties them to. */
struct tw_survey_clock {
    uint64_t packets, first_ns, last_ns;
};

enum tw_survey_state { TW_STATE_UNKNOWN, TW_STATE_UNSET, TW_STATE_SET };

struct tw_survey_sequence {
    uint32_t id, machine;
    int32_t uid, pid;
    uint64_t packets, bytes;
    uint64_t gaps;      /* places where the service says that packets are missing */
    uint32_t gap_bits;  /* why, as in previous_packet_dropped; all of them together */
    uint64_t starts;    /* packets that say they are the first */
    uint64_t stateless; /* packets that need state which was lost before them */
    char process[TW_SURVEY_NAME_MAX], thread[TW_SURVEY_NAME_MAX]; /* ASCII; empty: not said */
    /* Of the pass itself. */
    enum tw_survey_state state;
    uint32_t default_clock;
    uint32_t delta_clock, delta_base; /* a clock of deltas and the one it is tied to; 0: none */
    uint64_t delta_unit, delta_at;    /* ns a unit; ns in delta_base */
    uint64_t last_hash, last_number;
    bool numbered;
};

struct tw_survey_found {
    uint64_t n;
    uint64_t packet;   /* the first: its number, from 0; compressed ones count as what is inside */
    uint64_t offset;   /* bytes in the file, to it or to what it is compressed in */
    uint32_t sequence; /* 0: of none */
};

struct tw_survey {
    int said;        /* as the last tw_trace_reader_next(): TW_MORE when the file is whole */
    uint64_t offset; /* of its end or of what is wrong */
    uint64_t packets, bytes;                              /* as unpacked */
    uint64_t packed_packets, packed_bytes;                /* compressed, with what is inside */
    struct tw_survey_kind kinds[TW_SURVEY_KINDS_MAX + 1]; /* the last for all others */
    size_t n_kinds;
    struct tw_survey_clock clocks[TW_SURVEY_CLOCKS_MAX];
    uint64_t untimed; /* packets with a timestamp in a clock that nothing ties to another */
    struct tw_survey_sequence **sequences; /* by id, after the pass */
    size_t n_sequences;
    uint64_t other_sequences; /* packets of those that are one too many */
    struct tw_survey_found found[TW_FINDINGS];
    uint64_t losses[TW_LOSSES];
    /* What the service says. */
    bool has_uuid;
    uint64_t uuid_msb, uuid_lsb;
    char version[2 * TW_SURVEY_NAME_MAX], system[2 * TW_SURVEY_NAME_MAX];
    size_t n_buffers; /* of the config */
    bool clocks_left_out, has_config;
    uint64_t snapshots, stats, events;
    uint64_t event_time;                     /* of the last event */
    uint64_t written[TW_SURVEY_BUFFERS_MAX]; /* bytes_written of each buffer */
    uint64_t before_clocks;                  /* packets before the first snapshot */
    /* Of the pass itself. */
    void *by_id; /* of tsearch(3) */
    size_t sequences_cap;
    uint64_t at; /* offset of the packet that is looked at */
    struct tw_arena arena;
};

/* Surveys all that the reader has; *survey need not be initialised. -ENOMEM; damage is no failure
 * but in survey->said and among what was found. The survey is to be deinitialised in any case. */
TW_MUST_USE int tw_survey_read(struct tw_survey *survey, struct tw_trace_reader *reader);
/* NULL is fine. */
void tw_survey_deinit(struct tw_survey *survey);

/* Of all findings, and of all losses. */
uint64_t tw_survey_findings(const struct tw_survey *survey);
uint64_t tw_survey_losses(const struct tw_survey *survey);

/* For the parts of the survey: notes that something is wrong with a packet. facts may be NULL. */
void tw_survey_find(struct tw_survey *survey, enum tw_finding finding,
                    const struct tw_packet_facts *facts);
/* Takes a packet of the service, and what is missing at the end. -ENOMEM. (trace_service.c) */
TW_MUST_USE int tw_survey_service_packet(struct tw_survey *survey,
                                         const struct tw_packet_facts *facts);
void tw_survey_service_end(struct tw_survey *survey);
/* Takes a packet of anybody's sequence. -ENOMEM. (trace_sequences.c) */
TW_MUST_USE int tw_survey_sequence_packet(struct tw_survey *survey, struct tw_bytes packet,
                                          const struct tw_packet_facts *facts);
/* Learns what a packet says of its sequence, and counts when it was. -ENOMEM. (trace_context.c) */
TW_MUST_USE int tw_survey_learn(struct tw_survey *survey, struct tw_survey_sequence *sequence,
                                const struct tw_packet_facts *facts);
void tw_survey_time(struct tw_survey *survey, struct tw_survey_sequence *sequence,
                    const struct tw_packet_facts *facts);
/* Gives processes their names on all their sequences. */
void tw_survey_sequences_end(struct tw_survey *survey);
/* A copy that a terminal and JSON can show: cut, and ? for what is not printable ASCII. */
void tw_survey_name(char *out, size_t size, const char *name);
