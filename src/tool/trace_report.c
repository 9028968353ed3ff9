/* SPDX-License-Identifier: Apache-2.0 */
#include "tool/trace_report.h"

#include <inttypes.h>
#include <stdlib.h>

enum { NS_PER_S = 1000000000 };

/* By id (spec/proto/trace_config.proto, BuiltinClock). */
static const char *const clock_names[] = {
    [1] = "REALTIME",      [2] = "REALTIME_COARSE", [3] = "MONOTONIC", [4] = "MONOTONIC_COARSE",
    [5] = "MONOTONIC_RAW", [6] = "BOOTTIME",        [9] = "TSC",       [10] = "PERF",
    [11] = "TRACE_FILE",
};

const char *tw_report_clock(uint32_t id)
{
    return id < TW_ARRAY_LEN(clock_names) ? clock_names[id] : NULL;
}

const char *tw_report_kind(const struct tw_survey *s, size_t index, char buffer[TW_REPORT_KIND_MAX])
{
    const char *name = tw_packet_kind_name(s->kinds[index].kind);

    if (index == TW_SURVEY_KINDS_MAX)
        return "others";
    if (name)
        return name;
    if (s->kinds[index].kind == 0)
        return "nothing of their own";
    snprintf(buffer, TW_REPORT_KIND_MAX, "field %" PRIu32, s->kinds[index].kind);
    return buffer;
}

void tw_report_uuid(const struct tw_survey *s, char ret_uuid[TW_REPORT_UUID_MAX])
{
    snprintf(ret_uuid, TW_REPORT_UUID_MAX, "%08x-%04x-%04x-%04x-%04x%08x",
             (unsigned)(s->uuid_msb >> 32), (unsigned)(s->uuid_msb >> 16 & 0xffff),
             (unsigned)(s->uuid_msb & 0xffff), (unsigned)(s->uuid_lsb >> 48),
             (unsigned)(s->uuid_lsb >> 32 & 0xffff), (unsigned)(s->uuid_lsb & 0xffffffff));
}

const char *tw_report_said(int said)
{
    switch (said) {
    case TW_MORE:
        return "whole";
    case TW_E_TRUNCATED:
        return "cut off inside a packet";
    case TW_E_PROTOCOL:
        return "no packet of a trace";
    case TW_E_LIMIT:
        return "a packet over the limit";
    default:
        return "not readable";
    }
}

static void print_head(FILE *out, const struct tw_survey *s)
{
    char uuid[TW_REPORT_UUID_MAX];

    fprintf(out, "%" PRIu64 " packets, %" PRIu64 " bytes", s->packets, s->bytes);
    if (s->packed_packets)
        fprintf(out, ", unpacked from %" PRIu64 " packets, %" PRIu64 " bytes", s->packed_packets,
                s->packed_bytes);
    fputc('\n', out);
    if (s->has_uuid) {
        tw_report_uuid(s, uuid);
        fprintf(out, "  uuid     %s\n", uuid);
    }
    if (s->version[0])
        fprintf(out, "  service  %s\n", s->version);
    if (s->system[0])
        fprintf(out, "  system   %s\n", s->system);
}

static int by_count(const void *a, const void *b)
{
    const struct tw_survey_kind *const *x = a, *const *y = b;

    if ((*x)->packets != (*y)->packets)
        return (*x)->packets < (*y)->packets ? 1 : -1;
    return ((*x)->kind > (*y)->kind) - ((*x)->kind < (*y)->kind);
}

static void print_kinds(FILE *out, const struct tw_survey *s)
{
    const struct tw_survey_kind *sorted[TW_SURVEY_KINDS_MAX + 1] = {NULL};
    char buffer[TW_REPORT_KIND_MAX];
    size_t n = s->n_kinds;

    for (size_t i = 0; i < n; i++)
        sorted[i] = &s->kinds[i];
    qsort(sorted, n, sizeof(sorted[0]), by_count);
    if (s->kinds[TW_SURVEY_KINDS_MAX].packets)
        sorted[n++] = &s->kinds[TW_SURVEY_KINDS_MAX];
    fprintf(out, "\n%-44s %12s %15s\n", "What they are", "packets", "bytes");
    for (size_t i = 0; i < n; i++)
        fprintf(out, "  %-42s %12" PRIu64 " %15" PRIu64 "\n",
                tw_report_kind(s, (size_t)(sorted[i] - s->kinds), buffer), sorted[i]->packets,
                sorted[i]->bytes);
}

/* The process, which of its threads, and on which other machine. */
enum { NAME_WIDTH = 25, MACHINE_WIDTH = 10 };

static void print_name(FILE *out, const struct tw_survey_sequence *q)
{
    char name[2 * TW_SURVEY_NAME_MAX + 4];
    int width = q->machine ? NAME_WIDTH - MACHINE_WIDTH : NAME_WIDTH;

    if (q->id == TW_SURVEY_SERVICE_SEQ)
        snprintf(name, sizeof(name), "the service");
    else
        snprintf(name, sizeof(name), "%s%s%s", q->process,
                 q->process[0] && q->thread[0] ? ": " : "", q->thread);
    fprintf(out, "  %.*s", width, name);
    if (q->machine)
        fprintf(out, " @%08" PRIx32, q->machine);
}

static void print_sequences(FILE *out, const struct tw_survey *s)
{
    fprintf(out, "\n%8s %8s %6s %9s %12s %5s  %s\n", "Sequence", "pid", "uid", "packets", "bytes",
            "gaps", "name");
    for (size_t i = 0; i < s->n_sequences; i++) {
        const struct tw_survey_sequence *q = s->sequences[i];

        fprintf(out, "%8" PRIu32 " %8" PRId32 " %6" PRId32 " %9" PRIu64 " %12" PRIu64 " %5" PRIu64,
                q->id, q->pid, q->uid, q->packets, q->bytes, q->gaps);
        print_name(out, q);
        fputc('\n', out);
    }
    if (s->other_sequences)
        fprintf(out, "  and %" PRIu64 " packets of more sequences than are told apart\n",
                s->other_sequences);
}

static void print_clocks(FILE *out, const struct tw_survey *s)
{
    fprintf(out, "\n%-18s %9s %17s %17s %14s\n", "Clock", "packets", "from s", "to s", "span s");
    for (uint32_t i = 0; i < TW_SURVEY_CLOCKS_MAX; i++) {
        const struct tw_survey_clock *c = &s->clocks[i];
        const char *name = tw_report_clock(i);
        uint64_t span = c->last_ns - c->first_ns;

        if (!c->packets)
            continue;
        if (name)
            fprintf(out, "  %-16s", name);
        else
            fprintf(out, "  %-16" PRIu32, i);
        fprintf(out, " %9" PRIu64 " %10" PRIu64 ".%06" PRIu64 " %10" PRIu64 ".%06" PRIu64,
                c->packets, c->first_ns / NS_PER_S, c->first_ns % NS_PER_S / 1000,
                c->last_ns / NS_PER_S, c->last_ns % NS_PER_S / 1000);
        fprintf(out, " %7" PRIu64 ".%06" PRIu64 "\n", span / NS_PER_S, span % NS_PER_S / 1000);
    }
    if (s->untimed)
        fprintf(out, "  and %" PRIu64 " packets in clocks that nothing ties to another\n",
                s->untimed);
}

static void print_losses(FILE *out, const struct tw_survey *s)
{
    for (enum tw_loss i = 0; i < TW_LOSSES; i++)
        if (s->losses[i])
            fprintf(out, "%12" PRIu64 "  %s\n", s->losses[i], tw_loss_text(i));
}

void tw_report_text(FILE *out, const struct tw_survey *s)
{
    print_head(out, s);
    print_kinds(out, s);
    print_sequences(out, s);
    print_clocks(out, s);
    if (!tw_survey_losses(s)) {
        fputs("\nNothing says that something is missing.\n", out);
        return;
    }
    fprintf(out, "\n%12s\n", "Missing");
    print_losses(out, s);
}

static void print_found(FILE *out, const struct tw_survey *s, enum tw_finding i)
{
    const struct tw_survey_found *found = &s->found[i];

    fprintf(out, "%12" PRIu64 "  %s (%s)\n", found->n, tw_finding_text(i), tw_finding_id(i));
    if (found->packet < s->packets) {
        fprintf(out, "%12s  first: packet %" PRIu64 ", byte %" PRIu64, "", found->packet,
                found->offset);
        if (found->sequence)
            fprintf(out, ", sequence %" PRIu32, found->sequence);
        fputc('\n', out);
    }
}

void tw_report_check(FILE *out, const char *path, const struct tw_survey *s)
{
    const char *verdict = "right, and nothing says that something is missing";

    for (enum tw_finding i = 0; i < TW_FINDINGS; i++)
        if (s->found[i].n)
            print_found(out, s, i);
    print_losses(out, s);
    if (s->said != TW_MORE)
        verdict = tw_report_said(s->said);
    else if (tw_survey_findings(s))
        verdict = "it breaks the rules above";
    else if (tw_survey_losses(s))
        verdict = "right, but what is above is missing";
    fprintf(out, "%s: %s\n", path, verdict);
}
