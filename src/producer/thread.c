/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The producer's own thread, and the lock that makes it one for callers of any other. It is held
 * while the thread works and not while it waits. Callbacks come with it held, and may call again.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/macros.h"
#include "base/req.h"
#include "producer/endpoint.h"

enum { PAUSE_MS = 100 }; /* until the thread tries again what the system did not let it do */

int tw_endpoint_lock_init(struct tw_producer *p)
{
    pthread_mutexattr_t attr;
    int r;

    pthread_mutexattr_init(&attr);
    pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_RECURSIVE);
    r = pthread_mutex_init(&p->lock, &attr);
    pthread_mutexattr_destroy(&attr);
    return -r;
}

void tw_endpoint_lock(const struct tw_producer *p)
{
    /* The lock is no part of what a caller must not change. */
    pthread_mutex_lock((pthread_mutex_t *)(uintptr_t)&p->lock);
}

void tw_endpoint_unlock(const struct tw_producer *p)
{
    pthread_mutex_unlock((pthread_mutex_t *)(uintptr_t)&p->lock);
}

bool tw_endpoint_try_lock(struct tw_producer *p)
{
    return pthread_mutex_trylock(&p->lock) == 0;
}

/* It looks again for what there is to do. */
static void kick(const struct tw_producer *p)
{
    uint64_t one = 1;
    ssize_t n = write(p->kick_fd, &one, sizeof(one));

    (void)n; /* fails only when it is kicked already */
}

void tw_endpoint_changed(const struct tw_producer *p)
{
    if (p->kick_fd >= 0 && !pthread_equal(p->thread, pthread_self()))
        kick(p);
    tw_endpoint_unlock(p);
}

/* ---- the thread ---- */

/* state: what the last turn said. */
static void wait_for_work(struct tw_producer *p, int state)
{
    struct pollfd fds[] = {
        {.fd = p->kick_fd, .events = POLLIN},
        {.fd = state ? -1 : tw_loop_fd(p->loop), .events = POLLIN},
    };
    uint64_t count;

    if (poll(fds, TW_ARRAY_LEN(fds), state < 0 ? PAUSE_MS : -1) > 0 && fds[0].revents) {
        ssize_t n = read(p->kick_fd, &count, sizeof(count));

        (void)n; /* whatever it says: there is something to look at */
    }
}

static void *run(void *user)
{
    struct tw_producer *p = user;
    bool stop = false;

    while (!stop) {
        int state;

        tw_endpoint_lock(p);
        stop = p->stopping;
        state = stop ? 0 : tw_endpoint_turn(p, 0);
        tw_endpoint_unlock(p);
        if (!stop)
            wait_for_work(p, state);
    }
    return NULL;
}

int tw_producer_start_thread(struct tw_producer *producer)
{
    sigset_t all, before;
    int r;

    REQ("TW-PROD-077");
    if (producer->kick_fd >= 0)
        return TW_E_EXISTS;
    producer->kick_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (producer->kick_fd < 0)
        return -errno;
    /* Signals are the program's own threads' to take. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    tw_endpoint_lock(producer); /* until its handle is there to be compared */
    r = pthread_create(&producer->thread, NULL, run, producer);
    tw_endpoint_unlock(producer);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (r)
        tw_fd_close(&producer->kick_fd);
    return -r;
}

void tw_endpoint_stop_thread(struct tw_producer *p)
{
    if (p->kick_fd < 0)
        return;
    tw_endpoint_lock(p);
    p->stopping = true;
    tw_endpoint_changed(p);
    pthread_join(p->thread, NULL);
    tw_fd_close(&p->kick_fd);
}
