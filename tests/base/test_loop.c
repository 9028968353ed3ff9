/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/harness.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/loop.h"

/* A pipe whose reading end is in the loop. */
struct watched {
    struct tw_io io;
    struct tw_loop *loop;
    int write_fd;
    unsigned calls;
    struct watched *drop; /* taken out of the loop by the callback */
    bool quits;
};

static void on_readable(struct tw_io *io, uint32_t events)
{
    struct watched *w = TW_CONTAINER_OF(io, struct watched, io);

    assert_true(events & EPOLLIN);
    w->calls++;
    if (w->drop)
        tw_loop_del(w->loop, &w->drop->io);
    if (w->quits)
        tw_loop_quit(w->loop);
}

static void watch(struct watched *w, struct tw_loop *loop)
{
    int pair[2];

    assert_int_equal(pipe2(pair, O_CLOEXEC | O_NONBLOCK), 0);
    *w = (struct watched){
        .io = {.fd = pair[0], .events = EPOLLIN, .fn = on_readable},
        .loop = loop,
        .write_fd = pair[1],
    };
    assert_int_equal(tw_loop_add(loop, &w->io), 0);
}

static void unwatch(struct watched *w)
{
    tw_loop_del(w->loop, &w->io);
    tw_fd_close(&w->io.fd);
    tw_fd_close(&w->write_fd);
}

static struct tw_loop *new_loop(void)
{
    struct tw_loop *loop = NULL;

    assert_int_equal(tw_loop_new(&loop), 0);
    assert_non_null(loop);
    return loop;
}

static void descriptors_of_the_loop_are_close_on_exec(void **state)
{
    struct tw_loop *loop = new_loop();

    (void)state;
    assert_true(fcntl(tw_loop_fd(loop), F_GETFD) & FD_CLOEXEC);
    tw_loop_free(loop);
    tw_loop_free(NULL);
}

static void readable_descriptors_are_dispatched(void **state)
{
    struct tw_loop *loop = new_loop();
    struct watched w;

    (void)state;
    watch(&w, loop);
    assert_int_equal(tw_loop_once(loop, 0), 0);
    assert_int_equal(w.calls, 0);
    assert_int_equal(write(w.write_fd, "x", 1), 1);
    assert_int_equal(poll(&(struct pollfd){.fd = tw_loop_fd(loop), .events = POLLIN}, 1, 0), 1);
    assert_int_equal(tw_loop_once(loop, -1), 0);
    assert_int_equal(tw_loop_once(loop, -1), 0); /* level-triggered: nothing was read */
    assert_int_equal(w.calls, 2);
    unwatch(&w);
    tw_loop_free(loop);
}

static void what_is_waited_for_can_be_changed(void **state)
{
    struct tw_loop *loop = new_loop();
    struct watched w;

    (void)state;
    watch(&w, loop);
    assert_int_equal(write(w.write_fd, "x", 1), 1);
    assert_int_equal(tw_loop_mod(loop, &w.io, 0), 0);
    assert_int_equal(tw_loop_once(loop, 0), 0);
    assert_int_equal(w.calls, 0);
    assert_int_equal(tw_loop_mod(loop, &w.io, EPOLLIN), 0);
    assert_int_equal(tw_loop_mod(loop, &w.io, EPOLLIN), 0);
    assert_int_equal(tw_loop_once(loop, 0), 0);
    assert_int_equal(w.calls, 1);
    unwatch(&w);
    tw_loop_free(loop);
}

/* Both are readable; whichever comes first takes the other out, which then must not be called. */
static void nothing_is_called_after_it_was_taken_out(void **state)
{
    struct tw_loop *loop = new_loop();
    struct watched a, b;

    (void)state;
    watch(&a, loop);
    watch(&b, loop);
    a.drop = &b;
    b.drop = &a;
    assert_int_equal(write(a.write_fd, "x", 1), 1);
    assert_int_equal(write(b.write_fd, "x", 1), 1);
    assert_int_equal(tw_loop_once(loop, -1), 0);
    assert_int_equal(a.calls + b.calls, 1);
    unwatch(&a);
    unwatch(&b);
    tw_loop_free(loop);
}

static void run_ends_at_quit_and_may_run_again(void **state)
{
    struct tw_loop *loop = new_loop();
    struct watched w;

    (void)state;
    watch(&w, loop);
    w.quits = true;
    assert_int_equal(write(w.write_fd, "x", 1), 1);
    assert_int_equal(tw_loop_run(loop), 0);
    assert_int_equal(tw_loop_run(loop), 0);
    assert_int_equal(w.calls, 2);
    unwatch(&w);
    tw_loop_free(loop);
}

static void a_descriptor_that_cannot_be_watched_is_an_error(void **state)
{
    struct tw_loop *loop = new_loop();
    struct tw_io io = {.fd = -1, .events = EPOLLIN, .fn = on_readable};

    (void)state;
    assert_int_equal(tw_loop_add(loop, &io), -EBADF);
    tw_loop_free(loop);
}

struct alarm {
    struct tw_timer timer;
    struct tw_loop *loop;
    uint64_t ran_ns;
};

static void on_alarm(struct tw_timer *timer)
{
    struct alarm *a = TW_CONTAINER_OF(timer, struct alarm, timer);

    a->ran_ns = tw_clock_ns(CLOCK_MONOTONIC);
    tw_loop_quit(a->loop);
}

static void timers_run_when_due_and_not_before(void **state)
{
    struct tw_loop *loop = new_loop();
    struct alarm a = {.timer.fn = on_alarm, .loop = loop};
    uint64_t due = tw_clock_ns(CLOCK_MONOTONIC) + 5 * TW_NS_PER_MS;

    (void)state;
    assert_int_equal(tw_timer_set(tw_loop_timers(loop), &a.timer, due), 0);
    assert_int_equal(tw_loop_run(loop), 0);
    assert_true(a.ran_ns >= due);
    assert_false(tw_timer_is_set(&a.timer));
    tw_loop_free(loop);
}

static void an_earlier_timer_is_not_held_up_by_a_later_one(void **state)
{
    struct tw_loop *loop = new_loop();
    struct alarm late = {.timer.fn = on_alarm, .loop = loop}, soon = late;
    uint64_t now = tw_clock_ns(CLOCK_MONOTONIC);

    (void)state;
    assert_int_equal(tw_timer_set(tw_loop_timers(loop), &late.timer, now + 3600 * TW_NS_PER_S), 0);
    assert_int_equal(tw_loop_once(loop, 0), 0);
    assert_int_equal(tw_timer_set(tw_loop_timers(loop), &soon.timer, now), 0);
    assert_int_equal(tw_loop_run(loop), 0);
    assert_true(soon.ran_ns >= now);
    assert_int_equal(late.ran_ns, 0);
    tw_timer_clear(tw_loop_timers(loop), &late.timer);
    tw_loop_free(loop);
}

static void a_timer_at_zero_is_due_at_once(void **state)
{
    struct tw_loop *loop = new_loop();
    struct alarm a = {.timer.fn = on_alarm, .loop = loop};

    (void)state;
    assert_int_equal(tw_timer_set(tw_loop_timers(loop), &a.timer, 0), 0);
    assert_int_equal(tw_loop_run(loop), 0);
    assert_true(a.ran_ns > 0);
    tw_loop_free(loop);
}

static void on_signal(int signo, void *user)
{
    int *seen = user;

    *seen = signo;
}

static void signals_arrive_as_calls(void **state)
{
    struct tw_loop *loop = new_loop();
    sigset_t set, before;
    int seen = 0;

    (void)state;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    assert_int_equal(sigprocmask(SIG_BLOCK, NULL, &before), 0);
    assert_int_equal(tw_loop_signals(loop, &set, on_signal, &seen), 0);
    assert_int_equal(kill(getpid(), SIGUSR1), 0);
    assert_int_equal(seen, 0);
    assert_int_equal(tw_loop_once(loop, -1), 0);
    assert_int_equal(seen, SIGUSR1);
    tw_loop_free(loop);
    assert_int_equal(sigprocmask(SIG_SETMASK, &before, NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        tw_unit_test(descriptors_of_the_loop_are_close_on_exec),
        tw_unit_test(readable_descriptors_are_dispatched),
        tw_unit_test(what_is_waited_for_can_be_changed),
        tw_unit_test(nothing_is_called_after_it_was_taken_out),
        tw_unit_test(run_ends_at_quit_and_may_run_again),
        tw_unit_test(a_descriptor_that_cannot_be_watched_is_an_error),
        tw_unit_test(timers_run_when_due_and_not_before),
        tw_unit_test(an_earlier_timer_is_not_held_up_by_a_later_one),
        tw_unit_test(a_timer_at_zero_is_due_at_once),
        tw_unit_test(signals_arrive_as_calls),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
