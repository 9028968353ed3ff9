/* SPDX-License-Identifier: Apache-2.0 */
/* How a producer comes to its service, and what becomes of it when the connection ends. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/net.h"
#include "producer/endpoint.h"
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

/* ---- trying again ---- */

enum {
    WATCHED_MS = 300,  /* in which attempts come at 0, 100 and 300 ms */
    WAKE_UPS_MAX = 10, /* for them, with as many more for the end of each */
};

/* How often the producer wakes up in WATCHED_MS, or a little longer. */
static int wake_ups(struct tw_producer *p)
{
    uint64_t until = tw_clock_ns(CLOCK_MONOTONIC) + WATCHED_MS * TW_NS_PER_MS;
    int n = 0;

    for (; tw_clock_ns(CLOCK_MONOTONIC) < until; n++)
        assert_int_equal(tw_producer_dispatch(p, -1), 0);
    return n;
}

static void museum_31_a_failed_connect_does_not_spin(void **state)
{
    REQ("TW-NET-060");
    REQ("TW-LIM-190");
    struct world w;

    (void)state;
    for (int i = 0; i < 3; i++) {
        world_prepare(&w); /* a name in the abstract namespace that nobody listens at */
        if (i == 1)
            w.config.socket = "/dev/null/socket";
        if (i == 2)
            world_bind(&w);
        world_open(&w);
        assert_in_range(wake_ups(w.producer), 1, WAKE_UPS_MAX);
        world_deinit(&w);
    }
}

static void a_service_that_hangs_up_at_once_is_not_stormed(void **state)
{
    REQ("TW-NET-060");
    struct world w;
    uint64_t begin;

    (void)state;
    world_prepare(&w);
    world_listen(&w);
    world_open(&w);
    world_bring_up(&w);
    begin = tw_clock_ns(CLOCK_MONOTONIC);
    for (int i = 0; i < 2; i++) {
        w.producer->up_ns = tw_clock_ns(CLOCK_MONOTONIC); /* even if this machine is slow */
        world_hang_up(&w);
        world_bring_up(&w);
    }
    assert_true(tw_clock_ns(CLOCK_MONOTONIC) - begin >= WATCHED_MS * TW_NS_PER_MS);
    world_deinit(&w);
}

static void pauses_grow_to_a_bound_and_begin_anew(void **state)
{
    REQ("TW-LIM-191");
    struct world w;

    (void)state;
    world_prepare(&w);
    world_open(&w);
    for (int i = 0; i < 10; i++) {
        assert_int_equal(tw_timer_set(tw_loop_timers(w.producer->loop), &w.producer->retry, 0), 0);
        UNTIL(&w, w.producer->retry.due_ns > 0);
    }
    assert_int_equal(w.producer->backoff_ms, 3000);
    world_listen(&w);
    assert_int_equal(tw_timer_set(tw_loop_timers(w.producer->loop), &w.producer->retry, 0), 0);
    world_bring_up(&w);
    w.producer->up_ns -= 3 * TW_NS_PER_S;
    world_hang_up(&w);
    UNTIL(&w, !tw_producer_connected(w.producer));
    assert_int_equal(w.producer->backoff_ms, 200); /* the next but one */
    world_deinit(&w);
}

/* ---- a service that comes later ---- */

/* From now on only what is watched brings the producer to try. */
static void stop_trying(struct world *w)
{
    tw_timer_clear(tw_loop_timers(w->producer->loop), &w->producer->retry);
}

/* Something has been seen, and the first attempts after it have failed. */
static void until_tried(struct world *w)
{
    UNTIL(w, w->producer->backoff_ms == 8);
    stop_trying(w);
    w->producer->backoff_ms = 3000;
}

static void a_socket_that_appears_is_connected_to(void **state)
{
    REQ("TW-NET-061");
    REQ("TW-LIM-192");
    char root[] = "/tmp/tracewire-link-XXXXXX", one[sizeof(root) + 4], two[sizeof(one) + 4];
    struct world w;

    (void)state;
    assert_non_null(mkdtemp(root));
    snprintf(one, sizeof(one), "%s/one", root);
    snprintf(two, sizeof(two), "%s/two", one);
    world_prepare(&w);
    snprintf(w.name, sizeof(w.name), "%s//socket", two);
    world_open(&w);
    stop_trying(&w);
    assert_int_equal(mkdir(one, 0700), 0);
    until_tried(&w);
    assert_int_equal(mkdir(two, 0700), 0);
    until_tried(&w);
    assert_int_equal(rmdir(two), 0); /* and back again */
    until_tried(&w);
    assert_int_equal(mkdir(two, 0700), 0); /* in one go: before the directory is watched */
    world_listen(&w);
    world_bring_up(&w);
    assert_int_equal(w.producer->watch.io.fd, -1);

    world_hang_up(&w);
    tw_fd_close(&w.listener);
    UNTIL(&w, !tw_producer_connected(w.producer));
    stop_trying(&w);
    assert_int_equal(unlink(w.name), 0);
    world_listen(&w);
    world_bring_up(&w);
    world_deinit(&w);
    assert_int_equal(unlink(w.name), 0);
    assert_int_equal(rmdir(two), 0);
    assert_int_equal(rmdir(one), 0);
    assert_int_equal(rmdir(root), 0);
}

/* Also of a path without a directory. */
static void other_files_make_nobody_try(void **state)
{
    REQ("TW-NET-061");
    char root[] = "/tmp/tracewire-link-XXXXXX";
    int here = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct world w;

    (void)state;
    assert_non_null(mkdtemp(root));
    assert_int_equal(chdir(root), 0);
    world_prepare(&w);
    snprintf(w.name, sizeof(w.name), "socket");
    world_open(&w);
    stop_trying(&w);
    assert_int_equal(mkdir("sockets", 0700), 0);
    assert_int_equal(mkdir("sock", 0700), 0);
    for (int i = 0; i < 3; i++) {
        world_step(&w, 1);
        assert_false(tw_timer_is_set(&w.producer->retry));
    }
    assert_int_equal(rmdir("sockets"), 0);
    assert_int_equal(rmdir("sock"), 0);
    world_listen(&w);
    world_bring_up(&w);
    world_deinit(&w);
    assert_int_equal(unlink("socket"), 0);
    assert_int_equal(fchdir(here), 0);
    tw_fd_close(&here);
    assert_int_equal(rmdir(root), 0);
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
        tw_unit_test(museum_31_a_failed_connect_does_not_spin),
        tw_unit_test(a_service_that_hangs_up_at_once_is_not_stormed),
        tw_unit_test(pauses_grow_to_a_bound_and_begin_anew),
        tw_unit_test(a_socket_that_appears_is_connected_to),
        tw_unit_test(other_files_make_nobody_try),
        tw_unit_test(a_service_that_shares_no_memory_is_left_for_good),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
