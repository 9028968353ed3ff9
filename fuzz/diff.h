/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the differential targets share. Ours is the pre-scan and, for frames, the codec. Where ours
 * accepts, another decoder must accept too. Where ours refuses and the other accepts, the reason
 * that ours gives must be in that decoder's table; everything else ends the run.
 */
#pragma once

#include "base/req.h"
#include "fuzz/input.h"
#include "fuzz/messages.h"
#include "ipc_frame.pb-c.h"
#include "wire/pbc.h"

/* A disagreement that spec/encoding.md lists: we refuse and the other decoder accepts. */
struct diff_allowed {
    const char *ours;  /* how the reason that we give begins */
    const char *other; /* what the other one does */
    /* Only of these: the message that was read, the fault, the bytes from there. NULL: of all. */
    bool (*only)(const ProtobufCMessageDescriptor *d, const struct tw_scan_fault *fault,
                 struct tw_bytes field);
};

/* A tag in five bytes that has more than 32 bits. */
static inline bool diff_wide_tag(const ProtobufCMessageDescriptor *d,
                                 const struct tw_scan_fault *fault, struct tw_bytes field)
{
    (void)d;
    (void)fault;
    return field.n >= 5 && field.p[0] & field.p[1] & field.p[2] & field.p[3] & 0x80 &&
           field.p[4] > 0x0f;
}

static inline bool diff_is_allowed(const struct diff_allowed *list, size_t n,
                                   const ProtobufCMessageDescriptor *d,
                                   const struct tw_scan_fault *ours, struct tw_bytes in)
{
    struct tw_bytes field = {in.p + ours->offset, in.n - ours->offset};

    for (size_t i = 0; i < n; i++)
        if (strncmp(ours->why, list[i].ours, strlen(list[i].ours)) == 0 &&
            (!list[i].only || list[i].only(d, ours, field)))
            return true;
    return false;
}

/* Ours: whether it accepts, and if not, why. The two of ours must agree on a frame. */
static inline bool diff_ours(const ProtobufCMessageDescriptor *d, struct tw_bytes in,
                             size_t *ret_cost, struct tw_scan_fault *ret_fault)
{
    struct tw_frame frame;
    int rc = tw_scan(d, in, ret_cost, ret_fault);

    CHECK(!rc || ((rc == TW_E_PROTOCOL || rc == TW_E_LIMIT) && ret_fault->offset <= in.n));
    if (d == &tw__ipcframe__descriptor && in.n <= TW_FRAME_PAYLOAD_MAX && rc != TW_E_LIMIT)
        CHECK(!rc == !tw_frame_decode(in, &frame, NULL));
    return !rc;
}

/* Ends the run unless the other one accepts what it must and nothing that it must not. */
static inline void diff_judge(const ProtobufCMessageDescriptor *d, struct tw_bytes in, bool ours,
                              const struct tw_scan_fault *fault, bool theirs,
                              const struct diff_allowed *list, size_t n)
{
    bool fine = ours ? theirs : !theirs || diff_is_allowed(list, n, d, fault, in);

    if (!fine)
        fprintf(stderr, "%s: ours: %s\n", d->name, ours ? "fine" : fault->why);
    CHECK(fine);
}
