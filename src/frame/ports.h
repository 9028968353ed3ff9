/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The three services and their methods. A method's id is its place, from 1; ids are learnt by name
 * from the bind reply, so that a service may number them otherwise (TW-SESS-020).
 */
#pragma once

#include "tracewire/common.h"

enum tw_producer_method {
    TW_PRODUCER_INITIALIZE_CONNECTION = 1,
    TW_PRODUCER_REGISTER_DATA_SOURCE,
    TW_PRODUCER_UNREGISTER_DATA_SOURCE,
    TW_PRODUCER_COMMIT_DATA,
    TW_PRODUCER_GET_ASYNC_COMMAND,
    TW_PRODUCER_REGISTER_TRACE_WRITER,
    TW_PRODUCER_UNREGISTER_TRACE_WRITER,
    TW_PRODUCER_NOTIFY_DATA_SOURCE_STARTED,
    TW_PRODUCER_NOTIFY_DATA_SOURCE_STOPPED,
    TW_PRODUCER_ACTIVATE_TRIGGERS,
    TW_PRODUCER_SYNC,
    TW_PRODUCER_UPDATE_DATA_SOURCE,
    TW_PRODUCER_METHOD_MAX,
};

enum tw_consumer_method {
    TW_CONSUMER_ENABLE_TRACING = 1,
    TW_CONSUMER_DISABLE_TRACING,
    TW_CONSUMER_READ_BUFFERS,
    TW_CONSUMER_FREE_BUFFERS,
    TW_CONSUMER_FLUSH,
    TW_CONSUMER_START_TRACING,
    TW_CONSUMER_CHANGE_TRACE_CONFIG,
    TW_CONSUMER_DETACH,
    TW_CONSUMER_ATTACH,
    TW_CONSUMER_GET_TRACE_STATS,
    TW_CONSUMER_OBSERVE_EVENTS,
    TW_CONSUMER_QUERY_SERVICE_STATE,
    TW_CONSUMER_QUERY_CAPABILITIES,
    TW_CONSUMER_SAVE_TRACE_FOR_BUGREPORT,
    TW_CONSUMER_CLONE_SESSION,
    TW_CONSUMER_METHOD_MAX,
};

enum tw_relay_method {
    TW_RELAY_INIT = 1,
    TW_RELAY_SYNC_CLOCK,
    TW_RELAY_METHOD_MAX,
};

/* Methods of the larger port, plus one: sizes tables indexed by method. */
enum { TW_METHOD_MAX = 16 };

struct tw_method {
    const char *name;
    bool stream; /* may be answered more than once, with has_more */
};

struct tw_port {
    const char *service_name;
    uint32_t service_id;
    uint32_t n_methods;             /* methods are 1 to n_methods */
    const struct tw_method *method; /* [0] is unused */
};

extern const struct tw_port tw_producer_port;
extern const struct tw_port tw_consumer_port;
extern const struct tw_port
    tw_relay_port; /* beside the first, on sockets for relays (spec/relay.md) */
