/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A thread that writes its first event gets a place for a sequence of each session. It alone uses
 * them, without a lock; the lock is for the lists of sessions and of threads, and taken when a
 * thread begins a sequence.
 */
#include "producer/events.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/macros.h"
#include "base/req.h"
#include "producer/event_signals.h"
#include "producer/track_event.h"

/* The sequence of a thread for a session. */
struct place {
    struct tw_event_sequence *sequence; /* NULL: none has begun */
    struct tw_instance *instance;       /* that it is for; the sequence holds it */
    uint64_t events;                    /* written */
};

struct thread {
    struct tw_events *owner;
    struct thread *next, **at; /* in the owner's list */
    pid_t tid;
    struct tw_signal_ring signals;
    struct place place[TW_CATEGORY_SESSIONS_MAX];
};

struct tw_events {
    uint64_t number; /* no other of the process has had it, or will; from 1 */
    struct tw_events_config config;
    struct tw_event_process process;
    struct tw_categories *categories;
    pid_t pid;         /* not a child's of fork(), which must not wait for the lock */
    pthread_key_t key; /* a thread's struct thread */
    _Atomic uint64_t written, bytes, lost;
    /* References, by slot. Changed under the lock; to compare a place with it takes none, for what
     * a place is for cannot be freed. */
    struct tw_instance *_Atomic instance[TW_CATEGORY_SESSIONS_MAX];
    pthread_mutex_t lock;
    struct thread *threads; /* under the lock */
};

/* ---- threads ---- */

static bool in_child(const struct tw_events *e)
{
    REQ("TW-SHM-070");
    return e->pid != getpid();
}

static void count(_Atomic uint64_t *counter, uint64_t n)
{
    atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
}

/* Hands over what was written there. */
static void clear_place(struct tw_events *e, struct place *place)
{
    struct tw_writer_stats stats;

    if (!place->sequence)
        return;
    tw_writer_stats(place->sequence->writer, &stats);
    count(&e->written, place->events);
    count(&e->bytes, stats.bytes);
    tw_event_sequence_free(place->sequence);
    *place = (struct place){0};
}

static void free_thread(struct thread *t)
{
    for (size_t slot = 0; slot < TW_CATEGORY_SESSIONS_MAX; slot++)
        clear_place(t->owner, &t->place[slot]);
    free(t);
}

/* NULL without memory, or in a child. */
static struct thread *new_thread(struct tw_events *e)
{
    struct thread *t = in_child(e) ? NULL : calloc(1, sizeof(*t));

    if (!t)
        return NULL;
    t->owner = e;
    t->tid = gettid();
    if (pthread_setspecific(e->key, t)) {
        free(t);
        return NULL;
    }
    pthread_mutex_lock(&e->lock);
    t->next = e->threads;
    t->at = &e->threads;
    if (t->next)
        t->next->at = &t->next;
    e->threads = t;
    pthread_mutex_unlock(&e->lock);
    return t;
}

/* Where a thread was found last: the key takes longer to ask. */
struct found {
    uint64_t number; /* of the tw_events, whose address may be another's by now; 0: none */
    struct thread *thread;
};

static _Thread_local struct found last;

__attribute__((noinline)) static struct thread *find_thread(struct tw_events *e)
{
    struct thread *t = pthread_getspecific(e->key);

    if (!t)
        t = new_thread(e);
    last.number = t ? e->number : 0;
    last.thread = t;
    return t;
}

static inline struct thread *this_thread(struct tw_events *e)
{
    return TW_LIKELY(last.number == e->number) ? last.thread : find_thread(e);
}

static struct tw_instance *ref_instance(struct tw_events *e, unsigned slot)
{
    struct tw_instance *in;

    pthread_mutex_lock(&e->lock);
    in = e->instance[slot] ? tw_instance_ref(e->instance[slot]) : NULL;
    pthread_mutex_unlock(&e->lock);
    return in;
}

/* A sequence for whichever session has the slot now. TW_E_CLOSED: it has ended since its bit was
 * looked at. */
__attribute__((noinline)) static int begin_sequence(struct tw_events *e, struct place *place,
                                                    unsigned slot)
{
    struct tw_instance *in;
    int r = TW_E_CLOSED;

    if (in_child(e))
        return r;
    clear_place(e, place);
    in = ref_instance(e, slot);
    if (in)
        r = tw_event_sequence_new(&place->sequence, in, &e->process, e->config.policy);
    if (!r)
        place->instance = in;
    tw_instance_unref(in); /* the sequence has its own reference */
    return r;
}

/* ---- events ---- */

static bool is_for(const struct place *place, const struct tw_events *e, unsigned slot)
{
    return place->sequence &&
           place->instance == atomic_load_explicit(&e->instance[slot], memory_order_relaxed);
}

static int write_for(struct tw_events *e, struct thread *t, unsigned slot,
                     const struct tw_event *event)
{
    struct place *place = &t->place[slot];
    int r = is_for(place, e, slot) ? 0 : begin_sequence(e, place, slot);

    if (!r)
        r = tw_track_event(place->sequence, event);
    place->events += !r;
    return r;
}

static void write_to(struct tw_events *e, struct thread *t, uint32_t sessions,
                     const struct tw_event *event)
{
    for (; sessions; sessions &= sessions - 1) {
        int r = t ? write_for(e, t, (unsigned)__builtin_ctz(sessions), event) : -ENOMEM;

        if (TW_LIKELY(!r))
            continue;
        if (r != TW_E_CLOSED && r != TW_E_NOT_FOUND)
            count(&e->lost, 1);
    }
}

/* ---- instants of signal handlers ---- */

/* On the track of the thread that it interrupted, whosever sequence it is. */
static void write_signal(struct tw_events *e, struct thread *t, const struct tw_signal_instant *in)
{
    uint32_t now = __atomic_load_n(&in->category->sessions, __ATOMIC_ACQUIRE);
    const struct tw_track track = TW_THREAD((uint64_t)in->tid, NULL);
    const struct tw_extra extras[] = {tw_at(TW_BOOTTIME, in->at_ns), tw_on(&track)};
    /* Its own thread's needs no word. */
    size_t n = t && t->tid == in->tid ? 1 : TW_ARRAY_LEN(extras);

    write_to(e, t, now & in->sessions,
             &(struct tw_event){TW_EVENT_MOMENT, in->category, in->name, extras, n});
}

static void write_signals(struct tw_events *e, struct thread *t,
                          const struct tw_signal_instant *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        write_signal(e, t, &list[i]);
}

static void write_own_signals(struct thread *t)
{
    struct tw_signal_instant list[TW_SIGNAL_INSTANTS_MAX];

    write_signals(t->owner, t, list,
                  tw_signal_ring_take(&t->signals, list, TW_SIGNAL_INSTANTS_MAX));
}

static size_t take_signals(struct tw_events *e, struct tw_signal_instant *out, size_t max)
{
    size_t n = 0;

    pthread_mutex_lock(&e->lock);
    for (struct thread *t = e->threads; t; t = t->next)
        n += tw_signal_ring_take(&t->signals, out + n, max - n);
    pthread_mutex_unlock(&e->lock);
    return n;
}

/* Of all threads: one that sleeps may have been interrupted, too. */
static void write_all_signals(struct tw_events *e)
{
    struct tw_signal_instant list[TW_SIGNAL_INSTANTS_MAX];
    size_t n;

    do {
        n = take_signals(e, list, TW_SIGNAL_INSTANTS_MAX);
        if (n > 0)
            write_signals(e, this_thread(e), list, n);
    } while (n == TW_SIGNAL_INSTANTS_MAX);
}

void tw_event_instant_in_signal(const struct tw_category *category, const char *name)
{
    REQ("TW-EVT-050");
    uint32_t sessions = __atomic_load_n(&category->sessions, __ATOMIC_ACQUIRE);
    struct tw_events *e = category->events;
    struct tw_signal_instant instant = {.category = category, .name = name, .sessions = sessions};
    struct thread *t;

    if (!sessions)
        return;
    t = pthread_getspecific(e->key);
    if (t) {
        instant.at_ns = tw_clock_ns(CLOCK_BOOTTIME);
        instant.tid = t->tid;
    }
    if (!t || !tw_signal_ring_add(&t->signals, &instant))
        count(&e->lost, (uint64_t)__builtin_popcount(sessions));
}

static void on_thread_exit(void *arg)
{
    struct thread *t = arg;

    last.number = 0;
    if (in_child(t->owner))
        return; /* the list may be half changed */
    pthread_mutex_lock(&t->owner->lock);
    *t->at = t->next;
    if (t->next)
        t->next->at = t->at;
    pthread_mutex_unlock(&t->owner->lock);
    write_own_signals(t);
    free_thread(t);
}

/* ---- the calls ---- */

void tw_event_write(const struct tw_category *category, enum tw_event_type type, const char *name,
                    const struct tw_extra *extras, size_t n_extras)
{
    const struct tw_event event = {type, category, name, extras, n_extras};
    uint32_t sessions = __atomic_load_n(&category->sessions, __ATOMIC_ACQUIRE);
    struct tw_events *e = category->events;
    struct thread *t;

    if (!sessions)
        return;
    t = this_thread(e);
    if (t && tw_signal_ring_waits(&t->signals))
        write_own_signals(t);
    write_to(e, t, sessions, &event);
}

void tw_event_begin(const struct tw_category *category, const char *name)
{
    tw_event_write(category, TW_EVENT_SLICE_BEGIN, name, NULL, 0);
}

void tw_event_end(const struct tw_category *category)
{
    tw_event_write(category, TW_EVENT_SLICE_END, NULL, NULL, 0);
}

void tw_event_instant(const struct tw_category *category, const char *name)
{
    tw_event_write(category, TW_EVENT_MOMENT, name, NULL, 0);
}

void tw_event_counter(const struct tw_category *category, const char *name, struct tw_extra value)
{
    const struct tw_track track = TW_COUNTER(name, TW_UNIT_NONE, NULL);
    const struct tw_extra extras[] = {tw_on(&track), value};

    tw_event_write(category, TW_EVENT_VALUE, NULL, extras, TW_ARRAY_LEN(extras));
}

/* ---- sessions ---- */

static void begin_session(struct tw_events *e, struct tw_instance *instance)
{
    unsigned slot;

    /* Whoever sees its bit, and wants to know whose it is, waits for the lock. */
    pthread_mutex_lock(&e->lock);
    if (tw_categories_enable(e->categories, tw_instance_config_bytes(instance), &slot) == 0)
        e->instance[slot] = tw_instance_ref(instance);
    pthread_mutex_unlock(&e->lock);
}

void tw_events_on_start(void *user, struct tw_instance *instance)
{
    struct tw_events *e = user;

    begin_session(e, instance);
    if (e->config.start)
        e->config.start(e->config.user, instance);
}

void tw_events_on_stop(void *user, struct tw_instance *instance)
{
    struct tw_events *e = user;

    if (e->config.stop)
        e->config.stop(e->config.user, instance);
    else
        tw_events_end(e, instance);
}

void tw_events_end(struct tw_events *events, struct tw_instance *instance)
{
    if (in_child(events))
        return;
    tw_events_on_flush(events, instance);
    pthread_mutex_lock(&events->lock);
    for (unsigned slot = 0; slot < TW_CATEGORY_SESSIONS_MAX; slot++) {
        if (events->instance[slot] != instance)
            continue;
        tw_categories_disable(events->categories, slot);
        events->instance[slot] = NULL;
        tw_instance_unref(instance);
    }
    pthread_mutex_unlock(&events->lock);
    tw_instance_done(instance);
}

/* instance NULL: of all sessions. */
static void flush_thread(struct tw_events *e, const struct tw_instance *instance)
{
    struct thread *t = pthread_getspecific(e->key);

    for (size_t slot = 0; t && slot < TW_CATEGORY_SESSIONS_MAX; slot++) {
        const struct place *place = &t->place[slot];

        if (place->sequence && (!instance || place->instance == instance))
            tw_writer_flush(place->sequence->writer);
    }
}

void tw_events_on_flush(void *user, struct tw_instance *instance)
{
    write_all_signals(user);
    flush_thread(user, instance);
}

void tw_events_flush(struct tw_events *events)
{
    flush_thread(events, NULL);
}

/* ---- the data source ---- */

int tw_events_make(struct tw_events **ret_events, const struct tw_events_config *config)
{
    static _Atomic uint64_t numbers;
    struct tw_events *e = calloc(1, sizeof(*e));
    int r;

    if (!e)
        return -ENOMEM;
    if (pthread_key_create(&e->key, on_thread_exit)) {
        free(e);
        return -EAGAIN; /* the process has too many */
    }
    pthread_mutex_init(&e->lock, NULL);
    e->pid = getpid();
    e->number = atomic_fetch_add(&numbers, 1) + 1;
    r = tw_categories_new(&e->categories, config->categories, config->n_categories);
    if (r) {
        tw_events_free(e);
        return r;
    }
    e->config = *config;
    tw_event_process_read(&e->process);
    for (size_t i = 0; i < config->n_categories; i++)
        config->categories[i].events = e;
    *ret_events = e;
    return 0;
}

int tw_events_new(struct tw_events **ret_events, struct tw_producer *producer,
                  const struct tw_events_config *config)
{
    struct tw_events *e;
    int r = tw_events_make(&e, config);

    if (r)
        return r;
    r = tw_producer_register(producer, &(struct tw_data_source_config){
                                           .name = "track_event",
                                           .ops = {.start = tw_events_on_start,
                                                   .stop = tw_events_on_stop,
                                                   .flush = tw_events_on_flush},
                                           .user = e,
                                           .handles_incremental_state_clear = true,
                                           .descriptor = tw_categories_descriptor(e->categories),
                                       });
    if (r) {
        tw_events_free(e);
        return r;
    }
    *ret_events = e;
    return 0;
}

void tw_events_free(struct tw_events *events)
{
    if (!events)
        return;
    pthread_key_delete(events->key);
    while (events->threads) {
        struct thread *t = events->threads;

        events->threads = t->next;
        free_thread(t);
    }
    tw_categories_free(events->categories);
    for (size_t slot = 0; slot < TW_CATEGORY_SESSIONS_MAX; slot++)
        tw_instance_unref(events->instance[slot]);
    for (size_t i = 0; i < events->config.n_categories; i++)
        events->config.categories[i].events = NULL;
    if (!in_child(events))
        pthread_mutex_destroy(&events->lock);
    free(events);
}

void tw_events_stats(const struct tw_events *events, struct tw_events_stats *ret_stats)
{
    *ret_stats = (struct tw_events_stats){
        .events = atomic_load_explicit(&events->written, memory_order_relaxed),
        .bytes = atomic_load_explicit(&events->bytes, memory_order_relaxed),
        .lost = atomic_load_explicit(&events->lost, memory_order_relaxed),
    };
}
