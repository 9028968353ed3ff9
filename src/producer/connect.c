/* SPDX-License-Identifier: Apache-2.0 */
#include "producer/connect.h"

#include <errno.h>

#include "base/fd.h"
#include "base/sock.h"

int tw_connect_now(const char *name, int *ret_fd)
{
    struct sockaddr_un addr;
    socklen_t len;
    int fd, r = tw_sock_address(name, &addr, &len);

    if (r)
        return r;
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    if (connect(fd, (const struct sockaddr *)&addr, len) != 0) {
        tw_fd_close(&fd);
        return TW_E_CLOSED; /* whatever the reason: it will be tried again */
    }
    *ret_fd = fd;
    return 0;
}
