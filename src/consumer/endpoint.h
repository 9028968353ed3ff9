/* SPDX-License-Identifier: Apache-2.0 */
/* What the methods of the port, and waiting for them, need of the connection. Not thread-safe. */
#pragma once

#include "consumer/calls.h"

/* Sends the request of a call, which is the connection's on success, and so is fd. Fails as every
 * call may (tracewire/consumer.h). */
TW_MUST_USE int tw_consumer_send(struct tw_consumer *consumer, uint32_t method,
                                 struct tw_bytes args, int fd, struct tw_call call);

/* tw_consumer_connect() with a limit of the caller's. */
TW_MUST_USE int tw_consumer_open(const char *address, uint32_t limit_ms, tw_consumer_done_fn bound,
                                 void *user, struct tw_consumer **ret_consumer);
/* Whether a completion function is being called. */
bool tw_consumer_dispatching(const struct tw_consumer *consumer);
