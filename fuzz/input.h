/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the session targets share: an input that starts with choices and ends with wire bytes, and
 * descriptors that are all accounted for at the end of a run.
 */
#pragma once

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/macros.h"
#include "frame/rx.h"
#include "fuzz/check.h"

static inline uint8_t input_byte(struct tw_bytes *input)
{
    if (input->n == 0)
        return 0;
    input->n--;
    return *input->p++;
}

/* A list with its length in front of it, at most 255 bytes. */
static inline struct tw_bytes input_list(struct tw_bytes *input)
{
    struct tw_bytes list = {.n = input_byte(input)};

    list.n = tw_min(list.n, input->n);
    list.p = input->p;
    input->p = list.n ? input->p + list.n : input->p;
    input->n -= list.n;
    return list;
}

/* Choice i of a list that repeats itself; 0 when it is empty. */
static inline uint8_t input_choice(struct tw_bytes list, size_t i)
{
    return list.n ? list.p[i % list.n] : 0;
}

enum { INPUT_FDS_MAX = 256 }; /* descriptors a run hands over; no more come after that many */

struct input_fds {
    int fds[INPUT_FDS_MAX];
    size_t n;
};

/* Opens up to n descriptors; returns how many. */
static inline size_t input_open(struct input_fds *all, size_t n, int *ret_fds)
{
    static int null = -1;

    if (null < 0)
        null = open("/dev/null", O_RDWR | O_CLOEXEC);
    CHECK(null >= 0);
    n = tw_min(n, INPUT_FDS_MAX - all->n);
    for (size_t i = 0; i < n; i++) {
        ret_fds[i] = fcntl(null, F_DUPFD_CLOEXEC, 3);
        CHECK(ret_fds[i] >= 0);
        all->fds[all->n++] = ret_fds[i];
    }
    return n;
}

/* The same before and after what leaks none. */
static inline int input_lowest_free_fd(void)
{
    int fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0);

    close(fd);
    return fd;
}

/* A number may have been used again meanwhile, but by one of ours, so all are closed or none is. */
static inline void input_check_closed(const struct input_fds *all)
{
    for (size_t i = 0; i < all->n; i++)
        CHECK(fcntl(all->fds[i], F_GETFD) < 0);
}

/* Moves the next piece of the wire bytes into rx. A choice says how large it is (0: all there is
 * room for, else up to 63 bytes) and in its high bits how many descriptors come with it. */
static inline void input_receive(struct tw_bytes *wire, uint8_t choice, struct input_fds *all,
                                 struct tw_rx *rx)
{
    int fds[3];
    size_t n_fds = input_open(all, choice >> 6, fds), size = choice & 0x3f, n;
    uint8_t *p;

    tw_rx_space(rx, &p, &n);
    CHECK(n > 0);
    n = tw_min(tw_min(n, size ? size : n), wire->n);
    memcpy(p, wire->p, n);
    wire->p += n;
    wire->n -= n;
    tw_rx_filled(rx, n, fds, n_fds);
}

/* Reads every byte, so that a sanitizer sees a run that ends outside its buffer. */
static inline void input_touch(struct tw_bytes bytes)
{
    static volatile uint8_t sum;

    for (size_t i = 0; i < bytes.n; i++)
        sum = (uint8_t)(sum + bytes.p[i]);
}
