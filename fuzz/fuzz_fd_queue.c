/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The two queues that descriptors wait in, against a simple model. A script of bytes:
 *
 *   script := operation*      operation := u8 what and how much
 *
 * One end queues frames with and without a descriptor, bytes travel in pieces, foreign descriptors
 * come with some, and the other end takes what it finds or leaves it.
 */
#include "base/req.h"
#include "frame/tx.h"
#include "fuzz/tags.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { STEPS_MAX = 256, FRAMES_MAX = 256, WAITING_MAX = 256 };
enum { OP_QUEUE, OP_QUEUE_WITH_FD, OP_CARRY, OP_CARRY_WITH_FDS };

/* A descriptor that has arrived, and the last byte it came with. */
struct waiting {
    uint32_t tag;
    uint64_t at;
};

static struct run {
    struct tw_tx tx;
    struct tw_rx rx;
    struct input_fds fds;
    uint32_t tag;
    /* The model: where frames end, what has been sent, what waits at the receiver. */
    uint64_t ends[FRAMES_MAX], queued, sent;
    size_t n_frames, n_out;
    uint32_t own[FRAMES_MAX]; /* tags that frames were queued with */
    size_t n_own, own_sent;   /* frames whose descriptor has been sent */
    struct waiting waiting[WAITING_MAX];
    size_t n_waiting;
} run;

static int new_fd(void)
{
    run.tag = run.tag % (TAGS_MAX - 1) + 1;
    return tag_open(&run.fds, run.tag);
}

/* The text as the body of a reply, its odd bytes from where they lie. */
static int queue_lent(struct tw_frame *frame)
{
    struct tw_bytes text = frame->request_error.text;
    struct tw_gather body = TW_GATHER_INIT(64);
    int rc = 0;

    *frame = (struct tw_frame){.kind = TW_FRAME_INVOKE_REPLY};
    for (size_t i = 0; i < text.n && !rc; i++) {
        struct tw_bytes octet = {text.p + i, 1};

        rc = i % 2 ? tw_gather_lend(&body, octet) : tw_gather_put(&body, octet);
    }
    if (!rc)
        rc = tw_tx_reply(&run.tx, frame, &body);
    frame->invoke_reply.has_reply = true;
    frame->invoke_reply.reply = text;
    tw_gather_deinit(&body);
    return rc;
}

static void queue(uint8_t size, bool with_fd)
{
    struct tw_frame frame = {.kind = TW_FRAME_REQUEST_ERROR};
    static const uint8_t text[] = "this text is as long as a frame of this target can ever be";
    int fd, rc;

    if (run.n_frames == FRAMES_MAX)
        return;
    frame.request_error.text = (struct tw_bytes){text, size % sizeof(text)};
    fd = with_fd ? new_fd() : -1;
    run.own[run.n_frames] = tag_of(fd);
    rc = size % 3 == 0 && fd < 0 ? queue_lent(&frame) : tw_tx_frame(&run.tx, &frame, fd);
    if (rc) {
        CHECK(rc == TW_E_LIMIT || rc == TW_E_FULL);
        CHECK(fd >= 0 && run.tx.n_fds == TW_TX_FDS_MAX); /* bytes are never that many here */
        tw_fd_close(&fd);
        return;
    }
    run.queued += tw_frame_size(&frame);
    run.ends[run.n_frames++] = run.queued;
}

/* Arrival of descriptors with bytes up to this offset. */
static void arrive(const int *fds, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (run.n_waiting < TW_RX_FDS_MAX)
            run.waiting[run.n_waiting++] = (struct waiting){tag_of(fds[i]), run.sent - 1};
}

/* What the frame that ends here has got: the first one that came within it. */
static uint32_t expected(uint64_t end)
{
    uint32_t tag = TAG_NONE;
    size_t n = 0;

    while (n < run.n_waiting && run.waiting[n].at < end) {
        tag = tag == TAG_NONE ? run.waiting[n].tag : tag;
        n++;
    }
    run.n_waiting -= n;
    memmove(run.waiting, run.waiting + n, run.n_waiting * sizeof(run.waiting[0]));
    return tag;
}

static void take_frames(bool take)
{
    struct tw_bytes payload;
    int rc;

    while (!(rc = tw_rx_next(&run.rx, &payload))) {
        uint64_t end = run.ends[run.n_out++];
        uint32_t tag = expected(end);
        int fd;

        input_touch(payload);
        CHECK(run.n_out <= run.n_frames && end <= run.sent);
        if (!take)
            continue;
        fd = tw_rx_take_fd(&run.rx);
        REQ("TW-FD-001");
        CHECK(tag_of(fd) == tag);
        CHECK(tw_rx_take_fd(&run.rx) == -1);
        tw_fd_close(&fd);
    }
    CHECK(rc == TW_MORE);
    CHECK(run.n_out == run.n_frames || run.ends[run.n_out] > run.sent);
}

/* The sender's side of a piece: whose descriptor it has, and that it does not leave its frame. */
static void check_peeked(struct tw_bytes bytes, int fd)
{
    size_t i = 0;

    while (run.ends[i] <= run.sent) /* the frame of the next byte */
        i++;
    CHECK(run.sent + bytes.n <= run.queued);
    if (fd < 0) {
        CHECK(run.own[i] == TAG_NONE || run.own_sent > i);
        return;
    }
    REQ("TW-FD-001");
    CHECK(tag_of(fd) == run.own[i] && run.own_sent <= i);
    CHECK(run.sent + bytes.n == run.ends[i]);
    CHECK(i == 0 || run.sent == run.ends[i - 1]); /* it goes with the first byte */
    run.own_sent = i + 1;
}

static void carry(size_t n, size_t n_foreign, bool take)
{
    int fds[4], own, n_fds = 0;
    struct tw_bytes bytes;
    size_t room;
    uint8_t *p;

    if (tw_tx_peek(&run.tx, &bytes, &own)) {
        CHECK(run.sent == run.queued);
        return;
    }
    check_peeked(bytes, own);
    tw_rx_space(&run.rx, &p, &room);
    n = tw_min(tw_min(n ? n : bytes.n, bytes.n), room);
    CHECK(n > 0);
    memcpy(p, bytes.p, n);
    run.sent += n;
    if (own >= 0)
        fds[n_fds++] = tag_pass(&run.fds, own);
    for (; n_foreign > 0; n_foreign--) {
        int fd = new_fd();

        if (fd >= 0)
            fds[n_fds++] = fd;
    }
    arrive(fds, (size_t)n_fds);
    tw_rx_filled(&run.rx, n, fds, (size_t)n_fds);
    tw_tx_sent(&run.tx, n);
    take_frames(take);
    if (n % 2)
        CHECK(!tw_tx_settle(&run.tx));
}

static void step(uint8_t op)
{
    uint8_t how = op >> 2;

    switch (op & 3) {
    case OP_QUEUE:
    case OP_QUEUE_WITH_FD:
        queue(how, (op & 3) == OP_QUEUE_WITH_FD);
        return;
    case OP_CARRY:
        carry(how & 31, 0, !(how & 32));
        return;
    default:
        carry(how & 15, how >> 4, true);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    TW_IGNORE(tag_memfd(1)); /* makes them all */
    run = (struct run){.tx = TW_TX_INIT};
    CHECK(!tw_rx_init(&run.rx));
    for (size_t i = 0; i < size && i < STEPS_MAX; i++)
        step(data[i]);
    tw_tx_deinit(&run.tx);
    tw_rx_deinit(&run.rx);
    REQ("TW-FD-002");
    REQ("TW-FD-004");
    input_check_closed(&run.fds);
    return 0;
}
