/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The data source "track_event": which sessions want events, and the writers of each thread for
 * them. Behind tracewire/track_event.h; here for tests without a connection.
 */
#pragma once

#include "tracewire/track_event.h"

/* Not registered yet. Results of tw_categories_new(). */
TW_MUST_USE int tw_events_make(struct tw_events **ret_events,
                               const struct tw_events_config *config);
/* The callbacks of the data source; user is the tw_events. */
void tw_events_on_start(void *user, struct tw_instance *instance);
void tw_events_on_stop(void *user, struct tw_instance *instance);
void tw_events_on_flush(void *user, struct tw_instance *instance);
