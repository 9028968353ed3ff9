/* SPDX-License-Identifier: Apache-2.0 */
/* RelayPort: what a relay tells of its machine, and what of it traces hold. */
#include <string.h>

#include "base/clock.h"
#include "base/req.h"
#include "relay_port.pb-c.h"
#include "service/core.h"
#include "tests/harness.h"
#include "tests/service/rig.h"

static const struct tw_peer far = {
    .pid = -1, .uid = -1, .remote = true, .relay = true, .address_id = 77};

/* A client that speaks RelayPort. */
static struct rig_peer *connect_relay(struct rig *rig, struct tw_peer who, const char *hint)
{
    struct rig_peer *relay = rig_connect_as(rig, TW_SERVICE_PRODUCER, who);
    struct tw_frame frame = {.kind = TW_FRAME_PEER_IDENTITY};

    tw_client_deinit(&relay->client);
    RIG_MUST(!tw_client_init(&relay->client, &tw_relay_port));
    if (hint) {
        frame.peer_identity.machine_id_hint =
            (struct tw_bytes){(const uint8_t *)hint, strlen(hint)};
        RIG_MUST(!tw_tx_frame(&relay->client.tx, &frame, -1));
    }
    RIG_MUST(!tw_client_bind(&relay->client));
    rig_pump(rig);
    return relay;
}

static const struct rig_reply *init(struct rig_peer *relay, const char *name)
{
    Tw__InitRelayRequest req = TW__INIT_RELAY_REQUEST__INIT;
    Tw__SystemInfo info = TW__SYSTEM_INFO__INIT;

    info.machine_name = tw_pbc_str(name);
    req.system_info = &info;
    return rig_call(relay, TW_RELAY_INIT, &req.base);
}

static const struct rig_reply *sync_clocks(struct rig_peer *relay, size_t n, uint64_t ns)
{
    Tw__SyncClockRequest req = TW__SYNC_CLOCK_REQUEST__INIT;
    Tw__SyncClockRequest__Clock clock = TW__SYNC_CLOCK_REQUEST__CLOCK__INIT;
    Tw__SyncClockRequest__Clock *list[TW_RELAY_CLOCKS_MAX + 1];

    RIG_MUST(n <= TW_ARRAY_LEN(list));
    for (size_t i = 0; i < n; i++)
        list[i] = &clock;
    clock.has_clock_id = clock.has_timestamp = true;
    clock.clock_id = TW__BUILTIN_CLOCK__BUILTIN_CLOCK_BOOTTIME;
    clock.timestamp = ns;
    req.n_clocks = n;
    req.clocks = list;
    return rig_call(relay, TW_RELAY_SYNC_CLOCK, &req.base);
}

static struct rig_trace record(struct rig *rig, struct rig_peer **ret_consumer)
{
    struct rig_peer *consumer = rig_consumer(rig);

    rig_enable(consumer, rig_config(rig, "nothing"));
    rig_call(consumer, TW_CONSUMER_DISABLE_TRACING, NULL);
    *ret_consumer = consumer;
    return rig_read(consumer);
}

static size_t count(const struct rig_trace *trace, Tw__TracePacket__DataCase kind)
{
    size_t n = 0;

    while (rig_kind(trace, kind, n))
        n++;
    return n;
}

#define SYNC TW__TRACE_PACKET__DATA_REMOTE_CLOCK_SYNC
#define INFO TW__TRACE_PACKET__DATA_SYSTEM_INFO

/* museum 44: a program of this machine, or one by TCP where no relay is expected. */
static void museum_44_relays_are_served_only_where_they_are_expected(void **state)
{
    REQ("TW-RELAY-001");
    static const struct tw_peer peers[] = {
        {.pid = 1, .uid = RIG_UID},
        {.pid = 1, .uid = RIG_UID, .relay = true}, /* not on a Unix socket, whatever is asked */
        {.pid = -1, .uid = -1, .remote = true},
    };
    struct rig rig;

    (void)state;
    rig_init(&rig);
    for (size_t i = 0; i < TW_ARRAY_LEN(peers); i++) {
        struct rig_peer *peer = connect_relay(&rig, peers[i], "a");

        assert_int_not_equal(peer->client.state, TW_CLIENT_STATE_BOUND);
        assert_non_null(peer->conn);
    }
    rig_free(&rig);
}

static void a_relay_that_says_not_for_whom_is_refused(void **state)
{
    REQ("TW-RELAY-003");
    struct rig rig;
    struct rig_peer *relay, *consumer;
    struct rig_trace trace;

    (void)state;
    rig_init(&rig);
    relay = connect_relay(&rig, far, NULL);
    assert_false(init(relay, "m")->success);
    assert_false(sync_clocks(relay, 1, 1)->success);
    assert_false(sync_clocks(relay, 1, 2)->success);
    trace = record(&rig, &consumer);
    assert_int_equal(count(&trace, SYNC), 0);
    assert_int_equal(count(&trace, INFO), 1);
    rig_free(&rig);
}

static void a_trace_holds_what_a_relay_told(void **state)
{
    REQ("TW-RELAY-004");
    REQ("TW-RELAY-005");
    REQ("TW-RELAY-006");
    REQ("TW-RELAY-012");
    const uint32_t machine_id = 0x8601ec8c;
    struct rig rig;
    struct rig_peer *relay, *consumer;
    struct rig_trace trace;
    Tw__TracePacket *packet;
    Tw__RemoteClockSync *sync;

    (void)state;
    rig_init(&rig);
    relay = connect_relay(&rig, far, "a");
    assert_true(init(relay, "guest")->success);
    assert_true(sync_clocks(relay, 2, 5000)->success);
    trace = record(&rig, &consumer);
    assert_int_equal(count(&trace, SYNC), 0); /* half a round trip */
    rig.now_ns += 300;
    assert_true(sync_clocks(relay, 2, 6000)->success);
    trace = rig_read(consumer);
    packet = rig_kind(&trace, INFO, 0);
    assert_non_null(packet);
    assert_string_equal(packet->system_info->machine_name, "guest");
    assert_int_equal(packet->machine_id, machine_id);
    assert_int_equal(packet->trusted_packet_sequence_id, 1);
    packet = rig_kind(&trace, SYNC, 0);
    assert_non_null(packet);
    assert_int_equal(packet->machine_id, machine_id);
    sync = packet->remote_clock_sync;
    assert_int_equal(sync->n_synced_clocks, 2);
    for (size_t i = 0; i < 2; i++) {
        Tw__ClockSnapshot *theirs = sync->synced_clocks[i]->client_clocks;
        Tw__ClockSnapshot *ours = sync->synced_clocks[i]->host_clocks;

        assert_int_equal(theirs->n_clocks, 2);
        assert_true(theirs->clocks[0]->timestamp == 5000 + i * 1000);
        assert_int_equal(ours->n_clocks, TW_CLOCKS);
        assert_int_equal(ours->clocks[0]->clock_id, TW__BUILTIN_CLOCK__BUILTIN_CLOCK_BOOTTIME);
        assert_true(ours->clocks[0]->timestamp == rig.now_ns - (i ? 0 : 300));
    }
    trace = rig_read(consumer); /* once a session */
    assert_int_equal(count(&trace, SYNC), 0);
    assert_int_equal(count(&trace, INFO), 0);
    rig_free(&rig);
}

static void the_builtin_switches_hold_for_relays_too(void **state)
{
    REQ("TW-RELAY-006");
    (void)state;
    for (int off = 0; off < 4; off++) {
        Tw__TraceConfig__BuiltinDataSource builtin = TW__TRACE_CONFIG__BUILTIN_DATA_SOURCE__INIT;
        struct rig rig;
        struct rig_peer *relay, *consumer;
        struct rig_trace trace;
        Tw__TraceConfig *config;

        rig_init(&rig);
        relay = connect_relay(&rig, far, "a");
        init(relay, "guest");
        sync_clocks(relay, 1, 1);
        sync_clocks(relay, 1, 2);
        config = rig_config(&rig, "nothing");
        config->builtin_data_sources = &builtin;
        builtin.has_disable_clock_snapshotting = builtin.has_disable_system_info = true;
        builtin.disable_clock_snapshotting = off & 1;
        builtin.disable_system_info = off >> 1;
        consumer = rig_consumer(&rig);
        rig_enable(consumer, config);
        rig_call(consumer, TW_CONSUMER_DISABLE_TRACING, NULL);
        trace = rig_read(consumer);
        assert_int_equal(count(&trace, SYNC), !(off & 1));
        assert_int_equal(count(&trace, INFO), off >> 1 ? 0 : 2);
        rig_free(&rig);
    }
}

static void one_machine_is_told_of_once(void **state)
{
    REQ("TW-RELAY-006");
    struct rig rig;
    struct rig_peer *relays[3], *consumer;
    struct rig_trace trace;

    (void)state;
    rig_init(&rig);
    for (size_t i = 0; i < TW_ARRAY_LEN(relays); i++) {
        relays[i] = connect_relay(&rig, far, i == 2 ? "b" : "a");
        init(relays[i], "guest");
        sync_clocks(relays[i], 1, 1);
        sync_clocks(relays[i], 1, 2);
    }
    trace = record(&rig, &consumer);
    assert_int_equal(count(&trace, SYNC), 2);
    rig_disconnect(relays[0]);
    rig_disconnect(relays[2]);
    rig_disconnect(consumer);
    trace = record(&rig, &consumer);
    assert_int_equal(count(&trace, SYNC), 1); /* the second of the first machine is left */
    rig_free(&rig);
}

static void what_a_relay_may_tell_is_bounded(void **state)
{
    REQ("TW-LIM-124");
    REQ("TW-LIM-125");
    REQ("TW-LIM-126");
    REQ("TW-LIM-127");
    static char name[TW_RELAY_INFO_MAX + 1];
    struct rig rig;
    struct rig_peer *relay, *consumer;
    struct rig_trace trace;
    Tw__RemoteClockSync *sync;

    (void)state;
    rig_init(&rig);
    relay = connect_relay(&rig, far, "a");
    memset(name, 'x', sizeof(name) - 1);
    assert_false(init(relay, name)->success);
    name[TW_RELAY_INFO_MAX - 8] = '\0';
    assert_true(init(relay, name)->success);
    assert_true(sync_clocks(relay, TW_RELAY_CLOCKS_MAX, 99)->success);
    assert_false(sync_clocks(relay, TW_RELAY_CLOCKS_MAX + 1, 99)->success);
    for (uint64_t i = 0; i < 10; i++)
        assert_true(sync_clocks(relay, TW_RELAY_CLOCKS_MAX, i)->success);
    trace = record(&rig, &consumer);
    sync = rig_kind(&trace, SYNC, 0)->remote_clock_sync;
    assert_int_equal(sync->n_synced_clocks, TW_RELAY_SYNCS_MAX);
    for (uint64_t i = 0; i < TW_RELAY_SYNCS_MAX; i++) /* the newest, in their order */
        assert_true(sync->synced_clocks[i]->client_clocks->clocks[0]->timestamp == 5 + i);
    rig.service->n_relays = TW_RELAYS_MAX;
    assert_false(init(connect_relay(&rig, far, "b"), "one too many")->success);
    assert_true(init(relay, "one of those")->success);
    rig.service->n_relays = 1;
    rig_free(&rig);
}

static void a_producer_cannot_tell_what_a_relay_does(void **state)
{
    REQ("TW-RELAY-014");
    struct rig rig;
    struct rig_peer *producer, *consumer;
    struct rig_chunk chunk = {.writer_id = 1};
    static const uint8_t forged[] = {0xda, 0x06, 0x00}; /* field 107, empty */
    struct tw_bytes packet = {forged, sizeof(forged)};
    struct rig_trace trace;

    (void)state;
    rig_init(&rig);
    producer = rig_producer(&rig, "p");
    rig_register(producer, "source");
    consumer = rig_consumer(&rig);
    rig_enable(consumer, rig_config(&rig, "source"));
    rig_write(producer, &chunk, &packet, 1);
    rig_commit(producer, 0, rig_buffer(producer));
    rig_emit(producer, 1, rig_buffer(producer), "good");
    trace = rig_read(consumer);
    assert_int_equal(count(&trace, SYNC), 0);
    assert_int_equal(rig_find(&trace, "good", NULL), 1);
    rig_free(&rig);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        tw_unit_test(museum_44_relays_are_served_only_where_they_are_expected),
        tw_unit_test(a_relay_that_says_not_for_whom_is_refused),
        tw_unit_test(a_trace_holds_what_a_relay_told),
        tw_unit_test(the_builtin_switches_hold_for_relays_too),
        tw_unit_test(one_machine_is_told_of_once),
        tw_unit_test(what_a_relay_may_tell_is_bounded),
        tw_unit_test(a_producer_cannot_tell_what_a_relay_does),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
