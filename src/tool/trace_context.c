/* SPDX-License-Identifier: Apache-2.0 */
/* What a sequence says that holds for its packets: its clocks, and the names of who writes it. */
#include "tool/trace_survey.h"
#include "trace.pb-c.h"
#include "wire/pbc.h"

/* A snapshot in the sequence ties a clock of it, whose timestamps are deltas, to one of all. */
static void learn_clocks(struct tw_survey_sequence *sequence, const Tw__ClockSnapshot *snapshot)
{
    const Tw__ClockSnapshot__Clock *delta = NULL, *base = NULL;

    for (size_t i = 0; i < snapshot->n_clocks; i++) {
        const Tw__ClockSnapshot__Clock *clock = snapshot->clocks[i];

        if (clock->clock_id >= TW_SURVEY_CLOCKS_MAX && clock->is_incremental)
            delta = clock;
        else if (clock->clock_id && clock->clock_id < TW_SURVEY_CLOCKS_MAX && !base)
            base = clock;
    }
    if (!delta || !base)
        return;
    sequence->delta_clock = delta->clock_id;
    sequence->delta_base = base->clock_id;
    sequence->delta_unit = delta->has_unit_multiplier_ns ? delta->unit_multiplier_ns : 1;
    sequence->delta_at = base->timestamp;
}

static void learn_track(struct tw_survey_sequence *sequence, const Tw__TrackDescriptor *track)
{
    if (track->process && track->process->process_name)
        tw_survey_name(sequence->process, sizeof(sequence->process), track->process->process_name);
    if (track->thread && track->thread->thread_name)
        tw_survey_name(sequence->thread, sizeof(sequence->thread), track->thread->thread_name);
}

static const struct {
    uint32_t kind;
    const ProtobufCMessageDescriptor *message;
} telling[] = {
    {TW_PACKET_CLOCK_SNAPSHOT, &tw__clock_snapshot__descriptor},
    {TW_PACKET_TRACK_DESCRIPTOR, &tw__track_descriptor__descriptor},
    {TW_PACKET_PROCESS_DESCRIPTOR, &tw__process_descriptor__descriptor},
    {TW_PACKET_THREAD_DESCRIPTOR, &tw__thread_descriptor__descriptor},
};

static void learn_message(struct tw_survey_sequence *sequence, uint32_t kind,
                          ProtobufCMessage *message)
{
    Tw__TrackDescriptor track = TW__TRACK_DESCRIPTOR__INIT;

    if (kind == TW_PACKET_CLOCK_SNAPSHOT) {
        learn_clocks(sequence, (const Tw__ClockSnapshot *)message);
        return;
    }
    if (kind == TW_PACKET_PROCESS_DESCRIPTOR)
        track.process = (Tw__ProcessDescriptor *)message;
    else if (kind == TW_PACKET_THREAD_DESCRIPTOR)
        track.thread = (Tw__ThreadDescriptor *)message;
    learn_track(sequence,
                kind == TW_PACKET_TRACK_DESCRIPTOR ? (const Tw__TrackDescriptor *)message : &track);
}

int tw_survey_learn(struct tw_survey *s, struct tw_survey_sequence *sequence,
                    const struct tw_packet_facts *facts)
{
    ProtobufCMessage *message;
    size_t i = 0;
    int rc;

    if (facts->has_defaults)
        sequence->default_clock = facts->default_clock;
    while (i < TW_ARRAY_LEN(telling) && telling[i].kind != facts->kind)
        i++;
    if (i == TW_ARRAY_LEN(telling))
        return 0;
    rc = tw_pbc_unpack(telling[i].message, &s->arena, facts->body, &message);
    if (rc < 0)
        return rc;
    if (rc)
        tw_survey_find(s, TW_FIND_MALFORMED, facts);
    else
        learn_message(sequence, facts->kind, message);
    tw_arena_reset(&s->arena);
    return 0;
}

/* Brings a timestamp to a clock of all. false: nothing ties its clock to one. */
static bool resolve(struct tw_survey_sequence *sequence, const struct tw_packet_facts *facts,
                    uint32_t *ret_clock, uint64_t *ret_ns)
{
    uint32_t clock = facts->clock ? facts->clock : sequence->default_clock;

    if (!clock)
        clock = TW_SURVEY_CLOCK_DEFAULT;
    *ret_clock = clock;
    *ret_ns = facts->timestamp;
    if (clock < TW_SURVEY_CLOCKS_MAX)
        return true;
    if (clock != sequence->delta_clock)
        return false;
    sequence->delta_at += facts->timestamp * sequence->delta_unit;
    *ret_clock = sequence->delta_base;
    *ret_ns = sequence->delta_at;
    return true;
}

void tw_survey_time(struct tw_survey *s, struct tw_survey_sequence *sequence,
                    const struct tw_packet_facts *facts)
{
    struct tw_survey_clock *clock;
    uint32_t id;
    uint64_t ns;

    if (!facts->has_timestamp)
        return;
    if (!resolve(sequence, facts, &id, &ns)) {
        s->untimed++;
        return;
    }
    if (ns == 0) /* what is about no time, track descriptors for instance */
        return;
    clock = &s->clocks[id];
    if (clock->packets == 0 || ns < clock->first_ns)
        clock->first_ns = ns;
    if (clock->packets == 0 || ns > clock->last_ns)
        clock->last_ns = ns;
    clock->packets++;
}
