/* SPDX-License-Identifier: Apache-2.0 */
/* Compression of packets, as a trace config asks for it. */
#pragma once

#include "base/bytes.h"
#include "trace_config.pb-c.h"

/* Whether the config asks for DEFLATE, in the old way or in the new. */
bool tw_config_wants_deflate(const Tw__TraceConfig *config);

/* A zlib stream of all of in, in place of what out holds. -ENOMEM, or TW_E_LIMIT over the limit of
 * out. */
TW_MUST_USE int tw_deflate(struct tw_bytes in, struct tw_buf *out);
