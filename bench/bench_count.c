/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fixed pieces of work whose instructions scripts/bench counts with callgrind, which looks only
 * inside measured(). bench_count NAME does one of them, bench_count --list names them with how
 * often each is done. From the top of the source tree.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/macros.h"
#include "consumer_port.pb-c.h"
#include "frame/client_session.h"
#include "frame/host_session.h"
#include "producer_port.pb-c.h"
#include "trace_config.pb-c.h"
#include "wire/pbc.h"
#include "wire/scan.h"

enum { ROUNDS = 1000, STREAM_FRAMES = 100 };

static struct {
    struct tw_frame frame;
    uint8_t bytes[STREAM_FRAMES * 256];
    struct tw_bytes payload; /* of the first frame in bytes */
    size_t n_stream;         /* bytes of all frames */
    const ProtobufCMessageDescriptor *type;
    struct tw_bytes message;
    struct tw_arena arena;
    struct tw_client client;
    struct tw_host host;
} work;

static void must(bool ok)
{
    if (!ok)
        abort();
}

static struct tw_bytes text(const char *s)
{
    return (struct tw_bytes){.p = (const uint8_t *)s, .n = strlen(s)};
}

/* What each is prepared with. */

static void frame_of(enum tw_frame_kind kind)
{
    static const struct tw_method_info methods[] = {
        {1, {(const uint8_t *)"InitializeConnection", 20}},
        {2, {(const uint8_t *)"RegisterDataSource", 18}},
        {3, {(const uint8_t *)"CommitData", 10}},
    };
    struct tw_frame *f = &work.frame;
    size_t n;

    *f = (struct tw_frame){.kind = kind, .request_id = 1234};
    if (kind == TW_FRAME_BIND)
        f->bind.service_name = text("ProducerPort");
    else if (kind == TW_FRAME_BIND_REPLY)
        f->bind_reply = (struct tw_frame_bind_reply){
            .success = true, .service_id = 1, .method = methods, .n_methods = 3};
    else if (kind == TW_FRAME_INVOKE)
        f->invoke = (struct tw_frame_invoke){.service_id = 1,
                                             .method_id = 4,
                                             .args = text("stands for a small CommitData"),
                                             .drop_reply = true};
    else if (kind == TW_FRAME_INVOKE_REPLY)
        f->invoke_reply = (struct tw_frame_invoke_reply){
            .success = true, .has_reply = true, .reply = text("stands for a small reply")};
    else if (kind == TW_FRAME_REQUEST_ERROR)
        f->request_error.text = text("unknown request");
    else
        f->peer_identity =
            (struct tw_frame_peer_identity){.pid = 4000, .uid = 1000, .machine_name = text("here")};
    must(!tw_frame_encode(f, work.bytes, sizeof(work.bytes), &n));
    must(!tw_frame_split((struct tw_bytes){work.bytes, n}, &work.payload));
    for (size_t i = 0; i < STREAM_FRAMES; i++)
        memcpy(work.bytes + i * n, work.bytes, n);
    work.n_stream = STREAM_FRAMES * n;
}

/* A CommitData as a busy producer sends it: eight chunks, two of them patched. */
static void commit_data(int unused)
{
    static uint8_t bytes[512];
    Tw__CommitDataRequest req = TW__COMMIT_DATA_REQUEST__INIT;
    Tw__CommitDataRequest__ChunksToMove move = TW__COMMIT_DATA_REQUEST__CHUNKS_TO_MOVE__INIT;
    Tw__CommitDataRequest__ChunkToPatch chunk = TW__COMMIT_DATA_REQUEST__CHUNK_TO_PATCH__INIT;
    Tw__CommitDataRequest__ChunkToPatch__Patch patch =
        TW__COMMIT_DATA_REQUEST__CHUNK_TO_PATCH__PATCH__INIT;
    Tw__CommitDataRequest__ChunkToPatch__Patch *patches[] = {&patch, &patch};
    Tw__CommitDataRequest__ChunkToPatch *chunks[] = {&chunk, &chunk};
    Tw__CommitDataRequest__ChunksToMove *moves[] = {&move, &move, &move, &move,
                                                    &move, &move, &move, &move};
    uint8_t data[4] = {0x80, 0x80, 0x80, 0x00};

    (void)unused;
    move.has_page = move.has_chunk = move.has_target_buffer = true;
    move.page = 200;
    move.chunk = 3;
    move.target_buffer = 1;
    chunk.has_target_buffer = chunk.has_writer_id = chunk.has_chunk_id = true;
    chunk.target_buffer = chunk.writer_id = 1;
    chunk.chunk_id = 5000;
    chunk.n_patches = TW_ARRAY_LEN(patches);
    chunk.patches = patches;
    patch.has_offset = patch.has_data = true;
    patch.offset = 300;
    patch.data = (ProtobufCBinaryData){.len = sizeof(data), .data = data};
    req.n_chunks_to_move = TW_ARRAY_LEN(moves);
    req.chunks_to_move = moves;
    req.n_chunks_to_patch = TW_ARRAY_LEN(chunks);
    req.chunks_to_patch = chunks;
    work.type = &tw__commit_data_request__descriptor;
    work.message =
        (struct tw_bytes){.p = bytes, .n = protobuf_c_message_get_packed_size(&req.base)};
    must(work.message.n <= sizeof(bytes));
    protobuf_c_message_pack(&req.base, bytes);
}

/* A trace config with every field there is. */
static void trace_config(int unused)
{
    static uint8_t bytes[16 * 1024];
    FILE *file = fopen("tests/data/textformat/everything.bin", "rb");

    (void)unused;
    must(file);
    work.type = &tw__trace_config__descriptor;
    work.message = (struct tw_bytes){.p = bytes, .n = fread(bytes, 1, sizeof(bytes), file)};
    fclose(file);
    must(work.message.n > 100);
}

static void carry(struct tw_tx *from, struct tw_rx *to)
{
    struct tw_bytes bytes;
    uint8_t *p;
    size_t room;
    int fd;

    while (!tw_tx_peek(from, &bytes, &fd)) {
        tw_rx_space(to, &p, &room);
        bytes.n = tw_min(bytes.n, room);
        memcpy(p, bytes.p, bytes.n);
        tw_rx_filled(to, bytes.n, NULL, 0);
        tw_tx_sent(from, bytes.n);
    }
}

static void sessions(int unused)
{
    struct tw_client_event_out event;
    struct tw_host_call call;

    (void)unused;
    must(!tw_client_init(&work.client, &tw_producer_port));
    must(!tw_host_init(&work.host, &tw_producer_port));
    must(!tw_client_bind(&work.client));
    carry(&work.client.tx, &work.host.rx);
    must(tw_host_next(&work.host, &call) == TW_MORE);
    carry(&work.host.tx, &work.client.rx);
    must(!tw_client_next(&work.client, &event) && event.kind == TW_CLIENT_BOUND);
    must(tw_client_next(&work.client, &event) == TW_MORE);
}

/* The work. */

static void decode(void)
{
    struct tw_frame frame;

    must(!tw_frame_decode(work.payload, &frame, NULL));
}

static void encode(void)
{
    size_t n;

    must(!tw_frame_encode(&work.frame, work.bytes, sizeof(work.bytes), &n));
}

static void split_stream(void)
{
    struct tw_bytes rest = {work.bytes, work.n_stream}, payload;

    while (!tw_frame_split(rest, &payload)) {
        rest.n -= (size_t)(payload.p + payload.n - rest.p);
        rest.p = payload.p + payload.n;
    }
    must(rest.n == 0);
}

static void scan(void)
{
    size_t cost;

    must(!tw_scan(work.type, work.message, &cost, NULL));
}

static void unpack(void)
{
    ProtobufCMessage *msg;

    must(!tw_pbc_unpack(work.type, &work.arena, work.message, &msg));
    tw_arena_reset(&work.arena);
}

/* A call, its reply, and back to where both have nothing to do. */
static void round_trip(void)
{
    struct tw_client_event_out event;
    struct tw_bytes none = {0};
    struct tw_host_call call;

    must(!tw_client_call(&work.client, TW_PRODUCER_SYNC, none, false, -1, NULL, NULL));
    carry(&work.client.tx, &work.host.rx);
    must(!tw_host_next(&work.host, &call));
    must(!tw_host_reply(&work.host, call.request_id, &none, false, -1));
    must(tw_host_next(&work.host, &call) == TW_MORE);
    carry(&work.host.tx, &work.client.rx);
    must(!tw_client_next(&work.client, &event) && event.kind == TW_CLIENT_REPLY);
    must(tw_client_next(&work.client, &event) == TW_MORE);
}

static void prepare_frame(int kind)
{
    frame_of((enum tw_frame_kind)kind);
}

static const struct {
    const char *name;
    void (*prepare)(int);
    int argument;
    void (*fn)(void);
} workloads[] = {
    {"decode_bind", prepare_frame, TW_FRAME_BIND, decode},
    {"decode_bind_reply", prepare_frame, TW_FRAME_BIND_REPLY, decode},
    {"decode_invoke", prepare_frame, TW_FRAME_INVOKE, decode},
    {"decode_invoke_reply", prepare_frame, TW_FRAME_INVOKE_REPLY, decode},
    {"decode_request_error", prepare_frame, TW_FRAME_REQUEST_ERROR, decode},
    {"decode_peer_identity", prepare_frame, TW_FRAME_PEER_IDENTITY, decode},
    {"encode_bind_reply", prepare_frame, TW_FRAME_BIND_REPLY, encode},
    {"encode_invoke", prepare_frame, TW_FRAME_INVOKE, encode},
    {"encode_invoke_reply", prepare_frame, TW_FRAME_INVOKE_REPLY, encode},
    {"split_100_frames", prepare_frame, TW_FRAME_INVOKE, split_stream},
    {"scan_commit_data", commit_data, 0, scan},
    {"scan_trace_config", trace_config, 0, scan},
    {"unpack_commit_data", commit_data, 0, unpack},
    {"unpack_trace_config", trace_config, 0, unpack},
    {"host_round_trip", sessions, 0, round_trip},
};

/* callgrind counts here and nowhere else (--toggle-collect). */
__attribute__((noinline)) void measured(void (*fn)(void));
__attribute__((noinline)) void measured(void (*fn)(void))
{
    for (int i = 0; i < ROUNDS; i++)
        fn();
}

int main(int argc, char **argv)
{
    work.arena = TW_ARENA_INIT((size_t)1024 * 1024);
    for (size_t i = 0; argc == 2 && i < TW_ARRAY_LEN(workloads); i++) {
        if (strcmp(argv[1], "--list") == 0)
            printf("%s %d\n", workloads[i].name, ROUNDS);
        if (strcmp(argv[1], workloads[i].name) != 0)
            continue;
        workloads[i].prepare(workloads[i].argument);
        workloads[i].fn(); /* what is done the first time only is not counted */
        measured(workloads[i].fn);
        return 0;
    }
    return argc == 2 && strcmp(argv[1], "--list") == 0 ? 0 : 2;
}
