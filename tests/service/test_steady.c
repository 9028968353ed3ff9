/* SPDX-License-Identifier: Apache-2.0 */
/* What the service does again and again takes no memory: its allocator is counted while it runs. */
#include "tests/allocations.h"
#include "tests/harness.h"
#include "tests/service/session_scene.h"

enum { WARM_UP = 4000, COUNTED = 1000 };

int __real_tw_service_run(struct tw_service_conn *conn);
int __wrap_tw_service_run(struct tw_service_conn *conn);

/* The peers of the rig allocate as well: only what the service does is counted. */
int __wrap_tw_service_run(struct tw_service_conn *conn)
{
    int rc;

    tw_allocations.counted = true;
    rc = __real_tw_service_run(conn);
    tw_allocations.counted = false;
    return rc;
}

static void begin(struct session_scene *s)
{
    session_scene(s);
    assert_true(tw_allocations.n > 0); /* they are seen */
}

/* Until the ring has gone round, and everything is as large as it gets. */
static void a_commit_takes_no_memory(void **state)
{
    struct session_scene s;
    uint32_t chunk_id = 0;

    (void)state;
    begin(&s);
    while (chunk_id < WARM_UP)
        rig_emit(s.producer, chunk_id++, s.buffer, "something of a packet");
    tw_allocations.n = 0;
    while (chunk_id < WARM_UP + COUNTED)
        rig_emit(s.producer, chunk_id++, s.buffer, "something of a packet");
    assert_int_equal(tw_allocations.n, 0);
    rig_free(&s.rig);
}

static void a_sync_takes_no_memory(void **state)
{
    struct session_scene s;

    (void)state;
    begin(&s);
    assert_true(rig_call(s.producer, TW_PRODUCER_SYNC, NULL)->success);
    tw_allocations.n = 0;
    for (int i = 0; i < COUNTED; i++)
        assert_true(rig_call(s.producer, TW_PRODUCER_SYNC, NULL)->success);
    assert_int_equal(tw_allocations.n, 0);
    rig_free(&s.rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        tw_unit_test(a_commit_takes_no_memory),
        tw_unit_test(a_sync_takes_no_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
