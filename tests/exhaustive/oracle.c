/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/exhaustive/oracle.h"

#include <string.h>

#include "base/bytes.h"
#include "ipc_frame.pb-c.h"

struct judge {
    const uint8_t *p;
    size_t at, tag; /* where it reads, and where the field began that it reads */
    bool frame;
    struct verdict verdict;
};

struct field {
    uint32_t number;
    unsigned wire;
    size_t start, end; /* of the content of a length-delimited one */
};

static bool broken(struct judge *j, const char *reason, const char *rule)
{
    j->verdict = (struct verdict){.reason = reason, .rule = rule, .offset = j->tag};
    return false;
}

/* A varint before end, of at most `most` bytes. */
static bool varint(struct judge *j, size_t end, unsigned most, uint64_t *ret_value)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < most; i++) {
        if (j->at == end)
            return broken(j, "truncated", "TW-ENC-001");
        if (i == 9 && j->p[j->at] > 1)
            break;
        value += (uint64_t)(j->p[j->at] % 128) << (7 * i);
        if (j->p[j->at++] < 128) {
            *ret_value = value;
            return true;
        }
    }
    return most == 10 ? broken(j, "bad_varint", "TW-ENC-001") : broken(j, "long_tag", "TW-ENC-009");
}

static bool field_next(struct judge *j, size_t end, struct field *f)
{
    uint64_t tag, size;

    j->tag = j->at;
    if (!varint(j, end, 5, &tag))
        return false;
    if (tag < 8 || tag / 8 >= UINT64_C(1) << 29)
        return broken(j, "bad_tag", "TW-ENC-001");
    f->number = (uint32_t)(tag / 8);
    f->wire = tag % 8;
    if (f->wire == 3 || f->wire == 4)
        return broken(j, "group", "TW-ENC-001");
    if (f->wire > 5)
        return broken(j, "bad_wire_type", "TW-ENC-001");
    if (f->wire == 0)
        return varint(j, end, 10, &size);
    size = f->wire == 1 ? 8 : 4;
    if (f->wire == 2 && !varint(j, end, 5, &size))
        return false;
    if (size > end - j->at)
        return broken(j, "truncated", "TW-ENC-001");
    f->start = j->at;
    f->end = j->at = j->at + (size_t)size;
    return true;
}

static unsigned wire_of(ProtobufCType type)
{
    switch (type) {
    case PROTOBUF_C_TYPE_FIXED64:
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_DOUBLE:
        return 1;
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_BYTES:
    case PROTOBUF_C_TYPE_MESSAGE:
        return 2;
    case PROTOBUF_C_TYPE_FIXED32:
    case PROTOBUF_C_TYPE_SFIXED32:
    case PROTOBUF_C_TYPE_FLOAT:
        return 5;
    default:
        return 0;
    }
}

static const ProtobufCFieldDescriptor *known(const ProtobufCMessageDescriptor *d, uint32_t number)
{
    for (unsigned i = 0; i < d->n_fields; i++)
        if (d->fields[i].id == number)
            return &d->fields[i];
    return NULL;
}

/* All values of a packed list are whole; only varints are ever packed in this schema. */
static bool packed(struct judge *j, const struct field *f)
{
    uint64_t value;

    for (j->at = f->start; j->at < f->end;)
        if (!varint(j, f->end, 10, &value)) {
            j->verdict.rule = "TW-ENC-011";
            return false;
        }
    return true;
}

static bool once(struct judge *j, const ProtobufCMessageDescriptor *d, uint64_t seen,
                 const ProtobufCFieldDescriptor *k)
{
    for (unsigned i = 0; i < d->n_fields; i++) {
        const ProtobufCFieldDescriptor *other = &d->fields[i];
        bool same = other == k && k->type == PROTOBUF_C_TYPE_MESSAGE;
        bool rivals = (k->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) &&
                      (other->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) &&
                      other->quantifier_offset == k->quantifier_offset;

        if ((same || rivals) && k->label != PROTOBUF_C_LABEL_REPEATED && seen >> i & 1)
            return broken(j, "two_members", "TW-ENC-012");
    }
    return true;
}

static bool typed(struct judge *j, const ProtobufCFieldDescriptor *k, const struct field *f)
{
    return f->wire == wire_of(k->type) || broken(j, "wrong_type", "TW-ENC-011");
}

static bool message(struct judge *j, const ProtobufCMessageDescriptor *d, size_t end);

static bool content(struct judge *j, const ProtobufCFieldDescriptor *k, const struct field *f)
{
    if (k->type == PROTOBUF_C_TYPE_STRING && memchr(j->p + f->start, 0, f->end - f->start))
        return broken(j, "nul", "TW-ENC-008");
    if (k->type == PROTOBUF_C_TYPE_MESSAGE) {
        j->at = f->start;
        return message(j, k->descriptor, f->end);
    }
    return true;
}

/* Of two rules broken by one field, a frame's receiver names the type first, a message's the
 * repetition. */
static bool message(struct judge *j, const ProtobufCMessageDescriptor *d, size_t end)
{
    uint64_t seen = 0;
    struct field f = {0};

    while (j->at < end) {
        const ProtobufCFieldDescriptor *k;

        if (!field_next(j, end, &f))
            return false;
        k = known(d, f.number);
        if (!k)
            continue;
        if (k->label == PROTOBUF_C_LABEL_REPEATED && f.wire == 2 && wire_of(k->type) == 0) {
            if (!packed(j, &f))
                return false;
            continue;
        }
        if (j->frame && !typed(j, k, &f))
            return false;
        if (!once(j, d, seen, k) || !typed(j, k, &f) || !content(j, k, &f))
            return false;
        seen |= UINT64_C(1) << (k - d->fields);
    }
    return true;
}

struct verdict oracle_judge(const ProtobufCMessageDescriptor *d, struct tw_bytes in)
{
    struct judge j = {.p = in.p, .frame = d == &tw__ipcframe__descriptor};

    message(&j, d, in.n);
    return j.verdict;
}

static bool same(struct tw_bytes a, bool has, ProtobufCBinaryData b)
{
    return has ? a.n == b.len && (a.n == 0 || memcmp(a.p, b.data, a.n) == 0) : a.n == 0;
}

static bool same_text(struct tw_bytes a, const char *b)
{
    return tw_bytes_eq_str(a, b ? b : "");
}

static bool same_methods(const struct tw_frame *f, const Tw__IPCFrame__BindServiceReply *m)
{
    struct tw_bytes left = f->bind_reply.methods;
    struct tw_method_info info;
    size_t i = 0;

    for (; tw_frame_next_method(&left, &info) == 0; i++)
        if (i == m->n_methods || info.id != m->methods[i]->id ||
            !same_text(info.name, m->methods[i]->name))
            return false;
    return i == m->n_methods && i == f->bind_reply.n_methods;
}

static bool same_member(const struct tw_frame *f, const Tw__IPCFrame *m)
{
    switch (f->kind) {
    case TW_FRAME_BIND:
        return same_text(f->bind.service_name, m->msg_bind_service->service_name);
    case TW_FRAME_BIND_REPLY:
        return f->bind_reply.success == (bool)m->msg_bind_service_reply->success &&
               f->bind_reply.service_id == m->msg_bind_service_reply->service_id &&
               same_methods(f, m->msg_bind_service_reply);
    case TW_FRAME_INVOKE:
        return f->invoke.service_id == m->msg_invoke_method->service_id &&
               f->invoke.method_id == m->msg_invoke_method->method_id &&
               f->invoke.drop_reply == (bool)m->msg_invoke_method->drop_reply &&
               same(f->invoke.args, m->msg_invoke_method->has_args_proto,
                    m->msg_invoke_method->args_proto);
    case TW_FRAME_INVOKE_REPLY:
        return f->invoke_reply.success == (bool)m->msg_invoke_method_reply->success &&
               f->invoke_reply.has_more == (bool)m->msg_invoke_method_reply->has_more &&
               f->invoke_reply.has_reply == (bool)m->msg_invoke_method_reply->has_reply_proto &&
               same(f->invoke_reply.reply, f->invoke_reply.has_reply,
                    m->msg_invoke_method_reply->reply_proto);
    case TW_FRAME_REQUEST_ERROR:
        return same_text(f->request_error.text, m->msg_request_error->error);
    case TW_FRAME_PEER_IDENTITY:
        return f->peer_identity.pid == m->set_peer_identity->pid &&
               f->peer_identity.uid == m->set_peer_identity->uid &&
               same_text(f->peer_identity.machine_id_hint, m->set_peer_identity->machine_id_hint) &&
               same_text(f->peer_identity.machine_name, m->set_peer_identity->machine_name);
    default:
        return true;
    }
}

bool oracle_agrees(const struct tw_frame *frame, const ProtobufCMessage *ipc_frame)
{
    const Tw__IPCFrame *m = (const Tw__IPCFrame *)(const void *)ipc_frame;

    return (unsigned)m->msg_case == (unsigned)frame->kind && m->request_id == frame->request_id &&
           same_member(frame, m);
}
