/* SPDX-License-Identifier: Apache-2.0 */
#include "service/read_buffers.h"

#include "base/req.h"
#include "wire/writer.h"

/* Field numbers of ReadBuffersResponse (consumer_port.proto). */
enum { RESPONSE_SLICES = 2, SLICE_DATA = 1, SLICE_LAST = 2 };

enum {
    SLICE_OVERHEAD = 16, /* bytes a slice costs beside its data, at most */
    SLICE_LAST_SIZE = 2, /* bytes of its field that says whether it is the last */
    LEND_MIN = 64,       /* bytes: to say where fewer are costs more than to copy them */
};

/* Bytes of slices in one reply: the largest frame less its own fields. */
#define REPLY_MAX (TW_FRAME_PAYLOAD_MAX - 64)
/* Bytes queued for the consumer above which no further reply is built. */
#define READ_BACKLOG ((size_t)128 * 1024)

void tw_reading_init(struct tw_reading *reading)
{
    *reading = (struct tw_reading){.carry = TW_BUF_INIT(TW_PACKET_MAX)};
    tw_packet_source_init(&reading->source);
}

void tw_reading_deinit(struct tw_reading *reading)
{
    tw_packet_source_deinit(&reading->source);
    tw_buf_deinit(&reading->carry);
    tw_reading_init(reading);
}

const char *tw_reading_begin(struct tw_service_conn *conn, uint64_t request_id)
{
    struct tw_reading *r = &conn->reading;

    if (r->active)
        return "this consumer is reading already";
    if (tw_packet_source_begin(&r->source, conn->session)) {
        tw_conn_doom(conn, "out of memory for the service's packets");
        return conn->doomed;
    }
    r->active = true;
    r->request_id = request_id;
    return NULL;
}

void tw_reading_cancel(struct tw_service_conn *conn)
{
    if (!conn->reading.active)
        return;
    tw_conn_refuse(conn, conn->reading.request_id,
                   "TW-CONS-013: the session has left this connection");
    tw_reading_deinit(&conn->reading);
}

static size_t room(const struct tw_gather *body)
{
    size_t used = tw_gather_size(body) + SLICE_OVERHEAD;

    return used < REPLY_MAX ? REPLY_MAX - used : 0;
}

/* Hands the next n bytes of the packet to a sink. */
static int take(struct tw_reading *r, size_t n, int (*sink)(void *to, struct tw_bytes), void *to)
{
    int rc = 0;

    r->left -= n;
    while (n > 0 && !rc) {
        struct tw_bytes part = tw_packet_part(&r->packet, r->part);

        part.p += r->part_offset;
        part.n = tw_min(part.n - r->part_offset, n);
        rc = sink(to, part);
        n -= part.n;
        r->part_offset += part.n;
        if (r->part_offset < tw_packet_part(&r->packet, r->part).n)
            continue;
        r->part++;
        r->part_offset = 0;
    }
    return rc;
}

static int by_copy(void *to, struct tw_bytes part)
{
    return tw_gather_put(to, part);
}

static int by_loan(void *to, struct tw_bytes part)
{
    return part.n < LEND_MIN ? tw_gather_put(to, part) : tw_gather_lend(to, part);
}

static int to_buf(void *to, struct tw_bytes part)
{
    return tw_buf_append(to, part.p, part.n);
}

/* As much of the packet as there is room for, as one slice. */
static int put_slice(struct tw_reading *r, struct tw_gather *body)
{
    size_t n = tw_min(r->left, room(body));
    uint8_t bytes[SLICE_OVERHEAD];
    struct tw_writer head = tw_writer_of(bytes, sizeof(bytes)), tail;
    int rc;

    tw_put_len(&head, RESPONSE_SLICES, tw_len_size(n) + n + SLICE_LAST_SIZE);
    tw_put_len(&head, SLICE_DATA, n);
    rc = tw_gather_put(body, (struct tw_bytes){.p = bytes, .n = tw_writer_size(&head)});
    if (!rc)
        rc = take(r, n, r->packet.stays ? by_loan : by_copy, body);
    tail = tw_writer_of(bytes, sizeof(bytes));
    tw_put_bool(&tail, SLICE_LAST, r->left == 0);
    return rc ? rc : tw_gather_put(body, (struct tw_bytes){bytes, tw_writer_size(&tail)});
}

static void begin_packet(struct tw_reading *r)
{
    r->left = r->packet.size;
    r->part = r->part_offset = 0;
}

/* What is left of a packet when the turn ends: others will use the buffer that it lies in. */
static int carry_over(struct tw_reading *r)
{
    int rc;

    if (r->left == 0 || r->carry.n > 0)
        return 0;
    rc = take(r, r->left, to_buf, &r->carry);
    r->carried = tw_buf_bytes(&r->carry);
    r->packet = (struct tw_packet){.slices = &r->carried, .n_slices = 1, .size = r->carried.n};
    begin_packet(r);
    return rc;
}

/* One reply's worth. TW_MORE when this was the last; negative on failure. */
static int fill(const struct tw_service *service, struct tw_reading *r, struct tw_gather *body)
{
    REQ("TW-LIM-027");
    REQ("TW-LIM-032");
    for (int i = 0; i < TW_READ_PACKETS_PER_REPLY; i++) {
        int rc = 0;

        if (r->left == 0) {
            tw_buf_deinit(&r->carry);
            rc = tw_packet_source_next(&r->source, &r->packet);
            if (rc == TW_AGAIN && tw_turn_is_over(service))
                return 0;
            if (rc == TW_AGAIN)
                continue;
            if (rc)
                return rc;
            begin_packet(r);
        }
        rc = put_slice(r, body);
        if (rc || r->left > 0 || tw_gather_size(body) >= TW_READ_FRAME_BYTES)
            return rc;
    }
    return 0;
}

static int send_reply(struct tw_service_conn *conn)
{
    struct tw_gather *body = &conn->service->body;
    int rc;

    tw_gather_clear(body);
    rc = fill(conn->service, &conn->reading, body);
    if (!rc || rc == TW_MORE)
        tw_conn_reply_from(conn, conn->reading.request_id, body, rc != TW_MORE);
    return rc;
}

void tw_reading_run(struct tw_service_conn *conn)
{
    REQ("TW-LIM-033");
    struct tw_reading *r = &conn->reading;
    int rc = 0;

    for (int i = 0; i < TW_READ_REPLIES_PER_TURN && r->active && !rc && !conn->doomed &&
                    tw_tx_queued(&conn->host.tx) < READ_BACKLOG;
         i++) {
        rc = send_reply(conn);
        if (tw_turn_is_over(conn->service))
            break;
    }
    if (rc == TW_MORE)
        tw_reading_deinit(r);
    else if (rc || carry_over(r))
        tw_conn_doom(conn, "out of memory for a packet");
}
