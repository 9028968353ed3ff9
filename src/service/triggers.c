/* SPDX-License-Identifier: Apache-2.0 */
#include "service/triggers.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/req.h"
#include "service/clock_snapshot.h"
#include "service/core.h"
#include "service/observe.h"
#include "service/session.h"
#include "service/trigger_history.h"

#define START TW__TRACE_CONFIG__TRIGGER_CONFIG__TRIGGER_MODE__START_TRACING
#define STOP  TW__TRACE_CONFIG__TRIGGER_CONFIG__TRIGGER_MODE__STOP_TRACING
#define CLONE TW__TRACE_CONFIG__TRIGGER_CONFIG__TRIGGER_MODE__CLONE_SNAPSHOT

typedef Tw__TraceConfig__TriggerConfig__Trigger trigger_type;

Tw__TraceConfig__TriggerConfig__TriggerMode tw_triggers_mode(const Tw__TraceConfig *config)
{
    const Tw__TraceConfig__TriggerConfig *t = config->trigger_config;

    if (!t)
        return TW__TRACE_CONFIG__TRIGGER_CONFIG__TRIGGER_MODE__UNSPECIFIED;
    REQ("TW-TRIG-007");
    return t->use_clone_snapshot_if_available ? CLONE : t->trigger_mode;
}

int tw_triggers_init(struct tw_session *session)
{
    const Tw__TraceConfig__TriggerConfig *t = session->config->trigger_config;
    struct tw_triggers *triggers = &session->triggers;

    TAILQ_INIT(&triggers->hits);
    if (!t || t->n_triggers == 0)
        return 0;
    triggers->name_hashes = tw_arena_alloc(&session->arena, t->n_triggers * sizeof(uint64_t));
    if (!triggers->name_hashes)
        return -ENOMEM;
    for (size_t i = 0; i < t->n_triggers; i++)
        triggers->name_hashes[i] =
            tw_trigger_hash(t->triggers[i]->name ? t->triggers[i]->name : "");
    return 0;
}

void tw_trigger_info_deinit(struct tw_trigger_info *info)
{
    free(info->name);
    free(info->producer);
    *info = (struct tw_trigger_info){.name = NULL};
}

static void free_hit(struct tw_trigger_hit *hit)
{
    struct tw_triggers *triggers = &hit->session->triggers;

    TAILQ_REMOVE(&triggers->hits, hit, next);
    triggers->n_hits--;
    tw_timer_clear(hit->session->service->timers, &hit->tell);
    tw_trigger_info_deinit(&hit->info);
    free(hit);
}

void tw_triggers_forget(struct tw_session *session)
{
    struct tw_trigger_hit *hit;

    while ((hit = TAILQ_FIRST(&session->triggers.hits)))
        free_hit(hit);
}

void tw_triggers_move(struct tw_session *from, struct tw_session *to)
{
    struct tw_trigger_hit *hit = TAILQ_FIRST(&from->triggers.hits);

    while (hit) {
        struct tw_trigger_hit *next = TAILQ_NEXT(hit, next);

        if (!tw_timer_is_set(&hit->tell)) {
            TAILQ_REMOVE(&from->triggers.hits, hit, next);
            from->triggers.n_hits--;
            hit->session = to;
            TAILQ_INSERT_TAIL(&to->triggers.hits, hit, next);
            to->triggers.n_hits++;
        }
        hit = next;
    }
    to->triggers.hit = from->triggers.hit;
}

uint32_t tw_triggers_duration_ms(const struct tw_session *session)
{
    REQ("TW-TRIG-005");
    switch (tw_triggers_mode(session->config)) {
    case STOP:
    case CLONE:
        return session->config->trigger_config->trigger_timeout_ms;
    default:
        return session->config->duration_ms;
    }
}

bool tw_triggers_set_end(const struct tw_session *session)
{
    return tw_triggers_mode(session->config) == STOP && session->triggers.hit;
}

bool tw_triggers_wait(struct tw_session *session)
{
    REQ("TW-TRIG-003");
    if (tw_triggers_mode(session->config) != START)
        return false;
    tw_service_arm(session->service, &session->duration,
                   session->config->trigger_config->trigger_timeout_ms);
    return true;
}

bool tw_triggers_hide_trace(const struct tw_session *session)
{
    REQ("TW-TRIG-008");
    const Tw__TraceConfig *config = session->config;

    if (session->state == TW_SESSION_CLONED)
        return false;
    if (tw_triggers_mode(config) == CLONE)
        return true;
    return config->trigger_config && config->trigger_config->n_triggers > 0 &&
           !session->triggers.hit;
}

static void tell(struct tw_timer *timer)
{
    REQ("TW-TRIG-006");

    tw_observe_clone_trigger(TW_CONTAINER_OF(timer, struct tw_trigger_hit, tell));
}

/* The first says why there is a trace and stays; the oldest other one that nobody waits for makes
 * room. */
static bool make_room(struct tw_triggers *triggers)
{
    REQ("TW-LIM-101");
    struct tw_trigger_hit *hit = TAILQ_FIRST(&triggers->hits);

    if (triggers->n_hits < TW_TRIGGER_HITS_MAX)
        return true;
    while ((hit = TAILQ_NEXT(hit, next)))
        if (!tw_timer_is_set(&hit->tell)) {
            free_hit(hit);
            return true;
        }
    return false;
}

/* NULL when there is no room, or no memory. */
static struct tw_trigger_hit *new_hit(struct tw_session *session, const trigger_type *trigger,
                                      const struct tw_producer *producer)
{
    struct tw_triggers *triggers = &session->triggers;
    struct tw_trigger_hit *hit;

    if (!make_room(triggers))
        return NULL;
    hit = calloc(1, sizeof(*hit));
    if (!hit)
        return NULL;
    hit->session = session;
    hit->tell.fn = tell;
    hit->info = (struct tw_trigger_info){
        .name = strdup(trigger->name ? trigger->name : ""),
        .producer = strdup(producer->name),
        .uid = producer->conn->peer.uid,
        .ns = tw_service_now(session->service, CLOCK_BOOTTIME),
        .delay_ms = trigger->stop_delay_ms,
    };
    TAILQ_INSERT_TAIL(&triggers->hits, hit, next);
    triggers->n_hits++;
    if (hit->info.name && hit->info.producer)
        return hit;
    free_hit(hit);
    return NULL;
}

static void start_tracing(struct tw_session *session, const struct tw_trigger_hit *hit)
{
    REQ("TW-TRIG-002");
    if (tw_session_start(session))
        return; /* it runs already */
    if (hit->info.delay_ms)
        tw_service_arm(session->service, &session->duration, hit->info.delay_ms);
}

static void stop_tracing(struct tw_session *session, const struct tw_trigger_hit *hit)
{
    REQ("TW-TRIG-004");
    if (!session->triggers.hit)
        tw_service_arm(session->service, &session->duration, hit->info.delay_ms);
}

static void receive(struct tw_session *session, const trigger_type *trigger,
                    struct tw_trigger_hit *hit)
{
    tw_snapshot_clocks(session);
    switch (tw_triggers_mode(session->config)) {
    case START:
        start_tracing(session, hit);
        break;
    case STOP:
        stop_tracing(session, hit);
        break;
    default:
        tw_service_arm(session->service, &hit->tell, trigger->stop_delay_ms);
        break;
    }
    session->triggers.hit = true;
}

/* At least 0 and under 1. */
static double random_share(const struct tw_service *service)
{
    uint64_t bits = 0;

    if (service->options.random)
        bits = service->options.random(service->options.user);
    else if (getrandom(&bits, sizeof(bits), GRND_NONBLOCK) != (ssize_t)sizeof(bits))
        bits = 0; /* early in the life of a machine: every trigger that may be skipped is */
    return (double)(bits >> 11) / (double)(UINT64_C(1) << 53);
}

static bool wanted(struct tw_session *session, const trigger_type *trigger,
                   const struct tw_producer *producer, size_t n_in_24_h)
{
    REQ("TW-TRIG-010");
    REQ("TW-TRIG-011");
    REQ("TW-TRIG-012");
    const char *regex = trigger->producer_name_regex;

    if (regex && regex[0] &&
        !tw_patterns_match(&session->patterns, regex, producer->name, producer->serial))
        return false;
    if (trigger->skip_probability > 0 && random_share(session->service) < trigger->skip_probability)
        return false;
    return trigger->max_per_24_h == 0 || n_in_24_h < trigger->max_per_24_h;
}

/* NULL when the session does not wait for it. */
static const trigger_type *find(const struct tw_session *session, const char *name,
                                uint64_t name_hash)
{
    const Tw__TraceConfig__TriggerConfig *t = session->config->trigger_config;

    if (!t || session->state > TW_SESSION_STARTED)
        return NULL;
    for (size_t i = 0; i < t->n_triggers; i++)
        if (session->triggers.name_hashes[i] == name_hash &&
            strcmp(t->triggers[i]->name ? t->triggers[i]->name : "", name) == 0)
            return t->triggers[i];
    return NULL;
}

void tw_trigger_activate(struct tw_producer *producer, const char *name)
{
    REQ("TW-TRIG-001");
    struct tw_service *service = producer->conn->service;
    struct tw_trigger_history *history = &service->trigger_history;
    uint64_t name_hash = tw_trigger_hash(name), now = tw_service_now(service, CLOCK_BOOTTIME);
    size_t n_in_24_h = tw_trigger_history_count(history, now, name_hash);
    struct tw_session *session;
    bool received = false;

    TAILQ_FOREACH (session, &service->sessions, next) {
        const trigger_type *trigger = find(session, name, name_hash);
        struct tw_trigger_hit *hit;

        if (!trigger || !wanted(session, trigger, producer, n_in_24_h))
            continue;
        hit = new_hit(session, trigger, producer);
        if (!hit)
            continue;
        receive(session, trigger, hit);
        received = true;
    }
    /* Without memory for its past a trigger may come more often than it should: better than
     * never. */
    if (received)
        TW_IGNORE(tw_trigger_history_add(history, now, name_hash));
}
