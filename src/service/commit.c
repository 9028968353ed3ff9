/* SPDX-License-Identifier: Apache-2.0 */
#include "service/commit.h"

#include <string.h>

#include "base/req.h"
#include "service/flush.h"
#include "service/producer.h"
#include "wire/reader.h"

/* Field numbers of CommitDataRequest and its members (spec/proto/producer_port.proto). */
enum {
    COMMIT_MOVE = 1,
    COMMIT_PATCH = 2,
    COMMIT_FLUSH_ID = 3,
    MOVE_PAGE = 1,
    MOVE_CHUNK = 2,
    MOVE_BUFFER = 3,
    PATCH_BUFFER = 1,
    PATCH_WRITER = 2,
    PATCH_CHUNK_ID = 3,
    PATCH_PATCHES = 4,
    PATCH_HAS_MORE = 5,
    PATCH_OFFSET = 1,
    PATCH_DATA = 2,
};

struct move {
    uint32_t page, chunk, buffer_id;
};

struct chunk_patches {
    uint32_t buffer_id, writer_id, chunk_id;
    bool has_more;
    size_t n;
    struct tw_patch patches[TW_PATCHES_MAX];
};

void tw_commit_chunk(struct tw_producer *producer, uint32_t buffer_id,
                     const struct tw_chunk_header *header, bool complete, struct tw_bytes payload)
{
    REQ("TW-PROD-020");
    REQ("TW-PROD-021");
    struct tw_service *service = producer->conn->service;
    uint16_t bound = tw_producer_writer_buffer(producer, header->writer_id);
    struct tw_chunk_in in = {
        .seq = {.producer_id = producer->id, .writer_id = header->writer_id},
        .peer = {.uid = producer->conn->peer.uid, .pid = producer->conn->peer.pid},
        .chunk_id = header->chunk_id,
        .n_fragments = header->n_packets,
        .flags = header->flags,
        .complete = complete,
        .payload = payload,
    };

    if (!tw_producer_may_write(producer, buffer_id) || (bound && bound != buffer_id) ||
        header->writer_id == 0 || header->writer_id > TW_WRITER_ID_MAX) {
        service->chunks_discarded++;
        return;
    }
    /* What the buffer does not take it counts itself. */
    TW_IGNORE(tw_trace_buffer_write(service->buffers[buffer_id], &in));
}

/* A chunk that is not there, or not complete, is the producer's own loss. */
static void do_move(struct tw_producer *producer, const struct move *move)
{
    struct tw_chunk_header header;
    struct tw_smb_chunk chunk;
    struct tw_bytes payload;

    if (tw_smb_acquire_for_reading(&producer->smb, move->page, move->chunk, &chunk)) {
        producer->conn->service->chunks_discarded++;
        return;
    }
    header = tw_chunk_load(chunk.header);
    payload = (struct tw_bytes){.p = chunk.payload, .n = chunk.payload_size};
    tw_commit_chunk(producer, move->buffer_id, &header, true, payload);
    TW_IGNORE(tw_smb_release_as_free(&producer->smb, &chunk));
}

static int read_move(struct tw_bytes bytes, struct move *move)
{
    struct tw_reader r = tw_reader_of(bytes);
    struct tw_field f;
    int rc;

    while (!(rc = tw_read_field(&r, &f))) {
        if (f.number <= MOVE_BUFFER && f.type != TW_WIRE_VARINT)
            return TW_E_PROTOCOL;
        if (f.number == MOVE_PAGE)
            move->page = (uint32_t)f.value;
        else if (f.number == MOVE_CHUNK)
            move->chunk = (uint32_t)f.value;
        else if (f.number == MOVE_BUFFER)
            move->buffer_id = (uint32_t)f.value;
    }
    return rc == TW_MORE ? 0 : rc;
}

static void do_patches(struct tw_producer *producer, const struct chunk_patches *p)
{
    struct tw_service *service = producer->conn->service;
    struct tw_writer_key seq = {.producer_id = producer->id, .writer_id = (uint16_t)p->writer_id};

    /* Producers send patches for a session that has just ended: no fault of theirs. */
    if (!tw_producer_may_write(producer, p->buffer_id) || p->writer_id == 0 ||
        p->writer_id > TW_WRITER_ID_MAX) {
        service->patches_discarded += p->n;
        return;
    }
    TW_IGNORE(tw_trace_buffer_patch(service->buffers[p->buffer_id], seq, p->chunk_id, p->patches,
                                    p->n, p->has_more));
}

/* A patch is four bytes, the size of a packet or of a nested message. */
static int read_patch(struct tw_bytes bytes, struct tw_patch *patch)
{
    struct tw_reader r = tw_reader_of(bytes);
    bool has_data = false;
    struct tw_field f;
    int rc;

    while (!(rc = tw_read_field(&r, &f))) {
        if (f.number == PATCH_OFFSET && f.type == TW_WIRE_VARINT)
            patch->offset = (uint32_t)f.value;
        if (f.number != PATCH_DATA)
            continue;
        if (f.type != TW_WIRE_LEN || f.bytes.n != sizeof(patch->data))
            return TW_E_PROTOCOL;
        memcpy(patch->data, f.bytes.p, sizeof(patch->data));
        has_data = true;
    }
    return rc == TW_MORE && has_data ? 0 : TW_E_PROTOCOL;
}

static int take_patch_field(const struct tw_field *f, struct chunk_patches *p)
{
    REQ("TW-LIM-020");
    if (f->number == PATCH_PATCHES) {
        struct tw_patch patch = {0};

        if (f->type != TW_WIRE_LEN || p->n == TW_PATCHES_MAX || read_patch(f->bytes, &patch))
            return TW_E_PROTOCOL;
        p->patches[p->n++] = patch;
        return 0;
    }
    if (f->number <= PATCH_HAS_MORE && f->type != TW_WIRE_VARINT)
        return TW_E_PROTOCOL;
    if (f->number == PATCH_BUFFER)
        p->buffer_id = (uint32_t)f->value;
    else if (f->number == PATCH_WRITER)
        p->writer_id = (uint32_t)f->value;
    else if (f->number == PATCH_CHUNK_ID)
        p->chunk_id = (uint32_t)f->value;
    else if (f->number == PATCH_HAS_MORE)
        p->has_more = f->value != 0;
    return 0;
}

static int read_patches(struct tw_bytes bytes, struct chunk_patches *p)
{
    struct tw_reader r = tw_reader_of(bytes);
    struct tw_field f;
    int rc;

    p->n = 0;
    p->buffer_id = p->writer_id = p->chunk_id = 0;
    p->has_more = false;
    while (!(rc = tw_read_field(&r, &f)))
        if (take_patch_field(&f, p))
            return TW_E_PROTOCOL;
    return rc == TW_MORE ? 0 : rc;
}

static int move_chunk(struct tw_producer *producer, const struct tw_field *f)
{
    struct move move = {0};

    if (f->type != TW_WIRE_LEN || read_move(f->bytes, &move))
        return TW_E_PROTOCOL;
    do_move(producer, &move);
    return 0;
}

static int patch_chunk(struct tw_producer *producer, const struct tw_field *f)
{
    struct chunk_patches patches;

    if (f->type != TW_WIRE_LEN || read_patches(f->bytes, &patches)) {
        producer->conn->service->patches_discarded++;
        return TW_E_PROTOCOL;
    }
    do_patches(producer, &patches);
    return 0;
}

/*
 * Twice through the request: every chunk is moved before any patch is applied, whatever their order
 * in the request, and both before the flush is acknowledged.
 */
static int each_field(struct tw_producer *producer, struct tw_bytes request, uint32_t number,
                      int (*fn)(struct tw_producer *, const struct tw_field *))
{
    struct tw_reader r = tw_reader_of(request);
    struct tw_field f;
    int rc, failed = 0;

    while (!(rc = tw_read_field(&r, &f)))
        if (f.number == number && fn(producer, &f))
            failed = TW_E_PROTOCOL;
    return rc == TW_MORE ? failed : rc;
}

/* The last one counts, as everywhere in protobuf: looking for a flush is not cheap. */
static bool acknowledge(struct tw_producer *producer, struct tw_bytes request)
{
    struct tw_reader r = tw_reader_of(request);
    uint64_t flush_id = 0;
    struct tw_field f;

    while (!tw_read_field(&r, &f)) {
        if (f.number == COMMIT_FLUSH_ID && f.type != TW_WIRE_VARINT)
            return false;
        if (f.number == COMMIT_FLUSH_ID)
            flush_id = f.value;
    }
    if (flush_id)
        tw_flush_acknowledged(producer->conn->service, producer->id, flush_id);
    return true;
}

bool tw_commit(struct tw_producer *producer, struct tw_bytes request)
{
    REQ("TW-PROD-023");
    return !each_field(producer, request, COMMIT_MOVE, move_chunk) &&
           !each_field(producer, request, COMMIT_PATCH, patch_chunk) &&
           acknowledge(producer, request);
}
