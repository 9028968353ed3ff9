/* SPDX-License-Identifier: Apache-2.0 */
#include "producer/watch.h"

#include <errno.h>
#include <limits.h>
#include <stdalign.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/req.h"

enum { EVENTS_BYTES = 4096 }; /* read at once; the rest in the next turn */

/* An event without a name is of the directory itself, which has gone, or tells that some were
 * lost. */
static bool concerns(const struct tw_watch *w, const struct inotify_event *event)
{
    return event->len == 0 ||
           (strlen(event->name) == w->name_n && memcmp(event->name, w->name, w->name_n) == 0);
}

static void on_events(struct tw_io *io, uint32_t events)
{
    struct tw_watch *w = TW_CONTAINER_OF(io, struct tw_watch, io);
    alignas(struct inotify_event) char buf[EVENTS_BYTES];
    ssize_t n = read(io->fd, buf, sizeof(buf));
    bool any = false;

    (void)events;
    for (ssize_t at = 0; at < n;) {
        const struct inotify_event *event = (const void *)(buf + at);

        at += (ssize_t)(sizeof(*event) + event->len);
        any = any || concerns(w, event);
    }
    if (any)
        w->fn(w);
}

/* Watches the directory of path[0..end), and looks there for what is behind its last slash. */
static int watch_directory_of(struct tw_watch *w, size_t end)
{
    char dir[PATH_MAX] = ".";
    size_t n = end;

    while (n > 0 && w->path[n - 1] != '/')
        n--;
    if (n >= sizeof(dir))
        return -ENAMETOOLONG;
    w->name = w->path + n;
    w->name_n = end - n;
    if (n > 0) {
        memcpy(dir, w->path, n);
        dir[n] = '\0';
    }
    return inotify_add_watch(w->io.fd, dir, IN_CREATE | IN_MOVED_TO | IN_MOVE_SELF | IN_ONLYDIR) < 0
               ? -errno
               : 0;
}

/* A directory that comes while we walk upwards may be missed: whoever wants to be sure begins
 * again after a while. */
static int watch_deepest(struct tw_watch *w)
{
    size_t end = strlen(w->path);
    int r;

    while ((r = watch_directory_of(w, end)) == -ENOENT) {
        end = (size_t)(w->name - w->path);
        while (end > 0 && w->path[end - 1] == '/')
            end--;
        if (end == 0)
            return r;
    }
    return r;
}

void tw_watch_begin(struct tw_watch *watch)
{
    REQ("TW-NET-061");
    tw_watch_end(watch);
    if (!watch->path)
        return;
    watch->io = (struct tw_io){
        .fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK), .events = EPOLLIN, .fn = on_events};
    if (watch->io.fd < 0)
        return;
    if (watch_deepest(watch) || tw_loop_add(watch->loop, &watch->io))
        tw_fd_close(&watch->io.fd);
}

void tw_watch_end(struct tw_watch *watch)
{
    if (watch->io.fd < 0)
        return;
    tw_loop_del(watch->loop, &watch->io);
    tw_fd_close(&watch->io.fd);
}
