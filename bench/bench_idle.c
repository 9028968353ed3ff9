/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the service costs while it has nothing to do: memory of a fresh one, and of each of a
 * thousand producers that are connected, registered and silent, and whether it ever wakes up. Ends
 * with status 1 when a bound is missed.
 */
#include <stdlib.h>
#include <time.h>

#include "bench/measure.h"
#include "bench/serve.h"
#include "producer_port.pb-c.h"

enum { PRODUCERS = 1000, WATCHED_S = 3 };

/* KiB */
#define PRIVATE_AT_MOST    256
#define RESIDENT_AT_MOST   3072
#define CONNECTION_AT_MOST 8.0

static bool bench_memory(const struct serve *s)
{
    long private = serve_figure(s, "smaps_rollup", "Anonymous");
    long resident = serve_figure(s, "smaps_rollup", "Rss");
    bool good =
        tw_bench_at_most("KiB of private anonymous memory, idle", (double)private, PRIVATE_AT_MOST);

    return tw_bench_at_most("KiB resident, idle", (double)resident, RESIDENT_AT_MOST) && good;
}

/* A producer as they usually are, without a session: it has a data source and waits for commands.
 * Shared memory comes with a session. */
static void settle(struct peer *peer, const struct serve *s)
{
    producer_open(peer, s);
    producer_register(peer);
    producer_listen(peer);
}

static bool bench_connections(const struct serve *s, struct peer producers[PRODUCERS])
{
    long before, after;

    settle(&producers[0], s); /* what the first one makes the service fetch is not its own */
    before = serve_figure(s, "smaps_rollup", "Anonymous");
    for (int i = 1; i < PRODUCERS; i++)
        settle(&producers[i], s);
    after = serve_figure(s, "smaps_rollup", "Anonymous");
    return tw_bench_at_most("KiB of private memory for each idle producer",
                            (double)(after - before) / (PRODUCERS - 1), CONNECTION_AT_MOST);
}

static long switches(const struct serve *s)
{
    return serve_figure(s, "status", "voluntary_ctxt_switches") +
           serve_figure(s, "status", "nonvoluntary_ctxt_switches");
}

/* Whoever wakes up gives the processor away again. The one time that is allowed is not in sight:
 * the timerfd, set for the patience with somebody new, goes off half a minute after the first. */
static bool bench_wakeups(const struct serve *s)
{
    const struct timespec watched = {.tv_sec = WATCHED_S};
    long before;

    serve_settle(s);
    before = switches(s);
    serve_must(!nanosleep(&watched, NULL), "was not left in peace");
    return tw_bench_at_most("wake-ups in three seconds", (double)(switches(s) - before), 0);
}

int main(int argc, char **argv)
{
    struct peer *producers = calloc(PRODUCERS, sizeof(*producers));
    struct serve s;
    bool good;

    serve_must(argc == 1 && producers, "usage: bench_idle");
    serve_many_descriptors(PRODUCERS);
    serve_start(&s, argv[0]);
    good = bench_memory(&s);
    good &= bench_connections(&s, producers);
    good &= bench_wakeups(&s);
    for (int i = 0; i < PRODUCERS; i++)
        peer_close(&producers[i]);
    serve_stop(&s);
    free(producers);
    return good ? 0 : 1;
}
