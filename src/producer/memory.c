/* SPDX-License-Identifier: Apache-2.0 */
/* The memory that chunks lie in: the service's, or our own, and what comes out of it. */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/macros.h"
#include "base/req.h"
#include "frame/pump.h"
#include "producer/endpoint.h"

/* ---- what the writers want ---- */

static void commit_now(void *user)
{
    struct tw_producer *p = user;

    /* Another thread than the one that made the memory may be the producer's: it is awake. */
    if (!tw_endpoint_try_lock(p))
        return;
    /* From a writer, maybe inside a callback: the connection must not go now. */
    if (p->link == TW_LINK_UP && !p->failed) {
        tw_endpoint_send_written(p);
        if (tw_pump_out(p->sock_io.fd, &p->client.tx) > TW_MORE)
            p->failed = true;
    }
    tw_endpoint_unlock(p);
}

void tw_endpoint_on_wake(struct tw_io *io, uint32_t events)
{
    struct tw_producer *p = TW_CONTAINER_OF(io, struct tw_producer, wake_io);
    uint64_t count;
    ssize_t n = read(io->fd, &count, sizeof(count));

    (void)events;
    (void)n; /* it was readable; and if not, looking costs nothing */
    if (tw_arbiter_wake(p->arbiter, false) == TW_WAKE_BATCH) {
        if (!tw_timer_is_set(&p->batch))
            tw_endpoint_set_timer(p, &p->batch, p->config.batch_ms * TW_NS_PER_MS);
        return;
    }
    tw_endpoint_send_waiting(p);
    tw_endpoint_settle(p);
}

void tw_endpoint_on_batch(struct tw_timer *timer)
{
    struct tw_producer *p = TW_CONTAINER_OF(timer, struct tw_producer, batch);

    tw_endpoint_send_waiting(p);
    tw_endpoint_settle(p);
}

/* ---- there ---- */

/* Takes the memory. */
static int use_memory(struct tw_producer *p, struct tw_shm *shm, size_t page_size)
{
    struct tw_arbiter_config config = {
        .page_size = page_size,
        .layout = p->layout,
        .direct_patching = p->direct_patching,
        .batching = p->config.batch_ms > 0,
        .commit_now = commit_now,
        .user = p,
    };
    int r = tw_arbiter_new(&p->arbiter, shm, &config);

    tw_shm_deinit(shm); /* empty if the arbiter has it */
    if (r)
        return r;
    p->wake_io.fd = p->arbiter->event_fd;
    r = tw_loop_add(p->loop, &p->wake_io);
    if (r) {
        p->wake_io.fd = -1;
        tw_arbiter_unref(p->arbiter);
        p->arbiter = NULL;
    }
    return r;
}

static int make_memory(struct tw_producer *p, size_t size, size_t page_size)
{
    struct tw_shm_sizes sizes = tw_shm_sizes_for(size, page_size);
    struct tw_shm shm = TW_SHM_INIT;
    int r = tw_shm_create(&shm, sizes.size);

    return r ? r : use_memory(p, &shm, sizes.page_size);
}

int tw_endpoint_reserve_frame(struct tw_producer *p)
{
    if (!p->frame)
        p->frame = malloc(TW_INLINE_REQUEST_MAX);
    return p->frame ? 0 : -ENOMEM;
}

int tw_endpoint_setup_memory(struct tw_producer *p, size_t page_size)
{
    struct tw_shm shm = TW_SHM_INIT;
    int r, fd;

    if (p->inlined) {
        REQ("TW-PROD-070");
        REQ("TW-LIM-205");
        p->direct_patching = true; /* nobody else looks at it */
        return make_memory(p, p->config.shm_size ? p->config.shm_size : TW_INLINE_MEMORY,
                           page_size);
    }
    REQ("TW-PROD-078");
    fd = tw_rx_take_fd(&p->client.rx);
    r = tw_shm_adopt(&shm, &fd, TW_SHM_SEALS_SHRINK);
    return r ? r : use_memory(p, &shm, page_size);
}

int tw_endpoint_own_memory(struct tw_producer *p)
{
    int r;

    p->direct_patching = false; /* a service that does not support it may come */
    r = make_memory(p, p->config.shm_size, p->config.shm_page_size);
    p->own_memory = r == 0;
    return r;
}

/* ---- and gone ---- */

static void drop_instances(struct tw_producer *p)
{
    tw_endpoint_stop_instances(p);
    while (p->instances)
        tw_endpoint_forget_instance(p, p->instances);
}

void tw_endpoint_drop_memory(struct tw_producer *p)
{
    tw_timer_clear(tw_loop_timers(p->loop), &p->batch);
    if (p->arbiter) {
        tw_loop_del(p->loop, &p->wake_io);
        p->wake_io.fd = -1;
        tw_arbiter_kill(p->arbiter);
    }
    drop_instances(p);
    tw_startup_forget(p);
    tw_arbiter_unref(p->arbiter);
    p->arbiter = NULL;
    p->own_memory = false;
    p->registered = NULL;
    p->walk = (struct tw_smb_walk){0};
    free(p->frame);
    p->frame = NULL;
}
