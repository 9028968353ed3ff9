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
#include "frame/pump.h"
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
    assert_int_equal(w.disconnects, 1);
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

/* ---- connections that come and go ---- */

/* So that a test of many does not take long. */
static void try_soon(struct world *w)
{
    w->producer->backoff_ms = 1;
}

static void the_program_hears_of_each_connection(void **state)
{
    struct world w;

    (void)state;
    world_init(&w);
    assert_int_equal(w.connects, 0);
    for (int i = 1; i <= 3; i++) {
        world_bring_up(&w);
        assert_int_equal(w.connects, i);
        assert_int_equal(w.disconnects, i - 1);
        try_soon(&w);
        world_hang_up(&w);
        UNTIL(&w, w.disconnects == i);
    }
    world_bring_up(&w);
    world_deinit(&w); /* which is no news */
    assert_int_equal(w.connects, 4);
    assert_int_equal(w.disconnects, 3);
}

/* Upstream's callback deleted the client that was just failing to connect. */
static void museum_26_a_producer_is_closed_at_any_stage_of_connecting(void **state)
{
    struct world w;

    (void)state;
    for (int steps = 0; steps < 12; steps++) {
        for (int listens = 0; listens < 2; listens++) {
            int connects, stops;

            world_prepare(&w);
            if (listens)
                world_listen(&w);
            world_open(&w);
            try_soon(&w);
            for (int i = 0; i < steps; i++)
                world_step(&w, 1);
            connects = w.connects;
            stops = w.stops;
            world_deinit(&w);
            assert_int_equal(w.connects, connects);
            assert_int_equal(w.disconnects, 0);
            assert_int_equal(w.stops, stops);
        }
    }
}

static void museum_27_a_service_that_leaves_before_its_answer_is_missed(void **state)
{
    struct world w;
    uint8_t byte;
    int conn;

    (void)state;
    world_prepare(&w);
    world_listen(&w);
    world_open(&w);
    conn = accept4(w.listener, NULL, NULL, SOCK_CLOEXEC);
    assert_true(conn >= 0);
    assert_int_equal(recv(conn, &byte, 1, MSG_PEEK), 1); /* the bind is there */
    tw_fd_close(&conn);
    w.mute = true; /* now with its calls outstanding */
    try_soon(&w);
    UNTIL(&w, w.n_calls == 2);
    world_hang_up(&w);
    w.mute = false;
    try_soon(&w);
    world_bring_up(&w);
    assert_int_equal(w.connects, 1);
    assert_int_equal(w.disconnects, 0);
    world_deinit(&w);
}

static void museum_28_answers_without_a_body_are_refusals(void **state)
{
    struct tw_trace_writer *writer;
    struct world w;

    (void)state;
    for (uint32_t method = 1; method <= TW_PRODUCER_UPDATE_DATA_SOURCE; method++) {
        bool needed =
            method == TW_PRODUCER_INITIALIZE_CONNECTION || method == TW_PRODUCER_GET_ASYNC_COMMAND;

        world_init(&w);
        try_soon(&w);
        w.refused = method;
        if (needed) {
            UNTIL(&w, w.conn >= 0);
            UNTIL(&w, w.conn < 0);
            w.refused = 0;
        }
        world_bring_up(&w);
        world_start_instance(&w, 5);
        assert_int_equal(tw_writer_new(&writer, w.instance, TW_EXHAUSTED_DROP), 0);
        tw_writer_begin(writer);
        assert_int_equal(tw_writer_end(writer), 0);
        tw_writer_free(writer);
        assert_int_equal(tw_producer_update(w.producer, "tw.test", world_no_bytes), 0);
        UNTIL(&w, w.moves == 1 && world_has_call(&w, TW_PRODUCER_UPDATE_DATA_SOURCE));
        assert_int_equal(tw_producer_unregister(w.producer, "tw.test"), 0);
        UNTIL(&w, world_has_call(&w, TW_PRODUCER_NOTIFY_DATA_SOURCE_STOPPED));
        assert_true(tw_producer_connected(w.producer));
        world_deinit(&w);
    }
}

/* ---- a service that does not read ---- */

/* Something waits that the socket does not take. */
static void fill_socket(struct world *w)
{
    static uint8_t filler[100 * 1024];
    char name[16];
    struct tw_data_source_config source = {.name = name, .descriptor = {filler, sizeof(filler)}};

    for (int i = 0; i < 8; i++) {
        snprintf(name, sizeof(name), "source %d", i);
        assert_int_equal(tw_producer_register(w->producer, &source), 0);
    }
    for (int i = 0; i < 3; i++)
        assert_int_equal(tw_producer_dispatch(w->producer, 0), 0);
    assert_true(tw_tx_queued(&w->producer->client.tx) > 0);
}

static void a_service_that_takes_nothing_is_left_after_a_while(void **state)
{
    REQ("TW-NET-064");
    uint64_t begin = tw_clock_ns(CLOCK_MONOTONIC);
    struct world w;

    (void)state;
    world_prepare(&w);
    w.config.send_deadline_ms = 50;
    world_open(&w);
    world_listen(&w);
    world_bring_up(&w);
    fill_socket(&w);
    while (w.disconnects == 0)
        assert_int_equal(tw_producer_dispatch(w.producer, -1), 0);
    assert_true(tw_clock_ns(CLOCK_MONOTONIC) - begin >= 50 * TW_NS_PER_MS);
    world_hang_up(&w);
    w.producer->config.send_deadline_ms = 0; /* even if this machine is slow */
    world_bring_up(&w);
    world_hang_up(&w); /* or it would be given the time to take all that is offered */
    world_deinit(&w);
}

static void who_takes_something_has_all_its_time_again(void **state)
{
    REQ("TW-NET-064");
    struct world w;
    uint64_t due;

    (void)state;
    world_prepare(&w);
    w.config.send_deadline_ms = 60 * 1000;
    world_open(&w);
    world_listen(&w);
    world_bring_up(&w);
    assert_false(tw_timer_is_set(&w.producer->deadline));
    fill_socket(&w);
    assert_true(tw_timer_is_set(&w.producer->deadline));
    due = w.producer->deadline.due_ns;
    world_command(&w, 5, 5, 33, world_no_bytes, -1); /* more to say, and no more room */
    assert_int_equal(tw_pump_out(w.conn, &w.host.tx), 0);
    assert_int_equal(tw_producer_dispatch(w.producer, 0), 0);
    assert_int_equal(w.producer->stats.flushes, 1);
    assert_true(w.producer->deadline.due_ns == due);
    UNTIL(&w, w.producer->deadline.due_ns > due); /* the service reads */
    UNTIL(&w, tw_tx_queued(&w.producer->client.tx) == 0 && !w.producer->sources_wait);
    assert_false(tw_timer_is_set(&w.producer->deadline));
    world_deinit(&w);
}

static void the_program_says_how_much_the_socket_holds(void **state)
{
    static const size_t sizes[] = {16384, 65536};
    int held[2];

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        socklen_t len = sizeof(held[i]);
        struct world w;

        world_prepare(&w);
        world_listen(&w);
        w.config.send_buffer = sizes[i];
        world_open(&w);
        assert_int_equal(getsockopt(w.producer->sock_io.fd, SOL_SOCKET, SO_SNDBUF, &held[i], &len),
                         0);
        world_bring_up(&w);
        world_deinit(&w);
    }
    assert_int_equal(held[1], 4 * held[0]); /* the kernel doubles both */
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
        tw_unit_test(the_program_hears_of_each_connection),
        tw_unit_test(museum_26_a_producer_is_closed_at_any_stage_of_connecting),
        tw_unit_test(museum_27_a_service_that_leaves_before_its_answer_is_missed),
        tw_unit_test(museum_28_answers_without_a_body_are_refusals),
        tw_unit_test(a_service_that_takes_nothing_is_left_after_a_while),
        tw_unit_test(who_takes_something_has_all_its_time_again),
        tw_unit_test(the_program_says_how_much_the_socket_holds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
