/* SPDX-License-Identifier: Apache-2.0 */
#include "service/packet_source.h"

#include "base/req.h"
#include "service/core.h"
#include "service/packet_check.h"
#include "service/sequences.h"
#include "service/service_packets.h"
#include "wire/reader.h"
#include "wire/writer.h"

/* Fields of TracePacket (trace.proto). */
enum {
    PACKET_TRUSTED_UID = 3,
    PACKET_SEQUENCE_ID = 10,
    PACKET_DROPPED = 42,
    PACKET_COMPRESSED = 50,
    PACKET_TRUSTED_PID = 79,
    PACKET_MACHINE_ID = 98,
    PACKET_ZSTD_COMPRESSED = 133,
};

enum { TRACE_PACKET = 1, HEAD_MAX = 8 }; /* field of Trace; bytes of a tag and a length */

/* Bytes of packets that are compressed together: the last of them may be of any size. */
#define BATCH_MAX (TW_COMPRESS_BATCH + TW_PACKET_MAX + HEAD_MAX)
/* Bytes of service packets kept for one pass: config and stats of the largest session fit. */
#define SERVICE_PACKETS_MAX ((size_t)4 * 1024 * 1024)

void tw_packet_source_init(struct tw_packet_source *src)
{
    *src = (struct tw_packet_source){
        .own = TW_BUF_INIT(SERVICE_PACKETS_MAX),
        .batch = TW_BUF_INIT(BATCH_MAX),
        .compressed = TW_BUF_INIT(2 * BATCH_MAX),
    };
}

void tw_packet_source_deinit(struct tw_packet_source *src)
{
    tw_buf_deinit(&src->own);
    tw_buf_deinit(&src->batch);
    tw_buf_deinit(&src->compressed);
    tw_packet_source_init(src);
}

static struct tw_trace_buffer *current_buffer(const struct tw_packet_source *src)
{
    const struct tw_session *session = src->session;
    size_t i = src->buffer_index;

    return i < session->n_buffers ? session->service->buffers[session->buffer_ids[i]] : NULL;
}

static void begin_buffer(struct tw_packet_source *src)
{
    struct tw_trace_buffer *tb = current_buffer(src);

    if (tb)
        tw_trace_buffer_begin_read(tb, src->session->state >= TW_SESSION_DISABLED);
}

int tw_packet_source_begin(struct tw_packet_source *src, struct tw_session *session)
{
    tw_packet_source_deinit(src);
    src->session = session;
    src->compression = tw_compression_of(session->config);
    if (tw_triggers_hide_trace(session)) {
        src->stage = TW_PACKETS_AFTER; /* and nothing to say there */
        return 0;
    }
    return tw_service_packets_before(session, &src->own);
}

/* What the service vouches for. Appended, so that it is the last word of the packet. */
static struct tw_bytes write_stamp(struct tw_packet_source *src, const struct tw_sequence *seq,
                                   const struct tw_packet_out *packet)
{
    REQ("TW-SEC-003");
    REQ("TW-SHM-030");
    REQ("TW-RELAY-012");
    struct tw_writer w = tw_writer_of(src->stamp, sizeof(src->stamp));
    uint32_t dropped = packet->dropped | seq->untold;

    tw_put_i64(&w, PACKET_TRUSTED_UID, packet->peer.uid);
    tw_put_u64(&w, PACKET_SEQUENCE_ID, seq->id);
    if (packet->peer.pid > 0)
        tw_put_i64(&w, PACKET_TRUSTED_PID, packet->peer.pid);
    if (packet->peer.machine_id)
        tw_put_u64(&w, PACKET_MACHINE_ID, packet->peer.machine_id);
    if (dropped)
        tw_put_u64(&w, PACKET_DROPPED, dropped);
    return (struct tw_bytes){.p = src->stamp, .n = tw_writer_size(&w)};
}

/* One that cannot be handed on is told with the next of its sequence, and so is what was to be told
 * with it. */
static int check_and_stamp(struct tw_packet_source *src, const struct tw_packet_out *out,
                           struct tw_packet *ret_packet)
{
    REQ("TW-PROD-022");
    REQ("TW-LIM-028");
    struct tw_sequence *seq = tw_sequence(src->session, out->seq);

    if (!seq) { /* nobody to tell on: the count is all there is */
        src->session->invalid_packets++;
        return TW_AGAIN;
    }
    if (out->size > TW_PACKET_MAX - TW_STAMP_MAX || tw_packet_check(out->slices, out->n_slices)) {
        src->session->invalid_packets++;
        seq->untold |= out->dropped | TW_LOSS_PRESENT;
        return TW_AGAIN;
    }
    *ret_packet = (struct tw_packet){
        .slices = out->slices,
        .n_slices = out->n_slices,
        .stamp = write_stamp(src, seq, out),
        .stays = true,
    };
    ret_packet->size = out->size + ret_packet->stamp.n;
    seq->untold = 0;
    return 0;
}

/* The service's own packets are whole as they are. */
static int next_own(struct tw_packet_source *src, struct tw_packet *ret_packet)
{
    struct tw_reader reader = tw_reader_of(tw_buf_bytes(&src->own));
    struct tw_field field;

    if (src->own_offset == src->own.n)
        return TW_MORE;
    reader.p += src->own_offset;
    if (tw_read_field(&reader, &field))
        return TW_MORE;
    src->own_offset = (size_t)(reader.p - src->own.p);
    src->own_slice = field.bytes;
    *ret_packet =
        (struct tw_packet){.slices = &src->own_slice, .n_slices = 1, .size = field.bytes.n};
    return 0;
}

static int next_of_buffers(struct tw_packet_source *src, struct tw_packet *ret_packet)
{
    struct tw_trace_buffer *tb = current_buffer(src);
    struct tw_packet_out out;
    int rc;

    if (!tb)
        return TW_MORE;
    rc = tw_trace_buffer_next_packet(tb, &out);
    if (rc != TW_MORE)
        return rc ? rc : check_and_stamp(src, &out, ret_packet);
    src->buffer_index++;
    begin_buffer(src);
    return TW_AGAIN;
}

/* What is to be said when all has been read. */
static int begin_after(struct tw_packet_source *src)
{
    int rc;

    src->own.n = src->own_offset = 0;
    rc = tw_service_packets_after(src->session, &src->own);
    tw_arena_reset(&src->session->service->arena);
    return rc;
}

static int next_plain(struct tw_packet_source *src, struct tw_packet *ret_packet)
{
    REQ("TW-TRACE-022");
    int rc = src->stage == TW_PACKETS_OF_BUFFERS ? next_of_buffers(src, ret_packet)
                                                 : next_own(src, ret_packet);

    if (rc != TW_MORE || src->stage == TW_PACKETS_AFTER)
        return rc;
    src->stage++;
    if (src->stage == TW_PACKETS_OF_BUFFERS)
        begin_buffer(src);
    else
        rc = begin_after(src);
    return rc < 0 ? rc : TW_AGAIN;
}

/* Adds a packet to those that are to become one. */
static int add_to_batch(struct tw_packet_source *src, const struct tw_packet *packet)
{
    uint8_t bytes[HEAD_MAX];
    struct tw_writer head = tw_writer_of(bytes, sizeof(bytes));
    int rc;

    tw_put_len(&head, TRACE_PACKET, packet->size);
    rc = tw_buf_append(&src->batch, bytes, tw_writer_size(&head));
    for (size_t i = 0; i <= packet->n_slices && !rc; i++) {
        struct tw_bytes part = tw_packet_part(packet, i);

        rc = tw_buf_append(&src->batch, part.p, part.n);
    }
    return rc;
}

/* Makes the batch one packet, and begins a new one. */
static int compress_batch(struct tw_packet_source *src, struct tw_packet *ret_packet)
{
    REQ("TW-TRACE-020");
    REQ("TW-TRACE-040");
    bool zstd = src->compression.codec == TW_CODEC_ZSTD;
    struct tw_writer head = tw_writer_of(src->stamp, sizeof(src->stamp));
    int rc = tw_compress(src->compression, tw_buf_bytes(&src->batch), &src->compressed);

    tw_buf_deinit(&src->batch);
    if (rc)
        return rc;
    tw_put_len(&head, zstd ? PACKET_ZSTD_COMPRESSED : PACKET_COMPRESSED, src->compressed.n);
    src->compressed_slices[0] = (struct tw_bytes){src->stamp, tw_writer_size(&head)};
    src->compressed_slices[1] = tw_buf_bytes(&src->compressed);
    *ret_packet = (struct tw_packet){
        .slices = src->compressed_slices,
        .n_slices = TW_ARRAY_LEN(src->compressed_slices),
        .size = src->compressed_slices[0].n + src->compressed_slices[1].n,
    };
    return 0;
}

int tw_packet_source_next(struct tw_packet_source *src, struct tw_packet *ret_packet)
{
    REQ("TW-LIM-116");
    struct tw_packet packet;
    int rc;

    if (src->compression.codec == TW_CODEC_NONE)
        return next_plain(src, ret_packet);
    rc = next_plain(src, &packet);
    if (rc == TW_MORE)
        return src->batch.n ? compress_batch(src, ret_packet) : TW_MORE;
    if (rc)
        return rc;
    rc = add_to_batch(src, &packet);
    if (rc)
        return rc;
    return src->batch.n < TW_COMPRESS_BATCH ? TW_AGAIN : compress_batch(src, ret_packet);
}
