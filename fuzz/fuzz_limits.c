/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a session keeps - its outstanding requests, its queue of frames to send, its receive buffer
 * - up to the limits of each and with memory that runs out, against plain counts.
 *
 *   input := u8 flags, u24 size of every frame that is received, operation*
 *   operation := u8 what, u16 how much        numbers are little-endian
 *
 * Bit 0 of the flags: the receive buffer is hardened; the others: which of the first allocations
 * fails, 0 for none.
 */
#include <errno.h>

#include "base/req.h"
#include "frame/requests.h"
#include "frame/tx.h"
#include "fuzz/faults.h"
#include "fuzz/script.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { STEPS_MAX = 64, IDS = 512, FILL_UNIT = 4, FRAME_UNIT = 4 };
enum { OP_ADD, OP_REMOVE, OP_QUEUE, OP_SEND, OP_FILL, OP_NEXT, OP_FAULT, OP_MAX };
enum { QUEUE_WITH_FD = 1 }; /* of how much, when a frame is queued */

static struct run {
    struct tw_requests requests;
    bool outstanding[IDS];
    size_t n_outstanding;
    struct tw_tx tx;
    size_t queued, fds_queued;
    struct tw_rx rx;
    size_t payload; /* of every frame that comes in */
    uint64_t arrived, n_frames;
    struct input_fds fds;
} run;

static bool is_memory(int rc)
{
    CHECK(rc != -ENOMEM || faults_fired());
    return rc == -ENOMEM;
}

/* All would take most of the time. */
static void touch_ends(struct tw_bytes bytes)
{
    size_t n = tw_min(bytes.n, 16);

    input_touch((struct tw_bytes){bytes.p, n});
    input_touch((struct tw_bytes){bytes.p + bytes.n - n, n});
}

/* Ids from this one on, so that a few operations make as many as there may be. */
static void add(uint16_t how_much)
{
    uint64_t id = how_much % IDS;
    size_t n = how_much / IDS + 1u;

    for (; n > 0; n--, id = (id + 1) % IDS) {
        int rc = tw_requests_add(&run.requests, (struct tw_request){.id = id});

        if (is_memory(rc))
            continue;
        REQ("TW-SESS-005");
        CHECK((rc == TW_E_EXISTS) == run.outstanding[id]);
        REQ("TW-LIM-005");
        CHECK(run.outstanding[id] || (rc == TW_E_LIMIT) == (run.n_outstanding == TW_REQUESTS_MAX));
        run.n_outstanding += rc == 0;
        run.outstanding[id] |= rc == 0;
    }
}

static void remove_one(uint16_t id)
{
    struct tw_request *req = tw_requests_find(&run.requests, id);

    CHECK((req != NULL) == (id < IDS && run.outstanding[id]));
    if (!req)
        return;
    CHECK(req->id == id);
    tw_requests_remove(&run.requests, req);
    run.outstanding[id] = false;
    run.n_outstanding--;
    CHECK(run.requests.n == run.n_outstanding);
}

static void queue(uint16_t how_much)
{
    static const uint8_t args[UINT16_MAX * FRAME_UNIT];
    struct tw_frame frame = {.kind = TW_FRAME_INVOKE};
    size_t size;
    int fd = -1, rc;

    frame.invoke.args = (struct tw_bytes){args, (size_t)how_much * FRAME_UNIT};
    size = tw_frame_size(&frame);
    if (how_much & QUEUE_WITH_FD && !input_open(&run.fds, 1, &fd))
        fd = -1;
    rc = tw_tx_frame(&run.tx, &frame, fd);
    if (is_memory(rc)) {
        tw_fd_close(&fd);
        return;
    }
    REQ("TW-FRAME-002");
    CHECK((rc == TW_E_LIMIT) == (size > TW_FRAME_MAX));
    REQ("TW-LIM-004");
    CHECK(rc == TW_E_LIMIT || (rc == TW_E_FULL) == (run.queued + size > TW_TX_MAX ||
                                                    (fd >= 0 && run.fds_queued == TW_TX_FDS_MAX)));
    if (rc) {
        tw_fd_close(&fd);
        return;
    }
    run.queued += size;
    run.fds_queued += fd >= 0;
}

static void send_some(uint16_t how_much)
{
    struct tw_bytes bytes;
    int fd;

    CHECK(tw_tx_queued(&run.tx) == run.queued);
    if (tw_tx_peek(&run.tx, &bytes, &fd)) {
        CHECK(run.queued == 0);
        return;
    }
    touch_ends(bytes);
    bytes.n = tw_min(bytes.n, (size_t)how_much * FRAME_UNIT + 1);
    tw_tx_sent(&run.tx, bytes.n);
    run.queued -= bytes.n;
    run.fds_queued -= fd >= 0;
}

/* The next bytes of a stream of frames that are all alike. Odd: with a descriptor; none: with a
 * descriptor and no byte, which belongs to nothing. */
static void fill(uint16_t how_much)
{
    size_t size = TW_FRAME_HEADER + run.payload, room, n;
    uint8_t *p;
    int fd;

    tw_rx_space(&run.rx, &p, &room);
    n = tw_min((size_t)how_much * FILL_UNIT, room);
    memset(p, 0, n);
    for (size_t i = 0; i < n;) { /* the headers */
        size_t at = (size_t)((run.arrived + i) % size);

        if (at < TW_FRAME_HEADER)
            p[i++] = (uint8_t)(run.payload >> (8 * at));
        else
            i += size - at;
    }
    run.arrived += n;
    tw_rx_filled(&run.rx, n, &fd, n == 0 || how_much & 1 ? input_open(&run.fds, 1, &fd) : 0);
}

static void next(void)
{
    struct tw_bytes payload;
    int rc = tw_rx_next(&run.rx, &payload);

    REQ("TW-FRAME-001");
    CHECK(rc == 0 || rc == TW_MORE);
    CHECK((rc == 0) == ((run.n_frames + 1) * (TW_FRAME_HEADER + run.payload) <= run.arrived));
    if (rc)
        return;
    run.n_frames++;
    CHECK(payload.n == run.payload);
    touch_ends(payload);
}

static void step(uint8_t what, uint16_t how_much)
{
    switch (what % OP_MAX) {
    case OP_ADD:
        add(how_much);
        return;
    case OP_REMOVE:
        remove_one(how_much);
        return;
    case OP_QUEUE:
        queue(how_much);
        return;
    case OP_SEND:
        send_some(how_much);
        return;
    case OP_FILL:
        fill(how_much);
        return;
    case OP_NEXT:
        next();
        return;
    default:
        faults_arm(how_much % 32U);
    }
}

/* false when there is no memory for it. */
static bool make_rx(uint8_t flags)
{
    int rc;

    faults_arm(flags >> 1);
    rc = tw_rx_init(&run.rx);
    REQ("TW-LIM-041");
    CHECK(rc == 0 || is_memory(rc));
    if (rc == 0 && flags & 1) {
        int hard = tw_rx_harden(&run.rx);

        CHECK(hard == 0 || is_memory(hard));
    }
    return rc == 0;
}

static void give_back(void)
{
    tw_requests_deinit(&run.requests);
    tw_requests_deinit(NULL);
    tw_tx_deinit(&run.tx);
    tw_tx_deinit(NULL);
    tw_rx_deinit(&run.rx);
    tw_rx_deinit(&run.rx); /* a second time is fine, as is nothing */
    tw_rx_deinit(NULL);
    tw_rxbuf_deinit(&run.rx.buf);
    tw_rxbuf_deinit(NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tw_bytes input = {data, size};
    uint8_t flags = input_byte(&input);

    run = (struct run){.tx = TW_TX_INIT, .payload = script_u16(&input)};
    run.payload = tw_min(run.payload | (size_t)input_byte(&input) << 16, TW_FRAME_PAYLOAD_MAX);
    if (make_rx(flags))
        for (int i = 0; i < STEPS_MAX && input.n; i++) {
            uint8_t what = input_byte(&input);

            step(what, script_u16(&input));
        }
    (void)faults_disarm();
    give_back();
    REQ("TW-FD-004");
    input_check_closed(&run.fds);
    return 0;
}
