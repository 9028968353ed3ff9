/* SPDX-License-Identifier: Apache-2.0 */
#include "producer/startup.h"

#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/macros.h"
#include "base/req.h"
#include "producer/endpoint.h"

/* ---- whose it is ---- */

static struct tw_startup *find(const struct tw_producer *p, uint32_t target_buffer)
{
    struct tw_startup *s = p->startups;

    while (s && s->reserved != target_buffer)
        s = s->next;
    return s;
}

uint32_t tw_startup_target(const struct tw_producer *p, uint32_t target_buffer)
{
    const struct tw_startup *s = find(p, target_buffer);

    return s ? s->target_buffer : target_buffer;
}

bool tw_startup_waits(const struct tw_producer *p)
{
    for (const struct tw_startup *s = p->startups; s; s = s->next)
        if (s->state == TW_STARTUP_WAITING)
            return true;
    return false;
}

static bool holds(const struct tw_startup *s)
{
    return s->held_new || s->held_gone || s->held.moves.n || s->held.patches.n;
}

/* The first that is bound and still holds something. */
static struct tw_startup *ready(const struct tw_producer *p)
{
    struct tw_startup *s = p->startups;

    while (s && (s->state != TW_STARTUP_BOUND || !holds(s)))
        s = s->next;
    return s;
}

bool tw_startup_ready(const struct tw_producer *p)
{
    return ready(p) != NULL;
}

/* ---- lost ---- */

/* A packet counts where it ends. */
static void lose(struct tw_producer *p, const struct tw_move *move)
{
    struct tw_chunk_header header = tw_chunk_load(move->chunk.header);
    uint32_t goes_on = header.n_packets && header.flags & TW_CHUNK_LAST_CONTINUES;

    p->stats.startup_lost += header.n_packets - goes_on;
    TW_IGNORE(tw_smb_release_as_sent(&p->arbiter->smb, &move->chunk)); /* as good as sent */
}

static void free_gone(struct tw_producer *p, struct tw_startup *s)
{
    while (s->held_gone) {
        struct tw_writer_reg *reg = s->held_gone;

        s->held_gone = reg->next_gone;
        tw_arbiter_free_writer(p->arbiter, reg);
    }
}

static void lose_held(struct tw_producer *p, struct tw_startup *s)
{
    struct tw_move move;

    while (tw_commits_take_moves(&s->held, &move, 1))
        lose(p, &move);
    tw_commits_deinit(&s->held);
    s->held_new = NULL;
    free_gone(p, s);
}

/* ---- held back, or not ---- */

/* Whether the move may be sent, and where to. */
static bool pass_move(struct tw_producer *p, struct tw_move *move)
{
    struct tw_startup *s = find(p, move->target_buffer);

    if (!s)
        return true;
    if (s->state == TW_STARTUP_BOUND) {
        move->target_buffer = s->target_buffer;
        return true;
    }
    if (s->state == TW_STARTUP_GIVEN_UP || tw_commits_add_move(&s->held, move))
        lose(p, move);
    return false;
}

size_t tw_startup_take_moves(struct tw_producer *p, struct tw_move *out, size_t max)
{
    struct tw_startup *s = ready(p);
    size_t taken, n = 0;

    taken = s ? tw_commits_take_moves(&s->held, out, max) : 0;
    for (size_t i = 0; i < taken; i++)
        out[i].target_buffer = s->target_buffer;
    if (taken)
        return taken;
    while (n == 0 && (taken = tw_arbiter_take_moves(p->arbiter, out, max)) > 0)
        for (size_t i = 0; i < taken; i++)
            if (pass_move(p, &out[i]))
                out[n++] = out[i];
    return n;
}

static bool pass_patch(struct tw_producer *p, struct tw_late_patch *patch)
{
    struct tw_startup *s = find(p, patch->target_buffer);

    if (!s)
        return true;
    if (s->state == TW_STARTUP_BOUND)
        patch->target_buffer = s->target_buffer;
    else if (s->state == TW_STARTUP_WAITING)
        TW_IGNORE(tw_commits_add_patch(&s->held, patch)); /* has room, or its chunk is lost */
    return s->state == TW_STARTUP_BOUND;
}

size_t tw_startup_take_patches(struct tw_producer *p, struct tw_late_patch *out, size_t max)
{
    struct tw_startup *s = ready(p);
    size_t taken, n = 0;

    taken = s ? tw_commits_take_patches(&s->held, out, max) : 0;
    for (size_t i = 0; i < taken; i++)
        out[i].target_buffer = s->target_buffer;
    if (taken)
        return taken;
    while (n == 0 && (taken = tw_arbiter_take_patches(p->arbiter, out, max)) > 0)
        for (size_t i = 0; i < taken; i++)
            if (pass_patch(p, &out[i]))
                out[n++] = out[i];
    return n;
}

struct tw_writer_reg *tw_startup_take_new(struct tw_producer *p, uint32_t *ret_target_buffer)
{
    struct tw_startup *s = ready(p);
    struct tw_writer_reg *reg;

    if (s && s->held_new) {
        reg = s->held_new;
        s->held_new = reg->next_new;
        *ret_target_buffer = s->target_buffer;
        return reg;
    }
    while ((reg = tw_arbiter_take_new(p->arbiter))) {
        s = find(p, reg->target_buffer);
        if (!s || s->state == TW_STARTUP_BOUND) {
            *ret_target_buffer = s ? s->target_buffer : reg->target_buffer;
            return reg;
        }
        if (s->state == TW_STARTUP_WAITING) {
            reg->next_new = s->held_new;
            s->held_new = reg;
        }
    }
    return NULL;
}

struct tw_writer_reg *tw_startup_take_gone(struct tw_producer *p)
{
    struct tw_startup *s = ready(p);
    struct tw_writer_reg *reg;

    if (s && s->held_gone && !s->held_new && !s->held.moves.n && !s->held.patches.n) {
        reg = s->held_gone;
        s->held_gone = reg->next_gone;
        return reg;
    }
    while ((reg = tw_arbiter_take_gone(p->arbiter))) {
        s = find(p, reg->target_buffer);
        if (!s || s->state == TW_STARTUP_BOUND)
            return reg;
        reg->next_gone = s->held_gone;
        s->held_gone = reg;
        if (s->state == TW_STARTUP_GIVEN_UP)
            free_gone(p, s);
    }
    return NULL;
}

/* ---- a session, or none ---- */

struct tw_instance *tw_startup_bind(struct tw_producer *p, const struct tw_data_source *source,
                                    struct tw_bytes config, uint32_t target_buffer)
{
    REQ("TW-PROD-072");
    for (struct tw_startup *s = p->startups; s; s = s->next) {
        if (s->state != TW_STARTUP_WAITING || s->instance->source != source ||
            (s->matches && !s->matches(source->user, config)))
            continue;
        s->state = TW_STARTUP_BOUND;
        s->target_buffer = target_buffer;
        return s->instance;
    }
    return NULL;
}

void tw_startup_give_up(struct tw_producer *p, const struct tw_instance *instance)
{
    struct tw_startup *s = find(p, instance->target_buffer);

    REQ("TW-PROD-073");
    if (!s || s->state != TW_STARTUP_WAITING)
        return;
    s->state = TW_STARTUP_GIVEN_UP;
    lose_held(p, s);
}

void tw_startup_free(struct tw_producer *p)
{
    while (p->startups) {
        struct tw_startup *s = p->startups;

        p->startups = s->next;
        tw_commits_deinit(&s->held);
        free(s);
    }
}

void tw_startup_forget(struct tw_producer *p)
{
    struct tw_move move;

    while (p->startups && tw_arbiter_take_moves(p->arbiter, &move, 1))
        TW_IGNORE(pass_move(p, &move)); /* what is not held or lost now goes with the connection */
    for (struct tw_startup *s = p->startups; s; s = s->next)
        lose_held(p, s);
    tw_startup_free(p);
    tw_timer_clear(tw_loop_timers(p->loop), &p->startup);
}

/* When the next one is given up. */
static void set_timer(struct tw_producer *p)
{
    uint64_t due = TW_NEVER, now = tw_clock_ns(CLOCK_MONOTONIC);

    for (const struct tw_startup *s = p->startups; s; s = s->next)
        if (s->state == TW_STARTUP_WAITING && s->due_ns < due)
            due = s->due_ns;
    if (due != TW_NEVER)
        tw_endpoint_set_timer(p, &p->startup, due > now ? due - now : 0);
}

void tw_endpoint_on_startup(struct tw_timer *timer)
{
    struct tw_producer *p = TW_CONTAINER_OF(timer, struct tw_producer, startup);
    uint64_t now = tw_clock_ns(CLOCK_MONOTONIC);

    for (struct tw_startup *s = p->startups; s; s = s->next)
        if (s->state == TW_STARTUP_WAITING && s->due_ns <= now)
            tw_endpoint_stop_instance(p, s->instance);
    set_timer(p);
    if (p->link < TW_LINK_INITIALIZING && !tw_startup_waits(p))
        tw_endpoint_drop_memory(p); /* nobody is to get it */
    tw_endpoint_settle(p);
}

/* ---- begin ---- */

static int new_startup(struct tw_producer *p, const struct tw_startup_config *config,
                       struct tw_startup **ret_startup)
{
    uint32_t n = 0;
    struct tw_startup *s;
    int r;

    for (s = p->startups; s; s = s->next)
        n++;
    REQ("TW-LIM-207");
    if (n == TW_STARTUPS_MAX)
        return TW_E_LIMIT;
    s = calloc(1, sizeof(*s));
    if (!s)
        return -ENOMEM;
    r = tw_commits_init(&s->held, p->arbiter->commits.moves.cap);
    if (!r)
        r = tw_commits_reserve(&s->held, 0); /* each chunk that waits has its patches */
    if (r) {
        tw_commits_deinit(&s->held);
        free(s);
        return r;
    }
    s->reserved = TW_RESERVED_BUFFER + n;
    s->matches = config->matches;
    s->due_ns = config->timeout_ms
                    ? tw_clock_ns(CLOCK_MONOTONIC) + config->timeout_ms * TW_NS_PER_MS
                    : TW_NEVER;
    *ret_startup = s;
    return 0;
}

/* It stays off the lists on failure. */
static int new_instance(struct tw_producer *p, struct tw_startup *s, struct tw_bytes config)
{
    struct tw_source_config parsed;
    int r = tw_source_config_read(config, &parsed);

    if (r)
        return r;
    parsed.target_buffer = s->reserved;
    r = tw_instance_new(&s->instance, p->arbiter, 0, config, &parsed);
    if (r)
        return r;
    s->instance->waiting = true;
    s->next = p->startups;
    p->startups = s;
    return 0;
}

static int begin(struct tw_producer *p, struct tw_data_source *source,
                 const struct tw_startup_config *config)
{
    struct tw_startup *s;
    int r = new_startup(p, config, &s);

    if (r)
        return r;
    r = new_instance(p, s, config->config);
    if (r) {
        tw_commits_deinit(&s->held);
        free(s);
        return r;
    }
    set_timer(p);
    tw_endpoint_add_instance(p, source, s->instance);
    tw_endpoint_start_instance(s->instance);
    return 0;
}

static bool one_waits(const struct tw_producer *p, const struct tw_data_source *source)
{
    for (const struct tw_startup *s = p->startups; s; s = s->next)
        if (s->state == TW_STARTUP_WAITING && s->instance->source == source)
            return true;
    return false;
}

static int begin_if_possible(struct tw_producer *producer, const struct tw_startup_config *config)
{
    struct tw_data_source *source =
        tw_endpoint_find_source(producer, tw_bytes_of_str(config->name));
    int r = 0;

    REQ("TW-PROD-071");
    if (!source)
        return TW_E_NOT_FOUND;
    if (one_waits(producer, source))
        return TW_E_EXISTS;
    if (producer->n_instances == TW_PRODUCER_INSTANCES_MAX)
        return TW_E_LIMIT;
    if (!producer->arbiter)
        r = producer->link < TW_LINK_INITIALIZING && !producer->ended
                ? tw_endpoint_own_memory(producer)
                : TW_E_CLOSED;
    return r ? r : begin(producer, source, config);
}

int tw_producer_startup(struct tw_producer *producer, const struct tw_startup_config *config)
{
    int r;

    if (tw_endpoint_in_child(producer))
        return TW_E_CLOSED;
    tw_endpoint_lock(producer);
    r = begin_if_possible(producer, config);
    tw_endpoint_changed(producer);
    return r;
}
