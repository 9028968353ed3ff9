/* SPDX-License-Identifier: Apache-2.0 */
#include "producer/event_config.h"

#include "base/macros.h"
#include "base/req.h"
#include "tracewire/track_event.h"
#include "wire/reader.h"

/* Field numbers of DataSourceConfig and TrackEventConfig. */
enum {
    FIELD_TRACK_EVENT_CONFIG = 113,
    FIELD_DISABLE_INCREMENTAL_TIMESTAMPS = 5,
    FIELD_TIMESTAMP_UNIT_MULTIPLIER = 6,
    FIELD_FILTER_DEBUG_ANNOTATIONS = 7,
    FIELD_FILTER_DYNAMIC_EVENT_NAMES = 9,
    FIELD_LAST = 10, /* that we know: all behind the lists are numbers */
};

/* By field number of TrackEventConfig. */
static const enum tw_category_list list_of_field[] = {
    [1] = TW_DISABLED_CATEGORY,
    [2] = TW_ENABLED_CATEGORY,
    [3] = TW_DISABLED_TAG,
    [4] = TW_ENABLED_TAG,
};

static bool is_list(uint32_t field)
{
    return field > 0 && field < TW_ARRAY_LEN(list_of_field);
}

static int find(struct tw_bytes config, struct tw_bytes *ret_message)
{
    struct tw_reader reader = tw_reader_of(config);
    struct tw_bytes message = {0};
    bool found = false;
    struct tw_field f;
    int r;

    while ((r = tw_read_field(&reader, &f)) == 0) {
        if (f.number != FIELD_TRACK_EVENT_CONFIG)
            continue;
        if (found || f.type != TW_WIRE_LEN)
            return TW_E_PROTOCOL;
        found = true;
        message = f.bytes;
    }
    if (r != TW_MORE)
        return r;
    *ret_message = message;
    return 0;
}

static int take_rule(struct tw_event_config *config, const struct tw_field *f, size_t *n)
{
    REQ("TW-LIM-201");
    if (f->type != TW_WIRE_LEN)
        return TW_E_PROTOCOL;
    if (++*n > TW_CATEGORY_RULES_MAX)
        return TW_E_LIMIT;
    config->about_tags |= tw_list_is_about_tags(list_of_field[f->number]);
    return 0;
}

static int take_number(struct tw_event_config *config, const struct tw_field *f)
{
    if (f->type != TW_WIRE_VARINT)
        return TW_E_PROTOCOL;
    switch (f->number) {
    case FIELD_DISABLE_INCREMENTAL_TIMESTAMPS:
        config->absolute_timestamps = f->value != 0;
        break;
    case FIELD_TIMESTAMP_UNIT_MULTIPLIER:
        config->unit_ns = f->value ? f->value : 1;
        break;
    case FIELD_FILTER_DEBUG_ANNOTATIONS:
        config->without_annotations = f->value != 0;
        break;
    case FIELD_FILTER_DYNAMIC_EVENT_NAMES:
        config->without_dynamic_names = f->value != 0;
        break;
    default:
        break;
    }
    return 0;
}

static int take(struct tw_event_config *config, const struct tw_field *f, size_t *n_rules)
{
    if (is_list(f->number))
        return take_rule(config, f, n_rules);
    return f->number <= FIELD_LAST ? take_number(config, f) : 0;
}

int tw_event_config_read(struct tw_bytes config, struct tw_event_config *ret_config)
{
    REQ("TW-EVT-005");
    struct tw_event_config read = {.unit_ns = 1};
    struct tw_reader reader;
    size_t n_rules = 0;
    struct tw_field f;
    int r = find(config, &read.message);

    if (r)
        return r;
    reader = tw_reader_of(read.message);
    while ((r = tw_read_field(&reader, &f)) == 0) {
        r = take(&read, &f, &n_rules);
        if (r)
            return r;
    }
    if (r != TW_MORE)
        return r;
    *ret_config = read;
    return 0;
}

bool tw_event_config_rule(struct tw_reader *at, struct tw_category_rule *ret_rule)
{
    struct tw_field f;

    while (tw_read_field(at, &f) == 0) {
        if (!is_list(f.number))
            continue;
        ret_rule->list = list_of_field[f.number];
        ret_rule->pattern = f.bytes;
        return true;
    }
    return false;
}
