/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The fields of IPCFrame and of the messages inside it (spec/proto/ipc_frame.proto), and where each
 * lives in struct tw_frame: the one table that decodes and encodes. Only codec files include it.
 */
#pragma once

#include "tracewire/frame.h"

/* What a field holds. Up to VALUE_BOOL a varint, from there on a length and bytes. */
enum field_value {
    VALUE_UNKNOWN = 0, /* no such field */
    VALUE_U64,
    VALUE_U32,
    VALUE_I32,
    VALUE_BOOL,
    VALUE_BYTES,
    VALUE_STRING,
    VALUE_REPLY,   /* bytes, whose absence counts */
    VALUE_PADDING, /* data_for_testing: never kept, never sent */
    VALUE_METHOD,  /* a MethodInfo, any number of them */
    VALUE_MEMBER,  /* a member of the oneof */
};

struct field_rule {
    uint8_t value; /* enum field_value */
    uint8_t at;    /* offset in struct tw_frame, or in struct tw_method_info */
};

enum {
    MESSAGE_FRAME = 0, /* IPCFrame; its members have the number of their kind */
    MESSAGE_METHOD = TW_FRAME_KIND_MAX,
    MESSAGE_MAX,
    FIELD_NUMBER_MAX = 8, /* of any field the table knows */
    FIELD_REQUEST_ID = 2, /* of IPCFrame */
    FIELD_METHODS = 3,    /* of BindServiceReply */
};

/* clang-format off */
#define NONE         {VALUE_UNKNOWN, 0}
#define FIELD(v, m)  {VALUE_##v, offsetof(struct tw_frame, m)}
#define METHOD(v, m) {VALUE_##v, offsetof(struct tw_method_info, m)}
#define PADDING      {VALUE_PADDING, 0}
#define MEMBER       {VALUE_MEMBER, 0}

/* By message and field number. In the subset that is C and C++: no designators. */
static const struct field_rule field_rules[MESSAGE_MAX][FIELD_NUMBER_MAX + 1] = {
    /* 0 IPCFrame */
    {NONE, PADDING, FIELD(U64, request_id), MEMBER, MEMBER, MEMBER, MEMBER, MEMBER, MEMBER},
    {NONE},
    {NONE},
    /* 3 BindService */
    {NONE, FIELD(STRING, bind.service_name)},
    /* 4 BindServiceReply */
    {NONE, FIELD(BOOL, bind_reply.success), FIELD(U32, bind_reply.service_id),
     FIELD(METHOD, bind_reply.methods)},
    /* 5 InvokeMethod */
    {NONE, FIELD(U32, invoke.service_id), FIELD(U32, invoke.method_id), FIELD(BYTES, invoke.args),
     FIELD(BOOL, invoke.drop_reply)},
    /* 6 InvokeMethodReply */
    {NONE, FIELD(BOOL, invoke_reply.success), FIELD(BOOL, invoke_reply.has_more),
     FIELD(REPLY, invoke_reply.reply)},
    /* 7 RequestError */
    {NONE, FIELD(STRING, request_error.text)},
    /* 8 SetPeerIdentity */
    {NONE, FIELD(I32, peer_identity.pid), FIELD(I32, peer_identity.uid),
     FIELD(STRING, peer_identity.machine_id_hint), FIELD(STRING, peer_identity.machine_name)},
    /* MethodInfo */
    {NONE, METHOD(U32, id), METHOD(STRING, name)},
};

/* clang-format on */
#undef NONE
#undef FIELD
#undef METHOD
#undef PADDING
#undef MEMBER

static inline bool bytes_have_nul(struct tw_bytes b)
{
    for (size_t i = 0; i < b.n; i++)
        if (b.p[i] == 0)
            return true;
    return false;
}
