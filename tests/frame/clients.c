/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/frame/clients.h"

void client_feed(struct tw_client *client, const struct tw_frame *frame)
{
    struct tw_buf wire = WIRE_INIT;

    wire_put(&wire, frame);
    rx_put(&client->rx, tw_buf_bytes(&wire), NULL, 0);
    tw_buf_deinit(&wire);
}

void client_feed_payload(struct tw_client *client, struct tw_bytes payload)
{
    struct tw_buf wire = WIRE_INIT;

    wire_put_payload(&wire, payload);
    rx_put(&client->rx, tw_buf_bytes(&wire), NULL, 0);
    tw_buf_deinit(&wire);
}

void client_feed_bind_reply(struct tw_client *client, bool success,
                            const struct tw_method_info *list, size_t n)
{
    struct tw_frame frame = {.kind = TW_FRAME_BIND_REPLY, .request_id = client->bind_id};

    frame.bind_reply.success = success;
    frame.bind_reply.service_id = 17;
    frame.bind_reply.method = list;
    frame.bind_reply.n_methods = n;
    client_feed(client, &frame);
}

/* Binds to a service that numbers the methods from first on. */
void client_open_bound_from(struct tw_client *client, uint32_t first)
{
    struct tw_method_info list[TW_METHOD_MAX];
    struct tw_client_event_out event;

    for (uint32_t i = 0; i < tw_producer_port.n_methods; i++) {
        const char *name = tw_producer_port.method[i + 1].name;

        list[i] = (struct tw_method_info){.id = first + i, .name = tw_bytes_of_str(name)};
    }
    assert_int_equal(tw_client_init(client, &tw_producer_port), 0);
    assert_int_equal(tw_rx_harden(&client->rx), 0);
    assert_int_equal(tw_client_bind(client), 0);
    client_feed_bind_reply(client, true, list, tw_producer_port.n_methods);
    assert_int_equal(tw_client_next(client, &event), 0);
    assert_int_equal(event.kind, TW_CLIENT_BOUND);
    assert_int_equal(event.request_id, 1);
    while (tw_tx_queued(&client->tx))
        tw_tx_sent(&client->tx, tw_tx_queued(&client->tx));
}

void client_open_bound(struct tw_client *client)
{
    client_open_bound_from(client, 1);
}

uint64_t client_call(struct tw_client *client, uint32_t method, void *user)
{
    uint64_t id = 0;

    assert_int_equal(tw_client_call(client, method, (struct tw_bytes){0}, false, -1, user, &id), 0);
    return id;
}

void assert_client_refuses(struct tw_client *client, const uint64_t *ids, size_t n)
{
    struct tw_client_event_out event;

    for (size_t i = 0; i < n; i++) {
        assert_int_equal(tw_client_next(client, &event), 0);
        assert_int_equal(event.kind, TW_CLIENT_REFUSED);
        assert_true(event.request_id == ids[i]);
    }
    for (int i = 0; i < 3; i++)
        assert_int_equal(tw_client_next(client, &event), TW_E_CLOSED);
    assert_int_equal(client->requests.n, 0);
}
