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
     * and about which the service is told nothing. TW-EVT-004. NULL: TW_CATEGORY_ANY. */
    const char *name;
    const char *description; /* NULL: none */
    /* With commas between them; NULL: none. "slow" and "debug" are off unless asked for. */
    const char *tags;
    /* The data source that it is one of: tw_events_new() sets it. */
    struct tw_events *events;
    /* A bit for each session that wants it, 0 to begin with: tw_categories_enable() sets it. */
    uint32_t sessions;
    bool is_group; /* tw_categories_new() sets it */
};

/* The initializer of a struct tw_category. */
#define TW_CATEGORY(name, description, tags)                                                       \
    {                                                                                              \
        name, description, tags, NULL, 0, false                                                    \
    }

/* On for every session: each of its events says its own category, by tw_in(). */
#define TW_CATEGORY_ANY TW_CATEGORY(NULL, NULL, NULL)

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

/* list is kept, and written to: the masks. TW_E_INVALID: one has an empty name, or one in its
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

/* ---- tracks ---- */

/* What a track is of. */
enum tw_track_kind {
    TW_TRACK_CUSTOM,
    TW_TRACK_COUNTER,
    TW_TRACK_THREAD, /* id is the tid; name may be NULL */
    TW_TRACK_PROCESS,
};

/* What a counter counts. */
enum tw_unit {
    TW_UNIT_NONE,
    TW_UNIT_NS,
    TW_UNIT_COUNT,
    TW_UNIT_BYTES,
};

/* Of a track and those that it is part of: further out there is only the process. TW-LIM-220 */
enum { TW_TRACK_DEPTH_MAX = 8 };

/*
 * Where events are that are not on the track of their thread: for what begins on one thread and
 * ends on another, or happens elsewhere. Tracks of the same name, id, kind and parent are the same,
 * on whatever thread. Names are static strings. Made by the macros below.
 */
struct tw_track {
    const char *name;
    uint64_t id; /* tells tracks of a name apart */
    enum tw_track_kind kind;
    const struct tw_track *parent; /* NULL: the process */
    enum tw_unit unit;             /* of a counter */
    const char *unit_name;         /* of one whose unit is none of these; or NULL */
};

/* The initializer of a struct tw_track, inside of another. */
#define TW_TRACK_IN(parent, name, id)                                                              \
    {                                                                                              \
        name, id, TW_TRACK_CUSTOM, parent, TW_UNIT_NONE, NULL                                      \
    }
/* The same, of the process. */
#define TW_TRACK(name, id) TW_TRACK_IN(NULL, name, id)
/* The track of the process itself. */
#define TW_PROCESS                                                                                 \
    {                                                                                              \
        NULL, 0, TW_TRACK_PROCESS, NULL, TW_UNIT_NONE, NULL                                        \
    }
/* The track of another thread of the process. It is named here, or by itself: the name is NULL. */
#define TW_THREAD(tid, name)                                                                       \
    {                                                                                              \
        name, tid, TW_TRACK_THREAD, NULL, TW_UNIT_NONE, NULL                                       \
    }
/* A counter of the process (NULL), or of another track. */
#define TW_COUNTER_IN(parent, name, unit, unit_name)                                               \
    {                                                                                              \
        name, 0, TW_TRACK_COUNTER, parent, unit, unit_name                                         \
    }
#define TW_COUNTER(name, unit, unit_name) TW_COUNTER_IN(NULL, name, unit, unit_name)

/* ---- what an event may have besides its name ---- */

/* What an extra is. */
enum tw_extra_kind {
    TW_EXTRA_BOOL, /* arguments */
    TW_EXTRA_UINT,
    TW_EXTRA_INT,
    TW_EXTRA_DOUBLE,
    TW_EXTRA_STR,
    TW_EXTRA_POINTER,
    TW_EXTRA_DICT,
    TW_EXTRA_ARRAY,
    TW_EXTRA_FLOW, /* and not arguments */
    TW_EXTRA_FLOW_END,
    TW_EXTRA_GLOBAL_FLOW,
    TW_EXTRA_GLOBAL_FLOW_END,
    TW_EXTRA_TRACK,
    TW_EXTRA_NAME,
    TW_EXTRA_CATEGORY,
    TW_EXTRA_TIME,
    TW_EXTRA_COUNT,
    TW_EXTRA_REAL,
};

/* Made by the functions below. */
struct tw_extra {
    enum tw_extra_kind kind;
    uint32_t clock;   /* of a time */
    const char *name; /* of an argument */
    uint64_t number;  /* or a double's bits, or how many members */
    const void *p;    /* text, track, or members */
};

/* For the functions below. */
static inline struct tw_extra tw_extra_of(enum tw_extra_kind kind, const char *name,
                                          uint64_t number, const void *p)
{
    struct tw_extra extra = {kind, 0, name, number, p};

    return extra;
}

static inline uint64_t tw_bits_of(double value)
{
    uint64_t bits;

    __builtin_memcpy(&bits, &value, sizeof(bits));
    return bits;
}

/* Arguments. Their names are static, what they are need not be. */
static inline struct tw_extra tw_arg_bool(const char *name, bool value)
{
    return tw_extra_of(TW_EXTRA_BOOL, name, value, NULL);
}

static inline struct tw_extra tw_arg_uint(const char *name, uint64_t value)
{
    return tw_extra_of(TW_EXTRA_UINT, name, value, NULL);
}

static inline struct tw_extra tw_arg_int(const char *name, int64_t value)
{
    return tw_extra_of(TW_EXTRA_INT, name, (uint64_t)value, NULL);
}

static inline struct tw_extra tw_arg_pointer(const char *name, const void *value)
{
    return tw_extra_of(TW_EXTRA_POINTER, name, (uint64_t)(uintptr_t)value, NULL);
}

static inline struct tw_extra tw_arg_double(const char *name, double value)
{
    return tw_extra_of(TW_EXTRA_DOUBLE, name, tw_bits_of(value), NULL);
}

static inline struct tw_extra tw_arg_str(const char *name, const char *value)
{
    return tw_extra_of(TW_EXTRA_STR, name, 0, value);
}

/* Arguments in an argument: with their names, or in an array, where they need none. Nested up to
 * TW_NEST_MAX - 2 deep; an event with more is not written. */
static inline struct tw_extra tw_arg_dict(const char *name, const struct tw_extra *members,
                                          size_t n)
{
    return tw_extra_of(TW_EXTRA_DICT, name, n, members);
}

static inline struct tw_extra tw_arg_array(const char *name, const struct tw_extra *members,
                                           size_t n)
{
    return tw_extra_of(TW_EXTRA_ARRAY, name, n, members);
}

/* An arrow from the event before with this number, in the process, and to the one behind. */
static inline struct tw_extra tw_flow(uint64_t id)
{
    return tw_extra_of(TW_EXTRA_FLOW, NULL, id, NULL);
}

/* The same, but the last: the number may be used anew. */
static inline struct tw_extra tw_flow_end(uint64_t id)
{
    return tw_extra_of(TW_EXTRA_FLOW_END, NULL, id, NULL);
}

/* An arrow between processes: they have agreed on the number, which nobody else in the trace has.
 */
static inline struct tw_extra tw_global_flow(uint64_t id)
{
    return tw_extra_of(TW_EXTRA_GLOBAL_FLOW, NULL, id, NULL);
}

static inline struct tw_extra tw_global_flow_end(uint64_t id)
{
    return tw_extra_of(TW_EXTRA_GLOBAL_FLOW_END, NULL, id, NULL);
}

/* The event is on this track and not the thread's. */
static inline struct tw_extra tw_on(const struct tw_track *track)
{
    return tw_extra_of(TW_EXTRA_TRACK, NULL, 0, track);
}

/* A name that is not static, in place of the one that is. */
static inline struct tw_extra tw_named(const char *name)
{
    return tw_extra_of(TW_EXTRA_NAME, NULL, 0, name);
}

/* A category whose name is known only now, in place of that of the event, for TW_CATEGORY_ANY. That
 * the lists of the session are looked through for it takes time. */
static inline struct tw_extra tw_in(const char *category)
{
    return tw_extra_of(TW_EXTRA_CATEGORY, NULL, 0, category);
}

/* Clocks that every trace of Linux knows. */
enum tw_clock {
    TW_REALTIME = 1,
    TW_MONOTONIC = 3,
    TW_BOOTTIME = 6,
};

/* It was then, and not now: nanoseconds. */
static inline struct tw_extra tw_at(enum tw_clock clock, uint64_t ns)
{
    struct tw_extra extra = {TW_EXTRA_TIME, clock, NULL, ns, NULL};

    return extra;
}

/* What a counter has come to. */
static inline struct tw_extra tw_count(int64_t value)
{
    return tw_extra_of(TW_EXTRA_COUNT, NULL, (uint64_t)value, NULL);
}

static inline struct tw_extra tw_real(double value)
{
    return tw_extra_of(TW_EXTRA_REAL, NULL, tw_bits_of(value), NULL);
}

/* ---- events ---- */

/* What to offer. All zero but the categories is fine. */
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
/* Something happens at this time. */
#define TW_EVENT_INSTANT(category, name)                                                           \
    TW_EVENT_IF_ON(category, tw_event_instant(tw_event_category, name))
/* A counter of the process has this value from now on. */
#define TW_EVENT_COUNTER(category, name, value)                                                    \
    TW_EVENT_IF_ON(category, tw_event_counter(tw_event_category, name, tw_count(value)))
#define TW_EVENT_COUNTER_REAL(category, name, value)                                               \
    TW_EVENT_IF_ON(category, tw_event_counter(tw_event_category, name, tw_real(value)))

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

/* TW_EVENT_COUNTER_WITH(c, tw_on(&counter), tw_count(n)): of any track made by TW_COUNTER(). */
#define TW_EVENT_COUNTER_WITH(category, ...)                                                       \
    TW_EVENT_WITH(category, TW_EVENT_VALUE, NULL, __VA_ARGS__)

/* What those with extras are made of. */
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

/* What an event is. */
enum tw_event_type {
    TW_EVENT_SLICE_BEGIN = 1,
    TW_EVENT_SLICE_END,
    TW_EVENT_MOMENT,
    TW_EVENT_VALUE,
};

/* What the macros call; they do nothing when the category is off. */
void tw_event_begin(const struct tw_category *category, const char *name);
void tw_event_end(const struct tw_category *category);
void tw_event_instant(const struct tw_category *category, const char *name);
void tw_event_instant_in_signal(const struct tw_category *category, const char *name);
void tw_event_counter(const struct tw_category *category, const char *name, struct tw_extra value);
void tw_event_write(const struct tw_category *category, enum tw_event_type type, const char *name,
                    const struct tw_extra *extras, size_t n_extras);

/* ---- scopes ---- */

/* A slice from here to the end of the block, however that is left. */
#define TW_EVENT_SCOPE(category, name)          TW_EVENT_SCOPE_AT(category, name, __LINE__)
#define TW_EVENT_SCOPE_AT(category, name, line) TW_EVENT_SCOPE_IN(category, name, line)

/* The category of the slice that has begun, or NULL. */
static inline const struct tw_category *tw_event_begin_scope(const struct tw_category *category,
                                                             const char *name)
{
    if (!TW_CATEGORY_ON(category))
        return NULL;
    tw_event_begin(category, name);
    return category;
}

/* Ends it, if there is one. */
static inline void tw_event_end_scope(const struct tw_category *const *begun)
{
    if (*begun)
        TW_EVENT_END(*begun);
}

#ifdef __cplusplus
}

#define TW_EVENT_SCOPE_IN(category, name, line)                                                    \
    const tw_event_scope tw_event_scope_##line((category), (name))

class tw_event_scope
{
  public:
    tw_event_scope(const tw_category *category, const char *name)
        : category_(tw_event_begin_scope(category, name))
    {
    }
    ~tw_event_scope()
    {
        tw_event_end_scope(&category_);
    }
    /* It ends once. */
    tw_event_scope(const tw_event_scope &) = delete;
    tw_event_scope &operator=(const tw_event_scope &) = delete;

  private:
    const tw_category *const category_;
};
#else
/* Behind TW_EVENT_SCOPE(), once the line is a number. */
#define TW_EVENT_SCOPE_IN(category, name, line)                                                    \
    const struct tw_category *const tw_event_scope_##line                                          \
        __attribute__((unused, cleanup(tw_event_end_scope))) =                                     \
            tw_event_begin_scope((category), (name))
#endif

#pragma GCC visibility pop
