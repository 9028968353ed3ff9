/* SPDX-License-Identifier: Apache-2.0 */
/* What clock snapshots say about BOOTTIME and MONOTONIC. */
#include "service/clock_snapshot.h"
#include "service/core.h"
#include "tests/harness.h"

enum { BOOTTIME = 0, MONOTONIC = 4 }; /* places in a snapshot */

/* Every reading takes a while, and not always as long; MONOTONIC lacks the time suspended. */
struct fake {
    uint64_t boot_ns, suspended_ns;
    unsigned reads;
};

static uint64_t fake_clock(clockid_t id, void *user)
{
    struct fake *fake = user;

    fake->boot_ns += 40 + fake->reads++ % 7 * 30;
    return id == CLOCK_MONOTONIC ? fake->boot_ns - fake->suspended_ns : fake->boot_ns;
}

static int64_t ahead(const struct tw_clock_snapshot *s)
{
    return (int64_t)(s->ns[BOOTTIME] - s->ns[MONOTONIC]);
}

static void the_difference_changes_with_suspends_only(void **state)
{
    REQ("TW-TRACE-010");
    struct fake fake = {.boot_ns = 1000000000, .suspended_ns = 5000};
    struct tw_service_options options = {.clock_ns = fake_clock, .user = &fake};
    Tw__TraceConfig config = TW__TRACE_CONFIG__INIT;
    struct tw_session session = {.config = &config};

    (void)state;
    assert_int_equal(tw_service_new(&session.service, &options), 0);
    for (int i = 0; i < 5; i++)
        tw_snapshot_clocks(&session);
    fake.boot_ns += 3000000000;
    fake.suspended_ns += 3000000000;
    for (int i = 0; i < 5; i++)
        tw_snapshot_clocks(&session);

    assert_int_equal(session.n_clocks, 10);
    for (int i = 1; i < 10; i++)
        if (i != 5)
            assert_int_equal(ahead(&session.clocks[i]), ahead(&session.clocks[i - 1]));
    assert_in_range(ahead(&session.clocks[5]) - ahead(&session.clocks[0]), 2999999000, 3000001000);
    tw_service_free(session.service);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        tw_unit_test(the_difference_changes_with_suspends_only),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
