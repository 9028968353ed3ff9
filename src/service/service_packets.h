/* SPDX-License-Identifier: Apache-2.0 */
/* What the service itself writes into a trace, and in what order (spec/trace-file.md). */
#pragma once

#include "service/core.h"

/*
 * Appends what belongs before the packets of the buffers, or after the last of them, each as one
 * field of a Trace message. What was remembered is written once. Failures: -ENOMEM, TW_E_LIMIT.
 */
TW_MUST_USE int tw_service_packets_before(struct tw_session *session, struct tw_buf *out);
TW_MUST_USE int tw_service_packets_after(struct tw_session *session, struct tw_buf *out);
