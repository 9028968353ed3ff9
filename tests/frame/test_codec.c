/* SPDX-License-Identifier: Apache-2.0 */
/* The frame codec against worked bytes, and every rule it enforces. */
#include "tests/frame/frames.h"

#include <stdlib.h>
#include <string.h>

#include "base/macros.h"
#include "base/req.h"
#include "wire/reader.h"
#include "wire/writer.h"

static void assert_bytes(struct tw_bytes got, const char *want)
{
    assert_int_equal(got.n, strlen(want));
    assert_memory_equal(got.p, want, got.n);
}

/* Encodes frame into *wire and decodes it again; the result points into *wire. */
static struct tw_frame there_and_back(const struct tw_frame *frame, struct tw_buf *wire)
{
    struct tw_bytes payload;
    struct tw_frame back;

    wire->n = 0;
    wire_put(wire, frame);
    assert_int_equal(tw_frame_split(tw_buf_bytes(wire), &payload), 0);
    assert_int_equal(payload.n + TW_FRAME_HEADER, wire->n);
    assert_int_equal(tw_frame_decode(payload, &back, NULL), 0);
    assert_int_equal(back.kind, frame->kind);
    assert_true(back.request_id == frame->request_id);
    return back;
}

/* Encodes frame and compares the bytes with hex. */
static void assert_encodes_to(const struct tw_frame *frame, const char *hex)
{
    struct tw_buf got = WIRE_INIT, want = WIRE_INIT;

    wire_put(&got, frame);
    wire_put_hex(&want, hex);
    assert_int_equal(got.n, want.n);
    assert_memory_equal(got.p, want.p, want.n);
    tw_buf_deinit(&got);
    tw_buf_deinit(&want);
}

/* Decodes the payload in hex. reason FINE: accepted; else refused for it at that field. */
static void assert_decodes(const char *hex, struct tw_frame_fault want)
{
    struct tw_buf wire = WIRE_INIT;
    struct tw_frame frame = {.request_id = 77};
    struct tw_frame_fault got = {.reason = TW_FRAME_FINE};
    int rc;

    wire_put_hex(&wire, hex);
    rc = tw_frame_decode(tw_buf_bytes(&wire), &frame, &got);
    if (want.reason != TW_FRAME_FINE) {
        assert_int_equal(rc, TW_E_PROTOCOL);
        assert_int_equal(frame.request_id, 77); /* untouched on failure */
        assert_int_equal(tw_frame_decode(tw_buf_bytes(&wire), &frame, NULL), TW_E_PROTOCOL);
    } else {
        assert_int_equal(rc, 0);
    }
    assert_string_equal(tw_frame_reason_name(got.reason), tw_frame_reason_name(want.reason));
    assert_int_equal(got.field, want.field);
    assert_int_equal(got.offset, want.offset);
    tw_buf_deinit(&wire);
}

static void bind_round_trips(void **state)
{
    struct tw_buf wire = WIRE_INIT;
    struct tw_frame frame = bind_frame(UINT64_MAX, "ProducerPort");
    struct tw_frame back = there_and_back(&frame, &wire);

    (void)state;
    assert_bytes(back.bind.service_name, "ProducerPort");
    frame.bind.service_name = (struct tw_bytes){0};
    back = there_and_back(&frame, &wire);
    assert_int_equal(back.bind.service_name.n, 0);
    tw_buf_deinit(&wire);
}

static void bind_reply_round_trips(void **state)
{
    static const char *const names[] = {"First", "", "Third"};
    static const uint32_t ids[] = {1, UINT32_MAX, 0};
    struct tw_method_info list[TW_ARRAY_LEN(names)], info;
    struct tw_frame frame = {.kind = TW_FRAME_BIND_REPLY, .request_id = 3}, back;
    struct tw_buf wire = WIRE_INIT;
    struct tw_bytes left;

    (void)state;
    for (size_t i = 0; i < TW_ARRAY_LEN(names); i++) {
        list[i].id = ids[i];
        list[i].name = tw_bytes_of_str(names[i]);
    }
    frame.bind_reply.success = true;
    frame.bind_reply.service_id = 300;
    frame.bind_reply.method = list;
    frame.bind_reply.n_methods = TW_ARRAY_LEN(names);
    back = there_and_back(&frame, &wire);
    assert_true(back.bind_reply.success);
    assert_int_equal(back.bind_reply.service_id, 300);
    assert_int_equal(back.bind_reply.n_methods, TW_ARRAY_LEN(names));
    left = back.bind_reply.methods;
    for (size_t i = 0; i < TW_ARRAY_LEN(names); i++) {
        assert_int_equal(tw_frame_next_method(&left, &info), 0);
        assert_int_equal(info.id, ids[i]);
        assert_bytes(info.name, names[i]);
    }
    assert_int_equal(tw_frame_next_method(&left, &info), TW_MORE);
    tw_buf_deinit(&wire);
}

static void failed_bind_reply_has_no_methods(void **state)
{
    struct tw_frame frame = {.kind = TW_FRAME_BIND_REPLY, .request_id = 3}, back;
    struct tw_method_info info;
    struct tw_buf wire = WIRE_INIT;

    (void)state;
    back = there_and_back(&frame, &wire);
    assert_false(back.bind_reply.success);
    assert_int_equal(tw_frame_next_method(&back.bind_reply.methods, &info), TW_MORE);
    tw_buf_deinit(&wire);
}

static void invoke_round_trips(void **state)
{
    struct tw_buf wire = WIRE_INIT;
    struct tw_frame frame = invoke_frame(0, UINT32_MAX, 16), back;

    (void)state;
    frame.invoke.args = tw_bytes_of_str("argument");
    frame.invoke.drop_reply = true;
    back = there_and_back(&frame, &wire);
    assert_int_equal(back.invoke.service_id, UINT32_MAX);
    assert_int_equal(back.invoke.method_id, 16);
    assert_bytes(back.invoke.args, "argument");
    assert_true(back.invoke.drop_reply);
    frame.invoke.drop_reply = false;
    assert_false(there_and_back(&frame, &wire).invoke.drop_reply);
    tw_buf_deinit(&wire);
}

static void invoke_reply_tells_absent_from_empty(void **state)
{
    struct tw_buf wire = WIRE_INIT;
    struct tw_frame absent = reply_frame(9, false, NULL), empty = reply_frame(9, true, "");
    struct tw_frame full = reply_frame(9, false, "body"), back;

    (void)state;
    back = there_and_back(&absent, &wire);
    assert_false(back.invoke_reply.success || back.invoke_reply.has_reply);
    back = there_and_back(&empty, &wire);
    assert_true(back.invoke_reply.success && back.invoke_reply.has_reply);
    assert_true(back.invoke_reply.has_more);
    assert_int_equal(back.invoke_reply.reply.n, 0);
    back = there_and_back(&full, &wire);
    assert_false(back.invoke_reply.has_more);
    assert_bytes(back.invoke_reply.reply, "body");
    tw_buf_deinit(&wire);
}

static void request_error_round_trips(void **state)
{
    struct tw_buf wire = WIRE_INIT;
    struct tw_frame frame = {.kind = TW_FRAME_REQUEST_ERROR, .request_id = 1};

    (void)state;
    frame.request_error.text = tw_bytes_of_str("unknown request");
    assert_bytes(there_and_back(&frame, &wire).request_error.text, "unknown request");
    tw_buf_deinit(&wire);
}

static void peer_identity_keeps_negative_numbers(void **state)
{
    struct tw_buf wire = WIRE_INIT;
    struct tw_frame frame = {.kind = TW_FRAME_PEER_IDENTITY}, back;

    (void)state;
    frame.peer_identity.pid = INT32_MIN;
    frame.peer_identity.uid = -1;
    frame.peer_identity.machine_id_hint = tw_bytes_of_str("hint");
    frame.peer_identity.machine_name = tw_bytes_of_str("name");
    back = there_and_back(&frame, &wire);
    assert_int_equal(back.peer_identity.pid, INT32_MIN);
    assert_int_equal(back.peer_identity.uid, -1);
    assert_bytes(back.peer_identity.machine_id_hint, "hint");
    assert_bytes(back.peer_identity.machine_name, "name");
    tw_buf_deinit(&wire);
}

static void frame_without_member_round_trips(void **state)
{
    struct tw_buf wire = WIRE_INIT;
    struct tw_frame frame = {.kind = TW_FRAME_NONE, .request_id = 5};

    (void)state;
    there_and_back(&frame, &wire);
    tw_buf_deinit(&wire);
}

/* The first frames of the recorded session "basic". */
static void encodes_as_upstream_does(void **state)
{
    struct tw_frame bind = bind_frame(1, "ProducerPort");
    struct tw_frame started = invoke_frame(7, 1, 8);
    struct tw_frame reply = reply_frame(2, false, "\x18");

    (void)state;
    assert_encodes_to(&bind, "12000000 1001 1a0e 0a0c 50726f6475636572506f7274");
    started.invoke.args = (struct tw_bytes){.p = (const uint8_t *)"\x08\x01", .n = 2};
    started.invoke.drop_reply = true;
    assert_encodes_to(&started, "0e000000 1007 2a0a 0801 1008 1a020801 2001");
    reply.invoke_reply.reply =
        (struct tw_bytes){.p = (const uint8_t *)"\x08\x00\x10\x01\x18\x00", .n = 6};
    assert_encodes_to(&reply, "10000000 1002 320c 0801 1000 1a06 080010011800");
}

/* Every boolean is on the wire also when it is false. */
static void encodes_false_explicitly(void **state)
{
    struct tw_frame refused = reply_frame(4, false, NULL);
    struct tw_frame failed = {.kind = TW_FRAME_BIND_REPLY, .request_id = 4};
    struct tw_frame invoke = invoke_frame(4, 1, 5);

    (void)state;
    assert_encodes_to(&refused, "08000000 1004 3204 0800 1000");
    assert_encodes_to(&failed, "08000000 1004 2204 0800 1000");
    assert_encodes_to(&invoke, "0c000000 1004 2a08 0801 1005 1a00 2000");
}

/* Upstream sizes nested messages afterwards: a padded size, here of a whole bind reply. */
static void padded_sizes_are_accepted(void **state)
{
    struct tw_buf wire = WIRE_INIT;
    struct tw_frame frame;
    struct tw_method_info info;

    (void)state;
    wire_put_hex(&wire, "1001 2295808000 0801 1001 1a8a808000 0801 1206 5265616479 21 1a00");
    assert_int_equal(tw_frame_decode(tw_buf_bytes(&wire), &frame, NULL), 0);
    assert_int_equal(frame.kind, TW_FRAME_BIND_REPLY);
    assert_true(frame.bind_reply.success);
    assert_int_equal(frame.bind_reply.n_methods, 2);
    assert_int_equal(tw_frame_next_method(&frame.bind_reply.methods, &info), 0);
    assert_int_equal(info.id, 1);
    assert_bytes(info.name, "Ready!");
    tw_buf_deinit(&wire);
}

static void absent_fields_have_their_defaults(void **state)
{
    struct tw_buf wire = WIRE_INIT;
    struct tw_frame frame;

    (void)state;
    wire_put_hex(&wire, "2a00"); /* an empty InvokeMethod, no request_id */
    assert_int_equal(tw_frame_decode(tw_buf_bytes(&wire), &frame, NULL), 0);
    assert_int_equal(frame.kind, TW_FRAME_INVOKE);
    assert_int_equal(frame.request_id, 0);
    assert_int_equal(frame.invoke.service_id, 0);
    assert_int_equal(frame.invoke.method_id, 0);
    assert_int_equal(frame.invoke.args.n, 0);
    assert_false(frame.invoke.drop_reply);
    wire.n = 0;
    wire_put_hex(&wire, "2200"); /* as upstream refuses a bind */
    assert_int_equal(tw_frame_decode(tw_buf_bytes(&wire), &frame, NULL), 0);
    assert_int_equal(frame.kind, TW_FRAME_BIND_REPLY);
    assert_false(frame.bind_reply.success);
    tw_buf_deinit(&wire);
}

static void last_of_repeated_scalars_counts(void **state)
{
    struct tw_buf wire = WIRE_INIT;
    struct tw_frame frame;

    (void)state;
    wire_put_hex(&wire, "1001 1002 2a08 0801 0803 1004 1005");
    assert_int_equal(tw_frame_decode(tw_buf_bytes(&wire), &frame, NULL), 0);
    assert_int_equal(frame.request_id, 2);
    assert_int_equal(frame.invoke.service_id, 3);
    assert_int_equal(frame.invoke.method_id, 5);
    tw_buf_deinit(&wire);
}

static void narrow_fields_keep_the_low_half(void **state)
{
    struct tw_buf wire = WIRE_INIT;
    struct tw_frame frame;

    (void)state;
    /* method_id = 2^32 + 5, drop_reply = 2 */
    wire_put_hex(&wire, "2a08 10 8580808010 2002");
    assert_int_equal(tw_frame_decode(tw_buf_bytes(&wire), &frame, NULL), 0);
    assert_int_equal(frame.invoke.method_id, 5);
    assert_true(frame.invoke.drop_reply);
    tw_buf_deinit(&wire);
}

static const struct {
    const char *hex;
    struct tw_frame_fault fault;
} acceptance[] = {
    /* well-formed, TW-ENC-001 */
    {"", {TW_FRAME_FINE, 0, 0}},
    {"10", {TW_FRAME_TRUNCATED, 2, 0}},                        /* a tag and nothing else */
    {"1005 9a", {TW_FRAME_TRUNCATED, 0, 2}},                   /* half a tag */
    {"1a05 0a03 50", {TW_FRAME_TRUNCATED, 3, 0}},              /* longer than the frame */
    {"1a03 0a03 50", {TW_FRAME_TRUNCATED, 1, 2}},              /* cut short inside */
    {"2a03 1a02 00", {TW_FRAME_TRUNCATED, 3, 2}},              /* args past their message */
    {"2204 1a02 08 80", {TW_FRAME_TRUNCATED, 1, 4}},           /* a method cut short */
    {"1080", {TW_FRAME_TRUNCATED, 2, 0}},                      /* a varint without an end */
    {"1080808080808080808001", {TW_FRAME_FINE, 0, 0}},         /* ten bytes, bit 63 */
    {"1080808080808080808000", {TW_FRAME_FINE, 0, 0}},         /* padded to ten bytes */
    {"1080808080808080808002", {TW_FRAME_BAD_VARINT, 2, 0}},   /* a bit too many */
    {"108080808080808080808000", {TW_FRAME_BAD_VARINT, 2, 0}}, /* eleven bytes */
    {"1affffffff0f 00", {TW_FRAME_TRUNCATED, 3, 0}},           /* a length of 2^32 - 1 */
    {"1affffffff7f 00", {TW_FRAME_TRUNCATED, 3, 0}},           /* 2^35 - 1 in five bytes */
    {"00 01", {TW_FRAME_BAD_TAG, 0, 0}},                       /* field number 0 */
    {"02 00", {TW_FRAME_BAD_TAG, 0, 0}},                       /* the same with a length */
    {"f8ffffff0f 01", {TW_FRAME_FINE, 0, 0}},                  /* field number 2^29 - 1 */
    {"8080808010 01", {TW_FRAME_BAD_TAG, 0, 0}},               /* field number 2^29 */
    {"0b 0c", {TW_FRAME_GROUP, 1, 0}},                         /* of a known number */
    {"a306 a406", {TW_FRAME_GROUP, 100, 0}},                   /* of an unknown number */
    {"a406", {TW_FRAME_GROUP, 100, 0}},                        /* the end of none */
    {"a606", {TW_FRAME_BAD_WIRE_TYPE, 100, 0}},
    {"1001 a706", {TW_FRAME_BAD_WIRE_TYPE, 100, 2}},
    {"2a02 a306", {TW_FRAME_GROUP, 100, 2}}, /* inside a member */
    {"2a02 0001", {TW_FRAME_BAD_TAG, 0, 2}}, /* field number 0 there */
    /* tags and lengths, TW-ENC-009 */
    {"9080808000 05", {TW_FRAME_FINE, 0, 0}},       /* padded to five bytes */
    {"908080808000 05", {TW_FRAME_LONG_TAG, 0, 0}}, /* and to six */
    {"808080808001 01", {TW_FRAME_LONG_TAG, 0, 0}},
    {"8080808080", {TW_FRAME_LONG_TAG, 0, 0}}, /* known after five */
    {"80808080", {TW_FRAME_TRUNCATED, 0, 0}},
    {"1a8080808000", {TW_FRAME_FINE, 0, 0}}, /* the same of a length */
    {"1a808080808000", {TW_FRAME_LONG_TAG, 3, 0}},
    {"1affffffffffffffffff01", {TW_FRAME_LONG_TAG, 3, 0}},
    {"2a08 1a808080808000 00", {TW_FRAME_LONG_TAG, 3, 2}},
    /* wire types, TW-ENC-002 */
    {"0a03 616263", {TW_FRAME_FINE, 0, 0}}, /* data_for_testing */
    {"0801", {TW_FRAME_WRONG_TYPE, 1, 0}},
    {"1200", {TW_FRAME_WRONG_TYPE, 2, 0}},                /* request_id as bytes */
    {"15 01000000", {TW_FRAME_WRONG_TYPE, 2, 0}},         /* and as fixed32 */
    {"11 0100000000000000", {TW_FRAME_WRONG_TYPE, 2, 0}}, /* and as fixed64 */
    {"1801", {TW_FRAME_WRONG_TYPE, 3, 0}},                /* each member as a varint */
    {"2001", {TW_FRAME_WRONG_TYPE, 4, 0}},
    {"2801", {TW_FRAME_WRONG_TYPE, 5, 0}},
    {"3001", {TW_FRAME_WRONG_TYPE, 6, 0}},
    {"3801", {TW_FRAME_WRONG_TYPE, 7, 0}},
    {"4001", {TW_FRAME_WRONG_TYPE, 8, 0}},
    {"1a02 0801", {TW_FRAME_WRONG_TYPE, 1, 2}},      /* service_name */
    {"2202 0a00", {TW_FRAME_WRONG_TYPE, 1, 2}},      /* success */
    {"2202 1200", {TW_FRAME_WRONG_TYPE, 2, 2}},      /* service_id */
    {"2202 1801", {TW_FRAME_WRONG_TYPE, 3, 2}},      /* methods */
    {"2204 1a02 0a00", {TW_FRAME_WRONG_TYPE, 1, 4}}, /* a method's id */
    {"2204 1a02 1001", {TW_FRAME_WRONG_TYPE, 2, 4}}, /* a method's name */
    {"2a02 0a00", {TW_FRAME_WRONG_TYPE, 1, 2}},      /* service_id */
    {"2a02 1200", {TW_FRAME_WRONG_TYPE, 2, 2}},      /* method_id */
    {"2a02 1801", {TW_FRAME_WRONG_TYPE, 3, 2}},      /* args_proto */
    {"2a02 2200", {TW_FRAME_WRONG_TYPE, 4, 2}},      /* drop_reply */
    {"3202 0a00", {TW_FRAME_WRONG_TYPE, 1, 2}},      /* success */
    {"3202 1200", {TW_FRAME_WRONG_TYPE, 2, 2}},      /* has_more */
    {"3202 1801", {TW_FRAME_WRONG_TYPE, 3, 2}},      /* reply_proto */
    {"3a02 0801", {TW_FRAME_WRONG_TYPE, 1, 2}},      /* error */
    {"4202 0a00", {TW_FRAME_WRONG_TYPE, 1, 2}},      /* pid */
    {"4202 1200", {TW_FRAME_WRONG_TYPE, 2, 2}},      /* uid */
    {"4202 1801", {TW_FRAME_WRONG_TYPE, 3, 2}},      /* machine_id_hint */
    {"4202 2001", {TW_FRAME_WRONG_TYPE, 4, 2}},      /* machine_name */
    /* one member, TW-ENC-005 */
    {"1a00 2a00", {TW_FRAME_TWO_MEMBERS, 5, 2}},
    {"2a00 1a00", {TW_FRAME_TWO_MEMBERS, 3, 2}},
    {"1a00 1a00", {TW_FRAME_TWO_MEMBERS, 3, 2}},
    {"3a00 1005 4200", {TW_FRAME_TWO_MEMBERS, 8, 4}},
    /* unknown fields, TW-ENC-006 */
    {"4801 5200 5d00000000 610000000000000000", {TW_FRAME_FINE, 0, 0}},
    {"ca3e 0161 2a00", {TW_FRAME_FINE, 0, 0}},
    {"2a04 2801 3200", {TW_FRAME_FINE, 0, 0}},
    {"2204 1a02 1801", {TW_FRAME_FINE, 0, 0}},
    {"4a02 a306", {TW_FRAME_FINE, 0, 0}}, /* not looked into */
    /* strings without NUL, TW-ENC-008; other bytes are fine, TW-ENC-010 */
    {"1a05 0a03 61ff80", {TW_FRAME_FINE, 0, 0}},
    {"1a05 0a03 610062", {TW_FRAME_NUL, 1, 2}}, /* service_name */
    {"1a03 0a01 00", {TW_FRAME_NUL, 1, 2}},
    {"2207 0801 1a03 1201 00", {TW_FRAME_NUL, 2, 6}}, /* a method's name */
    {"3a04 0a02 6100", {TW_FRAME_NUL, 1, 2}},         /* error */
    {"4203 1a01 00", {TW_FRAME_NUL, 3, 2}},           /* machine_id_hint */
    {"4203 2201 00", {TW_FRAME_NUL, 4, 2}},           /* machine_name */
    {"0a01 00 2a03 1a01 00", {TW_FRAME_FINE, 0, 0}},  /* bytes may hold it */
    {"3203 1a01 00", {TW_FRAME_FINE, 0, 0}},
    /* the first fault in the order of the bytes is told */
    {"2a02 0a00 1801", {TW_FRAME_WRONG_TYPE, 1, 2}},
    {"2a02 0801 00", {TW_FRAME_BAD_TAG, 0, 4}},
};

static void rules_are_enforced(void **state)
{
    REQ("TW-ENC-001");
    REQ("TW-ENC-002");
    REQ("TW-ENC-005");
    REQ("TW-ENC-006");
    REQ("TW-ENC-008");
    REQ("TW-ENC-009");
    (void)state;
    for (size_t i = 0; i < TW_ARRAY_LEN(acceptance); i++)
        assert_decodes(acceptance[i].hex, acceptance[i].fault);
}

/* Names and texts are there, differ, and each text but the first begins with a rule. */
static void reasons_have_names_and_texts(void **state)
{
    (void)state;
    for (int i = 0; i < TW_FRAME_REASON_MAX; i++) {
        assert_non_null(tw_frame_reason_name((enum tw_frame_reason)i));
        assert_non_null(tw_frame_reason_text((enum tw_frame_reason)i));
        assert_int_equal(strncmp(tw_frame_reason_text((enum tw_frame_reason)i), "TW-", 3) == 0,
                         i != TW_FRAME_FINE);
        for (int j = 0; j < i; j++)
            assert_string_not_equal(tw_frame_reason_name((enum tw_frame_reason)i),
                                    tw_frame_reason_name((enum tw_frame_reason)j));
    }
    assert_null(tw_frame_reason_name(TW_FRAME_REASON_MAX));
    assert_null(tw_frame_reason_text(TW_FRAME_REASON_MAX));
}

static void unknown_member_is_no_member(void **state)
{
    struct tw_buf wire = WIRE_INIT;
    struct tw_frame frame;

    (void)state;
    wire_put_hex(&wire, "1005 4a02 0801");
    assert_int_equal(tw_frame_decode(tw_buf_bytes(&wire), &frame, NULL), 0);
    assert_int_equal(frame.kind, TW_FRAME_NONE);
    assert_int_equal(frame.request_id, 5);
    tw_buf_deinit(&wire);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        tw_unit_test(bind_round_trips),
        tw_unit_test(bind_reply_round_trips),
        tw_unit_test(failed_bind_reply_has_no_methods),
        tw_unit_test(invoke_round_trips),
        tw_unit_test(invoke_reply_tells_absent_from_empty),
        tw_unit_test(request_error_round_trips),
        tw_unit_test(peer_identity_keeps_negative_numbers),
        tw_unit_test(frame_without_member_round_trips),
        tw_unit_test(encodes_as_upstream_does),
        tw_unit_test(encodes_false_explicitly),
        tw_unit_test(padded_sizes_are_accepted),
        tw_unit_test(absent_fields_have_their_defaults),
        tw_unit_test(last_of_repeated_scalars_counts),
        tw_unit_test(narrow_fields_keep_the_low_half),
        tw_unit_test(rules_are_enforced),
        tw_unit_test(reasons_have_names_and_texts),
        tw_unit_test(unknown_member_is_no_member),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
