/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Categories of track events: what a session turns on and off. spec/track-events.md has the rules.
 *
 * The categories are an array of the caller's, a tw_categories belongs to one data source, and
 * nothing is shared by all of the process. They are turned on and off on the producer's thread, and
 * asked for on any:
 *
 *     static struct tw_category categories[] = {
 *         TW_CATEGORY("net", "Connections and what they send", NULL),
 *         TW_CATEGORY("net.bytes", "Each read and write", "slow,io"),
 *     };
 *
 *     if (TW_CATEGORY_ON(&categories[1]))
 *         tell_of(read);
 */
#pragma once

#include "tracewire/common.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
    /* Categories of one data source. TW-LIM-200 */
    TW_CATEGORIES_MAX = 1024,
    /* Names and patterns in the config of one session, for whose lists every category is looked up.
     * TW-LIM-201 */
    TW_CATEGORY_RULES_MAX = 1024,
    /* Sessions at once that categories are on for: each has a bit. TW-LIM-202 */
    TW_CATEGORY_SESSIONS_MAX = 32,
};

/* The strings are the caller's, and stay as they are as long as the tw_categories. */
struct tw_category {
    /* Without a comma. Names with commas between them are a group, which is on when one of them is,
     * and about which the service is told nothing. TW-EVT-004 */
    const char *name;
    const char *description; /* NULL: none */
    /* With commas between them; NULL: none. "slow" and "debug" are off unless asked for. */
    const char *tags;
    /* A bit for each session that wants it, 0 to begin with: tw_categories_enable() sets it. */
    uint32_t sessions;
};

#define TW_CATEGORY(name, description, tags)                                                       \
    {                                                                                              \
        name, description, tags, 0                                                                 \
    }

/* Whether any session wants the category: a relaxed load, a comparison and a jump. */
#define TW_CATEGORY_ON(category) __builtin_expect(tw_category_sessions(category) != 0, 0)

/* A bit for each session that wants it. */
static inline uint32_t tw_category_sessions(const struct tw_category *category)
{
    return __atomic_load_n(&category->sessions, __ATOMIC_RELAXED);
}

/* Whether the session of this slot does. */
static inline bool tw_category_on_for(const struct tw_category *category, unsigned slot)
{
    return tw_category_sessions(category) >> slot & 1;
}

struct tw_categories;

/* list is kept, and written to: the masks. TW_E_INVALID: one has no name, or an empty one in its
 * group; TW_E_EXISTS: two have the same; TW_E_LIMIT: more than TW_CATEGORIES_MAX; -ENOMEM. */
TW_MUST_USE int tw_categories_new(struct tw_categories **ret_categories, struct tw_category *list,
                                  size_t n);
/* All of them are off then. NULL is fine. */
void tw_categories_free(struct tw_categories *categories);

/* What a service is told of them: the encoded field track_event_descriptor, for the descriptor of
 * struct tw_data_source_config. As long as the tw_categories. */
struct tw_bytes tw_categories_descriptor(const struct tw_categories *categories);

/* Turns on what a session wants, and tells in which slot, for tw_category_on_for() and
 * tw_categories_disable(). config is what tw_instance_config_bytes() gives. TW_E_PROTOCOL or
 * TW_E_TRUNCATED for one that is no message, TW_E_LIMIT for one with more than
 * TW_CATEGORY_RULES_MAX or when all slots are taken: nothing is on for the session then. */
TW_MUST_USE int tw_categories_enable(struct tw_categories *categories, struct tw_bytes config,
                                     unsigned *ret_slot);
/* Turns everything off for the session in this slot, and the slot is free again. */
void tw_categories_disable(struct tw_categories *categories, unsigned slot);

#ifdef __cplusplus
}
#endif
