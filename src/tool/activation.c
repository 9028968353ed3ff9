/* SPDX-License-Identifier: Apache-2.0 */
#include "tool/activation.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/err.h"
#include "tool/tool.h"

enum { LISTEN_FDS_START = 3, LISTEN_FDS_MAX = 1024 };

static const char *const port_names[] = {
    [TW_SERVICE_PRODUCER] = "producer",
    [TW_SERVICE_CONSUMER] = "consumer",
};

static bool option_is(int fd, int option, int wanted)
{
    int value = 0;
    socklen_t len = sizeof(value);

    return getsockopt(fd, SOL_SOCKET, option, &value, &len) == 0 && value == wanted;
}

/* A descriptor number from the environment is checked to be what it has to be. */
static int take(int fd, enum tw_service_port port, int fds[2], const char **ret_why)
{
    *ret_why = "a socket handed over is no Unix stream socket that listens";
    if (!option_is(fd, SO_DOMAIN, AF_UNIX) || !option_is(fd, SO_TYPE, SOCK_STREAM) ||
        !option_is(fd, SO_ACCEPTCONN, 1))
        return TW_E_INVALID;
    *ret_why = "two sockets handed over are for the same port";
    if (fds[port] >= 0)
        return TW_E_INVALID;
    if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0 || fcntl(fd, F_SETFL, O_NONBLOCK) < 0)
        return TW_E_INVALID;
    fds[port] = fd;
    return 0;
}

static bool environment_number(const char *name, uint64_t *ret_n)
{
    const char *text = getenv(name);

    return text && !tw_parse_number(text, 0, INT32_MAX, ret_n);
}

/* Which port the i-th name of a list "a:b:c" is about: "producer", or the unit that has the word in
 * its name, which is systemd's default. */
static int port_of_name(const char *names, uint64_t i, enum tw_service_port *ret_port)
{
    char name[256];
    size_t n;

    for (; i > 0 && (names = strchr(names, ':')); i--)
        names++;
    if (!names)
        return TW_E_NOT_FOUND;
    n = tw_min(strcspn(names, ":"), sizeof(name) - 1);
    memcpy(name, names, n);
    name[n] = '\0';
    for (size_t port = 0; port < TW_ARRAY_LEN(port_names); port++)
        if (strstr(name, port_names[port])) {
            *ret_port = (enum tw_service_port)port;
            return 0;
        }
    return TW_E_NOT_FOUND;
}

static int from_systemd(int fds[2], const char **ret_why)
{
    const char *names = getenv("LISTEN_FDNAMES");
    uint64_t pid, n;
    int rc = 0;

    if (!environment_number("LISTEN_PID", &pid) || pid != (uint64_t)getpid() ||
        !environment_number("LISTEN_FDS", &n) || n > LISTEN_FDS_MAX)
        return 0; /* meant for another process */
    for (uint64_t i = 0; !rc && i < n; i++) {
        enum tw_service_port port;

        *ret_why = "a socket handed over has neither 'producer' nor 'consumer' in its name";
        rc = port_of_name(names ? names : "", i, &port);
        rc = rc ? TW_E_INVALID : take(LISTEN_FDS_START + (int)i, port, fds, ret_why);
    }
    return rc;
}

static int from_init(int fds[2], const char **ret_why)
{
    static const char *const variables[] = {
        [TW_SERVICE_PRODUCER] = "ANDROID_SOCKET_traced_producer",
        [TW_SERVICE_CONSUMER] = "ANDROID_SOCKET_traced_consumer",
    };
    int rc = 0;

    for (size_t port = 0; !rc && port < TW_ARRAY_LEN(variables); port++) {
        uint64_t fd;

        if (environment_number(variables[port], &fd))
            rc = take((int)fd, (enum tw_service_port)port, fds, ret_why);
        unsetenv(variables[port]);
    }
    return rc;
}

int tw_activation(int ret_fds[2], const char **ret_why)
{
    int fds[2] = {-1, -1}, rc = from_systemd(fds, ret_why);

    unsetenv("LISTEN_PID");
    unsetenv("LISTEN_FDS");
    unsetenv("LISTEN_FDNAMES");
    if (!rc && fds[0] < 0 && fds[1] < 0)
        rc = from_init(fds, ret_why);
    if (!rc && (fds[0] < 0) != (fds[1] < 0)) {
        *ret_why = "only one of the two sockets is handed over";
        rc = TW_E_INVALID;
    }
    if (rc)
        return rc;
    memcpy(ret_fds, fds, sizeof(fds));
    return 0;
}
