/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of the host's session share. */
#pragma once

#include "frame/host_session.h"
#include "tests/frame/frames.h"

/* The request id that these tests use for the one call or answer they look at. */
enum { CALL_ID = 50 };

/* A host of the producer port, as it begins or bound; its receive buffer is hardened. */
void host_open(struct tw_host *host);
void host_open_bound(struct tw_host *host);
/* One frame, or a frame with this payload, as it came from the client. */
void host_feed(struct tw_host *host, const struct tw_frame *frame);
void host_feed_payload(struct tw_host *host, struct tw_bytes payload);
/* Feeds a call and takes it. */
void host_take_call(struct tw_host *host, uint64_t id, uint32_t method);
/* What waits for the client: thrown away, nothing, or one frame of this kind for CALL_ID. */
void host_drop_output(struct tw_host *host);
void assert_host_silent(const struct tw_host *host);
struct tw_frame host_only_answer(struct tw_host *host, enum tw_frame_kind kind,
                                 struct tw_buf *keep);
