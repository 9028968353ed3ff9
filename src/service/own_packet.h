/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A packet that the service itself writes, as one field of a Trace message: from a decoded one, or
 * field by field where there are many or where bytes of others go in as they came.
 */
#pragma once

#include "service/core.h"
#include "trace.pb-c.h"
#include "wire/writer.h"

/* What the config says of them; all absent when it says nothing. */
const Tw__TraceConfig__BuiltinDataSource *tw_builtin_sources(const struct tw_session *session);

/* Adds what every packet of ours has, and appends it. Failures of tw_buf_append(). */
TW_MUST_USE int tw_own_packet_append(Tw__TracePacket *packet, struct tw_buf *out);

struct tw_own_packet {
    struct tw_buf *out;
    struct tw_writer w; /* where the fields go */
    uint8_t *begin;
};

/* Begins one with what every packet of ours has and room for n bytes more. Nothing else may be
 * appended to out until it ends. Failures of tw_buf_reserve(): there is none then. */
TW_MUST_USE int tw_own_packet_begin(struct tw_own_packet *packet, struct tw_buf *out, size_t n);
void tw_own_packet_end(struct tw_own_packet *packet);
