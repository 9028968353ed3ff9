/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Taking chunks that producers have not committed out of their shared memory (TW-SHM-020). One user
 * can have a gigabyte of it, so it is done a part a turn (TW-LIM-161), one scrape after another.
 * Between two turns anybody may come or go: a scrape remembers which producer it is at by its
 * serial number, and leaves the queue with whoever owns it.
 *
 * The chunks stay the producer's: it commits them later as if nothing had happened.
 */
#pragma once

#include "service/core.h"

/* Before anything is scraped; a second time is fine. -ENOMEM. */
TW_MUST_USE int tw_scrapes_prepare(struct tw_service *service);
void tw_scrapes_end(struct tw_service *service);

/* Asks for a run that begins after this, and returns its number: done is called when it has ended,
 * from the loop and never from here. */
uint64_t tw_scrape(struct tw_service *service, struct tw_scrape *scrape);
/* Whether that run has ended. 0 never does. */
bool tw_scraped(const struct tw_scrape *scrape, uint64_t run);
/* Does all that was asked for here and now, in however long it takes. done is not called. */
void tw_scrape_complete(struct tw_service *service, struct tw_scrape *scrape);
/* Whoever wanted it goes. */
void tw_scrape_cancel(struct tw_service *service, struct tw_scrape *scrape);
