/* SPDX-License-Identifier: Apache-2.0 */
/* The threads of `tracewire produce`: those that write numbered packets for one instance of the
 * data source, or those that write track events for all sessions. */
#pragma once

#include <stdatomic.h>

#include "tool/produce_run.h"
#include "tracewire/producer.h"
#include "tracewire/track_event.h"

/* The numbered packets, of all threads. */
struct tw_produced {
    _Atomic uint64_t packets; /* written */
    _Atomic uint64_t bytes;   /* of them */
    _Atomic uint64_t lost;
};

struct tw_workers;

struct tw_workers_config {
    const struct tw_produce_options *options;
    struct tw_instance
        *instance; /* of numbered packets, a reference is taken; NULL: track events */
    struct tw_produced *produced;
    const struct tw_category *category; /* of track events */
    int done_fd;                        /* an eventfd: written when the last thread is done */
};

/* Starts the threads; they end by themselves, by count or with the instance. Negative when there
 * is no memory or not one thread could be started. */
TW_MUST_USE int tw_workers_start(struct tw_workers **ret_workers,
                                 const struct tw_workers_config *config);
/* Whether all threads are done. */
bool tw_workers_done(const struct tw_workers *workers);
/* Makes them end at the next packet. */
void tw_workers_stop(struct tw_workers *workers);
struct tw_instance *tw_workers_instance(const struct tw_workers *workers);
/* Waits for the threads to end. */
void tw_workers_free(struct tw_workers *workers);
