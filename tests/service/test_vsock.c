/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A producer over vsock, in one machine: that takes a kernel with a loopback of it. Where there is
 * none this is built as no_vsock_loopback_here, and shows only that (tests/service/CMakeLists.txt).
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/net.h"
#include "base/req.h"
#include "producer_port.pb-c.h"
#include "service/core.h"
#include "tests/harness.h"
#include "tests/service/daemon_scene.h"

enum { PORT_FIRST = 40000, PORTS = 10000, LOCAL_MS = 1000 };

/* Our own machine; -1 when the kernel does not lead there. */
static int dial_local(unsigned port)
{
    char name[64];
    struct tw_net_address a;
    struct pollfd wanted = {.events = POLLOUT};
    int error = 0;
    socklen_t len = sizeof(error);

    snprintf(name, sizeof(name), "vsock://%u:%u", VMADDR_CID_LOCAL, port);
    assert_int_equal(tw_net_resolve(name, &a), 0);
    wanted.fd = socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (wanted.fd < 0)
        return -1;
    if (connect(wanted.fd, &a.any, a.len) != 0 && errno != EINPROGRESS)
        error = errno;
    else if (poll(&wanted, 1, LOCAL_MS) <= 0)
        error = ETIMEDOUT;
    else
        assert_int_equal(getsockopt(wanted.fd, SOL_SOCKET, SO_ERROR, &error, &len), 0);
    if (error)
        tw_fd_close(&wanted.fd);
    return wanted.fd;
}

static unsigned some_port(void)
{
    return PORT_FIRST + (unsigned)getpid() % PORTS;
}

#ifdef NO_LOOPBACK
static void the_kernel_has_no_loopback_of_vsock(void **state)
{
    char name[64];
    int listener = -1, fd;

    (void)state;
    snprintf(name, sizeof(name), "vsock://%u:%u", VMADDR_CID_ANY, some_port());
    if (tw_net_listen(name, &listener) == 0) /* else it knows nothing of vsock at all */
        assert_int_equal(tw_net_socket_family(listener), AF_VSOCK);
    fd = dial_local(some_port());
    tw_fd_close(&listener);
    assert_int_equal(fd, -1);
}
#else
static void a_producer_is_served_over_vsock(void **state)
{
    REQ("TW-NET-013");
    REQ("TW-SHM-032");
    Tw__InitializeConnectionRequest hello = TW__INITIALIZE_CONNECTION_REQUEST__INIT;
    struct tw_arena arena = TW_ARENA_INIT(1 << 20);
    struct tw_client_event_out event;
    struct daemon_scene s;
    struct client peer;
    struct tw_bytes socket;
    ProtobufCMessage *msg;

    (void)state;
    daemon_folder(&s);
    snprintf(s.producer, sizeof(s.producer), "vsock://%u:%u", VMADDR_CID_ANY, some_port());
    assert_int_equal(daemon_start(&s, &s.daemon, &socket), 0);
    peer.fd = dial_local(some_port());
    assert_true(peer.fd >= 0);
    assert_int_equal(tw_client_init(&peer.client, &tw_producer_port), 0);
    assert_int_equal(tw_client_bind(&peer.client), 0);
    client_bound(&s, &peer);
    client_call(&peer, TW_PRODUCER_INITIALIZE_CONNECTION, &hello.base, false);
    assert_true(client_await(&s, &peer, &event));
    assert_int_equal(
        tw_pbc_unpack(&tw__initialize_connection_response__descriptor, &arena, event.reply, &msg),
        0);
    assert_true(((Tw__InitializeConnectionResponse *)msg)->use_shmem_emulation);
    tw_arena_deinit(&arena);
    client_leave(&peer);
    daemon_end(&s);
}
#endif

int main(void)
{
    static const struct CMUnitTest tests[] = {
#ifdef NO_LOOPBACK
        tw_unit_test(the_kernel_has_no_loopback_of_vsock),
#else
        tw_unit_test(a_producer_is_served_over_vsock),
#endif
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
