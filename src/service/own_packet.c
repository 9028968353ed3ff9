/* SPDX-License-Identifier: Apache-2.0 */
#include "service/own_packet.h"

#include <unistd.h>

#include "service/sequences.h"
#include "wire/pbc.h"

/* Field numbers of spec/proto/trace.proto. */
enum { TRACE_PACKET = 1, PACKET_TRUSTED_UID = 3, PACKET_SEQUENCE_ID = 10 };

enum { HEAD_BYTES = 32 }; /* of a packet's own tag and size, and of those two fields, at most */

const Tw__TraceConfig__BuiltinDataSource *tw_builtin_sources(const struct tw_session *session)
{
    static const Tw__TraceConfig__BuiltinDataSource none =
        TW__TRACE_CONFIG__BUILTIN_DATA_SOURCE__INIT;
    const Tw__TraceConfig__BuiltinDataSource *b = session->config->builtin_data_sources;

    return b ? b : &none;
}

int tw_own_packet_append(Tw__TracePacket *packet, struct tw_buf *out)
{
    uint8_t head[16];
    struct tw_writer w = tw_writer_of(head, sizeof(head));
    int rc;

    packet->has_trusted_uid = true;
    packet->trusted_uid = (int32_t)geteuid();
    packet->has_trusted_packet_sequence_id = true;
    packet->trusted_packet_sequence_id = TW_SERVICE_SEQUENCE_ID;
    tw_put_len(&w, TRACE_PACKET, protobuf_c_message_get_packed_size(&packet->base));
    rc = tw_buf_append(out, head, tw_writer_size(&w));
    return rc ? rc : tw_pbc_pack(&packet->base, out);
}

int tw_own_packet_begin(struct tw_own_packet *packet, struct tw_buf *out, size_t n)
{
    int rc = tw_buf_reserve(out, HEAD_BYTES + n);

    if (rc)
        return rc;
    packet->out = out;
    packet->w = tw_writer_of(out->p + out->n, out->cap - out->n);
    packet->begin = tw_put_begin(&packet->w, TRACE_PACKET);
    tw_put_i64(&packet->w, PACKET_TRUSTED_UID, (int32_t)geteuid());
    tw_put_u64(&packet->w, PACKET_SEQUENCE_ID, TW_SERVICE_SEQUENCE_ID);
    return 0;
}

void tw_own_packet_end(struct tw_own_packet *packet)
{
    tw_put_end(&packet->w, packet->begin);
    packet->out->n += tw_writer_size(&packet->w);
}
