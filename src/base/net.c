/* SPDX-License-Identifier: Apache-2.0 */
#include "base/net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "base/req.h"
#include "base/sock.h"

static const char vsock_prefix[] = "vsock://";

/* What host names may have, and room for the brackets of an address. */
enum { HOST_MAX = 256 };

static bool is_vsock(const char *name)
{
    return strncmp(name, vsock_prefix, sizeof(vsock_prefix) - 1) == 0;
}

int tw_net_family(const char *name)
{
    REQ("TW-NET-013");
    const char *colon = strrchr(name, ':');

    if (is_vsock(name))
        return AF_VSOCK;
    if (name[0] == '@' || strchr(name, '/') || !colon || !colon[1] ||
        colon[1 + strspn(colon + 1, "0123456789")])
        return AF_UNIX;
    return name[0] == '[' ? AF_INET6 : AF_INET;
}

/* Decimal digits to their end and nothing else. */
static bool number(const char *text, uint32_t max, uint32_t *ret_value)
{
    char *end;
    unsigned long long value = strtoull(text, &end, 10);

    if (text[0] < '0' || text[0] > '9' || *end || value > max)
        return false;
    *ret_value = (uint32_t)value;
    return true;
}

static int resolve_vsock(const char *name, struct tw_net_address *ret_address)
{
    const char *cid_text = name + sizeof(vsock_prefix) - 1, *colon = strchr(cid_text, ':');
    char cid[16];
    struct tw_net_address a = {.len = sizeof(a.vm)};

    a.vm.svm_family = AF_VSOCK;
    if (!colon || (size_t)(colon - cid_text) >= sizeof(cid))
        return TW_E_INVALID;
    memcpy(cid, cid_text, (size_t)(colon - cid_text));
    cid[colon - cid_text] = '\0';
    if (!number(cid, UINT32_MAX, &a.vm.svm_cid) || !number(colon + 1, UINT32_MAX, &a.vm.svm_port))
        return TW_E_INVALID;
    *ret_address = a;
    return 0;
}

/* The host of HOST:PORT or [HOST]:PORT. */
static bool host_of(const char *name, const char *colon, char host[HOST_MAX])
{
    size_t n = (size_t)(colon - name);

    if (name[0] == '[') {
        if (n < 2 || name[n - 1] != ']')
            return false;
        name++;
        n -= 2;
    }
    if (n == 0 || n >= HOST_MAX)
        return false;
    memcpy(host, name, n);
    host[n] = '\0';
    return true;
}

static int resolve_inet(const char *name, int family, int flags, struct tw_net_address *ret_address)
{
    struct addrinfo hints = {.ai_family = family, .ai_socktype = SOCK_STREAM}, *found;
    const char *colon = strrchr(name, ':');
    char host[HOST_MAX];
    uint32_t port;

    hints.ai_flags = AI_NUMERICSERV | flags;
    if (!host_of(name, colon, host) || !number(colon + 1, UINT16_MAX, &port) || port == 0)
        return TW_E_INVALID;
    if (getaddrinfo(host, colon + 1, &hints, &found) != 0)
        return TW_E_INVALID;
    if (found->ai_addrlen > sizeof(ret_address->in6)) {
        freeaddrinfo(found);
        return TW_E_INVALID;
    }
    memcpy(&ret_address->any, found->ai_addr, found->ai_addrlen);
    ret_address->len = found->ai_addrlen;
    freeaddrinfo(found);
    return 0;
}

static int resolve(const char *name, int flags, struct tw_net_address *ret_address)
{
    int family = tw_net_family(name);

    if (family == AF_VSOCK)
        return resolve_vsock(name, ret_address);
    if (family == AF_UNIX)
        return tw_sock_address(name, &ret_address->un, &ret_address->len);
    return resolve_inet(name, family, flags, ret_address);
}

int tw_net_resolve(const char *name, struct tw_net_address *ret_address)
{
    return resolve(name, 0, ret_address);
}

int tw_net_numeric(const char *name, struct tw_net_address *ret_address)
{
    REQ("TW-NET-063");
    return resolve(name, AI_NUMERICHOST, ret_address);
}

/* A port is free again as soon as its listener is gone, whatever became of its connections; and an
 * IPv6 address is only that. */
static int bind_and_listen(int fd, const struct tw_net_address *address)
{
    int on = 1;

    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0)
        return -errno;
    if (address->any.sa_family == AF_INET6 &&
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) < 0)
        return -errno;
    if (bind(fd, &address->any, address->len) < 0 || listen(fd, SOMAXCONN) < 0)
        return errno == EADDRINUSE ? TW_E_EXISTS : -errno;
    return 0;
}

int tw_net_listen(const char *name, int *ret_fd)
{
    struct tw_net_address address;
    int fd, rc = tw_net_resolve(name, &address);

    if (rc)
        return rc;
    fd = socket(address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    rc = bind_and_listen(fd, &address);
    if (rc) {
        tw_fd_close(&fd);
        return rc;
    }
    *ret_fd = fd;
    return 0;
}

int tw_net_socket_family(int fd)
{
    int family = AF_UNSPEC;
    socklen_t len = sizeof(family);

    return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &len) < 0 ? AF_UNSPEC : family;
}

void tw_net_tune(int fd)
{
    REQ("TW-LIM-121");
    REQ("TW-NET-015");
    REQ("TW-NET-016");
    static const struct {
        int level, name, value;
    } options[] = {
        {IPPROTO_TCP, TCP_NODELAY, 1},
        {SOL_SOCKET, SO_KEEPALIVE, 1},
        {IPPROTO_TCP, TCP_KEEPIDLE, TW_KEEPALIVE_IDLE_S},
        {IPPROTO_TCP, TCP_KEEPINTVL, TW_KEEPALIVE_INTERVAL_S},
        {IPPROTO_TCP, TCP_KEEPCNT, TW_KEEPALIVE_PROBES},
    };
    int family = tw_net_socket_family(fd);

    if (family != AF_INET && family != AF_INET6)
        return;
    for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
        (void)setsockopt(fd, options[i].level, options[i].name, &options[i].value,
                         sizeof(options[i].value));
}

void tw_net_peer_text(int fd, char text[TW_NET_TEXT_MAX])
{
    struct tw_net_address a = {0};
    char ip[INET6_ADDRSTRLEN];

    a.len = offsetof(struct tw_net_address, len);
    text[0] = '\0';
    if (getpeername(fd, &a.any, &a.len) < 0)
        return;
    if (a.any.sa_family == AF_VSOCK)
        snprintf(text, TW_NET_TEXT_MAX, "%s%u", vsock_prefix, a.vm.svm_cid);
    else if (a.any.sa_family == AF_INET && inet_ntop(AF_INET, &a.in.sin_addr, ip, sizeof(ip)))
        snprintf(text, TW_NET_TEXT_MAX, "%s", ip);
    else if (a.any.sa_family == AF_INET6 && inet_ntop(AF_INET6, &a.in6.sin6_addr, ip, sizeof(ip)))
        snprintf(text, TW_NET_TEXT_MAX, "[%s]", ip);
}
