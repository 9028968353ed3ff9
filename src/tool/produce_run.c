/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One thread owns the connection and starts and ends the threads that write. Threads that are done
 * say so by an eventfd, since only here they may be joined and the service be told.
 */
#include "tool/produce_run.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/loop.h"
#include "tool/produce_worker.h"
#include "tool/tool.h"
#include "tracewire/track_event.h"

/* Milliseconds that the threads and the socket get at the end; a service that does not read any
 * more must not keep us. */
enum { END_MS = 3000 };
/* Milliseconds without a service after which whoever waits at a terminal should know. */
enum { LONELY_MS = 1000 };

#define NUMBERED "tw.seq"

/* The threads of one instance of NUMBERED. */
struct run {
    struct run *next;
    struct tw_workers *workers;
    bool stopping; /* the service waits for the end */
};

/* The threads that write track events, for all sessions. */
struct writing {
    struct tw_workers *workers; /* NULL before the first */
    uint32_t sessions;
    struct tw_instance *last; /* of the last session, which waits for the threads; else NULL */
};

struct produce {
    const struct tw_produce_options *options;
    struct tw_loop *loop;
    struct tw_producer *producer;
    struct tw_io producer_io, done_io;
    struct tw_timer end, last, lonely;
    struct tw_category category; /* of all track events */
    struct tw_events *events;
    struct writing writing;
    struct run *runs;
    struct tw_produced produced;
    bool ending; /* what is written now is the last */
    bool finished;
    int error;
};

/* ---- instances of numbered packets ---- */

/* instance NULL: those of the track events. */
static int start_workers(struct produce *p, struct tw_instance *instance,
                         struct tw_workers **ret_workers)
{
    struct tw_workers_config config = {
        .options = p->options,
        .instance = instance,
        .produced = &p->produced,
        .category = &p->category,
        .done_fd = p->done_io.fd,
    };
    int r = tw_workers_start(ret_workers, &config);

    if (r)
        tw_log(TW_LOG_ERROR, "cannot write for %s: %s", instance ? NUMBERED : "track_event",
               tw_err_str(r));
    return r;
}

static void on_start(void *user, struct tw_instance *instance)
{
    struct produce *p = user;
    struct run *run;

    if (p->ending)
        return;
    run = calloc(1, sizeof(*run));
    if (!run || start_workers(p, instance, &run->workers)) {
        free(run);
        return;
    }
    run->next = p->runs;
    p->runs = run;
}

static struct run **find_run(struct produce *p, const struct tw_instance *instance)
{
    struct run **at = &p->runs;

    while (*at && tw_workers_instance((*at)->workers) != instance)
        at = &(*at)->next;
    return at;
}

static void remove_run(struct run **at)
{
    struct run *run = *at;

    *at = run->next;
    tw_workers_free(run->workers);
    free(run);
}

static void on_stop(void *user, struct tw_instance *instance)
{
    struct run **at = find_run(user, instance);

    if (*at && !tw_workers_done((*at)->workers)) {
        (*at)->stopping = true; /* they see it themselves; on_done() does the rest */
        return;
    }
    if (*at)
        remove_run(at);
    tw_instance_done(instance);
}

static void end_stopped_runs(struct produce *p)
{
    for (struct run **at = &p->runs; *at;) {
        struct run *run = *at;

        if (run->stopping && tw_workers_done(run->workers)) {
            tw_instance_done(tw_workers_instance(run->workers));
            remove_run(at);
        } else {
            at = &run->next;
        }
    }
}

/* ---- sessions of track events ---- */

static bool is_writing(const struct produce *p)
{
    return p->writing.workers && !tw_workers_done(p->writing.workers);
}

static void begin_writing(struct produce *p)
{
    if (p->ending || is_writing(p))
        return;
    tw_workers_free(p->writing.workers);
    p->writing.workers = NULL;
    (void)start_workers(p, NULL, &p->writing.workers);
}

static void on_events_start(void *user, struct tw_instance *instance)
{
    struct produce *p = user;

    (void)instance;
    p->writing.sessions++;
    begin_writing(p);
}

/* The threads end what they have begun before the last session does. */
static void on_events_stop(void *user, struct tw_instance *instance)
{
    struct produce *p = user;
    struct writing *w = &p->writing;

    if (--w->sessions == 0 && is_writing(p) && !w->last) {
        tw_workers_stop(w->workers);
        w->last = tw_instance_ref(instance); /* on_done() does the rest */
    } else {
        tw_events_end(p->events, instance);
    }
}

static void end_last_session(struct produce *p)
{
    struct writing *w = &p->writing;

    if (!w->last || is_writing(p))
        return;
    tw_events_end(p->events, w->last);
    tw_instance_unref(w->last);
    w->last = NULL;
    if (w->sessions > 0) /* one that came meanwhile */
        begin_writing(p);
}

/* ---- the end ---- */

static bool all_done(const struct produce *p)
{
    for (const struct run *run = p->runs; run; run = run->next)
        if (!tw_workers_done(run->workers))
            return false;
    return !is_writing(p);
}

static void check_finished(struct produce *p)
{
    struct tw_producer_stats stats;
    bool counted;

    tw_producer_stats(p->producer, &stats);
    /* What is set up but not started yet will want its packets, too. */
    counted = p->options->count && (p->runs || p->writing.workers) && stats.setups == stats.starts;
    if ((p->ending || counted) && all_done(p) && tw_producer_idle(p->producer))
        p->finished = true;
}

static void on_done(struct tw_io *io, uint32_t events)
{
    struct produce *p = TW_CONTAINER_OF(io, struct produce, done_io);
    uint64_t count;
    ssize_t n = read(io->fd, &count, sizeof(count));

    (void)events;
    (void)n;
    end_stopped_runs(p);
    end_last_session(p);
}

/* ---- the loop ---- */

static void on_producer(struct tw_io *io, uint32_t events)
{
    struct produce *p = TW_CONTAINER_OF(io, struct produce, producer_io);

    (void)events;
    p->error = tw_producer_dispatch(p->producer, 0);
}

static void begin_to_end(struct produce *p)
{
    if (p->ending) {
        p->finished = true; /* asked twice: at once */
        return;
    }
    p->ending = true;
    for (struct run *run = p->runs; run; run = run->next)
        tw_workers_stop(run->workers);
    if (p->writing.workers)
        tw_workers_stop(p->writing.workers);
    p->error = tw_timer_set(tw_loop_timers(p->loop), &p->last,
                            tw_clock_ns(CLOCK_MONOTONIC) + END_MS * TW_NS_PER_MS);
}

static void on_signal(int signo, void *user)
{
    (void)signo;
    begin_to_end(user);
}

static void on_end(struct tw_timer *timer)
{
    begin_to_end(TW_CONTAINER_OF(timer, struct produce, end));
}

static void on_last(struct tw_timer *timer)
{
    TW_CONTAINER_OF(timer, struct produce, last)->finished = true;
}

static void on_lonely(struct tw_timer *timer)
{
    struct produce *p = TW_CONTAINER_OF(timer, struct produce, lonely);

    if (!tw_producer_connected(p->producer))
        tw_log(TW_LOG_INFO, "produce: cannot reach a service at %s yet, still trying",
               p->options->socket);
}

static int add_sources(struct produce *p)
{
    struct tw_events_config events = {
        .categories = &p->category,
        .n_categories = 1,
        .policy = p->options->stall ? TW_EXHAUSTED_STALL : TW_EXHAUSTED_DEFAULT,
        .start = on_events_start,
        .stop = on_events_stop,
        .user = p,
    };
    struct tw_data_source_config numbered = {
        .name = NUMBERED,
        .ops = {.start = on_start, .stop = on_stop},
        .user = p,
    };
    int r = tw_events_new(&p->events, p->producer, &events);

    return r ? r : tw_producer_register(p->producer, &numbered);
}

static int set_up_loop(struct produce *p)
{
    sigset_t signals;
    int r = tw_loop_new(&p->loop);

    if (r)
        return r;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    r = tw_loop_signals(p->loop, &signals, on_signal, p);
    if (!r && p->options->duration_ms)
        r = tw_timer_set(tw_loop_timers(p->loop), &p->end,
                         tw_clock_ns(CLOCK_MONOTONIC) + p->options->duration_ms * TW_NS_PER_MS);
    if (r)
        return r;
    p->done_io.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return p->done_io.fd < 0 ? -errno : tw_loop_add(p->loop, &p->done_io);
}

static int set_up_producer(struct produce *p)
{
    struct tw_producer_config config = {
        .socket = p->options->socket,
        .name = p->options->name,
        .scraping = TW_SCRAPING_ON,
    };
    int r = tw_producer_open(&p->producer, &config);

    if (!r)
        r = add_sources(p);
    if (r)
        return r;
    r = tw_timer_set(tw_loop_timers(p->loop), &p->lonely,
                     tw_clock_ns(CLOCK_MONOTONIC) + LONELY_MS * TW_NS_PER_MS);
    if (r)
        return r;
    p->producer_io.fd = tw_producer_fd(p->producer);
    return tw_loop_add(p->loop, &p->producer_io);
}

static void print_name(const char *name)
{
    putchar('"');
    for (; *name; name++) {
        if (*name == '"' || *name == '\\')
            putchar('\\');
        if ((unsigned char)*name < ' ')
            printf("\\u%04x", (unsigned)*name);
        else
            putchar(*name);
    }
    putchar('"');
}

static void print_summary(struct produce *p, const struct tw_producer_stats *s)
{
    struct tw_events_stats e;

    tw_events_stats(p->events, &e);
    printf("{\"name\": ");
    print_name(p->options->name);
    printf(", \"packets\": %llu, \"events\": %llu, \"bytes\": %llu, \"lost\": %llu",
           (unsigned long long)p->produced.packets, (unsigned long long)e.events,
           (unsigned long long)(p->produced.bytes + e.bytes),
           (unsigned long long)(p->produced.lost + e.lost));
    printf(", \"sessions\": %llu, \"setups\": %llu, \"starts\": %llu, \"stops\": %llu"
           ", \"flushes\": %llu, \"commits\": %llu}\n",
           (unsigned long long)s->connects, (unsigned long long)s->setups,
           (unsigned long long)s->starts, (unsigned long long)s->stops,
           (unsigned long long)s->flushes, (unsigned long long)s->commits);
}

static void tear_down(struct produce *p)
{
    struct tw_producer_stats stats = {0};

    if (p->producer)
        tw_producer_stats(p->producer, &stats);
    /* The connection first: a writer that waits for the service stops waiting. */
    tw_producer_close(p->producer);
    while (p->runs)
        remove_run(&p->runs);
    tw_workers_free(p->writing.workers);
    tw_instance_unref(p->writing.last);
    if (!p->error)
        print_summary(p, &stats);
    tw_events_free(p->events);
    tw_fd_close(&p->done_io.fd);
    tw_loop_free(p->loop);
}

static void turn(struct produce *p)
{
    int r = tw_loop_once(p->loop, -1);

    if (!p->error) /* one of a callback comes first */
        p->error = r;
    check_finished(p);
}

int tw_produce_run(const struct tw_produce_options *options)
{
    struct produce p = {
        .options = options,
        .producer_io = {.fd = -1, .events = EPOLLIN, .fn = on_producer},
        .done_io = {.fd = -1, .events = EPOLLIN, .fn = on_done},
        .end = {.fn = on_end},
        .last = {.fn = on_last},
        .lonely = {.fn = on_lonely},
        .category = TW_CATEGORY("tracewire", "What tracewire produce does", NULL),
    };

    p.error = set_up_loop(&p);
    if (!p.error)
        p.error = set_up_producer(&p);
    if (p.error == TW_E_INVALID) {
        tear_down(&p);
        return tw_usage_error("produce", "'%s' cannot be the name of a socket", options->socket);
    }
    while (!p.error && !p.finished)
        turn(&p);
    tear_down(&p);
    if (p.error)
        tw_log(TW_LOG_ERROR, "produce: %s", tw_err_str(p.error));
    return p.error ? TW_EXIT_FAILURE : TW_EXIT_OK;
}
