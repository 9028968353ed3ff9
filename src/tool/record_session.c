/* SPDX-License-Identifier: Apache-2.0 */
#include "tool/record_session.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "tool/recorder.h"

enum { PROGRESS_MS = 500 }; /* between two updates of the line on the terminal */

void tw_recorder_over(struct tw_recorder *r)
{
    r->phase = TW_RECORDER_OVER;
}

void tw_recorder_fail(struct tw_recorder *r, int status, const char *what, const char *why)
{
    if (r->phase == TW_RECORDER_OVER)
        return;
    tw_progress_say(&r->progress, "%s%s%s", what, why ? ": " : "", why ? why : "");
    r->status = status;
    tw_recorder_over(r);
}

bool tw_recorder_sent(struct tw_recorder *r, int rc)
{
    if (rc && rc != TW_E_CLOSED) /* a closed connection is told by the dispatch */
        tw_recorder_fail(r, TW_EXIT_REFUSED, "cannot ask the service", tw_err_str(rc));
    return rc == 0;
}

static void set_timer(struct tw_recorder *r, struct tw_timer *timer, uint64_t ms)
{
    uint64_t due = tw_clock_ns(CLOCK_MONOTONIC) + ms * TW_NS_PER_MS;

    if (tw_timer_set(tw_loop_timers(r->loop), timer, due))
        tw_recorder_fail(r, TW_EXIT_FAILURE, "out of memory", NULL);
}

static void on_watchdog(struct tw_timer *timer)
{
    struct tw_recorder *r = TW_CONTAINER_OF(timer, struct tw_recorder, watchdog);

    tw_recorder_fail(r, TW_EXIT_REFUSED, "the service does not answer", NULL);
}

void tw_recorder_extend(struct tw_recorder *r, uint64_t limit_ms)
{
    set_timer(r, &r->watchdog, limit_ms);
}

void tw_recorder_enter(struct tw_recorder *r, enum tw_recorder_phase phase, uint64_t limit_ms)
{
    r->phase = phase;
    r->began_ns = tw_clock_ns(CLOCK_MONOTONIC);
    tw_timer_clear(tw_loop_timers(r->loop), &r->watchdog);
    if (limit_ms)
        tw_recorder_extend(r, limit_ms);
}

static void show_tracing(struct tw_recorder *r)
{
    double s = (double)(tw_clock_ns(CLOCK_MONOTONIC) - r->began_ns) / 1e9;
    char until[40] = "";
    bool endless = !r->config || !r->config->duration_ms;

    if (!endless)
        snprintf(until, sizeof(until), " of %.1f s", (double)r->config->duration_ms / 1000);
    tw_progress_show(
        &r->progress, "tracing %.1f s%s, %" PRIu64 " sources, %.1f MB, %" PRIu64 " losses%s", s,
        until, r->n_started, (double)r->n_bytes / 1e6, r->n_lost, endless ? "; Ctrl-C stops" : "");
}

void tw_recorder_show(struct tw_recorder *r)
{
    if (r->phase == TW_RECORDER_TRACING)
        show_tracing(r);
    else if (r->phase == TW_RECORDER_STOPPING)
        tw_progress_show(&r->progress, "stopping");
    else if (r->phase == TW_RECORDER_READING && r->out)
        tw_progress_show(&r->progress, "reading, %" PRIu64 " packets, %" PRIu64 " bytes",
                         tw_trace_file_packets(r->out), tw_trace_file_bytes(r->out));
}

static void on_tick(struct tw_timer *timer)
{
    struct tw_recorder *r = TW_CONTAINER_OF(timer, struct tw_recorder, tick);

    if (r->phase == TW_RECORDER_TRACING)
        tw_recorder_count(r);
    tw_recorder_show(r);
    set_timer(r, timer, PROGRESS_MS);
}

/* The first signal ends the session in good order, a second one wherever it is. */
static void on_signal(int signo, void *user)
{
    struct tw_recorder *r = user;

    (void)signo;
    if (r->phase == TW_RECORDER_TRACING)
        tw_recorder_stop(r);
    else
        tw_recorder_fail(r, TW_EXIT_FAILURE, "interrupted", NULL);
}

static void on_io(struct tw_io *io, uint32_t events)
{
    struct tw_recorder *r = TW_CONTAINER_OF(io, struct tw_recorder, io);
    int rc = tw_consumer_dispatch(r->consumer);

    (void)events;
    if (rc != TW_E_CLOSED)
        return;
    if (r->phase == TW_RECORDER_FREEING)
        tw_recorder_over(r);
    tw_recorder_fail(r, TW_EXIT_REFUSED, "the session was lost", tw_consumer_why(r->consumer));
}

static int start_loop(struct tw_recorder *r)
{
    sigset_t signals;
    int rc;

    r->io = (struct tw_io){
        .fd = tw_consumer_fd(r->consumer), .events = tw_consumer_events(r->consumer), .fn = on_io};
    rc = tw_loop_add(r->loop, &r->io);
    if (rc)
        return rc;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    rc = tw_loop_signals(r->loop, &signals, on_signal, r);
    if (rc)
        return rc;
    tw_recorder_enter(r, TW_RECORDER_BINDING, TW_RECORDER_ANSWER_MS);
    if (r->progress.terminal)
        set_timer(r, &r->tick, PROGRESS_MS);
    return 0;
}

static void run(struct tw_recorder *r)
{
    int rc = start_loop(r);

    while (!rc && r->phase != TW_RECORDER_OVER) {
        rc = tw_loop_mod(r->loop, &r->io, tw_consumer_events(r->consumer));
        if (!rc)
            rc = tw_loop_once(r->loop, -1);
    }
    if (rc)
        tw_recorder_fail(r, TW_EXIT_FAILURE, "event loop", tw_err_str(rc));
    tw_loop_del(r->loop, &r->io);
}

/* The connection first: without a service the file is not touched. */
static int open_all(struct tw_recorder *r)
{
    const char *socket = r->options->socket;
    int rc = tw_consumer_connect(socket, tw_recorder_begin, r, &r->consumer);

    if (rc) {
        r->status = rc == TW_E_INVALID ? TW_EXIT_USAGE : TW_EXIT_UNREACHABLE;
        tw_progress_say(&r->progress, "cannot reach a service at %s: %s", socket,
                        rc == TW_E_INVALID ? "not an address of a socket" : tw_err_str(rc));
        tw_recorder_over(r);
        return rc;
    }
    rc = tw_loop_new(&r->loop);
    if (rc) {
        tw_recorder_fail(r, TW_EXIT_FAILURE, "event loop", tw_err_str(rc));
        return rc;
    }
    return tw_recorder_open(r);
}

int tw_record_session(const struct tw_record_options *options,
                      const struct tw_record_config *config)
{
    struct tw_recorder r = {
        .options = options,
        .config = config,
        .notice = options->notice,
        .into_file = config ? config->into_file : options->action != TW_RECORD_CLONE,
        .watchdog = {.fn = on_watchdog},
        .tick = {.fn = on_tick},
    };

    tw_progress_init(&r.progress);
    if (!open_all(&r)) {
        run(&r);
        tw_recorder_close(&r);
    }
    tw_recorder_over(&r);
    tw_consumer_free(r.consumer);
    tw_loop_free(r.loop);
    tw_record_notify(&r.notice, r.status);
    return r.status;
}
