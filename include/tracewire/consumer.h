/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libtracewire-consumer: start tracing sessions and read what they recorded, from the service or
 * from a file.
 *
 * A tw_consumer is one connection to the consumer socket of a service, and has at most one session.
 * Calls are asynchronous: each queues a request and returns; its completion function is called
 * later, from tw_consumer_dispatch(). A call that returns 0 completes exactly once: with 0 or
 * TW_E_REFUSED for what the service answered, TW_E_CLOSED when the connection has gone, or, for an
 * answer that makes no sense and ends the connection, TW_E_PROTOCOL, TW_E_LIMIT or -ENOMEM. A call
 * that returns anything else never completes.
 *
 * The service is not trusted: whatever it sends, memory and time of one dispatch are bounded. That
 * it never answers is for the caller to notice. Not thread-safe: one thread owns a consumer.
 */
#pragma once

#include "tracewire/common.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

struct tw_consumer;

/* Bytes of one packet, put together from slices or read from a file: more than any packet known,
 * and what a hostile service or file may make us hold. TW-LIM-006 */
#define TW_CONSUMER_PACKET_MAX ((size_t)64 * 1024 * 1024)

/* A call is over. user is as given to the call. */
typedef void (*tw_consumer_done_fn)(void *user, int result);
/* A call is over, or (more) one of several answers has come. body is the encoded answer, empty
 * unless result is 0, and valid during the call. */
typedef void (*tw_consumer_reply_fn)(void *user, int result, struct tw_bytes body, bool more);
/* The session has ended. error is what the service says went wrong, empty if nothing did. */
typedef void (*tw_consumer_ended_fn)(void *user, int result, struct tw_bytes error);
/* One whole TracePacket, valid during the call. */
typedef void (*tw_consumer_packet_fn)(void *user, struct tw_bytes packet);

/* ---- the connection ---- */

/* Milliseconds to wait for a service that is slow to accept. */
enum { TW_CONSUMER_CONNECT_MS = 10000 };

/*
 * Connects to a path, to "@name" in the abstract namespace, to HOST:PORT or [HOST]:PORT by TCP or
 * to vsock://CID:PORT, waiting up to TW_CONSUMER_CONNECT_MS if need be (a host's name takes the
 * resolver's time besides), and asks for the port; bound is called with 0 when calls may be made,
 * TW_E_REFUSED when the service has no such port. TW_E_INVALID for an address that cannot be one,
 * else the errno of connect(2), negated: -ENOENT, -ECONNREFUSED and -EACCES are the likely ones,
 * -ETIMEDOUT after the wait.
 */
TW_MUST_USE int tw_consumer_connect(const char *address, tw_consumer_done_fn bound, void *user,
                                    struct tw_consumer **ret_consumer);
/* The same over a connected stream socket, which is taken on success. */
TW_MUST_USE int tw_consumer_new(int sock, tw_consumer_done_fn bound, void *user,
                                struct tw_consumer **ret_consumer);
/* Every outstanding call completes with TW_E_CLOSED before this returns, and nothing is called
 * afterwards. May be called from a completion function. NULL is fine. */
void tw_consumer_free(struct tw_consumer *consumer);

/* The socket, to wait on. Stays the consumer's. */
int tw_consumer_fd(const struct tw_consumer *consumer);
/* What to wait for, as in poll(2) and epoll(7): reading, and writing too while requests wait. It
 * may change with every call and dispatch. */
uint32_t tw_consumer_events(const struct tw_consumer *consumer);
/* Sends, receives and completes what can be, without waiting. TW_E_CLOSED once the connection is
 * over and everything outstanding was completed; the reason is tw_consumer_why(). TW_E_INVALID from
 * a completion function. */
TW_MUST_USE int tw_consumer_dispatch(struct tw_consumer *consumer);
/* Why the connection is over: a static text; NULL while it is not. */
const char *tw_consumer_why(const struct tw_consumer *consumer);

/*
 * ---- calls ----
 * TW_E_INVALID before bound, TW_E_NOT_FOUND when the service does not have the method, TW_E_LIMIT
 * when too many calls are outstanding or the arguments do not fit a frame, TW_E_FULL when too much
 * waits, TW_E_CLOSED, -ENOMEM.
 */

/* config is an encoded TraceConfig. ended is called when tracing has ended, not when it began. fd
 * is -1 or the file the service shall write into (write_into_file), taken on success. */
TW_MUST_USE int tw_consumer_enable_tracing(struct tw_consumer *consumer, struct tw_bytes config,
                                           int fd, tw_consumer_ended_fn ended, void *user);
/* EnableTracing for the session that the connection has or gets by attaching: ended is called when
 * that ends. */
TW_MUST_USE int tw_consumer_await_end(struct tw_consumer *consumer, tw_consumer_ended_fn ended,
                                      void *user);
/* config is an encoded TraceConfig that differs from the session's in nothing but the names of
 * producers. */
TW_MUST_USE int tw_consumer_change_trace_config(struct tw_consumer *consumer,
                                                struct tw_bytes config, tw_consumer_done_fn done,
                                                void *user);
/* For a config with deferred_start. */
TW_MUST_USE int tw_consumer_start_tracing(struct tw_consumer *consumer, tw_consumer_done_fn done,
                                          void *user);
/* Ends tracing; what was recorded stays to be read. */
TW_MUST_USE int tw_consumer_disable_tracing(struct tw_consumer *consumer, tw_consumer_done_fn done,
                                            void *user);
/* timeout_ms is how long producers have; 0: the service decides. flags are handed to them: in bits
 * 0 to 3 why (1 every so often, 2 the trace ends, 3 it is cloned, 4 somebody wants it), in bits 4
 * to 7 who began it (1 the service, 2 a command, 3 another consumer); 0 says nothing. TW_E_REFUSED:
 * not all were in time. */
TW_MUST_USE int tw_consumer_flush(struct tw_consumer *consumer, uint32_t timeout_ms, uint64_t flags,
                                  tw_consumer_done_fn done, void *user);
/* Hands out every packet in the buffers, then done: TW_E_TRUNCATED when the last was cut off. */
TW_MUST_USE int tw_consumer_read_buffers(struct tw_consumer *consumer, tw_consumer_packet_fn packet,
                                         tw_consumer_done_fn done, void *user);
/* Ends the session and forgets its data. */
TW_MUST_USE int tw_consumer_free_buffers(struct tw_consumer *consumer, tw_consumer_done_fn done,
                                         void *user);
/* Leaves the session to itself under a key that no other detached session of this user has. The
 * connection may be closed then, and a later one attach. */
TW_MUST_USE int tw_consumer_detach(struct tw_consumer *consumer, const char *key,
                                   tw_consumer_done_fn done, void *user);
/* Takes that session back. The answer is an AttachResponse, which has the session's config; its end
 * is told to who asks for it, tw_consumer_await_end(). */
TW_MUST_USE int tw_consumer_attach(struct tw_consumer *consumer, const char *key,
                                   tw_consumer_reply_fn reply, void *user);
/* The answer is a GetTraceStatsResponse. */
TW_MUST_USE int tw_consumer_get_trace_stats(struct tw_consumer *consumer,
                                            tw_consumer_reply_fn reply, void *user);
/* Answers are QueryServiceStateResponse: pieces whose concatenation is the whole. */
TW_MUST_USE int tw_consumer_query_service_state(struct tw_consumer *consumer, bool sessions_only,
                                                tw_consumer_reply_fn reply, void *user);
/* The answer is a QueryCapabilitiesResponse. */
TW_MUST_USE int tw_consumer_query_capabilities(struct tw_consumer *consumer,
                                               tw_consumer_reply_fn reply, void *user);
/* Answers are ObserveEventsResponse, one an event, until the connection or the observation ends.
 * types is a mask of ObservableEvents.Type; 0 ends the observation. */
TW_MUST_USE int tw_consumer_observe_events(struct tw_consumer *consumer, uint32_t types,
                                           tw_consumer_reply_fn reply, void *user);

/* The answer is a SaveTraceForBugreportResponse: no service of today saves one, and
 * tw_clone_result_read() reads why. */
TW_MUST_USE int tw_consumer_save_trace_for_bugreport(struct tw_consumer *consumer,
                                                     tw_consumer_reply_fn reply, void *user);

/* A session_id: whichever session has the highest bugreport_score. */
#define TW_CLONE_FOR_BUGREPORT UINT64_MAX

/* Which session to clone, and what the clone's trace says about the reason. All zero but the first
 * or the second is fine. */
struct tw_clone_args {
    uint64_t session_id;
    const char *unique_session_name; /* NULL: by session_id */
    bool skip_trace_filter;
    bool for_bugreport;                               /* producers are told when they are flushed */
    const char *trigger_name, *trigger_producer_name; /* NULL: no trigger was the reason */
    int32_t trigger_uid;
    uint64_t trigger_boot_time_ns, trigger_delay_ms;
};

/* What tw_clone_result_read() finds; without success error says why. */
struct tw_clone_result {
    bool success;
    struct tw_bytes error; /* a text, inside the answer */
    int64_t uuid_msb, uuid_lsb;
    bool was_write_into_file;
};

/* Makes a copy of a session this connection's session, for read_buffers and free_buffers. fd is -1
 * or, for a session that writes into a file, the clone's file: taken on success. The answer is a
 * CloneSessionResponse; that it came does not mean success. */
TW_MUST_USE int tw_consumer_clone_session(struct tw_consumer *consumer,
                                          const struct tw_clone_args *args, int fd,
                                          tw_consumer_reply_fn reply, void *user);
/* What the answer says. TW_E_PROTOCOL when it is none. */
TW_MUST_USE int tw_clone_result_read(struct tw_bytes body, struct tw_clone_result *ret_result);

/*
 * ---- calls that wait ----
 * The same calls, for programs that have nothing else to do: each waits for its answer, no longer
 * than timeout_ms milliseconds whatever the service does, and returns the result of both, what the
 * call says and what its completion function would be told. -ETIMEDOUT: no answer yet. The call
 * goes on then, its answer is dropped when it comes, and the connection is as good as before; a
 * service that never answers is left by freeing the consumer. Other calls of the connection, which
 * may be outstanding meanwhile, complete from within. Not for completion functions: TW_E_INVALID.
 *
 * What a completion function would get is copied to *ret_answer, of at most TW_CONSUMER_PACKET_MAX
 * bytes (TW_E_LIMIT); the caller frees it with free(). ret_answer may be NULL. A descriptor stays
 * the caller's. TW-CONS-110
 */

/* Bytes for the caller to free. */
struct tw_answer {
    uint8_t *p; /* NULL if n is 0 */
    size_t n;
};

/* Connects and waits until calls may be made. */
TW_MUST_USE int tw_consumer_connect_wait(const char *address, uint32_t timeout_ms,
                                         struct tw_consumer **ret_consumer);
/* These two wait until tracing has ended; the answer is the service's error text, or empty. */
TW_MUST_USE int tw_consumer_enable_tracing_wait(struct tw_consumer *consumer,
                                                struct tw_bytes config, int fd, uint32_t timeout_ms,
                                                struct tw_answer *ret_answer);
TW_MUST_USE int tw_consumer_await_end_wait(struct tw_consumer *consumer, uint32_t timeout_ms,
                                           struct tw_answer *ret_answer);
/* packet is called from within. */
TW_MUST_USE int tw_consumer_read_buffers_wait(struct tw_consumer *consumer,
                                              tw_consumer_packet_fn packet, void *user,
                                              uint32_t timeout_ms);
/* What is not said here is as with the calls that do not wait. */
TW_MUST_USE int tw_consumer_change_trace_config_wait(struct tw_consumer *consumer,
                                                     struct tw_bytes config, uint32_t timeout_ms);
TW_MUST_USE int tw_consumer_start_tracing_wait(struct tw_consumer *consumer, uint32_t timeout_ms);
TW_MUST_USE int tw_consumer_disable_tracing_wait(struct tw_consumer *consumer, uint32_t timeout_ms);
/* flush_ms is how long producers have. */
TW_MUST_USE int tw_consumer_flush_wait(struct tw_consumer *consumer, uint32_t flush_ms,
                                       uint64_t flags, uint32_t timeout_ms);
/* Without a change. */
TW_MUST_USE int tw_consumer_free_buffers_wait(struct tw_consumer *consumer, uint32_t timeout_ms);
TW_MUST_USE int tw_consumer_detach_wait(struct tw_consumer *consumer, const char *key,
                                        uint32_t timeout_ms);
TW_MUST_USE int tw_consumer_attach_wait(struct tw_consumer *consumer, const char *key,
                                        uint32_t timeout_ms, struct tw_answer *ret_answer);
TW_MUST_USE int tw_consumer_get_trace_stats_wait(struct tw_consumer *consumer, uint32_t timeout_ms,
                                                 struct tw_answer *ret_answer);
TW_MUST_USE int tw_consumer_query_service_state_wait(struct tw_consumer *consumer,
                                                     bool sessions_only, uint32_t timeout_ms,
                                                     struct tw_answer *ret_answer);
TW_MUST_USE int tw_consumer_query_capabilities_wait(struct tw_consumer *consumer,
                                                    uint32_t timeout_ms,
                                                    struct tw_answer *ret_answer);
/* Waits for the first events; none are told after them. */
TW_MUST_USE int tw_consumer_observe_events_wait(struct tw_consumer *consumer, uint32_t types,
                                                uint32_t timeout_ms, struct tw_answer *ret_answer);
/* Without a change. */
TW_MUST_USE int tw_consumer_save_trace_for_bugreport_wait(struct tw_consumer *consumer,
                                                          uint32_t timeout_ms,
                                                          struct tw_answer *ret_answer);
TW_MUST_USE int tw_consumer_clone_session_wait(struct tw_consumer *consumer,
                                               const struct tw_clone_args *args, int fd,
                                               uint32_t timeout_ms, struct tw_answer *ret_answer);

/*
 * ---- trace files ----
 * A reader hands out the packets of a trace, one after the other. The file is not trusted: what the
 * reader holds is at most one packet of the largest size and some 256 KiB, and comes from bytes
 * that were read, never from a size that the file claims. TW-TRACE-060 to TW-TRACE-062
 */

struct tw_trace_reader;

/* How the packets inside a packet are compressed. */
enum tw_trace_coding {
    TW_TRACE_PLAIN,   /* there are none inside */
    TW_TRACE_DEFLATE, /* a zlib stream, RFC 1950 */
    TW_TRACE_ZSTD,    /* a zstd frame, RFC 8878 */
};

/* One packet of a trace, and where it was. */
struct tw_trace_packet {
    struct tw_bytes packet; /* an encoded TracePacket; that it decodes was not checked */
    enum tw_trace_coding coding;
    struct tw_bytes packed; /* unless PLAIN: a compressed Trace, inside packet */
    uint64_t offset;        /* bytes from the start of the trace to the field that holds packet */
};

/* Reads up to n bytes, at least one, to p; *ret_n is 0 at the end only. What it returns instead of
 * 0 ends the reading and is passed on: negative errno, or an outcome of its own. */
typedef int (*tw_trace_read_fn)(void *user, uint8_t *p, size_t n, size_t *ret_n);

/* "-" is standard input. The negated errno of open(2), -ENOMEM. */
TW_MUST_USE int tw_trace_reader_open(const char *path, struct tw_trace_reader **ret_reader);
/* Reads from anywhere. packet_max is the size in bytes of the largest packet that is taken, at most
 * TW_CONSUMER_PACKET_MAX. -ENOMEM. */
TW_MUST_USE int tw_trace_reader_new(tw_trace_read_fn read, void *user, size_t packet_max,
                                    struct tw_trace_reader **ret_reader);
/* NULL is fine. */
void tw_trace_reader_free(struct tw_trace_reader *reader);

/*
 * The next packet, valid until the next call. Anything but 0 is said again by every later call:
 * TW_MORE behind the last packet; TW_E_TRUNCATED when the file ends inside one, TW_E_PROTOCOL when
 * what follows is no packet, TW_E_LIMIT when it is larger than what is taken; negative errno of
 * reading, -ENOMEM.
 */
TW_MUST_USE int tw_trace_reader_next(struct tw_trace_reader *reader,
                                     struct tw_trace_packet *ret_packet);
/* Bytes from the start of the trace to what was not handed out yet: after a failure, to what is
 * wrong. */
uint64_t tw_trace_reader_offset(const struct tw_trace_reader *reader);

/*
 * A writer makes a trace file of packets: one Trace, in which each is a field 1. The file gets its
 * name when it is whole, and what had that name stays until then (TW-TRACE-070 to TW-TRACE-072).
 * Meanwhile it is called like it, with a dot, six characters and .partial behind, in the same
 * folder; it is readable and writable by its owner alone, for a trace can tell secrets. Who is
 * killed leaves no more than that. Standard output, a device, a pipe or what a symbolic link leads
 * to is written where it is. Not thread-safe.
 */

struct tw_trace_file;

/* All zero is what is usual. */
struct tw_trace_file_options {
    bool no_clobber;      /* where there is something by that name, neither opens nor replaces it */
    bool sync;            /* waits for the disk before and after the file gets its name */
    uint64_t preallocate; /* bytes on the disk to set aside; what is not used is given back */
};

/* "-" is standard output, for which no option means anything. options may be NULL. The negated
 * errno of open(2), also in the folder: -EEXIST for no_clobber, -ENOSPC when there is less room
 * than preallocate asks for; -ENOMEM. */
TW_MUST_USE int tw_trace_file_open(const char *path, const struct tw_trace_file_options *options,
                                   struct tw_trace_file **ret_file);
/* Writes to fd, from where it stands, which is taken on success. -ENOMEM. */
TW_MUST_USE int tw_trace_file_new(int fd, struct tw_trace_file **ret_file);
/* Adds one packet; some 256 KiB are gathered before they are written. After a failure nothing is
 * written any more and every call returns it: the negated errno of write(2), of which -ENOSPC,
 * -EDQUOT and -EFBIG tell of a full disk. What was written before it is kept, up to the last whole
 * packet. */
TW_MUST_USE int tw_trace_file_packet(struct tw_trace_file *file, struct tw_bytes packet);
/*
 * Writes what was gathered and closes the file; if it is whole, gives it its name. Returns the
 * first failure of all. After one, or if it is not whole, the file stays under its other name, and
 * without a whole packet it is removed: tw_trace_file_where() says what became of it. TW_E_INVALID
 * when it is closed already.
 */
TW_MUST_USE int tw_trace_file_close(struct tw_trace_file *file, bool whole);
/* Closes it as one that is not whole, if it is open. NULL is fine. */
void tw_trace_file_free(struct tw_trace_file *file);

/* The descriptor, for a service that shall write the file itself (enable_tracing takes a copy of
 * it); -1 once closed. Stays the file's. */
int tw_trace_file_fd(const struct tw_trace_file *file);
/* What the file is called now; NULL of one that was removed, of standard output and of a
 * descriptor. Valid until the next call. */
const char *tw_trace_file_where(const struct tw_trace_file *file);
/* Packets, and bytes of them all, so far; after a failure those that are kept. */
uint64_t tw_trace_file_packets(const struct tw_trace_file *file);
uint64_t tw_trace_file_bytes(const struct tw_trace_file *file);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
