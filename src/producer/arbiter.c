/* SPDX-License-Identifier: Apache-2.0 */
#include "producer/arbiter.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/req.h"
#include "base/timers.h"
#include "producer/instance.h"

/* Nanoseconds between two looks for a free chunk: the service gives no sign, so the memory has to
 * be watched. */
#define STALL_FIRST_NS   UINT64_C(20000)
#define STALL_LONGEST_NS (UINT64_C(5) * TW_NS_PER_MS)

enum { IDS_BYTES = (TW_WRITER_ID_MAX + 1) / 8 };

static int init_parts(struct tw_arbiter *a, size_t size, size_t page_size)
{
    int r = tw_commits_init(&a->commits, size / page_size * tw_layout_chunks((uint32_t)a->layout));

    if (r)
        return r;
    a->ids = calloc(1, IDS_BYTES);
    if (!a->ids)
        return -ENOMEM;
    a->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (a->event_fd < 0)
        return -errno;
    r = pthread_mutex_init(&a->lock, NULL);
    return r ? -r : 0;
}

static void free_parts(struct tw_arbiter *a)
{
    tw_commits_deinit(&a->commits);
    tw_fd_close(&a->event_fd);
    free(a->ids);
    free(a);
}

int tw_arbiter_new(struct tw_arbiter **ret_arbiter, struct tw_shm *shm,
                   const struct tw_arbiter_config *config)
{
    struct tw_smb smb;
    struct tw_arbiter *a;
    int r = tw_smb_init(&smb, shm->p, shm->size, config->page_size);

    if (r)
        return r;
    a = calloc(1, sizeof(*a));
    if (!a)
        return -ENOMEM;
    a->smb = smb;
    a->shm = TW_SHM_INIT;
    a->event_fd = -1;
    a->layout = config->layout;
    a->direct_patching = config->direct_patching;
    a->batching = config->batching;
    a->pid = getpid();
    atomic_init(&a->owner, pthread_self());
    atomic_init(&a->until_ns, TW_NEVER);
    a->commit_now = config->commit_now;
    a->user = config->user;
    atomic_init(&a->refs, 1);
    r = init_parts(a, shm->size, config->page_size);
    if (r) {
        free_parts(a);
        return r;
    }
    a->shm = *shm;
    *shm = TW_SHM_INIT;
    *ret_arbiter = a;
    return 0;
}

struct tw_arbiter *tw_arbiter_ref(struct tw_arbiter *arbiter)
{
    atomic_fetch_add_explicit(&arbiter->refs, 1, memory_order_relaxed);
    return arbiter;
}

static void free_gone(struct tw_arbiter *a)
{
    while (a->regs_gone) {
        struct tw_writer_reg *reg = a->regs_gone;

        a->regs_gone = reg->next_gone;
        free(reg);
    }
}

void tw_arbiter_unref(struct tw_arbiter *arbiter)
{
    if (!arbiter || atomic_fetch_sub_explicit(&arbiter->refs, 1, memory_order_acq_rel) != 1)
        return;
    free_gone(arbiter);
    tw_shm_deinit(&arbiter->shm);
    if (arbiter->pid == getpid())
        pthread_mutex_destroy(&arbiter->lock);
    free_parts(arbiter);
}

void tw_arbiter_end_by(struct tw_arbiter *arbiter, uint64_t until_ns)
{
    atomic_store(&arbiter->owner, pthread_self());
    atomic_store(&arbiter->until_ns, until_ns);
}

void tw_arbiter_kill(struct tw_arbiter *arbiter)
{
    struct tw_instance *stopped;

    atomic_store(&arbiter->dead, true);
    atomic_fetch_add(&arbiter->flush_generation, 1);
    pthread_mutex_lock(&arbiter->lock);
    arbiter->regs_new = NULL; /* nobody will be told; the writers give them back */
    stopped = arbiter->stopped;
    arbiter->stopped = NULL;
    pthread_mutex_unlock(&arbiter->lock);
    tw_instance_unref_list(stopped);
}

void tw_arbiter_leave(struct tw_arbiter *arbiter)
{
    atomic_store(&arbiter->dead, true);
    tw_shm_deinit(&arbiter->shm);
    tw_fd_close(&arbiter->event_fd);
}

/* Not with the lock held: whoever is woken wants it, too. What was added under it before is either
 * taken by then or, since the endpoint first takes wake back and then the lock, asked for anew. */
static void want(struct tw_arbiter *a, uint32_t wake)
{
    uint32_t now = atomic_load(&a->wake);
    uint64_t one = 1;
    ssize_t n;

    do {
        if (wake <= now)
            return;
    } while (!atomic_compare_exchange_weak(&a->wake, &now, wake));
    n = write(a->event_fd, &one, sizeof(one));
    (void)n; /* fails only when it is readable anyway */
}

/* ---- writers ---- */

/* Round about, so that an id is used again as late as possible. */
static uint16_t find_id(const struct tw_arbiter *a)
{
    REQ("TW-SHM-044");
    uint32_t id = a->last_id;

    for (int i = 0; i < TW_WRITER_ID_MAX; i++) {
        id = id % TW_WRITER_ID_MAX + 1;
        if (!(a->ids[id / 8] & 1u << id % 8))
            return (uint16_t)id;
    }
    return 0;
}

int tw_arbiter_add_writer(struct tw_arbiter *arbiter, uint32_t target_buffer,
                          struct tw_writer_reg **ret_reg)
{
    struct tw_writer_reg *reg;
    int r = 0;

    if (arbiter->pid != getpid())
        return TW_E_CLOSED;
    reg = calloc(1, sizeof(*reg));
    if (!reg)
        return -ENOMEM;
    reg->target_buffer = target_buffer;
    pthread_mutex_lock(&arbiter->lock);
    reg->id = find_id(arbiter);
    if (atomic_load(&arbiter->dead)) {
        r = TW_E_CLOSED;
    } else if (!reg->id) {
        r = TW_E_LIMIT;
    } else if ((r = tw_commits_reserve(&arbiter->commits, arbiter->n_writers + 1)) == 0) {
        arbiter->n_writers++;
        arbiter->ids[reg->id / 8] |= (uint8_t)(1u << reg->id % 8);
        arbiter->last_id = reg->id;
        reg->next_new = arbiter->regs_new;
        arbiter->regs_new = reg;
    }
    pthread_mutex_unlock(&arbiter->lock);
    if (r) {
        free(reg);
        return r;
    }
    want(arbiter, TW_WAKE_URGENT);
    *ret_reg = reg;
    return 0;
}

void tw_arbiter_remove_writer(struct tw_arbiter *arbiter, struct tw_writer_reg *reg)
{
    pthread_mutex_lock(&arbiter->lock);
    reg->next_gone = arbiter->regs_gone;
    arbiter->regs_gone = reg;
    pthread_mutex_unlock(&arbiter->lock);
    want(arbiter, TW_WAKE_URGENT);
}

static int try_page(struct tw_arbiter *a, uint32_t page, const struct tw_chunk_header *header,
                    struct tw_smb_chunk *ret_chunk)
{
    volatile struct tw_shared *p = tw_shared_at(a->smb.base, page * a->smb.page_size);
    uint32_t bitmap = tw_page_load(p);

    if (bitmap == 0) {
        int r = tw_smb_partition(&a->smb, page, a->layout);

        (void)r; /* when another thread was faster, its chunks will do */
        bitmap = tw_page_load(p);
    }
    for (uint32_t i = 0; i < tw_layout_chunks(tw_bitmap_layout(bitmap)); i++)
        if (tw_bitmap_state(bitmap, i) == TW_CHUNK_FREE &&
            tw_smb_acquire_for_writing(&a->smb, page, i, header, ret_chunk) == 0)
            return 0;
    return TW_E_LIMIT;
}

/* Everybody begins at another page, or as many threads as look at once would each lose to all that
 * are faster; and round about, where what the service has read longest ago is free first. */
static int try_pages(struct tw_arbiter *a, const struct tw_chunk_header *header,
                     struct tw_smb_chunk *ret_chunk)
{
    uint32_t n = (uint32_t)a->smb.n_pages;
    uint32_t first = atomic_fetch_add_explicit(&a->next_page, 1, memory_order_relaxed);

    for (uint32_t i = 0; i < n; i++) {
        if (try_page(a, (first + i) % n, header, ret_chunk))
            continue;
        if (i > 0)
            atomic_store_explicit(&a->next_page, first + i + 1, memory_order_relaxed);
        return 0;
    }
    return TW_E_LIMIT;
}

static void nap(uint64_t ns)
{
    struct timespec ts = {.tv_nsec = (long)ns};

    nanosleep(&ts, NULL);
}

static void make_room(struct tw_arbiter *a)
{
    if (a->commit_now && pthread_equal(atomic_load(&a->owner), pthread_self()))
        a->commit_now(a->user);
    else
        tw_arbiter_flush(a);
}

/* Whether there is still time; the wait begins with the first look. */
static bool may_wait(const struct tw_arbiter *a, uint64_t *until_ns)
{
    REQ("TW-SEC-008");
    uint64_t now = tw_clock_ns(CLOCK_MONOTONIC);

    if (*until_ns == 0)
        *until_ns = now + TW_STALL_MAX_MS * TW_NS_PER_MS;
    return now < *until_ns && now < atomic_load(&a->until_ns);
}

int tw_arbiter_acquire(struct tw_arbiter *arbiter, const struct tw_chunk_header *header,
                       uint64_t *until_ns, struct tw_smb_chunk *ret_chunk)
{
    uint64_t pause = STALL_FIRST_NS;

    for (;;) {
        if (atomic_load_explicit(&arbiter->dead, memory_order_relaxed))
            return TW_E_CLOSED;
        if (try_pages(arbiter, header, ret_chunk) == 0)
            return 0;
        if (!until_ns || !may_wait(arbiter, until_ns))
            return TW_E_LIMIT;
        make_room(arbiter);
        nap(pause);
        pause = pause * 2 < STALL_LONGEST_NS ? pause * 2 : STALL_LONGEST_NS;
    }
}

/* How soon so many chunks of this size have to go. */
static enum tw_wake urgency(const struct tw_arbiter *a, size_t n_chunks, size_t chunk_size)
{
    return a->batching && n_chunks * chunk_size < a->smb.size / 2 ? TW_WAKE_BATCH : TW_WAKE_URGENT;
}

/* A lock, and not a queue without one: it is held for a copy of some words, once a chunk, which is
 * once in hundreds of packets, and patches have to find the chunks they are for. What many threads
 * that do nothing but write take of a processor for each event is what bench/bench_producer.c
 * prints beside one's. */
void tw_arbiter_return(struct tw_arbiter *arbiter, const struct tw_move *chunk, uint8_t flags)
{
    struct tw_move move = *chunk;
    size_t n_waiting;
    int r = 0;

    move.open = arbiter->direct_patching && (flags & TW_CHUNK_NEEDS_PATCHING);
    if (!move.open)
        r = tw_smb_release_as_complete(&arbiter->smb, &move.chunk);
    pthread_mutex_lock(&arbiter->lock);
    if (!r)
        r = tw_commits_add_move(&arbiter->commits, &move);
    arbiter->broken += r != 0;
    n_waiting = arbiter->commits.moves.n;
    pthread_mutex_unlock(&arbiter->lock);
    if (!r)
        want(arbiter, urgency(arbiter, n_waiting, move.chunk.payload_size + TW_CHUNK_HEADER_SIZE));
}

/* With the lock held: into the chunk itself, as long as it is still ours. */
static bool patch_in_place(struct tw_arbiter *a, const struct tw_late_patch *patch)
{
    struct tw_move *move = tw_commits_find_open(&a->commits, patch->writer_id, patch->chunk_id);
    struct tw_chunk_header header;

    if (!move || move->chunk.payload_size < sizeof(patch->bytes) ||
        patch->offset > move->chunk.payload_size - sizeof(patch->bytes))
        return false;
    memcpy(tw_shared_own(move->chunk.payload) + patch->offset, patch->bytes, sizeof(patch->bytes));
    if (patch->has_more)
        return true;
    header = tw_chunk_load(move->chunk.header);
    tw_chunk_store_packets(move->chunk.header, header.n_packets,
                           header.flags & (uint8_t)~TW_CHUNK_NEEDS_PATCHING);
    move->open = false;
    if (tw_smb_release_as_complete(&a->smb, &move->chunk))
        a->broken++;
    return true;
}

void tw_arbiter_patch(struct tw_arbiter *arbiter, const struct tw_late_patch *patch)
{
    bool queued;

    pthread_mutex_lock(&arbiter->lock);
    queued = !patch_in_place(arbiter, patch);
    if (queued && tw_commits_add_patch(&arbiter->commits, patch)) {
        arbiter->broken++;
        queued = false;
    }
    pthread_mutex_unlock(&arbiter->lock);
    if (queued && !patch->has_more)
        want(arbiter, TW_WAKE_URGENT);
}

void tw_arbiter_flush(struct tw_arbiter *arbiter)
{
    want(arbiter, TW_WAKE_URGENT);
}

void tw_arbiter_instance_done(struct tw_arbiter *arbiter, struct tw_instance *instance)
{
    bool dead;

    if (arbiter->pid != getpid()) {
        tw_instance_unref(instance);
        return;
    }
    pthread_mutex_lock(&arbiter->lock);
    dead = atomic_load(&arbiter->dead);
    if (!dead) {
        instance->next_stopped = arbiter->stopped;
        arbiter->stopped = instance;
    }
    pthread_mutex_unlock(&arbiter->lock);
    if (dead)
        tw_instance_unref(instance);
    else
        want(arbiter, TW_WAKE_URGENT);
}

/* ---- the endpoint ---- */

size_t tw_arbiter_take_moves(struct tw_arbiter *arbiter, struct tw_move *out, size_t max)
{
    size_t n;

    pthread_mutex_lock(&arbiter->lock);
    n = tw_commits_take_moves(&arbiter->commits, out, max);
    for (size_t i = 0; i < n; i++)
        if (out[i].open && tw_smb_release_as_complete(&arbiter->smb, &out[i].chunk))
            arbiter->broken++;
    pthread_mutex_unlock(&arbiter->lock);
    return n;
}

size_t tw_arbiter_take_patches(struct tw_arbiter *arbiter, struct tw_late_patch *out, size_t max)
{
    size_t n;

    pthread_mutex_lock(&arbiter->lock);
    n = tw_commits_take_patches(&arbiter->commits, out, max);
    pthread_mutex_unlock(&arbiter->lock);
    return n;
}

struct tw_writer_reg *tw_arbiter_take_new(struct tw_arbiter *arbiter)
{
    struct tw_writer_reg *reg;

    pthread_mutex_lock(&arbiter->lock);
    reg = arbiter->regs_new;
    if (reg)
        arbiter->regs_new = reg->next_new;
    pthread_mutex_unlock(&arbiter->lock);
    return reg;
}

static bool nothing_to_commit(const struct tw_arbiter *a)
{
    return !a->regs_new && a->commits.moves.n == 0 && a->commits.patches.n == 0;
}

struct tw_writer_reg *tw_arbiter_take_gone(struct tw_arbiter *arbiter)
{
    struct tw_writer_reg *reg = NULL;

    pthread_mutex_lock(&arbiter->lock);
    if (nothing_to_commit(arbiter) && arbiter->regs_gone) {
        reg = arbiter->regs_gone;
        arbiter->regs_gone = reg->next_gone;
    }
    pthread_mutex_unlock(&arbiter->lock);
    return reg;
}

void tw_arbiter_free_writer(struct tw_arbiter *arbiter, struct tw_writer_reg *reg)
{
    pthread_mutex_lock(&arbiter->lock);
    arbiter->ids[reg->id / 8] &= (uint8_t) ~(1u << reg->id % 8);
    pthread_mutex_unlock(&arbiter->lock);
    free(reg);
}

struct tw_instance *tw_arbiter_take_stopped(struct tw_arbiter *arbiter)
{
    struct tw_instance *instance = NULL;

    pthread_mutex_lock(&arbiter->lock);
    if (nothing_to_commit(arbiter) && !arbiter->regs_gone && arbiter->stopped) {
        instance = arbiter->stopped;
        arbiter->stopped = instance->next_stopped;
        instance->next_stopped = NULL;
    }
    pthread_mutex_unlock(&arbiter->lock);
    return instance;
}

bool tw_arbiter_is_empty(struct tw_arbiter *arbiter)
{
    bool empty;

    pthread_mutex_lock(&arbiter->lock);
    empty = nothing_to_commit(arbiter) && !arbiter->regs_gone && !arbiter->stopped;
    pthread_mutex_unlock(&arbiter->lock);
    return empty;
}

enum tw_wake tw_arbiter_wake(struct tw_arbiter *arbiter, bool reset)
{
    return (enum tw_wake)(reset ? atomic_exchange(&arbiter->wake, TW_WAKE_NONE)
                                : atomic_load(&arbiter->wake));
}
