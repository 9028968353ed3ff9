/* SPDX-License-Identifier: Apache-2.0 */
#include "service/trace_extract.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/macros.h"
#include "base/req.h"

enum { READ_SIZE = 32768 }; /* bytes that one call asks for */

int tw_extract_open(struct tw_extract *x, const struct tw_output *out)
{
    REQ("TW-CONS-092");
    int flags = fcntl(out->fd, F_GETFL);

    if (flags < 0)
        return -errno;
    if (out->kind != TW_OUTPUT_FILE || (flags & O_ACCMODE) != O_RDWR)
        return TW_E_INVALID;
    x->fd = fcntl(out->fd, F_DUPFD_CLOEXEC, 3);
    return x->fd < 0 ? -errno : 0;
}

void tw_extract_close(struct tw_extract *x)
{
    tw_fd_close(&x->fd);
    x->left = 0;
}

int tw_extract_last(struct tw_extract *x, uint64_t n)
{
    off_t end = lseek(x->fd, 0, SEEK_CUR);

    if (end < 0)
        return -errno;
    if (n > (uint64_t)end)
        return TW_E_INVALID;
    x->at = end - (off_t)n;
    x->left = n;
    return 0;
}

int tw_extract_read(struct tw_extract *x, struct tw_gather *to, size_t max)
{
    uint8_t bytes[READ_SIZE];
    int rc = 0;

    while (!rc && x->left > 0 && max > 0) {
        size_t most = x->left < sizeof(bytes) ? (size_t)x->left : sizeof(bytes);
        ssize_t n = pread(x->fd, bytes, tw_min(most, max), x->at);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? -errno : -ENODATA;
        rc = tw_gather_put(to, (struct tw_bytes){bytes, (size_t)n});
        x->at += n;
        x->left -= (size_t)n;
        max -= (size_t)n;
    }
    return rc;
}
