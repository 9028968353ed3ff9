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
    REQ("TW-LIM-041");
    assert_int_equal(tw_rxbuf_init(&buf, false), 0);
    for (enum touch t = TOUCH_READ; t <= TOUCH_WRITE; t++) {
        assert_int_equal(signal_of_touching(buf.data - 1, t), SIGSEGV);
        assert_int_equal(signal_of_touching(buf.data, t), 0);
        assert_int_equal(signal_of_touching(buf.data + TW_FRAME_MAX - 1, t), 0);
        assert_int_equal(signal_of_touching(buf.data + TW_FRAME_MAX, t), SIGSEGV);
    }
    tw_rxbuf_deinit(&buf);
}

/* A hardened buffer: the last byte of whatever is handed out touches the guard. */
static void reading_past_a_frame_is_a_fault(void **state)
{
    static const uint8_t frames[] = {3, 0, 0, 0, 0x10, 1, 7, 0, 0, 0, 0, 2, 0, 0, 0, 0x10, 1};
    static const size_t sizes[] = {3, 0, 2};
    struct tw_bytes payload;
    struct tw_rx rx;
    uint8_t *p;
    size_t n;

    (void)state;
    assert_int_equal(tw_rx_init(&rx), 0);
    assert_int_equal(tw_rx_harden(&rx), 0);
    tw_rx_space(&rx, &p, &n);
    assert_true(n >= sizeof(frames));
    memcpy(p, frames, sizeof(frames));
    tw_rx_filled(&rx, sizeof(frames), NULL, 0);
    for (size_t i = 0; i < TW_ARRAY_LEN(sizes); i++) {
        uint8_t *end;

        assert_int_equal(tw_rx_next(&rx, &payload), 0);
        assert_int_equal(payload.n, sizes[i]);
        end = rx.buf.stage + TW_FRAME_MAX;
        assert_ptr_equal(payload.p + payload.n, end);
        if (payload.n)
            assert_int_equal(payload.p[0], 0x10);
        assert_int_equal(signal_of_touching(end - 1, TOUCH_READ), 0);
        assert_int_equal(signal_of_touching(end, TOUCH_READ), SIGSEGV);
        assert_int_equal(signal_of_touching(end, TOUCH_WRITE), SIGSEGV);
    }
    assert_int_equal(signal_of_touching(rx.buf.stage - 1, TOUCH_READ), SIGSEGV);
    assert_int_equal(signal_of_touching(rx.buf.data + TW_FRAME_MAX, TOUCH_READ), SIGSEGV);
    assert_int_equal(tw_rx_next(&rx, &payload), TW_MORE);
    tw_rx_deinit(&rx);
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
    REQ("TW-LIM-042");
    assert_int_equal(tw_rxbuf_init(&buf, false), 0);
    assert_int_equal(resident_pages(&buf), 0);
    for (int round = 0; round < 3; round++) {
        fill(&buf, TW_FRAME_MAX);
        assert_int_equal(resident_pages(&buf), TW_FRAME_MAX / buf.page);
        tw_rxbuf_consume(&buf, TW_FRAME_MAX);
        assert_in_range(resident_pages(&buf), 0, 1);
        fill(&buf, TW_FRAME_MAX - 1);
        tw_rxbuf_consume(&buf, TW_FRAME_MAX - 2);
        assert_int_equal(tw_rxbuf_pending(&buf).p[0], 0xa5); /* what is pending stays */
        tw_rxbuf_consume(&buf, 1);
        assert_in_range(resident_pages(&buf), 0, 1);
    }
    tw_rxbuf_deinit(&buf);
}

static void memory_stays_while_a_stream_fills_the_buffer(void **state)
{
    struct tw_rxbuf buf;

    (void)state;
    REQ("TW-LIM-042");
    assert_int_equal(tw_rxbuf_init(&buf, false), 0);
    fill(&buf, TW_FRAME_MAX);
    tw_rxbuf_consume(&buf, TW_FRAME_MAX / 2);
    tw_rxbuf_consume(&buf, TW_FRAME_MAX / 2);
    assert_int_equal(resident_pages(&buf), TW_FRAME_MAX / buf.page);
    fill(&buf, 20); /* the end of the stream */
    tw_rxbuf_consume(&buf, 20);
    assert_in_range(resident_pages(&buf), 0, 1);
    tw_rxbuf_deinit(&buf);
}

static void memory_goes_back_when_a_small_frame_ends_it(void **state)
{
    struct tw_rxbuf buf;
    uint8_t *p;
    size_t n;

    (void)state;
    assert_int_equal(tw_rxbuf_init(&buf, false), 0);
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
    assert_int_equal(tw_rxbuf_init(&buf, false), 0);
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
    assert_int_equal(tw_rxbuf_init(&buf, false), 0);
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
    assert_int_equal(tw_rxbuf_init(&buf, false), 0);
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

/* Ordinary frames, as receive calls bring them: whole, several at once, or cut anywhere. */
static void ordinary_frames_are_never_moved(void **state)
{
    static const size_t sizes[] = {61, 8, 300, 4096, 17, 32768, 6, 1500};
    size_t got = 0, due = 0;
    struct tw_rx rx;

    (void)state;
    assert_int_equal(tw_rx_init(&rx), 0);
    for (size_t call = 0; call < 5000; call++) {
        struct tw_bytes payload;
        uint8_t *p;
        size_t n, cut = call % 3, size = sizes[call % TW_ARRAY_LEN(sizes)];
        uint8_t frame[TW_FRAME_HEADER + 32768] = {(uint8_t)size, (uint8_t)(size >> 8)};
        size_t parts[] = {cut * (TW_FRAME_HEADER + size) / 3, TW_FRAME_HEADER + size};

        for (size_t i = 0, at = 0; i < TW_ARRAY_LEN(parts); at = parts[i++]) {
            tw_rx_space(&rx, &p, &n);
            assert_true(n >= parts[i] - at);
            memcpy(p, frame + at, parts[i] - at);
            tw_rx_filled(&rx, parts[i] - at, NULL, 0);
            while (!tw_rx_next(&rx, &payload))
                got += TW_FRAME_HEADER + payload.n;
        }
        due += TW_FRAME_HEADER + size;
    }
    assert_int_equal(got, due);
    assert_int_equal(rx.buf.moved, 0);
    tw_rx_deinit(&rx);
}

static void receive(struct tw_rx *rx, const char *bytes, size_t n)
{
    uint8_t *p;
    size_t room;

    tw_rx_space(rx, &p, &room);
    assert_true(room >= n);
    memcpy(p, bytes, n);
    tw_rx_filled(rx, n, NULL, 0);
}

static void expect_frame(struct tw_rx *rx, const char *payload)
{
    struct tw_bytes got;

    assert_int_equal(tw_rx_next(rx, &got), 0);
    assert_int_equal(got.n, strlen(payload));
    assert_memory_equal(got.p, payload, got.n);
    assert_int_equal(tw_rx_next(rx, &got), TW_MORE);
}

static void connections_without_a_part_of_a_frame_share_a_buffer(void **state)
{
    struct tw_rxpool pool = {0};
    struct tw_bytes payload;
    struct tw_rx rx[3];
    uint8_t *shared;

    (void)state;
    REQ("TW-LIM-140");
    for (size_t i = 0; i < TW_ARRAY_LEN(rx); i++)
        tw_rx_init_pooled(&rx[i], &pool);
    receive(&rx[0], "\3\0\0\0one", 7);
    shared = rx[0].buf.map;
    expect_frame(&rx[0], "one");
    assert_null(rx[0].buf.map);

    receive(&rx[1], "\3\0\0\0tw", 6); /* a part: it stays where it is */
    assert_ptr_equal(rx[1].buf.map, shared);
    assert_int_equal(tw_rx_next(&rx[1], &payload), TW_MORE);
    receive(&rx[2], "\5\0\0\0three", 9);
    assert_ptr_not_equal(rx[2].buf.map, shared);
    expect_frame(&rx[2], "three");
    receive(&rx[1], "o", 1);
    expect_frame(&rx[1], "two");
    for (size_t i = 0; i < TW_ARRAY_LEN(rx); i++)
        assert_null(rx[i].buf.map); /* the second one went back to the system */

    receive(&rx[0], "\3\0\0\0gone", 8);
    for (size_t i = 0; i < TW_ARRAY_LEN(rx); i++)
        tw_rx_deinit(&rx[i]);
    assert_int_equal(tw_rxbuf_pending(&pool.spare).n, 0);
    tw_rxpool_deinit(&pool);
}

static void deinit_takes_anything(void **state)
{
    struct tw_rxbuf buf = {0};

    (void)state;
    tw_rxbuf_deinit(NULL);
    tw_rxbuf_deinit(&buf);
    assert_int_equal(tw_rxbuf_init(&buf, false), 0);
    tw_rxbuf_deinit(&buf);
    tw_rxbuf_deinit(&buf);
    assert_null(buf.map);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        tw_unit_test(touching_outside_is_a_fault),
        tw_unit_test(reading_past_a_frame_is_a_fault),
        tw_unit_test(memory_of_a_large_frame_goes_back),
        tw_unit_test(memory_stays_while_a_stream_fills_the_buffer),
        tw_unit_test(memory_goes_back_when_a_small_frame_ends_it),
        tw_unit_test(small_frames_keep_their_page),
        tw_unit_test(pending_bytes_survive_a_move),
        tw_unit_test(nothing_moves_without_need),
        tw_unit_test(ordinary_frames_are_never_moved),
        tw_unit_test(connections_without_a_part_of_a_frame_share_a_buffer),
        tw_unit_test(deinit_takes_anything),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
