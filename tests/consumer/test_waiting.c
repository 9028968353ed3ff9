/* SPDX-License-Identifier: Apache-2.0 */
/* Calls that wait, of a service that answers, refuses, goes or does nothing at all. Its answers are
 * there before they are asked for: the first call of a connection is request 2. */
#include "tests/consumer/rig.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/sock.h"
#include "fuzz/faults.h"

enum { FIRST_CALL = 2, LONG_MS = 60000, SHORT_MS = 20, READ_BUFFERS = 4, OBSERVE_EVENTS = 8 };

static bool has_body(int which)
{
    return !((which >= 1 && which <= 5) || which == 9 || which == 10);
}

static void every_call_waits_for_its_answer(void **state)
{
    (void)state;
    for (int which = 0; which < N_CALLS; which++) {
        static const char body[] = "\x1a\x04text"; /* of EnableTracing the error text */
        struct rig *rig = rig_bound();
        size_t n = which == READ_BUFFERS ? 0 : sizeof(body) - 1;

        host_reply(rig, FIRST_CALL, true, false, body, n);
        assert_int_equal(wait_nth(rig->consumer, which, LONG_MS, &rig->call[0]), 0);
        if (which == 0 || which == 15)
            assert_string_equal(rig->call[0].text, "text");
        else
            assert_int_equal(rig->call[0].n, has_body(which) ? n : 0);
        rig_free(rig);
    }
}

static void every_call_that_waits_can_be_refused(void **state)
{
    (void)state;
    for (int which = 0; which < N_CALLS; which++) {
        struct rig *rig = rig_bound();

        host_reply(rig, FIRST_CALL, false, false, NULL, 0);
        assert_int_equal(wait_nth(rig->consumer, which, LONG_MS, &rig->call[0]), TW_E_REFUSED);
        rig_free(rig);
    }
}

static void a_service_that_never_answers_is_left_in_time(void **state)
{
    REQ("TW-CONS-110");
    static const char late[] = {0x12, 5, 0x0a, 1, 'x', 0x10, 1};

    (void)state;
    for (int which = 0; which < N_CALLS; which++) {
        struct rig *rig = rig_bound();
        uint64_t began = tw_clock_ns(CLOCK_MONOTONIC);

        assert_int_equal(wait_nth(rig->consumer, which, SHORT_MS, &rig->call[0]), -ETIMEDOUT);
        assert_true(tw_clock_ns(CLOCK_MONOTONIC) - began >= SHORT_MS * TW_NS_PER_MS);
        /* Its answer is nobody's, and the connection is as good as before. */
        if (which == READ_BUFFERS || which == OBSERVE_EVENTS)
            host_reply(rig, FIRST_CALL, true, true, late, sizeof(late));
        host_reply(rig, FIRST_CALL, true, false, "", 0);
        host_reply(rig, FIRST_CALL + 1, true, false, "", 0);
        assert_int_equal(tw_consumer_flush_wait(rig->consumer, 0, 0, LONG_MS), 0);
        assert_int_equal(rig->call[0].packets, 0);
        assert_int_equal(wait_nth(rig->consumer, which, 0, &rig->call[0]), -ETIMEDOUT);
        rig_free(rig); /* with a call that is nobody's */
    }
}

static void a_service_that_goes_is_told(void **state)
{
    (void)state;
    for (int which = 0; which < N_CALLS; which++) {
        struct rig *rig = rig_bound();

        host_close(rig);
        assert_int_equal(wait_nth(rig->consumer, which, LONG_MS, &rig->call[0]), TW_E_CLOSED);
        assert_int_equal(wait_nth(rig->consumer, which, LONG_MS, &rig->call[0]), TW_E_CLOSED);
        rig_free(rig);
    }
}

static void several_answers_are_one(void **state)
{
    struct rig *rig = rig_bound();

    (void)state;
    host_reply(rig, FIRST_CALL, true, true, "one", 3);
    host_reply(rig, FIRST_CALL, true, false, "two", 3);
    assert_int_equal(wait_nth(rig->consumer, 6, LONG_MS, &rig->call[0]), 0);
    assert_string_equal(rig->call[0].text, "onetwo");
    rig_free(rig);
}

static void the_first_event_ends_the_wait(void **state)
{
    struct rig *rig = rig_bound();

    (void)state;
    host_reply(rig, FIRST_CALL, true, true, "event", 5);
    assert_int_equal(wait_nth(rig->consumer, OBSERVE_EVENTS, LONG_MS, &rig->call[0]), 0);
    assert_string_equal(rig->call[0].text, "event");
    rig_free(rig);
}

static void packets_come_while_one_waits(void **state)
{
    static const char body[] = {0x12, 5, 0x0a, 1, 'a', 0x10, 1, 0x12, 5, 0x0a, 1, 'b', 0x10, 1};
    struct rig *rig = rig_bound();

    (void)state;
    host_reply(rig, FIRST_CALL, true, true, body, sizeof(body));
    host_reply(rig, FIRST_CALL, true, false, body, sizeof(body));
    assert_int_equal(wait_nth(rig->consumer, READ_BUFFERS, LONG_MS, &rig->call[0]), 0);
    assert_int_equal(rig->call[0].packets, 4);
    rig_free(rig);
}

static void a_packet_may_free_the_consumer_that_waits(void **state)
{
    static const char body[] = {0x12, 5, 0x0a, 1, 'a', 0x10, 1};
    struct rig *rig = rig_bound();

    (void)state;
    rig->call[0].free_it = rig->consumer;
    host_reply(rig, FIRST_CALL, true, true, body, sizeof(body));
    assert_int_equal(wait_nth(rig->consumer, READ_BUFFERS, LONG_MS, &rig->call[0]), TW_E_CLOSED);
    assert_int_equal(rig->call[0].packets, 1);
    rig->consumer = NULL;
    rig_free(rig);
}

static void wait_inside(void *user, int result)
{
    struct rig *rig = user;

    assert_int_equal(result, 0);
    for (int which = 0; which < N_CALLS; which++)
        assert_int_equal(wait_nth(rig->consumer, which, LONG_MS, &rig->call[1]), TW_E_INVALID);
    rig->call[0].times++;
}

static void a_completion_function_cannot_wait(void **state)
{
    struct rig *rig = rig_bound();
    struct tw_frame frame;

    (void)state;
    assert_int_equal(tw_consumer_flush(rig->consumer, 0, 0, wait_inside, rig), 0);
    (void)host_expect(rig, TW_CONSUMER_FLUSH);
    host_reply(rig, FIRST_CALL, true, false, "", 0);
    assert_int_equal(tw_consumer_dispatch(rig->consumer), 0);
    assert_int_equal(rig->call[0].times, 1);
    assert_false(host_receive(rig, &frame));
    rig_free(rig);
}

static void a_descriptor_stays_the_callers(void **state)
{
    static const struct tw_clone_args args = {.session_id = 1};
    struct rig *rig = rig_bound();
    int fd = open("/dev/null", O_WRONLY | O_CLOEXEC);

    (void)state;
    for (int i = 0; i < 2; i++) { /* with a service, and without one */
        struct tw_bytes config = tw_bytes_of_str("c");
        int rc = i ? TW_E_CLOSED : -ETIMEDOUT;

        assert_int_equal(tw_consumer_enable_tracing_wait(rig->consumer, config, fd, 0, NULL), rc);
        assert_int_equal(tw_consumer_clone_session_wait(rig->consumer, &args, fd, 0, NULL), rc);
        assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
        host_close(rig);
        while (!tw_consumer_dispatch(rig->consumer))
            ;
    }
    tw_fd_close(&fd);
    assert_int_equal(
        tw_consumer_enable_tracing_wait(rig->consumer, tw_bytes_of_str(""), 999, 0, NULL), -EBADF);
    rig_free(rig);
}

/* Its backlog takes one that it never looks at. */
static void connecting_takes_no_longer_than_told(void **state)
{
    struct tw_sock_access access = {0600, (gid_t)-1};
    struct tw_consumer *consumer = NULL;
    char name[64];
    int listener, deaf, rc = 0;

    (void)state;
    snprintf(name, sizeof(name), "@tracewire.waiting.%d", (int)getpid());
    assert_int_equal(tw_consumer_connect_wait(name, LONG_MS, &consumer), -ECONNREFUSED);
    assert_int_equal(tw_sock_listen(name, &access, &listener), 0);
    assert_int_equal(tw_consumer_connect_wait(name, SHORT_MS, &consumer), -ETIMEDOUT);
    assert_int_equal(listen(listener, 0), 0); /* the backlog is full now */
    for (deaf = 0; deaf < 3 && !rc; deaf++)
        rc = tw_consumer_connect_wait(name, deaf ? SHORT_MS : 0, &consumer) != -ETIMEDOUT;
    assert_int_equal(rc, 0);
    assert_null(consumer);
    tw_fd_close(&listener);
}

static void a_service_may_be_reached_by_tcp(void **state)
{
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(addr);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct tw_consumer *consumer;
    struct told told = {0};
    char name[64];

    (void)state;
    assert_int_equal(bind(listener, (struct sockaddr *)&addr, sizeof(addr)), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&addr, &len), 0);
    snprintf(name, sizeof(name), "127.0.0.1:%u", (unsigned)ntohs(addr.sin_port));
    assert_int_equal(tw_consumer_connect(name, on_done, &told, &consumer), -ECONNREFUSED);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(tw_consumer_connect(name, on_done, &told, &consumer), 0);
    tw_consumer_free(consumer);
    assert_told(&told, 1, TW_E_CLOSED);
    tw_fd_close(&listener);
}

static void memory_that_is_short_is_told(void **state)
{
    (void)state;
    for (int which = 0; which < N_CALLS; which++)
        for (unsigned nth = 1, fired = 1; fired; nth++) {
            struct rig *rig = rig_bound();
            int rc;

            host_reply(rig, FIRST_CALL, true, true, "\x12\x00", 2);
            host_reply(rig, FIRST_CALL, true, false, "", 0);
            faults_arm(nth);
            rc = wait_nth(rig->consumer, which, LONG_MS, &rig->call[0]);
            fired = faults_disarm();
            if (fired)
                assert_int_equal(rc, -ENOMEM);
            rig_free(rig);
        }
}

static void memory_that_is_short_for_a_connection_is_told(void **state)
{
    struct tw_sock_access access = {0600, (gid_t)-1};
    struct tw_consumer *consumer = NULL;
    char name[64];
    int listener, rc;
    bool fired = true;

    (void)state;
    snprintf(name, sizeof(name), "@tracewire.short.%d", (int)getpid());
    assert_int_equal(tw_sock_listen(name, &access, &listener), 0);
    for (unsigned nth = 1; fired; nth++) {
        faults_arm(nth);
        rc = tw_consumer_connect_wait(name, 0, &consumer);
        fired = faults_disarm();
        assert_int_equal(rc, fired ? -ENOMEM : -ETIMEDOUT);
    }
    assert_null(consumer);
    tw_fd_close(&listener);
}

static void a_socket_that_is_refused_is_told(void **state)
{
    struct tw_consumer *consumer = NULL;

    (void)state;
    faults_plan(&(struct fault_plan){.what = FAULT_socket, .nth = 1, .error = EMFILE});
    assert_int_equal(tw_consumer_connect_wait("@tracewire.none", 0, &consumer), -EMFILE);
    assert_true(faults_disarm());
    assert_null(consumer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        tw_unit_test(every_call_waits_for_its_answer),
        tw_unit_test(every_call_that_waits_can_be_refused),
        tw_unit_test(a_service_that_never_answers_is_left_in_time),
        tw_unit_test(a_service_that_goes_is_told),
        tw_unit_test(several_answers_are_one),
        tw_unit_test(the_first_event_ends_the_wait),
        tw_unit_test(packets_come_while_one_waits),
        tw_unit_test(a_packet_may_free_the_consumer_that_waits),
        tw_unit_test(a_completion_function_cannot_wait),
        tw_unit_test(a_descriptor_stays_the_callers),
        tw_unit_test(connecting_takes_no_longer_than_told),
        tw_unit_test(a_service_may_be_reached_by_tcp),
        tw_unit_test(memory_that_is_short_is_told),
        tw_unit_test(memory_that_is_short_for_a_connection_is_told),
        tw_unit_test(a_socket_that_is_refused_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
