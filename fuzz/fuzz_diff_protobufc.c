/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Our pre-scan and codec against protobuf-c. The first byte of the input chooses the message
 * (fuzz/messages.h), the rest is its encoding.
 */
#include <stdalign.h>

#include "fuzz/diff.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The message of that name in this one. No message of the schema contains itself. */
static const ProtobufCMessageDescriptor *find_message(const ProtobufCMessageDescriptor *d,
                                                      const char *name)
{
    if (strcmp(d->name, name) == 0)
        return d;
    for (unsigned i = 0; i < d->n_fields; i++) {
        const ProtobufCMessageDescriptor *found = NULL;

        if (d->fields[i].type == PROTOBUF_C_TYPE_MESSAGE)
            found = find_message(d->fields[i].descriptor, name);
        if (found)
            return found;
    }
    return NULL;
}

static bool is_boolean(const ProtobufCMessageDescriptor *d, const struct tw_scan_fault *fault,
                       struct tw_bytes bytes)
{
    const ProtobufCFieldDescriptor *field =
        protobuf_c_message_descriptor_get_field(find_message(d, fault->message), fault->field);

    (void)bytes;
    return field && field->type == PROTOBUF_C_TYPE_BOOL;
}

static const struct diff_allowed allowed[] = {
    {"TW-ENC-008", "hands out C strings: what is behind the NUL is lost", NULL},
    {"TW-ENC-012", "takes the last member of a oneof, and merges messages that come twice", NULL},
    {"TW-ENC-015", "has no bound on memory", NULL},
    {"TW-ENC-011: a known field", "takes any wire type for a boolean", is_boolean},
    {"TW-ENC-011: a packed value", "drops the bits over 64", NULL},
    {"TW-ENC-001: a varint", "drops the bits over 64", NULL},
    {"TW-ENC-001: a field number", "takes 0 for any number, and drops the bits over 32", NULL},
};

/* What unpacking takes, as an arena counts it. */
static void *count_alloc(void *user, size_t n)
{
    size_t *used = user;

    *used += (n + alignof(max_align_t) - 1) / alignof(max_align_t) * alignof(max_align_t);
    return malloc(n);
}

static void count_free(void *user, void *p)
{
    (void)user;
    free(p);
}

/* Encodes and checks again: what came out is as good as what went in, and stays as it is. */
static void check_canonical(const ProtobufCMessageDescriptor *d, const ProtobufCMessage *msg)
{
    struct tw_buf once = TW_BUF_INIT(TW_SCAN_MESSAGE_MAX), twice = once;
    struct tw_scan_fault fault;
    ProtobufCMessage *back;
    size_t cost;

    if (tw_pbc_pack(msg, &once))
        return;
    CHECK(diff_ours(d, tw_buf_bytes(&once), &cost, &fault));
    back = protobuf_c_message_unpack(d, NULL, once.n, once.n ? once.p : (const uint8_t *)"");
    CHECK(back && !tw_pbc_pack(back, &twice));
    CHECK(once.n == twice.n && (once.n == 0 || memcmp(once.p, twice.p, once.n) == 0));
    protobuf_c_message_free_unpacked(back, NULL);
    tw_buf_deinit(&once);
    tw_buf_deinit(&twice);
}

static bool same_text(const char *theirs, struct tw_bytes ours)
{
    return theirs ? strlen(theirs) == ours.n && (!ours.n || !memcmp(theirs, ours.p, ours.n))
                  : ours.n == 0;
}

static bool same_data(ProtobufCBinaryData theirs, struct tw_bytes ours)
{
    return theirs.len == ours.n && (!ours.n || !memcmp(theirs.data, ours.p, ours.n));
}

static bool same_bind_reply(const Tw__IPCFrame__BindServiceReply *theirs,
                            const struct tw_frame_bind_reply *ours)
{
    struct tw_bytes left = ours->methods;
    struct tw_method_info info;
    size_t n = 0;

    for (; !tw_frame_next_method(&left, &info); n++)
        if (n >= theirs->n_methods || theirs->methods[n]->id != info.id ||
            !same_text(theirs->methods[n]->name, info.name))
            return false;
    return n == theirs->n_methods && n == ours->n_methods &&
           (theirs->success != 0) == ours->success && theirs->service_id == ours->service_id;
}

static bool same_invoke(const Tw__IPCFrame__InvokeMethod *theirs,
                        const struct tw_frame_invoke *ours)
{
    return theirs->service_id == ours->service_id && theirs->method_id == ours->method_id &&
           same_data(theirs->args_proto, ours->args) &&
           (theirs->drop_reply != 0) == ours->drop_reply;
}

static bool same_invoke_reply(const Tw__IPCFrame__InvokeMethodReply *theirs,
                              const struct tw_frame_invoke_reply *ours)
{
    return (theirs->success != 0) == ours->success && (theirs->has_more != 0) == ours->has_more &&
           (theirs->has_reply_proto != 0) == ours->has_reply &&
           same_data(theirs->reply_proto, ours->reply);
}

static bool same_identity(const Tw__IPCFrame__SetPeerIdentity *theirs,
                          const struct tw_frame_peer_identity *ours)
{
    return theirs->pid == ours->pid && theirs->uid == ours->uid &&
           same_text(theirs->machine_id_hint, ours->machine_id_hint) &&
           same_text(theirs->machine_name, ours->machine_name);
}

static bool same_frame(const Tw__IPCFrame *theirs, const struct tw_frame *ours)
{
    if (theirs->request_id != ours->request_id || (uint32_t)theirs->msg_case != ours->kind)
        return false;
    switch (ours->kind) {
    case TW_FRAME_BIND:
        return same_text(theirs->msg_bind_service->service_name, ours->bind.service_name);
    case TW_FRAME_BIND_REPLY:
        return same_bind_reply(theirs->msg_bind_service_reply, &ours->bind_reply);
    case TW_FRAME_INVOKE:
        return same_invoke(theirs->msg_invoke_method, &ours->invoke);
    case TW_FRAME_INVOKE_REPLY:
        return same_invoke_reply(theirs->msg_invoke_method_reply, &ours->invoke_reply);
    case TW_FRAME_REQUEST_ERROR:
        return same_text(theirs->msg_request_error->error, ours->request_error.text);
    case TW_FRAME_PEER_IDENTITY:
        return same_identity(theirs->set_peer_identity, &ours->peer_identity);
    case TW_FRAME_NONE:
    case TW_FRAME_KIND_MAX:
        break;
    }
    return true;
}

static void check_same_frame(const ProtobufCMessage *msg, struct tw_bytes in)
{
    struct tw_frame frame;

    REQ("TW-ENC-003");
    REQ("TW-ENC-004");
    REQ("TW-ENC-006");
    REQ("TW-ENC-007");
    REQ("TW-ENC-014");
    CHECK(!tw_frame_decode(in, &frame, NULL));
    CHECK(same_frame((const Tw__IPCFrame *)msg, &frame));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tw_bytes in = {data, size};
    const ProtobufCMessageDescriptor *d = fuzz_message(input_byte(&in));
    size_t cost, used = 0;
    struct tw_scan_fault fault;
    ProtobufCAllocator allocator = {
        .alloc = count_alloc, .free = count_free, .allocator_data = &used};
    bool ours = diff_ours(d, in, &cost, &fault);
    ProtobufCMessage *msg =
        protobuf_c_message_unpack(d, &allocator, in.n, in.n ? in.p : (const uint8_t *)"");

    REQ("TW-ENC-001");
    REQ("TW-ENC-002");
    REQ("TW-ENC-009");
    REQ("TW-ENC-011");
    REQ("TW-ENC-013");
    diff_judge(d, in, ours, &fault, msg != NULL, allowed, TW_ARRAY_LEN(allowed));
    if (ours) {
        REQ("TW-ENC-015");
        CHECK(used <= cost);
        check_canonical(d, msg);
        if (d == &tw__ipcframe__descriptor)
            check_same_frame(msg, in);
    }
    if (msg)
        protobuf_c_message_free_unpacked(msg, &allocator);
    return 0;
}
