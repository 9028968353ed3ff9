/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/frame/hosts.h"

void host_open(struct tw_host *host)
{
    assert_int_equal(tw_host_init(host, &tw_producer_port), 0);
    assert_int_equal(tw_rx_harden(&host->rx), 0);
}

void host_feed(struct tw_host *host, const struct tw_frame *frame)
{
    struct tw_buf wire = WIRE_INIT;

    wire_put(&wire, frame);
    rx_put(&host->rx, tw_buf_bytes(&wire), NULL, 0);
    tw_buf_deinit(&wire);
}

void host_feed_payload(struct tw_host *host, struct tw_bytes payload)
{
    struct tw_buf wire = WIRE_INIT;

    wire_put_payload(&wire, payload);
    rx_put(&host->rx, tw_buf_bytes(&wire), NULL, 0);
    tw_buf_deinit(&wire);
}

void host_drop_output(struct tw_host *host)
{
    while (tw_tx_queued(&host->tx))
        tw_tx_sent(&host->tx, tw_tx_queued(&host->tx));
}

void host_open_bound(struct tw_host *host)
{
    struct tw_frame bind = bind_frame(1, "ProducerPort");
    struct tw_host_call call;

    host_open(host);
    host_feed(host, &bind);
    assert_int_equal(tw_host_next(host, &call), TW_MORE);
    assert_int_equal(host->state, TW_HOST_STATE_BOUND);
    host_drop_output(host);
}

void host_take_call(struct tw_host *host, uint64_t id, uint32_t method)
{
    struct tw_frame invoke = invoke_frame(id, 1, method);
    struct tw_host_call call;

    host_feed(host, &invoke);
    assert_int_equal(tw_host_next(host, &call), 0);
    assert_true(call.request_id == id);
    assert_int_equal(call.method, method);
}

void assert_host_silent(const struct tw_host *host)
{
    assert_int_equal(tw_tx_queued(&host->tx), 0);
}

struct tw_frame host_only_answer(struct tw_host *host, enum tw_frame_kind kind, struct tw_buf *keep)
{
    struct tw_frame frame = tx_get(&host->tx, keep);

    assert_int_equal(frame.kind, kind);
    assert_int_equal(frame.request_id, CALL_ID);
    assert_host_silent(host);
    return frame;
}
