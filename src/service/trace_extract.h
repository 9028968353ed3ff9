/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a file got through a descriptor, read back to be written elsewhere. The descriptor's
 * position, which whoever it came from shares, stays where it is.
 */
#pragma once

#include "base/gather.h"
#include "service/trace_output.h"

struct tw_extract {
    int fd; /* -1: none */
    off_t at;
    uint64_t left; /* bytes */
};

#define TW_EXTRACT_INIT ((struct tw_extract){.fd = -1})

/* Opens what out writes to, which may be closed afterwards. TW_E_INVALID when it cannot be read
 * back: it is no file, or only open for writing; or a negative errno. */
TW_MUST_USE int tw_extract_open(struct tw_extract *x, const struct tw_output *out);
void tw_extract_close(struct tw_extract *x);

/* It is the n bytes before the position. TW_E_INVALID: there are not as many. */
TW_MUST_USE int tw_extract_last(struct tw_extract *x, uint64_t n);
/* Moves some of it to the end of to, max bytes at most. -ENODATA when the file has become shorter,
 * or another negative errno. */
TW_MUST_USE int tw_extract_read(struct tw_extract *x, struct tw_gather *to, size_t max);
