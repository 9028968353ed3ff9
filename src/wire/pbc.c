/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/pbc.h"

#include <errno.h>

#include "base/req.h"

/* Behind the allocator of one call. */
struct bounded {
    struct tw_arena *arena;
    bool failed; /* memory is short; what else is tried on the way out must not succeed */
};

static void *bounded_alloc(void *user, size_t n)
{
    struct bounded *b = user;
    void *p = b->failed ? NULL : tw_arena_alloc(b->arena, n);

    b->failed = !p;
    return p;
}

static void bounded_free(void *user, void *p)
{
    (void)user; /* the arena gives everything back at once */
    (void)p;
}

/* The cap is what the scan said and not a byte more. */
static ProtobufCMessage *unpack_within(const ProtobufCMessageDescriptor *d, struct tw_arena *a,
                                       size_t cost, struct tw_bytes in)
{
    static const uint8_t nothing[1]; /* protobuf-c hands the pointer to memcpy in any case */
    struct bounded b = {.arena = a};
    ProtobufCAllocator allocator = {
        .alloc = bounded_alloc, .free = bounded_free, .allocator_data = &b};
    const size_t max = a->max;
    ProtobufCMessage *msg;

    a->max = a->used + cost;
    msg = protobuf_c_message_unpack(d, &allocator, in.n, in.n ? in.p : nothing);
    a->max = max;
    return msg;
}

int tw_pbc_unpack_why(const ProtobufCMessageDescriptor *d, struct tw_arena *a, struct tw_bytes in,
                      ProtobufCMessage **ret_msg, struct tw_scan_fault *ret_fault)
{
    ProtobufCMessage *msg;
    size_t cost;
    int r = tw_scan(d, in, &cost, ret_fault);

    if (r)
        return r;
    if (cost > a->max - a->used) {
        if (ret_fault)
            *ret_fault = (struct tw_scan_fault){
                .why = "TW-ENC-015: the message would take more memory than is left",
                .message = d->name};
        return TW_E_LIMIT;
    }
    REQ("TW-ENC-016"); /* proto/ declares no field as required, so unpack misses none */
    msg = unpack_within(d, a, cost, in);
    if (!msg) /* protobuf-c accepts what the scan accepts: it was the memory */
        return -ENOMEM;
    *ret_msg = msg;
    return 0;
}

int tw_pbc_unpack(const ProtobufCMessageDescriptor *d, struct tw_arena *a, struct tw_bytes in,
                  ProtobufCMessage **ret_msg)
{
    return tw_pbc_unpack_why(d, a, in, ret_msg, NULL);
}

int tw_pbc_pack(const ProtobufCMessage *m, struct tw_buf *out)
{
    size_t n = protobuf_c_message_get_packed_size(m);
    int r;

    if (n > TW_SCAN_MESSAGE_MAX)
        return TW_E_LIMIT;
    r = tw_buf_reserve(out, n);
    if (r || !n)
        return r;
    out->n += protobuf_c_message_pack(m, out->p + out->n);
    return 0;
}
