/* SPDX-License-Identifier: Apache-2.0 */
#include "service/session_timers.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/req.h"
#include "service/clock_snapshot.h"
#include "service/file_writer.h"
#include "service/flush.h"
#include "service/own_packet.h"
#include "service/producer.h"
#include "service/service_events.h"
#include "service/session.h"

static uint32_t period_of(protobuf_c_boolean has, uint32_t ms)
{
    REQ("TW-LIM-029");
    return !has || ms == 0 ? 0 : ms < TW_PERIOD_MIN_MS ? TW_PERIOD_MIN_MS : ms;
}

static uint32_t snapshot_period(const struct tw_session *session)
{
    const Tw__TraceConfig__BuiltinDataSource *b = tw_builtin_sources(session);
    uint32_t ms = period_of(b->has_snapshot_interval_ms, b->snapshot_interval_ms);

    return ms ? ms : TW_SNAPSHOT_INTERVAL_MS;
}

static uint32_t flush_period(const struct tw_session *session)
{
    const Tw__TraceConfig *c = session->config;

    return tw_file_writer_flush_period(session,
                                       period_of(c->has_flush_period_ms, c->flush_period_ms));
}

static uint32_t clear_period(const struct tw_session *session)
{
    const Tw__TraceConfig__IncrementalStateConfig *c = session->config->incremental_state_config;

    return c ? period_of(c->has_clear_period_ms, c->clear_period_ms) : 0;
}

/* Timers stand still in suspend: one that counts it, until that time of CLOCK_BOOTTIME, looks at
 * the clock again and again. Of one that does not, the time is 0. */
static void arm_until(struct tw_session *session, struct tw_timer *timer, uint64_t boot_ns,
                      uint64_t ms)
{
    REQ("TW-LIM-096");
    bool looks_again = boot_ns && ms > TW_SUSPEND_CHECK_MS;

    tw_service_arm(session->service, timer, looks_again ? TW_SUSPEND_CHECK_MS : ms);
}

/* What is left until then, rounded up to milliseconds. */
static uint64_t left_ms(const struct tw_session *session, uint64_t boot_ns)
{
    uint64_t now = tw_service_now(session->service, CLOCK_BOOTTIME);

    return now >= boot_ns ? 0 : (boot_ns - now + TW_NS_PER_MS - 1) / TW_NS_PER_MS;
}

static void arm_duration(struct tw_session *session)
{
    REQ("TW-CONS-032");
    uint32_t ms = tw_triggers_duration_ms(session);

    if (tw_triggers_set_end(session))
        return;
    tw_timer_clear(session->service->timers, &session->duration); /* the wait for a trigger */
    if (!ms)
        return;
    if (session->config->prefer_suspend_clock_for_duration)
        session->ends_boot_ns =
            tw_service_now(session->service, CLOCK_BOOTTIME) + ms * TW_NS_PER_MS;
    arm_until(session, &session->duration, session->ends_boot_ns, ms);
}

static void on_duration(struct tw_timer *timer)
{
    struct tw_session *session = TW_CONTAINER_OF(timer, struct tw_session, duration);
    uint64_t ms = tw_triggers_set_end(session) ? 0 : left_ms(session, session->ends_boot_ns);

    if (ms)
        arm_until(session, timer, session->ends_boot_ns, ms);
    else
        tw_session_end(session);
}

static void on_stop_timeout(struct tw_timer *timer)
{
    tw_session_stop_timed_out(TW_CONTAINER_OF(timer, struct tw_session, stop_timeout));
}

static void on_slow_start(struct tw_timer *timer)
{
    REQ("TW-TRACE-043");
    REQ("TW-LIM-166");
    struct tw_session *session = TW_CONTAINER_OF(timer, struct tw_session, slow_start);
    struct tw_slow_sources slow = tw_slow_sources();
    const struct tw_instance *instance;

    TAILQ_FOREACH (instance, &session->instances, next)
        if (instance->state != TW_INSTANCE_STARTED)
            tw_slow_sources_add(&slow, instance);
    tw_event_slow(session, TW_LIFECYCLE_SLOW_START, &slow);
}

/* Also what makes the next read end with stats and begin with a sync marker. */
static void take_snapshot(struct tw_session *session)
{
    session->emit_sync_marker = true;
    session->emit_stats = true;
    tw_snapshot_clocks(session);
}

static void arm_snapshot(struct tw_session *session)
{
    REQ("TW-TRACE-047");
    uint32_t ms = snapshot_period(session);

    if (tw_builtin_sources(session)->prefer_suspend_clock_for_snapshot)
        session->snapshot_boot_ns =
            tw_service_now(session->service, CLOCK_BOOTTIME) + ms * TW_NS_PER_MS;
    arm_until(session, &session->snapshot, session->snapshot_boot_ns, ms);
}

static void on_snapshot(struct tw_timer *timer)
{
    struct tw_session *session = TW_CONTAINER_OF(timer, struct tw_session, snapshot);
    uint64_t ms = left_ms(session, session->snapshot_boot_ns);

    if (ms) {
        arm_until(session, timer, session->snapshot_boot_ns, ms);
        return;
    }
    take_snapshot(session);
    arm_snapshot(session);
}

static void on_flush_period(struct tw_timer *timer)
{
    struct tw_session *session = TW_CONTAINER_OF(timer, struct tw_session, flush_period);

    tw_flush_periodic(session);
    tw_service_arm(session->service, timer, flush_period(session));
}

static void clear_of_producer(const struct tw_session *session, struct tw_producer *producer,
                              uint64_t *ids)
{
    struct tw_instance *instance;
    size_t n = 0;

    TAILQ_FOREACH (instance, &producer->instances, next_of_producer)
        if (instance->session == session && instance->source->clears_incremental)
            ids[n++] = instance->id;
    if (n)
        tw_producer_send_clear(producer, ids, n);
}

static void on_clear_period(struct tw_timer *timer)
{
    struct tw_session *session = TW_CONTAINER_OF(timer, struct tw_session, clear_period);
    uint64_t *ids = reallocarray(NULL, session->n_instances + 1, sizeof(*ids));
    struct tw_producer *producer;

    if (ids)
        TAILQ_FOREACH (producer, &session->service->producers, next)
            clear_of_producer(session, producer, ids);
    free(ids);
    tw_service_arm(session->service, timer, clear_period(session));
}

void tw_session_timers_init(struct tw_session *session)
{
    session->duration.fn = on_duration;
    session->stop_timeout.fn = on_stop_timeout;
    session->snapshot.fn = on_snapshot;
    session->flush_period.fn = on_flush_period;
    session->clear_period.fn = on_clear_period;
    session->slow_start.fn = on_slow_start;
}

void tw_session_timers_start(struct tw_session *session)
{
    take_snapshot(session);
    tw_service_arm(session->service, &session->slow_start, TW_SLOW_START_MS);
    arm_snapshot(session);
    arm_duration(session);
    if (flush_period(session))
        tw_service_arm(session->service, &session->flush_period, flush_period(session));
    if (clear_period(session))
        tw_service_arm(session->service, &session->clear_period, clear_period(session));
    tw_file_writer_start(session);
}

void tw_session_timers_clear(struct tw_session *session)
{
    struct tw_timer *all[] = {&session->duration,     &session->stop_timeout, &session->snapshot,
                              &session->flush_period, &session->clear_period, &session->slow_start};

    for (size_t i = 0; i < TW_ARRAY_LEN(all); i++)
        tw_timer_clear(session->service->timers, all[i]);
}
