/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Descriptors of every kind that a peer may pass: what a trace can be written into, and what it
 * cannot. All are accounted for at the end of a run.
 */
#pragma once

#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fuzz/faults.h"
#include "fuzz/input.h"

enum kind {
    KIND_NULL,
    KIND_FILE,   /* empty, in memory */
    KIND_PIPE,   /* with little room */
    KIND_SOCKET, /* a stream */
    KIND_READ_ONLY,
    KIND_DATAGRAMS, /* nothing to write a trace into */
    KIND_UNSEALED,  /* memory that may shrink */
    KIND_MEMORY,    /* the caller makes it */
    KIND_MAX,
};

enum { KINDS_FAR_MAX = 8, KINDS_ROOM = 4096 /* bytes */ };

struct kinds {
    struct input_fds fds;
    int far[KINDS_FAR_MAX]; /* other ends of pipes and sockets, and so on */
    size_t n_far;
};

static inline int kind_keep(struct kinds *k, int fd)
{
    CHECK(fd >= 0 || faults_fired());
    if (fd >= 0)
        k->fds.fds[k->fds.n++] = fd;
    return fd;
}

/* The end that is passed; the other one is kept. */
static inline int kind_pair(struct kinds *k, enum kind kind)
{
    int fds[2];

    if (k->n_far == KINDS_FAR_MAX)
        return -1;
    if (kind == KIND_PIPE)
        CHECK(!pipe2(fds, O_CLOEXEC | O_NONBLOCK) &&
              (fcntl(fds[0], F_SETPIPE_SZ, KINDS_ROOM) >= KINDS_ROOM || faults_fired()));
    else
        CHECK(!socketpair(AF_UNIX,
                          (kind == KIND_SOCKET ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC |
                              SOCK_NONBLOCK,
                          0, fds));
    k->far[k->n_far++] = kind_keep(k, fds[0]);
    return kind_keep(k, fds[1]);
}

/* -1 when the run has had half of what there may be, the other half is for what is passed on, and
 * when there is no memory. */
static inline int kind_open(struct kinds *k, enum kind kind)
{
    int fd = -1;

    if (k->fds.n >= INPUT_FDS_MAX / 2)
        return -1;
    switch (kind) {
    case KIND_FILE:
    case KIND_UNSEALED:
        fd = memfd_create("kind", MFD_CLOEXEC | MFD_ALLOW_SEALING);
        if (fd >= 0 && kind == KIND_UNSEALED)
            CHECK(!ftruncate(fd, 16 * KINDS_ROOM) || faults_fired());
        return kind_keep(k, fd);
    case KIND_READ_ONLY:
        return kind_keep(k, open("/dev/null", O_RDONLY | O_CLOEXEC));
    case KIND_PIPE:
    case KIND_SOCKET:
    case KIND_DATAGRAMS:
        return kind_pair(k, kind);
    default:
        return kind_keep(k, open("/dev/null", O_RDWR | O_CLOEXEC));
    }
}

/* As the kernel makes one for the other end of a socket; -1 for -1. */
static inline int kind_copy(struct kinds *k, int fd)
{
    if (fd < 0 || k->fds.n == INPUT_FDS_MAX)
        return -1;
    return kind_keep(k, fcntl(fd, F_DUPFD_CLOEXEC, 3));
}

/* Who reads what is written does so once, or goes. */
static inline void kinds_far(struct kinds *k, bool close)
{
    uint8_t room[KINDS_ROOM];

    for (size_t i = 0; i < k->n_far; i++)
        if (close)
            tw_fd_close(&k->far[i]);
        else
            TW_IGNORE(read(k->far[i], room, sizeof(room)) < 0);
    if (close)
        k->n_far = 0;
}
