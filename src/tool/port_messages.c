/* SPDX-License-Identifier: Apache-2.0 */
#include "tool/port_messages.h"

#include "consumer_port.pb-c.h"
#include "producer_port.pb-c.h"

#define MESSAGES(name)                                                                             \
    {                                                                                              \
        &tw__##name##_request__descriptor, &tw__##name##_response__descriptor                      \
    }

static const struct tw_port_messages producer_messages[] = {
    [TW_PRODUCER_INITIALIZE_CONNECTION] = MESSAGES(initialize_connection),
    [TW_PRODUCER_REGISTER_DATA_SOURCE] = MESSAGES(register_data_source),
    [TW_PRODUCER_UNREGISTER_DATA_SOURCE] = MESSAGES(unregister_data_source),
    [TW_PRODUCER_COMMIT_DATA] = MESSAGES(commit_data),
    [TW_PRODUCER_GET_ASYNC_COMMAND] = MESSAGES(get_async_command),
    [TW_PRODUCER_REGISTER_TRACE_WRITER] = MESSAGES(register_trace_writer),
    [TW_PRODUCER_UNREGISTER_TRACE_WRITER] = MESSAGES(unregister_trace_writer),
    [TW_PRODUCER_NOTIFY_DATA_SOURCE_STARTED] = MESSAGES(notify_data_source_started),
    [TW_PRODUCER_NOTIFY_DATA_SOURCE_STOPPED] = MESSAGES(notify_data_source_stopped),
    [TW_PRODUCER_ACTIVATE_TRIGGERS] = MESSAGES(activate_triggers),
    [TW_PRODUCER_SYNC] = MESSAGES(sync),
    [TW_PRODUCER_UPDATE_DATA_SOURCE] = MESSAGES(update_data_source),
};

static const struct tw_port_messages consumer_messages[] = {
    [TW_CONSUMER_ENABLE_TRACING] = MESSAGES(enable_tracing),
    [TW_CONSUMER_DISABLE_TRACING] = MESSAGES(disable_tracing),
    [TW_CONSUMER_READ_BUFFERS] = MESSAGES(read_buffers),
    [TW_CONSUMER_FREE_BUFFERS] = MESSAGES(free_buffers),
    [TW_CONSUMER_FLUSH] = MESSAGES(flush),
    [TW_CONSUMER_START_TRACING] = MESSAGES(start_tracing),
    [TW_CONSUMER_CHANGE_TRACE_CONFIG] = MESSAGES(change_trace_config),
    [TW_CONSUMER_DETACH] = MESSAGES(detach),
    [TW_CONSUMER_ATTACH] = MESSAGES(attach),
    [TW_CONSUMER_GET_TRACE_STATS] = MESSAGES(get_trace_stats),
    [TW_CONSUMER_OBSERVE_EVENTS] = MESSAGES(observe_events),
    [TW_CONSUMER_QUERY_SERVICE_STATE] = MESSAGES(query_service_state),
    [TW_CONSUMER_QUERY_CAPABILITIES] = MESSAGES(query_capabilities),
    [TW_CONSUMER_SAVE_TRACE_FOR_BUGREPORT] = MESSAGES(save_trace_for_bugreport),
    [TW_CONSUMER_CLONE_SESSION] = MESSAGES(clone_session),
};

const struct tw_port_messages *tw_port_messages(const struct tw_port *port, uint32_t method)
{
    if (port == &tw_producer_port)
        return &producer_messages[method];
    return port == &tw_consumer_port ? &consumer_messages[method] : NULL;
}
