/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/exhaustive/compare.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "ipc_frame.pb-c.h"
#include "wire/pbc.h"

enum { SHOWN_MAX = 64 }; /* bytes of an input that are printed */

static const char *or_none(const char *text)
{
    return text ? text : "accepted";
}

static void differ(struct tw_bytes in, const char *got, size_t at, struct verdict want)
{
    for (size_t i = 0; i < in.n && i < SHOWN_MAX; i++)
        print_error("%02x ", in.p[i]);
    fail_msg("(%zu bytes): %s at %zu, the oracle says %s at %zu", in.n, or_none(got), at,
             or_none(want.reason), want.offset);
}

void compared_done(struct compared *c, const char *name)
{
    print_message("%s: %" PRIu64 " inputs, %" PRIu64 " accepted", name, c->inputs, c->accepted);
    if (c->encoded)
        print_message(", %" PRIu64 " encoded again", c->encoded);
    print_message("\n");
    assert_true(c->inputs > c->accepted && c->accepted > 0);
    tw_arena_deinit(&c->arena);
}

static void check_value(struct compared *c, struct tw_bytes payload, const struct tw_frame *frame)
{
    ProtobufCMessage *message;

    tw_arena_reset(&c->arena);
    assert_int_equal(tw_pbc_unpack(&tw__ipcframe__descriptor, &c->arena, payload, &message), 0);
    if (!oracle_agrees(frame, message))
        differ(payload, "another value", 0, (struct verdict){0});
}

/* The frame encoded, decoded and compared with the first decoding of the same payload. */
static void check_again(struct compared *c, struct tw_bytes payload, struct tw_frame frame)
{
    struct tw_method_info *list = NULL;
    size_t cap, n;
    uint8_t *out;

    if (frame.kind == TW_FRAME_NONE)
        return; /* is never sent */
    if (frame.kind == TW_FRAME_BIND_REPLY) {
        struct tw_bytes left = frame.bind_reply.methods;

        frame.bind_reply.method = list = calloc(frame.bind_reply.n_methods + 1, sizeof(*list));
        assert_non_null(list);
        for (size_t i = 0; i < frame.bind_reply.n_methods; i++)
            assert_int_equal(tw_frame_next_method(&left, &list[i]), 0);
    }
    cap = tw_frame_size(&frame);
    out = malloc(cap);
    assert_non_null(out);
    assert_int_equal(tw_frame_encode(&frame, out, cap, &n), 0);
    assert_int_equal(n, cap);
    free(list);
    assert_int_equal(tw_frame_next((struct tw_bytes){out, n}, &frame, &n, NULL), 0);
    assert_int_equal(n, cap);
    check_value(c, payload, &frame);
    free(out);
    c->encoded++;
}

void compare_payload(struct compared *c, struct tw_bytes payload)
{
    struct verdict want = oracle_judge(&tw__ipcframe__descriptor, payload);
    struct tw_frame_fault fault = {0};
    struct tw_frame frame;
    int rc = tw_frame_decode(payload, &frame, &fault);

    c->inputs++;
    if (want.reason) {
        const char *got = rc ? tw_frame_reason_name(fault.reason) : NULL;

        if (rc != TW_E_PROTOCOL || strcmp(got, want.reason) != 0 || fault.offset != want.offset)
            differ(payload, got, fault.offset, want);
        return;
    }
    if (rc)
        differ(payload, tw_frame_reason_name(fault.reason), fault.offset, want);
    c->accepted++;
    check_value(c, payload, &frame);
    check_again(c, payload, frame);
}

/* What is left of a stream, its header read by hand: how the next step must end. */
static int expected_step(struct tw_bytes left, struct verdict *ret_want)
{
    size_t size;

    *ret_want = (struct verdict){0};
    if (left.n < 4)
        return TW_MORE;
    size = left.p[0] + left.p[1] * (size_t)256 + left.p[2] * (size_t)65536 +
           left.p[3] * (size_t)16777216;
    if (size > 131068) {
        *ret_want = (struct verdict){.reason = "too_large"};
        return TW_E_PROTOCOL;
    }
    if (size > left.n - 4)
        return TW_MORE;
    *ret_want = oracle_judge(&tw__ipcframe__descriptor, (struct tw_bytes){left.p + 4, size});
    return ret_want->reason ? TW_E_PROTOCOL : 0;
}

void compare_stream(struct compared *c, struct tw_bytes stream)
{
    struct tw_bytes left = stream;
    struct verdict want;
    int rc;

    c->inputs++;
    do {
        struct tw_frame_fault fault = {0};
        struct tw_frame frame;
        size_t n = 0;

        rc = tw_frame_next(left, &frame, &n, &fault);
        if (rc != expected_step(left, &want) ||
            (rc == TW_E_PROTOCOL && strcmp(tw_frame_reason_name(fault.reason), want.reason) != 0))
            differ(stream, rc == TW_E_PROTOCOL ? tw_frame_reason_name(fault.reason) : NULL,
                   stream.n - left.n, want);
        if (rc == 0)
            check_value(c, (struct tw_bytes){left.p + 4, n - 4}, &frame);
        left.p += n;
        left.n -= n;
    } while (rc == 0);
    c->accepted += rc == TW_MORE;
}

void compare_message(struct compared *c, const ProtobufCMessageDescriptor *d, struct tw_bytes in)
{
    struct verdict want = oracle_judge(d, in);
    struct tw_scan_fault fault = {0};
    ProtobufCMessage *message;
    size_t cost;
    int rc = tw_scan(d, in, &cost, &fault);

    c->inputs++;
    if (want.reason) {
        if (rc != TW_E_PROTOCOL || strncmp(fault.why, want.rule, strlen(want.rule)) != 0 ||
            fault.offset != want.offset)
            differ(in, fault.why, fault.offset, want);
        return;
    }
    if (rc)
        differ(in, fault.why, fault.offset, want);
    c->accepted++;
    tw_arena_reset(&c->arena);
    assert_int_equal(tw_pbc_unpack(d, &c->arena, in, &message), 0);
    assert_true(c->arena.used <= cost && cost <= TW_SCAN_COST_MAX(in.n));
}
