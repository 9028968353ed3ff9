/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/harness.h"

#include <string.h>

#include "base/bytes.h"

static void bytes_equal_a_string_only_as_a_whole(void **state)
{
    const struct tw_bytes abc = {.p = (const uint8_t *)"abc", .n = 3};

    (void)state;
    assert_true(tw_bytes_eq_str(abc, "abc"));
    assert_false(tw_bytes_eq_str(abc, "abcd"));
    assert_false(tw_bytes_eq_str(abc, "ab"));
    assert_false(tw_bytes_eq_str(abc, "abd"));
    assert_true(tw_bytes_eq_str((struct tw_bytes){0}, ""));
    assert_false(tw_bytes_eq_str((struct tw_bytes){0}, "a"));
}

static void appended_bytes_stay_in_order(void **state)
{
    struct tw_buf buf = TW_BUF_INIT(100000);

    (void)state;
    for (unsigned i = 0; i < 20000; i++) {
        uint8_t octet = (uint8_t)(i * 7);

        assert_int_equal(tw_buf_append(&buf, &octet, 1), 0);
    }
    assert_int_equal(tw_buf_bytes(&buf).n, 20000);
    for (unsigned i = 0; i < 20000; i++)
        assert_int_equal(buf.p[i], (uint8_t)(i * 7));
    tw_buf_deinit(&buf);
}

static void the_limit_is_exact_and_refusal_changes_nothing(void **state)
{
    struct tw_buf buf = TW_BUF_INIT(1000);
    uint8_t block[1000];

    (void)state;
    memset(block, 'x', sizeof(block));
    assert_int_equal(tw_buf_append(&buf, block, 999), 0);
    assert_int_equal(tw_buf_append(&buf, block, 2), TW_E_LIMIT);
    assert_int_equal(buf.n, 999);
    assert_int_equal(tw_buf_append(&buf, block, 1), 0);
    assert_int_equal(tw_buf_append(&buf, block, 1), TW_E_LIMIT);
    assert_int_equal(tw_buf_append(&buf, NULL, 0), 0);
    assert_int_equal(buf.n, 1000);
    assert_true(buf.cap <= buf.max);
    tw_buf_deinit(&buf);
}

static void huge_reserves_are_refused(void **state)
{
    struct tw_buf buf = TW_BUF_INIT(1000);

    (void)state;
    assert_int_equal(tw_buf_append(&buf, "a", 1), 0);
    assert_int_equal(tw_buf_reserve(&buf, SIZE_MAX), TW_E_LIMIT);
    assert_int_equal(tw_buf_reserve(&buf, SIZE_MAX - 1), TW_E_LIMIT);
    assert_int_equal(tw_buf_reserve(&buf, 1000), TW_E_LIMIT);
    assert_int_equal(tw_buf_reserve(&buf, 999), 0);
    tw_buf_deinit(&buf);
}

static void reserved_room_can_be_written(void **state)
{
    struct tw_buf buf = TW_BUF_INIT(5000);

    (void)state;
    for (size_t more = 0; more <= 5000; more += 100) {
        assert_int_equal(tw_buf_reserve(&buf, more), 0);
        if (more)
            memset(buf.p + buf.n, 1, more);
        assert_int_equal(buf.n, 0);
    }
    tw_buf_deinit(&buf);
}

static void a_buffer_is_usable_after_deinit(void **state)
{
    struct tw_buf buf = TW_BUF_INIT(8);

    (void)state;
    tw_buf_deinit(NULL);
    assert_int_equal(tw_buf_append(&buf, "12345678", 8), 0);
    tw_buf_deinit(&buf);
    assert_int_equal(buf.n, 0);
    assert_int_equal(tw_buf_append(&buf, "abc", 3), 0);
    assert_true(tw_bytes_eq_str(tw_buf_bytes(&buf), "abc"));
    tw_buf_deinit(&buf);
}

static void a_buffer_of_nothing_holds_nothing(void **state)
{
    struct tw_buf buf = {0};

    (void)state;
    assert_int_equal(tw_buf_append(&buf, NULL, 0), 0);
    assert_int_equal(tw_buf_append(&buf, "a", 1), TW_E_LIMIT);
    tw_buf_deinit(&buf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        tw_unit_test(bytes_equal_a_string_only_as_a_whole),
        tw_unit_test(appended_bytes_stay_in_order),
        tw_unit_test(the_limit_is_exact_and_refusal_changes_nothing),
        tw_unit_test(huge_reserves_are_refused),
        tw_unit_test(reserved_room_can_be_written),
        tw_unit_test(a_buffer_is_usable_after_deinit),
        tw_unit_test(a_buffer_of_nothing_holds_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
