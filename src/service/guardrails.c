/* SPDX-License-Identifier: Apache-2.0 */
#include "service/guardrails.h"

#include "base/clock.h"
#include "base/req.h"
#include "service/trigger_history.h"

uint32_t tw_guardrails_duration_max_ms(const Tw__TraceConfig *config)
{
    REQ("TW-LIM-030");
    REQ("TW-LIM-091");
    return config->enable_extra_guardrails ? TW_GUARDED_DURATION_MAX_MS : TW_DURATION_MAX_MS;
}

static uint64_t name_hash(const struct tw_session *session)
{
    const char *name = session->config->unique_session_name;

    return tw_trigger_hash(name ? name : "");
}

static void forget_old(struct tw_service *service, uint64_t now_ns)
{
    size_t n = 0;

    for (size_t i = 0; i < service->n_guarded; i++)
        if (now_ns - service->guarded[i].ns < TW_GUARDED_NAME_MS * TW_NS_PER_MS)
            service->guarded[n++] = service->guarded[i];
    service->n_guarded = n;
}

static const char *too_recent(const struct tw_session *session)
{
    struct tw_service *service = session->service;

    forget_old(service, tw_service_now(service, CLOCK_BOOTTIME));
    if (service->n_guarded == TW_GUARDED_NAMES_MAX)
        return "TW-LIM-094: too many sessions with enable_extra_guardrails began lately";
    for (size_t i = 0; i < service->n_guarded; i++)
        if (service->guarded[i].name_hash == name_hash(session))
            return "a session of this unique_session_name with enable_extra_guardrails began less "
                   "than five minutes ago";
    return NULL;
}

static const char *bad_buffers(const Tw__TraceConfig *config)
{
    uint64_t sum = 0, max = TW_GUARDED_BUFFERS_MAX_KB;

    if (config->guardrail_overrides &&
        config->guardrail_overrides->max_tracing_buffer_size_kb > max)
        max = config->guardrail_overrides->max_tracing_buffer_size_kb;
    for (size_t i = 0; i < config->n_buffers; i++) {
        if (config->buffers[i]->size_kb % 4)
            return "with enable_extra_guardrails a buffer's size_kb has to be a multiple of 4";
        sum += config->buffers[i]->size_kb;
    }
    return sum > max ? "with enable_extra_guardrails the buffers are too large" : NULL;
}

const char *tw_guardrails_check(const struct tw_session *session)
{
    REQ("TW-CONS-030");
    REQ("TW-CONS-031");
    REQ("TW-LIM-092");
    REQ("TW-LIM-093");
    REQ("TW-LIM-094");
    const Tw__TraceConfig *config = session->config;
    const char *why;

    if (!config->enable_extra_guardrails)
        return NULL;
    if (config->deferred_start)
        return "with enable_extra_guardrails there is no deferred_start";
    why = bad_buffers(config);
    return why ? why : too_recent(session);
}

void tw_guardrails_remember(const struct tw_session *session)
{
    struct tw_service *service = session->service;

    if (!session->config->enable_extra_guardrails || service->n_guarded == TW_GUARDED_NAMES_MAX)
        return;
    service->guarded[service->n_guarded++] = (struct tw_guarded_name){
        .name_hash = name_hash(session),
        .ns = tw_service_now(service, CLOCK_BOOTTIME),
    };
}
