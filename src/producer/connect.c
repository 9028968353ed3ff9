/* SPDX-License-Identifier: Apache-2.0 */
#include "producer/connect.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fd.h"

const char *tw_producer_default_socket(void)
{
    const char *env = getenv("PERFETTO_PRODUCER_SOCK_NAME");

    if (env && *env)
        return env;
    if (access("/run/perfetto", F_OK) == 0)
        return "/run/perfetto/traced-producer.sock";
    return "/tmp/perfetto-producer";
}

int tw_connect_unix(const char *path, int *ret_fd)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    size_t n = strlen(path);
    socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n);
    int fd;

    if (n == 0 || n >= sizeof(addr.sun_path))
        return TW_E_INVALID;
    memcpy(addr.sun_path, path, n);
    if (path[0] == '@')
        addr.sun_path[0] = '\0'; /* abstract names are exactly as long as they are, without a NUL */
    else
        len++;
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    if (connect(fd, (const struct sockaddr *)&addr, len) != 0) {
        tw_fd_close(&fd);
        return TW_E_CLOSED; /* all the same to us: to be tried again */
    }
    *ret_fd = fd;
    return 0;
}
