/* SPDX-License-Identifier: Apache-2.0 */
/* How a producer comes to its service, and what becomes of it when the connection ends. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/net.h"
#include "tests/producer/world.h"

/* Nothing comes any more, and nobody waits for it. */
static void assert_ended(struct world *w, int why)
{
    UNTIL(w, w->ended != 0);
    assert_int_equal(w->ended, why);
    assert_int_equal(tw_producer_dispatch(w->producer, -1), why);
    assert_false(tw_producer_connected(w->producer));
    assert_true(tw_producer_idle(w->producer));
}

/* ---- a connection that is given ---- */

static void a_connection_that_is_given_is_taken_and_used(void **state)
{
    struct world w;
    int pair[2], flags;

    (void)state;
    world_prepare(&w);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    w.config.socket = NULL;
    w.config.fd = &pair[0];
    world_open(&w);
    assert_int_equal(pair[0], -1);
    flags = fcntl(pair[1], F_GETFL);
    assert_int_equal(fcntl(pair[1], F_SETFL, flags | O_NONBLOCK), 0);
    world_serve(&w, pair[1]);
    world_bring_up(&w);
    world_start_instance(&w, 5);
    world_deinit(&w);
    assert_int_equal(w.stops, 1);
}

static void after_a_connection_that_was_given_there_is_no_other(void **state)
{
    REQ("TW-NET-062");
    struct world w;
    int pair[2];

    (void)state;
    world_prepare(&w);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
    w.config.socket = NULL;
    w.config.fd = &pair[0];
    world_open(&w);
    world_serve(&w, pair[1]);
    world_bring_up(&w);
    world_start_instance(&w, 5);
    world_hang_up(&w);
    assert_ended(&w, TW_E_CLOSED);
    assert_int_equal(w.stops, 1);
    world_deinit(&w);
}

static void what_is_no_connection_stays_the_callers(void **state)
{
    REQ("TW-NET-062");
    struct tw_producer_config config = {.name = "test"};
    struct tw_producer *p;
    int pair[2], none = -1;

    (void)state;
    config.fd = &none;
    assert_int_equal(tw_producer_open(&p, &config), -EBADF);

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    tw_fd_close(&pair[1]);
    config.fd = &pair[0];
    assert_int_equal(tw_producer_open(&p, &config), TW_E_CLOSED);
    assert_true(pair[0] >= 0);
    config.socket = "@x"; /* one or the other */
    assert_int_equal(tw_producer_open(&p, &config), TW_E_INVALID);
    tw_fd_close(&pair[0]);

    config.socket = NULL;
    assert_int_equal(pipe2(pair, O_CLOEXEC), 0);
    config.fd = &pair[1];
    assert_int_equal(tw_producer_open(&p, &config), TW_E_CLOSED);
    tw_fd_close(&pair[0]);
    tw_fd_close(&pair[1]);
}

/* ---- TCP ---- */

/* A port that nobody listens on yet. */
static void world_bind(struct world *w)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(a);

    w->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_int_equal(bind(w->listener, (struct sockaddr *)&a, len), 0);
    assert_int_equal(getsockname(w->listener, (struct sockaddr *)&a, &len), 0);
    snprintf(w->name, sizeof(w->name), "127.0.0.1:%u", ntohs(a.sin_port));
}

static void a_host_in_digits_is_connected_to(void **state)
{
    REQ("TW-NET-063");
    struct world w;

    (void)state;
    world_prepare(&w);
    world_bind(&w);
    world_open(&w);
    for (int i = 0; i < 10; i++)
        world_step(&w, 1); /* refused */
    assert_int_equal(listen(w.listener, 1), 0);
    world_bring_up(&w);
    world_hang_up(&w);
    world_bring_up(&w);
    world_deinit(&w);
}

static void names_that_would_have_to_be_looked_up_are_refused(void **state)
{
    REQ("TW-NET-063");
    static const char *const names[] = {"localhost:1", "host.invalid:80", "[localhost]:1",
                                        "127.0.0.1:0", "vsock://1:2",     ""};
    struct tw_producer_config config = {.name = "test"};
    struct tw_producer *p;

    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        config.socket = names[i];
        assert_int_equal(tw_producer_open(&p, &config), TW_E_INVALID);
    }
}

/* ---- what cannot be better the next time ---- */

static void a_service_that_shares_no_memory_is_left_for_good(void **state)
{
    REQ("TW-NET-062");
    struct tw_producer_stats stats;
    struct world w;

    (void)state;
    world_prepare(&w);
    world_bind(&w);
    assert_int_equal(listen(w.listener, 1), 0);
    w.emulation = 1;
    world_open(&w);
    assert_ended(&w, TW_E_REFUSED);
    UNTIL(&w, w.conn < 0);
    tw_producer_stats(w.producer, &stats);
    assert_int_equal(stats.connects, 0);
    world_deinit(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        tw_unit_test(a_connection_that_is_given_is_taken_and_used),
        tw_unit_test(after_a_connection_that_was_given_there_is_no_other),
        tw_unit_test(what_is_no_connection_stays_the_callers),
        tw_unit_test(a_host_in_digits_is_connected_to),
        tw_unit_test(names_that_would_have_to_be_looked_up_are_refused),
        tw_unit_test(a_service_that_shares_no_memory_is_left_for_good),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
