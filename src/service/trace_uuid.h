/* SPDX-License-Identifier: Apache-2.0 */
/* What a trace is known by. */
#pragma once

#include "service/core.h"

/* The config's, or a new random one. */
void tw_trace_uuid(struct tw_session *session);
/* Of a clone: its own, but for the lower half, which ties it to the original. */
void tw_trace_uuid_of_clone(struct tw_session *session, const struct tw_session *from);
