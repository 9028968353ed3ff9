/* SPDX-License-Identifier: Apache-2.0 */
/* The ways to get a session: a new one, one that was left to itself, a copy of another. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "base/fd.h"
#include "consumer_port.pb-c.h"
#include "tool/recorder.h"
#include "wire/pbc.h"

enum {
    CLONE_MS = 30 * 1000, /* how long a copy may take; producers are flushed for it */
    TEXT_MAX = 1000,      /* bytes of what the service says about an error */
    EVENTS_MAX = 1 << 20, /* bytes that decoding events may cost */
};

/* ObservableEvents.Type (spec/proto/service_state.proto). */
enum { EVENT_INSTANCES = 1, EVENT_ALL_STARTED = 2 };

static void on_events(struct tw_recorder *r, const Tw__ObservableEvents *events)
{
    for (size_t i = 0; i < events->n_instance_state_changes; i++)
        r->n_started +=
            events->instance_state_changes[i]->state ==
            TW__OBSERVABLE_EVENTS__DATA_SOURCE_INSTANCE_STATE__DATA_SOURCE_INSTANCE_STATE_STARTED;
    if (!events->all_data_sources_started)
        return;
    if (r->options->verbose)
        tw_progress_say(&r->progress, "tracing started");
    tw_record_notify(&r->notice, TW_EXIT_OK);
}

static void on_observed(void *user, int result, struct tw_bytes body, bool more)
{
    struct tw_arena arena = TW_ARENA_INIT(EVENTS_MAX);
    ProtobufCMessage *msg;

    (void)more;
    if (!result && !tw_pbc_unpack(&tw__observe_events_response__descriptor, &arena, body, &msg)) {
        const Tw__ObserveEventsResponse *response = (const Tw__ObserveEventsResponse *)msg;

        if (response->events)
            on_events(user, response->events);
    }
    tw_arena_deinit(&arena);
}

/* What is wanted of the service before anything can have happened. */
static void observe(struct tw_recorder *r)
{
    uint32_t types = r->progress.terminal ? EVENT_INSTANCES : 0;

    if (r->options->verbose || r->notice.started)
        types |= EVENT_ALL_STARTED;
    if (types && tw_consumer_observe_events(r->consumer, types, on_observed, r))
        tw_progress_say(&r->progress, "the service does not tell when tracing has started");
}

static int enable(struct tw_recorder *r)
{
    int fd = -1, rc;

    if (r->into_file && r->out) {
        fd = fcntl(tw_trace_file_fd(r->out), F_DUPFD_CLOEXEC, 0);
        if (fd < 0)
            return -errno;
    }
    rc = tw_consumer_enable_tracing(r->consumer, tw_buf_bytes(&r->config->encoded), fd,
                                    tw_recorder_ended, r);
    if (rc)
        tw_fd_close(&fd);
    return rc;
}

static void on_started(void *user, int result)
{
    (void)user; /* a session that cannot start ends, and says why */
    (void)result;
}

static void say_tracing(struct tw_recorder *r)
{
    if (r->notice.background)
        return; /* the number of the process is all there is to say */
    if (r->progress.terminal)
        tw_recorder_show(r);
    else if (r->config && r->config->duration_ms)
        tw_progress_say(&r->progress, "tracing for %.1f s", (double)r->config->duration_ms / 1000);
    else
        tw_progress_say(&r->progress, "tracing until SIGINT");
}

static bool begin_tracing(struct tw_recorder *r)
{
    const struct tw_record_config *config = r->config;
    bool endless = !config->duration_ms || config->waits_for_trigger;

    tw_recorder_enter(
        r, TW_RECORDER_TRACING,
        endless ? 0 : config->duration_ms + config->patience_ms + TW_RECORDER_PATIENCE_MS);
    observe(r);
    if (!tw_recorder_sent(r, enable(r)))
        return false;
    return !config->deferred_start ||
           tw_recorder_sent(r, tw_consumer_start_tracing(r->consumer, on_started, r));
}

static void trace(struct tw_recorder *r)
{
    if (!begin_tracing(r))
        return;
    say_tracing(r);
    if (!r->notice.started)
        tw_record_notify(&r->notice, TW_EXIT_OK);
}

/* The session is the service's from here on. */
static void on_detached(void *user, int result)
{
    struct tw_recorder *r = user;

    if (result == TW_E_CLOSED || r->phase != TW_RECORDER_BEGINNING)
        return;
    r->whole = result == 0 && r->options->action == TW_RECORD_DETACH;
    if (result)
        tw_recorder_fail(r, TW_EXIT_REFUSED, "the service does not keep the session",
                         "is there one of that key?");
    tw_recorder_over(r);
}

static void leave(struct tw_recorder *r)
{
    tw_recorder_enter(r, TW_RECORDER_BEGINNING, TW_RECORDER_ANSWER_MS);
    (void)tw_recorder_sent(r, tw_consumer_detach(r->consumer, r->options->key, on_detached, r));
}

static void detach(struct tw_recorder *r)
{
    if (begin_tracing(r))
        leave(r);
}

static void on_attached(void *user, int result, struct tw_bytes body, bool more)
{
    struct tw_recorder *r = user;

    (void)body;
    if (result == TW_E_CLOSED || more || r->phase != TW_RECORDER_BEGINNING)
        return;
    if (result) {
        tw_recorder_fail(r, TW_EXIT_REFUSED, "there is no detached session of that key", NULL);
        return;
    }
    tw_recorder_enter(r, TW_RECORDER_TRACING, 0);
    observe(r);
    if (!tw_recorder_sent(r, tw_consumer_await_end(r->consumer, tw_recorder_ended, r)))
        return;
    if (r->options->stop)
        tw_recorder_stop(r);
    else
        say_tracing(r);
    tw_record_notify(&r->notice, TW_EXIT_OK);
}

static void on_found(void *user, int result, struct tw_bytes body, bool more)
{
    struct tw_recorder *r = user;

    (void)body;
    if (result == TW_E_CLOSED || more || r->phase != TW_RECORDER_BEGINNING)
        return;
    if (!result) {
        leave(r);
        return;
    }
    r->status = TW_RECORD_NOT_DETACHED;
    tw_recorder_over(r);
}

static void attach(struct tw_recorder *r)
{
    bool only_look = r->options->action == TW_RECORD_IS_DETACHED;

    tw_recorder_enter(r, TW_RECORDER_BEGINNING, TW_RECORDER_ANSWER_MS);
    (void)tw_recorder_sent(
        r, tw_consumer_attach(r->consumer, r->options->key, only_look ? on_found : on_attached, r));
}

static void on_cloned(void *user, int result, struct tw_bytes body, bool more)
{
    struct tw_recorder *r = user;
    struct tw_clone_result clone = {0};
    char text[TEXT_MAX] = "";
    int rc = result ? result : tw_clone_result_read(body, &clone);

    if (result == TW_E_CLOSED || more || r->phase != TW_RECORDER_BEGINNING)
        return;
    snprintf(text, sizeof(text), "%.*s", (int)tw_min(clone.error.n, sizeof(text) - 1),
             clone.error.n ? (const char *)clone.error.p : "");
    if (rc || !clone.success) {
        tw_recorder_fail(r, TW_EXIT_REFUSED, "cloning the session", rc ? tw_err_str(rc) : text);
        return;
    }
    tw_record_notify(&r->notice, TW_EXIT_OK);
    r->into_file = r->whole = clone.was_write_into_file;
    tw_recorder_read(r);
}

static void clone_session(struct tw_recorder *r)
{
    struct tw_clone_args args = {
        .session_id = r->options->clone_id,
        .unique_session_name = r->options->clone_name,
        .skip_trace_filter = r->options->clone_for_bugreport,
        .for_bugreport = r->options->clone_for_bugreport,
    };
    int fd = fcntl(tw_trace_file_fd(r->out), F_DUPFD_CLOEXEC, 0);
    int rc;

    tw_recorder_enter(r, TW_RECORDER_BEGINNING, CLONE_MS);
    rc = fd < 0 ? -errno : tw_consumer_clone_session(r->consumer, &args, fd, on_cloned, r);
    if (rc)
        tw_fd_close(&fd);
    (void)tw_recorder_sent(r, rc);
}

void tw_recorder_begin(void *user, int result)
{
    struct tw_recorder *r = user;

    if (result) {
        tw_recorder_fail(r, TW_EXIT_REFUSED, "this is no consumer socket of a tracing service",
                         NULL);
        return;
    }
    switch (r->options->action) {
    case TW_RECORD_TRACE:
        trace(r);
        break;
    case TW_RECORD_DETACH:
        detach(r);
        break;
    case TW_RECORD_ATTACH:
    case TW_RECORD_IS_DETACHED:
        attach(r);
        break;
    case TW_RECORD_CLONE:
        clone_session(r);
        break;
    }
}
