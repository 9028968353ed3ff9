/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A service with its peers in one process: producers and consumers are client sessions whose bytes
 * and descriptors are carried by hand, time stands still until a test moves it. Whatever must not
 * happen ends the process, so that tests and fuzz targets can both use it.
 */
#pragma once

#include "base/arena.h"
#include "consumer_port.pb-c.h"
#include "frame/client_session.h"
#include "producer_port.pb-c.h"
#include "smb/shm.h"
#include "smb/smb.h"
#include "trace.pb-c.h"
#include "tracewire/service.h"
#include "wire/pbc.h"

/* Ends the process unless ok. */
#define RIG_MUST(ok)                                                                               \
    do {                                                                                           \
        if (!(ok))                                                                                 \
            rig_fail(__FILE__, __LINE__, #ok);                                                     \
    } while (0)
_Noreturn void rig_fail(const char *file, int line, const char *what);

struct rig;
/* Called when a rig begins and before it ends; tests/faults/rigs.c has its own. */
void rig_began(struct rig *rig);
void rig_ends(struct rig *rig);

enum { RIG_PEERS_MAX = 20, RIG_UID = 1000, RIG_FIRST_PID = 4000 };

/* One event of a client session, kept. */
struct rig_reply {
    uint64_t id;
    bool refused; /* the end of the connection, not an answer */
    bool success, has_more;
    struct tw_bytes body; /* in the rig's arena */
};

struct rig_peer {
    struct rig *rig;
    struct tw_peer who;
    struct tw_service_conn *conn; /* NULL once the connection is over */
    struct tw_client client;
    const char *why;  /* why the service closed it; NULL if it did not */
    bool deaf;        /* takes no bytes */
    size_t cut_after; /* bytes to the service after which the peer is gone */
    bool woken;
    struct rig_reply *replies;
    size_t n_replies, cap_replies;
    uint64_t commands_id; /* producers: the request that brings commands */
    int shm_fd;           /* the descriptor that came with a reply */
    struct tw_shm shm;    /* producers: memory from the service */
    struct tw_smb smb;
};

struct rig {
    struct tw_service *service;
    struct tw_arena arena; /* everything handed out by the functions below */
    uint64_t now_ns;       /* every clock, and REALTIME a day ahead */
    uint64_t look_ns;      /* that a look at a clock takes: 0 until a test changes it */
    uint64_t asleep_ns;    /* what BOOTTIME is ahead by */
    uint64_t random;       /* what the service takes for random bits */
    size_t chunk_bytes;    /* bytes carried at once */
    const char *refused;   /* what the service told last that somebody was refused */
    const char *why;       /* the same of a call; every reply without success has its own */
    size_t n_whys;         /* not matched by a reply yet */
    int32_t uid;           /* of those that connect: RIG_UID until a test changes it */
    bool undecoded;        /* packets are left as they are: faster */
    bool slow_scrapes;     /* only rig_scrape() scrapes */
    struct rig_peer peers[RIG_PEERS_MAX];
    size_t n_peers;
};

void rig_init(struct rig *rig);
/* The same with a directory for files, or NULL. */
void rig_init_in(struct rig *rig, const char *output_dir);
/* With limits of one user, as in tw_service_options; NULL: the usual ones. */
void rig_init_limited(struct rig *rig, const uint64_t limits[TW_QUOTAS]);
/* Also says goodbye to every peer that is left, and nothing may be charged to anybody then. */
void rig_free(struct rig *rig);

/* A connection that has bound its port, or that has said nothing yet. uid is the rig's, the pid
 * counts up. */
struct rig_peer *rig_connect(struct rig *rig, enum tw_service_port port);
struct rig_peer *rig_connect_silent(struct rig *rig, enum tw_service_port port, int32_t uid);
struct rig_peer *rig_connect_as(struct rig *rig, enum tw_service_port port, struct tw_peer who);
/* The peer goes without a word. */
void rig_disconnect(struct rig_peer *peer);
/* Carries bytes and lets the service work until nothing moves and, unless slow_scrapes, nothing is
 * to be scraped. */
void rig_pump(struct rig *rig);
/* Moves time, in steps small enough for every timer, and pumps. */
void rig_advance(struct rig *rig, uint64_t ms);
/* One turn of what is to be scraped, for which time moves a little. False: there was nothing. */
bool rig_scrape(struct rig *rig);

/* Queues a call and returns its id; req may be NULL for an empty one. */
uint64_t rig_send(struct rig_peer *peer, uint32_t method, const ProtobufCMessage *req);
uint64_t rig_send_raw(struct rig_peer *peer, uint32_t method, struct tw_bytes args, bool drop_reply,
                      int fd);
/* Sends it, pumps, and returns the last answer there is, NULL if none. */
const struct rig_reply *rig_call(struct rig_peer *peer, uint32_t method,
                                 const ProtobufCMessage *req);
const struct rig_reply *rig_last(const struct rig_peer *peer, uint64_t id);
size_t rig_count(const struct rig_peer *peer, uint64_t id);
/* Decoded, in the rig's arena; NULL when reply is NULL or is no success. */
void *rig_decode(struct rig_peer *peer, const struct rig_reply *reply,
                 const ProtobufCMessageDescriptor *d);

/* Producers. */

/* Bound, initialised with scraping on, and listening to commands. */
struct rig_peer *rig_producer(struct rig *rig, const char *name);
struct rig_peer *rig_producer_with(struct rig *rig, const Tw__InitializeConnectionRequest *hello,
                                   int fd);
/* The same on a connection that has not bound its port. */
void rig_initialize(struct rig_peer *producer, const Tw__InitializeConnectionRequest *hello,
                    int fd);
/* What rig_producer() says. */
Tw__InitializeConnectionRequest rig_hello(const char *name);
void rig_register(struct rig_peer *producer, const char *name);
void rig_register_with(struct rig_peer *producer, const Tw__DataSourceDescriptor *descriptor);
/* The nth command of this kind from the begin, NULL if there are not so many. */
Tw__GetAsyncCommandResponse *rig_command(struct rig_peer *producer,
                                         Tw__GetAsyncCommandResponse__CmdCase kind, size_t nth);
size_t rig_commands(struct rig_peer *producer, Tw__GetAsyncCommandResponse__CmdCase kind);
/* The buffer that the config of the last SetupDataSource names. */
uint16_t rig_buffer(struct rig_peer *producer);

/* A chunk of page, which is given the layout DIV1 for it, with n packets of text. */
struct rig_chunk {
    uint32_t page;
    uint16_t writer_id;
    uint32_t chunk_id;
    uint8_t flags;
    bool leave_open; /* do not complete it */
};
void rig_write(struct rig_peer *producer, const struct rig_chunk *chunk,
               const struct tw_bytes *packets, size_t n);
/* The same chunk inside of CommitData, as where no memory is shared; its page may be any number.
 * The size of the chunk is what the packets need. */
void rig_send_chunk(struct rig_peer *producer, const struct rig_chunk *chunk,
                    const struct tw_bytes *packets, size_t n, uint32_t buffer_id);
/* Commits chunk 0 of that page to that buffer and pumps. */
void rig_commit(struct rig_peer *producer, uint32_t page, uint32_t buffer_id);
/* Both, for one packet of a for_testing field with this text, of writer 1. */
void rig_emit(struct rig_peer *producer, uint32_t chunk_id, uint32_t buffer_id, const char *text);
/* The same inside of CommitData. */
void rig_emit_inline(struct rig_peer *producer, uint32_t chunk_id, uint32_t buffer_id,
                     const char *text);
/* An encoded packet with this text, in the rig's arena. */
struct tw_bytes rig_packet(struct rig *rig, const char *text);

/* Consumers. */

struct rig_peer *rig_consumer(struct rig *rig);
/* Of another user than RIG_UID. */
struct rig_peer *rig_consumer_as(struct rig *rig, int32_t uid);
/* EnableTracing; returns the request's id. */
uint64_t rig_enable(struct rig_peer *consumer, const Tw__TraceConfig *config);
/* The same with a descriptor, which is taken. */
uint64_t rig_enable_with(struct rig_peer *consumer, const Tw__TraceConfig *config, int fd);
/* CloneSession of the session with this unique name, or this id; returns the request's id. */
uint64_t rig_clone(struct rig_peer *cloner, const char *name);
uint64_t rig_clone_by_id(struct rig_peer *cloner, uint64_t session_id);
/* A config with one ring buffer of 64 KiB and one data source of this name, in the arena. */
Tw__TraceConfig *rig_config(struct rig *rig, const char *data_source);

struct rig_trace {
    struct tw_bytes *packets;
    Tw__TracePacket **decoded; /* NULL for what is no packet all the way down, or undecoded */
    size_t n;
    bool whole; /* the stream ended as it should */
};

/* Everything there is to read. */
struct rig_trace rig_read(struct rig_peer *consumer);
/* How many packets carry this text; the first of them in *ret_first unless that is NULL. */
size_t rig_find(const struct rig_trace *trace, const char *text, Tw__TracePacket **ret_first);
/* The nth packet of that kind, NULL if there are not so many. */
Tw__TracePacket *rig_kind(const struct rig_trace *trace, Tw__TracePacket__DataCase kind,
                          size_t nth);
