/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the parts of a session share: record_session.c runs it, record_begin.c has the ways to
 * begin, record_end.c those to end, record_file.c what becomes of the file. Each function may be
 * called from those of the consumer.
 */
#pragma once

#include "base/loop.h"
#include "tool/progress.h"
#include "tool/record_session.h"
#include "tool/tool.h"
#include "tracewire/consumer.h"

enum {
    TW_RECORDER_ANSWER_MS = 10 * 1000,   /* how long an answer may take that needs no producer */
    TW_RECORDER_PATIENCE_MS = 60 * 1000, /* how much longer than its duration a session may take */
};

enum tw_recorder_phase {
    TW_RECORDER_BINDING,
    TW_RECORDER_BEGINNING, /* we asked for a session of somebody else's, or to leave ours */
    TW_RECORDER_TRACING,
    TW_RECORDER_STOPPING, /* we asked for the end */
    TW_RECORDER_READING,
    TW_RECORDER_FREEING,
    TW_RECORDER_OVER,
};

struct tw_recorder {
    const struct tw_record_options *options;
    const struct tw_record_config *config;
    enum tw_recorder_phase phase;
    int status;
    struct tw_record_notice notice;
    struct tw_loop *loop;
    struct tw_consumer *consumer;
    struct tw_io io;
    struct tw_timer watchdog, tick;
    struct tw_trace_file *out; /* NULL: the service has the file */
    bool into_file;            /* the service writes it, there is nothing to read */
    bool whole;                /* everything was read, or the service has written it */
    struct tw_progress progress;
    uint64_t began_ns;  /* the phase */
    uint64_t n_started; /* data sources */
    bool counted;       /* the service has told what follows */
    bool asking;        /* it for that */
    uint64_t n_bytes, n_lost;
};

void tw_recorder_over(struct tw_recorder *r);
/* The end, unless it has come before. why may be NULL. */
void tw_recorder_fail(struct tw_recorder *r, int status, const char *what, const char *why);
/* Takes what a call returned: whether the request was sent. If not, that was the end. */
bool tw_recorder_sent(struct tw_recorder *r, int rc);
/* limit_ms 0: the phase may take as long as it takes. */
void tw_recorder_enter(struct tw_recorder *r, enum tw_recorder_phase phase, uint64_t limit_ms);
/* The phase has so long from now on. */
void tw_recorder_extend(struct tw_recorder *r, uint64_t limit_ms);
/* The line on the terminal. */
void tw_recorder_show(struct tw_recorder *r);

/* A tw_consumer_done_fn: the service has the port. */
void tw_recorder_begin(void *user, int result);
/* A tw_consumer_ended_fn. */
void tw_recorder_ended(void *user, int result, struct tw_bytes error);
/* Asks for the end. */
void tw_recorder_stop(struct tw_recorder *r);
/* Asks what was lost, reads what there is to read, and frees the session. */
void tw_recorder_read(struct tw_recorder *r);
void tw_recorder_free(struct tw_recorder *r);
/* Asks how much was written and lost. */
void tw_recorder_count(struct tw_recorder *r);

TW_MUST_USE int tw_recorder_open(struct tw_recorder *r);
void tw_recorder_close(struct tw_recorder *r);
