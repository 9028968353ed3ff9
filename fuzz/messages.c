/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz/messages.h"

#include "base/macros.h"
#include "consumer_port.pb-c.h"
#include "ipc_frame.pb-c.h"
#include "producer_port.pb-c.h"
#include "trace.pb-c.h"

/* Numbers are part of the corpora: new messages go to the end. */
static const ProtobufCMessageDescriptor *const messages[] = {
    &tw__ipcframe__descriptor,
    &tw__commit_data_request__descriptor,
    &tw__read_buffers_response__descriptor,
    &tw__enable_tracing_request__descriptor,
    &tw__get_async_command_response__descriptor,
    &tw__register_data_source_request__descriptor,
    &tw__initialize_connection_request__descriptor,
    &tw__query_service_state_response__descriptor,
    &tw__get_trace_stats_response__descriptor,
    &tw__observe_events_response__descriptor,
    &tw__clone_session_request__descriptor,
    &tw__query_capabilities_response__descriptor,
    &tw__trace_packet__descriptor,
};

static const ProtobufCMessageDescriptor *const producer_requests[] = {
    &tw__initialize_connection_request__descriptor,
    &tw__register_data_source_request__descriptor,
    &tw__unregister_data_source_request__descriptor,
    &tw__commit_data_request__descriptor,
    &tw__get_async_command_request__descriptor,
    &tw__register_trace_writer_request__descriptor,
    &tw__unregister_trace_writer_request__descriptor,
    &tw__notify_data_source_started_request__descriptor,
    &tw__notify_data_source_stopped_request__descriptor,
    &tw__activate_triggers_request__descriptor,
    &tw__sync_request__descriptor,
    &tw__update_data_source_request__descriptor,
};

static const ProtobufCMessageDescriptor *const consumer_requests[] = {
    &tw__enable_tracing_request__descriptor,
    &tw__disable_tracing_request__descriptor,
    &tw__read_buffers_request__descriptor,
    &tw__free_buffers_request__descriptor,
    &tw__flush_request__descriptor,
    &tw__start_tracing_request__descriptor,
    &tw__change_trace_config_request__descriptor,
    &tw__detach_request__descriptor,
    &tw__attach_request__descriptor,
    &tw__get_trace_stats_request__descriptor,
    &tw__observe_events_request__descriptor,
    &tw__query_service_state_request__descriptor,
    &tw__query_capabilities_request__descriptor,
    &tw__save_trace_for_bugreport_request__descriptor,
    &tw__clone_session_request__descriptor,
};

const ProtobufCMessageDescriptor *fuzz_message(uint8_t number)
{
    return messages[number % TW_ARRAY_LEN(messages)];
}

uint8_t fuzz_message_count(void)
{
    return TW_ARRAY_LEN(messages);
}

const ProtobufCMessageDescriptor *fuzz_request(uint8_t method)
{
    size_t i = (size_t)(method & 0x7f) - 1; /* 0 is no method, and comes out far too large */

    if (method & 0x80)
        return consumer_requests[i % TW_ARRAY_LEN(consumer_requests)];
    return producer_requests[i % TW_ARRAY_LEN(producer_requests)];
}
