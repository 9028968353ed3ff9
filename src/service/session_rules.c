/* SPDX-License-Identifier: Apache-2.0 */
#include "service/session_rules.h"

#include <string.h>
#include <unistd.h>

#include "base/req.h"
#include "service/guardrails.h"
#include "service/session.h"

static const char *name_taken(const struct tw_session *s)
{
    REQ("TW-CONS-033");
    const char *name = s->config->unique_session_name;
    const struct tw_session *other;

    if (!name || !name[0])
        return NULL;
    TAILQ_FOREACH (other, &s->service->sessions, next)
        if (other->state != TW_SESSION_CLONED && other->config->unique_session_name &&
            strcmp(other->config->unique_session_name, name) == 0)
            return "a session with this unique_session_name is running";
    return NULL;
}

/* How often live sessions hold a semaphore, and the strictest of what they allow others. */
struct held {
    uint64_t n, max_others;
};

static struct held count_held(const struct tw_service *service, const char *name)
{
    struct held held = {.max_others = UINT64_MAX};
    const struct tw_session *other;

    TAILQ_FOREACH (other, &service->sessions, next)
        for (size_t i = 0; i < other->config->n_session_semaphores; i++) {
            const Tw__TraceConfig__SessionSemaphore *sem = other->config->session_semaphores[i];

            if (other->state >= TW_SESSION_DISABLED ||
                strcmp(sem->name ? sem->name : "", name) != 0)
                continue;
            held.n++;
            if (sem->max_other_session_count < held.max_others)
                held.max_others = sem->max_other_session_count;
        }
    return held;
}

static const char *semaphore_taken(const struct tw_session *s)
{
    REQ("TW-CONS-034");
    REQ("TW-LIM-095");
    if (s->config->n_session_semaphores > TW_SEMAPHORES_MAX)
        return "TW-LIM-095: the trace config has too many session_semaphores";
    for (size_t i = 0; i < s->config->n_session_semaphores; i++) {
        const Tw__TraceConfig__SessionSemaphore *sem = s->config->session_semaphores[i];
        struct held held = count_held(s->service, sem->name ? sem->name : "");

        if (held.n > held.max_others || (held.n && held.n > sem->max_other_session_count))
            return "too many sessions hold one of the session_semaphores";
    }
    return NULL;
}

const char *tw_session_rules_full(const struct tw_session *s)
{
    REQ("TW-LIM-010");
    const struct tw_session *other;
    size_t n = 0;

    TAILQ_FOREACH (other, &s->service->sessions, next)
        n++;
    return n >= TW_SESSIONS_MAX ? "the service has 15 sessions, which is its limit" : NULL;
}

static bool outranked(const struct tw_session *s)
{
    const struct tw_session *other;

    TAILQ_FOREACH (other, &s->service->sessions, next)
        if (other->config->exclusive_prio &&
            other->config->exclusive_prio >= s->config->exclusive_prio)
            return true;
    return false;
}

const char *tw_session_rules_check(const struct tw_session *session)
{
    REQ("TW-CONS-035");
    static const char *(*const beside_others[])(const struct tw_session *) = {
        name_taken, semaphore_taken, tw_session_rules_full};
    const char *why = NULL;

    if (outranked(session))
        return "an exclusive session of the same or a higher exclusive_prio is there";
    for (size_t i = 0; i < TW_ARRAY_LEN(beside_others) && !why; i++)
        if (!session->config->exclusive_prio) /* then there will be no others */
            why = beside_others[i](session);
    return why ? why : tw_guardrails_check(session);
}

void tw_session_rules_end_others(const struct tw_session *session)
{
    REQ("TW-CONS-035");
    struct tw_session *other;

    if (!session->config->exclusive_prio)
        return;
    while ((other = TAILQ_FIRST(&session->service->sessions))) {
        other->error = "ended for an exclusive session";
        tw_session_free(other);
    }
}

bool tw_session_rules_locked_out(const struct tw_service *service, int32_t uid)
{
    REQ("TW-CONS-036");
    return service->lockdown && uid != (int32_t)geteuid();
}

void tw_session_rules_begun(const struct tw_session *session)
{
    REQ("TW-CONS-036");
    const Tw__TraceConfig *config = session->config;

    if (config->lockdown_mode == TW__TRACE_CONFIG__LOCKDOWN_MODE_OPERATION__LOCKDOWN_SET)
        session->service->lockdown = true;
    if (config->lockdown_mode == TW__TRACE_CONFIG__LOCKDOWN_MODE_OPERATION__LOCKDOWN_CLEAR)
        session->service->lockdown = false;
    tw_guardrails_remember(session);
}
