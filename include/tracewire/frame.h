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

#ifdef __cplusplus
extern "C" {
#endif

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

/* One method of a bind reply's list. */
struct tw_method_info {
    uint32_t id;
    struct tw_bytes name;
};

/* Client to host: by which number is this service called? */
struct tw_frame_bind {
    struct tw_bytes service_name; /* not NUL-terminated */
};

/* The answer: the numbers of the service and its methods. */
struct tw_frame_bind_reply {
    bool success;
    uint32_t service_id;
    /* Decoding: the reply's own bytes, for tw_frame_next_method(). Encoding: unused. */
    struct tw_bytes methods;
    /* Encoding: the methods to list. Decoding: NULL, and their number; so a decoded reply has to be
     * given a list before it can be encoded again. */
    const struct tw_method_info *method;
    size_t n_methods;
};

/* Client to host: a call of a method. With drop_reply nobody waits for an answer. */
struct tw_frame_invoke {
    uint32_t service_id, method_id;
    struct tw_bytes args; /* the method's request message, encoded */
    bool drop_reply;
};

/* One answer to a call, the last unless has_more. */
struct tw_frame_invoke_reply {
    bool success, has_more;
    bool has_reply; /* an absent reply and an empty one differ */
    struct tw_bytes reply;
};

/* Host to client: the request made no sense. */
struct tw_frame_request_error {
    struct tw_bytes text; /* not NUL-terminated */
};

/* Who is behind a connection that somebody relays. */
struct tw_frame_peer_identity {
    int32_t pid, uid;
    struct tw_bytes machine_id_hint, machine_name; /* not NUL-terminated */
};

/* Strings hold any bytes but NUL (TW-ENC-008, TW-ENC-010). */
struct tw_frame {
    enum tw_frame_kind kind; /* which member of the union is set */
    uint64_t request_id;     /* 0 when absent */
    union {
        struct tw_frame_bind bind;
        struct tw_frame_bind_reply bind_reply;
        struct tw_frame_invoke invoke;
        struct tw_frame_invoke_reply invoke_reply;
        struct tw_frame_request_error request_error;
        struct tw_frame_peer_identity peer_identity;
    };
};

/**
 * tw_frame_split() - find a whole frame at the start of a stream
 * @input: the bytes received and not yet used up
 * @ret_payload: the frame's payload, inside of @input; the next frame starts behind it
 *
 * Return: 0; TW_MORE when bytes are missing; TW_E_PROTOCOL when the size is over
 * TW_FRAME_PAYLOAD_MAX, which is known as soon as the header is there (TW-FRAME-001, TW-FRAME-002).
 */
TW_MUST_USE int tw_frame_split(struct tw_bytes input, struct tw_bytes *ret_payload);

/* Which rule bytes break that are no frame. */
enum tw_frame_reason {
    TW_FRAME_FINE = 0,
    TW_FRAME_TOO_LARGE,     /* TW-FRAME-002: the size is over TW_FRAME_PAYLOAD_MAX */
    TW_FRAME_TRUNCATED,     /* TW-ENC-001: a field is cut short */
    TW_FRAME_BAD_VARINT,    /* TW-ENC-001: a varint is over ten bytes or 64 bits */
    TW_FRAME_BAD_TAG,       /* TW-ENC-001: field number 0, or over 2^29 - 1 */
    TW_FRAME_GROUP,         /* TW-ENC-001: wire type 3 or 4 */
    TW_FRAME_BAD_WIRE_TYPE, /* TW-ENC-001: wire type 6 or 7 */
    TW_FRAME_LONG_TAG,      /* TW-ENC-009: a tag or a length is over five bytes */
    TW_FRAME_WRONG_TYPE,    /* TW-ENC-002: a known field has another wire type */
    TW_FRAME_TWO_MEMBERS,   /* TW-ENC-005: two members of the frame's oneof are set */
    TW_FRAME_NUL,           /* TW-ENC-008: a string holds a NUL byte */
    TW_FRAME_REASON_MAX,
};

/* The first thing, in the order of the bytes, that is wrong with a frame. */
struct tw_frame_fault {
    enum tw_frame_reason reason;
    uint32_t field;  /* number of the field at fault, in the innermost message; 0 if unknown */
    uint32_t offset; /* bytes from the start of the payload to that field's tag */
};

/**
 * tw_frame_reason_name() - a reason as spec/vectors calls it
 * @reason: any number
 *
 * Return: a static text in lower case, such as "wrong_type"; NULL when there is no such reason.
 */
const char *tw_frame_reason_name(enum tw_frame_reason reason);

/**
 * tw_frame_reason_text() - a reason for people
 * @reason: any number
 *
 * Return: a static text that begins with the broken rule, such as "TW-ENC-002: a known field has
 * the wrong wire type"; NULL when there is no such reason.
 */
const char *tw_frame_reason_text(enum tw_frame_reason reason);

/**
 * tw_frame_decode() - decode one payload
 * @payload: all of it, and nothing behind it; empty, it is a frame without a member (TW-FRAME-004)
 * @ret_frame: what it says; points into @payload, set on success only
 * @ret_fault: the first thing that is wrong, set on failure only; may be NULL
 *
 * Takes time in proportion to the payload, and no memory but the stack (TW-ENC-001 to TW-ENC-010).
 *
 * Return: 0; TW_E_PROTOCOL when a rule is broken: close the connection (TW-ENC-017).
 */
TW_MUST_USE int tw_frame_decode(struct tw_bytes payload, struct tw_frame *ret_frame,
                                struct tw_frame_fault *ret_fault);

/**
 * tw_frame_next() - one step through a stream: tw_frame_split() and tw_frame_decode()
 * @input: the bytes received and not yet used up
 * @ret_frame: the frame; points into @input, set on success only
 * @ret_n: bytes of @input that were the frame, header included; the next frame starts behind them
 * @ret_fault: the first thing that is wrong, set on TW_E_PROTOCOL only; may be NULL
 *
 * A receiver calls it in a loop, until it returns TW_MORE, each time with what is behind the frame
 * before. Then it moves what is left to the start of its buffer and receives more behind that; with
 * room for TW_FRAME_MAX bytes there is always some. An empty frame comes out as TW_FRAME_NONE, and
 * is passed over: then *ret_n is TW_FRAME_HEADER (TW-FRAME-004).
 *
 * Return: 0; TW_MORE when the frame is not whole: call again with more behind the same bytes;
 * TW_E_PROTOCOL when it breaks a rule: nothing behind it can be trusted.
 */
TW_MUST_USE int tw_frame_next(struct tw_bytes input, struct tw_frame *ret_frame, size_t *ret_n,
                              struct tw_frame_fault *ret_fault);

/**
 * tw_frame_next_method() - take the next method off a decoded bind reply
 * @methods: at first bind_reply.methods of a decoded frame; what is left of it after each call
 * @ret_method: the method; points into the same bytes
 *
 * Return: 0; TW_MORE when there is none left; TW_E_PROTOCOL for bytes that were not decoded before.
 */
TW_MUST_USE int tw_frame_next_method(struct tw_bytes *methods, struct tw_method_info *ret_method);

/**
 * tw_frame_size() - how much room a frame needs
 * @frame: the frame
 *
 * Return: bytes, header included; more than TW_FRAME_MAX for one that cannot be encoded.
 */
size_t tw_frame_size(const struct tw_frame *frame);

/**
 * tw_frame_encode() - encode header and payload
 * @frame: the frame; what it points to stays the caller's
 * @p: where to, @cap bytes that are the caller's; untouched on failure
 * @cap: bytes at @p
 * @ret_n: bytes written, which is tw_frame_size()
 *
 * Of bytes whose p is NULL and whose n is not 0, room is left for n: a reply's are the last of its
 * frame and may come from elsewhere.
 *
 * Booleans are written also when they are false, as peers have been seen to tell absence from false
 * (TW-ENC-018).
 *
 * Return: 0; TW_E_LIMIT when the frame does not fit or its payload is over TW_FRAME_PAYLOAD_MAX
 * (TW-FRAME-002); TW_E_INVALID when a string holds a NUL byte (TW-ENC-008), methods are counted
 * but not listed, or there is no such kind.
 */
TW_MUST_USE int tw_frame_encode(const struct tw_frame *frame, uint8_t *p, size_t cap,
                                size_t *ret_n);

#ifdef __cplusplus
}
#endif
