/* SPDX-License-Identifier: Apache-2.0 */
/* Data source instances: one data source of one producer at work in one session. */
#pragma once

#include "service/core.h"

/* Sets up an instance of source for each entry of the session's config that asks for it and has
 * none, and starts it when the session runs. */
void tw_instances_join(struct tw_session *session, struct tw_data_source *source);
/* Starts those that are set up. */
void tw_instances_start(struct tw_session *session);
/* Stops all; at_once: without waiting for anyone. */
void tw_instances_stop(struct tw_session *session, bool at_once);
bool tw_instances_all_started(const struct tw_session *session);
bool tw_instances_all_stopped(const struct tw_session *session);
/* Marks all as stopped, without a word to their producers. */
void tw_instances_give_up(struct tw_session *session);

/* The producer says so; an id it does not have, or at the wrong time, is ignored. */
void tw_instance_started(struct tw_producer *producer, uint64_t instance_id);
void tw_instance_stopped(struct tw_producer *producer, uint64_t instance_id);

/* The data source has gone. */
void tw_instances_of_source_end(struct tw_data_source *source);
/* The session goes. */
void tw_instances_free(struct tw_session *session);
