/* SPDX-License-Identifier: Apache-2.0 */
/* Which sequences a trace buffer knows, and which ids of theirs it takes. */
#include "tests/service/tb_helpers.h"

enum {
    FIRST = TW_CHUNK_FIRST_CONTINUES,
    LAST = TW_CHUNK_LAST_CONTINUES,
    START = TW_LOSS_PRESENT, /* on the first packet of every sequence */
    ROOMY = 65536,           /* bytes: nothing gets old in it by a few small chunks */
};

static void another_writer_with_the_same_id_is_another_sequence(void **state)
{
    REQ("TW-BUF-003");
    struct tw_trace_buffer *tb = tb_new(ROOMY, TW_FILL_RING);
    struct tb_chunk chunk;

    (void)state;
    assert_int_equal(tb_put(tb, 0, 0, "first 0"), 0);
    assert_int_equal(tb_put(tb, 1, LAST, "first 1"), 0);
    tb_begin(&chunk, 0, FIRST);
    chunk.in.seq.life = 1;
    tb_add(&chunk, "no end of the first's");
    tb_add(&chunk, "second 0");
    assert_int_equal(tb_write(tb, &chunk), 0);
    tw_trace_buffer_begin_read(tb, true);
    tb_expect(tb, "first 0", START);
    tb_expect(tb, "second 0", START | TW_LOSS_ORPHAN_CONTINUATION);
    tb_expect_none(tb);
    tw_trace_buffer_free(tb);
}

static void forgets_empty_writers_before_it_refuses_new_ones(void **state)
{
    REQ("TW-BUF-005");
    REQ("TW-LIM-132");
    struct tw_trace_buffer *tb = tb_new(ROOMY * 4, TW_FILL_RING);
    struct tb_chunk chunk;

    (void)state;
    for (uint16_t id = 1; id <= 1024; id++) {
        tb_begin(&chunk, 0, 0);
        chunk.in.seq.writer_id = id;
        tb_add(&chunk, "x");
        assert_int_equal(tb_write(tb, &chunk), 0);
    }
    chunk.in.seq.writer_id = 2000;
    assert_int_equal(tb_write(tb, &chunk), TW_E_LIMIT);
    assert_int_equal(tw_trace_buffer_stats(tb)->chunks_discarded, 1);
    tw_trace_buffer_begin_read(tb, false);
    tb_expect(tb, "x", START);
    assert_int_equal(tb_write(tb, &chunk), 0);
    tw_trace_buffer_free(tb);
}

static void a_large_buffer_knows_more_writers(void **state)
{
    REQ("TW-LIM-133");
    static const struct {
        uint64_t size;
        uint32_t writers;
    } cases[] = {{UINT64_C(4) << 20, 2048}, {UINT64_C(256) << 20, 65536}};
    struct tw_trace_buffer *tb;
    struct tb_chunk chunk;

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        tb = tb_new(cases[i].size, TW_FILL_RING);
        tb_begin(&chunk, 0, 0);
        for (uint32_t n = 0; n < cases[i].writers; n++, chunk.in.seq.producer++)
            assert_int_equal(tb_write(tb, &chunk), 0);
        assert_int_equal(tb_write(tb, &chunk), TW_E_LIMIT);
        tw_trace_buffer_free(tb);
    }
}

static void ids_are_taken_half_of_them_ahead(void **state)
{
    REQ("TW-BUF-004");
    struct tw_trace_buffer *tb = tb_new(ROOMY, TW_FILL_RING);
    const uint32_t quarter = UINT32_C(1) << 30;

    (void)state;
    assert_int_equal(tb_put(tb, 0, 0, "first"), 0);
    assert_int_equal(tb_put(tb, UINT32_C(0) - quarter, 0, "too far back"), TW_E_EXISTS);
    assert_int_equal(tb_put(tb, UINT32_C(0) - quarter + 1, 0, "before"), 0);
    assert_int_equal(tb_put(tb, quarter, 0, "too far ahead"), TW_E_EXISTS);
    assert_int_equal(tb_put(tb, quarter - 1, 0, "after"), 0);
    assert_int_equal(tw_trace_buffer_stats(tb)->chunks_discarded, 2);
    tw_trace_buffer_begin_read(tb, true);
    tb_expect(tb, "before", START);
    tb_expect(tb, "first", START | TW_LOSS_READ_GAP);
    assert_int_equal(tb_put(tb, UINT32_MAX, 0, "late"), TW_E_EXISTS);
    assert_int_equal(tb_put(tb, INT32_MAX, 0, "just in reach"), 0);
    assert_int_equal(tb_put(tb, UINT32_C(1) << 31, 0, "out of reach"), TW_E_EXISTS);
    tb_expect(tb, "after", START | TW_LOSS_READ_GAP);
    tw_trace_buffer_free(tb);
}

static int put_as(struct tw_trace_buffer *tb, uint16_t writer_id, uint32_t id, const char *text)
{
    struct tb_chunk chunk;

    tb_begin(&chunk, id, 0);
    chunk.in.seq.writer_id = writer_id;
    tb_add(&chunk, text);
    return tb_write(tb, &chunk);
}

static void goes_from_sequence_to_sequence(void **state)
{
    REQ("TW-BUF-070");
    struct tw_trace_buffer *tb = tb_new(ROOMY, TW_FILL_RING);

    (void)state;
    assert_int_equal(put_as(tb, 2, 0, "2.0"), 0);
    assert_int_equal(put_as(tb, 1, 0, "1.0"), 0);
    assert_int_equal(put_as(tb, 2, 1, "2.1"), 0);
    tw_trace_buffer_begin_read(tb, false);
    tb_expect(tb, "2.0", START);
    assert_int_equal(put_as(tb, 3, 0, "3.0"), 0);
    tb_expect(tb, "2.1", 0);
    tb_expect(tb, "1.0", START);
    assert_int_equal(put_as(tb, 2, 2, "2.2"), 0);
    tb_expect(tb, "3.0", START);
    tb_expect(tb, "2.2", 0); /* it had none, and has come to have one last */
    tb_expect_none(tb);
    tw_trace_buffer_free(tb);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        tw_unit_test(another_writer_with_the_same_id_is_another_sequence),
        tw_unit_test(forgets_empty_writers_before_it_refuses_new_ones),
        tw_unit_test(a_large_buffer_knows_more_writers),
        tw_unit_test(ids_are_taken_half_of_them_ahead),
        tw_unit_test(goes_from_sequence_to_sequence),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
