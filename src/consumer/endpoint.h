/* SPDX-License-Identifier: Apache-2.0 */
/* What the methods of the port need of the connection. Not thread-safe. */
#pragma once

#include "consumer/calls.h"

/* Sends the request of a call, which is the connection's on success, and so is fd. Fails as every
 * call may (tracewire/consumer.h). */
TW_MUST_USE int tw_consumer_send(struct tw_consumer *consumer, uint32_t method,
                                 struct tw_bytes args, int fd, struct tw_call call);
