/* SPDX-License-Identifier: Apache-2.0 */
/* What a trace holds of other machines beside the packets of their producers. */
#include "base/req.h"
#include "service/clock_snapshot.h"
#include "service/own_packet.h"
#include "service/relay.h"

/* Field numbers of spec/proto/trace.proto. */
enum {
    PACKET_SYSTEM_INFO = 45,
    PACKET_MACHINE_ID = 98,
    PACKET_CLOCK_SYNC = 107,
    SYNC_SYNCED = 1,
    SYNCED_CLIENT = 2,
    SYNCED_HOST = 3,
    SNAPSHOT_CLOCKS = 1,
    CLOCK_ID = 1,
    CLOCK_NS = 2,
};

/* Bytes of one clock at most, and of all that stands around clocks or a SystemInfo. */
enum { CLOCK_BYTES = 32, AROUND_BYTES = 256 };

/* Begins a packet about another machine, with room for n bytes more. */
static int begin_packet(struct tw_own_packet *packet, const struct tw_relay *relay, size_t n,
                        struct tw_buf *out)
{
    REQ("TW-RELAY-012");
    int rc = tw_own_packet_begin(packet, out, AROUND_BYTES + n);

    if (!rc)
        tw_put_u64(&packet->w, PACKET_MACHINE_ID, relay->conn->peer.machine_id);
    return rc;
}

static int append_info(const struct tw_relay *relay, struct tw_buf *out)
{
    struct tw_own_packet packet;
    int rc = begin_packet(&packet, relay, relay->info.n, out);

    if (rc)
        return rc;
    tw_put_bytes(&packet.w, PACKET_SYSTEM_INFO, tw_buf_bytes(&relay->info));
    tw_own_packet_end(&packet);
    return 0;
}

static void put_clock(struct tw_writer *w, uint32_t id, uint64_t ns)
{
    uint8_t *clock = tw_put_begin(w, SNAPSHOT_CLOCKS);

    tw_put_u64(w, CLOCK_ID, id);
    tw_put_u64(w, CLOCK_NS, ns);
    tw_put_end(w, clock);
}

static void put_sync(struct tw_writer *w, const struct tw_relay_sync *sync)
{
    uint8_t *synced = tw_put_begin(w, SYNC_SYNCED), *clocks = tw_put_begin(w, SYNCED_CLIENT);

    for (size_t i = 0; i < sync->n_clocks; i++)
        put_clock(w, sync->clocks[i].id, sync->clocks[i].ns);
    tw_put_end(w, clocks);
    clocks = tw_put_begin(w, SYNCED_HOST);
    for (size_t i = 0; i < TW_CLOCKS; i++)
        put_clock(w, tw_clock_id(i), sync->ours.ns[i]);
    tw_put_end(w, clocks);
    tw_put_end(w, synced);
}

static int append_syncs(const struct tw_relay *relay, struct tw_buf *out)
{
    REQ("TW-RELAY-006");
    size_t n = relay->n_syncs * (TW_RELAY_CLOCKS_MAX + TW_CLOCKS) * CLOCK_BYTES;
    struct tw_own_packet packet;
    uint8_t *list;
    int rc = begin_packet(&packet, relay, n, out);

    if (rc)
        return rc;
    list = tw_put_begin(&packet.w, PACKET_CLOCK_SYNC);
    for (size_t i = 0; i < relay->n_syncs; i++)
        put_sync(&packet.w, &relay->syncs[i]);
    tw_put_end(&packet.w, list);
    tw_own_packet_end(&packet);
    return 0;
}

/* Whether an earlier connection tells of the same machine. */
static bool is_second(const struct tw_relay *relay)
{
    const struct tw_relay *other;

    TAILQ_FOREACH (other, &relay->conn->service->relays, next)
        if (other->serial && other->serial < relay->serial &&
            other->conn->peer.machine_id == relay->conn->peer.machine_id)
            return true;
    return false;
}

int tw_relay_packets(struct tw_session *session, struct tw_buf *out)
{
    const Tw__TraceConfig__BuiltinDataSource *b = tw_builtin_sources(session);
    const struct tw_relay *relay;
    int rc = 0;

    TAILQ_FOREACH (relay, &session->service->relays, next) {
        if (rc || relay->serial <= session->relays_seen || is_second(relay))
            continue;
        if (relay->info.n && !b->disable_system_info)
            rc = append_info(relay, out);
        if (!rc && !b->disable_clock_snapshotting)
            rc = append_syncs(relay, out);
    }
    session->relays_seen = session->service->relays_seen;
    return rc;
}
