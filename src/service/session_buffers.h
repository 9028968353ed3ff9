/* SPDX-License-Identifier: Apache-2.0 */
/* The trace buffers of a session, and the ids under which producers know them. */
#pragma once

#include "service/core.h"

/* An empty buffer as the config has it. */
TW_MUST_USE int tw_session_new_buffer(const Tw__TraceConfig__BufferConfig *config,
                                      struct tw_trace_buffer **ret_buffer);
/* Its next buffer, taken on success. TW_E_LIMIT: there is no id for it. */
TW_MUST_USE int tw_session_add_buffer(struct tw_session *session, struct tw_trace_buffer *tb);
/* All that its config wants. TW_E_LIMIT, -ENOMEM: some may be there. */
TW_MUST_USE int tw_session_make_buffers(struct tw_session *session);
/* No producer may write to them any more. */
void tw_session_free_buffers(struct tw_session *session);

/* The global id of the buffer that a data source is to write to, 0 if it has none. */
uint16_t tw_session_target_buffer(const struct tw_session *session,
                                  const Tw__DataSourceConfig *config);
bool tw_session_has_buffer(const struct tw_session *session, uint32_t buffer_id);
