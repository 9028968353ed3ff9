/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The arbiter: shares one shared memory buffer among the writers of all threads, and gathers what
 * they hand over for the endpoint. One connection has one arbiter; it lives as long as anybody
 * holds it, so that writers outlive the connection. Thread-safe but where noted.
 */
#pragma once

#include <pthread.h>

#include "producer/commits.h"
#include "smb/shm.h"

struct tw_instance;

/* A writer as the service knows it. */
struct tw_writer_reg {
    struct tw_writer_reg *next_new, *next_gone;
    uint32_t target_buffer;
    uint16_t id;
};

enum tw_wake {
    TW_WAKE_NONE = 0,
    TW_WAKE_BATCH,  /* something waits, and may wait for the batch to fill */
    TW_WAKE_URGENT, /* to be sent now */
};

struct tw_arbiter {
    pid_t pid; /* that it belongs to: not a child's of fork() */
    _Atomic uint32_t refs;
    _Atomic bool dead; /* the connection is gone: nothing is accepted any more */
    /* Grows when writers have to give their chunks back: the service wants a flush, or is gone. */
    _Atomic uint32_t flush_generation;
    struct tw_shm shm;
    struct tw_smb smb;
    enum tw_page_layout layout;
    bool direct_patching; /* chunks that need patches are completed as late as possible */
    bool batching;
    int event_fd; /* readable when wake has grown */

    /* A writer on the endpoint's own thread must not wait for itself. */
    _Atomic pthread_t owner;
    _Atomic uint64_t until_ns; /* no writer waits for longer, in CLOCK_MONOTONIC */
    void (*commit_now)(void *user);
    void *user;

    /* Where to look for a free chunk, modulo how many pages there are. */
    _Atomic uint32_t next_page;
    _Atomic uint32_t wake; /* enum tw_wake: what the endpoint has been asked for */
    pthread_mutex_t lock;  /* of all below */
    struct tw_commits commits;
    struct tw_writer_reg *regs_new, *regs_gone;
    struct tw_instance *stopped; /* instances whose writers are done, each a reference */
    uint8_t *ids;                /* bitmap of writer ids in use */
    uint16_t last_id;
    size_t n_writers; /* ids in use */
    uint64_t broken;  /* chunks that the service took from under a writer */
};

struct tw_arbiter_config {
    size_t page_size;
    enum tw_page_layout layout;
    bool direct_patching, batching;
    void (*commit_now)(void *user); /* called on the creating thread only */
    void *user;
};

/* Takes *shm on success. TW_E_INVALID when page_size does not fit it, negative for want of memory
 * or descriptors. */
TW_MUST_USE int tw_arbiter_new(struct tw_arbiter **ret_arbiter, struct tw_shm *shm,
                               const struct tw_arbiter_config *config);
struct tw_arbiter *tw_arbiter_ref(struct tw_arbiter *arbiter);
void tw_arbiter_unref(struct tw_arbiter *arbiter);
/* The program leaves: the caller owns it from now on, and writers that wait for room do so until
 * then at the latest. */
void tw_arbiter_end_by(struct tw_arbiter *arbiter, uint64_t until_ns);
/* The connection is gone. Only its owner. */
void tw_arbiter_kill(struct tw_arbiter *arbiter);
/* The same in a child of fork(), where no writer is left that could use the memory, and nobody who
 * would give the lock back. What the writers hold of it stays until the child ends. */
void tw_arbiter_leave(struct tw_arbiter *arbiter);

/* ---- for writers ---- */

/* A new writer id. TW_E_LIMIT when all are in use, TW_E_CLOSED, -ENOMEM. */
TW_MUST_USE int tw_arbiter_add_writer(struct tw_arbiter *arbiter, uint32_t target_buffer,
                                      struct tw_writer_reg **ret_reg);
void tw_arbiter_remove_writer(struct tw_arbiter *arbiter, struct tw_writer_reg *reg);
/* A free chunk. With until_ns it is waited for: until then in CLOCK_MONOTONIC, which is set to
 * TW_STALL_MAX_MS from now where it is 0. TW_E_LIMIT when there is none, TW_E_CLOSED. */
TW_MUST_USE int tw_arbiter_acquire(struct tw_arbiter *arbiter, const struct tw_chunk_header *header,
                                   uint64_t *until_ns, struct tw_smb_chunk *ret_chunk);
/* The chunk is written, its header says so; flags are those in the header. */
void tw_arbiter_return(struct tw_arbiter *arbiter, const struct tw_move *chunk, uint8_t flags);
void tw_arbiter_patch(struct tw_arbiter *arbiter, const struct tw_late_patch *patch);
/* What waits is to be sent now. */
void tw_arbiter_flush(struct tw_arbiter *arbiter);
/* Hands over a reference to an instance whose writers are done. */
void tw_arbiter_instance_done(struct tw_arbiter *arbiter, struct tw_instance *instance);

/* ---- for the endpoint ---- */

/* Takes what waits: chunks are completed. Each returns how many. To be called in turns, for patches
 * wait only for the moves in front of them. */
size_t tw_arbiter_take_moves(struct tw_arbiter *arbiter, struct tw_move *out, size_t max);
size_t tw_arbiter_take_patches(struct tw_arbiter *arbiter, struct tw_late_patch *out, size_t max);
/* One writer to be registered, or NULL; stays the arbiter's. */
struct tw_writer_reg *tw_arbiter_take_new(struct tw_arbiter *arbiter);
/* One writer to be unregistered, or NULL; only when no moves and patches wait. To be given back by
 * tw_arbiter_free_writer(). */
struct tw_writer_reg *tw_arbiter_take_gone(struct tw_arbiter *arbiter);
void tw_arbiter_free_writer(struct tw_arbiter *arbiter, struct tw_writer_reg *reg);
/* One instance to be reported stopped, with its reference, or NULL; only when nothing else waits.
 */
struct tw_instance *tw_arbiter_take_stopped(struct tw_arbiter *arbiter);
/* Whether nothing of all this waits. */
bool tw_arbiter_is_empty(struct tw_arbiter *arbiter);
/* What is wanted; reset sets it back to TW_WAKE_NONE. */
enum tw_wake tw_arbiter_wake(struct tw_arbiter *arbiter, bool reset);
