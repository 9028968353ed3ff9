/* SPDX-License-Identifier: Apache-2.0 */
/* The methods of the consumer port: what goes into each request, and how its answer is told. */
#include <errno.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "consumer/endpoint.h"
#include "frame/ports.h"
#include "tracewire/frame.h"
#include "wire/writer.h"

/* Field numbers of the requests (spec/proto/consumer_port.proto). */
enum {
    CONFIG = 1, /* EnableTracing and ChangeTraceConfig */
    ENABLE_ATTACH_NOTIFICATION_ONLY = 2,
    FLUSH_TIMEOUT_MS = 1,
    FLUSH_FLAGS = 2,
    KEY = 1, /* Detach and Attach */
    OBSERVE_TYPES = 1,
    QUERY_SESSIONS_ONLY = 1,
};

/* Bytes of a request that has only numbers: a tag and a varint for each of up to 32 of them. */
enum { NUMBERS_MAX = 32 * (1 + 10) };

static struct tw_call plain(tw_consumer_done_fn done, void *user)
{
    return (struct tw_call){.kind = TW_CALL_PLAIN, .done = done, .user = user};
}

static struct tw_call replied(tw_consumer_reply_fn reply, void *user)
{
    return (struct tw_call){.kind = TW_CALL_REPLY, .reply = reply, .user = user};
}

static struct tw_call at_the_end(tw_consumer_ended_fn ended, void *user)
{
    return (struct tw_call){.kind = TW_CALL_ENDED, .ended = ended, .user = user};
}

static int send_empty(struct tw_consumer *c, uint32_t method, struct tw_call call)
{
    return tw_consumer_send(c, method, (struct tw_bytes){0}, -1, call);
}

static int send_written(struct tw_consumer *c, uint32_t method, const struct tw_writer *w, int fd,
                        struct tw_call call)
{
    return tw_consumer_send(c, method, (struct tw_bytes){.p = w->begin, .n = tw_writer_size(w)}, fd,
                            call);
}

/* A request that is one field, of any size. */
static int send_bytes(struct tw_consumer *c, uint32_t method, uint32_t field, struct tw_bytes value,
                      int fd, struct tw_call call)
{
    size_t size = tw_len_size(value.n) + value.n;
    struct tw_writer w;
    int rc;

    if (value.n > TW_FRAME_PAYLOAD_MAX)
        return TW_E_LIMIT;
    w = tw_writer_of(malloc(size), size);
    if (!w.begin)
        return -ENOMEM;
    tw_put_bytes(&w, field, value);
    rc = send_written(c, method, &w, fd, call);
    free(w.begin);
    return rc;
}

int tw_consumer_enable_tracing(struct tw_consumer *consumer, struct tw_bytes config, int fd,
                               tw_consumer_ended_fn ended, void *user)
{
    return send_bytes(consumer, TW_CONSUMER_ENABLE_TRACING, CONFIG, config, fd,
                      at_the_end(ended, user));
}

int tw_consumer_await_end(struct tw_consumer *consumer, tw_consumer_ended_fn ended, void *user)
{
    uint8_t args[NUMBERS_MAX];
    struct tw_writer w = tw_writer_of(args, sizeof(args));

    tw_put_bool(&w, ENABLE_ATTACH_NOTIFICATION_ONLY, true);
    return send_written(consumer, TW_CONSUMER_ENABLE_TRACING, &w, -1, at_the_end(ended, user));
}

int tw_consumer_change_trace_config(struct tw_consumer *consumer, struct tw_bytes config,
                                    tw_consumer_done_fn done, void *user)
{
    return send_bytes(consumer, TW_CONSUMER_CHANGE_TRACE_CONFIG, CONFIG, config, -1,
                      plain(done, user));
}

int tw_consumer_start_tracing(struct tw_consumer *consumer, tw_consumer_done_fn done, void *user)
{
    return send_empty(consumer, TW_CONSUMER_START_TRACING, plain(done, user));
}

int tw_consumer_disable_tracing(struct tw_consumer *consumer, tw_consumer_done_fn done, void *user)
{
    return send_empty(consumer, TW_CONSUMER_DISABLE_TRACING, plain(done, user));
}

int tw_consumer_flush(struct tw_consumer *consumer, uint32_t timeout_ms, uint64_t flags,
                      tw_consumer_done_fn done, void *user)
{
    uint8_t args[NUMBERS_MAX];
    struct tw_writer w = tw_writer_of(args, sizeof(args));

    tw_put_u64(&w, FLUSH_TIMEOUT_MS, timeout_ms);
    if (flags)
        tw_put_u64(&w, FLUSH_FLAGS, flags);
    return send_written(consumer, TW_CONSUMER_FLUSH, &w, -1, plain(done, user));
}

int tw_consumer_read_buffers(struct tw_consumer *consumer, tw_consumer_packet_fn packet,
                             tw_consumer_done_fn done, void *user)
{
    struct tw_call call = {
        .kind = TW_CALL_READ,
        .done = done,
        .packet = packet,
        .user = user,
        .packets = TW_REASSEMBLY_INIT(TW_CONSUMER_PACKET_MAX),
    };

    return send_empty(consumer, TW_CONSUMER_READ_BUFFERS, call);
}

int tw_consumer_free_buffers(struct tw_consumer *consumer, tw_consumer_done_fn done, void *user)
{
    return send_empty(consumer, TW_CONSUMER_FREE_BUFFERS, plain(done, user));
}

int tw_consumer_detach(struct tw_consumer *consumer, const char *key, tw_consumer_done_fn done,
                       void *user)
{
    return send_bytes(consumer, TW_CONSUMER_DETACH, KEY, tw_bytes_of_str(key), -1,
                      plain(done, user));
}

int tw_consumer_attach(struct tw_consumer *consumer, const char *key, tw_consumer_reply_fn reply,
                       void *user)
{
    return send_bytes(consumer, TW_CONSUMER_ATTACH, KEY, tw_bytes_of_str(key), -1,
                      replied(reply, user));
}

int tw_consumer_get_trace_stats(struct tw_consumer *consumer, tw_consumer_reply_fn reply,
                                void *user)
{
    return send_empty(consumer, TW_CONSUMER_GET_TRACE_STATS, replied(reply, user));
}

int tw_consumer_query_service_state(struct tw_consumer *consumer, bool sessions_only,
                                    tw_consumer_reply_fn reply, void *user)
{
    uint8_t args[NUMBERS_MAX];
    struct tw_writer w = tw_writer_of(args, sizeof(args));

    tw_put_bool(&w, QUERY_SESSIONS_ONLY, sessions_only);
    return send_written(consumer, TW_CONSUMER_QUERY_SERVICE_STATE, &w, -1, replied(reply, user));
}

int tw_consumer_query_capabilities(struct tw_consumer *consumer, tw_consumer_reply_fn reply,
                                   void *user)
{
    return send_empty(consumer, TW_CONSUMER_QUERY_CAPABILITIES, replied(reply, user));
}

int tw_consumer_observe_events(struct tw_consumer *consumer, uint32_t types,
                               tw_consumer_reply_fn reply, void *user)
{
    uint8_t args[NUMBERS_MAX];
    struct tw_writer w = tw_writer_of(args, sizeof(args));

    for (uint32_t bit = 0; bit < 32; bit++)
        if (types & UINT32_C(1) << bit)
            tw_put_u64(&w, OBSERVE_TYPES, UINT64_C(1) << bit);
    return send_written(consumer, TW_CONSUMER_OBSERVE_EVENTS, &w, -1, replied(reply, user));
}

int tw_consumer_save_trace_for_bugreport(struct tw_consumer *consumer, tw_consumer_reply_fn reply,
                                         void *user)
{
    return send_empty(consumer, TW_CONSUMER_SAVE_TRACE_FOR_BUGREPORT, replied(reply, user));
}
