/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/harness.h"

#include <stdio.h>

#include "base/fd.h"

static int open_before;

int tw_test_fds_before(void **state)
{
    (void)state;
    open_before = tw_fd_count_open();
    return open_before < 0;
}

int tw_test_fds_after(void **state)
{
    int open_after = tw_fd_count_open();

    (void)state;
    if (open_after != open_before)
        fprintf(stderr, "descriptors open before the test: %d, after: %d\n", open_before,
                open_after);
    return open_after != open_before;
}
