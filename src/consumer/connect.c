/* SPDX-License-Identifier: Apache-2.0 */
#include "consumer/connect.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "base/fd.h"
#include "base/sock.h"
#include "tracewire/consumer.h"

/* connect() on a Unix socket waits only while the service's backlog is full, and then for as long
 * as a send may take. */
static int connect_within_limit(int fd, const struct sockaddr_un *addr, socklen_t len)
{
    struct timeval limit = {.tv_sec = TW_CONSUMER_CONNECT_MS / 1000};
    int rc;

    if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) != 0)
        return -errno;
    do
        rc = connect(fd, (const struct sockaddr *)addr, len);
    while (rc != 0 && errno == EINTR);
    return rc == 0 ? 0 : -errno;
}

int tw_consumer_socket_open(const char *address, int *ret_fd)
{
    struct sockaddr_un addr;
    socklen_t len;
    int rc = tw_sock_address(address, &addr, &len);
    int fd;

    if (rc)
        return rc;
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    rc = connect_within_limit(fd, &addr, len);
    if (rc) {
        tw_fd_close(&fd);
        return rc;
    }
    *ret_fd = fd;
    return 0;
}
