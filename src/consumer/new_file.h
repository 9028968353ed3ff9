/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A file that gets its name when it is whole. Until then it lies beside that name, under one that
 * ends in .partial, and whoever has the name keeps it. Not thread-safe.
 */
#pragma once

#include "base/err.h"
#include "tracewire/consumer.h"

struct tw_new_file {
    int fd;          /* open for reading and writing; -1 once closed */
    char *path;      /* NULL: the descriptor came open */
    char *temporary; /* NULL: written where it is, or named already */
    struct tw_trace_file_options options;
};

/* path as in tw_trace_file_open(), but "-". Negative errno. */
TW_MUST_USE int tw_new_file_open(struct tw_new_file *file, const char *path,
                                 const struct tw_trace_file_options *options);
/* Closes it and gives it its name. When that fails it stays beside it. Negative errno. */
TW_MUST_USE int tw_new_file_commit(struct tw_new_file *file);
/* Closes it and leaves it beside its name, cut to size bytes if it is longer, or removes it when it
 * is empty. */
void tw_new_file_abandon(struct tw_new_file *file, uint64_t size);
/* Where it is: NULL when it was removed or came open. */
const char *tw_new_file_where(const struct tw_new_file *file);
/* Frees the names; the file has to be closed. */
void tw_new_file_deinit(struct tw_new_file *file);
