/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The frame codec. The input is one payload. What is decoded is encoded again and must decode to
 * the same fields; what was encoded once comes out of a second round byte for byte.
 */
#include <stdlib.h>

#include "base/req.h"
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

/* Encodes into memory that has not a byte too many. The caller frees *ret. */
static size_t encode(struct tw_frame frame, uint8_t **ret)
{
    struct tw_method_info *methods =
        frame.kind == TW_FRAME_BIND_REPLY ? list_methods(&frame) : NULL;
    size_t size = tw_frame_size(&frame), n = 0;
    int rc;

    *ret = malloc(size);
    CHECK(*ret);
    rc = tw_frame_encode(&frame, *ret, size, &n);
    REQ("TW-FRAME-002");
    CHECK(rc == (size > TW_FRAME_MAX ? TW_E_LIMIT : 0));
    if (!rc) {
        CHECK(n == size);
        CHECK(tw_frame_encode(&frame, *ret, size - 1, &n) == TW_E_LIMIT);
    }
    free(methods);
    return rc ? 0 : size;
}

static void check_round_trip(const struct tw_frame *frame)
{
    struct tw_bytes payload;
    struct tw_frame back;
    uint8_t *once, *twice;
    size_t n;

    n = encode(*frame, &once);
    if (n) {
        CHECK(!tw_frame_split((struct tw_bytes){once, n}, &payload));
        CHECK(payload.n == n - TW_FRAME_HEADER);
        REQ("TW-FRAME-003");
        CHECK(!tw_frame_decode(payload, &back, NULL));
        REQ("TW-ENC-003");
        REQ("TW-ENC-004");
        REQ("TW-ENC-006");
        REQ("TW-ENC-007");
        CHECK(back.kind == frame->kind && back.request_id == frame->request_id);
        CHECK(same_member(frame, &back));
        CHECK(encode(back, &twice) == n && memcmp(once, twice, n) == 0);
        free(twice);
    }
    free(once);
}

/* What nobody has checked, taken as the methods of a BindServiceReply. */
static void read_methods(struct tw_bytes left)
{
    struct tw_method_info method;
    size_t before;
    int rc;

    do {
        before = left.n;
        rc = tw_frame_next_method(&left, &method);
        CHECK(rc == 0 || rc == TW_MORE || rc == TW_E_PROTOCOL);
        CHECK(left.n < before || rc);
    } while (!rc);
}

/* What must not be sent is not encoded: a NUL in a string, what is too long, and no such member. */
static void check_unsendable(struct tw_bytes text)
{
    static uint8_t room[TW_FRAME_MAX];
    const struct tw_method_info too_long[2] = {{.name = {room, TW_FRAME_MAX}}};
    struct tw_frame frame = {.kind = TW_FRAME_PEER_IDENTITY};
    bool nul = text.n && memchr(text.p, 0, text.n);
    size_t n;
    int rc;

    frame.peer_identity.machine_id_hint = frame.peer_identity.machine_name = text;
    rc = tw_frame_encode(&frame, room, sizeof(room), &n);
    REQ("TW-ENC-008");
    CHECK(rc == TW_E_LIMIT || rc == (nul ? TW_E_INVALID : 0));
    frame = (struct tw_frame){.kind = TW_FRAME_INVOKE};
    frame.invoke.args = (struct tw_bytes){room, TW_FRAME_MAX};
    REQ("TW-FRAME-002");
    CHECK(tw_frame_encode(&frame, room, 2 * sizeof(room), &n) == TW_E_LIMIT);
    frame = (struct tw_frame){.kind = TW_FRAME_BIND_REPLY, .bind_reply.n_methods = 1};
    CHECK(tw_frame_encode(&frame, room, sizeof(room), &n) == TW_E_INVALID); /* of no list */
    frame.bind_reply.method = too_long;
    frame.bind_reply.n_methods = TW_ARRAY_LEN(too_long);
    CHECK(tw_frame_encode(&frame, room, sizeof(room), &n) == TW_E_LIMIT);
    for (int i = 0; i < 2; i++) {
        frame = (struct tw_frame){.kind = i ? TW_FRAME_KIND_MAX : (enum tw_frame_kind)1};
        CHECK(tw_frame_encode(&frame, room, sizeof(room), &n) == TW_E_INVALID);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tw_frame_fault fault = {.reason = TW_FRAME_REASON_MAX};
    struct tw_frame frame;
    int rc;

    if (size > TW_FRAME_PAYLOAD_MAX)
        return 0;
    rc = tw_frame_decode((struct tw_bytes){data, size}, &frame, &fault);
    REQ("TW-ENC-001");
    CHECK(rc == 0 || rc == TW_E_PROTOCOL);
    if (rc) {
        CHECK(fault.reason > TW_FRAME_TOO_LARGE && fault.reason < TW_FRAME_REASON_MAX);
        CHECK(fault.offset < size);
        CHECK(tw_frame_reason_text(fault.reason) && tw_frame_reason_name(fault.reason));
    } else {
        CHECK(fault.reason == TW_FRAME_REASON_MAX);
        CHECK(!tw_frame_reason_text(fault.reason) && !tw_frame_reason_name(fault.reason));
        check_round_trip(&frame);
    }
    read_methods((struct tw_bytes){data, size});
    check_unsendable((struct tw_bytes){data, size});
    return 0;
}
