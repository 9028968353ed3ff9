/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The frame codec: IPC frames to bytes and back (spec/framing.md, spec/encoding.md).
 *
 * A frame on the wire is a little-endian 32-bit payload size and a payload, one IPCFrame message.
 * The codec allocates nothing, does no I/O, keeps no state and does not recurse; it is safe to call
 * from any thread. Decoded frames point into the bytes they were decoded from.
 */
#pragma once

#include "tracewire/common.h"

/* Bytes of the size in front of every payload. TW-FRAME-001 */
#define TW_FRAME_HEADER ((size_t)4)
/* Bytes a payload may have: with its header a frame fills 128 KiB, the receive buffer that every
 * implementation has. TW-FRAME-002 */
#define TW_FRAME_PAYLOAD_MAX ((size_t)128 * 1024 - TW_FRAME_HEADER)
#define TW_FRAME_MAX         (TW_FRAME_HEADER + TW_FRAME_PAYLOAD_MAX)

/* The member of IPCFrame that is set, by its field number. */
enum tw_frame_kind {
    TW_FRAME_NONE = 0, /* no member, or one this version does not know. TW-FRAME-004 */
    TW_FRAME_BIND = 3,
    TW_FRAME_BIND_REPLY = 4,
    TW_FRAME_INVOKE = 5,
    TW_FRAME_INVOKE_REPLY = 6,
    TW_FRAME_REQUEST_ERROR = 7,
    TW_FRAME_PEER_IDENTITY = 8,
    TW_FRAME_KIND_MAX,
};

struct tw_method_info {
    uint32_t id;
    struct tw_bytes name;
};

struct tw_frame {
    enum tw_frame_kind kind;
    uint64_t request_id; /* 0 when absent */
    union {
        struct {
            struct tw_bytes service_name; /* not NUL-terminated, any bytes */
        } bind;
        struct {
            bool success;
            uint32_t service_id;
            /* Decoding: the reply's own bytes, for tw_frame_next_method(). Encoding: unused. */
            struct tw_bytes methods;
            /* Encoding: the methods to list. Decoding: NULL, and their number. */
            const struct tw_method_info *method;
            size_t n_methods;
        } bind_reply;
        struct {
            uint32_t service_id, method_id;
            struct tw_bytes args;
            bool drop_reply;
        } invoke;
        struct {
            bool success, has_more;
            bool has_reply; /* an absent reply and an empty one differ */
            struct tw_bytes reply;
        } invoke_reply;
        struct {
            struct tw_bytes text;
        } request_error;
        struct {
            int32_t pid, uid;
            struct tw_bytes machine_id_hint, machine_name;
        } peer_identity;
    };
};

/*
 * Looks for a whole frame at the start of input. 0: its payload is *ret_payload, and the next frame
 * starts behind it. TW_MORE: *ret_payload is untouched, more bytes are needed. TW_E_PROTOCOL: the
 * size is over TW_FRAME_PAYLOAD_MAX, known as soon as the header is there (TW-FRAME-002).
 */
TW_MUST_USE int tw_frame_split(struct tw_bytes input, struct tw_bytes *ret_payload);

/*
 * Decodes one payload. TW_E_PROTOCOL when it breaks a rule; then, if ret_why is not NULL, *ret_why
 * is a static text that starts with the identifier of the rule.
 */
TW_MUST_USE int tw_frame_decode(struct tw_bytes payload, struct tw_frame *ret_frame,
                                const char **ret_why);

/* Takes the next method off a decoded bind reply's methods. TW_MORE when there is none left. */
TW_MUST_USE int tw_frame_next_method(struct tw_bytes *methods, struct tw_method_info *ret_method);

/* Bytes tw_frame_encode() needs for this frame, header included. */
size_t tw_frame_size(const struct tw_frame *frame);

/*
 * Encodes header and payload into cap bytes at p. TW_E_LIMIT when they do not fit or the payload
 * would be over TW_FRAME_PAYLOAD_MAX. Booleans are always written, also when false: peers have been
 * seen to tell absence from false.
 */
TW_MUST_USE int tw_frame_encode(const struct tw_frame *frame, uint8_t *p, size_t cap,
                                size_t *ret_n);
