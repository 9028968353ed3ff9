/* SPDX-License-Identifier: Apache-2.0 */
/* A service that shares no memory with the producer: chunks go inside of CommitData. */
#include "tests/harness.h"
#include "tests/producer/stage.h"

static void write_packets(struct stage *s, uint32_t n_packets, size_t bytes)
{
    struct tw_trace_writer *w;

    assert_int_equal(tw_writer_new(&w, s->instance, TW_EXHAUSTED_DROP), 0);
    for (uint32_t n = 0; n < n_packets; n++) {
        assert_int_equal(stage_write(w, n, bytes), 0);
        if (n % 8 == 0)
            stage_turn(s);
    }
    tw_writer_free(w);
    stage_turn(s);
}

/* Of all sizes that packets and chunks can have. */
static void every_packet_comes_where_no_memory_is_shared(void **state)
{
    REQ("TW-PROD-070");
    REQ("TW-LIM-206");
    static const struct {
        uint32_t page_size, chunks;
        size_t bytes;
    } kinds[] = {{4096, 14, 20}, {4096, 1, 5000}, {32768, 1, 60000}, {8192, 7, 0}};

    (void)state;
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        struct stage s;

        stage_init(&s);
        s.remote = true;
        s.config.shm_page_size = kinds[i].page_size;
        s.config.chunks_per_page = kinds[i].chunks;
        stage_open(&s);
        stage_turn(&s);
        assert_true(tw_producer_connected(s.producer));
        stage_trace(&s, 16 * 1024);
        assert_int_equal(s.starts, 1);
        write_packets(&s, 130, kinds[i].bytes);
        stage_assert_numbers(&s, 0, 130);
        stage_end(&s);
    }
}

static size_t count_numbers(struct stage *s)
{
    struct rig_trace trace = rig_read(s->consumer);
    size_t n = 0;

    assert_true(trace.whole);
    while (rig_kind(&trace, TW__TRACE_PACKET__DATA_FOR_TESTING, n))
        n++;
    return n;
}

/* Chunks that a packet has left are patched here as long as they are here, else by the service. */
static void sizes_that_come_late_are_filled_in(void **state)
{
    REQ("TW-PROD-070");
    struct tw_trace_writer *w;
    struct rig_trace trace;
    char text[200];
    struct stage s;

    (void)state;
    for (size_t i = 0; i < sizeof(text); i++)
        text[i] = 'x';
    text[sizeof(text) - 1] = '\0';
    stage_begin(&s, true);
    stage_turn(&s);
    stage_trace(&s, 1024);
    assert_int_equal(tw_writer_new(&w, s.instance, TW_EXHAUSTED_DROP), 0);
    for (int sent = 0; sent < 2; sent++) {
        tw_writer_begin(w);
        tw_writer_nest(w, 900);
        for (int i = 0; i < 100; i++) {
            tw_writer_str(w, 1, text);
            if (sent)
                stage_turn(&s);
        }
        tw_writer_unnest(w);
        assert_int_equal(tw_writer_end(w), 0);
    }
    tw_writer_free(w);
    stage_turn(&s);
    trace = rig_read(s.consumer);
    assert_true(trace.whole);
    assert_int_equal(rig_find(&trace, text, NULL), 2);
    stage_end(&s);
}

/* The memory is full of what a service has not taken; nobody waits, and the loss is told. */
static void a_service_that_takes_nothing_costs_packets_that_are_counted(void **state)
{
    REQ("TW-PROD-070");
    REQ("TW-LIM-205");
    struct tw_writer_stats stats;
    struct tw_trace_writer *w;
    struct stage s;

    (void)state;
    stage_begin(&s, true);
    stage_turn(&s);
    stage_trace(&s, 1024);
    assert_int_equal(tw_writer_new(&w, s.instance, TW_EXHAUSTED_DROP), 0);
    for (uint32_t n = 0; n < 1000; n++) {
        int r = stage_write(w, n, 2000);

        assert_true(r == 0 || r == TW_E_LIMIT);
    }
    tw_writer_stats(w, &stats);
    assert_in_range(stats.packets, 500, 550); /* of 2,000 bytes in 1 MiB */
    assert_int_equal(stats.packets + stats.lost, 1000);
    stage_turn(&s);
    assert_int_equal(stage_write(w, 0, 0), 0);
    tw_writer_free(w);
    stage_turn(&s);
    stage_end(&s);
}

/* Nobody hands over the chunk that a writer has begun, and the service cannot look. */
static void a_flush_brings_what_is_finished(void **state)
{
    REQ("TW-PROD-079");
    struct tw_trace_writer *writers[3];
    struct stage s;

    (void)state;
    stage_init(&s);
    s.remote = true;
    s.config.scraping = TW_SCRAPING_ON;
    stage_open(&s);
    stage_turn(&s);
    stage_trace(&s, 1024);
    for (uint32_t i = 0; i < 3; i++) {
        assert_int_equal(tw_writer_new(&writers[i], s.instance, TW_EXHAUSTED_DROP), 0);
        assert_int_equal(stage_write(writers[i], i, 100), 0);
        assert_int_equal(stage_write(writers[i], i + 10, 100), 0);
    }
    stage_turn(&s);
    (void)rig_send(s.consumer, TW_CONSUMER_FLUSH, NULL);
    stage_turn(&s);
    assert_int_equal(count_numbers(&s), 3); /* but for the last that was begun */
    /* The chunks come again, and their packets once. */
    for (uint32_t i = 0; i < 3; i++) {
        assert_int_equal(stage_write(writers[i], i, 100), 0);
        tw_writer_free(writers[i]);
    }
    stage_turn(&s);
    assert_int_equal(count_numbers(&s), 6);
    stage_end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        tw_unit_test(every_packet_comes_where_no_memory_is_shared),
        tw_unit_test(sizes_that_come_late_are_filled_in),
        tw_unit_test(a_flush_brings_what_is_finished),
        tw_unit_test(a_service_that_takes_nothing_costs_packets_that_are_counted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
