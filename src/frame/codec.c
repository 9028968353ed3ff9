/* SPDX-License-Identifier: Apache-2.0 */
#include "tracewire/frame.h"

#include <string.h>

#include "base/req.h"
#include "frame/codec_fields.h"
#include "wire/reader.h"

static const enum tw_frame_reason reason_of_wire_fault[TW_WIRE_FAULT_MAX] = {
    TW_FRAME_FINE,    TW_FRAME_TRUNCATED, TW_FRAME_BAD_VARINT,    TW_FRAME_LONG_TAG,
    TW_FRAME_BAD_TAG, TW_FRAME_GROUP,     TW_FRAME_BAD_WIRE_TYPE,
};

int tw_frame_split(struct tw_bytes input, struct tw_bytes *ret_payload)
{
    uint32_t size;

    REQ("TW-FRAME-001");
    if (input.n < TW_FRAME_HEADER)
        return TW_MORE;
    size = (uint32_t)input.p[0] | (uint32_t)input.p[1] << 8 | (uint32_t)input.p[2] << 16 |
           (uint32_t)input.p[3] << 24;
    REQ("TW-FRAME-002");
    if (size > TW_FRAME_PAYLOAD_MAX)
        return TW_E_PROTOCOL;
    if (size > input.n - TW_FRAME_HEADER)
        return TW_MORE;
    ret_payload->p = input.p + TW_FRAME_HEADER;
    ret_payload->n = size;
    return 0;
}

/* A message on its way through: where it is read, what it may hold, and the field read last. */
struct walk {
    struct tw_reader r;
    const struct field_rule *rules;
    const uint8_t *at; /* where that field begins */
    struct tw_field field;
    enum field_value value;
    enum tw_frame_reason reason; /* what is wrong with it */
};

static void walk_begin(struct walk *w, struct tw_bytes message, uint32_t index)
{
    w->r = tw_reader_of(message);
    w->rules = field_rules[index];
    w->reason = TW_FRAME_FINE;
}

static enum tw_frame_reason check_field(const struct tw_field *field, enum field_value value)
{
    REQ("TW-ENC-002");
    if (field->type != (value <= VALUE_BOOL ? TW_WIRE_VARINT : TW_WIRE_LEN))
        return TW_FRAME_WRONG_TYPE;
    REQ("TW-ENC-008");
    if (value == VALUE_STRING && bytes_have_nul(field->bytes))
        return TW_FRAME_NUL;
    return TW_FRAME_FINE;
}

static enum field_value value_of(const struct walk *w)
{
    if (w->field.number > FIELD_NUMBER_MAX)
        return VALUE_UNKNOWN;
    return (enum field_value)w->rules[w->field.number].value;
}

/* On to the next field that is known. False at the end, and when a rule is broken. */
static bool walk_next(struct walk *w)
{
    REQ("TW-ENC-006");
    do {
        int rc;

        w->at = w->r.p;
        rc = tw_read_field(&w->r, &w->field);
        if (rc == TW_MORE)
            return false;
        if (rc) {
            w->reason = reason_of_wire_fault[tw_read_fault(&w->r, &w->field.number)];
            return false;
        }
        w->value = value_of(w);
    } while (w->value == VALUE_UNKNOWN);
    w->reason = check_field(&w->field, w->value);
    return w->reason == TW_FRAME_FINE;
}

/* Whether the message inside the field of w was fine; if not, its fault is that of w. */
static bool walk_inside(struct walk *w, const struct walk *inner)
{
    if (inner->reason == TW_FRAME_FINE)
        return true;
    w->at = inner->at;
    w->field.number = inner->field.number;
    w->reason = inner->reason;
    return false;
}

/* A scalar that is there twice is overwritten: the last one counts. */
static void store(const struct walk *w, void *message)
{
    void *at = (uint8_t *)message + w->rules[w->field.number].at;

    REQ("TW-ENC-004");
    REQ("TW-ENC-014");
    switch (w->value) {
    case VALUE_U64:
        *(uint64_t *)at = w->field.value;
        break;
    case VALUE_U32:
        *(uint32_t *)at = (uint32_t)w->field.value;
        break;
    case VALUE_I32:
        *(int32_t *)at = (int32_t)(uint32_t)w->field.value;
        break;
    case VALUE_BOOL:
        *(bool *)at = w->field.value != 0;
        break;
    case VALUE_BYTES:
    case VALUE_STRING:
    case VALUE_REPLY:
        *(struct tw_bytes *)at = w->field.bytes;
        break;
    case VALUE_UNKNOWN:
    case VALUE_METHOD:
    case VALUE_MEMBER:
    case VALUE_PADDING:
        break;
    }
}

static bool decode_method(struct walk *outer, struct tw_method_info *method)
{
    struct walk w;

    memset(method, 0, sizeof(*method));
    walk_begin(&w, outer->field.bytes, MESSAGE_METHOD);
    while (walk_next(&w))
        store(&w, method);
    return walk_inside(outer, &w);
}

static bool decode_member(struct walk *outer, struct tw_frame *frame)
{
    struct tw_method_info method;
    struct walk w;

    if (frame->kind == TW_FRAME_BIND_REPLY)
        frame->bind_reply.methods = outer->field.bytes;
    walk_begin(&w, outer->field.bytes, (uint32_t)frame->kind);
    while (walk_next(&w)) {
        if (w.value == VALUE_METHOD && !decode_method(&w, &method))
            break;
        if (w.value == VALUE_METHOD)
            frame->bind_reply.n_methods++;
        if (w.value == VALUE_REPLY)
            frame->invoke_reply.has_reply = true;
        store(&w, frame);
    }
    return walk_inside(outer, &w);
}

static bool take_member(struct walk *w, struct tw_frame *frame)
{
    REQ("TW-ENC-005");
    if (frame->kind != TW_FRAME_NONE) {
        w->reason = TW_FRAME_TWO_MEMBERS;
        return false;
    }
    frame->kind = (enum tw_frame_kind)w->field.number;
    return decode_member(w, frame);
}

int tw_frame_decode(struct tw_bytes payload, struct tw_frame *ret_frame,
                    struct tw_frame_fault *ret_fault)
{
    struct tw_frame frame;
    struct walk w;

    REQ("TW-ENC-007");
    memset(&frame, 0, sizeof(frame));
    walk_begin(&w, payload, MESSAGE_FRAME);
    while (walk_next(&w)) {
        if (w.value == VALUE_MEMBER && !take_member(&w, &frame))
            break;
        store(&w, &frame);
    }
    if (w.reason == TW_FRAME_FINE) {
        *ret_frame = frame;
        return 0;
    }
    if (ret_fault) {
        ret_fault->reason = w.reason;
        ret_fault->field = w.field.number;
        ret_fault->offset = (uint32_t)(w.at - payload.p);
    }
    return TW_E_PROTOCOL;
}

int tw_frame_next(struct tw_bytes input, struct tw_frame *ret_frame, size_t *ret_n,
                  struct tw_frame_fault *ret_fault)
{
    struct tw_bytes payload;
    int rc = tw_frame_split(input, &payload);

    if (rc == TW_E_PROTOCOL && ret_fault) {
        ret_fault->reason = TW_FRAME_TOO_LARGE;
        ret_fault->field = 0;
        ret_fault->offset = 0;
    }
    if (!rc)
        rc = tw_frame_decode(payload, ret_frame, ret_fault);
    if (!rc)
        *ret_n = TW_FRAME_HEADER + payload.n;
    return rc;
}

int tw_frame_next_method(struct tw_bytes *methods, struct tw_method_info *ret_method)
{
    struct tw_method_info method;
    struct walk w;

    walk_begin(&w, *methods, TW_FRAME_BIND_REPLY);
    while (walk_next(&w)) {
        if (w.value != VALUE_METHOD)
            continue;
        if (!decode_method(&w, &method))
            break;
        methods->p = w.r.p;
        methods->n = tw_reader_left(&w.r);
        *ret_method = method;
        return 0;
    }
    return w.reason == TW_FRAME_FINE ? TW_MORE : TW_E_PROTOCOL;
}
