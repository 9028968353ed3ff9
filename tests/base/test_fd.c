/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/harness.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"

static void closing_forgets_the_descriptor(void **state)
{
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC), number = fd;

    (void)state;
    assert_true(fd >= 0);
    tw_fd_close(&fd);
    assert_int_equal(fd, -1);
    assert_int_equal(fcntl(number, F_GETFD), -1);
}

static void closing_nothing_is_fine_and_keeps_errno(void **state)
{
    int none = -1, fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

    (void)state;
    assert_true(fd >= 0);
    errno = EXDEV;
    tw_fd_close(NULL);
    tw_fd_close(&none);
    tw_fd_close(&fd);
    assert_int_equal(errno, EXDEV);
    assert_int_equal(none, -1);
}

static void taking_hands_over(void **state)
{
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC), number = fd;
    int taken = tw_fd_take(&fd);

    (void)state;
    assert_int_equal(taken, number);
    assert_int_equal(fd, -1);
    assert_int_equal(tw_fd_take(&fd), -1);
    tw_fd_close(&taken);
}

static void open_descriptors_are_counted(void **state)
{
    int before = tw_fd_count_open(), pair[2];

    (void)state;
    assert_true(before >= 0);
    assert_int_equal(pipe2(pair, O_CLOEXEC), 0);
    assert_int_equal(tw_fd_count_open(), before + 2);
    tw_fd_close(&pair[0]);
    assert_int_equal(tw_fd_count_open(), before + 1);
    tw_fd_close(&pair[1]);
    assert_int_equal(tw_fd_count_open(), before);
}

static void every_result_has_a_text(void **state)
{
    (void)state;
    for (int r = -200; r < TW_OUTCOME_MAX + 10; r++) {
        assert_non_null(tw_err_str(r));
        assert_true(strlen(tw_err_str(r)) > 0);
        if (r >= 0 && r < TW_OUTCOME_MAX)
            assert_string_not_equal(tw_err_str(r), "unknown error");
    }
    assert_string_equal(tw_err_str(-ENOENT), "No such file or directory");
    assert_string_equal(tw_err_str(TW_OUTCOME_MAX), "unknown error");
    assert_string_equal(tw_err_str(-100000), "unknown error");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        tw_unit_test(closing_forgets_the_descriptor),
        tw_unit_test(closing_nothing_is_fine_and_keeps_errno),
        tw_unit_test(taking_hands_over),
        tw_unit_test(open_descriptors_are_counted),
        tw_unit_test(every_result_has_a_text),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
