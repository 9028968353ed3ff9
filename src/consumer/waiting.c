/* SPDX-License-Identifier: Apache-2.0 */
/* Calls that wait for their answer: each makes the call and turns the connection until it is over.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/macros.h"
#include "base/req.h"
#include "consumer/endpoint.h"

/* One call. It is the call's once nobody waits any more, for the answer may come yet. */
struct waiting {
    tw_consumer_packet_fn packet;
    void *user;
    struct tw_buf body;
    int result;
    bool for_one; /* of several answers the first is enough */
    bool over, completed, abandoned;
};

static void let_go(struct waiting *w)
{
    tw_buf_deinit(&w->body);
    free(w);
}

static void on_done(void *user, int result)
{
    struct waiting *w = user;

    w->result = w->result ? w->result : result;
    w->completed = w->over = true;
    if (w->abandoned)
        let_go(w);
}

static void on_reply(void *user, int result, struct tw_bytes body, bool more)
{
    struct waiting *w = user;

    if (!w->abandoned && !w->result && body.n)
        w->result = tw_buf_append(&w->body, body.p, body.n);
    if (!more)
        on_done(w, result);
    else if (w->for_one || w->result)
        w->over = true;
}

static void on_ended(void *user, int result, struct tw_bytes error)
{
    on_reply(user, result, error, false);
}

static void on_packet(void *user, struct tw_bytes packet)
{
    struct waiting *w = user;

    if (!w->abandoned)
        w->packet(w->user, packet);
}

static int begin(struct waiting **ret_waiting)
{
    *ret_waiting = calloc(1, sizeof(**ret_waiting));
    if (!*ret_waiting)
        return -ENOMEM;
    (*ret_waiting)->body.max = TW_CONSUMER_PACKET_MAX;
    return 0;
}

static int begin_call(const struct tw_consumer *consumer, struct waiting **ret_waiting)
{
    return tw_consumer_dispatching(consumer) ? TW_E_INVALID : begin(ret_waiting);
}

static uint64_t due_ns(uint32_t timeout_ms)
{
    return tw_clock_ns(CLOCK_MONOTONIC) + timeout_ms * TW_NS_PER_MS;
}

/* Waits until there is something to do, no longer than until due. */
static int wait_io(const struct tw_consumer *consumer, uint64_t due)
{
    struct pollfd pfd = {.fd = tw_consumer_fd(consumer),
                         .events = (short)tw_consumer_events(consumer)};
    uint64_t now = tw_clock_ns(CLOCK_MONOTONIC);
    struct timespec left;

    REQ("TW-CONS-110");
    if (now >= due)
        return -ETIMEDOUT;
    left = (struct timespec){.tv_sec = (time_t)((due - now) / TW_NS_PER_S),
                             .tv_nsec = (long)((due - now) % TW_NS_PER_S)};
    return ppoll(&pfd, 1, &left, NULL) < 0 && errno != EINTR ? -errno : 0;
}

/* Once a dispatch fails the consumer may be gone: only what waits is looked at then. */
static int turn_until_over(struct tw_consumer *consumer, const struct waiting *w, uint64_t due)
{
    int rc = 0;

    while (!w->over && !rc) {
        rc = tw_consumer_dispatch(consumer);
        if (!w->over && !rc)
            rc = wait_io(consumer, due);
    }
    return w->over ? w->result : rc;
}

static void leave(struct waiting *w)
{
    if (w->completed)
        let_go(w);
    else
        w->abandoned = true;
}

/* rc is what the call said. */
static int finish(struct tw_consumer *consumer, struct waiting *w, int rc, uint32_t timeout_ms,
                  struct tw_answer *ret_answer)
{
    if (rc) {
        let_go(w);
        return rc;
    }
    rc = turn_until_over(consumer, w, due_ns(timeout_ms));
    if (!rc && ret_answer) {
        *ret_answer = (struct tw_answer){.p = w->body.p, .n = w->body.n};
        w->body.p = NULL;
    }
    leave(w);
    return rc;
}

int tw_consumer_connect_wait(const char *address, uint32_t timeout_ms,
                             struct tw_consumer **ret_consumer)
{
    uint64_t due = due_ns(timeout_ms);
    struct tw_consumer *consumer;
    struct waiting *w;
    int rc = begin(&w);

    if (rc)
        return rc;
    rc = tw_consumer_open(address, timeout_ms, on_done, w, &consumer);
    if (rc) {
        let_go(w);
        return rc;
    }
    rc = turn_until_over(consumer, w, due);
    leave(w);
    if (rc)
        tw_consumer_free(consumer);
    else
        *ret_consumer = consumer;
    return rc;
}

int tw_consumer_read_buffers_wait(struct tw_consumer *consumer, tw_consumer_packet_fn packet,
                                  void *user, uint32_t timeout_ms)
{
    struct waiting *w;
    int rc = begin_call(consumer, &w);

    if (rc)
        return rc;
    w->packet = packet;
    w->user = user;
    rc = tw_consumer_read_buffers(consumer, on_packet, on_done, w);
    return finish(consumer, w, rc, timeout_ms, NULL);
}

int tw_consumer_observe_events_wait(struct tw_consumer *consumer, uint32_t types,
                                    uint32_t timeout_ms, struct tw_answer *ret_answer)
{
    struct waiting *w;
    int rc = begin_call(consumer, &w);

    if (rc)
        return rc;
    w->for_one = true;
    rc = tw_consumer_observe_events(consumer, types, on_reply, w);
    return finish(consumer, w, rc, timeout_ms, ret_answer);
}

/* Who waits cannot tell a call that failed from an answer that did: the descriptor stays his. */
static int copy_fd(int fd, int *ret_copy)
{
    int copy = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 0);

    if (fd >= 0 && copy < 0)
        return -errno;
    *ret_copy = copy;
    return 0;
}

static int enable(struct tw_consumer *consumer, struct tw_bytes config, int fd, struct waiting *w)
{
    int copy = -1, rc = copy_fd(fd, &copy);

    if (rc)
        return rc;
    rc = tw_consumer_enable_tracing(consumer, config, copy, on_ended, w);
    if (rc)
        tw_fd_close(&copy);
    return rc;
}

static int clone_session(struct tw_consumer *consumer, const struct tw_clone_args *args, int fd,
                         struct waiting *w)
{
    int copy = -1, rc = copy_fd(fd, &copy);

    if (rc)
        return rc;
    rc = tw_consumer_clone_session(consumer, args, copy, on_reply, w);
    if (rc)
        tw_fd_close(&copy);
    return rc;
}

/* The body of a function that makes a call, with w as its user, and waits. */
#define WAIT_FOR(call, ret_answer)                                                                 \
    struct waiting *w;                                                                             \
    int rc = begin_call(consumer, &w);                                                             \
                                                                                                   \
    if (rc)                                                                                        \
        return rc;                                                                                 \
    rc = (call);                                                                                   \
    return finish(consumer, w, rc, timeout_ms, (ret_answer))

int tw_consumer_enable_tracing_wait(struct tw_consumer *consumer, struct tw_bytes config, int fd,
                                    uint32_t timeout_ms, struct tw_answer *ret_answer)
{
    WAIT_FOR(enable(consumer, config, fd, w), ret_answer);
}

int tw_consumer_await_end_wait(struct tw_consumer *consumer, uint32_t timeout_ms,
                               struct tw_answer *ret_answer)
{
    WAIT_FOR(tw_consumer_await_end(consumer, on_ended, w), ret_answer);
}

int tw_consumer_change_trace_config_wait(struct tw_consumer *consumer, struct tw_bytes config,
                                         uint32_t timeout_ms)
{
    WAIT_FOR(tw_consumer_change_trace_config(consumer, config, on_done, w), NULL);
}

int tw_consumer_start_tracing_wait(struct tw_consumer *consumer, uint32_t timeout_ms)
{
    WAIT_FOR(tw_consumer_start_tracing(consumer, on_done, w), NULL);
}

int tw_consumer_disable_tracing_wait(struct tw_consumer *consumer, uint32_t timeout_ms)
{
    WAIT_FOR(tw_consumer_disable_tracing(consumer, on_done, w), NULL);
}

int tw_consumer_flush_wait(struct tw_consumer *consumer, uint32_t flush_ms, uint64_t flags,
                           uint32_t timeout_ms)
{
    WAIT_FOR(tw_consumer_flush(consumer, flush_ms, flags, on_done, w), NULL);
}

int tw_consumer_free_buffers_wait(struct tw_consumer *consumer, uint32_t timeout_ms)
{
    WAIT_FOR(tw_consumer_free_buffers(consumer, on_done, w), NULL);
}

int tw_consumer_detach_wait(struct tw_consumer *consumer, const char *key, uint32_t timeout_ms)
{
    WAIT_FOR(tw_consumer_detach(consumer, key, on_done, w), NULL);
}

int tw_consumer_attach_wait(struct tw_consumer *consumer, const char *key, uint32_t timeout_ms,
                            struct tw_answer *ret_answer)
{
    WAIT_FOR(tw_consumer_attach(consumer, key, on_reply, w), ret_answer);
}

int tw_consumer_get_trace_stats_wait(struct tw_consumer *consumer, uint32_t timeout_ms,
                                     struct tw_answer *ret_answer)
{
    WAIT_FOR(tw_consumer_get_trace_stats(consumer, on_reply, w), ret_answer);
}

int tw_consumer_query_service_state_wait(struct tw_consumer *consumer, bool sessions_only,
                                         uint32_t timeout_ms, struct tw_answer *ret_answer)
{
    WAIT_FOR(tw_consumer_query_service_state(consumer, sessions_only, on_reply, w), ret_answer);
}

int tw_consumer_query_capabilities_wait(struct tw_consumer *consumer, uint32_t timeout_ms,
                                        struct tw_answer *ret_answer)
{
    WAIT_FOR(tw_consumer_query_capabilities(consumer, on_reply, w), ret_answer);
}

int tw_consumer_save_trace_for_bugreport_wait(struct tw_consumer *consumer, uint32_t timeout_ms,
                                              struct tw_answer *ret_answer)
{
    WAIT_FOR(tw_consumer_save_trace_for_bugreport(consumer, on_reply, w), ret_answer);
}

int tw_consumer_clone_session_wait(struct tw_consumer *consumer, const struct tw_clone_args *args,
                                   int fd, uint32_t timeout_ms, struct tw_answer *ret_answer)
{
    WAIT_FOR(clone_session(consumer, args, fd, w), ret_answer);
}
