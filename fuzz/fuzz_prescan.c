/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pre-scan against protobuf-c. The first byte of the input chooses the message, the rest is its
 * encoding; 255 is a message that contains itself, which the schema has none of. What the scan
 * accepts protobuf-c must accept, within the cost that was said and with every string whole, and
 * the views of the hot messages must show the same values. Of what the scan refuses protobuf-c may
 * take some; but not what breaks the wire format where it looks too.
 */
#include <errno.h>

#include "base/macros.h"
#include "base/req.h"
#include "consumer_port.pb-c.h"
#include "fuzz/input.h"
#include "fuzz/messages.h"
#include "producer_port.pb-c.h"
#include "wire/pbc.h"
#include "wire/views.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REFUSED_ARENA_MAX ((size_t)64 << 20)

enum { NEST = 255 };

struct nest {
    ProtobufCMessage base;
    struct nest *inner;
};

extern const ProtobufCMessageDescriptor nest;

static const ProtobufCFieldDescriptor nest_fields[] = {
    {.name = "inner",
     .id = 1,
     .label = PROTOBUF_C_LABEL_OPTIONAL,
     .type = PROTOBUF_C_TYPE_MESSAGE,
     .offset = offsetof(struct nest, inner),
     .descriptor = &nest},
};
static const ProtobufCIntRange nest_ranges[] = {{.start_value = 1}, {.orig_index = 1}};
const ProtobufCMessageDescriptor nest = {
    .magic = PROTOBUF_C__MESSAGE_DESCRIPTOR_MAGIC,
    .name = "nest",
    .sizeof_message = sizeof(struct nest),
    .n_fields = 1,
    .fields = nest_fields,
    .n_field_ranges = 1,
    .field_ranges = nest_ranges,
};

static bool same(struct tw_bytes a, ProtobufCBinaryData b)
{
    return a.n == b.len && (a.n == 0 || memcmp(a.p, b.data, a.n) == 0);
}

static void check_patches(const struct tw_patches_view *view,
                          const Tw__CommitDataRequest__ChunkToPatch *want)
{
    struct tw_reader at = tw_reader_of(view->message);
    struct tw_patch_view patch;
    size_t n = 0;

    CHECK(view->target_buffer == want->target_buffer && view->writer_id == want->writer_id);
    CHECK(view->chunk_id == want->chunk_id && view->has_more == (want->has_more_patches != 0));
    for (; tw_view_patch(&at, &patch); n++) {
        CHECK(n < want->n_patches && patch.offset == want->patches[n]->offset);
        CHECK(same(patch.data, want->patches[n]->data));
    }
    CHECK(n == want->n_patches);
}

static void check_commit(struct tw_bytes in, const Tw__CommitDataRequest *want)
{
    struct tw_reader moves = tw_reader_of(in), patched = moves;
    struct tw_patches_view patches;
    struct tw_move_view move;
    uint64_t flush_id;
    size_t n = 0;

    CHECK(!tw_view_commit(in, &flush_id, NULL) && flush_id == want->flush_request_id);
    for (; tw_view_move(&moves, &move); n++) {
        const Tw__CommitDataRequest__ChunksToMove *w;

        CHECK(n < want->n_chunks_to_move);
        w = want->chunks_to_move[n];
        CHECK(move.page == w->page && move.chunk == w->chunk);
        CHECK(move.target_buffer == w->target_buffer && same(move.data, w->data));
        CHECK(move.incomplete == (w->chunk_incomplete != 0));
    }
    CHECK(n == want->n_chunks_to_move);
    for (n = 0; tw_view_patches(&patched, &patches); n++) {
        CHECK(n < want->n_chunks_to_patch);
        check_patches(&patches, want->chunks_to_patch[n]);
    }
    CHECK(n == want->n_chunks_to_patch);
}

static void check_slices(struct tw_bytes in, const Tw__ReadBuffersResponse *want)
{
    struct tw_reader at = tw_reader_of(in);
    struct tw_slice_view slice;
    size_t n = 0;

    CHECK(!tw_view_slices(in, NULL));
    for (; tw_view_slice(&at, &slice); n++) {
        CHECK(n < want->n_slices && same(slice.data, want->slices[n]->data));
        CHECK(slice.last == (want->slices[n]->last_slice_for_packet != 0));
    }
    CHECK(n == want->n_slices);
}

/* Another way to look for what the scan looks for; as deep as the schema. */
static void check_strings(const ProtobufCMessageDescriptor *d, struct tw_bytes in)
{
    struct tw_reader r = tw_reader_of(in);
    struct tw_field f;

    REQ("TW-ENC-008");
    while (!tw_read_field(&r, &f)) {
        const ProtobufCFieldDescriptor *field =
            protobuf_c_message_descriptor_get_field(d, f.number);

        if (field && field->type == PROTOBUF_C_TYPE_STRING)
            CHECK(!f.bytes.n || !memchr(f.bytes.p, '\0', f.bytes.n));
        else if (field && field->type == PROTOBUF_C_TYPE_MESSAGE)
            check_strings(field->descriptor, f.bytes);
    }
}

/* With a byte less than it costs it is refused, and nothing is spent on it. */
static void check_too_dear(const ProtobufCMessageDescriptor *d, struct tw_bytes in, size_t cost)
{
    struct tw_arena a = TW_ARENA_INIT(cost - 1);
    struct tw_scan_fault fault;
    ProtobufCMessage *msg;

    REQ("TW-ENC-015");
    CHECK(tw_pbc_unpack_why(d, &a, in, &msg, &fault) == TW_E_LIMIT && a.used == 0);
    CHECK(fault.field == 0 && strcmp(fault.message, d->name) == 0);
    CHECK(tw_pbc_unpack(d, &a, in, &msg) == TW_E_LIMIT);
    tw_arena_deinit(&a);
}

static void check_packs(const ProtobufCMessage *msg)
{
    struct tw_buf out = TW_BUF_INIT(SIZE_MAX);

    CHECK(!tw_pbc_pack(msg, &out));
    CHECK(out.n == protobuf_c_message_get_packed_size(msg));
    tw_buf_deinit(&out);
}

/* Neither is looked at: one has too many bytes, the other too many fields, both are not there. */
static void check_beyond(struct tw_bytes in)
{
    static const ProtobufCMessageDescriptor wide = {.name = "wide",
                                                    .n_fields = TW_SCAN_FIELDS_MAX + 1};
    struct tw_bytes too_long = {in.p, (size_t)TW_SCAN_MESSAGE_MAX + 1};
    ProtobufCMessageUnknownField field = {.tag = 1, .len = too_long.n};
    ProtobufCMessage msg = {.descriptor = &nest, .n_unknown_fields = 1, .unknown_fields = &field};
    struct tw_buf out = TW_BUF_INIT(SIZE_MAX);
    struct nest whole = {.base = msg};
    struct tw_scan_fault fault;
    size_t cost;

    REQ("TW-LIM-051");
    CHECK(tw_scan(&nest, too_long, &cost, &fault) == TW_E_LIMIT && fault.offset == 0);
    CHECK(tw_pbc_pack(&whole.base, &out) == TW_E_LIMIT && out.n == 0);
    CHECK(tw_scan(&wide, in, &cost, &fault) == -EINVAL);
}

static void check_accepted(const ProtobufCMessageDescriptor *d, struct tw_bytes in, size_t cost)
{
    struct tw_arena a = TW_ARENA_INIT(cost);
    ProtobufCMessage *msg;

    REQ("TW-ENC-015");
    CHECK(cost <= TW_SCAN_COST_MAX(in.n));
    CHECK(!tw_pbc_unpack(d, &a, in, &msg));
    CHECK(a.used <= cost);
    check_strings(d, in);
    check_too_dear(d, in, cost);
    check_packs(msg);
    if (d == &tw__commit_data_request__descriptor)
        check_commit(in, (const Tw__CommitDataRequest *)msg);
    else if (d == &tw__read_buffers_response__descriptor)
        check_slices(in, (const Tw__ReadBuffersResponse *)msg);
    tw_arena_deinit(&a);
}

static void *from_arena(void *user, size_t n)
{
    return tw_arena_alloc(user, n);
}

static void no_free(void *user, void *p)
{
    (void)user;
    (void)p;
}

/* What protobuf-c sees as well. The rest is our strictness: the other wire type for a boolean, a
 * NUL, what comes twice, a number of a field or a varint out of range, and what costs too much. */
static bool broken_for_all(const struct tw_scan_fault *fault)
{
    static const char *const whys[] = {"cut short", "over 5 bytes", "a group",
                                       "wire type is unknown"};

    for (size_t i = 0; i < TW_ARRAY_LEN(whys); i++)
        if (strstr(fault->why, whys[i]))
            return true;
    return false;
}

static void check_refused(const ProtobufCMessageDescriptor *d, struct tw_bytes in,
                          const struct tw_scan_fault *fault)
{
    struct tw_arena a = TW_ARENA_INIT(REFUSED_ARENA_MAX);
    ProtobufCAllocator allocator = {from_arena, no_free, &a};
    const ProtobufCMessage *msg = protobuf_c_message_unpack(d, &allocator, in.n, in.p);

    CHECK(fault->offset < in.n);
    if (sizeof(size_t) == 8) /* with fewer it loses the high bits of a length */
        CHECK(!msg || !broken_for_all(fault));
    tw_arena_deinit(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tw_bytes in = {.p = data, .n = size};
    uint8_t which = input_byte(&in);
    const ProtobufCMessageDescriptor *d = which == NEST ? &nest : fuzz_message(which);
    struct tw_scan_fault fault;
    size_t cost;
    int rc = tw_scan(d, in, &cost, &fault);

    REQ("TW-ENC-011");
    CHECK(rc == 0 || rc == TW_E_PROTOCOL || rc == TW_E_LIMIT);
    check_beyond(in);
    if (rc == 0) {
        check_accepted(d, in, cost);
        return 0;
    }
    CHECK(tw_scan(d, in, &cost, NULL) == rc);
    if (d != &nest) /* protobuf-c would follow it as deep as it goes */
        check_refused(d, in, &fault);
    return 0;
}
