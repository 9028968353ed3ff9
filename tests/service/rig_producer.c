/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/macros.h"
#include "tests/service/rig.h"
#include "wire/writer.h"

void rig_initialize(struct rig_peer *producer, const Tw__InitializeConnectionRequest *hello, int fd)
{
    struct tw_buf buf = TW_BUF_INIT(TW_FRAME_PAYLOAD_MAX);

    RIG_MUST(!tw_client_bind(&producer->client));
    rig_pump(producer->rig);
    RIG_MUST(!tw_pbc_pack(&hello->base, &buf));
    rig_send_raw(producer, TW_PRODUCER_INITIALIZE_CONNECTION, tw_buf_bytes(&buf), false, fd);
    tw_buf_deinit(&buf);
    producer->commands_id = rig_send(producer, TW_PRODUCER_GET_ASYNC_COMMAND, NULL);
    rig_pump(producer->rig);
}

struct rig_peer *rig_producer_with(struct rig *rig, const Tw__InitializeConnectionRequest *hello,
                                   int fd)
{
    struct rig_peer *producer = rig_connect_silent(rig, TW_SERVICE_PRODUCER, rig->uid);

    rig_initialize(producer, hello, fd);
    return producer;
}

Tw__InitializeConnectionRequest rig_hello(const char *name)
{
    Tw__InitializeConnectionRequest hello = TW__INITIALIZE_CONNECTION_REQUEST__INIT;

    hello.producer_name = tw_pbc_str(name);
    hello.has_shared_memory_size_hint_bytes = true;
    hello.shared_memory_size_hint_bytes = 64 * 1024;
    hello.has_smb_scraping_mode = true;
    hello.smb_scraping_mode =
        TW__INITIALIZE_CONNECTION_REQUEST__PRODUCER_SMBSCRAPING_MODE__SMB_SCRAPING_ENABLED;
    return hello;
}

struct rig_peer *rig_producer(struct rig *rig, const char *name)
{
    Tw__InitializeConnectionRequest hello = rig_hello(name);

    return rig_producer_with(rig, &hello, -1);
}

void rig_register_with(struct rig_peer *producer, const Tw__DataSourceDescriptor *descriptor)
{
    Tw__RegisterDataSourceRequest req = TW__REGISTER_DATA_SOURCE_REQUEST__INIT;
    Tw__DataSourceDescriptor copy = *descriptor;

    req.data_source_descriptor = &copy;
    rig_call(producer, TW_PRODUCER_REGISTER_DATA_SOURCE, &req.base);
}

void rig_register(struct rig_peer *producer, const char *name)
{
    Tw__DataSourceDescriptor descriptor = TW__DATA_SOURCE_DESCRIPTOR__INIT;

    descriptor.name = tw_pbc_str(name);
    rig_register_with(producer, &descriptor);
}

Tw__GetAsyncCommandResponse *rig_command(struct rig_peer *producer,
                                         Tw__GetAsyncCommandResponse__CmdCase kind, size_t nth)
{
    for (size_t i = 0; i < producer->n_replies; i++) {
        const struct rig_reply *reply = &producer->replies[i];
        Tw__GetAsyncCommandResponse *command;

        if (reply->id != producer->commands_id || !reply->success)
            continue;
        command = rig_decode(producer, reply, &tw__get_async_command_response__descriptor);
        if (command->cmd_case == kind && nth-- == 0)
            return command;
    }
    return NULL;
}

size_t rig_commands(struct rig_peer *producer, Tw__GetAsyncCommandResponse__CmdCase kind)
{
    size_t n = 0;

    while (rig_command(producer, kind, n))
        n++;
    return n;
}

uint16_t rig_buffer(struct rig_peer *producer)
{
    const Tw__GetAsyncCommandResponse__CmdCase kind =
        TW__GET_ASYNC_COMMAND_RESPONSE__CMD_SETUP_DATA_SOURCE;
    size_t n = rig_commands(producer, kind);

    RIG_MUST(n > 0);
    return (uint16_t)rig_command(producer, kind, n - 1)->setup_data_source->config->target_buffer;
}

static void use_memory(struct rig_peer *producer)
{
    Tw__GetAsyncCommandResponse *command;

    if (producer->smb.n_pages)
        return;
    command = rig_command(producer, TW__GET_ASYNC_COMMAND_RESPONSE__CMD_SETUP_TRACING, 0);
    RIG_MUST(command && producer->shm.p);
    RIG_MUST(!tw_smb_init(&producer->smb, producer->shm.p, producer->shm.size,
                          command->setup_tracing->shared_buffer_page_size_kb * 1024));
}

/* The way that writers pack chunks: a padded size in front of each packet. */
static void put_packets(struct tw_writer *w, const struct tw_bytes *packets, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint8_t size[TW_WIRE_SIZE_BYTES];

        tw_write_padded_size(size, (uint32_t)packets[i].n);
        tw_put_raw(w, size, sizeof(size));
        tw_put_raw(w, packets[i].p, packets[i].n);
    }
    RIG_MUST(!w->overflow);
}

void rig_write(struct rig_peer *producer, const struct rig_chunk *c, const struct tw_bytes *packets,
               size_t n)
{
    struct tw_chunk_header header = {.chunk_id = c->chunk_id, .writer_id = c->writer_id};
    struct tw_smb_chunk chunk;
    struct tw_writer w;

    use_memory(producer);
    TW_IGNORE(tw_smb_partition(&producer->smb, c->page, TW_PAGE_DIV1)); /* it may be already */
    RIG_MUST(!tw_smb_acquire_for_writing(&producer->smb, c->page, 0, &header, &chunk));
    w = tw_writer_of(tw_shared_own(chunk.payload), chunk.payload_size);
    put_packets(&w, packets, n);
    tw_chunk_store_packets(chunk.header, (uint16_t)n, c->flags);
    if (!c->leave_open)
        RIG_MUST(!tw_smb_release_as_complete(&producer->smb, &chunk));
}

void rig_send_chunk(struct rig_peer *producer, const struct rig_chunk *c,
                    const struct tw_bytes *packets, size_t n, uint32_t buffer_id)
{
    static uint8_t bytes[TW_FRAME_PAYLOAD_MAX];
    Tw__CommitDataRequest req = TW__COMMIT_DATA_REQUEST__INIT;
    Tw__CommitDataRequest__ChunksToMove move = TW__COMMIT_DATA_REQUEST__CHUNKS_TO_MOVE__INIT;
    Tw__CommitDataRequest__ChunksToMove *moves[] = {&move};
    uint16_t counts = (uint16_t)(n | (size_t)c->flags << 10);
    struct tw_writer w = tw_writer_of(bytes, sizeof(bytes));

    /* Little-endian, as the tests' machines are. */
    tw_put_raw(&w, (const uint8_t *)&c->chunk_id, sizeof(c->chunk_id));
    tw_put_raw(&w, (const uint8_t *)&c->writer_id, sizeof(c->writer_id));
    tw_put_raw(&w, (const uint8_t *)&counts, sizeof(counts));
    put_packets(&w, packets, n);
    move.has_page = move.has_chunk = move.has_target_buffer = move.has_data = true;
    move.page = c->page;
    move.target_buffer = buffer_id;
    move.data = (ProtobufCBinaryData){.len = tw_writer_size(&w), .data = bytes};
    move.has_chunk_incomplete = move.chunk_incomplete = c->leave_open;
    req.n_chunks_to_move = 1;
    req.chunks_to_move = moves;
    rig_call(producer, TW_PRODUCER_COMMIT_DATA, &req.base);
}

void rig_commit(struct rig_peer *producer, uint32_t page, uint32_t buffer_id)
{
    Tw__CommitDataRequest req = TW__COMMIT_DATA_REQUEST__INIT;
    Tw__CommitDataRequest__ChunksToMove move = TW__COMMIT_DATA_REQUEST__CHUNKS_TO_MOVE__INIT;
    Tw__CommitDataRequest__ChunksToMove *moves[] = {&move};

    move.has_page = move.has_chunk = move.has_target_buffer = true;
    move.page = page;
    move.target_buffer = buffer_id;
    req.n_chunks_to_move = 1;
    req.chunks_to_move = moves;
    rig_call(producer, TW_PRODUCER_COMMIT_DATA, &req.base);
}

struct tw_bytes rig_packet(struct rig *rig, const char *text)
{
    Tw__TracePacket packet = TW__TRACE_PACKET__INIT;
    Tw__TestEvent event = TW__TEST_EVENT__INIT;
    size_t size;
    uint8_t *p;

    event.str = tw_pbc_str(text);
    packet.data_case = TW__TRACE_PACKET__DATA_FOR_TESTING;
    packet.for_testing = &event;
    size = protobuf_c_message_get_packed_size(&packet.base);
    p = tw_arena_alloc(&rig->arena, size);
    RIG_MUST(p);
    protobuf_c_message_pack(&packet.base, p);
    return (struct tw_bytes){.p = p, .n = size};
}

void rig_emit(struct rig_peer *producer, uint32_t chunk_id, uint32_t buffer_id, const char *text)
{
    struct tw_bytes packet = rig_packet(producer->rig, text);
    struct rig_chunk chunk = {.page = 0, .writer_id = 1, .chunk_id = chunk_id};

    rig_write(producer, &chunk, &packet, 1);
    rig_commit(producer, 0, buffer_id);
}

void rig_emit_inline(struct rig_peer *producer, uint32_t chunk_id, uint32_t buffer_id,
                     const char *text)
{
    struct tw_bytes packet = rig_packet(producer->rig, text);
    struct rig_chunk chunk = {.page = 0, .writer_id = 1, .chunk_id = chunk_id};

    rig_send_chunk(producer, &chunk, &packet, 1, buffer_id);
}
