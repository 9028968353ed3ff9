/* SPDX-License-Identifier: Apache-2.0 */
#include "producer/event_process.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/req.h"
#include "producer/interning.h"

enum {
    STAT_MAX = 1024,      /* bytes: 52 numbers */
    STAT_START_TIME = 22, /* the field, as proc(5) counts them; */
    STAT_STATE = 3,       /* this one is behind the name in brackets */
};

/* How many bytes there are, at most n; 0 when it cannot be read. */
static size_t read_file(const char *path, char *ret_text, size_t n)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got = fd < 0 ? -1 : read(fd, ret_text, n);

    tw_fd_close(&fd);
    return got < 0 ? 0 : (size_t)got;
}

/* In ticks since the system started; 0 when nobody says. */
static uint64_t start_time(void)
{
    char text[STAT_MAX + 1];
    const char *at;

    text[read_file("/proc/self/stat", text, STAT_MAX)] = '\0';
    at = strrchr(text, ')'); /* the name may hold anything */
    for (int field = STAT_STATE - 1; at && field < STAT_START_TIME; field++)
        at = strchr(at + 1, ' ');
    return at ? strtoull(at, NULL, 10) : 0;
}

/* A pid may come again, and containers count theirs from 1 each. */
static uint64_t uuid_of(pid_t pid)
{
    REQ("TW-EVT-059");
    uint64_t start = start_time(), uuid;
    struct stat pids = {0};

    if (start == 0 || stat("/proc/self/ns/pid", &pids) != 0)
        start = tw_clock_ns(CLOCK_BOOTTIME);
    uuid = tw_mix(tw_mix(tw_mix((uint64_t)pid) ^ start) ^ (uint64_t)pids.st_ino);
    return uuid ? uuid : 1; /* 0 is the trace's own */
}

void tw_event_process_read(struct tw_event_process *ret_process)
{
    REQ("TW-LIM-221");
    pid_t pid = getpid();
    struct tw_event_process process = {.uuid = uuid_of(pid), .pid = pid};

    process.cmdline_n = read_file("/proc/self/cmdline", process.cmdline, sizeof(process.cmdline));
    *ret_process = process;
}
