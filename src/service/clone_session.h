/* SPDX-License-Identifier: Apache-2.0 */
/* The session that a clone becomes. */
#pragma once

#include "service/core.h"

/* Gives the buffers that the clone has to a new session, which is the connection's. NULL, or why
 * not: a static text. */
TW_MUST_USE const char *tw_clone_make_session(struct tw_clone *clone);
