/* SPDX-License-Identifier: Apache-2.0 */
/* The sequences of a trace: one a writer. Who wrote it, and what is missing from it. */
#include <errno.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "base/req.h"
#include "tool/trace_survey.h"
#include "wire/reader.h"

enum { TEST_COUNTER = 3 }; /* field number of TestEvent (spec/proto/trace.proto) */

static int by_id(const void *a, const void *b)
{
    const struct tw_survey_sequence *x = a, *y = b;

    return x->id < y->id ? -1 : x->id > y->id;
}

static int add(struct tw_survey *s, uint32_t id, struct tw_survey_sequence **ret)
{
    struct tw_survey_sequence *sequence, **list = s->sequences;

    if (s->n_sequences == s->sequences_cap) {
        size_t cap = s->sequences_cap ? s->sequences_cap * 2 : 16;

        list = reallocarray(list, cap, sizeof(*list));
        if (!list)
            return -ENOMEM;
        s->sequences = list;
        s->sequences_cap = cap;
    }
    sequence = calloc(1, sizeof(*sequence));
    if (!sequence)
        return -ENOMEM;
    sequence->id = id;
    if (!tsearch(sequence, &s->by_id, by_id)) {
        free(sequence);
        return -ENOMEM;
    }
    list[s->n_sequences++] = sequence;
    *ret = sequence;
    return 0;
}

/* TW_E_LIMIT when it is one too many. */
static int find_or_add(struct tw_survey *s, uint32_t id, struct tw_survey_sequence **ret)
{
    struct tw_survey_sequence key = {.id = id};
    struct tw_survey_sequence *const *node = tfind(&key, &s->by_id, by_id);

    if (node) {
        *ret = *node;
        return 0;
    }
    REQ("TW-LIM-196");
    return s->n_sequences < TW_SURVEY_SEQUENCES_MAX ? add(s, id, ret) : TW_E_LIMIT;
}

/* Whoever wrote the first packet wrote all of them. Only the service speaks for several machines.
 */
static void check_writer(struct tw_survey *s, struct tw_survey_sequence *sequence,
                         const struct tw_packet_facts *facts)
{
    bool same = sequence->uid == facts->uid && sequence->pid == facts->pid &&
                sequence->machine == facts->machine;

    if (sequence->packets == 0) {
        sequence->uid = facts->uid;
        sequence->pid = facts->pid;
        sequence->machine = facts->machine;
    } else if (!same && sequence->id != TW_SURVEY_SERVICE_SEQ) {
        tw_survey_find(s, TW_FIND_OTHER_WRITER, facts);
    }
}

/* Loss before the packet, and whether it can be understood. */
static void check_state(struct tw_survey *s, struct tw_survey_sequence *sequence,
                        const struct tw_packet_facts *facts)
{
    bool gap = facts->dropped && !facts->first && sequence->packets > 0;

    if (gap) {
        sequence->gaps++;
        sequence->gap_bits |= facts->dropped;
        s->losses[TW_LOSS_GAPS]++;
        sequence->state = TW_STATE_UNKNOWN;
        sequence->delta_clock = 0;
        sequence->numbered = false;
    }
    if (facts->first) {
        sequence->starts++;
        sequence->state = TW_STATE_UNSET;
        sequence->default_clock = sequence->delta_clock = 0;
        sequence->numbered = false;
    }
    if (facts->clears) {
        sequence->state = TW_STATE_SET;
        sequence->default_clock = sequence->delta_clock = 0;
    }
    if (!facts->needs || sequence->state == TW_STATE_SET)
        return;
    if (sequence->state == TW_STATE_UNSET) {
        tw_survey_find(s, TW_FIND_STATE_UNSET, facts);
    } else {
        sequence->stateless++;
        s->losses[TW_LOSS_STATE]++;
    }
}

/* Test packets are numbered, so that what is missing without a word can be told. */
static void check_number(struct tw_survey *s, struct tw_survey_sequence *sequence,
                         const struct tw_packet_facts *facts)
{
    struct tw_reader r = tw_reader_of(facts->body);
    struct tw_field field;
    bool has = false;
    uint64_t number = 0;

    if (facts->kind != TW_PACKET_FOR_TESTING)
        return;
    while (!tw_read_field(&r, &field))
        if (field.number == TEST_COUNTER) {
            has = true;
            number = field.value;
        }
    if (!has)
        return;
    if (sequence->numbered && number != sequence->last_number + 1)
        tw_survey_find(s, TW_FIND_NUMBERS, facts);
    sequence->numbered = true;
    sequence->last_number = number;
}

/* FNV-1a: the same packet twice in a row has the same hash. */
static uint64_t hash_of(struct tw_bytes packet)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);

    for (size_t i = 0; i < packet.n; i++)
        hash = (hash ^ packet.p[i]) * UINT64_C(0x100000001b3);
    return hash;
}

/* Two packets of a writer may be alike, but not when each says its own time. Slices may end in the
 * same tick, and then their ends are. */
static void check_repeated(struct tw_survey *s, struct tw_survey_sequence *sequence,
                           struct tw_bytes packet, const struct tw_packet_facts *facts)
{
    uint64_t hash = hash_of(packet);
    uint32_t clock = facts->clock ? facts->clock : sequence->default_clock;

    if (facts->has_timestamp && facts->timestamp && clock < TW_SURVEY_CLOCKS_MAX &&
        facts->kind != TW_PACKET_TRACK_EVENT && sequence->packets > 0 &&
        hash == sequence->last_hash)
        tw_survey_find(s, TW_FIND_REPEATED, facts);
    sequence->last_hash = hash;
}

int tw_survey_sequence_packet(struct tw_survey *s, struct tw_bytes packet,
                              const struct tw_packet_facts *facts)
{
    struct tw_survey_sequence *sequence;
    int rc;

    if (!facts->has_sequence) {
        if (facts->kind != TW_PACKET_REMOTE_CLOCK_SYNC) /* the original's has none */
            tw_survey_find(s, TW_FIND_NO_SEQUENCE, facts);
        return 0;
    }
    rc = find_or_add(s, facts->sequence, &sequence);
    if (rc == TW_E_LIMIT) {
        s->other_sequences++;
        return 0;
    }
    if (rc)
        return rc;
    check_writer(s, sequence, facts);
    check_state(s, sequence, facts);
    rc = tw_survey_learn(s, sequence, facts);
    if (rc)
        return rc;
    check_repeated(s, sequence, packet, facts);
    check_number(s, sequence, facts);
    tw_survey_time(s, sequence, facts);
    sequence->packets++;
    sequence->bytes += packet.n;
    return 0;
}

static int by_process(const void *a, const void *b)
{
    const struct tw_survey_sequence *const *x = a, *const *y = b;

    if ((*x)->machine != (*y)->machine)
        return (*x)->machine < (*y)->machine ? -1 : 1;
    if ((*x)->pid != (*y)->pid)
        return (*x)->pid < (*y)->pid ? -1 : 1;
    return ((*x)->process[0] == '\0') - ((*y)->process[0] == '\0'); /* those with a name first */
}

static int pointer_by_id(const void *a, const void *b)
{
    const struct tw_survey_sequence *const *x = a, *const *y = b;

    return by_id(*x, *y);
}

static void keep(void *sequence)
{
    (void)sequence; /* the list has it too */
}

/* A process writes its name on one of its sequences. */
void tw_survey_sequences_end(struct tw_survey *s)
{
    size_t n = s->n_sequences;

    tdestroy(s->by_id, keep);
    s->by_id = NULL;
    if (n == 0)
        return;
    qsort(s->sequences, n, sizeof(struct tw_survey_sequence *), by_process);
    for (size_t i = 1; i < n; i++) {
        const struct tw_survey_sequence *from = s->sequences[i - 1];
        struct tw_survey_sequence *to = s->sequences[i];

        if (to->pid && to->pid == from->pid && to->machine == from->machine && !to->process[0])
            memcpy(to->process, from->process, sizeof(to->process));
    }
    qsort(s->sequences, n, sizeof(struct tw_survey_sequence *), pointer_by_id);
}
