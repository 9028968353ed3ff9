/* SPDX-License-Identifier: Apache-2.0 */
#include "service/compress.h"

#include <errno.h>
#include <zlib.h>
#include <zstd.h>

#include "base/req.h"
#include "service/limits.h"

static struct tw_compression zstd_of(const Tw__TraceConfig__CompressionConfig__Zstd *zstd)
{
    REQ("TW-LIM-160");
    return (struct tw_compression){
        .codec = TW_CODEC_ZSTD,
        .level = zstd->level < TW_ZSTD_LEVEL_MAX ? zstd->level : TW_ZSTD_LEVEL_MAX,
    };
}

struct tw_compression tw_compression_of(const Tw__TraceConfig *config)
{
    REQ("TW-TRACE-041");
    const Tw__TraceConfig__CompressionConfig *c = config->compression;
    Tw__TraceConfig__CompressionType old = config->compression_type;

    if (c && c->zstd)
        return zstd_of(c->zstd);
    if ((c && c->deflate) || old == TW__TRACE_CONFIG__COMPRESSION_TYPE__COMPRESSION_TYPE_DEFLATE)
        return (struct tw_compression){.codec = TW_CODEC_DEFLATE};
    return (struct tw_compression){.codec = c || old ? TW_CODEC_UNKNOWN : TW_CODEC_NONE};
}

/* Both have the room they ask for: all that can be short is memory. */

static int deflate_all(struct tw_bytes in, struct tw_buf *out)
{
    uLongf n = compressBound(in.n);
    int rc = tw_buf_reserve(out, n);

    if (rc)
        return rc;
    if (compress2(out->p, &n, in.p, in.n, Z_DEFAULT_COMPRESSION) != Z_OK)
        return -ENOMEM;
    out->n = n;
    return 0;
}

static int zstd_all(struct tw_bytes in, int level, struct tw_buf *out)
{
    size_t n = ZSTD_compressBound(in.n);
    int rc = tw_buf_reserve(out, n);

    if (rc)
        return rc;
    n = ZSTD_compress(out->p, n, in.p, in.n, level);
    if (ZSTD_isError(n))
        return -ENOMEM;
    out->n = n;
    return 0;
}

int tw_compress(struct tw_compression how, struct tw_bytes in, struct tw_buf *out)
{
    out->n = 0;
    return how.codec == TW_CODEC_ZSTD ? zstd_all(in, how.level, out) : deflate_all(in, out);
}
