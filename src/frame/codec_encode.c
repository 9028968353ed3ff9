/* SPDX-License-Identifier: Apache-2.0 */
#include "tracewire/frame.h"

#include "base/req.h"
#include "frame/codec_fields.h"

/* Bytes go as far as there is room and are counted beyond it, so that a size is what a sink
 * without room has counted. */
struct sink {
    uint8_t *p;
    size_t room; /* bytes at p */
    size_t n;    /* bytes put so far */
    bool bad;    /* something was put that must not be sent */
};

static void put_octet(struct sink *s, uint64_t octet)
{
    if (s->n < s->room)
        s->p[s->n] = (uint8_t)octet;
    s->n++;
}

static void put_varint(struct sink *s, uint64_t value)
{
    for (; value >= 0x80; value >>= 7)
        put_octet(s, value | 0x80);
    put_octet(s, value);
}

/* Every field number has a tag of one byte. */
static void put_number(struct sink *s, uint32_t field, uint64_t value)
{
    put_octet(s, field << 3);
    put_varint(s, value);
}

static void put_len(struct sink *s, uint32_t field, size_t n)
{
    put_octet(s, field << 3 | 2);
    put_varint(s, n);
}

/* More than a frame holds is counted as just that, so that no sum of sizes can wrap. Bytes that lie
 * elsewhere are only counted. */
static void put_bytes(struct sink *s, uint32_t field, struct tw_bytes value)
{
    put_len(s, field, value.n);
    if (s->n <= s->room && value.p && value.n && value.n <= s->room - s->n)
        __builtin_memcpy(s->p + s->n, value.p, value.n);
    s->n += value.n < TW_FRAME_MAX ? value.n : TW_FRAME_MAX;
}

/* One field of message, as the rule says. */
static void put_field(struct sink *s, uint32_t number, struct field_rule rule, const void *message)
{
    const void *at = (const uint8_t *)message + rule.at;

    REQ("TW-ENC-008");
    switch ((enum field_value)rule.value) {
    case VALUE_U32:
        put_number(s, number, *(const uint32_t *)at);
        break;
    case VALUE_I32:
        put_number(s, number, (uint64_t)(int64_t) * (const int32_t *)at);
        break;
    case VALUE_BOOL:
        put_number(s, number, *(const bool *)at);
        break;
    case VALUE_STRING:
        s->bad = s->bad || bytes_have_nul(*(const struct tw_bytes *)at);
        put_bytes(s, number, *(const struct tw_bytes *)at);
        break;
    case VALUE_BYTES:
    case VALUE_REPLY:
        put_bytes(s, number, *(const struct tw_bytes *)at);
        break;
    default:
        break; /* no such field, one that is never sent, or one that its message puts itself */
    }
}

static void put_method_fields(struct sink *s, const struct tw_method_info *method)
{
    for (uint32_t i = 1; i <= FIELD_NUMBER_MAX; i++)
        put_field(s, i, field_rules[MESSAGE_METHOD][i], method);
}

static void put_methods(struct sink *s, uint32_t number, const struct tw_frame *frame)
{
    const struct tw_method_info *method = frame->bind_reply.method;

    s->bad = s->bad || (!method && frame->bind_reply.n_methods > 0);
    for (size_t i = 0; method && i < frame->bind_reply.n_methods && s->n <= TW_FRAME_MAX; i++) {
        struct sink counted = {NULL, 0, 0, false};

        put_method_fields(&counted, &method[i]);
        put_len(s, number, counted.n);
        put_method_fields(s, &method[i]);
    }
}

static void put_member_fields(struct sink *s, const struct tw_frame *frame)
{
    for (uint32_t i = 1; i <= FIELD_NUMBER_MAX; i++) {
        struct field_rule rule = field_rules[frame->kind][i];

        if (rule.value == VALUE_METHOD)
            put_methods(s, i, frame);
        else if (rule.value != VALUE_REPLY || frame->invoke_reply.has_reply)
            put_field(s, i, rule, frame);
    }
}

static bool has_member(const struct tw_frame *frame)
{
    return (unsigned)frame->kind < TW_FRAME_KIND_MAX &&
           field_rules[MESSAGE_FRAME][frame->kind].value == VALUE_MEMBER;
}

/* The payload up to the member's own fields, whose size is member. */
static void put_payload_begin(struct sink *s, const struct tw_frame *frame, size_t member)
{
    put_number(s, FIELD_REQUEST_ID, frame->request_id);
    if (has_member(frame))
        put_len(s, (uint32_t)frame->kind, member);
}

struct sizes {
    size_t member, payload;
    bool bad;
};

static struct sizes measure(const struct tw_frame *frame)
{
    struct sink member = {NULL, 0, 0, false}, begin = {NULL, 0, 0, false};
    struct sizes sizes;

    if (has_member(frame))
        put_member_fields(&member, frame);
    put_payload_begin(&begin, frame, member.n);
    sizes.member = member.n;
    sizes.payload = begin.n + member.n;
    sizes.bad = member.bad || (!has_member(frame) && frame->kind != TW_FRAME_NONE);
    return sizes;
}

size_t tw_frame_size(const struct tw_frame *frame)
{
    return TW_FRAME_HEADER + measure(frame).payload;
}

int tw_frame_encode(const struct tw_frame *frame, uint8_t *p, size_t cap, size_t *ret_n)
{
    struct sizes sizes = measure(frame);
    struct sink s = {p, cap, 0, false};

    REQ("TW-FRAME-002");
    if (sizes.payload > TW_FRAME_PAYLOAD_MAX || TW_FRAME_HEADER + sizes.payload > cap)
        return TW_E_LIMIT;
    if (sizes.bad)
        return TW_E_INVALID;
    REQ("TW-FRAME-001");
    for (size_t i = 0; i < TW_FRAME_HEADER; i++)
        put_octet(&s, sizes.payload >> (8 * i));
    put_payload_begin(&s, frame, sizes.member);
    if (has_member(frame))
        put_member_fields(&s, frame);
    *ret_n = s.n;
    return 0;
}
