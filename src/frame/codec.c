/* SPDX-License-Identifier: Apache-2.0 */
#include "tracewire/frame.h"

#include "base/req.h"
#include "frame/codec_fields.h"
#include "wire/field.h"

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

/* A message on its way through: where it ends, what it may hold, and where that goes. */
struct level {
    const uint8_t *end;
    const struct field_rule *rules;
    void *values;
};

static struct level level_of(struct tw_bytes message, uint32_t index, void *values)
{
    struct level level = {tw_reader_of(message).end, field_rules[index], values};

    return level;
}

/* What a field of that number holds. */
static enum field_value value_of(const struct level *at, uint32_t number)
{
    REQ("TW-ENC-006");
    return number > FIELD_NUMBER_MAX ? VALUE_UNKNOWN : (enum field_value)at->rules[number].value;
}

static enum tw_frame_reason check(const struct level *at, const struct tw_field *field,
                                  enum field_value value)
{
    if (value == VALUE_UNKNOWN)
        return TW_FRAME_FINE;
    REQ("TW-ENC-002");
    if (field->type != (value <= VALUE_BOOL ? TW_WIRE_VARINT : TW_WIRE_LEN))
        return TW_FRAME_WRONG_TYPE;
    if (value <= VALUE_BYTES)
        return TW_FRAME_FINE;
    REQ("TW-ENC-008");
    if (value == VALUE_STRING && bytes_have_nul(field->bytes))
        return TW_FRAME_NUL;
    REQ("TW-ENC-005");
    if (value == VALUE_MEMBER && ((const struct tw_frame *)at->values)->kind != TW_FRAME_NONE)
        return TW_FRAME_TWO_MEMBERS;
    return TW_FRAME_FINE;
}

/* What is there twice is overwritten: the last one counts. A signed number is the unsigned one that
 * has the same bits. */
static void store(const struct level *at, const struct tw_field *field, enum field_value value)
{
    void *to = (uint8_t *)at->values + at->rules[field->number].at;

    REQ("TW-ENC-004");
    REQ("TW-ENC-014");
    if (value == VALUE_U32 || value == VALUE_I32)
        *(uint32_t *)to = (uint32_t)field->value;
    else if (value == VALUE_BOOL)
        *(bool *)to = field->value != 0;
    else if (value == VALUE_U64)
        *(uint64_t *)to = field->value;
    else
        *(struct tw_bytes *)to = field->bytes;
    if (value == VALUE_REPLY)
        ((struct tw_frame *)at->values)->invoke_reply.has_reply = true;
}

/* The message in field, which is a method or a member of frame. */
static struct level enter(struct tw_frame *frame, struct tw_method_info *method,
                          const struct tw_field *field, enum field_value value)
{
    if (value == VALUE_METHOD) {
        frame->bind_reply.n_methods++;
        return level_of(field->bytes, MESSAGE_METHOD, method);
    }
    frame->kind = (enum tw_frame_kind)field->number;
    if (frame->kind == TW_FRAME_BIND_REPLY)
        frame->bind_reply.methods = field->bytes;
    return level_of(field->bytes, field->number, frame);
}

static int fail(struct tw_frame_fault *fault, enum tw_frame_reason reason, uint32_t field,
                ptrdiff_t offset)
{
    if (fault) {
        fault->reason = reason;
        fault->field = field;
        fault->offset = (uint32_t)offset;
    }
    return TW_E_PROTOCOL;
}

/*
 * Reads a message, and what is inside of it, into values. There is no recursion, and p only ever
 * moves on: to enter a message inside is to go on at its first byte, and where it ends the one
 * around it goes on. That is a method in a member in a frame at most, so two levels wait.
 */
static int decode(struct tw_bytes message, uint32_t index, void *values,
                  struct tw_frame_fault *fault)
{
    struct level at = level_of(message, index, values), outer[2];
    struct tw_method_info method; /* checked here, kept by tw_frame_next_method() */
    const uint8_t *p = message.p;
    size_t depth = 0;

    while (p != at.end || depth > 0) {
        struct tw_reader r = {p, at.end};
        enum tw_wire_fault wire_fault;
        enum tw_frame_reason reason;
        enum field_value value;
        struct tw_field field;

        if (p == at.end) {
            at = outer[--depth];
            continue;
        }
        wire_fault = tw_field_at(&r, &field);
        if (wire_fault)
            return fail(fault, reason_of_wire_fault[wire_fault], field.number, p - message.p);
        value = value_of(&at, field.number);
        reason = check(&at, &field, value);
        if (reason)
            return fail(fault, reason, field.number, p - message.p);
        p = r.p;
        if (value >= VALUE_METHOD) {
            outer[depth++] = at;
            p = field.bytes.p;
            at = enter((struct tw_frame *)at.values, &method, &field, value);
        } else if (value != VALUE_UNKNOWN && value != VALUE_PADDING) {
            store(&at, &field, value);
        }
    }
    return 0;
}

int tw_frame_decode(struct tw_bytes payload, struct tw_frame *ret_frame,
                    struct tw_frame_fault *ret_fault)
{
    struct tw_frame frame;
    int rc;

    REQ("TW-ENC-007");
    __builtin_memset(&frame, 0, sizeof(frame));
    rc = decode(payload, MESSAGE_FRAME, &frame, ret_fault);
    if (!rc)
        *ret_frame = frame;
    return rc;
}

int tw_frame_next(struct tw_bytes input, struct tw_frame *ret_frame, size_t *ret_n,
                  struct tw_frame_fault *ret_fault)
{
    struct tw_bytes payload;
    int rc = tw_frame_split(input, &payload);

    if (rc == TW_E_PROTOCOL)
        return fail(ret_fault, TW_FRAME_TOO_LARGE, 0, 0);
    if (!rc)
        rc = tw_frame_decode(payload, ret_frame, ret_fault);
    if (!rc)
        *ret_n = TW_FRAME_HEADER + payload.n;
    return rc;
}

int tw_frame_next_method(struct tw_bytes *methods, struct tw_method_info *ret_method)
{
    struct tw_reader r = tw_reader_of(*methods);

    while (r.p != r.end) {
        struct tw_method_info method;
        struct tw_field field;

        if (tw_field_at(&r, &field))
            return TW_E_PROTOCOL;
        if (field.number != FIELD_METHODS || field.type != TW_WIRE_LEN)
            continue;
        __builtin_memset(&method, 0, sizeof(method));
        if (decode(field.bytes, MESSAGE_METHOD, &method, NULL))
            return TW_E_PROTOCOL;
        methods->p = r.p;
        methods->n = (size_t)(r.end - r.p);
        *ret_method = method;
        return 0;
    }
    return TW_MORE;
}
