/* SPDX-License-Identifier: Apache-2.0 */
#include "frame/ports.h"

static const struct tw_method producer_methods[] = {
    [TW_PRODUCER_INITIALIZE_CONNECTION] = {"InitializeConnection", false},
    [TW_PRODUCER_REGISTER_DATA_SOURCE] = {"RegisterDataSource", false},
    [TW_PRODUCER_UNREGISTER_DATA_SOURCE] = {"UnregisterDataSource", false},
    [TW_PRODUCER_COMMIT_DATA] = {"CommitData", false},
    [TW_PRODUCER_GET_ASYNC_COMMAND] = {"GetAsyncCommand", true},
    [TW_PRODUCER_REGISTER_TRACE_WRITER] = {"RegisterTraceWriter", false},
    [TW_PRODUCER_UNREGISTER_TRACE_WRITER] = {"UnregisterTraceWriter", false},
    [TW_PRODUCER_NOTIFY_DATA_SOURCE_STARTED] = {"NotifyDataSourceStarted", false},
    [TW_PRODUCER_NOTIFY_DATA_SOURCE_STOPPED] = {"NotifyDataSourceStopped", false},
    [TW_PRODUCER_ACTIVATE_TRIGGERS] = {"ActivateTriggers", false},
    [TW_PRODUCER_SYNC] = {"Sync", false},
    [TW_PRODUCER_UPDATE_DATA_SOURCE] = {"UpdateDataSource", false},
};

static const struct tw_method consumer_methods[] = {
    [TW_CONSUMER_ENABLE_TRACING] = {"EnableTracing", false},
    [TW_CONSUMER_DISABLE_TRACING] = {"DisableTracing", false},
    [TW_CONSUMER_READ_BUFFERS] = {"ReadBuffers", true},
    [TW_CONSUMER_FREE_BUFFERS] = {"FreeBuffers", false},
    [TW_CONSUMER_FLUSH] = {"Flush", false},
    [TW_CONSUMER_START_TRACING] = {"StartTracing", false},
    [TW_CONSUMER_CHANGE_TRACE_CONFIG] = {"ChangeTraceConfig", false},
    [TW_CONSUMER_DETACH] = {"Detach", false},
    [TW_CONSUMER_ATTACH] = {"Attach", false},
    [TW_CONSUMER_GET_TRACE_STATS] = {"GetTraceStats", false},
    [TW_CONSUMER_OBSERVE_EVENTS] = {"ObserveEvents", true},
    [TW_CONSUMER_QUERY_SERVICE_STATE] = {"QueryServiceState", true},
    [TW_CONSUMER_QUERY_CAPABILITIES] = {"QueryCapabilities", false},
    [TW_CONSUMER_SAVE_TRACE_FOR_BUGREPORT] = {"SaveTraceForBugreport", false},
    [TW_CONSUMER_CLONE_SESSION] = {"CloneSession", false},
};

static const struct tw_method relay_methods[] = {
    [TW_RELAY_INIT] = {"InitRelay", false},
    [TW_RELAY_SYNC_CLOCK] = {"SyncClock", false},
};

const struct tw_port tw_producer_port = {
    .service_name = "ProducerPort",
    .service_id = 1,
    .n_methods = TW_PRODUCER_METHOD_MAX - 1,
    .method = producer_methods,
};

const struct tw_port tw_consumer_port = {
    .service_name = "ConsumerPort",
    .service_id = 1,
    .n_methods = TW_CONSUMER_METHOD_MAX - 1,
    .method = consumer_methods,
};

const struct tw_port tw_relay_port = {
    .service_name = "RelayPort",
    .service_id = 2,
    .n_methods = TW_RELAY_METHOD_MAX - 1,
    .method = relay_methods,
};
