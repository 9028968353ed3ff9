/* SPDX-License-Identifier: Apache-2.0 */
#include "base/sock.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/req.h"

int tw_sock_address(const char *name, struct sockaddr_un *ret_addr, socklen_t *ret_len)
{
    REQ("TW-NET-003");
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    bool abstract = name[0] == '@';
    size_t n = strlen(name);

    if (n < (abstract ? 2 : 1) || n >= sizeof(addr.sun_path))
        return TW_E_INVALID;
    memcpy(addr.sun_path, name, n);
    if (abstract)
        addr.sun_path[0] = '\0';
    *ret_addr = addr;
    *ret_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n + !abstract);
    return 0;
}

const char *tw_sock_default(const char *kind)
{
    static const struct {
        const char *kind, *variable, *run, *tmp;
    } names[] = {
        {"producer", "PERFETTO_PRODUCER_SOCK_NAME", "/run/perfetto/traced-producer.sock",
         "/tmp/perfetto-producer"},
        {"consumer", "PERFETTO_CONSUMER_SOCK_NAME", "/run/perfetto/traced-consumer.sock",
         "/tmp/perfetto-consumer"},
    };
    size_t i = strcmp(kind, names[0].kind) == 0 ? 0 : 1;
    const char *given = getenv(names[i].variable);

    if (given && given[0])
        return given;
    return access("/run/perfetto/", X_OK) == 0 ? names[i].run : names[i].tmp;
}

/* Whether somebody listens there: 0 no, TW_E_EXISTS yes. */
static int probe(const struct sockaddr_un *addr, socklen_t len)
{
    int rc, fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0)
        return -errno;
    if (connect(fd, (const struct sockaddr *)addr, len) == 0 || errno == EAGAIN)
        rc = TW_E_EXISTS; /* a full backlog is somebody listening, too */
    else
        rc = errno == ECONNREFUSED ? 0 : -errno;
    tw_fd_close(&fd);
    return rc;
}

static int clear_stale(const char *path, const struct sockaddr_un *addr, socklen_t len)
{
    REQ("TW-NET-005");
    struct stat st;
    int rc;

    if (lstat(path, &st) < 0)
        return errno == ENOENT ? 0 : -errno;
    if (!S_ISSOCK(st.st_mode))
        return TW_E_EXISTS;
    rc = probe(addr, len);
    if (rc)
        return rc;
    return unlink(path) < 0 && errno != ENOENT ? -errno : 0;
}

static int bind_and_listen(int fd, const char *name, const struct sockaddr_un *addr, socklen_t len,
                           const struct tw_sock_access *access)
{
    REQ("TW-NET-006");
    if (bind(fd, (const struct sockaddr *)addr, len) < 0)
        return errno == EADDRINUSE ? TW_E_EXISTS : -errno;
    /* Nobody can connect before listen(), so nobody slips in before the rights are set. */
    if (name[0] != '@' &&
        (chmod(name, access->mode) < 0 ||
         (access->group != (gid_t)-1 && chown(name, (uid_t)-1, access->group) < 0)))
        return -errno;
    return listen(fd, SOMAXCONN) < 0 ? -errno : 0;
}

int tw_sock_listen(const char *name, const struct tw_sock_access *access, int *ret_fd)
{
    struct sockaddr_un addr;
    socklen_t len;
    int fd, rc = tw_sock_address(name, &addr, &len);

    if (!rc && name[0] != '@')
        rc = clear_stale(name, &addr, len);
    if (rc)
        return rc;
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    rc = bind_and_listen(fd, name, &addr, len, access);
    if (rc) {
        tw_fd_close(&fd);
        return rc;
    }
    *ret_fd = fd;
    return 0;
}

void tw_sock_unlink(const char *name)
{
    if (name[0] != '@')
        unlink(name);
}
