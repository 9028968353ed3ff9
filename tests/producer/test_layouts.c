/* SPDX-License-Identifier: Apache-2.0 */
/* Memory of every shape, as the service makes it. */
#include "base/macros.h"
#include "producer/endpoint.h"
#include "tests/harness.h"
#include "tests/producer/stage.h"

static void write_numbers(struct stage *s, uint32_t n, size_t bytes)
{
    struct tw_trace_writer *w;

    assert_int_equal(tw_writer_new(&w, s->instance, TW_EXHAUSTED_DROP), 0);
    for (uint32_t i = 0; i < n; i++) {
        assert_int_equal(stage_write(w, i, bytes), 0);
        stage_turn(s);
    }
    tw_writer_free(w);
    stage_turn(s);
    stage_assert_numbers(s, 0, n);
}

/* Packets that fit a chunk, fill it, and go on over several. */
static void every_layout_holds_every_packet(void **state)
{
    REQ("TW-PROD-078");
    REQ("TW-SHM-040");
    static const uint32_t chunks[] = {1, 2, 4, 7, 14}, pages[] = {4096, 32768};
    static const size_t bytes[] = {10, 280, 9000};

    (void)state;
    for (size_t i = 0; i < TW_ARRAY_LEN(chunks) * TW_ARRAY_LEN(pages); i++) {
        uint32_t page_size = pages[i % TW_ARRAY_LEN(pages)];
        uint32_t n = chunks[i / TW_ARRAY_LEN(pages)];
        struct stage s;

        for (size_t k = 0; k < TW_ARRAY_LEN(bytes); k++) {
            stage_init(&s);
            s.config.chunks_per_page = n;
            s.config.shm_page_size = page_size;
            stage_open(&s);
            stage_turn(&s);
            stage_trace(&s, 1024);
            assert_int_equal(s.producer->arbiter->smb.page_size, page_size);
            assert_int_equal(tw_layout_chunks((uint32_t)s.producer->arbiter->layout), n);
            write_numbers(&s, 12, bytes[k]);
            stage_end(&s);
        }
    }
}

/* The table of TW-SHM-035: what is asked for, and what is given. */
static void wishes_are_wishes(void **state)
{
    REQ("TW-PROD-078");
    enum { KIB = 1024, MIB = 1024 * KIB };
    static const struct tw_shm_sizes rows[][2] = {
        {{0, 0}, {256 * KIB, 4 * KIB}},
        {{1 * MIB, 0}, {1 * MIB, 4 * KIB}},
        {{0, 8 * KIB}, {256 * KIB, 8 * KIB}},
        {{64 * MIB, 64 * KIB}, {32 * MIB, 32 * KIB}},
        {{64 * KIB, 2 * KIB}, {256 * KIB, 4 * KIB}},
        {{128 * KIB, 12 * KIB}, {256 * KIB, 4 * KIB}},
    };

    (void)state;
    for (size_t i = 0; i < TW_ARRAY_LEN(rows); i++) {
        struct stage s;

        stage_init(&s);
        s.config.shm_size = rows[i][0].size;
        s.config.shm_page_size = rows[i][0].page_size;
        stage_open(&s);
        stage_turn(&s);
        stage_trace(&s, 1024);
        assert_int_equal(s.producer->arbiter->smb.size, rows[i][1].size);
        assert_int_equal(s.producer->arbiter->smb.page_size, rows[i][1].page_size);
        write_numbers(&s, 5, 5000);
        stage_end(&s);
    }
}

/* TW-SHM-036: a session may say otherwise. */
static void a_session_decides(void **state)
{
    REQ("TW-PROD-078");
    Tw__TraceConfig__ProducerConfig said = TW__TRACE_CONFIG__PRODUCER_CONFIG__INIT, *list = &said;
    char name[] = "test";
    Tw__TraceConfig *config;
    struct stage s;

    (void)state;
    stage_init(&s);
    s.config.shm_size = 1024 * 1024;
    s.config.chunks_per_page = 7;
    stage_open(&s);
    stage_turn(&s);
    said.producer_name = name;
    said.has_shm_size_kb = said.has_page_size_kb = true;
    said.shm_size_kb = 128;
    said.page_size_kb = 16;
    config = rig_config(&s.rig, "tw.test");
    config->n_producers = 1;
    config->producers = &list;
    (void)rig_enable(s.consumer, config);
    stage_turn(&s);
    assert_int_equal(s.producer->arbiter->smb.size, 128 * 1024);
    assert_int_equal(s.producer->arbiter->smb.page_size, 16 * 1024);
    write_numbers(&s, 5, 5000);
    stage_end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        tw_unit_test(every_layout_holds_every_packet),
        tw_unit_test(wishes_are_wishes),
        tw_unit_test(a_session_decides),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
