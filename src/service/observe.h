/* SPDX-License-Identifier: Apache-2.0 */
/* What a consumer is told without asking again: ObserveEvents, and that its session has ended. */
#pragma once

#include "service/core.h"

/* An instance has started or stopped. */
void tw_observe_instance(const struct tw_instance *instance);
void tw_observe_all_started(struct tw_session *session);
/* Answers EnableTracing. */
void tw_observe_disabled(struct tw_session *session);
/* A clone of the session is due. */
void tw_observe_clone_trigger(const struct tw_trigger_hit *hit);
/* What is true already when a consumer begins to observe. */
void tw_observe_now(struct tw_service_conn *conn);
