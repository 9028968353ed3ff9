/* SPDX-License-Identifier: Apache-2.0 */
/* A tracing session, from EnableTracing to FreeBuffers. */
#pragma once

#include "service/core.h"

/*
 * Makes a session of conn from its config and, unless that defers it, starts it. fd is the one to
 * write into, or -1; it is taken. On failure *ret_error is a static text for the consumer and
 * nothing is left of it.
 */
TW_MUST_USE int tw_session_enable(struct tw_service_conn *conn, struct tw_bytes config, int fd,
                                  const char **ret_error);
/* The steps of making one. A new session is nobody's yet: it is made known, or deleted. */
TW_MUST_USE struct tw_session *tw_session_new(struct tw_service_conn *conn, struct tw_bytes config,
                                              const char **ret_error);
void tw_session_delete(struct tw_session *session);
/* From now on it is the session of its connection, and has an id. */
void tw_session_publish(struct tw_session *session);

/* TW_E_INVALID unless it was enabled and not started. */
TW_MUST_USE int tw_session_start(struct tw_session *session);
/* How a session ends when its time is over: flushes, if it was started, then stops the data
 * sources. */
void tw_session_end(struct tw_session *session);
/* Its time is over and its last flush done. Frees it when nobody is there to read it. */
void tw_session_run_out(struct tw_session *session);
/* Stops the data sources, waits for those that acknowledge, then answers EnableTracing. */
void tw_session_disable(struct tw_session *session);
/* Its consumer goes without it: whatever it still waits for is refused, but for EnableTracing. */
void tw_session_leave(struct tw_session *session);
/* Its consumer wants no more of it: stops what runs and frees the buffers and everything else, as
 * soon as what belongs into a file is there. */
void tw_session_let_go(struct tw_session *session);
/* The same at once: what a file does not take now is lost. */
void tw_session_free(struct tw_session *session);
/* Everything is where it belongs: the consumer is told. May free the session. */
void tw_session_written(struct tw_session *session);

/* Sets up what the config wants and is not there yet, and starts it when the session runs. */
void tw_session_join_all(struct tw_session *session);
/* Called when an instance may have been the last to start or stop. */
void tw_session_check_started(struct tw_session *session);
void tw_session_check_stopped(struct tw_session *session);

uint32_t tw_session_stop_timeout_ms(const struct tw_session *session);
