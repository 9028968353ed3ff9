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
 *     tw_events_new(&events, producer, &(struct tw_events_config){.categories = categories,
 *                                                                  .n_categories = 2});
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
#pragma GCC visibility push(default)

/* ---- categories ---- */

enum {
    /* Categories of one data source. TW-LIM-200 */
    TW_CATEGORIES_MAX = 1024,
    /* Names and patterns in the config of one session, for whose lists every category is looked up.
     * TW-LIM-201 */
    TW_CATEGORY_RULES_MAX = 1024,
    /* Sessions at once that categories are on for: each has a bit. TW-LIM-202 */
    TW_CATEGORY_SESSIONS_MAX = 32,
    /* Instants of signal handlers that wait for one thread, a power of two: of a timer of 1 kHz
     * those of 64 ms. TW-LIM-215 */
    TW_SIGNAL_INSTANTS_MAX = 64,
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

/* ---- what an event may have besides its name ---- */

/* A track of the process that is no thread's: for what begins on one thread and ends on another.
 * Tracks of the same name and id are the same. The name is static. */
struct tw_track {
    const char *name;
    uint64_t id;
};

enum tw_extra_kind {
    TW_EXTRA_BOOL, /* arguments */
    TW_EXTRA_UINT,
    TW_EXTRA_INT,
    TW_EXTRA_DOUBLE,
    TW_EXTRA_STR,
    TW_EXTRA_POINTER,
    TW_EXTRA_FLOW,
    TW_EXTRA_FLOW_END,
    TW_EXTRA_TRACK,
    TW_EXTRA_NAME,
};

/* Made by the functions below. */
struct tw_extra {
    enum tw_extra_kind kind;
    const char *name; /* of an argument */
    uint64_t number;
    double real;
    const char *text;
    const struct tw_track *track;
};

static inline struct tw_extra tw_extra_of(enum tw_extra_kind kind, const char *name,
                                          uint64_t number)
{
    struct tw_extra extra = {kind, name, number, 0, NULL, NULL};

    return extra;
}

/* Arguments. Their names are static, what they are need not be. */
static inline struct tw_extra tw_arg_bool(const char *name, bool value)
{
    return tw_extra_of(TW_EXTRA_BOOL, name, value);
}

static inline struct tw_extra tw_arg_uint(const char *name, uint64_t value)
{
    return tw_extra_of(TW_EXTRA_UINT, name, value);
}

static inline struct tw_extra tw_arg_int(const char *name, int64_t value)
{
    return tw_extra_of(TW_EXTRA_INT, name, (uint64_t)value);
}

static inline struct tw_extra tw_arg_pointer(const char *name, const void *value)
{
    return tw_extra_of(TW_EXTRA_POINTER, name, (uint64_t)(uintptr_t)value);
}

static inline struct tw_extra tw_arg_double(const char *name, double value)
{
    struct tw_extra extra = {TW_EXTRA_DOUBLE, name, 0, value, NULL, NULL};

    return extra;
}

static inline struct tw_extra tw_arg_str(const char *name, const char *value)
{
    struct tw_extra extra = {TW_EXTRA_STR, name, 0, 0, value, NULL};

    return extra;
}

/* An arrow from the event before with this number, in the process, and to the one behind. */
static inline struct tw_extra tw_flow(uint64_t id)
{
    return tw_extra_of(TW_EXTRA_FLOW, NULL, id);
}

/* The same, but the last: the number may be used anew. */
static inline struct tw_extra tw_flow_end(uint64_t id)
{
    return tw_extra_of(TW_EXTRA_FLOW_END, NULL, id);
}

/* The event is on this track and not the thread's. */
static inline struct tw_extra tw_on(const struct tw_track *track)
{
    struct tw_extra extra = {TW_EXTRA_TRACK, NULL, 0, 0, NULL, track};

    return extra;
}

/* A name that is not static, in place of the one that is. */
static inline struct tw_extra tw_named(const char *name)
{
    struct tw_extra extra = {TW_EXTRA_NAME, NULL, 0, 0, name, NULL};

    return extra;
}

/* ---- events ---- */

struct tw_events_config {
    struct tw_category *categories; /* kept, as long as the tw_events; in no other */
    size_t n_categories;
    enum tw_exhausted policy;
    /* Both are optional, and run on the producer's thread. A session has begun: what it wants is
     * on. */
    void (*start)(void *user, struct tw_instance *instance);
    /* It is to end: what it wants is still on, until tw_events_end() is called, here or later. So
     * threads may come to an end, too, with what they have begun. */
    void (*stop)(void *user, struct tw_instance *instance);
    void *user;
};

/* Offers the data source "track_event" with these categories. Results of tw_categories_new() and
 * tw_producer_register(). */
TW_MUST_USE int tw_events_new(struct tw_events **ret_events, struct tw_producer *producer,
                              const struct tw_events_config *config);
/* After the producer is closed, and when no thread writes events any more. NULL is fine. */
void tw_events_free(struct tw_events *events);
/* Nothing is on any more for the session of a stop callback, and the service is told that it has
 * all of it. On the producer's thread, once for each. */
void tw_events_end(struct tw_events *events, struct tw_instance *instance);
/* Hands over what the calling thread has written. Otherwise that is done in time, and at the end of
 * the thread. */
void tw_events_flush(struct tw_events *events);

/* An event is counted once for each session that wanted it. */
struct tw_events_stats {
    /* Counted when their thread has ended, or writes the first event behind their session. */
    uint64_t events; /* in the trace */
    uint64_t bytes;  /* of their packets */
    /* Not in the trace because there was no room. Counted at once. */
    uint64_t lost;
};

/* On any thread. */
void tw_events_stats(const struct tw_events *events, struct tw_events_stats *ret_stats);

/*
 * Each is one event on the track of the thread, or of the counter. Names are static strings: they
 * are told apart by address. A signal handler has TW_EVENT_INSTANT_IN_SIGNAL(), and no other.
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

/* For signal handlers, which may interrupt anything, also the library and each other: takes no lock
 * and no memory. The instant has the time of the call, and is written with the next event of its
 * thread, at the end of it, or when the service flushes or stops, whichever comes first. It is
 * lost, and counted, on a thread that has written no event yet, and when TW_SIGNAL_INSTANTS_MAX of
 * the thread wait already. The handler must return. */
#define TW_EVENT_INSTANT_IN_SIGNAL(category, name)                                                 \
    TW_EVENT_IF_ON(category, tw_event_instant_in_signal(tw_event_category, name))

/* The same with one extra or more: TW_EVENT_BEGIN_WITH(c, "read", tw_arg_uint("bytes", n)). */
#define TW_EVENT_BEGIN_WITH(category, name, ...)                                                   \
    TW_EVENT_WITH(category, TW_EVENT_SLICE_BEGIN, name, __VA_ARGS__)
#define TW_EVENT_END_WITH(category, ...)                                                           \
    TW_EVENT_WITH(category, TW_EVENT_SLICE_END, NULL, __VA_ARGS__)
#define TW_EVENT_INSTANT_WITH(category, name, ...)                                                 \
    TW_EVENT_WITH(category, TW_EVENT_MOMENT, name, __VA_ARGS__)

#define TW_EVENT_WITH(category, type, name, ...)                                                   \
    do {                                                                                           \
        const struct tw_category *tw_event_category = (category);                                  \
        if (TW_CATEGORY_ON(tw_event_category)) {                                                   \
            const struct tw_extra tw_event_extras[] = {__VA_ARGS__};                               \
            tw_event_write(tw_event_category, type, name, tw_event_extras,                         \
                           sizeof(tw_event_extras) / sizeof(tw_event_extras[0]));                  \
        }                                                                                          \
    } while (0)

/* While the category is off, neither name nor value nor extras are evaluated. */
#define TW_EVENT_IF_ON(category, call)                                                             \
    do {                                                                                           \
        const struct tw_category *tw_event_category = (category);                                  \
        if (TW_CATEGORY_ON(tw_event_category))                                                     \
            (call);                                                                                \
    } while (0)

enum tw_event_type {
    TW_EVENT_SLICE_BEGIN = 1,
    TW_EVENT_SLICE_END,
    TW_EVENT_MOMENT,
};

/* What the macros call; they do nothing when the category is off. */
void tw_event_begin(const struct tw_category *category, const char *name);
void tw_event_end(const struct tw_category *category);
void tw_event_instant(const struct tw_category *category, const char *name);
void tw_event_instant_in_signal(const struct tw_category *category, const char *name);
void tw_event_counter(const struct tw_category *category, const char *name, int64_t value);
void tw_event_write(const struct tw_category *category, enum tw_event_type type, const char *name,
                    const struct tw_extra *extras, size_t n_extras);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
