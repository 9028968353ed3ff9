/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Waits for a path to come into being, by inotify. What is watched is the deepest directory that
 * there is on the way to it. Best effort: where that is not allowed, or no descriptor is left,
 * nothing is told. Not thread-safe.
 */
#pragma once

#include "base/loop.h"

struct tw_watch {
    struct tw_loop *loop;
    const char *path;                   /* the owner's; NULL: nothing to wait for */
    void (*fn)(struct tw_watch *watch); /* the path, or a directory on the way, came or went */
    struct tw_io io;                    /* -1 while not watching */
    const char *name;                   /* what is missing in the directory, a part of path */
    size_t name_n;
};

/* (Re)starts from what is there now. What came before is not told: look for it afterwards. */
void tw_watch_begin(struct tw_watch *watch);
void tw_watch_end(struct tw_watch *watch);
