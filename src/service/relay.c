/* SPDX-License-Identifier: Apache-2.0 */
#include "service/relay.h"

#include <stdlib.h>
#include <string.h>

#include "base/req.h"
#include "service/clock_snapshot.h"

static const char no_relay[] = "TW-RELAY-003: the peer has not said which machine it speaks for, "
                               "or TW-LIM-124: there are too many relays";

/* NULL when the peer has not said which machine it speaks for, or when there are too many. */
static struct tw_relay *relay_of(struct tw_service_conn *conn)
{
    REQ("TW-RELAY-003");
    REQ("TW-LIM-124");
    struct tw_service *service = conn->service;

    if (conn->relay || conn->peer.machine_id == 0 || service->n_relays == TW_RELAYS_MAX)
        return conn->relay;
    conn->relay = calloc(1, sizeof(*conn->relay));
    if (!conn->relay)
        return NULL;
    conn->relay->conn = conn;
    conn->relay->info = TW_BUF_INIT(TW_RELAY_INFO_MAX);
    TAILQ_INSERT_TAIL(&service->relays, conn->relay, next);
    service->n_relays++;
    return conn->relay;
}

void tw_relay_free(struct tw_service_conn *conn)
{
    if (!conn->relay)
        return;
    TAILQ_REMOVE(&conn->service->relays, conn->relay, next);
    conn->service->n_relays--;
    tw_buf_deinit(&conn->relay->info);
    free(conn->relay);
    conn->relay = NULL;
}

static int keep_info(struct tw_relay *relay, const Tw__SystemInfo *info)
{
    REQ("TW-LIM-127");
    int rc;

    relay->info.n = 0;
    rc = info ? tw_pbc_pack(&info->base, &relay->info) : 0;
    if (rc)
        relay->info.n = 0;
    return rc;
}

static void init_relay(struct tw_service_conn *conn, const struct tw_host_call *call,
                       const ProtobufCMessage *msg)
{
    REQ("TW-RELAY-004");
    const Tw__InitRelayRequest *req = (const void *)msg;
    struct tw_relay *relay = relay_of(conn);

    const char *why = NULL;

    if (!relay)
        why = no_relay;
    else if (keep_info(relay, req->system_info))
        why = "TW-LIM-127: the system info is too large";
    tw_call_settle(conn, call, why);
}

/* Room for one more, at the expense of the oldest. */
static struct tw_relay_sync *next_sync(struct tw_relay *relay)
{
    REQ("TW-LIM-126");
    if (relay->n_syncs == TW_RELAY_SYNCS_MAX)
        memmove(&relay->syncs[0], &relay->syncs[1], --relay->n_syncs * sizeof(relay->syncs[0]));
    return &relay->syncs[relay->n_syncs++];
}

/* Our clocks come first: every instruction between the arrival and them makes them worse. */
static void sync_clock(struct tw_service_conn *conn, const struct tw_host_call *call,
                       const ProtobufCMessage *msg)
{
    REQ("TW-RELAY-005");
    REQ("TW-LIM-125");
    const Tw__SyncClockRequest *req = (const void *)msg;
    struct tw_relay_sync sync = {.n_clocks = req->n_clocks};
    struct tw_relay *relay = relay_of(conn);

    tw_read_clocks(conn->service, &sync.ours);
    if (!relay || req->n_clocks > TW_RELAY_CLOCKS_MAX) {
        tw_call_refuse(conn, call, relay ? "TW-LIM-125: too many clocks" : no_relay);
        return;
    }
    for (size_t i = 0; i < req->n_clocks; i++)
        sync.clocks[i] = (struct tw_relay_clock){
            .id = req->clocks[i]->has_clock_id ? req->clocks[i]->clock_id : 0,
            .ns = req->clocks[i]->has_timestamp ? req->clocks[i]->timestamp : 0,
        };
    *next_sync(relay) = sync;
    if (relay->n_syncs >= 2 && relay->serial == 0)
        relay->serial = ++conn->service->relays_seen;
    tw_call_acknowledge(conn, call);
}

const struct tw_port_handler tw_relay_handlers[TW_RELAY_METHOD_MAX] = {
    [TW_RELAY_INIT] = {&tw__init_relay_request__descriptor, init_relay, false},
    [TW_RELAY_SYNC_CLOCK] = {&tw__sync_clock_request__descriptor, sync_clock, false},
};
