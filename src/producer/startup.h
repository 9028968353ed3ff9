/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tracing before there is a session: an instance that the program has started itself writes into
 * memory of our own. Its writers have a reserved number for their buffer. What they hand over once
 * there is a service is held back until a session sets the data source up, which gives the number a
 * buffer, or until the program's time is over. The producer's thread only.
 */
#pragma once

#include "producer/instance.h"

enum {
    /* Instances of startup tracing of one connection: one a data source, and some of which nothing
     * came. TW-LIM-207 */
    TW_STARTUPS_MAX = 256,
    /* The first reserved number; buffers of services have 16 bits. */
    TW_RESERVED_BUFFER = 0x10000,
};

enum tw_startup_state { TW_STARTUP_WAITING, TW_STARTUP_BOUND, TW_STARTUP_GIVEN_UP };

struct tw_startup {
    struct tw_startup *next;
    enum tw_startup_state state;
    uint32_t reserved;            /* the number of its buffer until */
    uint32_t target_buffer;       /* it is bound to this one */
    struct tw_instance *instance; /* on the producer's list while waiting */
    bool (*matches)(void *user, struct tw_bytes config);
    uint64_t due_ns; /* when it is given up */
    /* What waits with it. */
    struct tw_commits held;
    struct tw_writer_reg *held_new, *held_gone;
};

struct tw_producer;

/* The one that waits for this session, bound to its buffer; NULL: none does. */
struct tw_instance *tw_startup_bind(struct tw_producer *p, const struct tw_data_source *source,
                                    struct tw_bytes config, uint32_t target_buffer);
/* No session comes for it any more. */
void tw_startup_give_up(struct tw_producer *p, const struct tw_instance *instance);
/* The buffer that this number stands for by now. */
uint32_t tw_startup_target(const struct tw_producer *p, uint32_t target_buffer);
/* All of them: the memory goes. What is held is lost. */
void tw_startup_forget(struct tw_producer *p);
/* In a child of fork(). */
void tw_startup_free(struct tw_producer *p);
/* Whether one still waits for a session, and whether what one holds may be sent. */
bool tw_startup_waits(const struct tw_producer *p);
bool tw_startup_ready(const struct tw_producer *p);

/* As the arbiter's functions of these names, for what may be sent, with its real buffers. The
 * writers' registrations that are taken here say the buffer beside. */
size_t tw_startup_take_moves(struct tw_producer *p, struct tw_move *out, size_t max);
size_t tw_startup_take_patches(struct tw_producer *p, struct tw_late_patch *out, size_t max);
struct tw_writer_reg *tw_startup_take_new(struct tw_producer *p, uint32_t *ret_target_buffer);
struct tw_writer_reg *tw_startup_take_gone(struct tw_producer *p);
