/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every position of every recorded stream as the only cut within 4 KiB: the frame around the cut,
 * and the next one if both are small, come out of the receiving half as they went in. What came
 * before has been consumed by then, so that this tells as much as cutting the whole stream, in time
 * that does not grow with its square. Frames of up to 4 KiB, with the argument "long" all of them.
 */
#include <string.h>

#include "base/req.h"
#include "frame/rx.h"
#include "tests/replay/streams.h"
#include "tracewire/frame.h"

/* Bytes of frames that are cut in every run, of two that go together, and from one cut to the next
 * in a large frame. */
enum { SMALL = 4096 };

static size_t size_max = SMALL;

struct count {
    size_t streams, frames, cuts, left_out;
};

static void put(struct tw_rx *rx, const uint8_t *p, size_t n)
{
    while (n) {
        uint8_t *room;
        size_t some;

        tw_rx_space(rx, &room, &some);
        some = tw_min(some, n);
        assert_true(some > 0);
        memcpy(room, p, some);
        tw_rx_filled(rx, some, NULL, 0);
        p += some;
        n -= some;
    }
}

/* Takes every frame that is there off rx: they are the next ones of *want. */
static void take(struct tw_rx *rx, struct tw_bytes *want)
{
    struct tw_bytes payload;
    int rc;

    while (!(rc = tw_rx_next(rx, &payload))) {
        size_t n = TW_FRAME_HEADER + payload.n;

        assert_true(n <= want->n);
        if (memcmp(payload.p, want->p + TW_FRAME_HEADER, payload.n) != 0)
            fail_msg("a frame of %zu bytes is not what was sent", payload.n);
        want->p += n;
        want->n -= n;
    }
    assert_int_equal(rc, TW_MORE);
}

static size_t frame_bytes(struct tw_bytes left)
{
    struct tw_bytes payload;

    return tw_frame_split(left, &payload) ? 0 : TW_FRAME_HEADER + payload.n;
}

/* The frame at the start of left at every cut. */
static void cut_frame(struct tw_rx *rx, struct tw_bytes left, size_t n, struct count *count)
{
    size_t next = frame_bytes((struct tw_bytes){left.p + n, left.n - n});
    size_t whole = n + next <= SMALL ? n + next : n;

    for (size_t first = 0; first < tw_min(n, (size_t)SMALL); first++) {
        struct tw_bytes want = {left.p, whole};
        size_t at = 0;

        for (size_t cut = first; cut < n; cut += SMALL) {
            put(rx, left.p + at, cut - at);
            take(rx, &want);
            assert_int_equal(want.n, whole);
            at = cut;
        }
        put(rx, left.p + at, whole - at);
        take(rx, &want);
        assert_int_equal(want.n, 0);
    }
    count->frames++;
    count->cuts += n;
}

static void cut_stream(const struct stream *stream, struct count *count)
{
    struct tw_bytes left = tw_buf_bytes(&stream->bytes);
    struct tw_rx rx;
    size_t n;

    assert_int_equal(tw_rx_init(&rx), 0);
    for (; (n = frame_bytes(left)) != 0; left.p += n, left.n -= n) {
        if (n <= size_max)
            cut_frame(&rx, left, n, count);
        else
            count->left_out++;
    }
    assert_int_equal(left.n, 0);
    tw_rx_deinit(&rx);
    count->streams++;
}

static void every_cut_of_every_stream(void **state)
{
    struct sessions sessions;
    struct count count = {0};

    (void)state;
    REQ("TW-FRAME-001");
    sessions_load(&sessions);
    for (size_t i = 0; i < sessions.n; i++) {
        cut_stream(&sessions.list[i].client, &count);
        cut_stream(&sessions.list[i].service, &count);
    }
    sessions_free(&sessions);
    print_message("%zu streams, %zu frames, %zu cuts; %zu frames left out\n", count.streams,
                  count.frames, count.cuts, count.left_out);
    assert_true(count.cuts > 0);
    assert_true(size_max == SMALL || count.left_out == 0);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        tw_unit_test(every_cut_of_every_stream),
    };

    if (argc > 1 && strcmp(argv[1], "long") == 0)
        size_max = TW_FRAME_MAX;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
