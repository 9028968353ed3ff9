/* SPDX-License-Identifier: Apache-2.0 */
/* What the service asks of the kernel for a file; the linker sends those calls here. */
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/req.h"
#include "service/core.h"
#include "service/trace_buffer_internal.h"
#include "tests/harness.h"
#include "tests/service/file_scene.h"

static size_t n_syncs;

int __wrap_fdatasync(int fd);
int __wrap_fdatasync(int fd)
{
    n_syncs++;
    return fd < 0 ? -1 : 0;
}

static const struct tw_trace_buffer *watched;
static size_t inside, outside; /* bytes written from the watched buffer, and from elsewhere */

ssize_t __real_writev(int fd, const struct iovec *iov, int n);
ssize_t __wrap_writev(int fd, const struct iovec *iov, int n);
ssize_t __wrap_writev(int fd, const struct iovec *iov, int n)
{
    for (int i = 0; i < n && watched; i++) {
        size_t at = (size_t)((uintptr_t)iov[i].iov_base - (uintptr_t)watched->ring);

        *(at < watched->size ? &inside : &outside) += iov[i].iov_len;
    }
    return __real_writev(fd, iov, n);
}

static void payload_is_written_from_the_trace_buffer(void **state)
{
    enum { PACKETS = 40, TEXT = 1000 };
    char text[TEXT + 1] = "";
    struct file_scene s;
    int fd;

    (void)state;
    memset(text, 'x', TEXT);
    file_scene(&s, NULL);
    file_enable(&s, file_new(&fd));
    rig_advance(&s.rig, PERIOD_MS + 1); /* the service's own first packets are gone */
    for (int i = 0; i < PACKETS; i++)
        file_emit(&s, text);
    watched = s.rig.service->buffers[s.buffer];
    rig_advance(&s.rig, PERIOD_MS + 1);
    watched = NULL;
    assert_in_range(inside, PACKETS * TEXT, PACKETS * (TEXT + 30));
    assert_in_range(outside, 0, PACKETS * 50); /* stamps, and packets of the service */
    file_end(&s, fd);
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
        tw_unit_test(payload_is_written_from_the_trace_buffer),
        tw_unit_test(each_pass_reaches_the_disk_if_asked_for),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
