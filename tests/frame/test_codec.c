/* SPDX-License-Identifier: Apache-2.0 */
/* The frame codec against worked bytes, and every rule it enforces. */
#include "tests/frame/frames.h"

#include <stdlib.h>
#include <string.h>

#include "base/macros.h"
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

/* Decodes the payload in hex. why NULL: accepted; else refused with a text that starts with why. */
static void assert_decodes(const char *hex, const char *why)
{
    struct tw_buf wire = WIRE_INIT;
    struct tw_frame frame = {.request_id = 77};
    const char *got = NULL;
    int rc;

    wire_put_hex(&wire, hex);
    rc = tw_frame_decode(tw_buf_bytes(&wire), &frame, &got);
    if (why) {
        assert_int_equal(rc, TW_E_PROTOCOL);
        assert_non_null(got);
        assert_int_equal(strncmp(got, why, strlen(why)), 0);
        assert_int_equal(frame.request_id, 77); /* untouched on failure */
        assert_int_equal(tw_frame_decode(tw_buf_bytes(&wire), &frame, NULL), TW_E_PROTOCOL);
    } else {
        assert_int_equal(rc, 0);
        assert_null(got);
    }
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

static void rules_are_enforced(void **state)
{
    static const struct {
        const char *hex, *why;
    } cases[] = {
        /* well-formed, TW-ENC-001 */
        {"", NULL},
        {"10", "TW-ENC-001"},                       /* a tag and nothing else */
        {"1a05 0a03 50", "TW-ENC-001"},             /* a nested message longer than the frame */
        {"1a03 0a03 50", "TW-ENC-001"},             /* and one that is cut short inside */
        {"2a03 1a02 00", "TW-ENC-001"},             /* args longer than their message */
        {"2204 1a02 08 80", "TW-ENC-001"},          /* a method cut short */
        {"1080", "TW-ENC-001"},                     /* a varint without an end */
        {"1080808080808080808001", NULL},           /* ten bytes, bit 63 */
        {"1080808080808080808000", NULL},           /* padded to ten bytes */
        {"1080808080808080808002", "TW-ENC-001"},   /* a bit too many */
        {"108080808080808080808000", "TW-ENC-001"}, /* eleven bytes */
        {"1affffffffffffffffff01", "TW-ENC-001"},   /* a length of 2^64 - 1 */
        {"1affffffff0f 00", "TW-ENC-001"},          /* a length of 2^32 - 1 */
        {"00 01", "TW-ENC-001"},                    /* field number 0 */
        {"02 00", "TW-ENC-001"},                    /* the same with a length */
        {"f8ffffff0f 01", NULL},                    /* field number 2^29 - 1 */
        {"8080808010 01", "TW-ENC-001"},            /* field number 2^29 */
        {"808080808001 01", "TW-ENC-001"},          /* a tag of more than 32 bits */
        {"0b 0c", "TW-ENC-001"},                    /* a group of a known number */
        {"a306 a406", "TW-ENC-001"},                /* a group of an unknown number */
        {"a606", "TW-ENC-001"},                     /* wire type 6 */
        {"a706", "TW-ENC-001"},                     /* wire type 7 */
        {"2a02 a306", "TW-ENC-001"},                /* a group inside a member */
        {"2a02 0001", "TW-ENC-001"},                /* field number 0 inside a member */
        /* wire types, TW-ENC-002 */
        {"0a03 616263", NULL}, /* data_for_testing */
        {"0801", "TW-ENC-002"},
        {"1200", "TW-ENC-002"},        /* request_id as bytes */
        {"15 01000000", "TW-ENC-002"}, /* and as fixed32 */
        {"1801", "TW-ENC-002"},        /* each member as a varint */
        {"2001", "TW-ENC-002"},
        {"2801", "TW-ENC-002"},
        {"3001", "TW-ENC-002"},
        {"3801", "TW-ENC-002"},
        {"4001", "TW-ENC-002"},
        {"1a02 0801", "TW-ENC-002"},      /* service_name */
        {"2202 0a00", "TW-ENC-002"},      /* success */
        {"2202 1200", "TW-ENC-002"},      /* service_id */
        {"2202 1801", "TW-ENC-002"},      /* methods */
        {"2204 1a02 0a00", "TW-ENC-002"}, /* a method's id */
        {"2204 1a02 1001", "TW-ENC-002"}, /* a method's name */
        {"2a02 0a00", "TW-ENC-002"},      /* service_id */
        {"2a02 1200", "TW-ENC-002"},      /* method_id */
        {"2a02 1801", "TW-ENC-002"},      /* args_proto */
        {"2a02 2200", "TW-ENC-002"},      /* drop_reply */
        {"3202 0a00", "TW-ENC-002"},      /* success */
        {"3202 1200", "TW-ENC-002"},      /* has_more */
        {"3202 1801", "TW-ENC-002"},      /* reply_proto */
        {"3a02 0801", "TW-ENC-002"},      /* error */
        {"4202 0a00", "TW-ENC-002"},      /* pid */
        {"4202 1200", "TW-ENC-002"},      /* uid */
        {"4202 1801", "TW-ENC-002"},      /* machine_id_hint */
        {"4202 2001", "TW-ENC-002"},      /* machine_name */
        /* one member, TW-ENC-005 */
        {"1a00 2a00", "TW-ENC-005"},
        {"2a00 1a00", "TW-ENC-005"},
        {"1a00 1a00", "TW-ENC-005"},
        {"3a00 4200", "TW-ENC-005"},
        /* unknown fields, TW-ENC-006 */
        {"4801 5200 5d00000000 610000000000000000", NULL},
        {"ca3e 0161 2a00", NULL},
        {"2a04 2801 3200", NULL},
        {"2204 1a02 1801", NULL},
    };

    (void)state;
    for (size_t i = 0; i < TW_ARRAY_LEN(cases); i++)
        assert_decodes(cases[i].hex, cases[i].why);
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

/* Every proper prefix of a frame wants more, and every prefix of its payload is decoded or refused
 * without a read past its end (the copy has no slack for one to go unseen). */
static void prefixes_are_handled(void **state)
{
    struct tw_buf wire = WIRE_INIT;
    struct tw_frame frame = invoke_frame(300, 1, 4), ignored;
    struct tw_bytes payload;

    (void)state;
    frame.invoke.args = tw_bytes_of_str("0123456789");
    wire_put(&wire, &frame);
    for (size_t n = 0; n <= wire.n; n++) {
        struct tw_bytes part = {.p = wire.p, .n = n};
        uint8_t *copy = malloc(n ? n : 1);
        int rc;

        assert_non_null(copy);
        memcpy(copy, wire.p, n);
        part.p = copy;
        assert_int_equal(tw_frame_split(part, &payload), n < wire.n ? TW_MORE : 0);
        if (n >= TW_FRAME_HEADER) {
            part.p += TW_FRAME_HEADER;
            part.n -= TW_FRAME_HEADER;
            rc = tw_frame_decode(part, &ignored, NULL);
            assert_true(rc == TW_E_PROTOCOL || part.n == 0 || part.n == 3 || n == wire.n);
        }
        free(copy);
    }
    tw_buf_deinit(&wire);
}

static void header_limits(void **state)
{
    static const struct {
        const char *header;
        int rc;
    } cases[] = {
        {"", TW_MORE},
        {"fcff01", TW_MORE},
        {"fcff0100", TW_MORE},       /* 131068, the most */
        {"fdff0100", TW_E_PROTOCOL}, /* 131069 */
        {"00000200", TW_E_PROTOCOL},
        {"00000001", TW_E_PROTOCOL},
        {"ffffffff", TW_E_PROTOCOL},
        {"00000000", 0}, /* an empty frame */
    };
    struct tw_bytes payload = {.p = NULL, .n = 99};

    (void)state;
    for (size_t i = 0; i < TW_ARRAY_LEN(cases); i++) {
        struct tw_buf wire = WIRE_INIT;

        wire_put_hex(&wire, cases[i].header);
        assert_int_equal(tw_frame_split(tw_buf_bytes(&wire), &payload), cases[i].rc);
        assert_int_equal(payload.n, cases[i].rc ? 99 : 0);
        tw_buf_deinit(&wire);
    }
}

/* The largest frame is encoded and split, one byte more is refused. */
static void largest_frame(void **state)
{
    /* of an invoke: header, id, tag and size of the member, two ids, tag and size, drop_reply */
    const size_t room = TW_FRAME_PAYLOAD_MAX - 2 - 4 - 4 - 4 - 2;
    struct tw_frame frame = invoke_frame(1, 1, 1);
    uint8_t *args = calloc(1, room + 1), *out = malloc(TW_FRAME_MAX + 1);
    struct tw_bytes payload;
    size_t n = 0;

    (void)state;
    assert_true(args && out);
    frame.invoke.args = (struct tw_bytes){.p = args, .n = room};
    assert_int_equal(tw_frame_size(&frame), TW_FRAME_MAX);
    assert_int_equal(tw_frame_encode(&frame, out, TW_FRAME_MAX, &n), 0);
    assert_int_equal(n, TW_FRAME_MAX);
    assert_int_equal(tw_frame_split((struct tw_bytes){.p = out, .n = n}, &payload), 0);
    assert_int_equal(payload.n, TW_FRAME_PAYLOAD_MAX);
    frame.invoke.args.n++;
    assert_int_equal(tw_frame_encode(&frame, out, TW_FRAME_MAX + 1, &n), TW_E_LIMIT);
    assert_int_equal(n, TW_FRAME_MAX); /* untouched */
    free(args);
    free(out);
}

static void encoding_never_passes_its_room(void **state)
{
    struct tw_frame frame = reply_frame(70000, true, "some body");
    size_t size = tw_frame_size(&frame), n;

    (void)state;
    for (size_t cap = 0; cap <= size; cap++) {
        uint8_t *out = malloc(cap ? cap : 1); /* exact: ASan sees one byte too many */

        assert_non_null(out);
        assert_int_equal(tw_frame_encode(&frame, out, cap, &n), cap < size ? TW_E_LIMIT : 0);
        free(out);
    }
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
        tw_unit_test(unknown_member_is_no_member),
        tw_unit_test(prefixes_are_handled),
        tw_unit_test(header_limits),
        tw_unit_test(largest_frame),
        tw_unit_test(encoding_never_passes_its_room),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
