/* SPDX-License-Identifier: Apache-2.0 */
/* A producer as the service sees it: what it registered, what it may touch, and the commands it is
 * sent. Nothing it says is believed. */
#pragma once

#include "service/core.h"

/* What InitializeConnection said. */
struct tw_producer_hello {
    const char *name, *sdk_version; /* may be NULL */
    bool scraping;
    uint32_t shm_size_hint, page_size_hint; /* bytes, any value */
};

/* A copy of a name that a producer gave itself or something of its own, at most TW_NAME_MAX bytes
 * of it and no part of a character at the end. NULL: no memory. */
char *tw_producer_keep_name(const char *name);

/* Makes conn a producer. NULL, or why not: a static text. */
TW_MUST_USE const char *tw_producer_new(struct tw_service_conn *conn,
                                        const struct tw_producer_hello *hello,
                                        struct tw_producer **ret_producer);
/* Its connection is over: ends its instances, takes what is left in its shared memory when it is
 * the turn of that, and then frees it and the connection. */
void tw_producer_leave(struct tw_producer *producer);
/* Frees one that has left, and its connection. */
void tw_producer_free(struct tw_producer *producer);

/* Takes the producer's own memory when it is what it has to be; *fd is taken in any case. False:
 * the service will make it. TW-SHM-010 */
bool tw_producer_adopt_shm(struct tw_producer *producer, int *fd);
/* Makes the shared memory, unless it is there or cannot be, and tells the producer. Sizes in bytes,
 * 0: as the producer hinted. */
TW_MUST_USE int tw_producer_setup_shm(struct tw_producer *producer, size_t size, size_t page_size);

/* Whether commands can be sent: GetAsyncCommand is open. */
static inline bool tw_producer_listens(const struct tw_producer *producer)
{
    return producer->commands.wanted;
}

/* Whether there can be no shared memory: its chunks come inside of CommitData. */
static inline bool tw_producer_emulates(const struct tw_producer *producer)
{
    return producer->conn->peer.remote;
}

/* From now on so much is remembered of it: bytes of all descriptors, bindings of writers.
 * TW_E_LIMIT: that is more than its user may have, which the embedder is told. */
TW_MUST_USE int tw_producer_remember(struct tw_producer *producer, size_t descriptors_size,
                                     size_t n_writers);

bool tw_producer_may_write(const struct tw_producer *producer, uint32_t buffer_id);
void tw_producer_allow(struct tw_producer *producer, uint16_t buffer_id);
/* These buffers go, and with them what binds writers to them. */
void tw_producer_forbid(struct tw_producer *producer, const uint16_t *buffer_ids, size_t n);

/* Binds a writer to a buffer. TW_E_INVALID for an id that cannot be, TW_E_LIMIT, -ENOMEM. */
TW_MUST_USE int tw_producer_bind_writer(struct tw_producer *producer, uint32_t writer_id,
                                        uint16_t buffer_id);
/* Unbinds it, if it is bound. Who has this id next writes another sequence. */
void tw_producer_end_writer(struct tw_producer *producer, uint32_t writer_id);
/* The sequence that it writes now. */
struct tw_writer_key tw_producer_writer_key(const struct tw_producer *producer, uint16_t writer_id);
/* 0 when it is not bound. */
uint16_t tw_producer_writer_buffer(const struct tw_producer *producer, uint32_t writer_id);

/* The commands. Nothing happens when the producer does not listen. */
void tw_producer_send_setup(struct tw_producer *producer, const struct tw_instance *instance);
void tw_producer_send_start(struct tw_producer *producer, const struct tw_instance *instance);
void tw_producer_send_stop(struct tw_producer *producer, const struct tw_instance *instance);
void tw_producer_send_flush(struct tw_producer *producer, uint64_t flush_id, uint64_t flags,
                            uint64_t *instance_ids, size_t n);
void tw_producer_send_clear(struct tw_producer *producer, uint64_t *instance_ids, size_t n);
