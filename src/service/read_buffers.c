/* SPDX-License-Identifier: Apache-2.0 */
#include "service/read_buffers.h"

#include "base/req.h"
#include "service/packet_check.h"
#include "service/sequences.h"
#include "service/service_packets.h"
#include "wire/reader.h"
#include "wire/writer.h"

/* Field numbers of ReadBuffersResponse (consumer_port.proto) and of TracePacket (trace.proto). */
enum {
    RESPONSE_SLICES = 2,
    SLICE_DATA = 1,
    SLICE_LAST = 2,
    PACKET_TRUSTED_UID = 3,
    PACKET_SEQUENCE_ID = 10,
    PACKET_DROPPED = 42,
    PACKET_TRUSTED_PID = 79,
};

enum {
    STAMP_MAX = 32,      /* bytes of the fields the service adds to a packet */
    SLICE_OVERHEAD = 16, /* bytes a slice costs beside its data */
};

/* Bytes of slices in one reply: the largest frame less its own fields. */
#define REPLY_MAX (TW_FRAME_PAYLOAD_MAX - 64)
/* Bytes of service packets kept for one read: config and stats of the largest session fit. */
#define SERVICE_PACKETS_MAX ((size_t)4 * 1024 * 1024)
/* Bytes queued for the consumer above which no further reply is built. */
#define READ_BACKLOG ((size_t)128 * 1024)

void tw_reading_init(struct tw_reading *reading)
{
    REQ("TW-LIM-028");
    *reading = (struct tw_reading){
        .service_packets = TW_BUF_INIT(SERVICE_PACKETS_MAX),
        .carry = TW_BUF_INIT(TW_PACKET_MAX),
    };
}

void tw_reading_deinit(struct tw_reading *reading)
{
    tw_buf_deinit(&reading->service_packets);
    tw_buf_deinit(&reading->carry);
    tw_reading_init(reading);
}

static struct tw_trace_buffer *current_buffer(struct tw_service_conn *conn)
{
    const struct tw_session *session = conn->session;
    size_t i = conn->reading.buffer_index;

    return i < session->n_buffers ? conn->service->buffers[session->buffer_ids[i]] : NULL;
}

static void begin_buffer(struct tw_service_conn *conn)
{
    struct tw_trace_buffer *tb = current_buffer(conn);

    if (tb)
        tw_trace_buffer_begin_read(tb, conn->session->state == TW_SESSION_DISABLED);
}

bool tw_reading_begin(struct tw_service_conn *conn, uint64_t request_id)
{
    struct tw_reading *r = &conn->reading;

    if (!conn->session || r->active)
        return false;
    tw_reading_deinit(r);
    if (tw_service_packets_before(conn->session, &r->service_packets)) {
        tw_conn_doom(conn, "out of memory for the service's packets");
        return false;
    }
    r->active = true;
    r->request_id = request_id;
    begin_buffer(conn);
    return true;
}

void tw_reading_cancel(struct tw_service_conn *conn)
{
    if (!conn->reading.active)
        return;
    tw_conn_refuse(conn, conn->reading.request_id);
    tw_reading_deinit(&conn->reading);
}

static void put_slice(struct tw_writer *w, const struct tw_bytes *parts, size_t n, bool last)
{
    uint8_t *slice = tw_put_begin(w, RESPONSE_SLICES);
    size_t size = 0;

    for (size_t i = 0; i < n; i++)
        size += parts[i].n;
    tw_put_len(w, SLICE_DATA, size);
    for (size_t i = 0; i < n; i++)
        tw_put_raw(w, parts[i].p, parts[i].n);
    tw_put_bool(w, SLICE_LAST, last);
    tw_put_end(w, slice);
}

static size_t room(const struct tw_writer *w)
{
    size_t left = (size_t)(w->end - w->p);

    return left > SLICE_OVERHEAD ? left - SLICE_OVERHEAD : 0;
}

/* What the service vouches for. Appended, so that it is the last word of the packet. */
static size_t write_stamp(const struct tw_sequence *seq, const struct tw_packet_out *packet,
                          uint8_t stamp[STAMP_MAX])
{
    REQ("TW-SEC-003");
    REQ("TW-SHM-030");
    struct tw_writer w = tw_writer_of(stamp, STAMP_MAX);
    uint32_t dropped = packet->dropped | seq->untold;

    tw_put_i64(&w, PACKET_TRUSTED_UID, packet->peer.uid);
    tw_put_u64(&w, PACKET_SEQUENCE_ID, seq->id);
    if (packet->peer.pid > 0)
        tw_put_i64(&w, PACKET_TRUSTED_PID, packet->peer.pid);
    if (dropped)
        tw_put_u64(&w, PACKET_DROPPED, dropped);
    return tw_writer_size(&w);
}

/* A packet of a producer: into the reply, or aside when it is too large for what is left of it. */
static int put_packet(struct tw_buf *carry, struct tw_writer *w, const struct tw_packet_out *packet,
                      struct tw_bytes last)
{
    uint8_t *slice;
    int rc = 0;

    if (packet->size + last.n <= room(w)) {
        slice = tw_put_begin(w, RESPONSE_SLICES);
        tw_put_len(w, SLICE_DATA, packet->size + last.n);
        for (size_t i = 0; i < packet->n_slices; i++)
            tw_put_raw(w, packet->slices[i].p, packet->slices[i].n);
        tw_put_raw(w, last.p, last.n);
        tw_put_bool(w, SLICE_LAST, true);
        tw_put_end(w, slice);
        return 0;
    }
    for (size_t i = 0; i < packet->n_slices && !rc; i++)
        rc = tw_buf_append(carry, packet->slices[i].p, packet->slices[i].n);
    return rc ? rc : tw_buf_append(carry, last.p, last.n);
}

/* The next part of the packet that is too large. True when something is left of it. */
static bool put_carry(struct tw_reading *r, struct tw_writer *w)
{
    size_t left = r->carry.n - r->carry_offset, n = tw_min(left, room(w));
    struct tw_bytes part = {.n = n};

    if (left == 0)
        return false;
    part.p = r->carry.p + r->carry_offset;
    if (n > 0)
        put_slice(w, &part, 1, n == left);
    r->carry_offset += n;
    if (n < left)
        return true;
    tw_buf_deinit(&r->carry);
    r->carry_offset = 0;
    return false;
}

/* The service's own packets, each small enough for a frame. True when some are left. */
static bool put_service_packets(struct tw_reading *r, struct tw_writer *w)
{
    struct tw_bytes all = tw_buf_bytes(&r->service_packets);
    struct tw_reader reader = tw_reader_of(all);
    struct tw_field packet;

    if (all.n == 0)
        return false;
    reader.p += r->service_offset;
    while (!tw_read_field(&reader, &packet)) {
        r->service_offset = (size_t)(reader.p - r->service_packets.p);
        if (packet.bytes.n > room(w)) {
            if (tw_buf_append(&r->carry, packet.bytes.p, packet.bytes.n))
                continue; /* memory is short: the packet is left out */
            return true;
        }
        put_slice(w, &packet.bytes, 1, true);
        if (tw_writer_size(w) >= TW_READ_FRAME_BYTES)
            return true;
    }
    return false;
}

/* Checks and stamps a packet and puts it into the reply. One that cannot be handed on is told with
 * the next of its sequence, and so is what was to be told with it. */
static void hand_on(struct tw_service_conn *conn, struct tw_writer *w,
                    const struct tw_packet_out *packet)
{
    REQ("TW-PROD-022");
    struct tw_sequence *seq = tw_sequence(conn->session, packet->seq);
    struct tw_buf *carry = &conn->reading.carry;
    uint8_t stamp[STAMP_MAX];
    struct tw_bytes last = {.p = stamp};

    if (!seq) { /* nobody to tell on: the count is all there is */
        conn->session->invalid_packets++;
        return;
    }
    last.n = write_stamp(seq, packet, stamp);
    if (!tw_packet_check(packet->slices, packet->n_slices) && !put_packet(carry, w, packet, last)) {
        seq->untold = 0;
        return;
    }
    tw_buf_deinit(carry); /* what was put there of a packet that is too large */
    conn->session->invalid_packets++;
    seq->untold |= packet->dropped | TW_LOSS_PRESENT;
}

/* Packets of the buffers until the reply is large enough. True when there may be more. */
static bool put_buffers(struct tw_service_conn *conn, struct tw_writer *w)
{
    REQ("TW-LIM-027");
    REQ("TW-LIM-032");
    struct tw_reading *r = &conn->reading;
    struct tw_trace_buffer *tb;

    for (int i = 0; !conn->doomed && (tb = current_buffer(conn)); i++) {
        struct tw_packet_out packet;

        if (i == TW_READ_PACKETS_PER_REPLY)
            return true;
        if (tw_trace_buffer_next_packet(tb, &packet)) {
            r->buffer_index++;
            begin_buffer(conn);
            continue;
        }
        hand_on(conn, w, &packet);
        if (r->carry.n || tw_writer_size(w) >= TW_READ_FRAME_BYTES)
            return true;
    }
    return false;
}

/* After the buffers, once: what is to be said when all has been read. */
static bool finish_buffers(struct tw_service_conn *conn)
{
    struct tw_reading *r = &conn->reading;

    if (r->buffers_done)
        return false;
    r->buffers_done = true;
    r->service_packets.n = r->service_offset = 0;
    if (tw_service_packets_after(conn->session, &r->service_packets))
        tw_conn_doom(conn, "out of memory for the service's packets");
    tw_arena_reset(&conn->service->arena);
    return true;
}

/* One reply's worth. True when more replies follow. */
static bool fill(struct tw_service_conn *conn, struct tw_writer *w)
{
    struct tw_reading *r = &conn->reading;

    do {
        if (put_carry(r, w) || put_service_packets(r, w))
            return true;
        if (!r->buffers_done && put_buffers(conn, w))
            return true;
    } while (finish_buffers(conn));
    return false;
}

void tw_reading_run(struct tw_service_conn *conn)
{
    REQ("TW-LIM-033");
    struct tw_buf *scratch = &conn->service->scratch;
    struct tw_reading *r = &conn->reading;

    for (int i = 0; i < TW_READ_REPLIES_PER_TURN && r->active && !conn->doomed &&
                    tw_tx_queued(&conn->host.tx) < READ_BACKLOG;
         i++) {
        struct tw_bytes body;
        struct tw_writer w;
        bool more;

        scratch->n = 0;
        if (tw_buf_reserve(scratch, REPLY_MAX)) {
            tw_conn_doom(conn, "out of memory for a reply");
            return;
        }
        w = tw_writer_of(scratch->p, REPLY_MAX);
        more = fill(conn, &w);
        body = (struct tw_bytes){.p = scratch->p, .n = tw_writer_size(&w)};
        tw_conn_reply_bytes(conn, r->request_id, body, more, -1);
        if (!more)
            tw_reading_deinit(r);
    }
}
