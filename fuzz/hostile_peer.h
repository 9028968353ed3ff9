/* SPDX-License-Identifier: Apache-2.0 */
/* The service of fuzz_hostile_service.c: it listens, has one connection at a time, and does to it
 * what it is told. */
#pragma once

#include "tracewire/common.h"

/* How it behaves towards what comes from then on. */
enum {
    PEER_MUTE = 1,       /* answers nothing */
    PEER_DEAF = 2,       /* does not even read */
    PEER_NO_BIND = 4,    /* knows no such service */
    PEER_FEW = 8,        /* has the first methods only */
    PEER_PATCH = 16,     /* lets the producer patch what is in the shared memory */
    PEER_EMULATION = 32, /* shares none */
    PEER_ADOPTED = 64,   /* says that it took the producer's own, whether there was any or not */
};
/* A reply: which method's last call it answers, and how. */
enum {
    REPLY_METHOD = 15,
    REPLY_SUCCESS = 16,
    REPLY_MORE = 32,
    REPLY_BODY = 64,
    REPLY_FD = 128, /* with memory */
};
/* A command: the memory that comes with it (tests/producer/memories.h), and that no other will
 * follow. */
enum { COMMAND_MEMORY = 31, COMMAND_LAST = 32 };

/* Where it listens, from the first call on. */
const char *peer_address(void);
/* Nobody is connected, and it behaves well. */
void peer_reset(void);
/* Whoever knocks is let in; all that has come is read and answered. What comes keeps the rules. */
void peer_serve(void);
void peer_behave(uint8_t how);
/* GetAsyncCommandResponse, as it is. */
void peer_command(uint8_t how, struct tw_bytes body);
void peer_reply(uint8_t how, struct tw_bytes body);
/* Bytes with descriptors: how many is in the two high bits, of which kind in the others. */
void peer_foreign(uint8_t how, struct tw_bytes bytes);
/* Into the shared memory: an offset in words of 32 bits, and what is there then. */
void peer_write(struct tw_bytes bytes);
void peer_hang_up(void);
/* Also on those that were not let in. */
void peer_hang_up_all(void);
