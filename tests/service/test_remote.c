/* SPDX-License-Identifier: Apache-2.0 */
/* Producers with whom no memory can be shared: their chunks come inside of CommitData, and nobody
 * but themselves says who they are. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/req.h"
#include "service/limits.h"
#include "tests/harness.h"
#include "tests/service/rig.h"

#define SETUP_TRACING TW__GET_ASYNC_COMMAND_RESPONSE__CMD_SETUP_TRACING
#define FLUSH         TW__GET_ASYNC_COMMAND_RESPONSE__CMD_FLUSH

enum { ADDRESS_ID = 77 };

static const struct tw_peer stranger = {
    .pid = -1, .uid = -1, .remote = true, .address_id = ADDRESS_ID};

struct scene {
    struct rig rig;
    struct rig_peer *producer, *consumer;
    uint16_t buffer_id;
};

static void say_who(struct rig_peer *peer, const char *hint, const char *name)
{
    struct tw_frame frame = {.kind = TW_FRAME_PEER_IDENTITY};

    frame.peer_identity.pid = 12;
    frame.peer_identity.uid = 34;
    frame.peer_identity.machine_id_hint = (struct tw_bytes){(const uint8_t *)hint, strlen(hint)};
    frame.peer_identity.machine_name = (struct tw_bytes){(const uint8_t *)name, strlen(name)};
    RIG_MUST(!tw_tx_frame(&peer->client.tx, &frame, -1));
}

/* A producer, local unless remote, with one data source that records into its buffer. */
static void begin(struct scene *s, bool remote)
{
    Tw__InitializeConnectionRequest hello = rig_hello("p");

    rig_init(&s->rig);
    s->producer = remote ? rig_connect_as(&s->rig, TW_SERVICE_PRODUCER, stranger)
                         : rig_connect_silent(&s->rig, TW_SERVICE_PRODUCER, RIG_UID);
    rig_initialize(s->producer, &hello, -1);
    rig_register(s->producer, "source");
    s->consumer = rig_consumer(&s->rig);
    rig_enable(s->consumer, rig_config(&s->rig, "source"));
    s->buffer_id = rig_buffer(s->producer);
}

static void stop(struct scene *s)
{
    assert_true(rig_call(s->consumer, TW_CONSUMER_DISABLE_TRACING, NULL)->success);
}

static void memory_is_emulated_where_none_can_be_shared(void **state)
{
    REQ("TW-SHM-032");
    struct scene s;
    Tw__InitializeConnectionResponse *response;
    Tw__GetAsyncCommandResponse *setup;

    (void)state;
    begin(&s, true);
    response = rig_decode(s.producer, rig_last(s.producer, 2),
                          &tw__initialize_connection_response__descriptor);
    assert_true(response->use_shmem_emulation);
    assert_false(response->using_shmem_provided_by_producer);
    setup = rig_command(s.producer, SETUP_TRACING, 0);
    assert_non_null(setup);
    assert_int_equal(setup->setup_tracing->shared_buffer_page_size_kb, 4);
    assert_false(s.producer->shm.p); /* no descriptor came with it */
    assert_int_equal(rig_commands(s.producer, SETUP_TRACING), 1);
    rig_free(&s.rig);
}

static void no_memory_of_a_remote_producer_is_taken(void **state)
{
    REQ("TW-SHM-032");
    struct rig rig;
    struct rig_peer *producer;
    Tw__InitializeConnectionRequest hello = rig_hello("p");
    Tw__InitializeConnectionResponse *response;
    int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    (void)state;
    assert_int_equal(ftruncate(fd, 65536), 0);
    assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL), 0);
    rig_init(&rig);
    producer = rig_connect_as(&rig, TW_SERVICE_PRODUCER, stranger);
    hello.has_producer_provided_shmem = hello.producer_provided_shmem = true;
    hello.has_shared_memory_page_size_hint_bytes = true;
    hello.shared_memory_page_size_hint_bytes = 4096;
    rig_initialize(producer, &hello, fd);
    response = rig_decode(producer, rig_last(producer, 2),
                          &tw__initialize_connection_response__descriptor);
    assert_false(response->using_shmem_provided_by_producer);
    assert_true(response->use_shmem_emulation);
    rig_free(&rig);
}

static void chunks_come_inside_of_commit_data(void **state)
{
    REQ("TW-SHM-031");
    (void)state;
    for (int remote = 0; remote < 2; remote++) {
        struct scene s;
        struct rig_trace trace;

        begin(&s, remote);
        rig_emit_inline(s.producer, 0, s.buffer_id, "one");
        rig_emit_inline(s.producer, 1, s.buffer_id, "two");
        if (!remote) /* and in shared memory, by the same writer */
            rig_emit(s.producer, 2, s.buffer_id, "three");
        stop(&s);
        trace = rig_read(s.consumer);
        assert_int_equal(rig_find(&trace, "one", NULL), 1);
        assert_int_equal(rig_find(&trace, "two", NULL), 1);
        assert_int_equal(rig_find(&trace, "three", NULL), !remote);
        rig_free(&s.rig);
    }
}

/* museum 13: the emulated memory of the producer is larger than any of ours. */
static void museum_13_the_page_of_an_inline_chunk_means_nothing(void **state)
{
    REQ("TW-SHM-031");
    static const uint32_t pages[] = {0, 63, 64, 255, 8191, UINT32_MAX};
    struct scene s;
    struct rig_trace trace;

    (void)state;
    begin(&s, true);
    for (size_t i = 0; i < TW_ARRAY_LEN(pages); i++) {
        struct tw_bytes packet = rig_packet(&s.rig, "far");
        struct rig_chunk chunk = {.page = pages[i], .writer_id = 1, .chunk_id = (uint32_t)i};

        rig_send_chunk(s.producer, &chunk, &packet, 1, s.buffer_id);
    }
    stop(&s);
    trace = rig_read(s.consumer);
    assert_int_equal(rig_find(&trace, "far", NULL), TW_ARRAY_LEN(pages));
    rig_free(&s.rig);
}

static void send_raw_chunk(struct scene *s, size_t n, bool has_page)
{
    static uint8_t bytes[TW_FRAME_PAYLOAD_MAX];
    Tw__CommitDataRequest req = TW__COMMIT_DATA_REQUEST__INIT;
    Tw__CommitDataRequest__ChunksToMove move = TW__COMMIT_DATA_REQUEST__CHUNKS_TO_MOVE__INIT;
    Tw__CommitDataRequest__ChunksToMove *moves[] = {&move};

    bytes[4] = 1; /* the writer */
    move.has_page = has_page;
    move.has_target_buffer = move.has_data = true;
    move.target_buffer = s->buffer_id;
    move.data = (ProtobufCBinaryData){.len = n, .data = bytes};
    req.n_chunks_to_move = 1;
    req.chunks_to_move = moves;
    assert_true(rig_call(s->producer, TW_PRODUCER_COMMIT_DATA, &req.base)->success);
}

static Tw__TraceStats *stats(struct scene *s)
{
    Tw__GetTraceStatsResponse *response =
        rig_decode(s->consumer, rig_call(s->consumer, TW_CONSUMER_GET_TRACE_STATS, NULL),
                   &tw__get_trace_stats_response__descriptor);

    assert_non_null(response);
    return response->trace_stats;
}

/* One that is too small for a header, or larger than a chunk can be, is discarded and counted. */
static void an_inline_chunk_has_the_size_of_a_chunk(void **state)
{
    REQ("TW-SHM-031");
    REQ("TW-LIM-120");
    static const size_t bad[] = {0, 1, 7, 8, 65536, 100000}, good[] = {9, 4096, 65535};
    struct scene s;

    (void)state;
    begin(&s, true);
    for (size_t i = 0; i < TW_ARRAY_LEN(good); i++)
        send_raw_chunk(&s, good[i], i);
    assert_int_equal(stats(&s)->chunks_discarded, 0);
    for (size_t i = 0; i < TW_ARRAY_LEN(bad); i++) {
        send_raw_chunk(&s, bad[i], i & 1);
        assert_int_equal(stats(&s)->chunks_discarded, i + 1);
    }
    rig_free(&s.rig);
}

/* What was scraped by the producer itself: its last packet is left out, and comes when the chunk
 * comes whole (museum 25, seen from the service). */
static void museum_25_a_chunk_that_is_still_written_comes_again(void **state)
{
    REQ("TW-SHM-033");
    struct scene s;
    struct rig_trace trace;
    struct tw_bytes packets[2];
    struct rig_chunk chunk = {.writer_id = 1, .leave_open = true};

    (void)state;
    begin(&s, true);
    packets[0] = rig_packet(&s.rig, "whole");
    packets[1] = rig_packet(&s.rig, "begun");
    rig_send_chunk(s.producer, &chunk, packets, 2, s.buffer_id);
    trace = rig_read(s.consumer);
    assert_int_equal(rig_find(&trace, "whole", NULL), 1);
    assert_int_equal(rig_find(&trace, "begun", NULL), 0);
    chunk.leave_open = false;
    rig_send_chunk(s.producer, &chunk, packets, 2, s.buffer_id);
    trace = rig_read(s.consumer);
    assert_int_equal(rig_find(&trace, "whole", NULL), 0);
    assert_int_equal(rig_find(&trace, "begun", NULL), 1);
    rig_free(&s.rig);
}

/* There is nothing to scrape from here, so the producer has to be asked, for nothing it seems. */
static void who_scrapes_itself_is_asked_to_flush(void **state)
{
    REQ("TW-SHM-034");
    Tw__DataSourceDescriptor descriptor = TW__DATA_SOURCE_DESCRIPTOR__INIT;

    (void)state;
    descriptor.name = tw_pbc_str("source");
    descriptor.has_no_flush = descriptor.no_flush = true;
    for (int remote = 0; remote < 2; remote++) {
        Tw__InitializeConnectionRequest hello = rig_hello("p");
        struct scene s;
        Tw__CommitDataRequest done = TW__COMMIT_DATA_REQUEST__INIT;
        Tw__GetAsyncCommandResponse *flush;
        uint64_t id;

        rig_init(&s.rig);
        s.producer = remote ? rig_connect_as(&s.rig, TW_SERVICE_PRODUCER, stranger)
                            : rig_connect_silent(&s.rig, TW_SERVICE_PRODUCER, RIG_UID);
        rig_initialize(s.producer, &hello, -1);
        rig_register_with(s.producer, &descriptor);
        s.consumer = rig_consumer(&s.rig);
        rig_enable(s.consumer, rig_config(&s.rig, "source"));
        s.buffer_id = rig_buffer(s.producer);
        id = rig_send(s.consumer, TW_CONSUMER_FLUSH, NULL);
        rig_advance(&s.rig, 1);
        flush = rig_command(s.producer, FLUSH, 0);
        assert_int_equal(flush != NULL, remote);
        assert_int_equal(rig_last(s.consumer, id) == NULL, remote);
        if (remote) {
            assert_int_equal(flush->flush->n_data_source_ids, 0);
            done.has_flush_request_id = true;
            done.flush_request_id = flush->flush->request_id;
            rig_call(s.producer, TW_PRODUCER_COMMIT_DATA, &done.base);
            rig_advance(&s.rig, 1);
        }
        assert_true(rig_last(s.consumer, id)->success);
        rig_free(&s.rig);
    }
}

static void patches_come_as_ever(void **state)
{
    REQ("TW-SHM-031");
    Tw__CommitDataRequest req = TW__COMMIT_DATA_REQUEST__INIT;
    Tw__CommitDataRequest__ChunkToPatch patches = TW__COMMIT_DATA_REQUEST__CHUNK_TO_PATCH__INIT;
    Tw__CommitDataRequest__ChunkToPatch *list[] = {&patches};
    Tw__CommitDataRequest__ChunkToPatch__Patch patch =
        TW__COMMIT_DATA_REQUEST__CHUNK_TO_PATCH__PATCH__INIT;
    Tw__CommitDataRequest__ChunkToPatch__Patch *patch_list[] = {&patch};
    uint8_t size[4] = {0x80, 0x80, 0x80, 0};
    struct rig_chunk chunk = {.writer_id = 1, .flags = TW_CHUNK_NEEDS_PATCHING};
    struct scene s;
    struct rig_trace trace;
    struct tw_bytes packet;

    (void)state;
    begin(&s, true);
    packet = rig_packet(&s.rig, "patched");
    size[0] |= (uint8_t)packet.n;
    rig_send_chunk(s.producer, &chunk, &packet, 1, s.buffer_id);
    trace = rig_read(s.consumer);
    assert_int_equal(rig_find(&trace, "patched", NULL), 0);
    req.n_chunks_to_patch = 1;
    req.chunks_to_patch = list;
    patches.has_target_buffer = patches.has_writer_id = patches.has_chunk_id = true;
    patches.target_buffer = s.buffer_id;
    patches.writer_id = 1;
    patches.n_patches = 1;
    patches.patches = patch_list;
    patch.has_offset = patch.has_data = true;
    patch.data = (ProtobufCBinaryData){.len = sizeof(size), .data = size};
    rig_call(s.producer, TW_PRODUCER_COMMIT_DATA, &req.base);
    trace = rig_read(s.consumer);
    assert_int_equal(rig_find(&trace, "patched", NULL), 1);
    rig_free(&s.rig);
}

static void nobody_vouches_for_a_remote_producer(void **state)
{
    REQ("TW-NET-018");
    struct scene s;
    struct rig_trace trace;
    Tw__TracePacket *packet;

    (void)state;
    begin(&s, true);
    rig_emit_inline(s.producer, 0, s.buffer_id, "whose");
    stop(&s);
    trace = rig_read(s.consumer);
    assert_int_equal(rig_find(&trace, "whose", &packet), 1);
    assert_true(packet->has_trusted_uid);
    assert_int_equal(packet->trusted_uid, -1);
    assert_false(packet->has_trusted_pid || packet->has_machine_id);
    rig_free(&s.rig);
}

/* What a producer that says who it is marks its packets with; config says whose are wanted. */
static void record_identified(struct rig *rig, struct tw_peer who, const char *hint,
                              Tw__TraceConfig *config, Tw__TracePacket **ret_packet)
{
    struct rig_peer *producer = rig_connect_as(rig, TW_SERVICE_PRODUCER, who);
    struct rig_peer *consumer = rig_consumer(rig);
    Tw__InitializeConnectionRequest hello = rig_hello("p");
    struct rig_trace trace;

    *ret_packet = NULL;
    say_who(producer, hint, "guest");
    rig_initialize(producer, &hello, -1);
    say_who(producer, "another", "another"); /* too late */
    rig_register(producer, "source");
    rig_enable(consumer, config);
    if (rig_commands(producer, SETUP_TRACING)) {
        rig_emit_inline(producer, 0, rig_buffer(producer), "whose");
        assert_true(rig_call(consumer, TW_CONSUMER_DISABLE_TRACING, NULL)->success);
        trace = rig_read(consumer);
        assert_int_equal(rig_find(&trace, "whose", ret_packet), 1);
    }
    rig_disconnect(consumer);
    rig_disconnect(producer);
}

static void a_remote_producer_says_who_it_is(void **state)
{
    REQ("TW-NET-017");
    REQ("TW-RELAY-010");
    REQ("TW-RELAY-012");
    static const struct {
        const char *hint;
        uint32_t machine_id;
    } hints[] = {
        {"", ADDRESS_ID},
        {"a", 0x8601ec8c},      /* the published FNV-1a of "a" is af63dc4c8601ec8c */
        {"foobar", 0xf73967e8}, /* and of "foobar" 85944171f73967e8 */
    };
    struct rig rig;
    Tw__TraceConfig *config;
    Tw__TracePacket *packet;

    (void)state;
    rig_init(&rig);
    config = rig_config(&rig, "source");
    config->has_trace_all_machines = config->trace_all_machines = true;
    for (size_t i = 0; i < TW_ARRAY_LEN(hints); i++) {
        record_identified(&rig, stranger, hints[i].hint, config, &packet);
        assert_non_null(packet);
        assert_int_equal(packet->trusted_pid, 12);
        assert_int_equal(packet->trusted_uid, 34);
        assert_int_equal(packet->machine_id, hints[i].machine_id);
    }
    rig_free(&rig);
}

static void nobody_says_so_where_the_kernel_does(void **state)
{
    REQ("TW-SESS-007");
    REQ("TW-NET-007");
    struct tw_peer local = {.pid = 5000, .uid = RIG_UID};
    struct rig rig;
    Tw__TracePacket *packet;

    (void)state;
    rig_init(&rig);
    record_identified(&rig, local, "a", rig_config(&rig, "source"), &packet);
    assert_non_null(packet);
    assert_int_equal(packet->trusted_pid, 5000);
    assert_int_equal(packet->trusted_uid, RIG_UID);
    assert_false(packet->has_machine_id);
    rig_free(&rig);
}

/* Data sources of other machines join only sessions that ask for them. */
static void a_config_says_which_machines_it_wants(void **state)
{
    REQ("TW-RELAY-013");
    static const struct {
        const char *filter[2];
        bool all, here, there;
    } cases[] = {
        {{NULL}, false, true, false},     {{NULL}, true, true, true},
        {{"host"}, false, true, false},   {{"host"}, true, true, false},
        {{"guest"}, false, false, true},  {{"guest", "host"}, false, true, true},
        {{"other"}, true, false, false},  {{"other", "guest"}, false, false, true},
        {{"testbed"}, true, true, false},
    };
    struct tw_peer local = {.pid = 5000, .uid = RIG_UID};

    (void)state;
    setenv("PERFETTO_MACHINE_NAME", "testbed", 1);
    for (size_t i = 0; i < TW_ARRAY_LEN(cases); i++) {
        struct rig rig;
        Tw__TraceConfig *config;
        Tw__TracePacket *packet;
        char *names[2] = {tw_pbc_str(cases[i].filter[0]), tw_pbc_str(cases[i].filter[1])};

        rig_init(&rig);
        config = rig_config(&rig, "source");
        config->has_trace_all_machines = true;
        config->trace_all_machines = cases[i].all;
        config->data_sources[0]->machine_name_filter = names;
        config->data_sources[0]->n_machine_name_filter =
            (names[0] != NULL) + (size_t)(names[1] != NULL);
        record_identified(&rig, local, "a", config, &packet);
        assert_int_equal(packet != NULL, cases[i].here);
        record_identified(&rig, stranger, "a", config, &packet);
        assert_int_equal(packet != NULL, cases[i].there);
        rig_free(&rig);
    }
    unsetenv("PERFETTO_MACHINE_NAME");
}

/* A consumer's rights follow from its uid, so it must not be its own word. */
static void a_consumer_cannot_say_who_it_is(void **state)
{
    REQ("TW-NET-017");
    REQ("TW-NET-018");
    struct rig rig;
    struct rig_peer *consumer;
    const struct rig_reply *reply;
    Tw__QueryServiceStateResponse *response;

    (void)state;
    rig_init(&rig);
    consumer = rig_connect_as(&rig, TW_SERVICE_CONSUMER, stranger);
    say_who(consumer, "a", "b");
    RIG_MUST(!tw_client_bind(&consumer->client));
    rig_pump(&rig);
    rig_enable(consumer, rig_config(&rig, "source"));
    reply = rig_call(rig_consumer(&rig), TW_CONSUMER_QUERY_SERVICE_STATE, NULL);
    (void)reply;
    for (size_t i = 0; i < rig.peers[1].n_replies; i++) {
        response = rig_decode(&rig.peers[1], &rig.peers[1].replies[i],
                              &tw__query_service_state_response__descriptor);
        if (response->service_state->n_tracing_sessions)
            assert_int_equal(response->service_state->tracing_sessions[0]->consumer_uid, -1);
    }
    rig_free(&rig);
}

static void the_state_tells_of_other_machines(void **state)
{
    REQ("TW-RELAY-011");
    REQ("TW-LIM-122");
    static char long_name[1000];
    struct rig rig;
    struct rig_peer *producer, *consumer;
    Tw__InitializeConnectionRequest hello = rig_hello("p");
    size_t seen = 0;

    (void)state;
    rig_init(&rig);
    producer = rig_connect_as(&rig, TW_SERVICE_PRODUCER, stranger);
    memset(long_name, 'x', sizeof(long_name) - 1);
    say_who(producer, "a", long_name);
    rig_initialize(producer, &hello, -1);
    consumer = rig_consumer(&rig);
    rig_call(consumer, TW_CONSUMER_QUERY_SERVICE_STATE, NULL);
    for (size_t i = 0; i < consumer->n_replies; i++) {
        Tw__QueryServiceStateResponse *response = rig_decode(
            consumer, &consumer->replies[i], &tw__query_service_state_response__descriptor);
        Tw__TracingServiceState__Producer *p;

        if (response->service_state->n_producers == 0)
            continue;
        p = response->service_state->producers[0];
        assert_int_equal(p->machine_id, 0x8601ec8c);
        assert_int_equal(strlen(p->machine_name), TW_MACHINE_NAME_SIZE - 1);
        seen++;
    }
    assert_int_equal(seen, 1);
    rig_free(&rig);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        tw_unit_test(memory_is_emulated_where_none_can_be_shared),
        tw_unit_test(no_memory_of_a_remote_producer_is_taken),
        tw_unit_test(chunks_come_inside_of_commit_data),
        tw_unit_test(museum_13_the_page_of_an_inline_chunk_means_nothing),
        tw_unit_test(an_inline_chunk_has_the_size_of_a_chunk),
        tw_unit_test(museum_25_a_chunk_that_is_still_written_comes_again),
        tw_unit_test(who_scrapes_itself_is_asked_to_flush),
        tw_unit_test(patches_come_as_ever),
        tw_unit_test(nobody_vouches_for_a_remote_producer),
        tw_unit_test(a_remote_producer_says_who_it_is),
        tw_unit_test(nobody_says_so_where_the_kernel_does),
        tw_unit_test(a_config_says_which_machines_it_wants),
        tw_unit_test(a_consumer_cannot_say_who_it_is),
        tw_unit_test(the_state_tells_of_other_machines),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
