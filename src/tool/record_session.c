/* SPDX-License-Identifier: Apache-2.0 */
#include "tool/record_session.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/loop.h"
#include "tool/progress.h"
#include "tool/tool.h"
#include "tracewire/consumer.h"
#include "wire/reader.h"

enum {
    ANSWER_MS = 10 * 1000,   /* how long any answer may take that needs no producer */
    PATIENCE_MS = 60 * 1000, /* how much longer than its duration a session may take */
    PROGRESS_MS = 500,       /* between two updates of the line on the terminal */
    SERVICE_TEXT_MAX = 1000, /* bytes of what the service says about an error */
};

/* ObservableEvents.Type, and field numbers (spec/proto/service_state.proto, consumer_port.proto).
 */
enum { EVENT_ALL_STARTED = 2, OBSERVE_RESPONSE_EVENTS = 1, EVENTS_ALL_STARTED = 2 };

enum phase {
    PHASE_BINDING,
    PHASE_TRACING,
    PHASE_STOPPING, /* we asked for the end */
    PHASE_READING,
    PHASE_FREEING,
    PHASE_OVER,
};

struct session {
    const struct tw_record_options *options;
    const struct tw_record_config *config;
    enum phase phase;
    enum tw_exit status;
    struct tw_loop *loop;
    struct tw_consumer *consumer;
    struct tw_io io;
    struct tw_timer watchdog, tick;
    struct tw_trace_file *out; /* NULL: the config names the file */
    bool whole;                /* everything was read, or the service has written it */
    struct tw_progress progress;
    uint64_t began_ns; /* the phase */
};

static void over(struct session *s)
{
    s->phase = PHASE_OVER;
}

static void fail(struct session *s, enum tw_exit status, const char *what, const char *why)
{
    if (s->phase == PHASE_OVER)
        return;
    tw_progress_say(&s->progress, "%s%s%s", what, why ? ": " : "", why ? why : "");
    s->status = status;
    over(s);
}

/* Answers 0 to any call but a request that could not even be sent. */
static bool sent(struct session *s, int rc)
{
    if (rc && rc != TW_E_CLOSED) /* a closed connection is told by the dispatch */
        fail(s, TW_EXIT_REFUSED, "cannot ask the service", tw_err_str(rc));
    return rc == 0;
}

static void set_timer(struct session *s, struct tw_timer *timer, uint64_t ms)
{
    uint64_t due = tw_clock_ns(CLOCK_MONOTONIC) + ms * TW_NS_PER_MS;

    if (tw_timer_set(tw_loop_timers(s->loop), timer, due))
        fail(s, TW_EXIT_FAILURE, "out of memory", NULL);
}

static void on_watchdog(struct tw_timer *timer)
{
    struct session *s = TW_CONTAINER_OF(timer, struct session, watchdog);

    fail(s, TW_EXIT_REFUSED, "the service does not answer", NULL);
}

/* limit_ms 0: the phase may take as long as it takes. */
static void enter(struct session *s, enum phase phase, uint64_t limit_ms)
{
    s->phase = phase;
    s->began_ns = tw_clock_ns(CLOCK_MONOTONIC);
    tw_timer_clear(tw_loop_timers(s->loop), &s->watchdog);
    if (limit_ms)
        set_timer(s, &s->watchdog, limit_ms);
}

static void show_progress(struct session *s)
{
    uint64_t ms = (tw_clock_ns(CLOCK_MONOTONIC) - s->began_ns) / TW_NS_PER_MS;

    if (s->phase == PHASE_TRACING && s->config->duration_ms)
        tw_progress_show(&s->progress, "tracing, %.1f s of %.1f s", (double)ms / 1000,
                         (double)s->config->duration_ms / 1000);
    else if (s->phase == PHASE_TRACING)
        tw_progress_show(&s->progress, "tracing, %.1f s; Ctrl-C stops", (double)ms / 1000);
    else if (s->phase == PHASE_STOPPING)
        tw_progress_show(&s->progress, "stopping");
    else if (s->phase == PHASE_READING)
        tw_progress_show(&s->progress, "reading, %" PRIu64 " packets, %" PRIu64 " bytes",
                         tw_trace_file_packets(s->out), tw_trace_file_bytes(s->out));
}

static void on_tick(struct tw_timer *timer)
{
    struct session *s = TW_CONTAINER_OF(timer, struct session, tick);

    show_progress(s);
    set_timer(s, timer, PROGRESS_MS);
}

static void on_freed(void *user, int result)
{
    struct session *s = user;

    if (result != TW_E_CLOSED) /* every packet is here; nothing else can matter */
        over(s);
}

static void free_buffers(struct session *s)
{
    enter(s, PHASE_FREEING, ANSWER_MS);
    (void)sent(s, tw_consumer_free_buffers(s->consumer, on_freed, s));
}

static void on_packet(void *user, struct tw_bytes packet)
{
    struct session *s = user;
    int rc;

    if (s->phase != PHASE_READING)
        return;
    set_timer(s, &s->watchdog, ANSWER_MS);
    rc = tw_trace_file_packet(s->out, packet);
    if (!rc)
        return;
    s->status = TW_EXIT_FAILURE; /* closing the file says why */
    over(s);
}

static void on_read(void *user, int result)
{
    struct session *s = user;

    if (result == TW_E_CLOSED || s->phase != PHASE_READING)
        return;
    if (result && s->status == TW_EXIT_OK) {
        tw_progress_say(&s->progress, "reading the trace: %s", tw_err_str(result));
        s->status = TW_EXIT_REFUSED;
    }
    s->whole = !result && (s->status == TW_EXIT_OK || tw_trace_file_packets(s->out) > 0);
    free_buffers(s);
}

static void read_buffers(struct session *s)
{
    enter(s, PHASE_READING, ANSWER_MS);
    (void)sent(s, tw_consumer_read_buffers(s->consumer, on_packet, on_read, s));
}

static void say_error(struct session *s, struct tw_bytes error)
{
    char text[SERVICE_TEXT_MAX];

    snprintf(text, sizeof(text), "%.*s", (int)tw_min(error.n, sizeof(text) - 1),
             (const char *)error.p);
    tw_progress_say(&s->progress, "the service ended the session: %s", text);
}

/* An error does not mean that nothing was recorded before it. */
static void on_ended(void *user, int result, struct tw_bytes error)
{
    struct session *s = user;

    if (result == TW_E_CLOSED || s->phase == PHASE_OVER)
        return;
    if (error.n)
        say_error(s, error);
    else if (result)
        tw_progress_say(&s->progress, "the service refused the session: %s", tw_err_str(result));
    if (error.n || result)
        s->status = TW_EXIT_REFUSED;
    s->whole = s->config->into_file && s->status == TW_EXIT_OK;
    if (result || s->config->into_file)
        free_buffers(s);
    else
        read_buffers(s);
}

static void on_stopped(void *user, int result)
{
    (void)user; /* the end of the session is told by its own answer */
    (void)result;
}

static void on_flushed(void *user, int result)
{
    struct session *s = user;

    if (result == TW_E_CLOSED || s->phase != PHASE_STOPPING)
        return;
    if (result)
        tw_progress_say(&s->progress, "not every producer handed over its last data in time");
    (void)sent(s, tw_consumer_disable_tracing(s->consumer, on_stopped, s));
}

/* The first signal ends the session in good order, a second one wherever it is. */
static void on_signal(int signo, void *user)
{
    struct session *s = user;

    (void)signo;
    if (s->phase != PHASE_TRACING) {
        fail(s, TW_EXIT_FAILURE, "interrupted", NULL);
        return;
    }
    enter(s, PHASE_STOPPING, s->config->patience_ms + PATIENCE_MS);
    show_progress(s);
    (void)sent(s, tw_consumer_flush(s->consumer, 0, 0, on_flushed, s));
}

static bool says_all_started(struct tw_bytes body)
{
    struct tw_reader r = tw_reader_of(body);
    struct tw_field field, event;
    bool started = false;

    while (!tw_read_field(&r, &field)) {
        struct tw_reader events = tw_reader_of(field.bytes);

        if (field.number != OBSERVE_RESPONSE_EVENTS)
            continue;
        while (!tw_read_field(&events, &event))
            if (event.number == EVENTS_ALL_STARTED)
                started = event.value != 0;
    }
    return started;
}

static void on_observed(void *user, int result, struct tw_bytes body, bool more)
{
    struct session *s = user;

    (void)more;
    if (!result && says_all_started(body))
        tw_progress_say(&s->progress, "tracing started");
}

static int enable(struct session *s)
{
    int fd = -1;
    int rc;

    if (s->config->into_file && !s->config->names_file) {
        fd = fcntl(tw_trace_file_fd(s->out), F_DUPFD_CLOEXEC, 0);
        if (fd < 0)
            return -errno;
    }
    rc =
        tw_consumer_enable_tracing(s->consumer, tw_buf_bytes(&s->config->encoded), fd, on_ended, s);
    if (rc)
        tw_fd_close(&fd);
    return rc;
}

static void say_tracing(struct session *s)
{
    if (s->progress.terminal)
        show_progress(s);
    else if (s->config->duration_ms)
        tw_progress_say(&s->progress, "tracing for %.1f s", (double)s->config->duration_ms / 1000);
    else
        tw_progress_say(&s->progress, "tracing until SIGINT");
}

static void on_bound(void *user, int result)
{
    struct session *s = user;
    bool endless = !s->config->duration_ms || s->config->waits_for_trigger;

    if (result) {
        fail(s, TW_EXIT_REFUSED, "this is no consumer socket of a tracing service", NULL);
        return;
    }
    enter(s, PHASE_TRACING,
          endless ? 0 : s->config->duration_ms + s->config->patience_ms + PATIENCE_MS);
    if (s->options->verbose &&
        tw_consumer_observe_events(s->consumer, EVENT_ALL_STARTED, on_observed, s))
        tw_progress_say(&s->progress, "the service does not tell when tracing has started");
    if (!sent(s, enable(s)))
        return;
    if (s->config->deferred_start &&
        !sent(s, tw_consumer_start_tracing(s->consumer, on_stopped, s)))
        return;
    say_tracing(s);
}

static void on_io(struct tw_io *io, uint32_t events)
{
    struct session *s = TW_CONTAINER_OF(io, struct session, io);
    int rc = tw_consumer_dispatch(s->consumer);

    (void)events;
    if (rc != TW_E_CLOSED)
        return;
    if (s->phase == PHASE_FREEING)
        over(s);
    fail(s, TW_EXIT_REFUSED, "the session was lost", tw_consumer_why(s->consumer));
}

static int start_loop(struct session *s)
{
    sigset_t signals;
    int rc;

    s->io = (struct tw_io){
        .fd = tw_consumer_fd(s->consumer), .events = tw_consumer_events(s->consumer), .fn = on_io};
    rc = tw_loop_add(s->loop, &s->io);
    if (rc)
        return rc;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    rc = tw_loop_signals(s->loop, &signals, on_signal, s);
    if (rc)
        return rc;
    enter(s, PHASE_BINDING, ANSWER_MS);
    if (s->progress.terminal)
        set_timer(s, &s->tick, PROGRESS_MS);
    return 0;
}

static void run(struct session *s)
{
    int rc = start_loop(s);

    while (!rc && s->phase != PHASE_OVER) {
        rc = tw_loop_mod(s->loop, &s->io, tw_consumer_events(s->consumer));
        if (!rc)
            rc = tw_loop_once(s->loop, -1);
    }
    if (rc)
        fail(s, TW_EXIT_FAILURE, "event loop", tw_err_str(rc));
    tw_loop_del(s->loop, &s->io);
}

static bool is_stdout(const struct session *s)
{
    return strcmp(s->options->out, "-") == 0;
}

static const char *out_name(const struct session *s)
{
    return is_stdout(s) ? "standard output" : s->options->out;
}

/* What became of a file that is not whole. Without a single packet it helps nobody who finds it
 * later; what the service has written into it itself nobody has told of yet. */
static void say_what_is_left(struct session *s)
{
    const char *where = tw_trace_file_where(s->out);
    struct stat st;

    if (!where && !is_stdout(s))
        tw_progress_say(&s->progress, "nothing was recorded, and %s is as it was", s->options->out);
    else if (where && stat(where, &st) == 0 && S_ISREG(st.st_mode))
        tw_progress_say(&s->progress, "what came is kept in %s, %jd bytes", where,
                        (intmax_t)st.st_size);
}

static void say_what_was_written(struct session *s)
{
    if (s->config->into_file)
        tw_progress_say(&s->progress, "the service wrote the trace");
    else
        tw_progress_say(&s->progress, "wrote %" PRIu64 " bytes, %" PRIu64 " packets to %s",
                        tw_trace_file_bytes(s->out), tw_trace_file_packets(s->out), out_name(s));
}

static void close_file(struct session *s)
{
    int rc = tw_trace_file_close(s->out, s->whole);

    if (rc)
        tw_progress_say(&s->progress, "%s: %s", out_name(s), tw_err_str(rc));
    if (rc && s->status == TW_EXIT_OK)
        s->status = TW_EXIT_FAILURE;
    if (s->whole && !rc)
        say_what_was_written(s);
    else
        say_what_is_left(s);
    tw_trace_file_free(s->out);
}

static void close_out(struct session *s)
{
    if (s->out)
        close_file(s);
    else if (s->whole) /* into a file that the config names */
        say_what_was_written(s);
}

/* The connection first: without a service the file is not touched. */
static int open_all(struct session *s)
{
    int rc = tw_consumer_connect(s->options->socket, on_bound, s, &s->consumer);

    if (rc) {
        s->status = rc == TW_E_INVALID ? TW_EXIT_USAGE : TW_EXIT_UNREACHABLE;
        tw_progress_say(&s->progress, "cannot reach a service at %s: %s", s->options->socket,
                        rc == TW_E_INVALID ? "not an address of a socket" : tw_err_str(rc));
        over(s);
        return rc;
    }
    rc = tw_loop_new(&s->loop);
    if (rc) {
        fail(s, TW_EXIT_FAILURE, "event loop", tw_err_str(rc));
        return rc;
    }
    if (s->options->out)
        rc = tw_trace_file_open(s->options->out, NULL, &s->out);
    if (rc)
        fail(s, TW_EXIT_USAGE, s->options->out, tw_err_str(rc));
    return rc;
}

int tw_record_session(const struct tw_record_options *options,
                      const struct tw_record_config *config)
{
    struct session s = {
        .options = options,
        .config = config,
        .watchdog = {.fn = on_watchdog},
        .tick = {.fn = on_tick},
    };

    tw_progress_init(&s.progress);
    if (!open_all(&s)) {
        run(&s);
        close_out(&s);
    }
    over(&s);
    tw_consumer_free(s.consumer);
    tw_loop_free(s.loop);
    return (int)s.status;
}
