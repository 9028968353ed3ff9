/* SPDX-License-Identifier: Apache-2.0 */
/* What a consumer is told without asking again: ObserveEvents, and that its session has ended. */
#pragma once

#include "service/core.h"

/*
 * An instance has another state. Changes wait until the connection's turn, and while it has much to
 * read; of several of one instance the last is told.
 */
void tw_observe_instance(struct tw_instance *instance);
/* The instance goes: what is untold of it is told now. */
void tw_observe_instance_end(struct tw_instance *instance);
/* Sends what fits now. */
void tw_observe_run(struct tw_service_conn *conn);
bool tw_observe_pending(const struct tw_service_conn *conn);
/* The consumer goes, or observes something else: nothing waits any longer. */
void tw_observe_forget(struct tw_session *session);
void tw_observe_all_started(struct tw_session *session);
/* Answers EnableTracing. */
void tw_observe_disabled(struct tw_session *session);
/* A clone of the session is due. */
void tw_observe_clone_trigger(const struct tw_trigger_hit *hit);
/* What is true already when a consumer begins to observe. */
void tw_observe_now(struct tw_service_conn *conn);
