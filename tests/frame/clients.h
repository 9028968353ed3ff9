/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of the client's session share. */
#pragma once

#include "frame/client_session.h"
#include "tests/frame/frames.h"

/* One frame, or a frame with this payload, as it came from the host. */
void client_feed(struct tw_client *client, const struct tw_frame *frame);
void client_feed_payload(struct tw_client *client, struct tw_bytes payload);
/* The reply to the client's bind. */
void client_feed_bind_reply(struct tw_client *client, bool success,
                            const struct tw_method_info *list, size_t n);

/* A client bound to a producer port that numbers its methods from first on, or from 1. */
void client_open_bound_from(struct tw_client *client, uint32_t first);
void client_open_bound(struct tw_client *client);

/* Calls a method and returns the request's id. */
uint64_t client_call(struct tw_client *client, uint32_t method, void *user);
/* The connection is over: each of these n requests is refused, once, in order; then nothing comes,
 * however often one asks. */
void assert_client_refuses(struct tw_client *client, const uint64_t *ids, size_t n);
