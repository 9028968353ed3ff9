/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sessions that outlive the connection they were made on. A detached session goes on as it is: it
 * starts, flushes and ends by its config, keeps its buffers, and counts in every limit of sessions.
 * Whoever has the same uid and knows the key may take it back.
 */
#pragma once

#include "service/core.h"

/* Both return NULL, or why not: a static text. key may be NULL. */
TW_MUST_USE const char *tw_session_detach(struct tw_service_conn *conn, const char *key);
TW_MUST_USE const char *tw_session_attach(struct tw_service_conn *conn, const char *key);
