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

struct source {
    struct produce *produce;
    const char *name;
    bool track_events;
};

/* The threads of one instance. */
struct run {
    struct run *next;
    struct tw_workers *workers;
    bool stopping; /* the service waits for the end */
    /* Where the session of track events is among those that categories are on for. */
    struct tw_categories *categories; /* NULL: it has none */
    unsigned slot;
};

struct produce {
    const struct tw_produce_options *options;
    struct tw_loop *loop;
    struct tw_producer *producer;
    struct tw_io producer_io, done_io;
    struct tw_timer end, last, lonely;
    struct source sources[2];
    struct tw_category category; /* of all that is written */
    struct tw_categories *categories;
    struct run *runs;
    struct tw_produced produced;
    bool ending; /* what is written now is the last */
    bool finished;
    int error;
};

/* ---- instances ---- */

static void free_run(struct run *run)
{
    if (!run)
        return;
    tw_workers_free(run->workers);
    if (run->categories)
        tw_categories_disable(run->categories, run->slot);
    free(run);
}

static int new_run(struct run **ret_run, const struct source *source, struct tw_instance *instance)
{
    struct produce *p = source->produce;
    struct run *run = calloc(1, sizeof(*run));
    struct tw_workers_config config = {
        .options = p->options,
        .instance = instance,
        .produced = &p->produced,
        .done_fd = p->done_io.fd,
    };
    int r = 0;

    if (!run)
        return -ENOMEM;
    if (source->track_events) {
        config.category = &p->category;
        r = tw_categories_enable(p->categories, tw_instance_config_bytes(instance), &config.slot);
        run->categories = r ? NULL : p->categories;
        run->slot = config.slot;
    }
    if (!r)
        r = tw_workers_start(&run->workers, &config);
    if (r) {
        free_run(run);
        return r;
    }
    *ret_run = run;
    return 0;
}

static void on_start(void *user, struct tw_instance *instance)
{
    struct source *source = user;
    struct produce *p = source->produce;
    struct run *run;
    int r;

    if (p->ending)
        return;
    r = new_run(&run, source, instance);
    if (r) {
        tw_log(TW_LOG_ERROR, "cannot write for %s: %s", source->name, tw_err_str(r));
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
    free_run(run);
}

static void on_stop(void *user, struct tw_instance *instance)
{
    struct source *source = user;
    struct run **at = find_run(source->produce, instance);

    if (*at && !tw_workers_done((*at)->workers)) {
        (*at)->stopping = true; /* they see it themselves; on_done() does the rest */
        return;
    }
    if (*at)
        remove_run(at);
    tw_instance_done(instance);
}

static bool all_done(const struct produce *p)
{
    for (const struct run *run = p->runs; run; run = run->next)
        if (!tw_workers_done(run->workers))
            return false;
    return true;
}

static void check_finished(struct produce *p)
{
    struct tw_producer_stats stats;
    bool counted;

    tw_producer_stats(p->producer, &stats);
    /* What is set up but not started yet will want its packets, too. */
    counted = p->options->count && p->runs && stats.setups == stats.starts;
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

static int add_source(struct produce *p, struct source *source)
{
    struct tw_data_source_config config = {
        .name = source->name,
        .ops = {.start = on_start, .stop = on_stop},
        .user = source,
        .handles_incremental_state_clear = source->track_events,
    };

    if (source->track_events)
        config.descriptor = tw_categories_descriptor(p->categories);
    source->produce = p;
    return tw_producer_register(p->producer, &config);
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
    int r = tw_categories_new(&p->categories, &p->category, 1);

    if (!r)
        r = tw_producer_open(&p->producer, &config);
    for (size_t i = 0; !r && i < TW_ARRAY_LEN(p->sources); i++)
        r = add_source(p, &p->sources[i]);
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
    printf("{\"name\": ");
    print_name(p->options->name);
    printf(", \"packets\": %llu, \"events\": %llu, \"bytes\": %llu, \"lost\": %llu",
           (unsigned long long)p->produced.packets, (unsigned long long)p->produced.events,
           (unsigned long long)p->produced.bytes, (unsigned long long)p->produced.lost);
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
    tw_categories_free(p->categories);
    tw_fd_close(&p->done_io.fd);
    tw_loop_free(p->loop);
    if (!p->error)
        print_summary(p, &stats);
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
        .sources = {{.name = "track_event", .track_events = true}, {.name = "tw.seq"}},
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
    if (p.error == TW_E_REFUSED)
        tw_log(TW_LOG_ERROR, "produce: the service at %s shares no memory, and this needs it",
               options->socket);
    else if (p.error)
        tw_log(TW_LOG_ERROR, "produce: %s", tw_err_str(p.error));
    return p.error ? TW_EXIT_FAILURE : TW_EXIT_OK;
}
