/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The objects of the service and who owns what:
 *
 *   tw_service  owns  connections, producers, sessions
 *   connection  has   a host session, and is either a producer or a consumer
 *   producer    owns  its data sources, its shared memory, the bindings of its writers
 *   session     owns  its config, its trace buffers, its data source instances
 *
 * An instance joins one data source of one producer to one session. A session belongs to a consumer
 * connection and goes with it, unless it was detached from it.
 */
#pragma once

#include <sys/queue.h>

#include "base/macros.h"
#include "base/timers.h"
#include "frame/host_session.h"
#include "producer_port.pb-c.h"
#include "service/account.h"
#include "service/deadline.h"
#include "service/limits.h"
#include "service/packet_source.h"
#include "service/patterns.h"
#include "service/trace_buffer.h"
#include "service/trace_extract.h"
#include "service/trigger_history.h"
#include "service/triggers.h"
#include "smb/shm.h"
#include "smb/smb.h"
#include "trace_config.pb-c.h"
#include "tracewire/service.h"
#include "wire/pbc.h"

struct tw_file_writer;
struct tw_instance;
struct tw_relay;
struct tw_session;

/* Somebody who wants what is in shared memory taken, time and again; see scrape.h. Embedded in its
 * owner, who sets session, only and done. */
struct tw_scrape {
    TAILQ_ENTRY(tw_scrape) next;
    const struct tw_session *session; /* whose buffers it is for; NULL: everybody's */
    uint64_t only;                    /* serial of the only producer, 0: of all there are */
    void (*done)(struct tw_scrape *scrape);
    bool queued, begun, again; /* again: another run was asked for after this one began */
    uint64_t run;              /* the number of this run, or of the last */
    uint64_t serial, last;     /* of the producer it is at, and of the last one */
    size_t page;               /* of that producer, to be looked at next */
};

/* Requests whose answer comes later: an id and whether one is wanted. */
struct tw_later {
    bool wanted;
    uint64_t id;
};

struct tw_data_source {
    TAILQ_ENTRY(tw_data_source) next;
    struct tw_producer *producer;
    uint64_t serial; /* counts up through all there have ever been */
    char *name;
    uint64_t id;         /* the producer's own, 0 if it has none */
    uint8_t *descriptor; /* as it came, for QueryServiceState */
    size_t descriptor_size;
    bool notifies_start, notifies_stop, clears_incremental, no_flush;
};

struct tw_writer_binding {
    uint16_t buffer; /* 0 is none */
    uint16_t life;   /* times it was unregistered, modulo 2^16 */
};

struct tw_producer {
    TAILQ_ENTRY(tw_producer) next;
    struct tw_service_conn *conn;
    uint16_t id;
    uint64_t serial; /* counts up through all there have ever been */
    char *name, *sdk_version;
    bool scraping;
    uint32_t shm_size_hint, page_size_hint; /* bytes */
    struct tw_shm shm;
    struct tw_smb smb;        /* n_pages is 0 until there is shared memory */
    bool shm_is_its_own;      /* the producer brought it */
    bool told_of_shm;         /* SetupTracing was sent */
    bool left;                /* its connection is over, and it only waits to be scraped */
    struct tw_scrape scrape;  /* of what it leaves behind */
    struct tw_later commands; /* GetAsyncCommand: how we speak to it */
    TAILQ_HEAD(, tw_data_source) data_sources;
    size_t n_data_sources, descriptors_size; /* bytes of all descriptors */
    TAILQ_HEAD(, tw_instance) instances;
    struct tw_writer_binding *writers;             /* by writer id */
    size_t n_writers;                              /* of that array */
    uint64_t may_write[(TW_BUFFER_IDS + 63) / 64]; /* buffers of its sessions, one bit each */
};

enum tw_instance_state {
    TW_INSTANCE_CONFIGURED,
    TW_INSTANCE_STARTING,
    TW_INSTANCE_STARTED,
    TW_INSTANCE_STOPPING,
    TW_INSTANCE_STOPPED,
    TW_INSTANCE_STATES,
};

struct tw_instance {
    TAILQ_ENTRY(tw_instance) next;             /* of its session */
    TAILQ_ENTRY(tw_instance) next_of_producer; /* of its producer */
    TAILQ_ENTRY(tw_instance) next_untold;      /* of its session, when untold */
    struct tw_session *session;
    struct tw_producer *producer;
    struct tw_data_source *source;
    uint16_t wanted; /* which of the data sources in the session's config */
    uint64_t id;
    uint16_t buffer_id;
    enum tw_instance_state state;
    bool untold; /* its state is to be told to the observing consumer */
};

/* A producer that was asked to flush. */
struct tw_flush_producer {
    uint16_t id;
    bool answered;
};

/* A flush that waits for its producers. */
struct tw_flush {
    TAILQ_ENTRY(tw_flush) next;
    struct tw_session *session;
    uint64_t id;
    struct tw_timer timeout;
    uint64_t scrape;                 /* the run that it waits for when its time has come, else 0 */
    bool write_after;                /* a pass of the file writer follows */
    struct tw_later reply;           /* to the consumer; not wanted when the service asked */
    bool stop_after;                 /* the last flush: the session ends with it */
    bool last;                       /* what it does not bring the trace will not have */
    struct tw_clone *clone;          /* that it is for, or NULL */
    bool taken_away;                 /* which of the clone's buffers */
    struct tw_flush_producer *asked; /* by id, so that an answer finds its place quickly */
    size_t n_asked, n_waiting;       /* n_waiting: those that have not answered */
};

/* A clone under way. */
struct tw_clone {
    TAILQ_ENTRY(tw_clone) next; /* of its session */
    struct tw_session *session; /* that is cloned */
    struct tw_service_conn *conn;
    struct tw_later reply;
    struct tw_trace_buffer *buffers[TW_SESSION_BUFFERS_MAX]; /* as far as they are there */
    uint64_t started_ns, copied_ns[2]; /* CLOCK_BOOTTIME; of buffers copied, and taken away */
    size_t n_flushes;                  /* that have not ended */
    bool flush_failed;
    struct tw_trigger_info trigger; /* that made the consumer ask, as it says; no name: none did */
    struct tw_output out; /* of a session that writes into a file: where the clone's trace goes */
    struct tw_extract before; /* what is in the session's file */
};

enum tw_session_state {
    TW_SESSION_CONFIGURED,
    TW_SESSION_STARTED,
    TW_SESSION_STOPPING, /* waits for data sources to say that they stopped */
    TW_SESSION_DISABLED,
    TW_SESSION_CLONED, /* a copy of another session's buffers, only to be read */
};

enum { TW_CLOCKS = 6 };

struct tw_clock_snapshot {
    uint64_t ns[TW_CLOCKS];
};

/* The kinds are the field numbers of TracingServiceEvent. */
enum tw_lifecycle {
    TW_LIFECYCLE_ALL_STARTED = 1,
    TW_LIFECYCLE_STARTED = 2,
    TW_LIFECYCLE_ALL_FLUSHED = 3,
    TW_LIFECYCLE_READ_COMPLETE = 4,
    TW_LIFECYCLE_DISABLED = 5,
    TW_LIFECYCLE_SLOW_START = 7,
    TW_LIFECYCLE_SLOW_FLUSH = 8,
    TW_LIFECYCLE_FLUSH_STARTED = 9,
    TW_LIFECYCLE_CLONE_STARTED = 10,
    TW_LIFECYCLE_BUFFER_CLONED = 11,
};

struct tw_lifecycle_event {
    enum tw_lifecycle kind;
    uint64_t ns;           /* CLOCK_BOOTTIME */
    bool taken_away;       /* of a buffer that was cloned: which of them, as in struct tw_clone */
    struct tw_buf sources; /* that were slow: a DataSources message */
};

/* Another session that came to a state, as the trace of one that asks for it tells it. */
struct tw_session_change {
    TAILQ_ENTRY(tw_session_change) next;
    uint64_t ns; /* CLOCK_BOOTTIME */
    uint64_t session_id;
    enum tw_session_state state;
    int32_t uid;
    uint32_t n_data_sources;
    char name[];
};

struct tw_session {
    TAILQ_ENTRY(tw_session) next;
    struct tw_service *service;
    struct tw_service_conn *conn; /* of its consumer, NULL when it has none */
    uint64_t id;
    struct tw_charge charge; /* the session itself, and what it keeps when its consumer has gone */
    int32_t uid;             /* of its consumer, also while it has none */
    enum tw_session_state state; /* written by tw_session_enter() only */
    uint64_t state_since_ns;     /* CLOCK_BOOTTIME */
    const char *error;     /* a static text: why it ended before anybody wanted it to, or NULL */
    char *detach_key;      /* only while it is detached */
    struct tw_arena arena; /* holds config */
    Tw__TraceConfig *config;
    struct tw_arena filters; /* holds the producer filters of config once they have changed */
    int64_t uuid_msb, uuid_lsb;
    uint16_t buffer_ids[TW_SESSION_BUFFERS_MAX];
    size_t n_buffers;
    TAILQ_HEAD(, tw_instance) instances;
    size_t n_instances, n_in_state[TW_INSTANCE_STATES];
    TAILQ_HEAD(, tw_instance) untold;
    bool untold_all_started, told_all_started;
    bool let_go; /* nobody wants it any more: it goes when all is written */
    struct tw_scrape scrape;
    uint64_t last_scrape; /* the run that it waits for to be over, 0: not yet */
    TAILQ_HEAD(, tw_flush) flushes;
    size_t n_flushes;
    TAILQ_HEAD(, tw_clone) clones;        /* of it, under way */
    struct tw_trigger_info clone_trigger; /* of a clone: as in struct tw_clone */
    uint64_t started_realtime_ns;

    /* CLOCK_BOOTTIME, of what counts suspends; else 0: when it ends, and the next snapshot. */
    uint64_t ends_boot_ns, snapshot_boot_ns;
    struct tw_file_writer *writer; /* NULL: the consumer reads the trace itself */

    struct tw_timer duration, stop_timeout, snapshot, flush_period, clear_period, slow_start;

    /* What the service itself has to say in the trace, until it is read. */
    struct tw_clock_snapshot clocks[TW_CLOCK_SNAPSHOTS_MAX];
    size_t n_clocks;
    struct tw_lifecycle_event events[TW_LIFECYCLE_EVENTS_MAX]; /* by time */
    size_t n_events;
    TAILQ_HEAD(tw_session_changes, tw_session_change) changes; /* of others, by time */
    size_t n_changes;
    bool emit_sync_marker, emit_stats, emitted_initial;
    uint64_t relays_seen; /* the service's count when it last told of them */

    void *sequences; /* tsearch tree of struct tw_sequence */
    uint32_t last_sequence_id;

    uint64_t invalid_packets, flushes_requested, flushes_succeeded, flushes_failed;
    int final_flush; /* Tw__TraceStats__FinalFlushOutcome */

    struct tw_triggers triggers;
    struct tw_patterns patterns; /* of config */
};

/* Where a ReadBuffers stream stands. */
struct tw_reading {
    bool active;
    uint64_t request_id;
    struct tw_packet_source source;
    struct tw_packet packet;
    size_t left;              /* bytes of packet that are still to be sent */
    size_t part, part_offset; /* where they begin */
    struct tw_buf carry;      /* a packet that goes over several turns */
    struct tw_bytes carried;  /* its bytes: the only slice of packet */
};

/* Where a QueryServiceState stream stands: what was sent last. All lists are in this order. */
struct tw_querying {
    bool active, sessions_only;
    uint64_t request_id;
    uint64_t session_id, producer_serial, source_serial;
};

struct tw_service_conn {
    TAILQ_ENTRY(tw_service_conn) next;
    struct tw_service *service;
    enum tw_service_port port;
    struct tw_peer peer;
    char *machine_name; /* of a remote peer that said so, else NULL */
    struct tw_host host;
    struct tw_charge charge;
    struct tw_deadline deadline;
    const char *doomed; /* a static text: to be closed, and why */
    void (*wake)(void *user);
    void *user;

    struct tw_producer *producer; /* producer port, after InitializeConnection */
    struct tw_relay *relay;       /* relay port, after its first call */

    struct tw_session *session; /* consumer port, after EnableTracing, Attach or CloneSession */
    struct tw_clone *cloning;   /* what CloneSession waits for */
    struct tw_later ended;      /* EnableTracing: answered when its session ends */
    struct tw_reading reading;
    struct tw_querying querying;
    struct tw_later observing;
    uint32_t observed; /* bits of ObservableEvents.Type */
};

/* Large and nearly empty: mapped, so that only what is used of it takes memory. */
struct tw_service_tables {
    struct tw_trace_buffer *buffers[TW_BUFFER_IDS];
    uint64_t producer_ids[TW_PRODUCERS_MAX / 64 + 1];
};

struct tw_service {
    struct tw_service_options options;
    struct tw_accounts accounts;
    struct tw_timers own_timers;
    struct tw_timers *timers; /* own_timers, or those of the daemon's loop */
    TAILQ_HEAD(, tw_scrape) scrapes;
    struct tw_timer scrape_turn;
    TAILQ_HEAD(, tw_service_conn) conns;
    TAILQ_HEAD(, tw_producer) producers;
    TAILQ_HEAD(, tw_session) sessions;
    struct tw_service_tables *tables;
    struct tw_trace_buffer **buffers; /* in tables: by id; [0] unused */
    uint64_t *producer_ids;           /* in tables: those in use, one bit each */
    struct tw_rxpool rxpool;          /* what connections receive into */
    struct tw_arena arena;            /* the request being handled */
    struct tw_buf scratch;            /* the reply being built */
    struct tw_gather body;            /* the same, of ReadBuffers */
    int output_dir;                   /* where files may be made, -1: nowhere */
    uint64_t turn_ends_ns;            /* CLOCK_MONOTONIC; see tw_turn_is_over() */
    struct tw_service_conn *lending;  /* its queue may point into trace buffers; NULL: nobody's */

    uint32_t last_producer_id, last_buffer_id;
    uint64_t last_session_id, last_instance_id, last_flush_id;
    uint64_t producers_seen, data_sources_seen;
    uint64_t chunks_discarded, patches_discarded;
    uint32_t n_cpus; /* read at the start: in a sandbox /sys is closed */
    bool lockdown;   /* only producers of the service's own uid */
    struct tw_guarded_name {
        uint64_t name_hash, ns; /* CLOCK_BOOTTIME */
    } guarded[TW_GUARDED_NAMES_MAX];
    size_t n_guarded;
    int64_t boot_ahead_ns; /* of CLOCK_MONOTONIC, as clock snapshots have it */
    bool boot_ahead_known;
    size_t n_producers, n_data_sources;
    struct tw_trigger_history trigger_history;
    char machine_name[TW_MACHINE_NAME_SIZE];
    TAILQ_HEAD(, tw_relay) relays;
    size_t n_relays;
    uint64_t relays_seen; /* whose clocks became known */
};

uint64_t tw_service_now(const struct tw_service *service, clockid_t clock);
/* Somebody's turn begins. */
void tw_turn_begin(struct tw_service *service);
/* Whether it has taken so long that the rest is for the next one. */
bool tw_turn_is_over(const struct tw_service *service);
/* Arms a timer delay_ms from now. When memory is short the timer is not set; callers use timers
 * only for what a consumer can also end by itself. */
void tw_service_arm(struct tw_service *service, struct tw_timer *timer, uint64_t delay_ms);

/* Tells the embedder that a peer does not get something. what is a static text. */
void tw_service_refused(struct tw_service *service, const struct tw_peer *peer, const char *what);
/* The same of a call that gets no success. why is a text for people, never NULL. */
void tw_conn_explain(const struct tw_service_conn *conn, const char *why);

/* conn.c: what the ports say to their peers. */

/* Ends a connection at the next opportunity. why is a static text. */
void tw_conn_doom(struct tw_service_conn *conn, const char *why);
/* Frees what is left of a connection that was disconnected. */
void tw_conn_free(struct tw_service_conn *conn);
/* Somebody else's turn left work for this connection. */
void tw_conn_wake(struct tw_service_conn *conn);
/* Brings up to date what the connection is charged for, and ends it when that is too much. Called
 * whenever calls, bytes or descriptors may have come to wait or gone. */
void tw_conn_charge(struct tw_service_conn *conn);
/* Answers a call with the packed message, and wakes the connection. fd is -1 or taken, whatever
 * comes of it: a connection that cannot take a reply is doomed. */
void tw_conn_reply(struct tw_service_conn *conn, uint64_t request_id, const ProtobufCMessage *reply,
                   bool has_more, int fd);
void tw_conn_reply_bytes(struct tw_service_conn *conn, uint64_t request_id, struct tw_bytes reply,
                         bool has_more, int fd);
/* The same with a body that points into trace buffers, until the end of the turn. */
void tw_conn_reply_from(struct tw_service_conn *conn, uint64_t request_id,
                        const struct tw_gather *body, bool has_more);
/* Without success. The reply has no words for it; the embedder is told why. */
void tw_conn_refuse(struct tw_service_conn *conn, uint64_t request_id, const char *why);
/* Answers a call that has no more to say than yes or no, unless it wants no reply. All empty
 * replies are alike on the wire: no bytes. why begins with a rule's id where there is one. */
void tw_call_acknowledge(struct tw_service_conn *conn, const struct tw_host_call *call);
void tw_call_refuse(struct tw_service_conn *conn, const struct tw_host_call *call, const char *why);
/* why not; NULL: it was done. */
void tw_call_settle(struct tw_service_conn *conn, const struct tw_host_call *call, const char *why);

/* Why a call is refused whose arguments cannot be decoded. */
extern const char tw_malformed_args[];

/* A port method. req is decoded from the call's arguments and lives until the handler returns; it
 * is NULL for a method with raw set, which reads call->args itself. */
struct tw_port_handler {
    const ProtobufCMessageDescriptor *request;
    void (*fn)(struct tw_service_conn *conn, const struct tw_host_call *call,
               const ProtobufCMessage *req);
    bool raw;
};

extern const struct tw_port_handler tw_producer_handlers[TW_PRODUCER_METHOD_MAX];
extern const struct tw_port_handler tw_consumer_handlers[TW_CONSUMER_METHOD_MAX];
