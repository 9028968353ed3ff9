/* SPDX-License-Identifier: Apache-2.0 */
/* One datagram: less than libsystemd would bring along. */
#include "tool/notify.h"

#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/sock.h"

void tw_notify(const char *state)
{
    const char *name = getenv("NOTIFY_SOCKET");
    struct sockaddr_un addr;
    socklen_t len;
    int fd;

    if (!name || tw_sock_address(name, &addr, &len))
        return;
    fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0 ||
        sendto(fd, state, strlen(state), MSG_NOSIGNAL, (const struct sockaddr *)&addr, len) < 0)
        tw_log(TW_LOG_WARN, "cannot notify the service manager");
    tw_fd_close(&fd);
}
