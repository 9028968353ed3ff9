/* SPDX-License-Identifier: Apache-2.0 */
#include "base/net.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "tests/harness.h"

static void the_form_of_a_name_says_what_it_is_of(void **state)
{
    REQ("TW-NET-013");
    static const struct {
        const char *name;
        int family;
    } cases[] = {
        {"/run/perfetto/traced-producer.sock", AF_UNIX},
        {"relative", AF_UNIX},
        {"@abstract", AF_UNIX},
        {"@abstract:80", AF_UNIX},
        {"@vsock://1:2", AF_UNIX},
        {"/tmp/socket:80", AF_UNIX}, /* where the original sees a port */
        {"./a:80", AF_UNIX},
        {"", AF_UNIX},
        {"host:", AF_UNIX},
        {"host:80x", AF_UNIX},
        {"host: 80", AF_UNIX},
        {"host:-80", AF_UNIX},
        {"127.0.0.1:80", AF_INET},
        {"host:80", AF_INET},
        {":80", AF_INET},
        {"host:99999999999", AF_INET},
        {"::1:80", AF_INET},
        {"[::1]:80", AF_INET6},
        {"[:80", AF_INET6},
        {"vsock://1:2", AF_VSOCK},
        {"vsock://", AF_VSOCK},
        {"vsock:/1:2", AF_UNIX},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_int_equal(tw_net_family(cases[i].name), cases[i].family);
}

static void names_that_are_none_are_refused(void **state)
{
    REQ("TW-NET-013");
    static const char *const bad[] = {
        "",
        "@",
        ":80",
        "127.0.0.1:0",
        "127.0.0.1:65536",
        "127.0.0.1:99999999999999999999999",
        "::1:80",
        "[::1:80",
        "[]:80",
        "[127.0.0.1]:80",
        "256.0.0.1.invalid:80",
        "vsock://",
        "vsock://1",
        "vsock://1:",
        "vsock://:1",
        "vsock://x:1",
        "vsock://1:2:3",
        "vsock://-1:2",
        "vsock:// 1:2",
        "vsock://4294967296:2",
        "vsock://1:4294967296",
        "vsock://00000000000000000000001:2",
    };
    char longest[300];
    struct tw_net_address address;
    int fd;

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(tw_net_resolve(bad[i], &address), TW_E_INVALID);
        if (tw_net_family(bad[i]) != AF_UNIX)
            assert_int_equal(tw_net_listen(bad[i], &fd), TW_E_INVALID);
    }
    memset(longest, 'a', sizeof(longest));
    snprintf(longest + sizeof(longest) - 4, 4, ":80");
    assert_int_equal(tw_net_resolve(longest, &address), TW_E_INVALID);
}

static void names_become_addresses(void **state)
{
    REQ("TW-NET-013");
    struct tw_net_address a;

    (void)state;
    assert_int_equal(tw_net_resolve("127.0.0.1:20001", &a), 0);
    assert_int_equal(a.in.sin_family, AF_INET);
    assert_int_equal(ntohs(a.in.sin_port), 20001);
    assert_int_equal(ntohl(a.in.sin_addr.s_addr), INADDR_LOOPBACK);
    assert_int_equal(tw_net_resolve("localhost:1", &a), 0);
    assert_int_equal(ntohl(a.in.sin_addr.s_addr), INADDR_LOOPBACK);
    assert_int_equal(tw_net_resolve("[::1]:65535", &a), 0);
    assert_int_equal(a.in6.sin6_family, AF_INET6);
    assert_int_equal(ntohs(a.in6.sin6_port), 65535);
    assert_memory_equal(&a.in6.sin6_addr, &in6addr_loopback, sizeof(in6addr_loopback));
    assert_int_equal(tw_net_resolve("vsock://4294967295:20001", &a), 0);
    assert_int_equal(a.vm.svm_family, AF_VSOCK);
    assert_int_equal(a.vm.svm_cid, UINT32_MAX);
    assert_int_equal(a.vm.svm_port, 20001);
    assert_int_equal(tw_net_resolve("@name", &a), 0);
    assert_int_equal(a.un.sun_family, AF_UNIX);
    assert_int_equal(a.len, offsetof(struct sockaddr_un, sun_path) + 5);
}

static void a_name_in_digits_is_known_without_asking(void **state)
{
    REQ("TW-NET-063");
    struct tw_net_address a;

    (void)state;
    assert_int_equal(tw_net_numeric("127.0.0.1:20001", &a), 0);
    assert_int_equal(ntohl(a.in.sin_addr.s_addr), INADDR_LOOPBACK);
    assert_int_equal(tw_net_numeric("[::1]:1", &a), 0);
    assert_memory_equal(&a.in6.sin6_addr, &in6addr_loopback, sizeof(in6addr_loopback));
    assert_int_equal(tw_net_numeric("vsock://1:2", &a), 0);
    assert_int_equal(tw_net_numeric("@name", &a), 0);
    assert_int_equal(tw_net_numeric("localhost:1", &a), TW_E_INVALID);
    assert_int_equal(tw_net_numeric("[localhost]:1", &a), TW_E_INVALID);
}

/* A name with a port that was free a moment ago. */
static void free_name(const char *host, int family, char *name, size_t size)
{
    struct tw_net_address a = {.len = family == AF_INET ? sizeof(a.in) : sizeof(a.in6)};
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);

    a.any.sa_family = (sa_family_t)family;
    if (family == AF_INET)
        a.in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    else
        a.in6.sin6_addr = in6addr_loopback;
    assert_int_equal(bind(fd, &a.any, a.len), 0);
    assert_int_equal(getsockname(fd, &a.any, &a.len), 0);
    snprintf(name, size, "%s:%u", host, ntohs(family == AF_INET ? a.in.sin_port : a.in6.sin6_port));
    tw_fd_close(&fd);
}

static int option(int fd, int level, int name)
{
    int value = -1;
    socklen_t len = sizeof(value);

    assert_int_equal(getsockopt(fd, level, name, &value, &len), 0);
    return value;
}

static void a_connection_is_told_by_its_other_end(void **state)
{
    REQ("TW-NET-015");
    REQ("TW-NET-016");
    REQ("TW-LIM-121");
    static const struct {
        int family;
        const char *host;
    } cases[] = {{AF_INET, "127.0.0.1"}, {AF_INET6, "[::1]"}};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char name[64], text[TW_NET_TEXT_MAX];
        struct tw_net_address a;
        int listener, again, client, fd;

        free_name(cases[i].host, cases[i].family, name, sizeof(name));
        assert_int_equal(tw_net_listen(name, &listener), 0);
        assert_int_equal(tw_net_listen(name, &again), TW_E_EXISTS);
        assert_int_equal(tw_net_resolve(name, &a), 0);
        client = socket(cases[i].family, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_int_equal(connect(client, &a.any, a.len), 0);
        fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        assert_true(fd >= 0);
        assert_int_equal(tw_net_socket_family(fd), cases[i].family);
        tw_net_peer_text(fd, text);
        assert_string_equal(text, cases[i].host);
        tw_net_tune(fd);
        assert_true(option(fd, IPPROTO_TCP, TCP_NODELAY));
        assert_true(option(fd, SOL_SOCKET, SO_KEEPALIVE));
        assert_int_equal(option(fd, IPPROTO_TCP, TCP_KEEPIDLE), TW_KEEPALIVE_IDLE_S);
        assert_int_equal(option(fd, IPPROTO_TCP, TCP_KEEPINTVL), TW_KEEPALIVE_INTERVAL_S);
        assert_int_equal(option(fd, IPPROTO_TCP, TCP_KEEPCNT), TW_KEEPALIVE_PROBES);
        tw_fd_close(&fd);
        tw_fd_close(&client);
        tw_fd_close(&listener);
        assert_int_equal(tw_net_listen(name, &listener), 0); /* at once, after a connection */
        tw_fd_close(&listener);
    }
}

static void other_sockets_have_no_such_text(void **state)
{
    char text[TW_NET_TEXT_MAX] = "x";
    int pair[2];

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    assert_int_equal(tw_net_socket_family(pair[0]), AF_UNIX);
    tw_net_tune(pair[0]);
    tw_net_peer_text(pair[0], text);
    assert_string_equal(text, "");
    close(pair[0]);
    close(pair[1]);
    assert_int_equal(tw_net_socket_family(-1), AF_UNSPEC);
    tw_net_peer_text(-1, text);
    assert_string_equal(text, "");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        tw_unit_test(the_form_of_a_name_says_what_it_is_of),
        tw_unit_test(names_that_are_none_are_refused),
        tw_unit_test(names_become_addresses),
        tw_unit_test(a_name_in_digits_is_known_without_asking),
        tw_unit_test(a_connection_is_told_by_its_other_end),
        tw_unit_test(other_sockets_have_no_such_text),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
