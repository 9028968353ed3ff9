/* SPDX-License-Identifier: Apache-2.0 */
#include "service/instance_config.h"

#include <string.h>

#include "base/req.h"
#include "service/machine.h"
#include "service/session.h"

static bool any_equal(char *const *names, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

/* Without a filter other machines take part only if the config says so. */
static bool machine_wanted(const Tw__TraceConfig *config, const Tw__TraceConfig__DataSource *wanted,
                           const struct tw_service_conn *conn)
{
    REQ("TW-RELAY-013");
    bool here = conn->peer.machine_id == 0;
    size_t n = wanted->n_machine_name_filter;

    if (n == 0)
        return here || (config->has_trace_all_machines && config->trace_all_machines);
    return (here && any_equal(wanted->machine_name_filter, n, "host")) ||
           any_equal(wanted->machine_name_filter, n, tw_machine_name(conn));
}

static bool producer_wanted(struct tw_session *session, const Tw__TraceConfig__DataSource *wanted,
                            const struct tw_producer *producer)
{
    REQ("TW-TRIG-030");
    const char *name = producer->name;

    if (wanted->n_producer_name_filter == 0 && wanted->n_producer_name_regex_filter == 0)
        return true;
    if (any_equal(wanted->producer_name_filter, wanted->n_producer_name_filter, name))
        return true;
    for (size_t i = 0; i < wanted->n_producer_name_regex_filter; i++)
        if (tw_patterns_match(&session->patterns, wanted->producer_name_regex_filter[i], name,
                              producer->serial))
            return true;
    return false;
}

bool tw_instance_wanted(struct tw_session *session, const Tw__TraceConfig__DataSource *wanted,
                        const struct tw_data_source *source)
{
    const char *name = wanted->config ? wanted->config->name : NULL;

    return name && strcmp(name, source->name) == 0 &&
           machine_wanted(session->config, wanted, source->producer->conn) &&
           producer_wanted(session, wanted, source->producer);
}

int tw_instance_config(const struct tw_instance *instance, struct tw_buf *out)
{
    const struct tw_session *session = instance->session;
    const Tw__TraceConfig *config = session->config;
    Tw__DataSourceConfig told = *config->data_sources[instance->wanted]
                                     ->config; /* shares what it points to, only read here */

    told.has_target_buffer = true;
    told.target_buffer = instance->buffer_id;
    told.has_trace_duration_ms = true;
    told.trace_duration_ms = config->has_duration_ms ? config->duration_ms : 0;
    if (config->has_prefer_suspend_clock_for_duration && config->prefer_suspend_clock_for_duration)
        told.has_prefer_suspend_clock_for_duration = told.prefer_suspend_clock_for_duration = true;
    told.has_stop_timeout_ms = true;
    told.stop_timeout_ms = tw_session_stop_timeout_ms(session);
    told.has_enable_extra_guardrails = true;
    told.enable_extra_guardrails =
        config->has_enable_extra_guardrails && config->enable_extra_guardrails;
    told.has_session_initiator = true; /* never what the consumer says of itself */
    told.session_initiator =
        TW__DATA_SOURCE_CONFIG__SESSION_INITIATOR__SESSION_INITIATOR_UNSPECIFIED;
    told.has_tracing_session_id = true;
    told.tracing_session_id = session->id;
    return tw_pbc_pack(&told.base, out);
}
