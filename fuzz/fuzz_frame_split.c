/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A stream in pieces and as a whole. The input: a list of the sizes of the pieces (0: all there is
 * room for), and the stream. However it arrives, the same frames come out of it, each as soon as it
 * is there, and it goes bad at the same byte for the same reason.
 */
#include "base/req.h"
#include "fuzz/input.h"
#include "tracewire/frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { FRAMES_MAX = 4096 };

struct seen {
    enum tw_frame_kind kind;
    uint64_t request_id;
    size_t end; /* offset in the stream */
};

/* What the whole stream is. */
static struct reading {
    struct seen frames[FRAMES_MAX];
    size_t n, end; /* frames, and the offset behind the last of them */
    int verdict;
    struct tw_frame_fault fault;
} whole;

static struct tw_bytes from_to(struct tw_bytes stream, size_t from, size_t to)
{
    return (struct tw_bytes){.p = stream.p + from, .n = to - from};
}

static int step(struct reading *r, struct tw_bytes stream, struct tw_frame *ret_frame)
{
    size_t n;
    int rc = tw_frame_next(from_to(stream, r->end, stream.n), ret_frame, &n, &r->fault);

    if (rc)
        return r->verdict = rc;
    CHECK(n >= TW_FRAME_HEADER && n <= stream.n - r->end);
    r->end += n;
    return 0;
}

static void read_whole(struct tw_bytes stream)
{
    struct tw_frame frame;

    whole.n = whole.end = 0;
    whole.verdict = TW_MORE;
    while (whole.n < FRAMES_MAX && !step(&whole, stream, &frame))
        whole.frames[whole.n++] = (struct seen){frame.kind, frame.request_id, whole.end};
    CHECK(whole.verdict == TW_MORE || whole.verdict == TW_E_PROTOCOL);
}

/* Offset of the byte with which the verdict on what is behind the last frame is clear. */
static size_t bad_at(struct tw_bytes stream)
{
    struct tw_bytes left = from_to(stream, whole.end, stream.n);

    REQ("TW-FRAME-002");
    if (whole.fault.reason == TW_FRAME_TOO_LARGE)
        return whole.end + TW_FRAME_HEADER;
    return whole.end + TW_FRAME_HEADER +
           (left.p[0] | (size_t)left.p[1] << 8 | (size_t)left.p[2] << 16 | (size_t)left.p[3] << 24);
}

static void check_same(size_t i, const struct tw_frame *frame, size_t end)
{
    REQ("TW-FRAME-001");
    CHECK(i < whole.n && whole.frames[i].end == end);
    CHECK(whole.frames[i].kind == frame->kind);
    CHECK(whole.frames[i].request_id == frame->request_id);
}

/* After arrived bytes: all frames that end within them are out, and no other; and it is bad when
 * it can be seen. */
static void check_prompt(struct tw_bytes stream, size_t n_out, size_t arrived, int rc)
{
    bool is_bad = whole.verdict == TW_E_PROTOCOL && n_out == whole.n && arrived >= bad_at(stream);

    CHECK(n_out == whole.n || whole.frames[n_out].end > arrived);
    CHECK(rc == (is_bad ? TW_E_PROTOCOL : TW_MORE));
}

static void check_same_fault(const struct tw_frame_fault *fault)
{
    CHECK(fault->reason == whole.fault.reason && fault->field == whole.fault.field);
    CHECK(fault->offset == whole.fault.offset);
}

/* The codec alone, with a buffer that grows. */
static void read_in_pieces(struct tw_bytes stream, struct tw_bytes pieces)
{
    struct reading r = {0};
    size_t arrived = 0;
    int rc = TW_MORE;

    for (size_t i = 0; rc == TW_MORE && arrived < stream.n; i++) {
        size_t piece = input_choice(pieces, i);
        struct tw_frame frame;

        arrived += tw_min(piece ? piece : SIZE_MAX, stream.n - arrived);
        while (r.n < FRAMES_MAX && !(rc = step(&r, from_to(stream, 0, arrived), &frame)))
            check_same(r.n++, &frame, r.end);
        if (r.n == FRAMES_MAX)
            return;
        check_prompt(stream, r.n, arrived, rc);
    }
    if (rc == TW_E_PROTOCOL)
        check_same_fault(&r.fault);
}

/* A payload out of the receive buffer, judged. */
static int take_payload(struct tw_rx *rx, struct tw_frame *ret_frame, size_t *ret_n,
                        struct tw_frame_fault *ret_fault)
{
    struct tw_bytes payload;
    int rc = tw_rx_next(rx, &payload);

    if (rc == TW_E_PROTOCOL)
        *ret_fault = (struct tw_frame_fault){.reason = TW_FRAME_TOO_LARGE};
    if (rc)
        return rc;
    *ret_n = TW_FRAME_HEADER + payload.n;
    return tw_frame_decode(payload, ret_frame, ret_fault);
}

/* The receive buffer; hardened, it lets nobody read past a frame. */
static void read_through_rx(struct tw_rx *rx, struct tw_bytes stream, struct tw_bytes pieces)
{
    size_t arrived = 0, end = 0, n = 0;
    struct tw_frame_fault fault;
    int rc = TW_MORE;

    for (size_t i = 0; rc == TW_MORE && arrived < stream.n; i++) {
        size_t piece = input_choice(pieces, i), room, size;
        struct tw_frame frame;
        uint8_t *p;

        tw_rx_space(rx, &p, &room);
        CHECK(room > 0);
        room = tw_min(tw_min(piece ? piece : room, room), stream.n - arrived);
        memcpy(p, stream.p + arrived, room);
        arrived += room;
        tw_rx_filled(rx, room, NULL, 0);
        while (n < FRAMES_MAX && !(rc = take_payload(rx, &frame, &size, &fault)))
            check_same(n++, &frame, end += size);
        if (n == FRAMES_MAX)
            return;
        check_prompt(stream, n, arrived, rc);
    }
    if (rc == TW_E_PROTOCOL && fault.reason != TW_FRAME_TOO_LARGE)
        check_same_fault(&fault);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tw_bytes stream = {data, size}, pieces = input_list(&stream);
    struct tw_rx rx;

    read_whole(stream);
    read_in_pieces(stream, pieces);
    for (int hardened = 0; hardened < 2; hardened++) {
        CHECK(!tw_rx_init(&rx));
        CHECK(!hardened || !tw_rx_harden(&rx));
        read_through_rx(&rx, stream, pieces);
        tw_rx_deinit(&rx);
    }
    return 0;
}
