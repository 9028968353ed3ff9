/* SPDX-License-Identifier: Apache-2.0 */
/* What a producer offers: registered, changed and taken back, with and without a service. */
#include <stdio.h>

#include "producer/endpoint.h"
#include "tests/producer/world.h"

/* DataSourceDescriptor: field 8 with two bytes. */
static const uint8_t more_bytes[] = "\x42\x02\x08\x01";
static const struct tw_bytes more = {more_bytes, sizeof(more_bytes) - 1};

static size_t count(const struct world *w, uint32_t method)
{
    size_t n = 0;

    for (size_t i = 0; i < w->n_calls; i++)
        n += w->calls[i] == method;
    return n;
}

/* Of the last call of this method. */
static size_t place(const struct world *w, uint32_t method)
{
    for (size_t i = w->n_calls; i > 0; i--)
        if (w->calls[i - 1] == method)
            return i;
    fail();
    return 0;
}

/* Nothing more is said for a while. */
static void some_steps(struct world *w)
{
    for (int i = 0; i < 5; i++)
        world_step(w, 1);
}

static void what_is_taken_back_is_stopped_and_written_first(void **state)
{
    REQ("TW-PROD-061");
    struct tw_producer_stats stats;
    struct tw_trace_writer *writer;
    struct world w;

    (void)state;
    world_init(&w);
    world_bring_up(&w);
    world_start_instance(&w, 5);
    assert_int_equal(tw_writer_new(&writer, w.instance, TW_EXHAUSTED_DROP), 0);
    tw_writer_begin(writer);
    assert_int_equal(tw_writer_end(writer), 0);
    w.stop_later = true;
    assert_int_equal(tw_producer_unregister(w.producer, "tw.test"), 0);
    assert_int_equal(tw_producer_unregister(w.producer, "tw.test"), TW_E_NOT_FOUND);
    assert_int_equal(w.stops, 1);
    assert_false(tw_instance_active(w.instance));
    tw_writer_flush(writer);
    UNTIL(&w, world_has_call(&w, TW_PRODUCER_UNREGISTER_DATA_SOURCE));
    assert_int_equal(w.moves, 1);
    assert_true(place(&w, TW_PRODUCER_COMMIT_DATA) < place(&w, TW_PRODUCER_UNREGISTER_DATA_SOURCE));

    /* The service may not know yet: commands for the instance and the name still come. */
    world_command(&w, 5, 5, 33, world_no_bytes, -1);
    world_command(&w, 7, 5, 0, world_no_bytes, -1);
    world_command(&w, 2, 5, 0, world_no_bytes, -1);
    world_command(&w, 6, 6, 0, world_config, -1);
    UNTIL(&w, w.flush_done == 33);
    some_steps(&w);
    tw_writer_begin(writer); /* nor is the writer in a hurry */
    assert_int_equal(tw_writer_end(writer), 0);
    tw_writer_free(writer);
    tw_instance_done(w.instance);
    UNTIL(&w, world_has_call(&w, TW_PRODUCER_NOTIFY_DATA_SOURCE_STOPPED));
    assert_int_equal(w.moves, 2);
    assert_int_equal(w.flushes + w.clears, 0);
    assert_int_equal(w.setups, 1);
    tw_producer_stats(w.producer, &stats);
    assert_int_equal(stats.bad_commands, 1);
    world_deinit(&w);
    assert_int_equal(w.stops, 1);
}

static void a_name_that_was_taken_back_is_free(void **state)
{
    struct tw_data_source_config again = {.name = "tw.test"};
    struct world w;

    (void)state;
    world_init(&w);
    world_bring_up(&w);
    assert_int_equal(tw_producer_unregister(w.producer, "tw.test"), 0);
    assert_int_equal(tw_producer_register(w.producer, &again), 0);
    UNTIL(&w, count(&w, TW_PRODUCER_REGISTER_DATA_SOURCE) == 2);
    assert_true(place(&w, TW_PRODUCER_UNREGISTER_DATA_SOURCE) <
                place(&w, TW_PRODUCER_REGISTER_DATA_SOURCE));
    world_deinit(&w);
}

static void what_the_next_service_hears_is_what_there_is(void **state)
{
    REQ("TW-PROD-060");
    struct tw_data_source_config other = {.name = "other"};
    struct world w;

    (void)state;
    world_init(&w);
    world_bring_up(&w);
    assert_int_equal(tw_producer_register(w.producer, &other), 0);
    UNTIL(&w, count(&w, TW_PRODUCER_REGISTER_DATA_SOURCE) == 2);
    assert_int_equal(tw_producer_update(w.producer, "other", more), 0);
    assert_int_equal(tw_producer_unregister(w.producer, "tw.test"), 0);
    world_hang_up(&w); /* before it has heard of that */
    UNTIL(&w, !tw_producer_connected(w.producer));
    world_bring_up(&w);
    some_steps(&w);
    assert_int_equal(w.n_calls, 3);
    assert_int_equal(count(&w, TW_PRODUCER_REGISTER_DATA_SOURCE), 1);
    assert_int_equal(w.source_extra, 2);
    world_deinit(&w);
}

static void without_a_service_nothing_is_kept_of_what_is_taken_back(void **state)
{
    struct tw_data_source_config other = {.name = "other"};
    struct world w;

    (void)state;
    world_prepare(&w);
    world_open(&w);
    for (int i = 0; i < 2 * TW_PRODUCER_SOURCES_MAX; i++) {
        assert_int_equal(tw_producer_register(w.producer, &other), 0);
        assert_int_equal(tw_producer_unregister(w.producer, "other"), 0);
    }
    assert_int_equal(tw_producer_unregister(w.producer, "tw.test"), 0);
    world_listen(&w);
    UNTIL(&w, w.async_id);
    some_steps(&w);
    assert_int_equal(w.n_calls, 2);
    world_deinit(&w);
}

static void an_update_has_the_name_and_the_id_of_the_registration(void **state)
{
    REQ("TW-PROD-062");
    static uint8_t huge[128 * 1024];
    struct world w;
    uint64_t id;

    (void)state;
    world_init(&w);
    world_bring_up(&w);
    world_start_instance(&w, 5);
    id = w.source_id;
    assert_true(id != 0);
    assert_int_equal(w.source_extra, 0);
    assert_int_equal(tw_producer_update(w.producer, "tw.test", more), 0);
    UNTIL(&w, world_has_call(&w, TW_PRODUCER_UPDATE_DATA_SOURCE));
    assert_true(w.source_id == id);
    assert_int_equal(w.source_extra, 2);
    assert_true(tw_instance_active(w.instance));
    assert_int_equal(tw_producer_update(w.producer, "other", more), TW_E_NOT_FOUND);
    assert_int_equal(
        tw_producer_update(w.producer, "tw.test", (struct tw_bytes){huge, sizeof(huge)}),
        TW_E_LIMIT);
    world_deinit(&w);
}

static void an_update_before_the_registration_is_part_of_it(void **state)
{
    struct world w;

    (void)state;
    world_init(&w);
    assert_int_equal(tw_producer_update(w.producer, "tw.test", more), 0);
    world_bring_up(&w);
    some_steps(&w);
    assert_int_equal(w.source_extra, 2);
    assert_int_equal(w.n_calls, 3);
    world_deinit(&w);
}

/* More than may be queued for the socket. */
static void many_large_descriptions_go_out_one_after_another(void **state)
{
    static uint8_t filler[100 * 1024];
    char name[16];
    struct tw_data_source_config source = {.name = name, .descriptor = {filler, sizeof(filler)}};
    struct world w;

    (void)state;
    world_prepare(&w);
    world_open(&w);
    for (int i = 0; i < 20; i++) {
        snprintf(name, sizeof(name), "source %d", i);
        assert_int_equal(tw_producer_register(w.producer, &source), 0);
    }
    world_listen(&w);
    UNTIL(&w, count(&w, TW_PRODUCER_REGISTER_DATA_SOURCE) == 21);
    world_deinit(&w);
}

/* ---- from within its own callbacks ---- */

static void take_back(void *user, struct tw_instance *instance)
{
    struct world *w = user;

    assert_int_equal(tw_producer_unregister(w->producer, "tw.self"), 0);
    assert_false(tw_instance_active(instance));
    w->starts++;
}

static void take_back_again(void *user, struct tw_instance *instance)
{
    struct world *w = user;

    assert_int_equal(tw_producer_unregister(w->producer, "tw.self"), TW_E_NOT_FOUND);
    tw_instance_done(instance);
    /* A writer of this thread that waits for room does so; the instance is still the callback's. */
    instance->arbiter->commit_now(instance->arbiter->user);
    assert_int_equal(w->producer->n_instances, 1);
    w->stops++;
}

static void a_data_source_may_take_itself_back(void **state)
{
    static const uint8_t bytes[] = "\x0a\x07tw.self";
    const struct tw_bytes config = {bytes, sizeof(bytes) - 1};
    struct tw_data_source_config self = {.name = "tw.self"};
    struct world w;

    (void)state;
    for (int in_setup = 0; in_setup < 2; in_setup++) {
        self.ops = (struct tw_data_source_ops){.stop = take_back_again};
        *(in_setup ? &self.ops.setup : &self.ops.start) = take_back;
        world_init(&w);
        self.user = &w;
        assert_int_equal(tw_producer_register(w.producer, &self), 0);
        UNTIL(&w, count(&w, TW_PRODUCER_REGISTER_DATA_SOURCE) == 2);
        world_send_memory(&w, 4);
        world_command(&w, 6, 9, 0, config, -1);
        world_command(&w, 1, 9, 0, config, -1);
        UNTIL(&w, world_has_call(&w, TW_PRODUCER_UNREGISTER_DATA_SOURCE) &&
                      world_has_call(&w, TW_PRODUCER_NOTIFY_DATA_SOURCE_STOPPED));
        assert_int_equal(w.starts, 1);
        assert_int_equal(w.stops, 1);
        world_deinit(&w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        tw_unit_test(what_is_taken_back_is_stopped_and_written_first),
        tw_unit_test(a_name_that_was_taken_back_is_free),
        tw_unit_test(what_the_next_service_hears_is_what_there_is),
        tw_unit_test(without_a_service_nothing_is_kept_of_what_is_taken_back),
        tw_unit_test(an_update_has_the_name_and_the_id_of_the_registration),
        tw_unit_test(an_update_before_the_registration_is_part_of_it),
        tw_unit_test(many_large_descriptions_go_out_one_after_another),
        tw_unit_test(a_data_source_may_take_itself_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
