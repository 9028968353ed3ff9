/* SPDX-License-Identifier: Apache-2.0 */
#include "consumer/reassembly.h"

#include "base/req.h"
#include "wire/views.h"

/* An emptied buffer that grew past this is given back: one huge packet is no reason to keep it. */
enum { PARTIAL_KEEP = 1024 * 1024 };

void tw_reassembly_deinit(struct tw_reassembly *ra)
{
    if (ra)
        tw_buf_deinit(&ra->partial);
}

static void reset(struct tw_reassembly *ra)
{
    ra->open = false;
    ra->partial.n = 0;
    if (ra->partial.cap > PARTIAL_KEEP)
        tw_buf_deinit(&ra->partial);
}

static int take_slice(struct tw_reassembly *ra, const struct tw_slice_view *slice,
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
    struct tw_reader at = tw_reader_of(response);
    struct tw_slice_view slice;
    int rc = tw_view_slices(response, NULL);

    while (!rc && tw_view_slice(&at, &slice))
        rc = take_slice(ra, &slice, fn, user);
    return rc;
}

int tw_reassembly_end(struct tw_reassembly *ra)
{
    bool open = ra->open;

    reset(ra);
    return open ? TW_E_TRUNCATED : 0;
}
