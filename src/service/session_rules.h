/* SPDX-License-Identifier: Apache-2.0 */
/* What sessions mean for each other: names, semaphores, exclusive ones, how many there may be. */
#pragma once

#include "service/core.h"

/* NULL, or why there can be no such session beside those there are: a static text. */
TW_MUST_USE const char *tw_session_rules_check(const struct tw_session *session);
/* Only whether there is room for one more. */
TW_MUST_USE const char *tw_session_rules_full(const struct tw_session *session);
/* The session is about to be: an exclusive one ends all others. */
void tw_session_rules_end_others(const struct tw_session *session);
/* Whether the service takes nothing from producers of this uid at present. */
bool tw_session_rules_locked_out(const struct tw_service *service, int32_t uid);
/* The session is there. */
void tw_session_rules_begun(const struct tw_session *session);
