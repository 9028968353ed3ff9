/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One session of `tracewire record`, from the connection to the trace file: bind, trace until the
 * service or a signal ends it, read the buffers, free them. Blocks; runs its own event loop.
 */
#pragma once

#include "tool/record_config.h"
#include "tool/record_notice.h"

/* How the session comes about, and how it goes on. */
enum tw_record_action {
    TW_RECORD_TRACE,
    TW_RECORD_DETACH,      /* begins a session and leaves it to itself */
    TW_RECORD_ATTACH,      /* takes one back and waits for its end */
    TW_RECORD_IS_DETACHED, /* takes one back and leaves it again */
    TW_RECORD_CLONE,
};

/* What TW_RECORD_IS_DETACHED returns when there is none: no exit status. */
enum { TW_RECORD_NOT_DETACHED = 256 };

struct tw_record_options {
    const char *socket;
    const char *out; /* "-": standard output; NULL: the service has the file */
    bool no_clobber; /* not in the place of a file */
    bool verbose;
    enum tw_record_action action;
    const char *key; /* what a detached session is called */
    bool stop;       /* end the session that was taken back */
    /* The session to clone. */
    const char *clone_name; /* NULL: by clone_id */
    uint64_t clone_id;
    bool clone_for_bugreport;
    struct tw_record_notice notice;
};

/* config is NULL for what begins no session. Returns the exit status; what went wrong has been said
 * on standard error, and to who waits for notice. */
TW_MUST_USE int tw_record_session(const struct tw_record_options *options,
                                  const struct tw_record_config *config);
