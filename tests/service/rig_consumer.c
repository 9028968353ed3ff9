/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "tests/service/rig.h"

struct rig_peer *rig_consumer(struct rig *rig)
{
    return rig_connect(rig, TW_SERVICE_CONSUMER);
}

struct rig_peer *rig_consumer_as(struct rig *rig, int32_t uid)
{
    struct rig_peer *peer = rig_connect_silent(rig, TW_SERVICE_CONSUMER, uid);

    RIG_MUST(!tw_client_bind(&peer->client));
    rig_pump(rig);
    return peer;
}

uint64_t rig_enable_with(struct rig_peer *consumer, const Tw__TraceConfig *config, int fd)
{
    Tw__EnableTracingRequest req = TW__ENABLE_TRACING_REQUEST__INIT;
    struct tw_buf buf = TW_BUF_INIT(TW_FRAME_PAYLOAD_MAX);
    Tw__TraceConfig copy = *config;
    uint64_t id;

    req.trace_config = &copy;
    RIG_MUST(!tw_pbc_pack(&req.base, &buf));
    id = rig_send_raw(consumer, TW_CONSUMER_ENABLE_TRACING, tw_buf_bytes(&buf), false, fd);
    tw_buf_deinit(&buf);
    rig_pump(consumer->rig);
    return id;
}

static uint64_t clone(struct rig_peer *cloner, const Tw__CloneSessionRequest *req)
{
    uint64_t id = rig_send(cloner, TW_CONSUMER_CLONE_SESSION, &req->base);

    rig_pump(cloner->rig);
    return id;
}

uint64_t rig_clone(struct rig_peer *cloner, const char *name)
{
    Tw__CloneSessionRequest req = TW__CLONE_SESSION_REQUEST__INIT;

    req.selector_case = TW__CLONE_SESSION_REQUEST__SELECTOR_UNIQUE_SESSION_NAME;
    req.unique_session_name = tw_pbc_str(name);
    return clone(cloner, &req);
}

uint64_t rig_clone_by_id(struct rig_peer *cloner, uint64_t session_id)
{
    Tw__CloneSessionRequest req = TW__CLONE_SESSION_REQUEST__INIT;

    req.selector_case = TW__CLONE_SESSION_REQUEST__SELECTOR_SESSION_ID;
    req.session_id = session_id;
    return clone(cloner, &req);
}

uint64_t rig_enable(struct rig_peer *consumer, const Tw__TraceConfig *config)
{
    return rig_enable_with(consumer, config, -1);
}

static void *zeroed(struct rig *rig, size_t n)
{
    void *p = tw_arena_alloc(&rig->arena, n);

    RIG_MUST(p);
    return memset(p, 0, n);
}

Tw__TraceConfig *rig_config(struct rig *rig, const char *data_source)
{
    Tw__TraceConfig *config = zeroed(rig, sizeof(*config));
    Tw__TraceConfig__BufferConfig *buffer = zeroed(rig, sizeof(*buffer));
    Tw__TraceConfig__DataSource *source = zeroed(rig, sizeof(*source));
    Tw__DataSourceConfig *inner = zeroed(rig, sizeof(*inner));

    tw__trace_config__init(config);
    tw__trace_config__buffer_config__init(buffer);
    tw__trace_config__data_source__init(source);
    tw__data_source_config__init(inner);
    buffer->has_size_kb = true;
    buffer->size_kb = 64;
    inner->name = tw_pbc_str(data_source);
    source->config = inner;
    config->buffers = zeroed(rig, sizeof(*config->buffers));
    config->data_sources = zeroed(rig, sizeof(*config->data_sources));
    config->buffers[config->n_buffers++] = buffer;
    config->data_sources[config->n_data_sources++] = source;
    return config;
}

/* The slices of all replies put together: packets behind one another, and where each ends. */
struct pieces {
    struct tw_buf bytes;
    size_t *ends;
    size_t n, cap;
};

static void collect(struct rig_peer *consumer, const struct rig_reply *reply, struct pieces *out)
{
    Tw__ReadBuffersResponse *response =
        rig_decode(consumer, reply, &tw__read_buffers_response__descriptor);

    for (size_t i = 0; response && i < response->n_slices; i++) {
        const Tw__ReadBuffersResponse__Slice *slice = response->slices[i];

        RIG_MUST(!tw_buf_append(&out->bytes, slice->data.data, slice->data.len));
        if (!slice->last_slice_for_packet)
            continue;
        if (out->n == out->cap) {
            out->cap = out->cap ? 2 * out->cap : 64;
            out->ends = reallocarray(out->ends, out->cap, sizeof(*out->ends));
            RIG_MUST(out->ends);
        }
        out->ends[out->n++] = out->bytes.n;
    }
}

static struct rig_trace decode(struct rig *rig, const struct pieces *pieces)
{
    struct rig_trace trace = {.n = pieces->n};
    uint8_t *bytes = zeroed(rig, pieces->bytes.n + 1);
    size_t from = 0;

    if (pieces->bytes.n)
        memcpy(bytes, pieces->bytes.p, pieces->bytes.n);
    trace.packets = zeroed(rig, (trace.n + 1) * sizeof(*trace.packets));
    trace.decoded = zeroed(rig, (trace.n + 1) * sizeof(void *));
    for (size_t i = 0; i < trace.n; i++) {
        ProtobufCMessage *msg;

        trace.packets[i] = (struct tw_bytes){.p = bytes + from, .n = pieces->ends[i] - from};
        if (!rig->undecoded &&
            !tw_pbc_unpack(&tw__trace_packet__descriptor, &rig->arena, trace.packets[i], &msg))
            trace.decoded[i] = (Tw__TracePacket *)msg;
        from = pieces->ends[i];
    }
    RIG_MUST(from == pieces->bytes.n);
    return trace;
}

struct rig_trace rig_read(struct rig_peer *consumer)
{
    struct rig *rig = consumer->rig;
    struct pieces pieces = {.bytes = TW_BUF_INIT(SIZE_MAX / 4)};
    uint64_t id = rig_send(consumer, TW_CONSUMER_READ_BUFFERS, NULL);
    const struct rig_reply *last;
    struct rig_trace trace;

    rig_pump(rig);
    for (size_t i = 0; i < consumer->n_replies; i++)
        if (consumer->replies[i].id == id)
            collect(consumer, &consumer->replies[i], &pieces);
    last = rig_last(consumer, id);
    trace = decode(rig, &pieces);
    trace.whole = last && last->success && !last->has_more;
    tw_buf_deinit(&pieces.bytes);
    free(pieces.ends);
    return trace;
}

size_t rig_find(const struct rig_trace *trace, const char *text, Tw__TracePacket **ret_first)
{
    size_t n = 0;

    for (size_t i = 0; i < trace->n; i++) {
        Tw__TracePacket *packet = trace->decoded[i];

        if (!packet || packet->data_case != TW__TRACE_PACKET__DATA_FOR_TESTING ||
            !packet->for_testing->str || strcmp(packet->for_testing->str, text) != 0)
            continue;
        if (n++ == 0 && ret_first)
            *ret_first = packet;
    }
    return n;
}

Tw__TracePacket *rig_kind(const struct rig_trace *trace, Tw__TracePacket__DataCase kind, size_t nth)
{
    for (size_t i = 0; i < trace->n; i++)
        if (trace->decoded[i] && trace->decoded[i]->data_case == kind && nth-- == 0)
            return trace->decoded[i];
    return NULL;
}
