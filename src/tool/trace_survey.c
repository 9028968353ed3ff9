/* SPDX-License-Identifier: Apache-2.0 */
#include "tool/trace_survey.h"

#include <stdlib.h>
#include <string.h>

#include "base/req.h"
#include "tool/trace_unpack.h"

/* Bytes that decoding one message of those that are looked into may take. */
#define ARENA_MAX ((size_t)32 * 1024 * 1024)

void tw_survey_name(char *out, size_t size, const char *name)
{
    size_t n = tw_min(strlen(name), size - 1);

    for (size_t i = 0; i < n; i++)
        out[i] = (char)(name[i] >= ' ' && name[i] < 0x7f ? name[i] : '?');
    out[n] = '\0';
}

void tw_survey_find(struct tw_survey *s, enum tw_finding finding,
                    const struct tw_packet_facts *facts)
{
    struct tw_survey_found *found = &s->found[finding];

    if (found->n == 0) {
        found->packet = s->packets;
        found->offset = s->at;
        found->sequence = facts ? facts->sequence : 0;
    }
    found->n++;
}

static void count_kind(struct tw_survey *s, uint32_t kind, size_t bytes)
{
    size_t i = 0;

    REQ("TW-LIM-197");
    while (i < s->n_kinds && s->kinds[i].kind != kind)
        i++;
    if (i == s->n_kinds && i < TW_SURVEY_KINDS_MAX)
        s->kinds[s->n_kinds++].kind = kind;
    s->kinds[i].packets++;
    s->kinds[i].bytes += bytes;
}

static int take_packet(struct tw_survey *s, struct tw_bytes packet)
{
    struct tw_packet_facts facts;
    int rc = 0;

    if (tw_packet_facts_of(packet, &facts)) {
        tw_survey_find(s, TW_FIND_MALFORMED, NULL);
        facts = (struct tw_packet_facts){0};
    } else {
        if (!facts.has_uid)
            tw_survey_find(s, TW_FIND_NO_UID, &facts);
        rc = tw_survey_service_packet(s, &facts);
        if (!rc)
            rc = tw_survey_sequence_packet(s, packet, &facts);
    }
    count_kind(s, facts.kind, packet.n);
    s->packets++;
    s->bytes += packet.n;
    return rc;
}

/* What is compressed in a packet, up to where it is damaged. */
static int take_unpacked(struct tw_survey *s, struct tw_trace_reader *reader)
{
    struct tw_trace_packet packet;
    int rc;

    while (!(rc = tw_trace_reader_next(reader, &packet))) {
        if (packet.coding != TW_TRACE_PLAIN)
            tw_survey_find(s, TW_FIND_PACKED_TWICE, NULL);
        rc = take_packet(s, packet.packet);
        if (rc)
            return rc;
    }
    if (rc > 0 && rc != TW_MORE)
        tw_survey_find(s, TW_FIND_NOT_UNPACKED, NULL);
    return rc < 0 ? rc : 0;
}

static int take_packed(struct tw_survey *s, const struct tw_trace_packet *packet)
{
    struct tw_trace_reader *reader = NULL;
    struct tw_unpack *unpack = NULL;
    int rc = tw_unpack_new(packet, &unpack);

    s->packed_packets++;
    s->packed_bytes += packet->packed.n;
    if (!rc)
        rc = tw_trace_reader_new(tw_unpack_read, unpack, TW_CONSUMER_PACKET_MAX, &reader);
    if (!rc)
        rc = take_unpacked(s, reader);
    tw_trace_reader_free(reader);
    tw_unpack_free(unpack);
    return rc;
}

int tw_survey_read(struct tw_survey *s, struct tw_trace_reader *reader)
{
    struct tw_trace_packet packet;
    int rc = 0;

    *s = (struct tw_survey){.arena = TW_ARENA_INIT(ARENA_MAX)};
    while (!rc && !(s->said = tw_trace_reader_next(reader, &packet))) {
        s->at = packet.offset;
        rc = packet.coding == TW_TRACE_PLAIN ? take_packet(s, packet.packet)
                                             : take_packed(s, &packet);
    }
    s->at = s->offset = tw_trace_reader_offset(reader);
    tw_survey_service_end(s);
    tw_survey_sequences_end(s);
    return rc;
}

void tw_survey_deinit(struct tw_survey *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->n_sequences; i++)
        free(s->sequences[i]);
    free(s->sequences);
    tw_arena_deinit(&s->arena);
}

uint64_t tw_survey_findings(const struct tw_survey *s)
{
    uint64_t n = 0;

    for (size_t i = 0; i < TW_FINDINGS; i++)
        n += s->found[i].n;
    return n;
}

uint64_t tw_survey_losses(const struct tw_survey *s)
{
    uint64_t n = 0;

    for (size_t i = 0; i < TW_LOSSES; i++)
        n += s->losses[i];
    return n;
}
