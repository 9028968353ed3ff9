/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A session that writes its trace into a file by itself (write_into_file): every period, and once
 * more at its end, a pass over everything there is to say goes from the trace buffers into the
 * file. A pass takes as many turns as it needs, with others' turns between them.
 *
 * The session ends when the file may not grow any more or cannot be written; its consumer is told
 * after the last byte. A consumer that goes before that leaves the session to its writer.
 */
#pragma once

#include "base/gather.h"
#include "base/timers.h"
#include "service/core.h"
#include "service/packet_source.h"
#include "service/trace_extract.h"
#include "service/trace_output.h"

enum tw_write_flush {
    TW_WRITE_FLUSH_AS_CONFIGURED, /* flush_period_ms says when producers flush */
    TW_WRITE_FLUSH_PERIODIC,      /* every TW_FILE_PERIOD_MS */
    TW_WRITE_FLUSH_FIRST,         /* before each pass */
};

enum { TW_FILE_ERROR_MAX = 128 }; /* bytes of a text for the consumer */

struct tw_file_writer {
    struct tw_session *session;
    struct tw_output out; /* none any more when all is written or nothing can be */
    uint64_t bytes, max_bytes;
    uint32_t period_ms;
    enum tw_write_flush flush;
    bool sync; /* after every pass, not only after the last */
    struct tw_timer period, turn;

    bool passing, again,
        last;     /* a pass is under way, and one is to follow it; the last has begun */
    bool full;    /* the file may not grow any more */
    bool blocked; /* the other end took nothing when it was tried last */
    struct tw_packet_source source;
    struct tw_gather waiting; /* of the pass, not written yet */
    uint64_t moved_ns;        /* when the other end took something last, CLOCK_MONOTONIC */
    struct tw_extract before; /* of a clone: what goes first, from the original's file */
    struct tw_later cloned;   /* CloneSession: answered when all is written */
    char error[TW_FILE_ERROR_MAX];
};

/*
 * The writer of a session whose config wants one; none otherwise, and that is fine. fd, -1 if there
 * is none, is taken in any case. On failure *ret_error is a static text for the consumer.
 */
TW_MUST_USE int tw_file_writer_open(struct tw_session *session, int fd, const char **ret_error);
/* The writer of a clone, at work: writes what clone->before has, then one pass, and then answers
 * clone->reply. Takes these and clone->out. NULL, or why not: a static text. */
TW_MUST_USE const char *tw_file_writer_clone(struct tw_session *session, struct tw_clone *clone);
/* Without a word, whatever waits. */
void tw_file_writer_free(struct tw_session *session);

/* The session has started. */
void tw_file_writer_start(struct tw_session *session);
/* Begins a pass, as every period does. */
void tw_file_writer_pass(struct tw_session *session);
/* The session is disabled, and its buffers have all they will ever have: begins the last pass, and
 * tells the consumer when it is done. */
void tw_file_writer_finish(struct tw_session *session);
/* After that: all that can be written without waiting, at once; but not of a clone. */
void tw_file_writer_complete(struct tw_session *session);
/* Whether a pass is under way: what has left the buffers is not all in the file. */
bool tw_file_writer_passing(const struct tw_session *session);
/* Whether something is still to be written. */
bool tw_file_writer_busy(const struct tw_session *session);
/* How often producers flush in a session that would do it every configured_ms without a file. */
uint32_t tw_file_writer_flush_period(const struct tw_session *session, uint32_t configured_ms);
