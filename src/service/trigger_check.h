/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "service/core.h"

/* Whether the trigger_config of a session's config can be. *ret_error is a static text for the
 * consumer when not. */
TW_MUST_USE int tw_trigger_check(const struct tw_session *session, const char **ret_error);
