/* SPDX-License-Identifier: Apache-2.0 */
#include "service/flush.h"

#include <stdlib.h>

#include "base/req.h"
#include "consumer_port.pb-c.h"
#include "service/clock_snapshot.h"
#include "service/clone.h"
#include "service/file_writer.h"
#include "service/producer.h"
#include "service/scrape.h"
#include "service/service_events.h"
#include "service/session.h"
#include "trace_stats.pb-c.h"

/* Why, in bits 3 to 0, and who asks, in bits 7 to 4, as producers are told. Figures from
 * include/perfetto/tracing/core/flush_flags.h at v58.2. */
enum { FLUSH_BY_SERVICE_PERIODIC = 0x11, FLUSH_BY_SERVICE_STOP = 0x12 };
enum { REASON_MASK = 0xf, REASON_STOP = 2, REASON_CLONE = 3 };

static void free_flush(struct tw_flush *flush)
{
    struct tw_session *session = flush->session;

    tw_timer_clear(session->service->timers, &flush->timeout);
    TAILQ_REMOVE(&session->flushes, flush, next);
    session->n_flushes--;
    free(flush->asked);
    free(flush);
}

/* why not: NULL is success. */
static void answer(struct tw_session *session, struct tw_later reply, const char *why)
{
    if (!reply.wanted || !session->conn)
        return;
    if (why)
        tw_conn_refuse(session->conn, reply.id, why);
    else
        tw_conn_reply_bytes(session->conn, reply.id, (struct tw_bytes){0}, false, -1);
}

/* A flush for a clone is for some of the buffers only. */
static bool concerns(const struct tw_flush *flush, const struct tw_instance *instance)
{
    const struct tw_session *session = flush->session;

    if (!flush->clone)
        return true;
    for (size_t i = 0; i < session->n_buffers; i++)
        if (session->buffer_ids[i] == instance->buffer_id)
            return tw_clone_takes_away(session, i) == flush->taken_away;
    return false;
}

static int by_id(const void *a, const void *b)
{
    const struct tw_flush_producer *x = a, *y = b;

    return (int)x->id - (int)y->id;
}

/* NULL when it was not asked. */
static struct tw_flush_producer *find_asked(const struct tw_flush *flush, uint16_t producer_id)
{
    struct tw_flush_producer key = {.id = producer_id};

    return bsearch(&key, flush->asked, flush->n_asked, sizeof(key), by_id);
}

/* Whose data the trace lacks, because they did not answer in time. */
static void tell_slow(const struct tw_flush *flush)
{
    REQ("TW-TRACE-044");
    struct tw_slow_sources slow = tw_slow_sources();
    const struct tw_instance *instance;

    TAILQ_FOREACH (instance, &flush->session->instances, next) {
        const struct tw_flush_producer *asked = find_asked(flush, instance->producer->id);

        if (asked && !asked->answered && concerns(flush, instance))
            tw_slow_sources_add(&slow, instance);
    }
    tw_event_slow(flush->session, TW_LIFECYCLE_SLOW_FLUSH, &slow);
}

/* Ends the session, if it is the last flush, as the last thing it does. */
static void complete(struct tw_flush *flush)
{
    struct tw_session *session = flush->session;
    struct tw_later reply = flush->reply;
    bool success = flush->n_waiting == 0, stop_after = flush->stop_after;
    bool write_after = flush->write_after;
    bool taken_away = flush->taken_away;
    struct tw_clone *clone = flush->clone;

    if (!success && flush->last)
        tell_slow(flush);
    free_flush(flush);
    tw_snapshot_clocks(session);
    tw_event(session, TW_LIFECYCLE_ALL_FLUSHED);
    if (success)
        session->flushes_succeeded++;
    else
        session->flushes_failed++;
    answer(session, reply, success ? NULL : "the flush: not every producer answered in time");
    if (clone)
        tw_clone_flushed(clone, taken_away, success);
    if (write_after && session->state == TW_SESSION_STARTED)
        tw_file_writer_pass(session);
    if (!stop_after)
        return;
    session->final_flush = success ? TW__TRACE_STATS__FINAL_FLUSH_OUTCOME__FINAL_FLUSH_SUCCEEDED
                                   : TW__TRACE_STATS__FINAL_FLUSH_OUTCOME__FINAL_FLUSH_FAILED;
    tw_session_run_out(session);
}

static struct tw_flush *first_scraped(const struct tw_session *session, bool stop_after)
{
    struct tw_flush *flush;

    TAILQ_FOREACH (flush, &session->flushes, next)
        if (tw_scraped(&session->scrape, flush->scrape) && flush->stop_after == stop_after)
            return flush;
    return NULL;
}

/* It is over when what is unfinished has been taken. Flushes whose time comes together cost one
 * look at the shared memory and not one each. */
static void on_timeout(struct tw_timer *timer)
{
    struct tw_flush *flush = TW_CONTAINER_OF(timer, struct tw_flush, timeout);

    flush->scrape = tw_scrape(flush->session->service, &flush->session->scrape);
}

void tw_flushes_scraped(struct tw_session *session)
{
    struct tw_flush *flush;

    while ((flush = first_scraped(session, false)))
        complete(flush);
}

void tw_flush_last_scraped(struct tw_session *session)
{
    struct tw_flush *flush = first_scraped(session, true);

    if (flush)
        complete(flush);
}

/* Whether this producer has to be asked even when none of its data sources flushes: what it has not
 * committed nobody but itself can scrape, and it does so when it is asked. */
static bool scrapes_itself(const struct tw_producer *producer)
{
    return producer->scraping && tw_producer_emulates(producer);
}

/* Asks one producer for all its instances that can flush; ids has room for every instance. */
static void ask(struct tw_flush *flush, struct tw_producer *producer, uint64_t flags, uint64_t *ids)
{
    REQ("TW-SHM-034");
    REQ("TW-PROD-032");
    struct tw_instance *instance;
    bool takes_part = false;
    size_t n = 0;

    TAILQ_FOREACH (instance, &producer->instances, next_of_producer) {
        if (instance->session != flush->session || !concerns(flush, instance))
            continue;
        takes_part = true;
        if (!instance->source->no_flush)
            ids[n++] = instance->id;
    }
    if (n == 0 && !(takes_part && scrapes_itself(producer)))
        return;
    flush->asked[flush->n_asked++] = (struct tw_flush_producer){.id = producer->id};
    tw_producer_send_flush(producer, flush->id, flags, ids, n);
}

static struct tw_flush *new_flush(struct tw_session *session)
{
    struct tw_flush *flush = calloc(1, sizeof(*flush));

    if (!flush)
        return NULL;
    flush->asked = reallocarray(NULL, session->service->n_producers + 1, sizeof(*flush->asked));
    if (!flush->asked) {
        free(flush);
        return NULL;
    }
    flush->session = session;
    flush->timeout.fn = on_timeout;
    flush->id = ++session->service->last_flush_id;
    TAILQ_INSERT_TAIL(&session->flushes, flush, next);
    session->n_flushes++;
    session->flushes_requested++;
    return flush;
}

static uint32_t timeout_of(const struct tw_session *session, uint32_t asked_ms)
{
    const Tw__TraceConfig *c = session->config;

    if (asked_ms)
        return asked_ms;
    return c->has_flush_timeout_ms && c->flush_timeout_ms ? c->flush_timeout_ms
                                                          : TW_FLUSH_TIMEOUT_MS;
}

/* NULL when there can be no flush now. It completes from a timer at the earliest, so that the
 * caller may still set what it is for. */
static struct tw_flush *begin_for(struct tw_session *session, struct tw_flush what,
                                  uint32_t timeout_ms, uint64_t flags)
{
    REQ("TW-LIM-018");
    uint64_t *ids = reallocarray(NULL, session->n_instances + 1, sizeof(*ids));
    struct tw_flush *flush = NULL;
    struct tw_producer *producer;

    if (ids && session->state == TW_SESSION_STARTED && session->n_flushes < TW_FLUSHES_MAX)
        flush = new_flush(session);
    if (flush) {
        flush->clone = what.clone;
        flush->taken_away = what.taken_away;
        flush->last = (flags & REASON_MASK) == REASON_STOP || (flags & REASON_MASK) == REASON_CLONE;
        tw_events_forget_kind(session, TW_LIFECYCLE_SLOW_FLUSH); /* of the last one, it says */
        tw_event(session, TW_LIFECYCLE_FLUSH_STARTED);
        TAILQ_FOREACH (producer, &session->service->producers, next)
            ask(flush, producer, flags, ids);
        qsort(flush->asked, flush->n_asked, sizeof(*flush->asked), by_id);
        flush->n_waiting = flush->n_asked;
        tw_service_arm(session->service, &flush->timeout,
                       flush->n_waiting ? timeout_of(session, timeout_ms) : 0);
    }
    free(ids);
    return flush;
}

static struct tw_flush *begin(struct tw_session *session, uint32_t timeout_ms, uint64_t flags)
{
    return begin_for(session, (struct tw_flush){.clone = NULL}, timeout_ms, flags);
}

int tw_flush_for_clone(struct tw_clone *clone, bool taken_away, uint64_t flags)
{
    struct tw_flush what = {.clone = clone, .taken_away = taken_away};

    return begin_for(clone->session, what, 0, flags) ? 0 : TW_E_REFUSED;
}

void tw_flushes_forget_clone(struct tw_clone *clone)
{
    struct tw_flush *flush;

    TAILQ_FOREACH (flush, &clone->session->flushes, next)
        if (flush->clone == clone)
            flush->clone = NULL;
}

void tw_flush_for_consumer(struct tw_session *session, uint32_t timeout_ms, uint64_t flags,
                           struct tw_later reply)
{
    struct tw_flush *flush = begin(session, timeout_ms, flags);

    if (flush)
        flush->reply = reply;
    else
        answer(session, reply,
               session->state == TW_SESSION_STARTED
                   ? "TW-LIM-018: too many flushes, or no memory for one more"
                   : "TW-CONS-005: the session has not started, or has ended");
}

void tw_flush_periodic(struct tw_session *session)
{
    (void)begin(session, 0, FLUSH_BY_SERVICE_PERIODIC);
}

void tw_flush_and_write(struct tw_session *session)
{
    struct tw_flush *flush = begin(session, 0, FLUSH_BY_SERVICE_PERIODIC);

    if (flush)
        flush->write_after = true;
    else
        tw_file_writer_pass(session);
}

void tw_flush_and_stop(struct tw_session *session)
{
    struct tw_flush *flush = begin(session, 0, FLUSH_BY_SERVICE_STOP);

    if (flush)
        flush->stop_after = true;
    else
        tw_session_run_out(session);
}

/* Whether it waited for this one. */
static bool take_answer(struct tw_flush *flush, uint16_t producer_id)
{
    struct tw_flush_producer *asked = find_asked(flush, producer_id);

    if (!asked || asked->answered)
        return false;
    asked->answered = true;
    flush->n_waiting--;
    return true;
}

static void acknowledged(struct tw_session *session, uint16_t producer_id, uint64_t flush_id)
{
    struct tw_flush *flush;

    TAILQ_FOREACH (flush, &session->flushes, next) {
        if (flush->id > flush_id)
            return;
        if (take_answer(flush, producer_id) && flush->n_waiting == 0 && !flush->scrape)
            tw_service_arm(session->service, &flush->timeout, 0);
    }
}

void tw_flush_acknowledged(struct tw_service *service, uint16_t producer_id, uint64_t flush_id)
{
    struct tw_session *session;

    TAILQ_FOREACH (session, &service->sessions, next)
        acknowledged(session, producer_id, flush_id);
}

void tw_flushes_refuse(struct tw_session *session)
{
    struct tw_flush *flush;

    TAILQ_FOREACH (flush, &session->flushes, next) {
        answer(session, flush->reply, "TW-CONS-013: the session has left this connection");
        flush->reply.wanted = false;
    }
}

void tw_flushes_free(struct tw_session *session)
{
    struct tw_flush *flush;

    while ((flush = TAILQ_FIRST(&session->flushes)))
        free_flush(flush);
}
