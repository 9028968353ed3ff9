/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/harness.h"

#include <stdalign.h>
#include <string.h>

#include "base/arena.h"

static void every_piece_is_aligned_and_its_own(void **state)
{
    struct tw_arena a = TW_ARENA_INIT(1 << 20);
    uint8_t *pieces[300];

    (void)state;
    for (size_t i = 0; i < 300; i++) {
        pieces[i] = tw_arena_alloc(&a, i);
        assert_non_null(pieces[i]);
        assert_int_equal((uintptr_t)pieces[i] % alignof(max_align_t), 0);
        memset(pieces[i], (int)(i & 0xff), i);
    }
    for (size_t i = 0; i < 300; i++)
        for (size_t j = 0; j < i; j++)
            assert_int_equal(pieces[i][j], i & 0xff);
    tw_arena_deinit(&a);
}

static void the_cap_is_exact_and_refusal_changes_nothing(void **state)
{
    const size_t unit = alignof(max_align_t);
    struct tw_arena a = TW_ARENA_INIT(10 * unit);

    (void)state;
    for (size_t i = 0; i < 10; i++)
        assert_non_null(tw_arena_alloc(&a, unit));
    assert_int_equal(a.used, a.max);
    assert_null(tw_arena_alloc(&a, 1));
    assert_int_equal(a.used, a.max);
    assert_non_null(tw_arena_alloc(&a, 0));
    tw_arena_deinit(&a);
}

static void rounding_up_does_not_pass_the_cap(void **state)
{
    struct tw_arena a = TW_ARENA_INIT(alignof(max_align_t) + 1);

    (void)state;
    assert_null(tw_arena_alloc(&a, a.max));
    assert_non_null(tw_arena_alloc(&a, alignof(max_align_t)));
    assert_null(tw_arena_alloc(&a, 1));
    tw_arena_deinit(&a);
}

static void sizes_near_the_largest_are_refused(void **state)
{
    struct tw_arena a = TW_ARENA_INIT(4096);

    (void)state;
    for (size_t less = 0; less < 64; less++) {
        assert_null(tw_arena_alloc(&a, SIZE_MAX - less));
        assert_null(tw_arena_strndup(&a, NULL, SIZE_MAX - less));
    }
    assert_int_equal(a.used, 0);
    tw_arena_deinit(&a);
}

static void nothing_is_allocated_from_an_arena_of_zero(void **state)
{
    struct tw_arena a = TW_ARENA_INIT(0);

    (void)state;
    assert_null(tw_arena_alloc(&a, 1));
    tw_arena_deinit(&a);
}

static void reset_gives_the_whole_cap_again(void **state)
{
    struct tw_arena a = TW_ARENA_INIT(100000);

    (void)state;
    for (int round = 0; round < 50; round++) {
        size_t n = 0;

        while (tw_arena_alloc(&a, 1001))
            n++;
        assert_int_equal(n, 99); /* 1001 rounds up to 1004 or 1008 */
        tw_arena_reset(&a);
        assert_int_equal(a.used, 0);
    }
    tw_arena_deinit(&a);
}

static void reset_does_not_keep_a_large_block(void **state)
{
    struct tw_arena a = TW_ARENA_INIT(1 << 24);

    (void)state;
    tw_arena_reset(&a);
    assert_null(a.blocks);
    assert_non_null(tw_arena_alloc(&a, 16));
    tw_arena_reset(&a);
    assert_non_null(a.blocks);
    assert_non_null(tw_arena_alloc(&a, 1 << 23));
    tw_arena_reset(&a);
    assert_null(a.blocks);
    tw_arena_deinit(&a);
}

static void strings_are_copied_and_ended(void **state)
{
    struct tw_arena a = TW_ARENA_INIT(4096);
    char source[] = "abcdef";
    char *s = tw_arena_strndup(&a, source, 3), *empty = tw_arena_strndup(&a, NULL, 0);

    (void)state;
    source[0] = 'x';
    assert_string_equal(s, "abc");
    assert_string_equal(empty, "");
    tw_arena_deinit(&a);
}

static void deinit_takes_null_and_twice(void **state)
{
    struct tw_arena a = TW_ARENA_INIT(4096);

    (void)state;
    tw_arena_deinit(NULL);
    assert_non_null(tw_arena_alloc(&a, 1));
    tw_arena_deinit(&a);
    tw_arena_deinit(&a);
    assert_int_equal(a.max, 4096);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        tw_unit_test(every_piece_is_aligned_and_its_own),
        tw_unit_test(the_cap_is_exact_and_refusal_changes_nothing),
        tw_unit_test(rounding_up_does_not_pass_the_cap),
        tw_unit_test(sizes_near_the_largest_are_refused),
        tw_unit_test(nothing_is_allocated_from_an_arena_of_zero),
        tw_unit_test(reset_gives_the_whole_cap_again),
        tw_unit_test(reset_does_not_keep_a_large_block),
        tw_unit_test(strings_are_copied_and_ended),
        tw_unit_test(deinit_takes_null_and_twice),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
