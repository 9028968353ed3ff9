/* SPDX-License-Identifier: Apache-2.0 */
/* When the daemon asks the allocator to give memory back; the linker sends that call here. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/loop.h"
#include "base/req.h"
#include "base/sock.h"
#include "service/daemon.h"
#include "tests/harness.h"

static size_t n_trims;

int __wrap_malloc_trim(size_t pad);
int __wrap_malloc_trim(size_t pad)
{
    n_trims++;
    return pad == 0;
}

static int dial(const char *name)
{
    struct sockaddr_un addr;
    socklen_t len;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_int_equal(tw_sock_address(name, &addr, &len), 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)&addr, len), 0);
    return fd;
}

static void memory_of_many_that_left_goes_back(void **state)
{
    REQ("TW-LIM-141");
    const size_t trims[10] = {0, 0, 0, 0, 1, 1, 1, 1, 1, 1}; /* five are too few for another */
    char producer[64], consumer[64];
    struct tw_daemon_options options = {
        .producer_socket = producer,
        .consumer_socket = consumer,
        .access = {{.mode = 0600, .group = (gid_t)-1}, {.mode = 0600, .group = (gid_t)-1}},
    };
    struct tw_daemon *daemon;
    struct tw_loop *loop;
    struct tw_bytes socket;
    int fds[10];

    (void)state;
    snprintf(producer, sizeof(producer), "@tracewire-test-%d-p", getpid());
    snprintf(consumer, sizeof(consumer), "@tracewire-test-%d-c", getpid());
    assert_int_equal(tw_loop_new(&loop), 0);
    assert_int_equal(tw_daemon_new(loop, &options, &daemon, &socket), 0);
    for (size_t i = 0; i < TW_ARRAY_LEN(fds); i++) {
        fds[i] = dial(producer);
        assert_int_equal(tw_loop_once(loop, 0), 0);
    }
    for (size_t i = 0; i < TW_ARRAY_LEN(fds); i++) {
        tw_fd_close(&fds[i]);
        assert_int_equal(tw_loop_once(loop, 0), 0);
        assert_int_equal(n_trims, trims[i]);
    }
    tw_daemon_free(daemon);
    tw_loop_free(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        tw_unit_test(memory_of_many_that_left_goes_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
