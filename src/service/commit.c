/* SPDX-License-Identifier: Apache-2.0 */
#include "service/commit.h"

#include <string.h>

#include "base/req.h"
#include "service/flush.h"
#include "service/producer.h"
#include "wire/views.h"

void tw_commit_chunk(struct tw_producer *producer, uint32_t buffer_id,
                     const struct tw_chunk_header *header, bool complete,
                     struct tw_shared_bytes payload)
{
    REQ("TW-PROD-020");
    REQ("TW-PROD-021");
    struct tw_service *service = producer->conn->service;
    const struct tw_peer *peer = &producer->conn->peer;
    uint16_t bound = tw_producer_writer_buffer(producer, header->writer_id);
    struct tw_chunk_in in = {
        .seq = tw_producer_writer_key(producer, header->writer_id),
        .peer = {.uid = peer->uid,
                 .pid = peer->pid,
                 .machine_id = peer->machine_id,
                 .producer_id = producer->id},
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

/* The chunk lies in the request. Its place in the producer's memory means nothing here: that memory
 * may be larger than any of ours, and of other pages. */
static void take_inline(struct tw_producer *producer, const struct tw_move_view *move)
{
    REQ("TW-SHM-031");
    REQ("TW-SHM-033");
    REQ("TW-LIM-120");
    struct tw_chunk_header header;
    struct tw_shared_bytes payload;

    if (move->data.n <= TW_CHUNK_HEADER_SIZE || move->data.n > TW_INLINE_CHUNK_MAX) {
        producer->conn->service->chunks_discarded++;
        return;
    }
    header = tw_chunk_parse(move->data.p);
    payload = (struct tw_shared_bytes){.p = tw_shared_of(move->data.p + TW_CHUNK_HEADER_SIZE),
                                       .n = move->data.n - TW_CHUNK_HEADER_SIZE};
    tw_commit_chunk(producer, move->target_buffer, &header, !move->incomplete, payload);
}

/* A chunk that is not there, or not complete, is the producer's own loss. */
static void take_shared(struct tw_producer *producer, const struct tw_move_view *move)
{
    REQ("TW-SHM-048");
    struct tw_chunk_header header;
    struct tw_smb_chunk chunk;
    struct tw_shared_bytes payload;

    if (tw_smb_acquire_for_reading(&producer->smb, move->page, move->chunk, &chunk)) {
        producer->conn->service->chunks_discarded++;
        return;
    }
    header = tw_chunk_load(chunk.header);
    payload = (struct tw_shared_bytes){.p = chunk.payload, .n = chunk.payload_size};
    tw_commit_chunk(producer, move->target_buffer, &header, true, payload);
    TW_IGNORE(tw_smb_release_as_free(&producer->smb, &chunk));
}

/* Those of four bytes: the size of a packet or of a nested message. With too many of any size there
 * are none, and the result is false. */
static bool read_patches(struct tw_bytes message, struct tw_patch patches[TW_PATCHES_MAX],
                         size_t *ret_n, size_t *ret_ignored)
{
    struct tw_reader at = tw_reader_of(message);
    struct tw_patch_view view;
    size_t n = 0, all = 0;

    REQ("TW-PROD-046");
    REQ("TW-LIM-020");
    for (; tw_view_patch(&at, &view); all++) {
        if (all >= TW_PATCHES_MAX || view.data.n != sizeof(patches[n].data))
            continue;
        patches[n].offset = view.offset;
        memcpy(patches[n++].data, view.data.p, view.data.n);
    }
    if (all > TW_PATCHES_MAX)
        n = 0;
    *ret_n = n;
    *ret_ignored = all - n;
    return all <= TW_PATCHES_MAX;
}

static void do_patches(struct tw_producer *producer, const struct tw_patches_view *view)
{
    REQ("TW-PROD-035");
    struct tw_service *service = producer->conn->service;
    struct tw_writer_key seq = tw_producer_writer_key(producer, (uint16_t)view->writer_id);
    struct tw_patch patches[TW_PATCHES_MAX];
    size_t n, ignored;
    bool good = read_patches(view->message, patches, &n, &ignored);

    service->patches_discarded += ignored;
    /* Producers send patches for a session that has just ended: no fault of theirs. */
    if (!tw_producer_may_write(producer, view->target_buffer) || view->writer_id == 0 ||
        view->writer_id > TW_WRITER_ID_MAX)
        service->patches_discarded += n;
    else if (good)
        TW_IGNORE(tw_trace_buffer_patch(service->buffers[view->target_buffer], seq, view->chunk_id,
                                        patches, n, view->has_more));
}

/*
 * Every chunk is moved before any patch is applied, whatever their order in the request, and both
 * before the flush is acknowledged. Looking for a flush is not cheap: it is done once.
 */
bool tw_commit(struct tw_producer *producer, struct tw_bytes request)
{
    struct tw_reader moves = tw_reader_of(request), patched = moves;
    struct tw_patches_view patches;
    struct tw_move_view move;
    uint64_t flush_id;

    REQ("TW-PROD-023");
    REQ("TW-PROD-033");
    if (tw_view_commit(request, &flush_id, NULL))
        return false;
    while (tw_view_move(&moves, &move)) {
        if (move.has_data)
            take_inline(producer, &move);
        else
            take_shared(producer, &move);
    }
    while (tw_view_patches(&patched, &patches))
        do_patches(producer, &patches);
    if (flush_id)
        tw_flush_acknowledged(producer->conn->service, producer->id, flush_id);
    return true;
}
