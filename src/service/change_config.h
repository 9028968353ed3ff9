/* SPDX-License-Identifier: Apache-2.0 */
/* ChangeTraceConfig: other producers for the data sources of a session. */
#pragma once

#include "service/core.h"

/*
 * Takes the producer filters of config and sets up what they let in. NULL, or why not: a static
 * text; nothing has changed then.
 */
TW_MUST_USE const char *tw_session_change_config(struct tw_session *session,
                                                 struct tw_bytes config);
