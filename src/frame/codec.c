/* SPDX-License-Identifier: Apache-2.0 */
#include "tracewire/frame.h"

#include "wire/reader.h"
#include "wire/writer.h"

/* Field numbers of IPCFrame and of its members (spec/proto/ipc_frame.proto). */
enum {
    FRAME_TESTING = 1,
    FRAME_REQUEST_ID = 2,
    BIND_SERVICE_NAME = 1,
    BIND_REPLY_SUCCESS = 1,
    BIND_REPLY_SERVICE_ID = 2,
    BIND_REPLY_METHODS = 3,
    METHOD_ID = 1,
    METHOD_NAME = 2,
    INVOKE_SERVICE_ID = 1,
    INVOKE_METHOD_ID = 2,
    INVOKE_ARGS = 3,
    INVOKE_DROP_REPLY = 4,
    REPLY_SUCCESS = 1,
    REPLY_HAS_MORE = 2,
    REPLY_BYTES = 3,
    ERROR_TEXT = 1,
    IDENTITY_PID = 1,
    IDENTITY_UID = 2,
    IDENTITY_MACHINE_ID_HINT = 3,
    IDENTITY_MACHINE_NAME = 4,
};

static const char why_malformed[] = "TW-ENC-001: the frame is not well-formed protobuf";
static const char why_wire_type[] = "TW-ENC-002: a known field has the wrong wire type";
static const char why_two_kinds[] = "TW-ENC-005: two members of the frame's oneof are set";

int tw_frame_split(struct tw_bytes input, struct tw_bytes *ret_payload)
{
    uint32_t size;

    if (input.n < TW_FRAME_HEADER)
        return TW_MORE;
    size = (uint32_t)input.p[0] | (uint32_t)input.p[1] << 8 | (uint32_t)input.p[2] << 16 |
           (uint32_t)input.p[3] << 24;
    if (size > TW_FRAME_PAYLOAD_MAX)
        return TW_E_PROTOCOL;
    if (size > input.n - TW_FRAME_HEADER)
        return TW_MORE;
    *ret_payload = (struct tw_bytes){.p = input.p + TW_FRAME_HEADER, .n = size};
    return 0;
}

/*
 * Decoding a message of the frame: one function a message that takes one field. It returns
 * TW_MORE for a field it does not know, TW_E_INVALID for a known one of the wrong wire type,
 * TW_E_PROTOCOL for one that is malformed inside.
 */
typedef int (*take_field_fn)(const struct tw_field *field, struct tw_frame *frame);

static int take_u64(const struct tw_field *field, uint64_t *ret)
{
    if (field->type != TW_WIRE_VARINT)
        return TW_E_INVALID;
    *ret = field->value;
    return 0;
}

/* 32-bit fields keep the low half of the varint, as every protobuf decoder does. */
static int take_u32(const struct tw_field *field, uint32_t *ret)
{
    if (field->type != TW_WIRE_VARINT)
        return TW_E_INVALID;
    *ret = (uint32_t)field->value;
    return 0;
}

static int take_i32(const struct tw_field *field, int32_t *ret)
{
    if (field->type != TW_WIRE_VARINT)
        return TW_E_INVALID;
    *ret = (int32_t)(uint32_t)field->value;
    return 0;
}

static int take_bool(const struct tw_field *field, bool *ret)
{
    if (field->type != TW_WIRE_VARINT)
        return TW_E_INVALID;
    *ret = field->value != 0;
    return 0;
}

static int take_bytes(const struct tw_field *field, struct tw_bytes *ret)
{
    if (field->type != TW_WIRE_LEN)
        return TW_E_INVALID;
    *ret = field->bytes;
    return 0;
}

static int take_bind(const struct tw_field *field, struct tw_frame *frame)
{
    if (field->number == BIND_SERVICE_NAME)
        return take_bytes(field, &frame->bind.service_name);
    return TW_MORE;
}

static int take_method_field(const struct tw_field *field, struct tw_method_info *method)
{
    switch (field->number) {
    case METHOD_ID:
        return take_u32(field, &method->id);
    case METHOD_NAME:
        return take_bytes(field, &method->name);
    default:
        return TW_MORE;
    }
}

static int decode_method(struct tw_bytes bytes, struct tw_method_info *ret_method)
{
    struct tw_reader r = tw_reader_of(bytes);
    struct tw_method_info method = {0};
    struct tw_field field;
    int rc;

    while (!(rc = tw_read_field(&r, &field)))
        if (take_method_field(&field, &method) == TW_E_INVALID)
            return TW_E_INVALID;
    if (rc != TW_MORE)
        return TW_E_PROTOCOL;
    *ret_method = method;
    return 0;
}

static int take_bind_reply(const struct tw_field *field, struct tw_frame *frame)
{
    struct tw_method_info method;
    int rc;

    switch (field->number) {
    case BIND_REPLY_SUCCESS:
        return take_bool(field, &frame->bind_reply.success);
    case BIND_REPLY_SERVICE_ID:
        return take_u32(field, &frame->bind_reply.service_id);
    case BIND_REPLY_METHODS:
        if (field->type != TW_WIRE_LEN)
            return TW_E_INVALID;
        rc = decode_method(field->bytes, &method);
        frame->bind_reply.n_methods += rc == 0;
        return rc;
    default:
        return TW_MORE;
    }
}

static int take_invoke(const struct tw_field *field, struct tw_frame *frame)
{
    switch (field->number) {
    case INVOKE_SERVICE_ID:
        return take_u32(field, &frame->invoke.service_id);
    case INVOKE_METHOD_ID:
        return take_u32(field, &frame->invoke.method_id);
    case INVOKE_ARGS:
        return take_bytes(field, &frame->invoke.args);
    case INVOKE_DROP_REPLY:
        return take_bool(field, &frame->invoke.drop_reply);
    default:
        return TW_MORE;
    }
}

static int take_invoke_reply(const struct tw_field *field, struct tw_frame *frame)
{
    switch (field->number) {
    case REPLY_SUCCESS:
        return take_bool(field, &frame->invoke_reply.success);
    case REPLY_HAS_MORE:
        return take_bool(field, &frame->invoke_reply.has_more);
    case REPLY_BYTES:
        frame->invoke_reply.has_reply = true;
        return take_bytes(field, &frame->invoke_reply.reply);
    default:
        return TW_MORE;
    }
}

static int take_request_error(const struct tw_field *field, struct tw_frame *frame)
{
    if (field->number == ERROR_TEXT)
        return take_bytes(field, &frame->request_error.text);
    return TW_MORE;
}

static int take_peer_identity(const struct tw_field *field, struct tw_frame *frame)
{
    switch (field->number) {
    case IDENTITY_PID:
        return take_i32(field, &frame->peer_identity.pid);
    case IDENTITY_UID:
        return take_i32(field, &frame->peer_identity.uid);
    case IDENTITY_MACHINE_ID_HINT:
        return take_bytes(field, &frame->peer_identity.machine_id_hint);
    case IDENTITY_MACHINE_NAME:
        return take_bytes(field, &frame->peer_identity.machine_name);
    default:
        return TW_MORE;
    }
}

static const take_field_fn take_by_kind[TW_FRAME_KIND_MAX] = {
    [TW_FRAME_BIND] = take_bind,
    [TW_FRAME_BIND_REPLY] = take_bind_reply,
    [TW_FRAME_INVOKE] = take_invoke,
    [TW_FRAME_INVOKE_REPLY] = take_invoke_reply,
    [TW_FRAME_REQUEST_ERROR] = take_request_error,
    [TW_FRAME_PEER_IDENTITY] = take_peer_identity,
};

static int decode_member(struct tw_bytes body, struct tw_frame *frame, const char **why)
{
    struct tw_reader r = tw_reader_of(body);
    struct tw_field field;
    int rc;

    if (frame->kind == TW_FRAME_NONE)
        return 0;
    if (frame->kind == TW_FRAME_BIND_REPLY)
        frame->bind_reply.methods = body;
    while (!(rc = tw_read_field(&r, &field))) {
        rc = take_by_kind[frame->kind](&field, frame);
        if (rc && rc != TW_MORE)
            break;
    }
    if (rc == TW_MORE)
        return 0;
    *why = rc == TW_E_INVALID ? why_wire_type : why_malformed;
    return TW_E_PROTOCOL;
}

/* One field of IPCFrame itself; the bytes of the member that is set go to *body. */
static const char *take_frame(const struct tw_field *field, struct tw_frame *frame,
                              struct tw_bytes *body)
{
    struct tw_bytes ignored;

    if (field->number == FRAME_TESTING)
        return take_bytes(field, &ignored) ? why_wire_type : NULL;
    if (field->number == FRAME_REQUEST_ID)
        return take_u64(field, &frame->request_id) ? why_wire_type : NULL;
    if (field->number >= TW_FRAME_KIND_MAX || !take_by_kind[field->number])
        return NULL; /* unknown: tolerated. TW-ENC-006 */
    if (frame->kind != TW_FRAME_NONE)
        return why_two_kinds;
    frame->kind = (enum tw_frame_kind)field->number;
    return take_bytes(field, body) ? why_wire_type : NULL;
}

static int decode(struct tw_bytes payload, struct tw_frame *frame, const char **why)
{
    struct tw_reader r = tw_reader_of(payload);
    struct tw_bytes body = {0};
    struct tw_field field;
    int rc;

    while (!(rc = tw_read_field(&r, &field))) {
        *why = take_frame(&field, frame, &body);
        if (*why)
            return TW_E_PROTOCOL;
    }
    if (rc != TW_MORE) {
        *why = why_malformed;
        return TW_E_PROTOCOL;
    }
    return decode_member(body, frame, why);
}

int tw_frame_decode(struct tw_bytes payload, struct tw_frame *ret_frame, const char **ret_why)
{
    struct tw_frame frame = {.kind = TW_FRAME_NONE};
    const char *why = NULL;
    int rc = decode(payload, &frame, &why);

    if (rc) {
        if (ret_why)
            *ret_why = why;
        return rc;
    }
    *ret_frame = frame;
    return 0;
}

int tw_frame_next_method(struct tw_bytes *methods, struct tw_method_info *ret_method)
{
    struct tw_reader r = tw_reader_of(*methods);
    struct tw_field field;
    int rc;

    while (!(rc = tw_read_field(&r, &field))) {
        if (field.number != BIND_REPLY_METHODS)
            continue;
        *methods = (struct tw_bytes){.p = r.p, .n = tw_reader_left(&r)};
        return decode_method(field.bytes, ret_method) ? TW_E_PROTOCOL : 0;
    }
    return rc == TW_MORE ? TW_MORE : TW_E_PROTOCOL;
}

static size_t varint_field_size(uint64_t value)
{
    return 1 + tw_varint_size(value); /* all our field numbers have one-byte tags */
}

static size_t bytes_field_size(size_t n)
{
    return varint_field_size(n) + n;
}

static size_t method_size(const struct tw_method_info *m)
{
    return varint_field_size(m->id) + bytes_field_size(m->name.n);
}

static size_t int32_field_size(int32_t value)
{
    return varint_field_size((uint64_t)(int64_t)value);
}

static size_t member_size(const struct tw_frame *f)
{
    size_t n = 0;

    switch (f->kind) {
    case TW_FRAME_BIND:
        return bytes_field_size(f->bind.service_name.n);
    case TW_FRAME_BIND_REPLY:
        n = varint_field_size(1) + varint_field_size(f->bind_reply.service_id);
        for (size_t i = 0; i < f->bind_reply.n_methods; i++)
            n += bytes_field_size(method_size(&f->bind_reply.method[i]));
        return n;
    case TW_FRAME_INVOKE:
        return varint_field_size(f->invoke.service_id) + varint_field_size(f->invoke.method_id) +
               bytes_field_size(f->invoke.args.n) + varint_field_size(1);
    case TW_FRAME_INVOKE_REPLY:
        n = varint_field_size(1) + varint_field_size(1);
        return n + (f->invoke_reply.has_reply ? bytes_field_size(f->invoke_reply.reply.n) : 0);
    case TW_FRAME_REQUEST_ERROR:
        return bytes_field_size(f->request_error.text.n);
    case TW_FRAME_PEER_IDENTITY:
        return int32_field_size(f->peer_identity.pid) + int32_field_size(f->peer_identity.uid) +
               bytes_field_size(f->peer_identity.machine_id_hint.n) +
               bytes_field_size(f->peer_identity.machine_name.n);
    case TW_FRAME_NONE:
    case TW_FRAME_KIND_MAX:
        break;
    }
    return n;
}

static size_t payload_size(const struct tw_frame *f)
{
    size_t n = varint_field_size(f->request_id);

    return f->kind == TW_FRAME_NONE ? n : n + bytes_field_size(member_size(f));
}

size_t tw_frame_size(const struct tw_frame *frame)
{
    return TW_FRAME_HEADER + payload_size(frame);
}

static void put_bind_reply(struct tw_writer *w, const struct tw_frame *f)
{
    tw_put_bool(w, BIND_REPLY_SUCCESS, f->bind_reply.success);
    tw_put_u64(w, BIND_REPLY_SERVICE_ID, f->bind_reply.service_id);
    for (size_t i = 0; i < f->bind_reply.n_methods; i++) {
        const struct tw_method_info *m = &f->bind_reply.method[i];

        tw_put_len(w, BIND_REPLY_METHODS, method_size(m));
        tw_put_u64(w, METHOD_ID, m->id);
        tw_put_bytes(w, METHOD_NAME, m->name);
    }
}

static void put_member(struct tw_writer *w, const struct tw_frame *f)
{
    switch (f->kind) {
    case TW_FRAME_BIND:
        tw_put_bytes(w, BIND_SERVICE_NAME, f->bind.service_name);
        break;
    case TW_FRAME_BIND_REPLY:
        put_bind_reply(w, f);
        break;
    case TW_FRAME_INVOKE:
        tw_put_u64(w, INVOKE_SERVICE_ID, f->invoke.service_id);
        tw_put_u64(w, INVOKE_METHOD_ID, f->invoke.method_id);
        tw_put_bytes(w, INVOKE_ARGS, f->invoke.args);
        tw_put_bool(w, INVOKE_DROP_REPLY, f->invoke.drop_reply);
        break;
    case TW_FRAME_INVOKE_REPLY:
        tw_put_bool(w, REPLY_SUCCESS, f->invoke_reply.success);
        tw_put_bool(w, REPLY_HAS_MORE, f->invoke_reply.has_more);
        if (f->invoke_reply.has_reply)
            tw_put_bytes(w, REPLY_BYTES, f->invoke_reply.reply);
        break;
    case TW_FRAME_REQUEST_ERROR:
        tw_put_bytes(w, ERROR_TEXT, f->request_error.text);
        break;
    case TW_FRAME_PEER_IDENTITY:
        tw_put_i64(w, IDENTITY_PID, f->peer_identity.pid);
        tw_put_i64(w, IDENTITY_UID, f->peer_identity.uid);
        tw_put_bytes(w, IDENTITY_MACHINE_ID_HINT, f->peer_identity.machine_id_hint);
        tw_put_bytes(w, IDENTITY_MACHINE_NAME, f->peer_identity.machine_name);
        break;
    case TW_FRAME_NONE:
    case TW_FRAME_KIND_MAX:
        break;
    }
}

int tw_frame_encode(const struct tw_frame *frame, uint8_t *p, size_t cap, size_t *ret_n)
{
    struct tw_writer w = tw_writer_of(p, cap);
    size_t payload = payload_size(frame);
    uint8_t header[TW_FRAME_HEADER];

    if (payload > TW_FRAME_PAYLOAD_MAX || payload + TW_FRAME_HEADER > cap)
        return TW_E_LIMIT;
    for (size_t i = 0; i < sizeof(header); i++)
        header[i] = (uint8_t)(payload >> (8 * i));
    tw_put_raw(&w, header, sizeof(header));
    tw_put_u64(&w, FRAME_REQUEST_ID, frame->request_id);
    if (frame->kind != TW_FRAME_NONE) {
        tw_put_len(&w, (uint32_t)frame->kind, member_size(frame));
        put_member(&w, frame);
    }
    *ret_n = tw_writer_size(&w);
    return 0;
}
