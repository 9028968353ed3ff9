/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The frame codec. The input is a stream of frames, and also one payload. What is decoded is
 * encoded again and must decode to the same fields.
 */
#include <stdlib.h>

#include "fuzz/input.h"
#include "tracewire/frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool same_bytes(struct tw_bytes a, struct tw_bytes b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

static void check_same_methods(struct tw_bytes a, struct tw_bytes b)
{
    struct tw_method_info ma, mb;
    int ra, rb;

    do {
        ra = tw_frame_next_method(&a, &ma);
        rb = tw_frame_next_method(&b, &mb);
        CHECK(ra == rb && (ra == 0 || ra == TW_MORE));
        CHECK(ra || (ma.id == mb.id && same_bytes(ma.name, mb.name)));
    } while (!ra);
}

static bool same_member(const struct tw_frame *a, const struct tw_frame *b)
{
    switch (a->kind) {
    case TW_FRAME_BIND:
        return same_bytes(a->bind.service_name, b->bind.service_name);
    case TW_FRAME_BIND_REPLY:
        check_same_methods(a->bind_reply.methods, b->bind_reply.methods);
        return a->bind_reply.success == b->bind_reply.success &&
               a->bind_reply.service_id == b->bind_reply.service_id &&
               a->bind_reply.n_methods == b->bind_reply.n_methods;
    case TW_FRAME_INVOKE:
        return a->invoke.service_id == b->invoke.service_id &&
               a->invoke.method_id == b->invoke.method_id &&
               a->invoke.drop_reply == b->invoke.drop_reply &&
               same_bytes(a->invoke.args, b->invoke.args);
    case TW_FRAME_INVOKE_REPLY:
        return a->invoke_reply.success == b->invoke_reply.success &&
               a->invoke_reply.has_more == b->invoke_reply.has_more &&
               a->invoke_reply.has_reply == b->invoke_reply.has_reply &&
               same_bytes(a->invoke_reply.reply, b->invoke_reply.reply);
    case TW_FRAME_REQUEST_ERROR:
        return same_bytes(a->request_error.text, b->request_error.text);
    case TW_FRAME_PEER_IDENTITY:
        return a->peer_identity.pid == b->peer_identity.pid &&
               a->peer_identity.uid == b->peer_identity.uid &&
               same_bytes(a->peer_identity.machine_id_hint, b->peer_identity.machine_id_hint) &&
               same_bytes(a->peer_identity.machine_name, b->peer_identity.machine_name);
    case TW_FRAME_NONE:
    case TW_FRAME_KIND_MAX:
        break;
    }
    return true;
}

/* The encoder takes methods as a list. */
static struct tw_method_info *list_methods(struct tw_frame *frame)
{
    struct tw_bytes left = frame->bind_reply.methods;
    struct tw_method_info *list = calloc(frame->bind_reply.n_methods + 1, sizeof(*list));
    size_t n = 0;

    CHECK(list);
    while (n < frame->bind_reply.n_methods && !tw_frame_next_method(&left, &list[n]))
        n++;
    CHECK(n == frame->bind_reply.n_methods);
    frame->bind_reply.method = list;
    return list;
}

static void check_round_trip(struct tw_frame frame)
{
    struct tw_method_info *methods =
        frame.kind == TW_FRAME_BIND_REPLY ? list_methods(&frame) : NULL;
    size_t size = tw_frame_size(&frame), n;
    uint8_t *out = malloc(size);
    int rc;

    CHECK(out);
    rc = tw_frame_encode(&frame, out, size, &n);
    CHECK(rc == (size > TW_FRAME_MAX ? TW_E_LIMIT : 0));
    if (!rc) {
        struct tw_bytes payload;
        struct tw_frame back;

        CHECK(n == size);
        CHECK(!tw_frame_split((struct tw_bytes){out, n}, &payload));
        CHECK(payload.n == n - TW_FRAME_HEADER);
        CHECK(!tw_frame_decode(payload, &back, NULL));
        CHECK(back.kind == frame.kind && back.request_id == frame.request_id);
        CHECK(same_member(&frame, &back));
    }
    free(out);
    free(methods);
}

static void check_payload(struct tw_bytes payload)
{
    struct tw_frame frame;
    struct tw_frame_fault fault = {.reason = TW_FRAME_FINE};
    int rc = tw_frame_decode(payload, &frame, &fault);

    CHECK(rc == 0 || rc == TW_E_PROTOCOL);
    CHECK(!rc == !fault.reason && fault.offset <= payload.n);
    CHECK(tw_frame_reason_text(fault.reason));
    if (!rc)
        check_round_trip(frame);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tw_bytes left = {data, size}, payload;
    int rc;

    while (!(rc = tw_frame_split(left, &payload))) {
        CHECK(payload.n <= TW_FRAME_PAYLOAD_MAX);
        check_payload(payload);
        left.p += TW_FRAME_HEADER + payload.n;
        left.n -= TW_FRAME_HEADER + payload.n;
    }
    CHECK(rc == TW_MORE || rc == TW_E_PROTOCOL);
    check_payload((struct tw_bytes){data, size});
    return 0;
}
