/* SPDX-License-Identifier: Apache-2.0 */
/* The codec and the receiving half against the frame vectors: verdict, reason and value of each,
 * whole and cut everywhere, and canonical ones encoded again. */
#include "tests/vectors/vectors.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"
#include "base/req.h"
#include "frame/rx.h"
#include "tracewire/frame.h"

static void add_field(struct tw_buf *text, const char *name, struct tw_bytes bytes)
{
    text_add(text, ",%s:", name);
    text_add_hex(text, bytes);
}

static void add_methods(struct tw_buf *text, const struct tw_frame *f)
{
    struct tw_bytes left = f->bind_reply.methods;
    struct tw_method_info method;
    size_t n = 0;
    int rc;

    text_add(text, ",methods:[");
    for (; !(rc = tw_frame_next_method(&left, &method)); n++) {
        text_add(text, "%s{id:%" PRIu32, n ? "," : "", method.id);
        add_field(text, "name", method.name);
        text_add(text, "}");
    }
    text_add(text, "]");
    assert_int_equal(rc, TW_MORE);
    assert_int_equal(n, f->bind_reply.n_methods);
}

static void add_member(struct tw_buf *text, const struct tw_frame *f)
{
    switch (f->kind) {
    case TW_FRAME_BIND:
        add_field(text, "service_name", f->bind.service_name);
        break;
    case TW_FRAME_BIND_REPLY:
        text_add(text, ",success:%d,service_id:%" PRIu32, f->bind_reply.success,
                 f->bind_reply.service_id);
        add_methods(text, f);
        break;
    case TW_FRAME_INVOKE:
        text_add(text, ",service_id:%" PRIu32 ",method_id:%" PRIu32, f->invoke.service_id,
                 f->invoke.method_id);
        add_field(text, "args", f->invoke.args);
        text_add(text, ",drop_reply:%d", f->invoke.drop_reply);
        break;
    case TW_FRAME_INVOKE_REPLY:
        text_add(text, ",success:%d,has_more:%d", f->invoke_reply.success,
                 f->invoke_reply.has_more);
        if (f->invoke_reply.has_reply)
            add_field(text, "reply", f->invoke_reply.reply);
        else
            text_add(text, ",reply:null");
        break;
    case TW_FRAME_REQUEST_ERROR:
        add_field(text, "error", f->request_error.text);
        break;
    case TW_FRAME_PEER_IDENTITY:
        text_add(text, ",pid:%" PRId32 ",uid:%" PRId32, f->peer_identity.pid, f->peer_identity.uid);
        add_field(text, "machine_id_hint", f->peer_identity.machine_id_hint);
        add_field(text, "machine_name", f->peer_identity.machine_name);
        break;
    case TW_FRAME_NONE:
    case TW_FRAME_KIND_MAX:
        break;
    }
}

/* A decoded frame as a vector would have it. */
static void add_frame(struct tw_buf *text, const struct tw_frame *f, bool empty)
{
    static const char *const kinds[TW_FRAME_KIND_MAX] = {
        [TW_FRAME_NONE] = "none",
        [TW_FRAME_BIND] = "bind",
        [TW_FRAME_BIND_REPLY] = "bind_reply",
        [TW_FRAME_INVOKE] = "invoke",
        [TW_FRAME_INVOKE_REPLY] = "invoke_reply",
        [TW_FRAME_REQUEST_ERROR] = "request_error",
        [TW_FRAME_PEER_IDENTITY] = "peer_identity",
    };

    if (empty) {
        assert_int_equal(f->kind, TW_FRAME_NONE);
        text_add(text, "{kind:empty}");
        return;
    }
    text_add(text, "{kind:%s,request_id:%" PRIu64, kinds[f->kind], f->request_id);
    add_member(text, f);
    text_add(text, "}");
}

/* What a stream said so far: its frames as text, and how it stands. */
struct heard {
    struct tw_buf frames; /* a list without its brackets */
    size_t n;
    int rc; /* TW_MORE, or TW_E_PROTOCOL for good */
    enum tw_frame_reason reason;
};

static void heard_reset(struct heard *h)
{
    h->frames.n = h->n = 0;
    h->rc = TW_MORE;
    h->reason = TW_FRAME_FINE;
}

static void hear(struct heard *h, const struct tw_frame *frame, bool empty)
{
    text_add(&h->frames, "%s", h->n++ ? "," : "");
    add_frame(&h->frames, frame, empty);
}

/* The first n bytes, all at once, through the codec alone. */
static void hear_prefix(struct heard *h, const struct vector *v, size_t n)
{
    uint8_t *copy = exact_copy(v->bytes, n);
    struct tw_bytes left = {copy, n};
    struct tw_frame_fault fault = {0};
    struct tw_frame frame;
    size_t taken;

    heard_reset(h);
    while (!(h->rc = tw_frame_next(left, &frame, &taken, &fault))) {
        hear(h, &frame, taken == TW_FRAME_HEADER);
        left.p += taken;
        left.n -= taken;
    }
    h->reason = fault.reason;
    free(copy);
}

/* Takes every frame that is whole off the receiving half. */
static void drain(struct tw_rx *rx, struct heard *h)
{
    struct tw_frame_fault fault = {.reason = TW_FRAME_TOO_LARGE};
    struct tw_bytes payload;
    struct tw_frame frame;

    while (h->rc == TW_MORE && !(h->rc = tw_rx_next(rx, &payload))) {
        h->rc = tw_frame_decode(payload, &frame, &fault);
        if (h->rc)
            break;
        h->rc = TW_MORE;
        hear(h, &frame, payload.n == 0);
    }
    if (h->rc == TW_E_PROTOCOL)
        h->reason = fault.reason;
}

static void receive(struct tw_rx *rx, struct heard *h, const uint8_t *p, size_t n)
{
    while (n && h->rc == TW_MORE) {
        uint8_t *room;
        size_t some;

        tw_rx_space(rx, &room, &some);
        some = tw_min(some, n);
        assert_true(some > 0);
        memcpy(room, p, some);
        tw_rx_filled(rx, some, NULL, 0);
        p += some;
        n -= some;
        drain(rx, h);
    }
}

/* How the stream must stand when its first n bytes are there. */
static void check_heard(const struct vector *v, const struct heard *h, size_t n)
{
    json_t *ends = json_object_get(v->json, "ends");
    bool closed = !vector_accepts(v) &&
                  (json_int_t)n >= json_integer_value(json_object_get(v->json, "closes"));
    size_t whole = 0;

    while (whole < json_array_size(ends) &&
           json_integer_value(json_array_get(ends, whole)) <= (json_int_t)n)
        whole++;
    if (h->n != whole || h->rc != (closed ? TW_E_PROTOCOL : TW_MORE))
        fail_msg("%s at %zu: %zu frames and %d, not %zu", v->id, n, h->n, h->rc, whole);
    if (closed)
        assert_string_equal(tw_frame_reason_name(h->reason), v->reason);
}

static void check_frames(const struct vector *v, const struct heard *h)
{
    struct tw_buf want = TEXT_INIT, got = TEXT_INIT;

    text_add_json(&want, json_object_get(v->json, "frames"));
    text_add(&got, "[");
    assert_int_equal(tw_buf_append(&got, h->frames.p, h->frames.n), 0);
    text_add(&got, "]");
    assert_same_text(v, &got, &want);
    tw_buf_deinit(&want);
    tw_buf_deinit(&got);
}

static void check_cut(const struct vector *v, struct heard *h, size_t at)
{
    struct tw_rx rx;

    hear_prefix(h, v, at);
    check_heard(v, h, at);
    heard_reset(h);
    assert_int_equal(tw_rx_init(&rx), 0);
    receive(&rx, h, v->bytes, at);
    check_heard(v, h, at);
    receive(&rx, h, v->bytes + at, v->n - at);
    check_heard(v, h, v->n);
    check_frames(v, h);
    tw_rx_deinit(&rx);
}

static void check_bytewise(const struct vector *v, struct heard *h)
{
    struct tw_rx rx;

    heard_reset(h);
    assert_int_equal(tw_rx_init(&rx), 0);
    for (size_t i = 0; i < v->n; i++) {
        receive(&rx, h, v->bytes + i, 1);
        check_heard(v, h, i + 1);
    }
    check_frames(v, h);
    tw_rx_deinit(&rx);
}

static size_t check_stream(const struct vector *v)
{
    struct heard h = {.frames = TEXT_INIT};
    json_t *split = json_object_get(v->json, "split"), *at;
    size_t n = 0, i;

    if (json_is_string(split))
        for (; n <= v->n; n++)
            check_cut(v, &h, n);
    else
        json_array_foreach(split, i, at)
        {
            check_cut(v, &h, (size_t)json_integer_value(at));
            n++;
        }
    check_bytewise(v, &h);
    tw_buf_deinit(&h.frames);
    return n;
}

static void streams_are_heard_however_cut(void **state)
{
    size_t n = 0, cuts = 0;

    (void)state;
    REQ("TW-FRAME-001");
    REQ("TW-FRAME-002");
    REQ("TW-FRAME-003");
    for (size_t i = 0; i < vectors.n; i++)
        if (strcmp(vectors.list[i].kind, "stream") == 0) {
            cuts += check_stream(&vectors.list[i]);
            n++;
        }
    assert_true(n > 0);
    print_message("%zu stream vectors, %zu cuts\n", n, cuts);
}

/* A payload vector as a stream of one frame. */
static struct vector as_stream(const struct vector *v, json_t *json)
{
    struct vector stream = *v;
    size_t closes = TW_FRAME_HEADER + v->n;

    stream.n = TW_FRAME_HEADER + v->n;
    stream.bytes = malloc(stream.n);
    assert_non_null(stream.bytes);
    for (size_t i = 0; i < TW_FRAME_HEADER; i++)
        stream.bytes[i] = (uint8_t)(v->n >> (8 * i));
    memcpy(stream.bytes + TW_FRAME_HEADER, v->bytes, v->n);
    stream.json = json_copy(json);
    if (!vector_accepts(v)) {
        json_object_set_new(stream.json, "closes", json_integer((json_int_t)closes));
        json_object_set_new(stream.json, "frames", json_array());
    } else {
        json_object_set_new(stream.json, "ends",
                            json_pack("[I]", (json_int_t)(TW_FRAME_HEADER + v->n)));
    }
    return stream;
}

static void payloads_are_heard_in_a_stream(void **state)
{
    size_t n = 0, cuts = 0;

    (void)state;
    for (size_t i = 0; i < vectors.n; i++)
        if (strcmp(vectors.list[i].kind, "payload") == 0) {
            struct vector stream = as_stream(&vectors.list[i], vectors.list[i].json);

            cuts += check_stream(&stream);
            json_decref(stream.json);
            free(stream.bytes);
            n++;
        }
    assert_true(n > 0);
    print_message("%zu payload vectors as streams, %zu cuts\n", n, cuts);
}

/* The frame encodes to the payload it came from. */
static void check_canonical(const struct vector *v, struct tw_frame frame)
{
    struct tw_method_info *list = NULL;
    size_t cap, n;
    uint8_t *out;

    if (frame.kind == TW_FRAME_BIND_REPLY) {
        struct tw_bytes left = frame.bind_reply.methods;

        list = calloc(frame.bind_reply.n_methods + 1, sizeof(*list));
        assert_non_null(list);
        for (size_t i = 0; i < frame.bind_reply.n_methods; i++)
            assert_int_equal(tw_frame_next_method(&left, &list[i]), 0);
        frame.bind_reply.method = list;
    }
    cap = tw_frame_size(&frame);
    assert_int_equal(cap, TW_FRAME_HEADER + v->n);
    out = malloc(cap);
    assert_non_null(out);
    assert_int_equal(tw_frame_encode(&frame, out, cap, &n), 0);
    assert_int_equal(n, cap);
    assert_memory_equal(out + TW_FRAME_HEADER, v->bytes, v->n);
    free(out);
    free(list);
}

static void check_payload(const struct vector *v)
{
    const struct tw_frame untouched = {.request_id = 4711};
    struct tw_frame_fault fault = {0};
    struct tw_frame frame = untouched;
    int rc = tw_frame_decode((struct tw_bytes){v->bytes, v->n}, &frame, &fault);
    struct tw_buf want = TEXT_INIT, got = TEXT_INIT;

    if (!vector_accepts(v)) {
        if (rc != TW_E_PROTOCOL)
            fail_msg("%s: got %d", v->id, rc);
        if (strcmp(tw_frame_reason_name(fault.reason), v->reason) != 0)
            fail_msg("%s: got %s, want %s", v->id, tw_frame_reason_name(fault.reason), v->reason);
        assert_memory_equal(&frame, &untouched, sizeof(frame));
        return;
    }
    if (rc)
        fail_msg("%s: got %d", v->id, rc);
    text_add_json(&want, json_array_get(json_object_get(v->json, "frames"), 0));
    add_frame(&got, &frame, v->n == 0);
    assert_same_text(v, &got, &want);
    if (v->canonical)
        check_canonical(v, frame);
    tw_buf_deinit(&want);
    tw_buf_deinit(&got);
}

static void payloads_decode_as_they_say(void **state)
{
    size_t n = 0, canonical = 0;

    (void)state;
    REQ("TW-ENC-001");
    REQ("TW-ENC-002");
    REQ("TW-ENC-003");
    REQ("TW-ENC-004");
    REQ("TW-ENC-005");
    REQ("TW-ENC-006");
    REQ("TW-ENC-007");
    REQ("TW-ENC-008");
    REQ("TW-ENC-009");
    REQ("TW-ENC-010");
    REQ("TW-ENC-014");
    for (size_t i = 0; i < vectors.n; i++)
        if (strcmp(vectors.list[i].kind, "payload") == 0) {
            check_payload(&vectors.list[i]);
            n++;
            canonical += vectors.list[i].canonical;
        }
    assert_true(n > 0 && canonical > 0);
    print_message("%zu payload vectors, %zu of them canonical\n", n, canonical);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        tw_unit_test(payloads_decode_as_they_say),
        tw_unit_test(streams_are_heard_however_cut),
        tw_unit_test(payloads_are_heard_in_a_stream),
    };

    return cmocka_run_group_tests(tests, vectors_load, vectors_free);
}
