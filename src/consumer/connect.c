/* SPDX-License-Identifier: Apache-2.0 */
#include "consumer/connect.h"

#include <errno.h>
#include <sys/time.h>

#include "base/fd.h"
#include "base/net.h"

/* connect() waits only while a Unix socket's backlog is full or another machine is slow, and then
 * for as long as a send may take. */
static int connect_within(int fd, const struct tw_net_address *address, uint32_t limit_ms)
{
    struct timeval limit = {.tv_sec = (time_t)(limit_ms / 1000),
                            .tv_usec = (suseconds_t)(limit_ms % 1000) * 1000};
    int rc;

    if (limit_ms == 0)
        limit.tv_usec = 1; /* none at all would mean for ever */
    if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) != 0)
        return -errno;
    do
        rc = connect(fd, &address->any, address->len);
    while (rc != 0 && errno == EINTR);
    if (rc != 0 && (errno == EAGAIN || errno == EINPROGRESS))
        return -ETIMEDOUT;
    return rc == 0 ? 0 : -errno;
}

int tw_consumer_socket_open(const char *address, uint32_t limit_ms, int *ret_fd)
{
    struct tw_net_address net;
    int rc = tw_net_resolve(address, &net);
    int fd;

    if (rc)
        return rc;
    fd = socket(net.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    tw_net_tune(fd);
    rc = connect_within(fd, &net, limit_ms);
    if (rc) {
        tw_fd_close(&fd);
        return rc;
    }
    *ret_fd = fd;
    return 0;
}
