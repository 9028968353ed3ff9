/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/req.h"
#include "service/core.h"
#include "service/machine.h"
#include "service/producer.h"
#include "service/scrape.h"
#include "service/session.h"

static int open_output_dir(struct tw_service *service)
{
    const char *dir = service->options.output_dir;

    if (!dir)
        return 0;
    service->output_dir = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    return service->output_dir < 0 ? -errno : 0;
}

static struct tw_service_tables *map_tables(void)
{
    void *p = mmap(NULL, sizeof(struct tw_service_tables), PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    return p == MAP_FAILED ? NULL : p;
}

int tw_service_new(struct tw_service **ret_service, const struct tw_service_options *options)
{
    REQ("TW-LIM-024");
    struct tw_service *service = calloc(1, sizeof(*service));
    int rc;

    if (!service)
        return -ENOMEM;
    service->tables = map_tables();
    if (!service->tables) {
        free(service);
        return -ENOMEM;
    }
    service->buffers = service->tables->buffers;
    service->producer_ids = service->tables->producer_ids;
    if (options)
        service->options = *options;
    service->n_cpus = (uint32_t)sysconf(_SC_NPROCESSORS_CONF);
    tw_accounts_init(&service->accounts, service->options.limits);
    service->timers = &service->own_timers;
    service->arena = TW_ARENA_INIT(TW_REQUEST_ARENA_MAX);
    service->scratch = TW_BUF_INIT(TW_SCAN_MESSAGE_MAX);
    service->body = TW_GATHER_INIT(TW_FRAME_PAYLOAD_MAX);
    tw_machine_own_name(service->machine_name);
    TAILQ_INIT(&service->scrapes);
    TAILQ_INIT(&service->relays);
    TAILQ_INIT(&service->conns);
    TAILQ_INIT(&service->producers);
    TAILQ_INIT(&service->sessions);
    service->output_dir = -1;
    rc = open_output_dir(service);
    if (rc) {
        tw_service_free(service);
        return rc;
    }
    *ret_service = service;
    return 0;
}

void tw_service_free(struct tw_service *service)
{
    struct tw_service_conn *conn;
    struct tw_producer *producer;
    struct tw_session *session;

    if (!service)
        return;
    while ((conn = TAILQ_FIRST(&service->conns)))
        tw_service_disconnect(conn);
    while ((session = TAILQ_FIRST(&service->sessions)))
        tw_session_free(session);
    while ((producer = TAILQ_FIRST(&service->producers))) /* those that have left */
        tw_producer_free(producer);
    tw_scrapes_end(service);
    tw_trigger_history_deinit(&service->trigger_history);
    tw_timers_deinit(&service->own_timers);
    tw_rxpool_deinit(&service->rxpool);
    tw_arena_deinit(&service->arena);
    tw_buf_deinit(&service->scratch);
    tw_gather_deinit(&service->body);
    tw_fd_close(&service->output_dir);
    (void)munmap(service->tables, sizeof(*service->tables));
    free(service);
}

uint64_t tw_service_now(const struct tw_service *service, clockid_t clock)
{
    if (service->options.clock_ns)
        return service->options.clock_ns(clock, service->options.user);
    return tw_clock_ns(clock);
}

void tw_turn_begin(struct tw_service *service)
{
    service->turn_ends_ns = tw_service_now(service, CLOCK_MONOTONIC) + TW_TURN_MS * TW_NS_PER_MS;
}

bool tw_turn_is_over(const struct tw_service *service)
{
    REQ("TW-LIM-162");
    return tw_service_now(service, CLOCK_MONOTONIC) >= service->turn_ends_ns;
}

void tw_service_arm(struct tw_service *service, struct tw_timer *timer, uint64_t delay_ms)
{
    uint64_t now = tw_service_now(service, CLOCK_MONOTONIC);

    if (tw_timer_set(service->timers, timer, now + delay_ms * TW_NS_PER_MS))
        timer->index = 0;
}

void tw_service_refused(struct tw_service *service, const struct tw_peer *peer, const char *what)
{
    if (service->options.refused)
        service->options.refused(*peer, what, service->options.user);
}

uint64_t tw_service_next_tick_ns(const struct tw_service *service)
{
    return tw_timers_next(service->timers);
}

void tw_service_tick(struct tw_service *service)
{
    tw_service_settle(service);
    tw_timers_run(service->timers, tw_service_now(service, CLOCK_MONOTONIC));
}
