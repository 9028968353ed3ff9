/* SPDX-License-Identifier: Apache-2.0 */
/* The receiving half: frames out of any division of the bytes, descriptors bound to their frame. */
#include "tests/frame/frames.h"

#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "base/macros.h"
#include "base/req.h"

/* Three frames, the middle one empty. */
static void three_frames(struct tw_buf *wire)
{
    struct tw_frame a = bind_frame(1, "ProducerPort"), c = invoke_frame(2, 1, 5);

    wire_put(wire, &a);
    wire_put_payload(wire, (struct tw_bytes){0});
    wire_put(wire, &c);
}

/* Takes every whole frame, appending payloads with their size to *got. */
static void drain(struct tw_rx *rx, struct tw_buf *got)
{
    struct tw_bytes payload;
    int rc;

    while (!(rc = tw_rx_next(rx, &payload)))
        wire_put_payload(got, payload);
    assert_int_equal(rc, TW_MORE);
}

static void assert_same(const struct tw_buf *got, const struct tw_buf *want)
{
    assert_int_equal(got->n, want->n);
    assert_memory_equal(got->p, want->p, want->n);
}

static void frames_come_out_of_any_split(void **state)
{
    struct tw_buf wire = WIRE_INIT, got = WIRE_INIT;

    (void)state;
    three_frames(&wire);
    for (size_t a = 0; a <= wire.n; a++) {
        for (size_t b = a; b <= wire.n; b++) {
            struct tw_rx rx;

            assert_int_equal(tw_rx_init(&rx), 0);
            got.n = 0;
            rx_put(&rx, (struct tw_bytes){wire.p, a}, NULL, 0);
            drain(&rx, &got);
            rx_put(&rx, (struct tw_bytes){wire.p + a, b - a}, NULL, 0);
            drain(&rx, &got);
            rx_put(&rx, (struct tw_bytes){wire.p + b, wire.n - b}, NULL, 0);
            drain(&rx, &got);
            assert_same(&got, &wire);
            tw_rx_deinit(&rx);
        }
    }
    tw_buf_deinit(&wire);
    tw_buf_deinit(&got);
}

/* A long stream of frames of every size class through one buffer, in pieces of a fixed size. */
static void long_stream_in_pieces_of(size_t piece)
{
    static const size_t sizes[] = {0, 1, 100, 4092, 4093, 65536, TW_FRAME_PAYLOAD_MAX, 7};
    struct tw_buf wire = WIRE_INIT, got = WIRE_INIT;
    uint8_t *body = malloc(TW_FRAME_PAYLOAD_MAX);
    struct tw_rx rx;

    assert_non_null(body);
    for (size_t i = 0; i < TW_FRAME_PAYLOAD_MAX; i++)
        body[i] = (uint8_t)(i % 253);
    for (size_t round = 0; round < 3; round++)
        for (size_t i = 0; i < TW_ARRAY_LEN(sizes); i++)
            wire_put_payload(&wire, (struct tw_bytes){body, sizes[i]});
    assert_int_equal(tw_rx_init(&rx), 0);
    for (size_t at = 0; at < wire.n;) {
        uint8_t *p;
        size_t n;

        tw_rx_space(&rx, &p, &n);
        assert_true(n > 0);
        n = tw_min(tw_min(n, piece), wire.n - at);
        memcpy(p, wire.p + at, n);
        tw_rx_filled(&rx, n, NULL, 0);
        at += n;
        drain(&rx, &got);
    }
    assert_same(&got, &wire);
    tw_rx_deinit(&rx);
    free(body);
    tw_buf_deinit(&wire);
    tw_buf_deinit(&got);
}

static void long_streams_come_through(void **state)
{
    (void)state;
    long_stream_in_pieces_of(251);
    long_stream_in_pieces_of(4096);
    long_stream_in_pieces_of(TW_FRAME_MAX - 1);
    long_stream_in_pieces_of(TW_FRAME_MAX);
}

/* What a large frame has behind a small one is moved to make room for all of it: once, and as soon
 * as its size is known. */
static void room_for_a_frame_is_made_once(void **state)
{
    struct tw_buf wire = WIRE_INIT;
    uint8_t *body = calloc(1, TW_FRAME_PAYLOAD_MAX);
    const size_t small = TW_FRAME_HEADER + 10, begun = TW_FRAME_HEADER + 1;
    struct tw_bytes payload;
    struct tw_rx rx;
    uint8_t *p;
    size_t n;

    (void)state;
    assert_non_null(body);
    wire_put_payload(&wire, (struct tw_bytes){body, small - TW_FRAME_HEADER});
    wire_put_payload(&wire, (struct tw_bytes){body, TW_FRAME_PAYLOAD_MAX});
    assert_int_equal(tw_rx_init(&rx), 0);
    rx_put(&rx, (struct tw_bytes){wire.p, small + begun}, NULL, 0);
    assert_int_equal(tw_rx_next(&rx, &payload), 0);
    assert_int_equal(tw_rx_next(&rx, &payload), TW_MORE);
    tw_rx_space(&rx, &p, &n);
    assert_int_equal(n, TW_FRAME_MAX - begun);
    rx_put(&rx, (struct tw_bytes){wire.p + small + begun, n}, NULL, 0);
    assert_int_equal(tw_rx_next(&rx, &payload), 0);
    assert_int_equal(payload.n, TW_FRAME_PAYLOAD_MAX);
    assert_int_equal(rx.buf.moved, begun);
    tw_rx_deinit(&rx);
    tw_buf_deinit(&wire);
    free(body);
}

static void too_large_is_known_from_the_header(void **state)
{
    struct tw_rx rx;
    struct tw_buf wire = WIRE_INIT;
    struct tw_bytes payload;

    (void)state;
    wire_put_hex(&wire, "00000000 fdff0100");
    assert_int_equal(tw_rx_init(&rx), 0);
    rx_put(&rx, tw_buf_bytes(&wire), NULL, 0);
    assert_int_equal(tw_rx_next(&rx, &payload), 0);
    assert_int_equal(payload.n, 0);
    assert_int_equal(tw_rx_next(&rx, &payload), TW_E_PROTOCOL);
    assert_int_equal(tw_rx_next(&rx, &payload), TW_E_PROTOCOL); /* for good */
    tw_rx_deinit(&rx);
    tw_buf_deinit(&wire);
}

/* The descriptor belongs to the frame that holds the last byte of its receive call, wherever that
 * call's bytes begin and end. */
static void descriptor_belongs_to_the_frame_of_the_last_byte(void **state)
{
    REQ("TW-FD-010");
    struct tw_buf wire = WIRE_INIT;
    struct tw_bytes payload;

    (void)state;
    three_frames(&wire);
    for (size_t end = 1; end <= wire.n; end++) {
        size_t at = 0;
        struct tw_rx rx;
        int fd = new_fd();

        assert_int_equal(tw_rx_init(&rx), 0);
        rx_put(&rx, (struct tw_bytes){wire.p, end}, &fd, 1);
        for (int part = 0; part < 2; part++) {
            while (!tw_rx_next(&rx, &payload)) {
                size_t frame_end = at + TW_FRAME_HEADER + payload.n;
                int got = tw_rx_take_fd(&rx);

                assert_int_equal(got, at < end && end <= frame_end ? fd : -1);
                assert_int_equal(tw_rx_take_fd(&rx), -1);
                tw_fd_close(&got);
                at = frame_end;
            }
            if (part == 0)
                rx_put(&rx, (struct tw_bytes){wire.p + end, wire.n - end}, NULL, 0);
        }
        assert_int_equal(at, wire.n);
        tw_rx_deinit(&rx);
    }
    tw_buf_deinit(&wire);
}

static void each_frame_gets_its_own_descriptor(void **state)
{
    struct tw_buf wire = WIRE_INIT;
    struct tw_bytes payload;
    struct tw_rx rx;
    int fds[4];

    (void)state;
    assert_int_equal(tw_rx_init(&rx), 0);
    for (size_t i = 0; i < TW_ARRAY_LEN(fds); i++) {
        struct tw_frame frame = invoke_frame(i, 1, 1);

        fds[i] = new_fd();
        wire.n = 0;
        wire_put(&wire, &frame);
        rx_put(&rx, tw_buf_bytes(&wire), &fds[i], i == 2 ? 0 : 1);
    }
    for (size_t i = 0; i < TW_ARRAY_LEN(fds); i++) {
        int got;

        assert_int_equal(tw_rx_next(&rx, &payload), 0);
        got = tw_rx_take_fd(&rx);
        assert_int_equal(got, i == 2 ? -1 : fds[i]);
        tw_fd_close(&got);
    }
    tw_fd_close(&fds[2]);
    assert_int_equal(tw_rx_next(&rx, &payload), TW_MORE);
    tw_rx_deinit(&rx);
    tw_buf_deinit(&wire);
}

static void only_the_first_of_a_frame_is_kept(void **state)
{
    REQ("TW-FD-004");
    struct tw_buf wire = WIRE_INIT;
    struct tw_bytes payload;
    struct tw_rx rx;
    int before = tw_fd_count_open(), fds[3], got;

    (void)state;
    for (size_t i = 0; i < TW_ARRAY_LEN(fds); i++)
        fds[i] = new_fd();
    wire_put_hex(&wire, "02000000 1001");
    assert_int_equal(tw_rx_init(&rx), 0);
    rx_put(&rx, (struct tw_bytes){wire.p, 3}, fds, 2);
    rx_put(&rx, (struct tw_bytes){wire.p + 3, 3}, fds + 2, 1);
    assert_int_equal(tw_rx_next(&rx, &payload), 0);
    assert_int_equal(tw_fd_count_open(), before + 1);
    got = tw_rx_take_fd(&rx);
    assert_int_equal(got, fds[0]);
    tw_fd_close(&got);
    tw_rx_deinit(&rx);
    tw_buf_deinit(&wire);
}

static void descriptor_nobody_took_closes_with_its_frame(void **state)
{
    REQ("TW-FD-004");
    struct tw_bytes payload, empty_frame = {(const uint8_t *)"\0\0\0\0", 4};
    int before = tw_fd_count_open(), fd;
    struct tw_rx rx;

    (void)state;
    assert_int_equal(tw_rx_init(&rx), 0);
    for (int asks_next = 0; asks_next < 2; asks_next++) {
        uint8_t *p;
        size_t n;

        fd = new_fd();
        rx_put(&rx, empty_frame, &fd, 1);
        assert_int_equal(tw_rx_next(&rx, &payload), 0);
        assert_int_equal(tw_fd_count_open(), before + 1);
        if (asks_next)
            assert_int_equal(tw_rx_next(&rx, &payload), TW_MORE);
        else
            tw_rx_space(&rx, &p, &n);
        assert_int_equal(tw_fd_count_open(), before);
    }
    tw_rx_deinit(&rx);
}

static void descriptors_without_bytes_are_closed(void **state)
{
    REQ("TW-FD-004");
    int before = tw_fd_count_open(), fds[2] = {new_fd(), new_fd()};
    struct tw_bytes payload;
    struct tw_rx rx;

    (void)state;
    assert_int_equal(tw_rx_init(&rx), 0);
    rx_put(&rx, (struct tw_bytes){0}, fds, 2);
    assert_int_equal(tw_fd_count_open(), before);
    assert_int_equal(tw_rx_next(&rx, &payload), TW_MORE);
    tw_rx_deinit(&rx);
}

/* A peer may pin TW_RX_FDS_MAX and no more, and gets them back when it goes. */
static void waiting_descriptors_are_bounded(void **state)
{
    REQ("TW-LIM-003");
    int before = tw_fd_count_open();
    struct tw_bytes payload;
    struct tw_rx rx;

    (void)state;
    assert_int_equal(tw_rx_init(&rx), 0);
    rx_put(&rx, (struct tw_bytes){(const uint8_t *)"\x40\0\0\0", 4}, NULL, 0);
    for (int i = 0; i < TW_RX_FDS_MAX + 5; i++) {
        int fd = new_fd();

        rx_put(&rx, (struct tw_bytes){(const uint8_t *)"x", 1}, &fd, 1);
        assert_int_equal(tw_rx_next(&rx, &payload), TW_MORE);
        assert_int_equal(tw_fd_count_open() - before, i < TW_RX_FDS_MAX ? i + 1 : TW_RX_FDS_MAX);
    }
    tw_rx_deinit(&rx);
    assert_int_equal(tw_fd_count_open(), before);
}

static void deinit_takes_anything(void **state)
{
    struct tw_rx rx = {0};

    (void)state;
    tw_rx_deinit(NULL);
    tw_rx_deinit(&rx);
    assert_int_equal(tw_rx_init(&rx), 0);
    tw_rx_deinit(&rx);
    tw_rx_deinit(&rx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        tw_unit_test(frames_come_out_of_any_split),
        tw_unit_test(long_streams_come_through),
        tw_unit_test(room_for_a_frame_is_made_once),
        tw_unit_test(too_large_is_known_from_the_header),
        tw_unit_test(descriptor_belongs_to_the_frame_of_the_last_byte),
        tw_unit_test(each_frame_gets_its_own_descriptor),
        tw_unit_test(only_the_first_of_a_frame_is_kept),
        tw_unit_test(descriptor_nobody_took_closes_with_its_frame),
        tw_unit_test(descriptors_without_bytes_are_closed),
        tw_unit_test(waiting_descriptors_are_bounded),
        tw_unit_test(deinit_takes_anything),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
