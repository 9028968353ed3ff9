/* SPDX-License-Identifier: Apache-2.0 */
/* When the service waits for the disk; the linker sends that call here. */
#include <unistd.h>

#include "base/req.h"
#include "tests/harness.h"
#include "tests/service/file_scene.h"

static size_t n_syncs;

int __wrap_fdatasync(int fd);
int __wrap_fdatasync(int fd)
{
    n_syncs++;
    return fd < 0 ? -1 : 0;
}

/* How often in three periods, and at the end. */
static void count(Tw__TraceConfig__FFlushMode mode, size_t *ret_periods, size_t *ret_end)
{
    struct file_scene s;
    int fd;

    n_syncs = 0;
    file_scene(&s, NULL);
    s.config->has_fflush_post_write = true;
    s.config->fflush_post_write = mode;
    file_enable(&s, file_new(&fd));
    for (int i = 0; i < 3; i++) {
        file_emit(&s, "packet");
        rig_advance(&s.rig, PERIOD_MS + 1); /* the flush, then the pass */
    }
    *ret_periods = n_syncs;
    file_disable(&s);
    assert_string_equal(file_error(&s), "");
    *ret_end = n_syncs - *ret_periods;
    file_end(&s, fd);
}

static void each_pass_reaches_the_disk_if_asked_for(void **state)
{
    size_t periods, end;

    REQ("TW-TRACE-013");
    (void)state;
    count(TW__TRACE_CONFIG__FFLUSH_MODE__FFLUSH_ENABLED, &periods, &end);
    assert_int_equal(periods, 3);
    assert_int_equal(end, 1);
    count(TW__TRACE_CONFIG__FFLUSH_MODE__FFLUSH_DISABLED, &periods, &end);
    assert_int_equal(periods, 0);
    assert_int_equal(end, 1);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        tw_unit_test(each_pass_reaches_the_disk_if_asked_for),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
