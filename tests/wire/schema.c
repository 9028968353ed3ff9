/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/wire/schema.h"

#include "base/macros.h"
#include "consumer_port.pb-c.h"
#include "data_source_descriptor.pb-c.h"
#include "ipc_frame.pb-c.h"
#include "producer_port.pb-c.h"
#include "relay_port.pb-c.h"
#include "service_state.pb-c.h"
#include "trace.pb-c.h"
#include "trace_config.pb-c.h"
#include "trace_stats.pb-c.h"
#include "track_event.pb-c.h"

#define METHOD(name) &tw__##name##_request__descriptor, &tw__##name##_response__descriptor

const ProtobufCMessageDescriptor *const schema_messages[] = {
    METHOD(initialize_connection),
    METHOD(register_data_source),
    METHOD(unregister_data_source),
    METHOD(commit_data),
    METHOD(get_async_command),
    METHOD(register_trace_writer),
    METHOD(unregister_trace_writer),
    METHOD(notify_data_source_started),
    METHOD(notify_data_source_stopped),
    METHOD(activate_triggers),
    METHOD(sync),
    METHOD(update_data_source),
    METHOD(enable_tracing),
    METHOD(disable_tracing),
    METHOD(read_buffers),
    METHOD(free_buffers),
    METHOD(flush),
    METHOD(start_tracing),
    METHOD(change_trace_config),
    METHOD(detach),
    METHOD(attach),
    METHOD(get_trace_stats),
    METHOD(observe_events),
    METHOD(query_service_state),
    METHOD(query_capabilities),
    METHOD(save_trace_for_bugreport),
    METHOD(clone_session),
    &tw__trace_config__descriptor,
    &tw__data_source_config__descriptor,
    &tw__data_source_descriptor__descriptor,
    &tw__track_event_descriptor__descriptor,
    &tw__ipcframe__descriptor,
    &tw__tracing_service_state__descriptor,
    &tw__trace_packet__descriptor,
    &tw__trace__descriptor,
    METHOD(init_relay),
    METHOD(sync_clock),
};

const size_t schema_n_messages = TW_ARRAY_LEN(schema_messages);
