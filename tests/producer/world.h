/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A producer and its service in one thread: the host's end of the session, which answers every
 * call, and whose commands the test gives. One data source, "tw.test", whose callbacks are counted.
 */
#pragma once

#include "frame/host_session.h"
#include "producer/instance.h"
#include "smb/shm.h"
#include "tests/harness.h"

enum {
    WORLD_STEPS_MAX = 5000, /* of a millisecond each, until what is waited for has to have come */
    WORLD_CALLS_MAX = 64,
};

struct world {
    char name[64];
    struct tw_producer_config config;
    int listener, conn;
    struct tw_host host;
    struct tw_producer *producer;
    int ended; /* what tw_producer_dispatch() said last */
    struct tw_shm shm;
    uint64_t async_id; /* of GetAsyncCommand */
    uint32_t calls[WORLD_CALLS_MAX];
    size_t n_calls;
    uint64_t last_arg[TW_PRODUCER_METHOD_MAX]; /* field 1 of the last call */
    uint64_t source_id, source_extra; /* of the last descriptor: id, and bytes of field 8 */
    uint64_t flush_done;
    uint32_t moves;
    bool emulation;    /* no memory is shared */
    bool mute;         /* no call is answered */
    uint32_t refused;  /* a method that is answered without success and body */
    const char *error; /* of RegisterDataSourceResponse; NULL: none */
    /* what the callbacks saw */
    int connects, disconnects, setups, starts, stops, flushes, clears;
    struct tw_instance *instance;
    bool stop_later;
};

/* A name in the abstract namespace, and nothing that is open. */
void world_prepare(struct world *w);
/* The producer, by w->config. */
void world_open(struct world *w);
/* The service begins to listen at w->name. */
void world_listen(struct world *w);
/* The service serves a connection, which it takes. */
void world_serve(struct world *w, int conn);
/* Prepares, listens, opens. */
void world_init(struct world *w);
void world_deinit(struct world *w);

/* One turn of each; the producer's waits so long if there is nothing to do. */
void world_step(struct world *w, int wait_ms);
/* One turn of the service alone. */
void world_hear(struct world *w);
/* The service ends the connection. */
void world_hang_up(struct world *w);
/* Until everything is registered. */
void world_bring_up(struct world *w);
bool world_has_call(const struct world *w, uint32_t method);

void world_reply(struct world *w, uint64_t id, struct tw_bytes body, bool more, int fd);
/* One command: member with an id and a second field, a number or bytes. */
void world_command(struct world *w, uint32_t member, uint64_t id, uint64_t number,
                   struct tw_bytes bytes, int fd);
/* SetupTracing with 64 KiB. */
void world_send_memory(struct world *w, uint64_t page_kb);
/* Memory, SetupDataSource and StartDataSource, and what comes back. */
void world_start_instance(struct world *w, uint64_t id);

extern const struct tw_bytes world_no_bytes;
/* DataSourceConfig: name "tw.test", target_buffer 7. */
extern const struct tw_bytes world_config;

#define UNTIL(w, condition)                                                                        \
    do {                                                                                           \
        for (int i_ = 0; i_ < WORLD_STEPS_MAX && !(condition); i_++)                               \
            world_step((w), 1);                                                                    \
        assert_true(condition);                                                                    \
    } while (0)
