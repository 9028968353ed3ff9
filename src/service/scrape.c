/* SPDX-License-Identifier: Apache-2.0 */
#include "service/scrape.h"

#include "base/req.h"
#include "service/commit.h"
#include "service/producer.h"
#include "service/session.h"
#include "service/session_buffers.h"

static void take(const struct tw_session *session, struct tw_producer *producer,
                 const struct tw_smb_scrape *found)
{
    uint16_t buffer_id = tw_producer_writer_buffer(producer, found->header.writer_id);
    struct tw_shared_bytes payload = {.p = found->chunk.payload, .n = found->chunk.payload_size};

    if (buffer_id && (!session || tw_session_has_buffer(session, buffer_id)))
        tw_commit_chunk(producer, buffer_id, &found->header, found->complete, payload);
}

/* A producer of other sessions has nothing for this one, and its memory may be large. */
static bool takes_part(const struct tw_session *session, const struct tw_producer *producer)
{
    if (!producer->scraping || producer->n_writers == 0)
        return false;
    for (size_t i = 0; session && i < session->n_buffers; i++)
        if (tw_producer_may_write(producer, session->buffer_ids[i]))
            return true;
    return !session;
}

/* The next pages of one producer. True when there are no more of them. */
static bool look(struct tw_scrape *scrape, struct tw_producer *producer, size_t *pages)
{
    struct tw_smb_walk walk = {.page = scrape->page};
    struct tw_smb_scrape found;
    size_t left = producer->smb.n_pages - scrape->page, n = tw_min(left, *pages);

    if (n == 0)
        return left == 0;
    walk.end = scrape->page + n;
    while (!tw_smb_walk_next(&producer->smb, &walk, &found))
        take(scrape->session, producer, &found);
    scrape->page += n;
    *pages -= n;
    return n == left;
}

/* Where a run goes on: at the producer it was at, or if that has gone at the one after it. */
static struct tw_producer *find(const struct tw_service *service, const struct tw_scrape *scrape)
{
    struct tw_producer *producer;

    TAILQ_FOREACH (producer, &service->producers, next)
        if (producer->serial >= scrape->serial)
            break;
    return producer;
}

static void begin(const struct tw_service *service, struct tw_scrape *scrape)
{
    scrape->begun = true;
    scrape->page = 0;
    scrape->serial = scrape->only;
    scrape->last = scrape->only ? scrape->only : service->producers_seen;
}

/* True when that was all. A producer costs as much as a page, whatever it has. */
static bool go_on(const struct tw_service *service, struct tw_scrape *scrape, size_t pages)
{
    REQ("TW-SHM-020");
    struct tw_producer *producer;

    if (!scrape->begun)
        begin(service, scrape);
    producer = find(service, scrape);
    for (; producer && producer->serial <= scrape->last; producer = TAILQ_NEXT(producer, next)) {
        if (scrape->serial != producer->serial)
            scrape->page = 0;
        scrape->serial = producer->serial;
        if (pages == 0 ||
            (takes_part(scrape->session, producer) && !look(scrape, producer, &pages)))
            return false;
        pages -= pages > 0;
    }
    return true;
}

static void enqueue(struct tw_service *service, struct tw_scrape *scrape)
{
    scrape->run++;
    scrape->queued = true;
    scrape->begun = scrape->again = false;
    TAILQ_INSERT_TAIL(&service->scrapes, scrape, next);
    tw_service_arm(service, &service->scrape_turn, 0);
}

/* The last thing that is done with it: whoever owns it may go then. */
static void finish(struct tw_service *service, struct tw_scrape *scrape)
{
    bool again = scrape->again;

    tw_scrape_cancel(service, scrape);
    if (again)
        enqueue(service, scrape);
    scrape->done(scrape);
}

/* The timer is always set, if only to never: so there is a place for it, and setting it does not
 * fail when memory is short. */
static void on_turn(struct tw_timer *timer)
{
    REQ("TW-LIM-161");
    struct tw_service *service = TW_CONTAINER_OF(timer, struct tw_service, scrape_turn);
    struct tw_scrape *scrape = TAILQ_FIRST(&service->scrapes);

    TW_IGNORE(tw_timer_set(service->timers, timer, TW_NEVER));
    if (scrape && go_on(service, scrape, TW_SCRAPE_PAGES_PER_TURN))
        finish(service, scrape);
    if (!TAILQ_EMPTY(&service->scrapes))
        tw_service_arm(service, timer, 0);
}

int tw_scrapes_prepare(struct tw_service *service)
{
    if (tw_timer_is_set(&service->scrape_turn))
        return 0;
    service->scrape_turn.fn = on_turn;
    return tw_timer_set(service->timers, &service->scrape_turn, TW_NEVER);
}

void tw_scrapes_end(struct tw_service *service)
{
    tw_timer_clear(service->timers, &service->scrape_turn);
}

uint64_t tw_scrape(struct tw_service *service, struct tw_scrape *scrape)
{
    if (scrape->queued && scrape->begun) {
        scrape->again = true;
        return scrape->run + 1;
    }
    if (!scrape->queued)
        enqueue(service, scrape);
    return scrape->run;
}

bool tw_scraped(const struct tw_scrape *scrape, uint64_t run)
{
    return run && run < scrape->run + !scrape->queued;
}

void tw_scrape_complete(struct tw_service *service, struct tw_scrape *scrape)
{
    if (!scrape->queued)
        return;
    scrape->begun = false;
    (void)go_on(service, scrape, SIZE_MAX);
    scrape->run += scrape->again; /* this one is as good as that */
    tw_scrape_cancel(service, scrape);
}

void tw_scrape_cancel(struct tw_service *service, struct tw_scrape *scrape)
{
    if (scrape->queued)
        TAILQ_REMOVE(&service->scrapes, scrape, next);
    scrape->queued = scrape->again = false;
}
