/* SPDX-License-Identifier: Apache-2.0 */
#include "service/compress.h"

#include <errno.h>
#include <zlib.h>

bool tw_config_wants_deflate(const Tw__TraceConfig *config)
{
    return (config->compression && config->compression->deflate) ||
           config->compression_type == TW__TRACE_CONFIG__COMPRESSION_TYPE__COMPRESSION_TYPE_DEFLATE;
}

int tw_deflate(struct tw_bytes in, struct tw_buf *out)
{
    uLongf n = compressBound(in.n);
    int rc;

    out->n = 0;
    rc = tw_buf_reserve(out, n);
    if (rc)
        return rc;
    /* It has the room: all that can be short is memory. */
    if (compress2(out->p, &n, in.p, in.n, Z_DEFAULT_COMPRESSION) != Z_OK)
        return -ENOMEM;
    out->n = n;
    return 0;
}
