/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libtracewire-producer: write traces into a Perfetto service.
 *
 * A tw_producer is one connection to the service, with the data sources it offers. It belongs to
 * one thread: every tw_producer_ function is called there, and every callback comes there, from
 * tw_producer_dispatch(). Or it has a thread of its own (tw_producer_start_thread()): then it may
 * be called from any, and callbacks come from its own. Trace writers may be made and used on any
 * thread, each by one thread at a time. Several producers may live in one process and share
 * nothing.
 *
 * A child of fork() takes no part: what it writes is dropped, tw_producer_dispatch(), and whatever
 * would make a writer or offer something, says TW_E_CLOSED, and tw_producer_close() only frees and
 * closes, without a callback. It may open producers of its own. Its parent notices nothing,
 * wherever its threads were. Between fork() and exec() nothing needs to be done. (A signal handler
 * that forks in the middle of a call of this library is the exception.)
 *
 * The service is not trusted: whatever it sends or does to the shared memory, the process does not
 * crash, and waits at most TW_STALL_MAX_MS in a writer.
 */
#pragma once

#include "tracewire/common.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

struct tw_producer;
struct tw_data_source;
struct tw_instance;
struct tw_trace_writer;

/* Milliseconds that a writer waits for a free chunk before it counts the packet as lost. */
enum { TW_STALL_MAX_MS = 10000 };
/* Milliseconds that tw_producer_close() waits for a service that takes nothing. */
enum { TW_CLOSE_MAX_MS = 1000 };
/* Messages nested in each other in one packet, the packet itself not counted. */
enum { TW_NEST_MAX = 10 };

/* ---- the connection ---- */

/* What becomes of chunks that a writer has not finished. */
enum tw_scraping {
    TW_SCRAPING_DEFAULT = 0, /* the service decides */
    TW_SCRAPING_ON,          /* what is in unfinished chunks is saved at a flush */
    TW_SCRAPING_OFF,
};

/* All zero but name is a sensible choice. */
struct tw_producer_config {
    /* Where the service listens: a path, "@name" in the abstract namespace, "HOST:PORT" or
     * "[HOST]:PORT", HOST in digits, for looking up a name would wait. NULL:
     * PERFETTO_PRODUCER_SOCK_NAME, else /run/perfetto/traced-producer.sock if that directory
     * exists, else /tmp/perfetto-producer. */
    const char *socket;
    /* In place of it a stream socket that is connected to the service: taken, *fd is -1, when
     * tw_producer_open() returns 0, and made non-blocking. NULL: none. */
    int *fd;
    const char *name;     /* what the service calls us */
    size_t shm_size;      /* bytes, a wish; 0: the service decides */
    size_t shm_page_size; /* bytes, a wish; 0: the service decides */
    enum tw_scraping scraping;
    uint32_t batch_ms;        /* gather commits for so long; 0: commit at once */
    uint32_t chunks_per_page; /* 1, 2, 4, 7 or 14; 0: 1 */
    size_t send_buffer;       /* bytes that the socket holds; 0: the system decides */
    /* A service that takes nothing for so long, while something waits for it, is left and tried
     * again. 0: it has all the time in the world. */
    uint32_t send_deadline_ms;
    /* Optional: a service has accepted the connection; that connection has ended, other than by
     * tw_producer_close(). Run as those of data sources do. */
    void (*connected)(void *user);
    void (*disconnected)(void *user);
    void *user;
};

/* Starts connecting, and goes on trying for ever, also after a disconnect: after pauses of up to
 * 3 s, and when a socket appears at the path. Everything registered is registered again. config and
 * its strings are copied. TW_E_INVALID for a config that is not allowed or a socket whose name
 * cannot be one, TW_E_CLOSED when nobody is at the other end of fd, negative when memory or
 * descriptors are short. */
TW_MUST_USE int tw_producer_open(struct tw_producer **ret_producer,
                                 const struct tw_producer_config *config);
/* Stops every instance (their stop callbacks run), sends all that writers have handed over by then,
 * and disconnects. It waits only where the service does not take that at once, and in all at most
 * TW_CLOSE_MAX_MS; the rest is lost then. So is what a writer holds that was neither flushed nor
 * freed, and what an instance writes after its stop callback has returned. No callback is run any
 * more when it returns; it is not for a callback to call. Writers and instances that are still held
 * stay valid and drop what is written. NULL is fine. */
void tw_producer_close(struct tw_producer *producer);

/* Readable when tw_producer_dispatch() has something to do. Stays the producer's. */
int tw_producer_fd(const struct tw_producer *producer);
/* Does what is to be done, after waiting for it at most timeout_ms (-1: for ever, 0: not at all).
 * Connections that come and go are no errors; negative when the process is out of something. After
 * the connection that was given as fd has ended nothing is tried again, and it returns at once,
 * then and ever after, TW_E_CLOSED. */
TW_MUST_USE int tw_producer_dispatch(struct tw_producer *producer, int timeout_ms);

/*
 * In place of dispatching: a thread that does what is to be done, until tw_producer_close(), which
 * waits for it and so must not be called from there. From now on every function but
 * tw_producer_dispatch() (TW_E_INVALID) is for any thread. Callbacks come from the thread, but
 * those of what tw_producer_startup(), tw_producer_unregister() and tw_producer_close() start and
 * stop themselves; they come one at a time, and must not wait for a thread that calls this
 * producer. The thread takes no signals. TW_E_EXISTS; negative when the system has none.
 */
TW_MUST_USE int tw_producer_start_thread(struct tw_producer *producer);

/*
 * Calls done when the service has had all that was handed over until now, by writers too: 0; or
 * TW_E_CLOSED when the connection has ended without an answer; TW_E_NOT_FOUND, TW_E_REFUSED: an old
 * service. Exactly once, also from tw_producer_close(), if this returns 0. TW_E_CLOSED: there is no
 * connection; TW_E_LIMIT: too many are waited for. Not in a child of fork(), where none is told.
 */
TW_MUST_USE int tw_producer_sync(struct tw_producer *producer, void (*done)(void *user, int result),
                                 void *user);

/* Whether the service has accepted the connection. */
bool tw_producer_connected(const struct tw_producer *producer);
/* True once everything handed over by the writers so far has been sent to the service. */
bool tw_producer_idle(const struct tw_producer *producer);

/* Counts since tw_producer_open(). */
struct tw_producer_stats {
    uint64_t connects;                               /* connections that the service accepted */
    uint64_t setups, starts, stops, flushes, clears; /* commands that were carried out */
    uint64_t commits;                                /* CommitData requests sent */
    uint64_t bad_commands; /* commands that made no sense and were ignored */
    uint64_t bad_memory;   /* of them those whose memory was none to share: the service was left */
    uint64_t startup_lost; /* packets of startup tracing that no session asked for */
};

/* What has happened so far. */
void tw_producer_stats(const struct tw_producer *producer, struct tw_producer_stats *ret_stats);

/* ---- data sources ---- */

/* All callbacks are optional and run on the producer's thread. They may offer data sources and take
 * them back, but must neither dispatch nor free the producer. */
struct tw_data_source_ops {
    void (*setup)(void *user, struct tw_instance *instance);
    void (*start)(void *user, struct tw_instance *instance);
    /* Also called when the connection is lost. Whoever writes for the instance stops, flushes and
     * frees its writers; then tw_instance_done() must be called, here or later. Without this
     * callback that is done at once. */
    void (*stop)(void *user, struct tw_instance *instance);
    /* Flush the writers of this thread; those of other threads are told by tw_writer_begin(). The
     * service is told that the flush is done when this returns. */
    void (*flush)(void *user, struct tw_instance *instance);
    void (*clear_incremental_state)(void *user, struct tw_instance *instance);
    /* The service does not take the data source; why in its words, perhaps none, which are gone
     * after the call. The next connection is asked again. */
    void (*refused)(void *user, struct tw_bytes why);
};

/* A data source to offer. All zero but name is fine. */
struct tw_data_source_config {
    const char *name;
    struct tw_data_source_ops ops;
    void *user;
    bool handles_incremental_state_clear;
    /* Further fields of DataSourceDescriptor, encoded, such as track_event_descriptor. */
    struct tw_bytes descriptor;
};

/* Offers a data source, now or as soon as there is a connection. config is copied. TW_E_EXISTS: the
 * name is taken; TW_E_LIMIT: the descriptor does not fit a frame, or there are too many. */
TW_MUST_USE int tw_producer_register(struct tw_producer *producer,
                                     const struct tw_data_source_config *config);
/* Replaces the further fields of its description; instances go on. TW_E_NOT_FOUND; TW_E_LIMIT as
 * above. */
TW_MUST_USE int tw_producer_update(struct tw_producer *producer, const char *name,
                                   struct tw_bytes descriptor);
/* Takes it back: its instances are told to stop, now. What they have written by then reaches the
 * service first; what they write later, as long as their session goes on. The name may be
 * registered again at once. TW_E_NOT_FOUND. */
TW_MUST_USE int tw_producer_unregister(struct tw_producer *producer, const char *name);

/* ---- startup tracing: before there is a session ---- */

/* What to record before anybody asks for it. */
struct tw_startup_config {
    const char *name;       /* of a data source that is registered */
    struct tw_bytes config; /* what a session would say: fields of DataSourceConfig, encoded */
    uint32_t timeout_ms;    /* how long it waits for a session; 0: for ever */
    /* Optional: whether a session with this DataSourceConfig may have what is written. */
    bool (*matches)(void *user, struct tw_bytes config);
};

/*
 * Sets up and starts an instance of the data source, now, from this call: its callbacks are run,
 * and it can be written to, whether there is a service or not, in memory of our own of shm_size.
 * The first session that has the data source, and matches, gets the instance with all that was
 * written: no callback is run then. When the time is over first, or a connection ends, it is
 * stopped, and what it had written is counted as lost (startup_lost). Until then it has the id 0.
 *
 * To be called before tw_producer_dispatch() has had the time to come to an agreement with a
 * service on other memory: TW_E_CLOSED afterwards, until that has been set up; then it works again,
 * in that memory. TW_E_NOT_FOUND; TW_E_EXISTS: one waits already; TW_E_LIMIT; TW_E_PROTOCOL and
 * TW_E_TRUNCATED: config is no message.
 */
TW_MUST_USE int tw_producer_startup(struct tw_producer *producer,
                                    const struct tw_startup_config *config);

/* ---- instances: a data source that the service has set up ---- */

/* Instances are counted references: a callback's argument is valid during the callback, and as long
 * as a reference is held. These calls are for any thread. */
struct tw_instance *tw_instance_ref(struct tw_instance *instance);
void tw_instance_unref(struct tw_instance *instance);
/* Started and not yet stopped: one relaxed load. */
bool tw_instance_active(const struct tw_instance *instance);
/* Grows whenever the service wants incremental state to begin anew. */
uint32_t tw_instance_state_generation(const struct tw_instance *instance);
/* The number that the service gave it. */
uint64_t tw_instance_id(const struct tw_instance *instance);
/* The DataSourceConfig as the service sent it, encoded; as long as the reference. */
struct tw_bytes tw_instance_config_bytes(const struct tw_instance *instance);
/* All writers of the instance are done: once, after its stop callback was called. */
void tw_instance_done(struct tw_instance *instance);

/* ---- trace writers ---- */

/* What to do when the shared memory is full because the service does not keep up. The process is
 * never aborted, whatever the service's config asks for. */
enum tw_exhausted {
    TW_EXHAUSTED_DEFAULT = 0,     /* as the config says, else drop */
    TW_EXHAUSTED_DROP,            /* lose the packet at once */
    TW_EXHAUSTED_STALL,           /* wait up to TW_STALL_MAX_MS, for every packet */
    TW_EXHAUSTED_STALL_THEN_DROP, /* wait once; after a loss drop until there is room again */
};

/* A writer into the instance's buffer. TW_E_LIMIT: all 32767 writer ids are taken; TW_E_CLOSED: the
 * instance's connection is gone, or another process's; negative without memory, and -EINVAL where
 * the system (Linux before 4.14, some sandboxes) cannot keep a writer from a child of fork(), which
 * would spoil what its parent writes. Holds what it needs of the instance, and a page of memory. */
TW_MUST_USE int tw_writer_new(struct tw_trace_writer **ret_writer, struct tw_instance *instance,
                              enum tw_exhausted policy);
/* Flushes and frees; a packet that is open is given up. NULL is fine. */
void tw_writer_free(struct tw_trace_writer *writer);
/* Hands over everything written so far. Not with a packet open (then nothing happens). */
void tw_writer_flush(struct tw_trace_writer *writer);

/* Counts since tw_writer_new(). */
struct tw_writer_stats {
    uint64_t packets; /* written whole */
    uint64_t bytes;   /* of those packets, without any headers */
    uint64_t lost;    /* packets that were begun and are not in the trace */
};

/* What has become of its packets so far. */
void tw_writer_stats(const struct tw_trace_writer *writer, struct tw_writer_stats *ret_stats);

/*
 * One TracePacket: begin, fields, end. Bytes go straight into the shared memory. When a packet is
 * lost on the way, the rest of it is swallowed, tw_writer_end() tells, and the next packet that
 * gets through says previous_packet_dropped. Fields after tw_writer_end() are ignored.
 */

/* Ends the packet that is open, if any. Flushes first if the service has asked for it. */
void tw_writer_begin(struct tw_trace_writer *writer);
/* 0: written. TW_E_LIMIT: lost because the shared memory was full. TW_E_CLOSED: the connection is
 * gone. TW_E_INVALID: given up because of wrong use: nothing begun, nested too deep. */
int tw_writer_end(struct tw_trace_writer *writer);
/* Packets lost so far; for callers whose later packets build on earlier ones. */
uint64_t tw_writer_lost(const struct tw_trace_writer *writer);

/* Fields of the innermost open message; field is 1 to 2^29 - 1. */
void tw_writer_u64(struct tw_trace_writer *writer, uint32_t field, uint64_t value);
/* int32, int64, enums. */
void tw_writer_i64(struct tw_trace_writer *writer, uint32_t field, int64_t value);
/* bool, fixed64, double, bytes and string, as they are called in a schema. */
void tw_writer_bool(struct tw_trace_writer *writer, uint32_t field, bool value);
void tw_writer_fixed64(struct tw_trace_writer *writer, uint32_t field, uint64_t value);
void tw_writer_double(struct tw_trace_writer *writer, uint32_t field, double value);
void tw_writer_bytes(struct tw_trace_writer *writer, uint32_t field, struct tw_bytes value);
void tw_writer_str(struct tw_trace_writer *writer, uint32_t field, const char *value);
/* A nested message; its size is filled in when it ends. Deeper than TW_NEST_MAX gives the packet
 * up. */
void tw_writer_nest(struct tw_trace_writer *writer, uint32_t field);
void tw_writer_unnest(struct tw_trace_writer *writer);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
