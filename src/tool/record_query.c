/* SPDX-License-Identifier: Apache-2.0 */
#include "tool/record_query.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "tool/tool.h"
#include "tracewire/consumer.h"
#include "wire/reader.h"

/* How long the service may take. */
#define ANSWER_NS (UINT64_C(10) * 1000 * TW_NS_PER_MS)
/* Bytes of a state: far more than all that a service of ours may hold in names. */
#define STATE_MAX ((size_t)64 * 1024 * 1024)

enum { RESPONSE_STATE = 1 }; /* field number in QueryServiceStateResponse */

struct query {
    struct tw_consumer *consumer;
    struct tw_buf state;
    bool done;
    int result;
};

static void finish(struct query *q, int result)
{
    if (!q->done)
        q->result = result;
    q->done = true;
}

/* Pieces of one message: put together they are the whole. */
static void on_state(void *user, int result, struct tw_bytes body, bool more)
{
    struct query *q = user;
    struct tw_reader r = tw_reader_of(body);
    struct tw_field field;
    int rc = result;

    while (!rc && !(rc = tw_read_field(&r, &field)))
        if (field.number == RESPONSE_STATE && field.type == TW_WIRE_LEN)
            rc = tw_buf_append(&q->state, field.bytes.p, field.bytes.n);
    if (rc != TW_MORE)
        finish(q, rc);
    else if (!more)
        finish(q, 0);
}

static void on_bound(void *user, int result)
{
    struct query *q = user;
    int rc = result ? result : tw_consumer_query_service_state(q->consumer, false, on_state, q);

    if (rc)
        finish(q, rc);
}

/* Until the answer is there, or it has taken too long. */
static int wait(struct query *q)
{
    uint64_t end = tw_clock_ns(CLOCK_MONOTONIC) + ANSWER_NS;

    while (!q->done) {
        uint64_t now = tw_clock_ns(CLOCK_MONOTONIC);
        struct pollfd p = {.fd = tw_consumer_fd(q->consumer),
                           .events = (short)tw_consumer_events(q->consumer)};

        if (now >= end)
            return -ETIMEDOUT;
        if (poll(&p, 1, (int)((end - now) / TW_NS_PER_MS) + 1) < 0 && errno != EINTR)
            return -errno;
        if (tw_consumer_dispatch(q->consumer) == TW_E_CLOSED)
            finish(q, TW_E_CLOSED);
    }
    return q->result;
}

static int print(const struct query *q, bool raw, bool long_lines)
{
    if (!raw)
        return tw_record_print_state(tw_buf_bytes(&q->state), long_lines);
    if (q->state.n && fwrite(q->state.p, 1, q->state.n, stdout) != q->state.n)
        return -EIO;
    return 0;
}

int tw_record_query(const char *socket, bool raw, bool long_lines)
{
    struct query q = {.state = TW_BUF_INIT(STATE_MAX)};
    int rc = tw_consumer_connect(socket, on_bound, &q, &q.consumer);

    if (rc) {
        tw_complain("record", "cannot reach a service at %s: %s", socket,
                    rc == TW_E_INVALID ? "not an address of a socket" : tw_err_str(rc));
        return rc == TW_E_INVALID ? TW_EXIT_USAGE : TW_EXIT_UNREACHABLE;
    }
    rc = wait(&q);
    if (!rc)
        rc = print(&q, raw, long_lines);
    if (rc)
        tw_complain("record", "asking the service: %s", tw_err_str(rc));
    tw_consumer_free(q.consumer);
    tw_buf_deinit(&q.state);
    return rc ? TW_EXIT_REFUSED : TW_EXIT_OK;
}
