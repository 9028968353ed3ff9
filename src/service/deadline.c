/* SPDX-License-Identifier: Apache-2.0 */
#include "service/deadline.h"

#include "base/clock.h"
#include "base/req.h"
#include "service/core.h"

static bool introduced(const struct tw_service_conn *conn)
{
    return conn->port == TW_SERVICE_PRODUCER ? conn->producer || conn->relay
                                             : conn->host.state == TW_HOST_STATE_BOUND;
}

static void on_timer(struct tw_timer *timer)
{
    struct tw_service_conn *conn = TW_CONTAINER_OF(timer, struct tw_service_conn, deadline.timer);

    tw_conn_doom(conn, introduced(conn) ? "TW-LIM-068: the rest of a frame does not come"
                                        : "TW-LIM-068: it does not say who it is");
}

static int set(struct tw_service_conn *conn)
{
    REQ("TW-LIM-068");
    struct tw_service *service = conn->service;
    uint32_t ms = service->options.patience_ms ? service->options.patience_ms : TW_PATIENCE_MS;

    return tw_timer_set(service->timers, &conn->deadline.timer,
                        tw_service_now(service, CLOCK_MONOTONIC) + ms * TW_NS_PER_MS);
}

int tw_deadline_begin(struct tw_service_conn *conn)
{
    conn->deadline.timer.fn = on_timer;
    return set(conn);
}

void tw_deadline_look(struct tw_service_conn *conn, bool idle)
{
    struct tw_deadline *d = &conn->deadline;
    const struct tw_rx *rx = &conn->host.rx;

    if (!introduced(conn))
        return; /* the time since it connected counts */
    if (!idle || tw_rxbuf_pending(&rx->buf).n == 0) {
        tw_timer_clear(conn->service->timers, &d->timer);
        return;
    }
    if (tw_timer_is_set(&d->timer) && d->frame == rx->offset)
        return; /* more of it came: all of it has to come in time */
    d->frame = rx->offset;
    if (set(conn))
        tw_conn_doom(conn, "out of memory for a timer");
}

void tw_deadline_end(struct tw_service_conn *conn)
{
    tw_timer_clear(conn->service->timers, &conn->deadline.timer);
}
