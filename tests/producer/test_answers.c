/* SPDX-License-Identifier: Apache-2.0 */
/* What the program waits for is told, whatever the service answers. */
#include <string.h>

#include "producer/endpoint.h"
#include "tests/producer/world.h"

struct told {
    int times, result;
    char text[200];
};

static void on_synced(void *user, int result)
{
    struct told *told = user;

    told->times++;
    told->result = result;
}

static void on_refused(void *user, struct tw_bytes why)
{
    struct told *told = user;

    told->times++;
    assert_true(why.n < sizeof(told->text));
    memcpy(told->text, why.p ? why.p : (const void *)"", why.n);
    told->text[why.n] = '\0';
}

static void a_registration_that_is_refused_is_told(void **state)
{
    REQ("TW-PROD-075");
    struct told told = {0};
    struct tw_data_source_config source = {
        .name = "tw.other", .ops = {.refused = on_refused}, .user = &told};
    struct world w;

    (void)state;
    world_init(&w);
    world_bring_up(&w);
    w.refused = TW_PRODUCER_REGISTER_DATA_SOURCE;
    assert_int_equal(tw_producer_register(w.producer, &source), 0);
    UNTIL(&w, told.times == 1);
    assert_string_equal(told.text, "");
    /* The next service is asked again, and says why. */
    w.refused = 0;
    w.error = "no room for it";
    world_hang_up(&w);
    UNTIL(&w, told.times == 2);
    assert_string_equal(told.text, "no room for it");
    assert_true(tw_producer_connected(w.producer));
    /* One that was taken back meanwhile is nobody's any more. */
    w.n_calls = 0;
    w.mute = true;
    assert_int_equal(tw_producer_unregister(w.producer, "tw.other"), 0);
    assert_int_equal(tw_producer_register(w.producer, &source), 0);
    UNTIL(&w, world_has_call(&w, TW_PRODUCER_REGISTER_DATA_SOURCE));
    assert_int_equal(tw_producer_unregister(w.producer, "tw.other"), 0);
    world_deinit(&w);
    assert_int_equal(told.times, 2);
}

static void syncs_are_answered_in_their_order(void **state)
{
    REQ("TW-PROD-076");
    struct told told[3] = {{0}};
    struct world w;

    (void)state;
    world_init(&w);
    assert_int_equal(tw_producer_sync(w.producer, on_synced, &told[0]), TW_E_CLOSED);
    world_bring_up(&w);
    w.n_calls = 0;
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(tw_producer_sync(w.producer, on_synced, &told[i]), 0);
    UNTIL(&w, told[0].times);
    UNTIL(&w, told[1].times);
    assert_int_equal(told[0].result, 0);
    w.refused = TW_PRODUCER_SYNC;
    assert_int_equal(tw_producer_sync(w.producer, on_synced, &told[2]), 0);
    UNTIL(&w, told[2].times);
    assert_int_equal(told[2].result, TW_E_REFUSED);
    world_deinit(&w);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(told[i].times, 1);
}

/* Written before it, so with the service before its answer. */
static void a_sync_comes_behind_what_was_written(void **state)
{
    REQ("TW-PROD-076");
    struct tw_trace_writer *writer;
    struct told told = {0};
    struct world w;

    (void)state;
    world_init(&w);
    world_bring_up(&w);
    world_start_instance(&w, 5);
    assert_int_equal(tw_writer_new(&writer, w.instance, TW_EXHAUSTED_DROP), 0);
    w.n_calls = 0;
    tw_writer_begin(writer);
    assert_int_equal(tw_writer_end(writer), 0);
    tw_writer_flush(writer);
    assert_int_equal(tw_producer_sync(w.producer, on_synced, &told), 0);
    UNTIL(&w, told.times);
    assert_int_equal(w.calls[w.n_calls - 1], TW_PRODUCER_SYNC);
    assert_int_equal(w.moves, 1);
    tw_writer_free(writer);
    world_deinit(&w);
}

static void every_sync_is_refused_when_the_connection_ends(void **state)
{
    REQ("TW-PROD-076");
    REQ("TW-LIM-208");
    struct told told = {0};
    struct world w;

    (void)state;
    for (int closed = 0; closed < 2; closed++) {
        told = (struct told){0};
        world_init(&w);
        world_bring_up(&w);
        w.mute = true;
        for (int i = 0; i < TW_PRODUCER_SYNCS_MAX; i++)
            assert_int_equal(tw_producer_sync(w.producer, on_synced, &told), 0);
        assert_int_equal(tw_producer_sync(w.producer, on_synced, &told), TW_E_LIMIT);
        w.n_calls = 0;
        if (!closed) {
            world_step(&w, 1);
            world_hang_up(&w);
            UNTIL(&w, told.times);
            assert_int_equal(told.times, TW_PRODUCER_SYNCS_MAX);
        }
        world_deinit(&w);
        assert_int_equal(told.times, TW_PRODUCER_SYNCS_MAX);
        assert_int_equal(told.result, TW_E_CLOSED);
    }
}

/* ---- what it asks for too early ---- */

static void a_flush_before_there_is_memory_is_answered(void **state)
{
    REQ("TW-PROD-079");

    (void)state;
    for (int emulation = 0; emulation < 2; emulation++) {
        struct world w;

        world_prepare(&w);
        world_listen(&w);
        w.emulation = emulation;
        w.config.scraping = TW_SCRAPING_ON;
        world_open(&w);
        world_bring_up(&w);
        world_command(&w, 5, 1, 7, world_no_bytes, -1);
        UNTIL(&w, w.flush_done == 7);
        world_deinit(&w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        tw_unit_test(a_registration_that_is_refused_is_told),
        tw_unit_test(syncs_are_answered_in_their_order),
        tw_unit_test(a_sync_comes_behind_what_was_written),
        tw_unit_test(every_sync_is_refused_when_the_connection_ends),
        tw_unit_test(a_flush_before_there_is_memory_is_answered),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
