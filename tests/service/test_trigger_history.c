/* SPDX-License-Identifier: Apache-2.0 */
/* What a service remembers of the triggers of a day. */
#include "base/clock.h"
#include "service/limits.h"
#include "service/trigger_history.h"
#include "tests/harness.h"

static void a_day_is_24_hours(void **state)
{
    REQ("TW-TRIG-012");
    const uint64_t day_ns = UINT64_C(24) * 3600 * TW_NS_PER_S;
    struct tw_trigger_history h = {0};

    (void)state;
    assert_int_equal(tw_trigger_history_add(&h, 5, 1), 0);
    assert_int_equal(tw_trigger_history_count(&h, day_ns + 5, 1), 1);
    assert_int_equal(tw_trigger_history_count(&h, day_ns + 6, 1), 0);
    tw_trigger_history_deinit(&h);
}

static void the_past_is_bounded_and_a_name_wears_out_its_own(void **state)
{
    REQ("TW-LIM-103");
    struct tw_trigger_history h = {0};
    uint64_t rare = tw_trigger_hash("rare"), often = tw_trigger_hash("often");

    (void)state;
    assert_int_equal(tw_trigger_hash(""), UINT64_C(0xcbf29ce484222325));
    assert_int_equal(tw_trigger_hash("a"), UINT64_C(0xaf63dc4c8601ec8c));
    assert_int_equal(tw_trigger_history_add(&h, 0, rare), 0);
    for (uint64_t i = 1; i < 3 * TW_TRIGGER_HISTORY_MAX; i++)
        assert_int_equal(tw_trigger_history_add(&h, i, often), 0);
    assert_int_equal(h.n, TW_TRIGGER_HISTORY_MAX);
    assert_int_equal(tw_trigger_history_count(&h, 3 * TW_TRIGGER_HISTORY_MAX, rare), 1);
    assert_int_equal(tw_trigger_history_count(&h, 3 * TW_TRIGGER_HISTORY_MAX, often),
                     TW_TRIGGER_HISTORY_MAX - 1);
    assert_int_equal(tw_trigger_history_add(&h, 3 * TW_TRIGGER_HISTORY_MAX, tw_trigger_hash("x")),
                     0);
    assert_int_equal(tw_trigger_history_count(&h, 3 * TW_TRIGGER_HISTORY_MAX, rare), 0);
    tw_trigger_history_deinit(&h);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        tw_unit_test(a_day_is_24_hours),
        tw_unit_test(the_past_is_bounded_and_a_name_wears_out_its_own),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
