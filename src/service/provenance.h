/* SPDX-License-Identifier: Apache-2.0 */
/* Which producer wrote which sequence into which buffer. */
#pragma once

#include "service/core.h"

/* Appends a packet that says so of what is in the buffers now. -ENOMEM, TW_E_LIMIT. */
TW_MUST_USE int tw_provenance_packet(struct tw_session *session, struct tw_buf *out);
