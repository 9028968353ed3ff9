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

#include "producer/track_event.h"

/* The sequence of a thread for a session. */
struct sequence {
    struct tw_track_events *events; /* NULL: none has begun */
    struct tw_instance *instance;   /* that it is for; the events hold it */
};

struct thread {
    struct tw_events *owner;
    struct thread *next, **at; /* in the owner's list */
    struct sequence sequence[TW_CATEGORY_SESSIONS_MAX];
};

struct tw_events {
    struct tw_category *list;
    size_t n;
    struct tw_categories *categories;
    enum tw_exhausted policy;
    pthread_key_t key; /* a thread's struct thread */
    _Atomic uint64_t lost;
    pthread_mutex_t lock;
    /* Under the lock. */
    struct tw_instance *instance[TW_CATEGORY_SESSIONS_MAX]; /* references, by slot */
    struct thread *threads;
};

/* ---- threads ---- */

static void free_thread(struct thread *t)
{
    for (size_t slot = 0; slot < TW_CATEGORY_SESSIONS_MAX; slot++)
        tw_track_events_free(t->sequence[slot].events);
    free(t);
}

static void on_thread_exit(void *arg)
{
    struct thread *t = arg;

    pthread_mutex_lock(&t->owner->lock);
    *t->at = t->next;
    if (t->next)
        t->next->at = t->at;
    pthread_mutex_unlock(&t->owner->lock);
    free_thread(t);
}

/* NULL without memory. */
static struct thread *new_thread(struct tw_events *e)
{
    struct thread *t = calloc(1, sizeof(*t));

    if (!t)
        return NULL;
    if (pthread_setspecific(e->key, t)) {
        free(t);
        return NULL;
    }
    t->owner = e;
    pthread_mutex_lock(&e->lock);
    t->next = e->threads;
    t->at = &e->threads;
    if (t->next)
        t->next->at = &t->next;
    e->threads = t;
    pthread_mutex_unlock(&e->lock);
    return t;
}

static struct tw_instance *ref_instance(struct tw_events *e, unsigned slot)
{
    struct tw_instance *in;

    pthread_mutex_lock(&e->lock);
    in = e->instance[slot] ? tw_instance_ref(e->instance[slot]) : NULL;
    pthread_mutex_unlock(&e->lock);
    return in;
}

/* The sequence for whichever session has the slot now. */
static int begin_sequence(struct tw_events *e, struct sequence *s, unsigned slot)
{
    struct tw_instance *in = ref_instance(e, slot);
    int r = 0;

    tw_track_events_free(s->events);
    *s = (struct sequence){0};
    /* It may have ended since its bit was looked at: then nothing is lost. */
    if (in && tw_instance_active(in))
        r = tw_track_events_new(&s->events, in, e->policy);
    if (s->events)
        s->instance = in;
    tw_instance_unref(in); /* the events have their own reference */
    return r;
}

/* ---- events ---- */

struct event {
    int (*write)(struct tw_track_events *events, const struct event *event);
    const char *category, *name;
    enum tw_event_type type;
    const struct tw_extra *extras;
    size_t n_extras;
    int64_t value; /* of a counter */
};

static int write_for(struct tw_events *e, struct thread *t, unsigned slot,
                     const struct event *event)
{
    struct sequence *s = &t->sequence[slot];
    int r = 0;

    if (!s->events || !tw_instance_active(s->instance))
        r = begin_sequence(e, s, slot);
    return s->events ? event->write(s->events, event) : r;
}

static void write_event(const struct tw_category *category, const struct event *event)
{
    uint32_t sessions = __atomic_load_n(&category->sessions, __ATOMIC_ACQUIRE);
    struct tw_events *e = category->events;
    struct thread *t;
    uint64_t lost = 0;

    if (!sessions)
        return;
    t = pthread_getspecific(e->key);
    if (!t)
        t = new_thread(e);
    for (; sessions; sessions &= sessions - 1)
        lost += !t || write_for(e, t, (unsigned)__builtin_ctz(sessions), event) != 0;
    if (lost)
        atomic_fetch_add_explicit(&e->lost, lost, memory_order_relaxed);
}

static int write_one(struct tw_track_events *events, const struct event *event)
{
    return tw_track_event(events, event->type, event->category, event->name, event->extras,
                          event->n_extras);
}

static int write_counter(struct tw_track_events *events, const struct event *event)
{
    return tw_track_counter(events, event->name, event->value);
}

void tw_event_write(const struct tw_category *category, enum tw_event_type type, const char *name,
                    const struct tw_extra *extras, size_t n_extras)
{
    write_event(category,
                &(struct event){write_one, category->name, name, type, extras, n_extras, 0});
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

void tw_event_counter(const struct tw_category *category, const char *name, int64_t value)
{
    write_event(category, &(struct event){.write = write_counter, .name = name, .value = value});
}

/* ---- sessions ---- */

void tw_events_on_start(void *user, struct tw_instance *instance)
{
    struct tw_events *e = user;
    unsigned slot;

    /* Whoever sees its bit, and wants to know whose it is, waits for the lock. */
    pthread_mutex_lock(&e->lock);
    if (tw_categories_enable(e->categories, tw_instance_config_bytes(instance), &slot) == 0)
        e->instance[slot] = tw_instance_ref(instance);
    pthread_mutex_unlock(&e->lock);
}

void tw_events_on_stop(void *user, struct tw_instance *instance)
{
    struct tw_events *e = user;

    tw_events_on_flush(user, instance);
    pthread_mutex_lock(&e->lock);
    for (unsigned slot = 0; slot < TW_CATEGORY_SESSIONS_MAX; slot++) {
        if (e->instance[slot] != instance)
            continue;
        tw_categories_disable(e->categories, slot);
        e->instance[slot] = NULL;
        tw_instance_unref(instance);
    }
    pthread_mutex_unlock(&e->lock);
    tw_instance_done(instance);
}

void tw_events_on_flush(void *user, struct tw_instance *instance)
{
    struct tw_events *e = user;
    struct thread *t = pthread_getspecific(e->key);

    for (size_t slot = 0; t && slot < TW_CATEGORY_SESSIONS_MAX; slot++)
        if (t->sequence[slot].events && t->sequence[slot].instance == instance)
            tw_writer_flush(tw_track_events_writer(t->sequence[slot].events));
}

/* ---- the data source ---- */

int tw_events_make(struct tw_events **ret_events, struct tw_category *categories, size_t n,
                   enum tw_exhausted policy)
{
    struct tw_events *e = calloc(1, sizeof(*e));
    int r;

    if (!e)
        return -ENOMEM;
    if (pthread_key_create(&e->key, on_thread_exit)) {
        free(e);
        return -EAGAIN; /* the process has too many */
    }
    pthread_mutex_init(&e->lock, NULL);
    e->policy = policy;
    r = tw_categories_new(&e->categories, categories, n);
    if (r) {
        tw_events_free(e);
        return r;
    }
    e->list = categories;
    e->n = n;
    for (size_t i = 0; i < n; i++)
        categories[i].events = e;
    *ret_events = e;
    return 0;
}

int tw_events_new(struct tw_events **ret_events, struct tw_producer *producer,
                  struct tw_category *categories, size_t n, enum tw_exhausted policy)
{
    struct tw_events *e;
    int r = tw_events_make(&e, categories, n, policy);

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
    for (size_t i = 0; i < events->n; i++)
        events->list[i].events = NULL;
    pthread_mutex_destroy(&events->lock);
    free(events);
}

uint64_t tw_events_lost(const struct tw_events *events)
{
    return atomic_load_explicit(&events->lost, memory_order_relaxed);
}
