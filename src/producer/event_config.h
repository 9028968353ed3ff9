/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a session wants of track events: TrackEventConfig, read where it lies. It comes from the
 * service, so it is checked once, and nothing is allocated for it.
 */
#pragma once

#include "wire/reader.h"

/* The lists of TrackEventConfig; of all that fit as closely the first decides. */
enum tw_category_list {
    TW_ENABLED_CATEGORY,
    TW_DISABLED_CATEGORY,
    TW_DISABLED_TAG,
    TW_ENABLED_TAG,
    TW_CATEGORY_LISTS,
};

static inline bool tw_list_is_about_tags(enum tw_category_list list)
{
    return list == TW_DISABLED_TAG || list == TW_ENABLED_TAG;
}

struct tw_event_config {
    struct tw_bytes message; /* the TrackEventConfig, inside the bytes that were read */
    bool about_tags;         /* one of the lists of tags has something in it */
    bool absolute_timestamps, without_annotations, without_dynamic_names;
    uint64_t unit_ns; /* of timestamps, at least 1 */
};

/* config is an encoded DataSourceConfig; *ret_config points into it. One without a TrackEventConfig
 * says nothing. TW_E_PROTOCOL, TW_E_TRUNCATED for what is no message; TW_E_LIMIT for more than
 * TW_CATEGORY_RULES_MAX names and patterns. */
TW_MUST_USE int tw_event_config_read(struct tw_bytes config, struct tw_event_config *ret_config);

/* A name or pattern of a list. */
struct tw_category_rule {
    enum tw_category_list list;
    struct tw_bytes pattern;
};

/* The next one behind *at, which begins with the message; false when there are no more. */
bool tw_event_config_rule(struct tw_reader *at, struct tw_category_rule *ret_rule);
