/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A descriptor that the service writes a trace to, on behalf of whoever it came from: it is checked
 * once, and then only written to in ways that wait for nobody. A file may wait for its disk.
 */
#pragma once

#include "base/gather.h"

enum tw_output_kind { TW_OUTPUT_FILE, TW_OUTPUT_SOCKET, TW_OUTPUT_PIPE };

struct tw_output {
    int fd; /* -1: none */
    enum tw_output_kind kind;
    /* A pipe of others cannot be written to without waiting, as its flags are everybody's; but what
     * is in a pipe of ours can be moved there without. */
    int stage[2];
    size_t staged; /* bytes that are there */
};

#define TW_OUTPUT_INIT ((struct tw_output){.fd = -1, .stage = {-1, -1}})

/* Takes *fd, an open descriptor, on success. TW_E_INVALID: the service does not write to such, and
 * *ret_error, a static text, says why; or a negative errno, and it says what failed. */
TW_MUST_USE int tw_output_open(struct tw_output *out, int *fd, const char **ret_error);
/* Makes a file that must not exist yet, at a path that does not leave the directory dir_fd; dir is
 * that directory's own path, with which an absolute path may begin. A negative errno. */
TW_MUST_USE int tw_output_create(int dir_fd, const char *dir, const char *path, int *ret_fd);
void tw_output_close(struct tw_output *out);
/* How many descriptors it keeps open. */
size_t tw_output_n_fds(const struct tw_output *out);

/* Writes until nothing waits (0), or the other end takes no more now (TW_MORE). A negative errno.
 * A pipe without readers raises SIGPIPE. */
TW_MUST_USE int tw_output_write(struct tw_output *out, struct tw_gather *waiting);
/* On its way to the disk, as far as there is one. */
void tw_output_sync(const struct tw_output *out);
