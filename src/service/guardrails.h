/* SPDX-License-Identifier: Apache-2.0 */
/* Stricter limits for configs with enable_extra_guardrails: tracing that nobody watches over. */
#pragma once

#include "service/core.h"

/* How long a session of this config may last, in milliseconds. */
uint32_t tw_guardrails_duration_max_ms(const Tw__TraceConfig *config);
/* NULL, or why there can be no such session: a static text. */
TW_MUST_USE const char *tw_guardrails_check(const struct tw_session *session);
/* The session begins: for a while there can be no other of its name. */
void tw_guardrails_remember(const struct tw_session *session);
