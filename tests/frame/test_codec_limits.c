/* SPDX-License-Identifier: Apache-2.0 */
/* The frame codec where frames end: prefixes, sizes, room to encode into, and streams. */
#include "tests/frame/frames.h"

#include <stdlib.h>
#include <string.h>

#include "base/macros.h"
#include "base/req.h"

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

static void strings_with_nul_are_not_sent(void **state)
{
    struct tw_frame frame = bind_frame(1, "name");
    struct tw_method_info method = {.id = 1};
    uint8_t out[64];
    size_t n = 77;

    REQ("TW-ENC-008");
    (void)state;
    frame.bind.service_name.n++; /* the NUL behind it */
    assert_int_equal(tw_frame_encode(&frame, out, sizeof(out), &n), TW_E_INVALID);
    method.name = frame.bind.service_name;
    frame = (struct tw_frame){.kind = TW_FRAME_BIND_REPLY};
    frame.bind_reply.method = &method;
    frame.bind_reply.n_methods = 1;
    assert_int_equal(tw_frame_encode(&frame, out, sizeof(out), &n), TW_E_INVALID);
    assert_int_equal(n, 77);
    method.name.n--;
    assert_int_equal(tw_frame_encode(&frame, out, sizeof(out), &n), 0);
    frame = (struct tw_frame){.kind = TW_FRAME_PEER_IDENTITY}; /* in one, and the next has none */
    frame.peer_identity.machine_id_hint = (struct tw_bytes){.p = (const uint8_t *)"i", .n = 2};
    frame.peer_identity.machine_name = tw_bytes_of_str("name");
    assert_int_equal(tw_frame_encode(&frame, out, sizeof(out), &n), TW_E_INVALID);
}

/* Bytes that tw_frame_decode() has not seen: nothing is made of what is malformed or no method. */
static void methods_of_foreign_bytes(void **state)
{
    static const struct {
        const char *hex;
        int rc;
    } cases[] = {
        {"1a020801", 0},               /* a method with id 1 */
        {"080110021a020801", 0},       /* the same behind success and service_id */
        {"1801", TW_MORE},             /* its number, as a varint */
        {"1a0208", TW_E_PROTOCOL},     /* cut short */
        {"1a0108", TW_E_PROTOCOL},     /* cut short inside */
        {"1a03120100", TW_E_PROTOCOL}, /* NUL in the name */
    };

    (void)state;
    for (size_t i = 0; i < TW_ARRAY_LEN(cases); i++) {
        struct tw_buf bytes = WIRE_INIT;
        struct tw_method_info method = {.id = 77};
        struct tw_bytes left;

        wire_put_hex(&bytes, cases[i].hex);
        left = tw_buf_bytes(&bytes);
        assert_int_equal(tw_frame_next_method(&left, &method), cases[i].rc);
        assert_int_equal(method.id, cases[i].rc ? 77 : 1);
        tw_buf_deinit(&bytes);
    }
}

/* What is too long by so much that its size does not fit a size_t any more. */
static void lengths_do_not_wrap(void **state)
{
    struct tw_frame frame = invoke_frame(1, 1, 1);
    uint8_t out[64];
    size_t n = 77;

    REQ("TW-FRAME-002");
    (void)state;
    for (size_t less = 0; less < sizeof(out); less++) {
        frame.invoke.args = (struct tw_bytes){.p = out, .n = SIZE_MAX - less};
        assert_true(tw_frame_size(&frame) > TW_FRAME_MAX);
        assert_int_equal(tw_frame_encode(&frame, out, sizeof(out), &n), TW_E_LIMIT);
    }
    assert_int_equal(n, 77);
}

/* A decoded bind reply has a number of methods, and no list of them. */
static void methods_without_a_list_are_not_sent(void **state)
{
    struct tw_frame frame = {.kind = TW_FRAME_BIND_REPLY};
    uint8_t out[64];
    size_t n = 77;

    (void)state;
    frame.bind_reply.n_methods = 2;
    assert_true(tw_frame_size(&frame) > TW_FRAME_HEADER);
    assert_int_equal(tw_frame_encode(&frame, out, sizeof(out), &n), TW_E_INVALID);
    assert_int_equal(n, 77);
}

static void kinds_that_are_none_are_not_sent(void **state)
{
    static const int kinds[] = {-1, 1, 2, TW_FRAME_KIND_MAX, 1000};

    (void)state;
    for (size_t i = 0; i < TW_ARRAY_LEN(kinds); i++) {
        struct tw_frame frame = {.kind = (enum tw_frame_kind)kinds[i]};
        uint8_t out[64];
        size_t n;

        assert_int_equal(tw_frame_encode(&frame, out, sizeof(out), &n), TW_E_INVALID);
    }
}

/* A stream, in all its prefixes: frames come out whole, in order, and nothing else does. */
static void streams_are_taken_frame_by_frame(void **state)
{
    struct tw_buf wire = WIRE_INIT;
    struct tw_frame frame;
    struct tw_frame_fault fault = {.reason = TW_FRAME_FINE};
    size_t at = 0, n = 77;

    (void)state;
    wire_put_hex(&wire, "02000000 1005 00000000 04000000 1006 2a00 ");
    for (size_t end = 0; end < 6; end++)
        assert_int_equal(tw_frame_next((struct tw_bytes){wire.p, end}, &frame, &n, &fault),
                         TW_MORE);
    assert_int_equal(n, 77);
    assert_int_equal(tw_frame_next(tw_buf_bytes(&wire), &frame, &n, &fault), 0);
    assert_int_equal(n, 6);
    assert_int_equal(frame.request_id, 5);
    at += n;
    assert_int_equal(tw_frame_next((struct tw_bytes){wire.p + at, wire.n - at}, &frame, &n, NULL),
                     0);
    assert_int_equal(n, TW_FRAME_HEADER);
    assert_int_equal(frame.kind, TW_FRAME_NONE);
    at += n;
    assert_int_equal(tw_frame_next((struct tw_bytes){wire.p + at, wire.n - at}, &frame, &n, NULL),
                     0);
    assert_int_equal(frame.kind, TW_FRAME_INVOKE);
    assert_int_equal(at + n, wire.n);
    assert_int_equal(fault.reason, TW_FRAME_FINE);
    tw_buf_deinit(&wire);
}

static void bad_frames_end_the_stream(void **state)
{
    struct tw_buf wire = WIRE_INIT;
    struct tw_frame frame;
    struct tw_frame_fault fault;
    size_t n = 77;

    REQ("TW-FRAME-002");
    (void)state;
    wire_put_hex(&wire, "fdff0100");
    assert_int_equal(tw_frame_next(tw_buf_bytes(&wire), &frame, &n, &fault), TW_E_PROTOCOL);
    assert_int_equal(fault.reason, TW_FRAME_TOO_LARGE);
    wire.n = 0;
    wire_put_hex(&wire, "04000000 1001 0001");
    assert_int_equal(tw_frame_next(tw_buf_bytes(&wire), &frame, &n, &fault), TW_E_PROTOCOL);
    assert_int_equal(fault.reason, TW_FRAME_BAD_TAG);
    assert_int_equal(fault.offset, 2);
    assert_int_equal(tw_frame_next(tw_buf_bytes(&wire), &frame, &n, NULL), TW_E_PROTOCOL);
    assert_int_equal(n, 77);
    tw_buf_deinit(&wire);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        tw_unit_test(prefixes_are_handled),
        tw_unit_test(header_limits),
        tw_unit_test(largest_frame),
        tw_unit_test(encoding_never_passes_its_room),
        tw_unit_test(strings_with_nul_are_not_sent),
        tw_unit_test(methods_of_foreign_bytes),
        tw_unit_test(lengths_do_not_wrap),
        tw_unit_test(methods_without_a_list_are_not_sent),
        tw_unit_test(kinds_that_are_none_are_not_sent),
        tw_unit_test(streams_are_taken_frame_by_frame),
        tw_unit_test(bad_frames_end_the_stream),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
