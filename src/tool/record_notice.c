/* SPDX-License-Identifier: Apache-2.0 */
#include "tool/record_notice.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#include "base/fd.h"
#include "tool/tool.h"

/* Milliseconds that the first process waits, as upstream's does. */
enum { WAIT_MS = 30 * 1000 };

static void to_null(int fd)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);

    if (null >= 0 && dup2(null, fd) == fd && null != fd)
        tw_fd_close(&null);
}

void tw_record_notify(struct tw_record_notice *notice, int status)
{
    uint8_t byte = (uint8_t)status;
    void (*before)(int);

    if (notice->fd < 0)
        return;
    before = signal(SIGPIPE, SIG_IGN); /* who wanted to know may have gone */
    TW_IGNORE(write(notice->fd, &byte, sizeof(byte)));
    signal(SIGPIPE, before);
    tw_fd_close(&notice->fd);
    if (notice->background)
        to_null(STDERR_FILENO);
}

/* The status that the other process tells. */
static int wait_for(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    uint8_t status;
    int n;

    do
        n = poll(&p, 1, WAIT_MS);
    while (n < 0 && errno == EINTR);
    if (n == 0)
        tw_complain("record", "not everything has started in %d s; it goes on in the background",
                    WAIT_MS / 1000);
    if (n <= 0)
        return TW_EXIT_FAILURE;
    if (read(fd, &status, sizeof(status)) == sizeof(status))
        return status;
    tw_complain("record", "the process in the background has ended");
    return TW_EXIT_FAILURE;
}

int tw_record_background(bool started, struct tw_record_notice *ret_notice)
{
    int ends[2], status;
    pid_t pid;

    if (pipe2(ends, O_CLOEXEC) != 0 || (pid = fork()) < 0) {
        tw_complain("record", "going into the background: %m");
        return TW_EXIT_FAILURE;
    }
    if (pid > 0) {
        tw_fd_close(&ends[1]);
        printf("%jd\n", (intmax_t)pid);
        fflush(stdout);
        status = wait_for(ends[0]);
        tw_fd_close(&ends[0]);
        return status;
    }
    tw_fd_close(&ends[0]);
    setsid(); /* no terminal that closes ends it */
    to_null(STDIN_FILENO);
    to_null(STDOUT_FILENO); /* who reads the number waits for the end of it */
    *ret_notice = (struct tw_record_notice){.fd = ends[1], .started = started, .background = true};
    return -1;
}
