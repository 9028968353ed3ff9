/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of the frame layer share: frames as bytes, bytes from hex, stand-in descriptors.
 */
#pragma once

#include "tests/harness.h"

#include "base/bytes.h"
#include "base/macros.h"
#include "frame/rx.h"
#include "frame/tx.h"
#include "tracewire/frame.h"

/* A growing run of bytes on the wire; empty it with tw_buf_deinit(). */
#define WIRE_INIT TW_BUF_INIT((size_t)16 * 1024 * 1024)

/* hex, spaces allowed, as bytes at the end of out. */
void wire_put_hex(struct tw_buf *out, const char *hex);
/* A frame, header included, at the end of out. */
void wire_put(struct tw_buf *out, const struct tw_frame *frame);
/* A header and this payload at the end of out. */
void wire_put_payload(struct tw_buf *out, struct tw_bytes payload);

struct tw_frame bind_frame(uint64_t id, const char *service_name);
struct tw_frame invoke_frame(uint64_t id, uint32_t service_id, uint32_t method_id);
struct tw_frame reply_frame(uint64_t id, bool has_more, const char *body);

/* A descriptor of its own, and whether two of them are the same file. */
int new_fd(void);
bool same_file(int a, int b);

/* Puts bytes into rx as one receive call would have; what does not fit fails the test. */
void rx_put(struct tw_rx *rx, struct tw_bytes bytes, const int *fds, size_t n_fds);
/* The next frame that waits in tx, which must be whole. Points into *keep, which is overwritten. */
struct tw_frame tx_get(struct tw_tx *tx, struct tw_buf *keep);
