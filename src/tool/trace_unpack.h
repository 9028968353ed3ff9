/* SPDX-License-Identifier: Apache-2.0 */
/* What is compressed in a packet, as the bytes that a tw_trace_reader reads: a part at a time, so
 * that it takes the same memory whatever it unpacks to. */
#pragma once

#include "tracewire/consumer.h"

/* Bytes unpacked from one packet. A service compresses some hundred KiB together, or one packet
 * alone; a few bytes can unpack to terabytes.
 * TW-LIM-195 */
#define TW_UNPACK_MAX ((uint64_t)256 * 1024 * 1024)

struct tw_unpack;

/* The packet's bytes stay the caller's and outlive it. -ENOMEM. */
TW_MUST_USE int tw_unpack_new(const struct tw_trace_packet *packet, struct tw_unpack **ret_unpack);
/* NULL is fine. */
void tw_unpack_free(struct tw_unpack *unpack);
/* A tw_trace_read_fn; user is the struct tw_unpack. TW_E_INVALID for what is not compressed so,
 * TW_E_TRUNCATED when its end is missing, TW_E_LIMIT past TW_UNPACK_MAX, -ENOMEM. What stands
 * behind the end is not looked at. */
TW_MUST_USE int tw_unpack_read(void *user, uint8_t *p, size_t n, size_t *ret_n);
