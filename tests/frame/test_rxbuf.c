/* SPDX-License-Identifier: Apache-2.0 */
/* The receive buffer: guards on both sides, room for any frame, memory given back. */
#include "tests/frame/frames.h"

#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "frame/rxbuf.h"

enum touch { TOUCH_READ, TOUCH_WRITE };

/* The signal that touching this byte kills a process with, 0 if it survives. */
static int signal_of_touching(volatile uint8_t *p, enum touch touch)
{
    pid_t pid = fork();
    int status = 0;

    assert_true(pid >= 0);
    if (pid == 0) {
        const struct rlimit no_core = {0};

        setrlimit(RLIMIT_CORE, &no_core);
        signal(SIGSEGV, SIG_DFL); /* not the one of cmocka or of a sanitizer */
        if (touch == TOUCH_WRITE)
            *p = 1;
        else
            (void)*p;
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static void touching_outside_is_a_fault(void **state)
{
    struct tw_rxbuf buf;

    (void)state;
    assert_int_equal(tw_rxbuf_init(&buf), 0);
    for (enum touch t = TOUCH_READ; t <= TOUCH_WRITE; t++) {
        assert_int_equal(signal_of_touching(buf.data - 1, t), SIGSEGV);
        assert_int_equal(signal_of_touching(buf.data, t), 0);
        assert_int_equal(signal_of_touching(buf.data + TW_FRAME_MAX - 1, t), 0);
        assert_int_equal(signal_of_touching(buf.data + TW_FRAME_MAX, t), SIGSEGV);
    }
    tw_rxbuf_deinit(&buf);
}

static size_t resident_pages(const struct tw_rxbuf *buf)
{
    unsigned char in_core[TW_FRAME_MAX / 4096];
    size_t n = 0;

    assert_int_equal(mincore(buf->data, TW_FRAME_MAX, in_core), 0);
    for (size_t i = 0; i < TW_FRAME_MAX / buf->page; i++)
        n += in_core[i] & 1;
    return n;
}

static void fill(struct tw_rxbuf *buf, size_t n)
{
    uint8_t *p;
    size_t room;

    tw_rxbuf_space(buf, n, &p, &room);
    assert_true(room >= n);
    memset(p, 0xa5, n);
    tw_rxbuf_filled(buf, n);
}

static void memory_of_a_large_frame_goes_back(void **state)
{
    struct tw_rxbuf buf;

    (void)state;
    assert_int_equal(tw_rxbuf_init(&buf), 0);
    assert_int_equal(resident_pages(&buf), 0);
    for (int round = 0; round < 3; round++) {
        fill(&buf, TW_FRAME_MAX);
        assert_int_equal(resident_pages(&buf), TW_FRAME_MAX / buf.page);
        tw_rxbuf_consume(&buf, TW_FRAME_MAX - 1);
        assert_int_equal(tw_rxbuf_pending(&buf).p[0], 0xa5); /* what is pending stays */
        tw_rxbuf_consume(&buf, 1);
        assert_in_range(resident_pages(&buf), 0, 1);
    }
    tw_rxbuf_deinit(&buf);
}

static void memory_goes_back_when_a_small_frame_ends_it(void **state)
{
    struct tw_rxbuf buf;
    uint8_t *p;
    size_t n;

    (void)state;
    assert_int_equal(tw_rxbuf_init(&buf), 0);
    fill(&buf, TW_FRAME_MAX);
    tw_rxbuf_consume(&buf, TW_FRAME_MAX - 10);
    tw_rxbuf_space(&buf, 100, &p, &n); /* moves the last ten bytes to the front */
    assert_ptr_equal(tw_rxbuf_pending(&buf).p, buf.data);
    tw_rxbuf_consume(&buf, 10);
    assert_in_range(resident_pages(&buf), 0, 1);
    tw_rxbuf_deinit(&buf);
}

static void small_frames_keep_their_page(void **state)
{
    struct tw_rxbuf buf;

    (void)state;
    assert_int_equal(tw_rxbuf_init(&buf), 0);
    fill(&buf, 20);
    tw_rxbuf_consume(&buf, 20);
    assert_int_equal(resident_pages(&buf), 1);
    tw_rxbuf_deinit(&buf);
}

/* Space may move what is pending, and never changes it. */
static void pending_bytes_survive_a_move(void **state)
{
    struct tw_rxbuf buf;
    uint8_t *p;
    size_t n;

    (void)state;
    assert_int_equal(tw_rxbuf_init(&buf), 0);
    tw_rxbuf_space(&buf, 0, &p, &n);
    assert_int_equal(n, TW_FRAME_MAX);
    for (size_t i = 0; i < n; i++)
        p[i] = (uint8_t)(i % 251);
    tw_rxbuf_filled(&buf, n);
    tw_rxbuf_consume(&buf, 1000);
    tw_rxbuf_space(&buf, 0, &p, &n); /* full to the end: room only by moving */
    assert_int_equal(n, 1000);
    assert_int_equal(tw_rxbuf_pending(&buf).n, TW_FRAME_MAX - 1000);
    for (size_t i = 0; i < TW_FRAME_MAX - 1000; i++)
        assert_int_equal(tw_rxbuf_pending(&buf).p[i], (i + 1000) % 251);
    tw_rxbuf_deinit(&buf);
}

/* As long as there is room for the rest of the frame nothing is moved. */
static void nothing_moves_without_need(void **state)
{
    struct tw_rxbuf buf;
    const uint8_t *before;
    uint8_t *p;
    size_t n;

    (void)state;
    assert_int_equal(tw_rxbuf_init(&buf), 0);
    fill(&buf, 100);
    tw_rxbuf_consume(&buf, 60);
    before = tw_rxbuf_pending(&buf).p;
    tw_rxbuf_space(&buf, TW_FRAME_MAX - 100, &p, &n);
    assert_ptr_equal(tw_rxbuf_pending(&buf).p, before);
    tw_rxbuf_space(&buf, TW_FRAME_MAX - 99, &p, &n);
    assert_ptr_equal(tw_rxbuf_pending(&buf).p, buf.data);
    assert_int_equal(n, TW_FRAME_MAX - 40);
    tw_rxbuf_deinit(&buf);
}

static void deinit_takes_anything(void **state)
{
    struct tw_rxbuf buf = {0};

    (void)state;
    tw_rxbuf_deinit(NULL);
    tw_rxbuf_deinit(&buf);
    assert_int_equal(tw_rxbuf_init(&buf), 0);
    tw_rxbuf_deinit(&buf);
    tw_rxbuf_deinit(&buf);
    assert_null(buf.map);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        tw_unit_test(touching_outside_is_a_fault),
        tw_unit_test(memory_of_a_large_frame_goes_back),
        tw_unit_test(memory_goes_back_when_a_small_frame_ends_it),
        tw_unit_test(small_frames_keep_their_page),
        tw_unit_test(pending_bytes_survive_a_move),
        tw_unit_test(nothing_moves_without_need),
        tw_unit_test(deinit_takes_anything),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
