/* SPDX-License-Identifier: Apache-2.0 */
#include "tool/trace_unpack.h"

#include <errno.h>
#include <stdlib.h>
#define ZLIB_CONST /* it does not write where it reads */
#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

#include "base/macros.h"
#include "base/req.h"

/* Bytes, as a power of two, that zstd may look back and has to keep for that: 8 MiB, what its
 * specification asks of every decoder. */
enum { ZSTD_WINDOW_LOG = 23 };

struct tw_unpack {
    enum tw_trace_coding coding;
    struct tw_bytes left;
    uint64_t n; /* bytes unpacked */
    bool ended;
    z_stream deflate;
    ZSTD_DCtx *zstd;
};

static int begin(struct tw_unpack *unpack)
{
    if (unpack->coding == TW_TRACE_DEFLATE)
        return inflateInit(&unpack->deflate) == Z_OK ? 0 : -ENOMEM;
    unpack->zstd = ZSTD_createDCtx();
    if (!unpack->zstd)
        return -ENOMEM;
    return ZSTD_isError(ZSTD_DCtx_setParameter(unpack->zstd, ZSTD_d_windowLogMax, ZSTD_WINDOW_LOG))
               ? -EINVAL
               : 0;
}

int tw_unpack_new(const struct tw_trace_packet *packet, struct tw_unpack **ret_unpack)
{
    struct tw_unpack *unpack = calloc(1, sizeof(*unpack));
    int rc;

    if (!unpack)
        return -ENOMEM;
    unpack->coding = packet->coding;
    unpack->left = packet->packed;
    rc = begin(unpack);
    if (rc) {
        tw_unpack_free(unpack);
        return rc;
    }
    *ret_unpack = unpack;
    return 0;
}

void tw_unpack_free(struct tw_unpack *unpack)
{
    if (!unpack)
        return;
    if (unpack->coding == TW_TRACE_DEFLATE)
        inflateEnd(&unpack->deflate);
    ZSTD_freeDCtx(unpack->zstd);
    free(unpack);
}

/* Both unpack as much as there is and as fits, and say how much that was. */
static int unpack_deflate(struct tw_unpack *unpack, uint8_t *p, size_t n, size_t *ret_n)
{
    z_stream *z = &unpack->deflate;
    int said;

    z->next_in = unpack->left.p;
    z->avail_in = (uInt)unpack->left.n; /* at most TW_CONSUMER_PACKET_MAX */
    z->next_out = p;
    z->avail_out = (uInt)n;
    said = inflate(z, Z_NO_FLUSH);
    *ret_n = n - z->avail_out;
    unpack->left.p = z->next_in;
    unpack->left.n = z->avail_in;
    unpack->ended = said == Z_STREAM_END;
    if (said == Z_MEM_ERROR)
        return -ENOMEM;
    return said == Z_OK || said == Z_STREAM_END || said == Z_BUF_ERROR ? 0 : TW_E_INVALID;
}

static int unpack_zstd(struct tw_unpack *unpack, uint8_t *p, size_t n, size_t *ret_n)
{
    ZSTD_inBuffer in = {.src = unpack->left.p, .size = unpack->left.n};
    ZSTD_outBuffer out = {.dst = p, .size = n};
    size_t said = ZSTD_decompressStream(unpack->zstd, &out, &in);

    *ret_n = out.pos;
    unpack->left.p += in.pos;
    unpack->left.n -= in.pos;
    unpack->ended = said == 0;
    if (ZSTD_getErrorCode(said) == ZSTD_error_memory_allocation)
        return -ENOMEM;
    return ZSTD_isError(said) ? TW_E_INVALID : 0;
}

int tw_unpack_read(void *user, uint8_t *p, size_t n, size_t *ret_n)
{
    struct tw_unpack *unpack = user;
    size_t got = 0;
    int rc;

    REQ("TW-TRACE-063");
    REQ("TW-LIM-195");
    n = tw_min(n, TW_CONSUMER_PACKET_MAX); /* zlib counts in 32 bits */
    while (got == 0 && !unpack->ended) {
        size_t before = unpack->left.n;

        rc = unpack->coding == TW_TRACE_DEFLATE ? unpack_deflate(unpack, p, n, &got)
                                                : unpack_zstd(unpack, p, n, &got);
        if (rc)
            return rc;
        if (got == 0 && !unpack->ended && unpack->left.n == before)
            return TW_E_TRUNCATED;
    }
    if (got > TW_UNPACK_MAX - unpack->n)
        return TW_E_LIMIT;
    unpack->n += got;
    *ret_n = got;
    return 0;
}
