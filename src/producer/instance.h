/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Data sources and their instances. An instance is shared by the endpoint and the writers' threads
 * and counted; its flags are atomic and everything else is constant once it is made.
 */
#pragma once

#include <stdatomic.h>

#include "producer/arbiter.h"
#include "tracewire/producer.h"

enum {
    /* Data sources of a producer: each may have a request outstanding at once, and
     * TW_REQUESTS_MAX leaves as much again for the rest. TW-LIM-060 */
    TW_PRODUCER_SOURCES_MAX = 128,
    /* Instances at once: what a service may make a producer keep. TW-LIM-061 */
    TW_PRODUCER_INSTANCES_MAX = 256,
};

struct tw_data_source {
    struct tw_data_source *next;
    char *name;
    struct tw_data_source_ops ops;
    void *user;
    bool clears; /* handles_incremental_state_clear */
    uint64_t id;
    bool gone;        /* unregistered; freed once the service has been told */
    bool known;       /* to the service, of this connection */
    bool pending;     /* request is to be sent: */
    uint8_t *request; /* Register- or UpdateDataSourceRequest, which look the same, or, when it is
                       * gone, UnregisterDataSourceRequest; encoded */
    size_t request_n;
    uint64_t request_id; /* of its registration */
};

struct tw_instance {
    _Atomic uint32_t refs;
    _Atomic bool active;
    _Atomic bool stopped; /* tw_instance_done() was called */
    _Atomic uint32_t generation;
    uint64_t id;
    uint32_t target_buffer;
    enum tw_exhausted policy; /* as the config says; TW_EXHAUSTED_DROP if it says nothing */
    uint8_t *config;
    size_t config_n;
    struct tw_arbiter *arbiter; /* a reference */

    /* The endpoint's own. */
    struct tw_data_source *source; /* NULL when that is unregistered, and this is stopping */
    struct tw_instance *next;
    bool started, stopping;
    bool waiting; /* startup tracing that no session has asked for: the service knows nothing of it
                   */
    bool adopted; /* such a one that a session has set up and not started yet */
    /* Under the arbiter's lock. */
    struct tw_instance *next_stopped;
};

/* What DataSourceConfig says that concerns every data source. */
struct tw_source_config {
    struct tw_bytes name;
    uint32_t target_buffer;
    enum tw_exhausted policy;
};

/* TW_E_PROTOCOL or TW_E_TRUNCATED when config is no message. */
TW_MUST_USE int tw_source_config_read(struct tw_bytes config, struct tw_source_config *ret_config);

/* One reference, with one of the arbiter's. -ENOMEM. */
TW_MUST_USE int tw_instance_new(struct tw_instance **ret_instance, struct tw_arbiter *arbiter,
                                uint64_t id, struct tw_bytes config,
                                const struct tw_source_config *parsed);
/* Drops a list linked by next_stopped. */
void tw_instance_unref_list(struct tw_instance *first);
