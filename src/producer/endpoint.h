/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The producer's end of the connection, shared by the files that make it up: endpoint.c
 * (the connection and life cycle), connect.c (getting one), memory.c (where chunks lie), source.c
 * (what we offer), commands.c (what the service wants), outgoing.c (what we send), answers.c (what
 * comes back), scrape.c (what else a flush brings), startup.c (before a session), thread.c (a
 * thread for all of it).
 */
#pragma once

#include "base/loop.h"
#include "base/net.h"
#include "frame/client_session.h"
#include "producer/instance.h"
#include "producer/startup.h"
#include "producer/watch.h"

enum tw_link {
    TW_LINK_DOWN,
    TW_LINK_BINDING,
    TW_LINK_INITIALIZING,
    TW_LINK_UP,
};

enum {
    /* Bytes of memory where none is shared: what is not sent yet waits there. TW-LIM-205 */
    TW_INLINE_MEMORY = 1024 * 1024,
    /* Bytes of a request with chunks in it, so that its frame is under the limit: the largest
     * chunk, or several small ones. TW-LIM-206 */
    TW_INLINE_REQUEST_MAX = TW_PAGE_SIZE_MAX + TW_COMMIT_ENTRY_MAX,
    /* Syncs that the program waits for at once. TW-LIM-208 */
    TW_PRODUCER_SYNCS_MAX = 64,
};

struct tw_producer {
    pid_t pid; /* that it belongs to: not a child's of fork() */
    char *name;
    struct tw_producer_config config; /* name is the one above; socket and fd are NULL */
    struct tw_net_address address;    /* to connect to; of no length if there is none */
    int given_fd;                     /* the connection that was given, until it is used; else -1 */
    enum tw_page_layout layout;

    struct tw_loop *loop;
    struct tw_io sock_io; /* owns its descriptor; -1 while down */
    struct tw_io wake_io; /* the arbiter's descriptor; -1 without an arbiter */
    struct tw_timer retry, batch, deadline, startup;
    struct tw_watch watch; /* of the socket's path, while down */
    uint32_t backoff_ms;   /* the next time that is waited for a service */
    uint64_t up_ns;        /* since when the link is up */

    enum tw_link link;
    bool failed; /* the connection is to be given up as soon as no callback is running */
    int ended;   /* not 0: why there will be no other connection, as tw_producer_dispatch() says */
    bool direct_patching;
    bool inlined;   /* chunks go inside of CommitData: the memory is our own */
    uint8_t *frame; /* one request of them, TW_INLINE_REQUEST_MAX bytes; NULL until inlined */
    struct tw_client client; /* valid unless down */
    uint64_t taken;          /* bytes that the service has taken, when last looked at */
    struct tw_arbiter *arbiter;
    struct tw_writer_reg *registered; /* writers whose chunks are to be scraped here */
    struct tw_smb_walk walk;          /* where that stands */
    bool own_memory;                  /* ours, made before there was a connection */
    struct tw_startup *startups;

    struct tw_data_source *sources;
    size_t n_sources;
    bool sources_wait;             /* maybe one is pending */
    struct tw_instance *instances; /* each a reference */
    size_t n_instances;
    uint64_t flush_id; /* to be acknowledged; 0: none */

    struct tw_producer_stats stats;
    struct tw_sync *syncs; /* in their order */

    pthread_mutex_t lock; /* recursive; of all this, when there is a thread */
    int kick_fd;          /* makes the thread look; -1: there is none */
    pthread_t thread;
    bool stopping; /* it is to end */
};

/* ---- endpoint.c ---- */

/* Whether this is a child of fork(). The connection, the loop and the watch are its parent's: it
 * may free its copies and close its descriptors, and nothing else. TW-PROD-090 */
bool tw_endpoint_in_child(const struct tw_producer *p);

/* One turn of the loop, as tw_producer_dispatch(). */
TW_MUST_USE int tw_endpoint_turn(struct tw_producer *p, int timeout_ms);
/* Sends what is queued, and gives the connection up if that has become necessary. At the end of
 * everything that the loop calls. */
void tw_endpoint_settle(struct tw_producer *p);
/* One of p's own, to be due in so many nanoseconds. */
void tw_endpoint_set_timer(struct tw_producer *p, struct tw_timer *timer, uint64_t in_ns);
/* The loop comes back soon to send what is queued. For callers that a callback may have called, in
 * which the connection must not go. */
void tw_endpoint_soon(struct tw_producer *p);

/* ---- memory.c ---- */

/* SetupTracing: takes the descriptor that came with it, or makes memory where none is shared. */
TW_MUST_USE int tw_endpoint_setup_memory(struct tw_producer *p, size_t page_size);
/* Memory of our own, which is to be offered to a service. */
TW_MUST_USE int tw_endpoint_own_memory(struct tw_producer *p);
/* For chunks that go inside of CommitData. -ENOMEM. */
TW_MUST_USE int tw_endpoint_reserve_frame(struct tw_producer *p);
/* With all that lives on it: instances are told to stop. */
void tw_endpoint_drop_memory(struct tw_producer *p);
/* Of the loop: the arbiter's descriptor, the batch's timer. */
void tw_endpoint_on_wake(struct tw_io *io, uint32_t events);
void tw_endpoint_on_batch(struct tw_timer *timer);

/* ---- scrape.c ---- */

/* The service knows the writer, and no more. */
void tw_endpoint_writer_registered(struct tw_producer *p, struct tw_writer_reg *reg);
void tw_endpoint_writer_gone(struct tw_producer *p, const struct tw_writer_reg *reg);
/* The next request with what is finished in a chunk that is being written, in p->frame; false when
 * that was all. Nothing where the service can look itself. */
bool tw_endpoint_scrape(struct tw_producer *p, struct tw_writer *w);

/* ---- answers.c ---- */

/* To RegisterDataSource: the program hears of a refusal. */
void tw_endpoint_registered(struct tw_producer *p, uint64_t request_id, bool success,
                            struct tw_bytes reply);
/* As tw_producer_sync(). */
TW_MUST_USE int tw_endpoint_sync(struct tw_producer *p, void (*done)(void *user, int result),
                                 void *user);
bool tw_endpoint_syncs_wait(const struct tw_producer *p);
/* When all before them is sent. */
void tw_endpoint_send_syncs(struct tw_producer *p);
/* user is that of the request. */
void tw_endpoint_synced(struct tw_producer *p, void *user, int result);
/* The connection has ended. */
void tw_endpoint_refuse_syncs(struct tw_producer *p);
/* In a child of fork(). */
void tw_endpoint_free_syncs(struct tw_producer *p);

/* ---- thread.c ---- */

TW_MUST_USE int tw_endpoint_lock_init(struct tw_producer *p);
void tw_endpoint_lock(const struct tw_producer *p);
void tw_endpoint_unlock(const struct tw_producer *p);
TW_MUST_USE bool tw_endpoint_try_lock(struct tw_producer *p);
/* Unlocks; what there is to do has changed. */
void tw_endpoint_changed(const struct tw_producer *p);
/* No-op without a thread. Not on it. */
void tw_endpoint_stop_thread(struct tw_producer *p);

/* ---- startup.c ---- */

void tw_endpoint_on_startup(struct tw_timer *timer);

/* ---- connect.c ---- */

/* Where to, and how: as tw_producer_open(). The loop comes later. */
TW_MUST_USE int tw_endpoint_connect_init(struct tw_producer *p,
                                         const struct tw_producer_config *config);
/* Tries. Down only. */
void tw_endpoint_connect(struct tw_producer *p);
/* After a pause, unless there can be no other connection than the one that has ended: why is what
 * the program then hears. */
void tw_endpoint_connect_later(struct tw_producer *p, int why);

/* ---- source.c ---- */

/* NULL when there is none. */
struct tw_data_source *tw_endpoint_find_source(const struct tw_producer *p, struct tw_bytes name);
void tw_endpoint_drop_source(struct tw_producer *p, struct tw_data_source *source);
/* The service that knew them is gone: the next one has to be told of all. */
void tw_endpoint_forget_sources(struct tw_producer *p);

/* ---- commands.c ---- */

/* One reply to GetAsyncCommand. What makes no sense is counted and ignored. */
void tw_endpoint_command(struct tw_producer *p, struct tw_bytes reply);
/* Puts it on the list, which takes the reference, and tells its data source. */
void tw_endpoint_add_instance(struct tw_producer *p, struct tw_data_source *source,
                              struct tw_instance *instance);
void tw_endpoint_start_instance(struct tw_instance *instance);
/* Tells the instance's data source to stop, once. */
void tw_endpoint_stop_instance(struct tw_producer *p, struct tw_instance *instance);
void tw_endpoint_stop_instances(struct tw_producer *p);
/* Takes it off the list and drops the list's reference. */
void tw_endpoint_forget_instance(struct tw_producer *p, struct tw_instance *instance);

/* ---- outgoing.c; a failure sets p->failed ---- */

void tw_endpoint_send_init(struct tw_producer *p);
void tw_endpoint_send_started(struct tw_producer *p, uint64_t instance_id);
/* All that waits in the arbiter, data sources and the pending acknowledgement, as far as the
 * socket's queue has room; the rest when it has got some. */
void tw_endpoint_send_waiting(struct tw_producer *p);
/* Of that only what writers have written: instances stay, so that a callback may be running. */
void tw_endpoint_send_written(struct tw_producer *p);
/* Whether a data source is pending and may be sent. */
bool tw_endpoint_sources_wait(const struct tw_producer *p);
