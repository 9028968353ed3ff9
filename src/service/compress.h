/* SPDX-License-Identifier: Apache-2.0 */
/* Compression of packets, as a trace config asks for it. */
#pragma once

#include "base/bytes.h"
#include "trace_config.pb-c.h"

enum tw_codec { TW_CODEC_NONE, TW_CODEC_UNKNOWN, TW_CODEC_DEFLATE, TW_CODEC_ZSTD };

struct tw_compression {
    enum tw_codec codec;
    int level; /* of zstd, at most TW_ZSTD_LEVEL_MAX; 0 is its default, below 0 is faster */
};

/* What the config asks for, in the old way or in the new. UNKNOWN: nothing that we have. */
struct tw_compression tw_compression_of(const Tw__TraceConfig *config);

/* All of in as one zlib stream or zstd frame, in place of what out holds. The codec is one that
 * there is. -ENOMEM, or TW_E_LIMIT over the limit of out. */
TW_MUST_USE int tw_compress(struct tw_compression how, struct tw_bytes in, struct tw_buf *out);
