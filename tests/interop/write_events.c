/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tw_write_events SOCKET: waits for a session, writes track events of every kind, and says in one
 * line who wrote them and when: pid, its thread, the other thread, and a moment of BOOTTIME. For
 * events.py, which knows what is written here.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/macros.h"
#include "tracewire/track_event.h"

enum { NET, GROUP, ANY, CATEGORIES };
enum { STEP_MS = 10, ABSENT_THREAD = 7 /* the tid of a thread that writes nothing itself */ };

static struct tw_category categories[CATEGORIES] = {
    [NET] = TW_CATEGORY("net", "What goes over the network", NULL),
    [GROUP] = TW_CATEGORY("net,disk", NULL, NULL),
    [ANY] = TW_CATEGORY_ANY,
};

static const struct tw_category *const net = &categories[NET];

static const struct tw_track process = TW_PROCESS, request = TW_TRACK("request", 1),
                             twin = TW_TRACK("request", 2), part = TW_TRACK_IN(&request, "part", 1),
                             absent = TW_THREAD(ABSENT_THREAD, "absent"),
                             sent = TW_COUNTER("sent", TW_UNIT_BYTES, NULL),
                             power = TW_COUNTER_IN(&request, "power", TW_UNIT_NONE, "V");

static struct tw_events *events;
static pid_t worker_tid;

static void check(bool good, const char *what)
{
    if (good)
        return;
    fprintf(stderr, "tw_write_events: %s\n", what);
    exit(EXIT_FAILURE);
}

static void write_slices(void)
{
    char name[] = "made here";

    TW_EVENT_BEGIN(net, "outer");
    TW_EVENT_BEGIN(net, "inner");
    TW_EVENT_INSTANT(&categories[GROUP], "moment");
    TW_EVENT_END(net);
    {
        TW_EVENT_SCOPE(net, "scope");
        TW_EVENT_INSTANT_WITH(net, NULL, tw_named(name));
    }
    TW_EVENT_INSTANT_WITH(&categories[ANY], "late", tw_in("found out"));
    TW_EVENT_INSTANT_WITH(&categories[ANY], "unwanted", tw_in("secret"));
    TW_EVENT_END(net);
}

static void write_arguments(void)
{
    const struct tw_extra list[] = {tw_arg_int(NULL, 1), tw_arg_str(NULL, "two")};
    const struct tw_extra dict[] = {tw_arg_bool("yes", true), tw_arg_array("list", list, 2)};

    for (int i = 0; i < 2; i++) /* the names are told, and then known */
        TW_EVENT_INSTANT_WITH(net, "arguments", tw_arg_bool("bool", false),
                              tw_arg_uint("uint", INT64_MAX), tw_arg_int("int", INT64_MIN),
                              tw_arg_double("double", -0.375), tw_arg_str("str", "a text"),
                              tw_arg_pointer("pointer", (void *)(uintptr_t)0xabc),
                              tw_arg_dict("dict", dict, 2));
}

static void write_tracks(uint64_t then)
{
    TW_EVENT_BEGIN_WITH(net, "whole", tw_on(&request), tw_at(TW_BOOTTIME, then + 1000));
    TW_EVENT_BEGIN_WITH(net, "piece", tw_on(&part), tw_at(TW_BOOTTIME, then + 2000));
    TW_EVENT_BEGIN_WITH(net, "other", tw_on(&twin), tw_at(TW_BOOTTIME, then + 2500));
    TW_EVENT_END_WITH(net, tw_on(&part), tw_at(TW_BOOTTIME, then + 3500));
    TW_EVENT_END_WITH(net, tw_on(&request), tw_at(TW_BOOTTIME, then + 5000));
    TW_EVENT_END_WITH(net, tw_on(&twin), tw_at(TW_BOOTTIME, then + 5500));
    TW_EVENT_INSTANT_WITH(net, "of all", tw_on(&process), tw_at(TW_BOOTTIME, then + 6000));
    TW_EVENT_INSTANT_WITH(net, "of another", tw_on(&absent), tw_at(TW_BOOTTIME, then + 7000));
}

static void write_counters(uint64_t then)
{
    TW_EVENT_COUNTER(net, "plain", 1);
    TW_EVENT_COUNTER(net, "plain", -2);
    TW_EVENT_COUNTER_REAL(net, "real", 0.125);
    TW_EVENT_COUNTER_WITH(net, tw_on(&sent), tw_count(4096), tw_at(TW_BOOTTIME, then + 8000));
    TW_EVENT_COUNTER_WITH(net, tw_on(&power), tw_real(1.5), tw_at(TW_BOOTTIME, then + 9000));
}

static void *work(void *unused)
{
    (void)unused;
    worker_tid = gettid();
    prctl(PR_SET_NAME, "tw-worker");
    TW_EVENT_INSTANT_WITH(net, "answers", tw_flow_end(7));
    TW_EVENT_INSTANT_WITH(net, "takes", tw_global_flow_end(8));
    return NULL;
}

static void write_flows(void)
{
    pthread_t worker;

    TW_EVENT_INSTANT_WITH(net, "asks", tw_flow(7));
    TW_EVENT_INSTANT_WITH(net, "gives", tw_global_flow(8));
    check(!pthread_create(&worker, NULL, work, NULL), "no thread");
    pthread_join(worker, NULL);
}

int main(int argc, char **argv)
{
    struct tw_producer_config config = {.socket = argv[argc - 1], .name = "tw_write_events"};
    struct tw_events_config wants = {.categories = categories, .n_categories = CATEGORIES};
    struct tw_producer *producer;
    struct tw_events_stats stats;
    uint64_t then;

    check(argc == 2, "usage: tw_write_events SOCKET");
    prctl(PR_SET_NAME, "tw-main");
    check(!tw_producer_open(&producer, &config) && !tw_events_new(&events, producer, &wants),
          "no producer");
    while (!TW_CATEGORY_ON(net))
        check(!tw_producer_dispatch(producer, STEP_MS), "no service");
    then = tw_clock_ns(CLOCK_BOOTTIME);
    write_slices();
    write_arguments();
    write_tracks(then);
    write_counters(then);
    write_flows();
    tw_events_flush(events);
    while (!tw_producer_idle(producer))
        check(!tw_producer_dispatch(producer, STEP_MS), "no service");
    tw_producer_close(producer);
    tw_events_stats(events, &stats);
    check(stats.lost == 0, "events were lost");
    tw_events_free(events);
    printf("%d %d %llu\n", getpid(), worker_tid, (unsigned long long)then);
    return 0;
}
