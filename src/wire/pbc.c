/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/pbc.h"

#include <errno.h>
#include <stdalign.h>

/* Behind the allocator of one call: protobuf-c says only that it failed, not why. */
struct bounded {
    struct tw_arena *arena;
    int failure; /* TW_E_LIMIT or -ENOMEM after the first allocation that failed */
};

static void *bounded_alloc(void *user, size_t n)
{
    struct bounded *b = user;
    size_t left = b->arena->max - b->arena->used;
    void *p;

    if (b->failure) /* what else it tries on its way out must not succeed */
        return NULL;
    p = tw_arena_alloc(b->arena, n);
    if (!p) /* the arena rounds up */
        b->failure = n > left || left - n < alignof(max_align_t) ? TW_E_LIMIT : -ENOMEM;
    return p;
}

static void bounded_free(void *user, void *p)
{
    (void)user; /* the arena gives everything back at once */
    (void)p;
}

int tw_pbc_unpack(const ProtobufCMessageDescriptor *d, struct tw_arena *a, struct tw_bytes in,
                  ProtobufCMessage **ret_msg)
{
    static const uint8_t nothing[1]; /* protobuf-c hands the pointer to memcpy in any case */
    struct bounded b = {.arena = a};
    ProtobufCAllocator allocator = {
        .alloc = bounded_alloc, .free = bounded_free, .allocator_data = &b};
    ProtobufCMessage *msg;

    if (in.n > TW_PBC_MESSAGE_MAX)
        return TW_E_LIMIT;
    msg = protobuf_c_message_unpack(d, &allocator, in.n, in.n ? in.p : nothing);
    if (b.failure)
        return b.failure;
    if (!msg)
        return TW_E_PROTOCOL;
    *ret_msg = msg;
    return 0;
}

int tw_pbc_pack(const ProtobufCMessage *m, struct tw_buf *out)
{
    size_t n = protobuf_c_message_get_packed_size(m);
    int r;

    if (n > TW_PBC_MESSAGE_MAX)
        return TW_E_LIMIT;
    r = tw_buf_reserve(out, n);
    if (r || !n)
        return r;
    out->n += protobuf_c_message_pack(m, out->p + out->n);
    return 0;
}
