/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <jansson.h>
#include <limits.h>

#include "tool/trace_report.h"

/* JSON has no bound on numbers, its readers have; what is over theirs is shown as the largest. */
static json_int_t number(uint64_t value)
{
    return value < INT64_MAX ? (json_int_t)value : INT64_MAX;
}

/* Adds to an array or object; a failure of memory is noted. */
static void append(json_t *array, json_t *value, int *rc)
{
    if (json_array_append_new(array, value))
        *rc = -ENOMEM;
}

static void set(json_t *object, const char *key, json_t *value, int *rc)
{
    if (json_object_set_new(object, key, value))
        *rc = -ENOMEM;
}

static json_t *kinds_of(const struct tw_survey *s, int *rc)
{
    json_t *array = json_array();

    for (size_t i = 0; i <= TW_SURVEY_KINDS_MAX; i++) {
        const struct tw_survey_kind *kind = &s->kinds[i];
        char buffer[TW_REPORT_KIND_MAX];

        if (kind->packets)
            append(array,
                   json_pack("{s:s, s:I, s:I, s:I}", "name", tw_report_kind(s, i, buffer), "field",
                             number(kind->kind), "packets", number(kind->packets), "bytes",
                             number(kind->bytes)),
                   rc);
    }
    return array;
}

static json_t *sequences_of(const struct tw_survey *s, int *rc)
{
    json_t *array = json_array();

    for (size_t i = 0; i < s->n_sequences; i++) {
        const struct tw_survey_sequence *q = s->sequences[i];

        append(array,
               json_pack("{s:I, s:i, s:i, s:I, s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I}", "id",
                         number(q->id), "pid", q->pid, "uid", q->uid, "machine", number(q->machine),
                         "process", q->process, "thread", q->thread, "packets", number(q->packets),
                         "bytes", number(q->bytes), "starts", number(q->starts), "gaps",
                         number(q->gaps), "gap_bits", number(q->gap_bits), "stateless",
                         number(q->stateless)),
               rc);
    }
    return array;
}

static json_t *clocks_of(const struct tw_survey *s, int *rc)
{
    json_t *array = json_array();

    for (uint32_t i = 0; i < TW_SURVEY_CLOCKS_MAX; i++) {
        const struct tw_survey_clock *c = &s->clocks[i];

        if (c->packets)
            append(array,
                   json_pack("{s:I, s:s?, s:I, s:I, s:I}", "id", number(i), "name",
                             tw_report_clock(i), "packets", number(c->packets), "first_ns",
                             number(c->first_ns), "last_ns", number(c->last_ns)),
                   rc);
    }
    return array;
}

static json_t *losses_of(const struct tw_survey *s, int *rc)
{
    json_t *object = json_object();

    for (enum tw_loss i = 0; i < TW_LOSSES; i++)
        set(object, tw_loss_id(i), json_integer(number(s->losses[i])), rc);
    return object;
}

static json_t *findings_of(const struct tw_survey *s, int *rc)
{
    json_t *array = json_array();

    for (enum tw_finding i = 0; i < TW_FINDINGS; i++) {
        const struct tw_survey_found *found = &s->found[i];

        if (found->n)
            append(array,
                   json_pack("{s:s, s:s, s:I, s:I, s:I, s:I}", "id", tw_finding_id(i), "text",
                             tw_finding_text(i), "count", number(found->n), "packet",
                             number(found->packet), "offset", number(found->offset), "sequence",
                             number(found->sequence)),
                   rc);
    }
    return array;
}

/* A path may be anything; JSON is UTF-8. */
static json_t *path_of(const char *path)
{
    char ascii[PATH_MAX];
    json_t *value = json_string(path);

    if (value)
        return value;
    tw_survey_name(ascii, sizeof(ascii), path);
    return json_string(ascii);
}

static void set_head(json_t *root, const char *path, const struct tw_survey *s, int *rc)
{
    char uuid[TW_REPORT_UUID_MAX] = "";

    if (s->has_uuid)
        tw_report_uuid(s, uuid);
    set(root, "file", path_of(path), rc);
    set(root, "end", json_string(tw_report_said(s->said)), rc);
    set(root, "end_offset", json_integer(number(s->offset)), rc);
    set(root, "uuid", json_string(uuid), rc);
    set(root, "service", json_string(s->version), rc);
    set(root, "system", json_string(s->system), rc);
    set(root, "packets", json_integer(number(s->packets)), rc);
    set(root, "bytes", json_integer(number(s->bytes)), rc);
    set(root, "packed_packets", json_integer(number(s->packed_packets)), rc);
    set(root, "packed_bytes", json_integer(number(s->packed_bytes)), rc);
}

int tw_report_json(FILE *out, const char *path, const struct tw_survey *s)
{
    json_t *root = json_object();
    int rc = 0;

    set_head(root, path, s, &rc);
    set(root, "kinds", kinds_of(s, &rc), &rc);
    set(root, "sequences", sequences_of(s, &rc), &rc);
    set(root, "other_sequences_packets", json_integer(number(s->other_sequences)), &rc);
    set(root, "clocks", clocks_of(s, &rc), &rc);
    set(root, "untimed_packets", json_integer(number(s->untimed)), &rc);
    set(root, "losses", losses_of(s, &rc), &rc);
    set(root, "findings", findings_of(s, &rc), &rc);
    if (!rc && (json_dumpf(root, out, JSON_INDENT(2)) || fputc('\n', out) == EOF))
        rc = -EIO;
    json_decref(root);
    return rc;
}
