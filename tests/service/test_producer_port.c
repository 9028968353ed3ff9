/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/req.h"
#include "tests/harness.h"
#include "tests/service/rig.h"

static Tw__InitializeConnectionRequest hello(const char *name)
{
    Tw__InitializeConnectionRequest req = TW__INITIALIZE_CONNECTION_REQUEST__INIT;

    req.producer_name = tw_pbc_str(name);
    return req;
}

static Tw__InitializeConnectionResponse *initialized(struct rig_peer *producer)
{
    /* The bind is request 1. */
    return rig_decode(producer, rig_last(producer, 2),
                      &tw__initialize_connection_response__descriptor);
}

static int memfd(size_t size, int seals)
{
    int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, (off_t)size), 0);
    assert_int_equal(fcntl(fd, F_ADD_SEALS, seals), 0);
    return fd;
}

static void every_method_is_refused_before_initialize_connection(void **state)
{
    REQ("TW-PROD-001");
    struct rig rig;
    struct rig_peer *producer;

    (void)state;
    rig_init(&rig);
    producer = rig_connect(&rig, TW_SERVICE_PRODUCER);
    for (uint32_t method = TW_PRODUCER_REGISTER_DATA_SOURCE; method < TW_PRODUCER_METHOD_MAX;
         method++) {
        const struct rig_reply *reply = rig_call(producer, method, NULL);

        assert_non_null(reply);
        assert_false(reply->success || reply->has_more || reply->refused);
        assert_int_equal(rig_count(producer, reply->id), 1);
    }
    assert_non_null(producer->conn);
    rig_free(&rig);
}

static void initialize_connection_works_once(void **state)
{
    REQ("TW-PROD-001");
    struct rig rig;
    struct rig_peer *producer;
    Tw__InitializeConnectionRequest req = hello("twice");
    Tw__InitializeConnectionResponse *response;

    (void)state;
    rig_init(&rig);
    producer = rig_producer(&rig, "once");
    response = initialized(producer);
    assert_non_null(response);
    assert_false(response->using_shmem_provided_by_producer);
    assert_true(response->direct_smb_patching_supported);
    assert_true(response->has_use_shmem_emulation && !response->use_shmem_emulation);
    assert_false(rig_call(producer, TW_PRODUCER_INITIALIZE_CONNECTION, &req.base)->success);
    rig_free(&rig);
}

static void the_producers_own_sealed_memory_is_taken(void **state)
{
    REQ("TW-SHM-010");
    struct rig rig;
    struct rig_peer *producer;
    Tw__InitializeConnectionRequest req = hello("own");
    Tw__TraceConfig *config;
    Tw__GetAsyncCommandResponse *setup;

    (void)state;
    rig_init(&rig);
    req.has_producer_provided_shmem = req.producer_provided_shmem = true;
    req.has_shared_memory_page_size_hint_bytes = true;
    req.shared_memory_page_size_hint_bytes = 8192;
    producer =
        rig_producer_with(&rig, &req, memfd(65536, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL));
    assert_true(initialized(producer)->using_shmem_provided_by_producer);
    setup = rig_command(producer, TW__GET_ASYNC_COMMAND_RESPONSE__CMD_SETUP_TRACING, 0);
    assert_non_null(setup);
    assert_int_equal(setup->setup_tracing->shared_buffer_page_size_kb, 8);
    assert_null(producer->shm.p); /* no descriptor came with it */
    config = rig_config(&rig, "source");
    rig_enable(rig_consumer(&rig), config);
    rig_register(producer, "source");
    assert_int_equal(rig_commands(producer, TW__GET_ASYNC_COMMAND_RESPONSE__CMD_SETUP_TRACING), 1);
    rig_free(&rig);
}

static void memory_that_could_vanish_is_not_taken(void **state)
{
    REQ("TW-SHM-010");
    static const struct {
        size_t size;
        int seals;
    } bad[] = {
        {65536, 0},
        {65536, F_SEAL_SHRINK},
        {65536, F_SEAL_GROW | F_SEAL_SEAL},
        {65536, F_SEAL_SHRINK | F_SEAL_GROW},
        {65537, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL},
        {0, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL},
    };
    struct rig rig;

    (void)state;
    rig_init(&rig);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        Tw__InitializeConnectionRequest req = hello("bad");
        struct rig_peer *producer;

        req.has_producer_provided_shmem = req.producer_provided_shmem = true;
        producer = rig_producer_with(&rig, &req, memfd(bad[i].size, bad[i].seals));
        assert_non_null(initialized(producer));
        assert_false(initialized(producer)->using_shmem_provided_by_producer);
    }
    rig_free(&rig);
}

static void what_is_no_memfd_is_not_taken(void **state)
{
    REQ("TW-SHM-010");
    struct rig rig;
    Tw__InitializeConnectionRequest req = hello("null");
    int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

    (void)state;
    rig_init(&rig);
    req.has_producer_provided_shmem = req.producer_provided_shmem = true;
    assert_false(initialized(rig_producer_with(&rig, &req, fd))->using_shmem_provided_by_producer);
    rig_free(&rig);
}

static void a_second_stream_of_commands_is_refused(void **state)
{
    REQ("TW-PROD-034");
    struct rig rig;
    struct rig_peer *producer;
    const struct rig_reply *reply;

    (void)state;
    rig_init(&rig);
    producer = rig_producer(&rig, "p");
    reply = rig_call(producer, TW_PRODUCER_GET_ASYNC_COMMAND, NULL);
    assert_false(reply->success || reply->has_more);
    rig_enable(rig_consumer(&rig), rig_config(&rig, "source"));
    rig_register(producer, "source");
    assert_int_equal(rig_count(producer, reply->id), 1);
    assert_int_equal(rig_commands(producer, TW__GET_ASYNC_COMMAND_RESPONSE__CMD_START_DATA_SOURCE),
                     1);
    rig_free(&rig);
}

static void nothing_is_answered_when_replies_are_dropped(void **state)
{
    struct rig rig;
    struct rig_peer *producer;
    size_t before;

    (void)state;
    rig_init(&rig);
    producer = rig_producer(&rig, "p");
    before = producer->n_replies;
    for (uint32_t method = 1; method < TW_PRODUCER_METHOD_MAX; method++) {
        rig_send_raw(producer, method, (struct tw_bytes){0}, true, -1);
        rig_send_raw(producer, method, (struct tw_bytes){(const uint8_t *)"\xff", 1}, true, -1);
    }
    rig_pump(&rig);
    assert_int_equal(producer->n_replies, before);
    assert_non_null(producer->conn);
    rig_free(&rig);
}

static void malformed_arguments_are_refused(void **state)
{
    REQ("TW-SESS-016");
    struct rig rig;
    struct rig_peer *producer;

    (void)state;
    rig_init(&rig);
    producer = rig_producer(&rig, "p");
    for (uint32_t method = 1; method < TW_PRODUCER_METHOD_MAX; method++) {
        struct tw_bytes bad = {(const uint8_t *)"\x0a\x7f", 2};
        uint64_t id = rig_send_raw(producer, method, bad, false, -1);

        rig_pump(&rig);
        assert_int_equal(rig_count(producer, id), 1);
        assert_false(rig_last(producer, id)->success);
    }
    assert_non_null(producer->conn);
    rig_free(&rig);
}

static void a_data_source_needs_a_name(void **state)
{
    struct rig rig;
    struct rig_peer *producer;
    Tw__RegisterDataSourceRequest req = TW__REGISTER_DATA_SOURCE_REQUEST__INIT;
    Tw__DataSourceDescriptor descriptor = TW__DATA_SOURCE_DESCRIPTOR__INIT;
    Tw__RegisterDataSourceResponse *response;

    (void)state;
    rig_init(&rig);
    producer = rig_producer(&rig, "p");
    for (int i = 0; i < 2; i++) {
        response =
            rig_decode(producer, rig_call(producer, TW_PRODUCER_REGISTER_DATA_SOURCE, &req.base),
                       &tw__register_data_source_response__descriptor);
        assert_non_null(response->error);
        req.data_source_descriptor = &descriptor;
    }
    descriptor.name = tw_pbc_str("named");
    response = rig_decode(producer, rig_call(producer, TW_PRODUCER_REGISTER_DATA_SOURCE, &req.base),
                          &tw__register_data_source_response__descriptor);
    assert_null(response->error);
    rig_free(&rig);
}

static void a_producer_has_at_most_256_data_sources(void **state)
{
    struct rig rig;
    struct rig_peer *producer;
    Tw__RegisterDataSourceRequest req = TW__REGISTER_DATA_SOURCE_REQUEST__INIT;
    Tw__DataSourceDescriptor descriptor = TW__DATA_SOURCE_DESCRIPTOR__INIT;
    Tw__UnregisterDataSourceRequest un = TW__UNREGISTER_DATA_SOURCE_REQUEST__INIT;

    (void)state;
    rig_init(&rig);
    producer = rig_producer(&rig, "p");
    descriptor.name = tw_pbc_str("many");
    req.data_source_descriptor = &descriptor;
    un.data_source_name = descriptor.name;
    for (size_t i = 0; i < 257; i++) {
        Tw__RegisterDataSourceResponse *response =
            rig_decode(producer, rig_call(producer, TW_PRODUCER_REGISTER_DATA_SOURCE, &req.base),
                       &tw__register_data_source_response__descriptor);

        assert_int_equal(response->error != NULL, i == 256);
    }
    assert_true(rig_call(producer, TW_PRODUCER_UNREGISTER_DATA_SOURCE, &un.base)->success);
    assert_true(rig_call(producer, TW_PRODUCER_REGISTER_DATA_SOURCE, &req.base)->success);
    rig_free(&rig);
}

static void unregistering_what_is_not_there_changes_nothing(void **state)
{
    struct rig rig;
    struct rig_peer *producer;
    Tw__UnregisterTraceWriterRequest writer = TW__UNREGISTER_TRACE_WRITER_REQUEST__INIT;
    Tw__UnregisterDataSourceRequest source = TW__UNREGISTER_DATA_SOURCE_REQUEST__INIT;
    static const uint32_t ids[] = {0, 1, 32767, 32768, 65536, UINT32_MAX};

    (void)state;
    rig_init(&rig);
    producer = rig_producer(&rig, "p");
    for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
        writer.has_trace_writer_id = true;
        writer.trace_writer_id = ids[i];
        assert_true(rig_call(producer, TW_PRODUCER_UNREGISTER_TRACE_WRITER, &writer.base)->success);
        assert_true(rig_call(producer, TW_PRODUCER_UNREGISTER_TRACE_WRITER, &writer.base)->success);
    }
    source.data_source_name = tw_pbc_str("nobody");
    assert_true(rig_call(producer, TW_PRODUCER_UNREGISTER_DATA_SOURCE, &source.base)->success);
    assert_true(rig_call(producer, TW_PRODUCER_UNREGISTER_DATA_SOURCE, NULL)->success);
    rig_free(&rig);
}

static void notes_about_unknown_instances_are_ignored(void **state)
{
    struct rig rig;
    struct rig_peer *producer;
    Tw__NotifyDataSourceStartedRequest started = TW__NOTIFY_DATA_SOURCE_STARTED_REQUEST__INIT;
    Tw__NotifyDataSourceStoppedRequest stopped = TW__NOTIFY_DATA_SOURCE_STOPPED_REQUEST__INIT;

    (void)state;
    rig_init(&rig);
    producer = rig_producer(&rig, "p");
    rig_register(producer, "source");
    rig_enable(rig_consumer(&rig), rig_config(&rig, "source"));
    started.has_data_source_id = stopped.has_data_source_id = true;
    for (uint64_t id = 0; id < 4; id++) {
        started.data_source_id = stopped.data_source_id = id;
        assert_true(
            rig_call(producer, TW_PRODUCER_NOTIFY_DATA_SOURCE_STARTED, &started.base)->success);
        assert_true(
            rig_call(producer, TW_PRODUCER_NOTIFY_DATA_SOURCE_STOPPED, &stopped.base)->success);
    }
    rig_free(&rig);
}

static void sync_is_answered_after_what_came_before(void **state)
{
    struct rig rig;
    struct rig_peer *producer;
    uint64_t first, second;

    (void)state;
    rig_init(&rig);
    producer = rig_producer(&rig, "p");
    first = rig_send(producer, TW_PRODUCER_COMMIT_DATA, NULL);
    second = rig_send(producer, TW_PRODUCER_SYNC, NULL);
    rig_pump(&rig);
    assert_true(rig_last(producer, first)->success);
    assert_true(rig_last(producer, second) > rig_last(producer, first));
    rig_free(&rig);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        tw_unit_test(every_method_is_refused_before_initialize_connection),
        tw_unit_test(initialize_connection_works_once),
        tw_unit_test(the_producers_own_sealed_memory_is_taken),
        tw_unit_test(memory_that_could_vanish_is_not_taken),
        tw_unit_test(what_is_no_memfd_is_not_taken),
        tw_unit_test(a_second_stream_of_commands_is_refused),
        tw_unit_test(nothing_is_answered_when_replies_are_dropped),
        tw_unit_test(malformed_arguments_are_refused),
        tw_unit_test(a_data_source_needs_a_name),
        tw_unit_test(a_producer_has_at_most_256_data_sources),
        tw_unit_test(unregistering_what_is_not_there_changes_nothing),
        tw_unit_test(notes_about_unknown_instances_are_ignored),
        tw_unit_test(sync_is_answered_after_what_came_before),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
