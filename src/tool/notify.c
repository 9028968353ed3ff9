/* SPDX-License-Identifier: Apache-2.0 */
/* A datagram a state: less than libsystemd would bring along. */
#include "tool/notify.h"

#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/sock.h"

int tw_notify_open(void)
{
    const char *name = getenv("NOTIFY_SOCKET");
    struct sockaddr_un addr;
    socklen_t len;
    int fd;

    if (!name || tw_sock_address(name, &addr, &len))
        return -1;
    fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (const struct sockaddr *)&addr, len) < 0) {
        tw_log(TW_LOG_WARN, "cannot reach the service manager: %m");
        tw_fd_close(&fd);
    }
    return fd;
}

void tw_notify(int fd, const char *state)
{
    if (fd >= 0 && send(fd, state, strlen(state), MSG_NOSIGNAL) < 0)
        tw_log(TW_LOG_WARN, "cannot notify the service manager: %m");
}
