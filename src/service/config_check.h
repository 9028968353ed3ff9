/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "service/core.h"

/* Whether the service can do what a session's config asks for. *ret_error is a static text for the
 * consumer when not. Nothing that is asked for is left out in silence. */
TW_MUST_USE int tw_config_check(const struct tw_session *session, const char **ret_error);
