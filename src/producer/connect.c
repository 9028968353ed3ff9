/* SPDX-License-Identifier: Apache-2.0 */
#include "producer/connect.h"

#include <errno.h>

#include "base/fd.h"

int tw_connect_address(const char *name, struct tw_net_address *ret_address)
{
    if (tw_net_family(name) == AF_VSOCK)
        return TW_E_INVALID; /* takes no bytes before it is connected: an error, not a wait */
    return tw_net_numeric(name, ret_address);
}

int tw_connect_begin(const struct tw_net_address *address, int *ret_fd)
{
    int fd = socket(address->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0)
        return -errno;
    tw_net_tune(fd);
    if (connect(fd, &address->any, address->len) != 0 && errno != EINPROGRESS) {
        tw_fd_close(&fd);
        return TW_E_CLOSED; /* whatever the reason: it will be tried again */
    }
    *ret_fd = fd;
    return 0;
}
