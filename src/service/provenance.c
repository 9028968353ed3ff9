/* SPDX-License-Identifier: Apache-2.0 */
#include "service/provenance.h"

#include "base/req.h"
#include "service/own_packet.h"
#include "service/sequences.h"

/* Field numbers of spec/proto/trace.proto. */
enum {
    PACKET_TIMESTAMP = 8,
    PACKET_TRACE_PROVENANCE = 124,
    PROVENANCE_BUFFERS = 2,
    BUFFER_SEQUENCES = 1,
    SEQUENCE_ID = 1,
    SEQUENCE_PRODUCER_ID = 2,
};

/* Bytes at most: of the packet without its lists, of a buffer without its list, of a sequence. */
enum { AROUND_BYTES = 32, BUFFER_BYTES = 8, SEQUENCE_BYTES = 24 };

static const struct tw_trace_buffer *buffer(const struct tw_session *session, size_t i)
{
    return session->service->buffers[session->buffer_ids[i]];
}

static size_t count_sequences(const struct tw_session *session)
{
    struct tw_writer_info info;
    size_t n = 0;

    for (size_t i = 0; i < session->n_buffers; i++)
        for (size_t at = 0; !tw_trace_buffer_next_writer(buffer(session, i), &at, &info);)
            n++;
    return n < TW_PROVENANCE_MAX ? n : TW_PROVENANCE_MAX;
}

static void put_sequence(struct tw_writer *w, uint32_t id, uint16_t producer_id)
{
    uint8_t *sequence = tw_put_begin(w, BUFFER_SEQUENCES);

    tw_put_u64(w, SEQUENCE_ID, id);
    tw_put_u64(w, SEQUENCE_PRODUCER_ID, producer_id);
    tw_put_end(w, sequence);
}

/* At most n_left sequences, which is less each of them. */
static void put_buffer(struct tw_writer *w, struct tw_session *session, size_t i, size_t *n_left)
{
    uint8_t *list = tw_put_begin(w, PROVENANCE_BUFFERS);
    struct tw_writer_info info;

    for (size_t at = 0; *n_left && !tw_trace_buffer_next_writer(buffer(session, i), &at, &info);) {
        const struct tw_sequence *sequence = tw_sequence(session, info.seq);

        if (!sequence) /* its packets are not in the trace either */
            continue;
        put_sequence(w, sequence->id, info.peer.producer_id);
        --*n_left;
    }
    tw_put_end(w, list);
}

int tw_provenance_packet(struct tw_session *session, struct tw_buf *out)
{
    REQ("TW-TRACE-042");
    REQ("TW-LIM-167");
    size_t n_left = count_sequences(session);
    size_t room = AROUND_BYTES + session->n_buffers * BUFFER_BYTES + n_left * SEQUENCE_BYTES;
    struct tw_own_packet packet;
    uint8_t *provenance;
    int rc = tw_own_packet_begin(&packet, out, room);

    if (rc)
        return rc;
    tw_put_u64(&packet.w, PACKET_TIMESTAMP, tw_service_now(session->service, CLOCK_BOOTTIME));
    provenance = tw_put_begin(&packet.w, PACKET_TRACE_PROVENANCE);
    for (size_t i = 0; i < session->n_buffers; i++)
        put_buffer(&packet.w, session, i, &n_left);
    tw_put_end(&packet.w, provenance);
    tw_own_packet_end(&packet);
    return 0;
}
