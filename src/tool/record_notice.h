/* SPDX-License-Identifier: Apache-2.0 */
/* Telling somebody else that tracing has begun, or that it will not: one byte, 0 or an exit status,
 * into a descriptor; and going into the background, where it is the command's own first process
 * that wants to know. */
#pragma once

#include "base/macros.h"

struct tw_record_notice {
    int fd;       /* -1: nobody wants to know, or was told */
    bool started; /* wants to know when every data source has started, not that we have asked */
    bool background;
};

/* Tells, once. */
void tw_record_notify(struct tw_record_notice *notice, int status);

/*
 * Goes on in a process of its own, in a session of its own, and prints its number. Returns -1
 * there, with ret_notice to be told with: until then it has the standard error of the command. In
 * the first process it returns the exit status, once it was told or has waited long enough.
 */
TW_MUST_USE int tw_record_background(bool started, struct tw_record_notice *ret_notice);
