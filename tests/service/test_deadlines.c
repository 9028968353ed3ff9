/* SPDX-License-Identifier: Apache-2.0 */
/* Peers that are slow, silent or half gone: what they owe, and when they are dropped for it. Time
 * is the rig's. */
#include <string.h>

#include "service/core.h"
#include "tests/harness.h"
#include "tests/service/rig.h"

enum { DAY_MS = 86400000 };

/* Not a moment before its time; then for this rule. */
static void dropped_in_time(struct rig_peer *peer, uint64_t ms)
{
    rig_advance(peer->rig, ms - 1);
    assert_non_null(peer->conn);
    rig_advance(peer->rig, 1);
    assert_null(peer->conn);
    assert_memory_equal(peer->why, "TW-LIM-068", 10);
}

static void who_never_binds_is_dropped(void **state)
{
    struct rig rig;

    REQ("TW-LIM-068");
    (void)state;
    rig_init(&rig);
    dropped_in_time(rig_connect_silent(&rig, TW_SERVICE_PRODUCER, RIG_UID), TW_PATIENCE_MS);
    dropped_in_time(rig_connect_silent(&rig, TW_SERVICE_CONSUMER, RIG_UID), TW_PATIENCE_MS);
    assert_int_equal(tw_service_next_tick_ns(rig.service), UINT64_MAX);
    rig_free(&rig);
}

/* Calls that are refused and binds of another port say nothing about who it is. */
static void who_speaks_but_does_not_say_who_it_is_is_dropped(void **state)
{
    struct rig rig;
    struct rig_peer *producer;

    REQ("TW-LIM-068");
    (void)state;
    rig_init(&rig);
    producer = rig_connect(&rig, TW_SERVICE_PRODUCER);
    for (int i = 0; i < 29; i++) {
        rig_advance(&rig, 1000);
        assert_false(rig_call(producer, TW_PRODUCER_SYNC, NULL)->success);
    }
    dropped_in_time(producer, 1000);
    rig_free(&rig);
}

static void who_owes_nothing_may_be_silent(void **state)
{
    struct rig rig;
    struct rig_peer *producer, *consumer;

    REQ("TW-LIM-068");
    (void)state;
    rig_init(&rig);
    producer = rig_producer(&rig, "p");
    consumer = rig_consumer(&rig);
    assert_int_equal(tw_service_next_tick_ns(rig.service), UINT64_MAX); /* and wakes nobody */
    rig_advance(&rig, DAY_MS);
    assert_true(rig_call(producer, TW_PRODUCER_SYNC, NULL)->success);
    assert_true(rig_call(consumer, TW_CONSUMER_QUERY_CAPABILITIES, NULL)->success);
    rig_free(&rig);
}

/* Bytes of a Sync call that arrive as if by a slow line, one each ms. */
static void trickle(struct rig_peer *peer, size_t n, uint64_t ms)
{
    static const uint8_t frame[] = {8, 0, 0, 0, 0x10, 99, 0x2a, 4, 8, 1, 0x10, 10};

    for (size_t i = 0; i < n && peer->conn; i++) {
        uint8_t *p;
        size_t room;

        tw_service_space(peer->conn, &p, &room);
        *p = frame[i % sizeof(frame)];
        tw_service_received(peer->conn, 1, NULL, 0);
        rig_pump(peer->rig);
        if (i + 1 < n)
            rig_advance(peer->rig, ms);
    }
}

static void half_a_frame_is_waited_for_once(void **state)
{
    struct rig rig;
    struct rig_peer *producer, *other;

    REQ("TW-LIM-068");
    (void)state;
    rig_init(&rig);
    producer = rig_producer(&rig, "p");
    other = rig_producer(&rig, "other");
    trickle(producer, 1, 0);
    dropped_in_time(producer, TW_PATIENCE_MS);
    producer = rig_producer(&rig, "p");
    trickle(producer, 11, TW_PATIENCE_MS / 20); /* a byte now and then is not enough */
    dropped_in_time(producer, TW_PATIENCE_MS / 2);
    assert_true(rig_call(other, TW_PRODUCER_SYNC, NULL)->success);
    rig_free(&rig);
}

/* Each frame has its own time, so that a slow line can go on for ever. */
static void a_slow_line_is_no_offence(void **state)
{
    struct rig rig;
    struct rig_peer *producer;

    REQ("TW-LIM-068");
    (void)state;
    rig_init(&rig);
    producer = rig_producer(&rig, "p");
    trickle(producer, 120, TW_PATIENCE_MS / 12);
    assert_non_null(producer->conn);
    assert_int_equal(tw_service_next_tick_ns(rig.service), UINT64_MAX);
    rig_free(&rig);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        tw_unit_test(who_never_binds_is_dropped),
        tw_unit_test(who_speaks_but_does_not_say_who_it_is_is_dropped),
        tw_unit_test(who_owes_nothing_may_be_silent),
        tw_unit_test(half_a_frame_is_waited_for_once),
        tw_unit_test(a_slow_line_is_no_offence),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
