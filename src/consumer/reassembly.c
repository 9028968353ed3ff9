/* SPDX-License-Identifier: Apache-2.0 */
#include "consumer/reassembly.h"

#include "base/req.h"
#include "wire/reader.h"

/* Field numbers of ReadBuffersResponse and its Slice (spec/proto/consumer_port.proto). */
enum { RESPONSE_SLICES = 2, SLICE_DATA = 1, SLICE_LAST = 2 };

/* An emptied buffer that grew past this is given back: one huge packet is no reason to keep it. */
enum { PARTIAL_KEEP = 1024 * 1024 };

struct slice {
    struct tw_bytes data;
    bool last;
};

void tw_reassembly_deinit(struct tw_reassembly *ra)
{
    if (ra)
        tw_buf_deinit(&ra->partial);
}

static int parse_slice(struct tw_bytes bytes, struct slice *ret_slice)
{
    struct tw_reader r = tw_reader_of(bytes);
    struct slice slice = {0};
    struct tw_field field;
    int rc;

    while (!(rc = tw_read_field(&r, &field))) {
        if (field.number == SLICE_DATA) {
            if (field.type != TW_WIRE_LEN)
                return TW_E_PROTOCOL;
            slice.data = field.bytes;
        } else if (field.number == SLICE_LAST) {
            if (field.type != TW_WIRE_VARINT)
                return TW_E_PROTOCOL;
            slice.last = field.value != 0;
        }
    }
    if (rc != TW_MORE)
        return TW_E_PROTOCOL;
    *ret_slice = slice;
    return 0;
}

static void reset(struct tw_reassembly *ra)
{
    ra->open = false;
    ra->partial.n = 0;
    if (ra->partial.cap > PARTIAL_KEEP)
        tw_buf_deinit(&ra->partial);
}

static int take_slice(struct tw_reassembly *ra, const struct slice *slice,
                      int (*fn)(void *user, struct tw_bytes packet), void *user)
{
    REQ("TW-LIM-006");
    int rc;

    if (slice->last && !ra->open)
        return slice->data.n > ra->partial.max ? TW_E_LIMIT : fn(user, slice->data);
    rc = slice->data.n ? tw_buf_append(&ra->partial, slice->data.p, slice->data.n) : 0;
    if (rc)
        return rc;
    ra->open = true;
    if (!slice->last)
        return 0;
    rc = fn(user, tw_buf_bytes(&ra->partial));
    reset(ra);
    return rc;
}

int tw_reassembly_feed(struct tw_reassembly *ra, struct tw_bytes response,
                       int (*fn)(void *user, struct tw_bytes packet), void *user)
{
    struct tw_reader r = tw_reader_of(response);
    struct tw_field field;
    struct slice slice;
    int rc;

    while (!(rc = tw_read_field(&r, &field))) {
        if (field.number != RESPONSE_SLICES)
            continue;
        if (field.type != TW_WIRE_LEN || parse_slice(field.bytes, &slice))
            return TW_E_PROTOCOL;
        rc = take_slice(ra, &slice, fn, user);
        if (rc)
            return rc;
    }
    return rc == TW_MORE ? 0 : TW_E_PROTOCOL;
}

int tw_reassembly_end(struct tw_reassembly *ra)
{
    bool open = ra->open;

    reset(ra);
    return open ? TW_E_TRUNCATED : 0;
}
