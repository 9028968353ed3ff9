/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Track events: slices, instants and counters, in categories that a session turns on and off.
 * spec/track-events.md has the rules.
 *
 *     static struct tw_category categories[] = {
 *         TW_CATEGORY("net", "Connections and what they send", NULL),
 *         TW_CATEGORY("net.bytes", "Each read and write", "slow,io"),
 *     };
 *
 *     tw_events_new(&events, producer, categories, 2, TW_EXHAUSTED_DEFAULT);
 *
 *     TW_EVENT_BEGIN(&categories[0], "connect");
 *     TW_EVENT_END(&categories[0]);
 *
 * The categories are an array of the caller's, and nothing is shared by all of the process. They
 * are turned on and off on the producer's thread; events are written on any, each through a writer
 * of its thread, and go to every session that wants their category.
 */
#pragma once

#include "tracewire/producer.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- categories ---- */

enum {
    /* Categories of one data source. TW-LIM-200 */
    TW_CATEGORIES_MAX = 1024,
    /* Names and patterns in the config of one session, for whose lists every category is looked up.
     * TW-LIM-201 */
    TW_CATEGORY_RULES_MAX = 1024,
    /* Sessions at once that categories are on for: each has a bit. TW-LIM-202 */
    TW_CATEGORY_SESSIONS_MAX = 32,
};

struct tw_events;

/* The strings are the caller's, and stay as they are as long as the tw_categories. */
struct tw_category {
    /* Without a comma. Names with commas between them are a group, which is on when one of them is,
     * and about which the service is told nothing. TW-EVT-004 */
    const char *name;
    const char *description; /* NULL: none */
    /* With commas between them; NULL: none. "slow" and "debug" are off unless asked for. */
    const char *tags;
    /* The data source that it is one of: tw_events_new() sets it. */
    struct tw_events *events;
    /* A bit for each session that wants it, 0 to begin with: tw_categories_enable() sets it. */
    uint32_t sessions;
};

#define TW_CATEGORY(name, description, tags)                                                       \
    {                                                                                              \
        name, description, tags, NULL, 0                                                           \
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

/* ---- events ---- */

/* Offers the data source "track_event" with these categories, which are in no other. Results of
 * tw_categories_new() and tw_producer_register(). */
TW_MUST_USE int tw_events_new(struct tw_events **ret_events, struct tw_producer *producer,
                              struct tw_category *categories, size_t n, enum tw_exhausted policy);
/* After the producer is closed, and when no thread writes events any more. NULL is fine. */
void tw_events_free(struct tw_events *events);
/* Events that are not in the trace of a session that wanted them, because there was no room. */
uint64_t tw_events_lost(const struct tw_events *events);

/*
 * Each is one event on the track of the thread, or of the counter. Names are static strings: they
 * are told apart by address. Not from signal handlers.
 */
#define TW_EVENT_BEGIN(category, name)                                                             \
    TW_EVENT_IF_ON(category, tw_event_begin(tw_event_category, name))
/* Ends the slice that began last. */
#define TW_EVENT_END(category) TW_EVENT_IF_ON(category, tw_event_end(tw_event_category))
#define TW_EVENT_INSTANT(category, name)                                                           \
    TW_EVENT_IF_ON(category, tw_event_instant(tw_event_category, name))
/* A counter of the process has this value from now on. */
#define TW_EVENT_COUNTER(category, name, value)                                                    \
    TW_EVENT_IF_ON(category, tw_event_counter(tw_event_category, name, value))

/* What is not evaluated when the category is off: the name and the value. */
#define TW_EVENT_IF_ON(category, call)                                                             \
    do {                                                                                           \
        const struct tw_category *tw_event_category = (category);                                  \
        if (TW_CATEGORY_ON(tw_event_category))                                                     \
            call;                                                                                  \
    } while (0)

/* What the macros call; they do nothing when the category is off. */
void tw_event_begin(const struct tw_category *category, const char *name);
void tw_event_end(const struct tw_category *category);
void tw_event_instant(const struct tw_category *category, const char *name);
void tw_event_counter(const struct tw_category *category, const char *name, int64_t value);

#ifdef __cplusplus
}
#endif
