/* SPDX-License-Identifier: Apache-2.0 */
/* What the endpoint makes of the service's commands. */
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "tests/producer/world.h"

static void the_calls_come_in_upstreams_order(void **state)
{
    REQ("TW-PROD-001");
    struct world w;

    (void)state;
    world_init(&w);
    world_bring_up(&w);
    assert_int_equal(w.calls[0], TW_PRODUCER_INITIALIZE_CONNECTION);
    assert_int_equal(w.calls[1], TW_PRODUCER_GET_ASYNC_COMMAND);
    assert_int_equal(w.calls[2], TW_PRODUCER_REGISTER_DATA_SOURCE);
    world_deinit(&w);
}

static void an_instance_is_set_up_started_flushed_cleared_and_stopped(void **state)
{
    struct tw_trace_writer *writer;
    struct world w;

    (void)state;
    world_init(&w);
    world_bring_up(&w);
    world_start_instance(&w, 5);
    assert_int_equal(w.setups, 1);
    assert_int_equal(tw_instance_id(w.instance), 5);
    assert_int_equal(tw_instance_config_bytes(w.instance).n, world_config.n);

    assert_int_equal(tw_writer_new(&writer, w.instance, TW_EXHAUSTED_DEFAULT), 0);
    UNTIL(&w, world_has_call(&w, TW_PRODUCER_REGISTER_TRACE_WRITER));
    tw_writer_begin(writer);
    assert_int_equal(tw_writer_end(writer), 0);
    tw_writer_flush(writer);
    UNTIL(&w, w.moves == 1);

    world_command(&w, 5, 5, 33, world_no_bytes, -1);
    UNTIL(&w, w.flush_done == 33);
    assert_int_equal(w.flushes, 1);
    world_command(&w, 7, 5, 0, world_no_bytes, -1);
    UNTIL(&w, w.clears == 1);
    assert_int_equal(tw_instance_state_generation(w.instance), 1);

    w.stop_later = true;
    world_command(&w, 2, 5, 0, world_no_bytes, -1);
    UNTIL(&w, w.stops == 1);
    assert_false(world_has_call(&w, TW_PRODUCER_NOTIFY_DATA_SOURCE_STOPPED));
    tw_writer_begin(writer);
    assert_int_equal(tw_writer_end(writer), 0);
    tw_writer_free(writer);
    tw_instance_done(w.instance);
    tw_instance_done(w.instance);
    UNTIL(&w, world_has_call(&w, TW_PRODUCER_NOTIFY_DATA_SOURCE_STOPPED));
    /* What was written goes before the word that it is over. */
    assert_int_equal(w.moves, 2);
    assert_true(world_has_call(&w, TW_PRODUCER_UNREGISTER_TRACE_WRITER));
    assert_int_equal(w.calls[w.n_calls - 1], TW_PRODUCER_NOTIFY_DATA_SOURCE_STOPPED);
    UNTIL(&w, tw_producer_idle(w.producer));
    world_deinit(&w);
}

/* The service does not read for a while, so that there is no room when a writer hands over. */
static void what_waits_for_room_is_sent_when_there_is_some(void **state)
{
    static uint8_t filler[100 * 1024];
    char name[16];
    struct tw_data_source_config source = {.name = name, .descriptor = {filler, sizeof(filler)}};
    struct tw_trace_writer *writer;
    struct world w;

    (void)state;
    world_init(&w);
    world_bring_up(&w);
    world_start_instance(&w, 5);
    assert_int_equal(tw_writer_new(&writer, w.instance, TW_EXHAUSTED_DROP), 0);
    for (int i = 0; i < 8; i++) {
        snprintf(name, sizeof(name), "source %d", i);
        assert_int_equal(tw_producer_register(w.producer, &source), 0);
    }
    for (int i = 0; i < 3; i++) {
        tw_writer_begin(writer);
        assert_int_equal(tw_writer_end(writer), 0);
        tw_writer_flush(writer);
        for (int turn = 0; turn < 3; turn++)
            assert_int_equal(tw_producer_dispatch(w.producer, 0), 0);
    }
    assert_int_equal(w.moves, 0);
    UNTIL(&w, w.moves == 3);
    tw_writer_free(writer);
    world_deinit(&w);
}

static void after_a_disconnect_everything_is_registered_again(void **state)
{
    struct tw_trace_writer *writer;
    struct world w;

    (void)state;
    world_init(&w);
    world_bring_up(&w);
    world_start_instance(&w, 5);
    assert_int_equal(tw_writer_new(&writer, w.instance, TW_EXHAUSTED_STALL), 0);
    world_hang_up(&w);
    UNTIL(&w, w.stops == 1);
    tw_writer_begin(writer);
    assert_int_equal(tw_writer_end(writer), TW_E_CLOSED);
    world_bring_up(&w);
    world_start_instance(&w, 6);
    assert_int_equal(tw_instance_id(w.instance), 6);
    tw_writer_free(writer); /* of the connection before */
    world_deinit(&w);
    assert_int_equal(w.stops, 2);
}

static void commands_that_make_no_sense_are_counted_and_ignored(void **state)
{
    static const uint8_t broken[] = {0x0a, 0x7f, 0x01};
    struct tw_producer_stats stats;
    struct world w;

    (void)state;
    world_init(&w);
    world_bring_up(&w);
    world_command(&w, 6, 5, 0, world_config, -1); /* set up without memory */
    world_command(&w, 1, 5, 0, world_config, -1); /* start of what is not set up */
    world_command(&w, 2, 99, 0, world_no_bytes, -1);
    world_command(&w, 4, 1, 0, world_no_bytes, -1); /* a member that does not exist */
    world_reply(&w, w.async_id, (struct tw_bytes){broken, sizeof(broken)}, true, -1);
    world_reply(&w, w.async_id, world_no_bytes, true, -1);
    world_send_memory(&w, 4);
    world_command(&w, 6, 5, 0, world_config, -1);
    world_command(&w, 6, 5, 0, world_config, -1);   /* twice */
    world_command(&w, 3, 4, 0, world_no_bytes, -1); /* memory, twice */
    world_command(&w, 6, 6, 0, (struct tw_bytes){broken, sizeof(broken)}, -1);
    world_command(&w, 6, 7, 0, (struct tw_bytes){(const uint8_t *)"\x0a\x01x", 3}, -1);
    world_command(&w, 1, 5, 0, world_config, -1);
    UNTIL(&w, w.starts == 1);
    tw_producer_stats(w.producer, &stats);
    assert_int_equal(stats.bad_commands, 10);
    assert_int_equal(stats.connects, 1);
    assert_int_equal(w.setups, 1);
    world_deinit(&w);
}

static void a_program_registers_so_many_data_sources(void **state)
{
    char name[16];
    struct tw_data_source_config source = {.name = name};
    struct tw_producer_config c = {.socket = "@x", .name = "x"};
    struct tw_producer *p;

    REQ("TW-LIM-060");
    (void)state;
    assert_int_equal(tw_producer_open(&p, &c), 0);
    for (int i = 0; i <= TW_PRODUCER_SOURCES_MAX; i++) {
        snprintf(name, sizeof(name), "source %d", i);
        assert_int_equal(tw_producer_register(p, &source),
                         i < TW_PRODUCER_SOURCES_MAX ? 0 : TW_E_LIMIT);
    }
    tw_producer_close(p);
}

static void a_service_sets_up_so_many_instances(void **state)
{
    struct tw_producer_stats stats;
    struct world w;

    REQ("TW-LIM-061");
    (void)state;
    world_init(&w);
    world_bring_up(&w);
    world_send_memory(&w, 4);
    for (uint64_t id = 1; id <= TW_PRODUCER_INSTANCES_MAX + 2; id++)
        world_command(&w, 6, id, 0, world_config, -1);
    world_command(&w, 1, 1, 0, world_config, -1); /* the others are served */
    UNTIL(&w, w.starts == 1);
    assert_int_equal(w.setups, TW_PRODUCER_INSTANCES_MAX);
    tw_producer_stats(w.producer, &stats);
    assert_int_equal(stats.bad_commands, 2);
    world_deinit(&w);
}

static void memory_that_is_not_as_it_must_be_ends_the_connection(void **state)
{
    struct world w;
    int pair[2];

    (void)state;
    world_init(&w);
    for (int i = 0; i < 3; i++) {
        world_bring_up(&w);
        if (i == 0) {
            world_command(&w, 3, 4, 0, world_no_bytes, -1); /* no descriptor */
        } else if (i == 1) {
            assert_int_equal(pipe2(pair, O_CLOEXEC), 0);
            world_command(&w, 3, 4, 0, world_no_bytes, pair[0]);
            close(pair[1]);
        } else {
            world_send_memory(&w, 60); /* does not divide 64 KiB */
        }
        UNTIL(&w, w.conn < 0);
        assert_int_equal(w.setups, 0);
    }
    world_deinit(&w);
}

static void bad_configs_are_refused(void **state)
{
    struct tw_producer_config c = {.socket = "@x", .name = "x", .chunks_per_page = 3};
    struct tw_producer *p;

    (void)state;
    assert_int_equal(tw_producer_open(&p, &c), TW_E_INVALID);
    c.chunks_per_page = 15;
    assert_int_equal(tw_producer_open(&p, &c), TW_E_INVALID);
    c.chunks_per_page = 14;
    c.name = NULL;
    assert_int_equal(tw_producer_open(&p, &c), TW_E_INVALID);
    c.name = "x";
#if SIZE_MAX > UINT32_MAX
    c.shm_size = (size_t)UINT32_MAX + 1; /* the protocol says it in 32 bits */
    assert_int_equal(tw_producer_open(&p, &c), TW_E_INVALID);
#endif
    c.shm_size = 0;
    c.send_buffer = (size_t)INT_MAX + 1;
    assert_int_equal(tw_producer_open(&p, &c), TW_E_INVALID);
    c = (struct tw_producer_config){.socket = "@", .name = "x"};
    assert_int_equal(tw_producer_open(&p, &c), TW_E_INVALID);
    tw_producer_close(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        tw_unit_test(the_calls_come_in_upstreams_order),
        tw_unit_test(an_instance_is_set_up_started_flushed_cleared_and_stopped),
        tw_unit_test(what_waits_for_room_is_sent_when_there_is_some),
        tw_unit_test(after_a_disconnect_everything_is_registered_again),
        tw_unit_test(commands_that_make_no_sense_are_counted_and_ignored),
        tw_unit_test(a_program_registers_so_many_data_sources),
        tw_unit_test(a_service_sets_up_so_many_instances),
        tw_unit_test(memory_that_is_not_as_it_must_be_ends_the_connection),
        tw_unit_test(bad_configs_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
