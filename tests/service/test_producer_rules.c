/* SPDX-License-Identifier: Apache-2.0 */
/* What a producer may say, in which order, and what comes of it: spec/producer-port.md. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/req.h"
#include "tests/harness.h"
#include "tests/service/session_scene.h"

#define SETUP_TRACING TW__GET_ASYNC_COMMAND_RESPONSE__CMD_SETUP_TRACING
#define SETUP         TW__GET_ASYNC_COMMAND_RESPONSE__CMD_SETUP_DATA_SOURCE
#define START         TW__GET_ASYNC_COMMAND_RESPONSE__CMD_START_DATA_SOURCE
#define STOP          TW__GET_ASYNC_COMMAND_RESPONSE__CMD_STOP_DATA_SOURCE

enum { SEALS = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL };

static int memfd(off_t size, unsigned flags, int seals)
{
    int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING | flags);

    if (fd < 0)
        return -1; /* the flags are those of another kernel */
    assert_int_equal(ftruncate(fd, size), 0);
    assert_int_equal(fcntl(fd, F_ADD_SEALS, seals), 0);
    return fd;
}

static int read_only(int fd)
{
    char path[64];
    int again;

    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    again = open(path, O_RDONLY | O_CLOEXEC);
    close(fd);
    return again;
}

static bool adopted(int fd, uint32_t page_hint, bool says_so)
{
    Tw__InitializeConnectionRequest hello = rig_hello("p");
    Tw__InitializeConnectionResponse *response;
    struct rig_peer *producer;
    struct rig rig;
    bool own;

    rig_init(&rig);
    hello.has_producer_provided_shmem = true;
    hello.producer_provided_shmem = says_so;
    hello.has_shared_memory_page_size_hint_bytes = true;
    hello.shared_memory_page_size_hint_bytes = page_hint;
    producer = rig_producer_with(&rig, &hello, fd);
    response = rig_decode(producer, rig_last(producer, 2),
                          &tw__initialize_connection_response__descriptor);
    assert_non_null(response); /* never a reason to refuse it */
    own = response->using_shmem_provided_by_producer;
    /* Told of it at once if it is its own, else when it first takes part. */
    assert_int_equal(rig_commands(producer, SETUP_TRACING), own);
    rig_register(producer, "source");
    rig_enable(rig_consumer(&rig), rig_config(&rig, "source"));
    assert_int_equal(rig_commands(producer, SETUP_TRACING), 1);
    assert_int_equal(producer->shm.p == NULL, own);
    rig_free(&rig);
    return own;
}

static void memory_is_adopted_only_as_it_has_to_be(void **state)
{
    REQ("TW-SHM-010");
    REQ("TW-SHM-037");
    REQ("TW-PROD-026");
    (void)state;
    assert_true(adopted(memfd(65536, 0, SEALS), 4096, true));
    assert_true(adopted(memfd(65536, 0, SEALS), 32768, true));
    assert_true(adopted(memfd(32 << 20, 0, SEALS), 4096, true));
    assert_true(adopted(memfd(4096, 0, SEALS), 4096, true));
    assert_false(adopted(-1, 4096, true));
    assert_false(adopted(memfd(65536, 0, SEALS), 4096, false));
    assert_false(adopted(memfd(65536, 0, SEALS), 0, true)); /* of what size are its pages? */
    assert_false(adopted(memfd(65536, 0, SEALS), 65536, true));
    assert_false(adopted(memfd(65536, 0, SEALS), 12288, true));
    assert_false(adopted(memfd(65536, 0, SEALS), 4095, true));
    assert_false(adopted(memfd(20480, 0, SEALS), 8192, true));
    assert_false(adopted(memfd(4096, 0, SEALS), 8192, true));
    assert_false(adopted(memfd(0, 0, SEALS), 4096, true));
    assert_false(adopted(memfd(65537, 0, SEALS), 4096, true));
    assert_false(adopted(memfd((32 << 20) + 4096, 0, SEALS), 4096, true));
    assert_false(adopted(memfd((off_t)1 << 40, 0, SEALS), 4096, true));
    for (int missing = 0; missing < 3; missing++) {
        static const int all[] = {F_SEAL_SHRINK, F_SEAL_GROW, F_SEAL_SEAL};

        assert_false(adopted(memfd(65536, 0, SEALS & ~all[missing]), 4096, true));
    }
    assert_false(adopted(memfd(65536, 0, SEALS | F_SEAL_WRITE), 4096, true));
    assert_false(adopted(read_only(memfd(65536, 0, SEALS)), 4096, true));
    assert_false(adopted(memfd(2 << 20, MFD_HUGETLB, SEALS), 4096, true));
    assert_false(adopted(open("/dev/zero", O_RDWR | O_CLOEXEC), 4096, true));
    assert_false(adopted(open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC), 4096, true));
    assert_false(adopted(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), 4096, true));
}

/* The first entry of the producer's name counts, and only the first session. */
static void sizes_of_memory_are_decided_once(void **state)
{
    REQ("TW-SHM-036");
    Tw__TraceConfig__ProducerConfig sizes[3], *list[3];
    static const struct {
        const char *name;
        uint32_t kb;
    } entries[] = {{"q", 1024}, {"p", 128}, {"p", 512}};
    struct session_scene s;

    (void)state;
    session_peers(&s);
    for (size_t i = 0; i < TW_ARRAY_LEN(list); i++) {
        tw__trace_config__producer_config__init(&sizes[i]);
        sizes[i].producer_name = tw_pbc_str(entries[i].name);
        sizes[i].has_shm_size_kb = true;
        sizes[i].shm_size_kb = entries[i].kb;
        list[i] = &sizes[i];
    }
    s.config->n_producers = TW_ARRAY_LEN(list);
    s.config->producers = list;
    rig_register(s.producer, "source");
    rig_enable(s.consumer, s.config);
    assert_int_equal(s.producer->shm.size, 128 * 1024);
    sizes[1].shm_size_kb = 2048;
    rig_enable(rig_consumer(&s.rig), s.config);
    assert_int_equal(rig_commands(s.producer, SETUP_TRACING), 1);
    rig_free(&s.rig);
}

static void scraping_is_the_producers_choice(void **state)
{
    REQ("TW-PROD-024");
    (void)state;
    for (int mode = -1; mode <= 2; mode++) {
        Tw__InitializeConnectionRequest hello = rig_hello("p");
        Tw__RegisterTraceWriterRequest writer = TW__REGISTER_TRACE_WRITER_REQUEST__INIT;
        struct rig_chunk chunk = {.writer_id = 1};
        struct rig rig;
        struct rig_peer *producer, *consumer;
        struct tw_bytes packet;
        struct rig_trace trace;

        rig_init(&rig);
        hello.has_smb_scraping_mode = mode >= 0;
        hello.smb_scraping_mode =
            (Tw__InitializeConnectionRequest__ProducerSMBScrapingMode)(mode < 0 ? 0 : mode);
        producer = rig_producer_with(&rig, &hello, -1);
        rig_register(producer, "source");
        consumer = rig_consumer(&rig);
        rig_enable(consumer, rig_config(&rig, "source"));
        writer.has_trace_writer_id = writer.has_target_buffer = true;
        writer.trace_writer_id = 1;
        writer.target_buffer = rig_buffer(producer);
        rig_call(producer, TW_PRODUCER_REGISTER_TRACE_WRITER, &writer.base);
        packet = rig_packet(&rig, "left");
        rig_write(producer, &chunk, &packet, 1);
        rig_call(consumer, TW_CONSUMER_DISABLE_TRACING, NULL);
        trace = rig_read(consumer);
        assert_int_equal(
            rig_find(&trace, "left", NULL),
            mode ==
                TW__INITIALIZE_CONNECTION_REQUEST__PRODUCER_SMBSCRAPING_MODE__SMB_SCRAPING_ENABLED);
        rig_free(&rig);
    }
}

static const char *register_error(struct rig_peer *producer, const char *name, uint64_t id)
{
    Tw__RegisterDataSourceRequest req = TW__REGISTER_DATA_SOURCE_REQUEST__INIT;
    Tw__DataSourceDescriptor descriptor = TW__DATA_SOURCE_DESCRIPTOR__INIT;
    Tw__RegisterDataSourceResponse *response;

    descriptor.name = tw_pbc_str(name);
    descriptor.has_id = id != 0;
    descriptor.id = id;
    req.data_source_descriptor = &descriptor;
    response = rig_decode(producer, rig_call(producer, TW_PRODUCER_REGISTER_DATA_SOURCE, &req.base),
                          &tw__register_data_source_response__descriptor);
    assert_non_null(response);
    return response->error;
}

static void an_id_is_taken_once(void **state)
{
    REQ("TW-PROD-027");
    struct session_scene s;

    (void)state;
    session_peers(&s);
    assert_null(register_error(s.producer, "source", 7));
    assert_null(register_error(s.producer, "source", 8));
    assert_null(register_error(s.producer, "source", 0));
    assert_null(register_error(s.producer, "source", 0));
    assert_non_null(register_error(s.producer, "source", 7));
    assert_non_null(register_error(s.producer, "other", 7));
    assert_null(register_error(rig_producer(&s.rig, "another"), "source", 7));
    rig_enable(s.consumer, s.config);
    assert_int_equal(rig_commands(s.producer, SETUP), 4);
    rig_free(&s.rig);
}

static void update(struct rig_peer *producer, const char *name, uint64_t id, bool notify)
{
    Tw__UpdateDataSourceRequest req = TW__UPDATE_DATA_SOURCE_REQUEST__INIT;
    Tw__DataSourceDescriptor descriptor = TW__DATA_SOURCE_DESCRIPTOR__INIT;

    descriptor.name = tw_pbc_str(name);
    descriptor.has_id = true;
    descriptor.id = id;
    descriptor.has_will_notify_on_stop = true;
    descriptor.will_notify_on_stop = notify;
    req.data_source_descriptor = &descriptor;
    assert_true(rig_call(producer, TW_PRODUCER_UPDATE_DATA_SOURCE, &req.base)->success);
}

/* Seen by what a session does with the descriptor when it stops. */
static void an_update_is_for_one_data_source(void **state)
{
    REQ("TW-PROD-028");
    static const struct {
        const char *name;
        uint64_t registered, updated;
        bool applies;
    } cases[] = {
        {"source", 7, 7, true},  {"source", 7, 8, false}, {"other", 7, 7, false},
        {"source", 0, 0, false}, {"source", 7, 0, false},
    };

    (void)state;
    for (size_t i = 0; i < TW_ARRAY_LEN(cases); i++) {
        struct session_scene s;
        uint64_t id;

        session_peers(&s);
        assert_null(register_error(s.producer, "source", cases[i].registered));
        id = rig_enable(s.consumer, s.config);
        update(s.producer, cases[i].name, cases[i].updated, true);
        assert_int_equal(rig_commands(s.producer, SETUP), 1);
        rig_call(s.consumer, TW_CONSUMER_DISABLE_TRACING, NULL);
        assert_int_equal(rig_last(s.consumer, id) == NULL, cases[i].applies);
        rig_free(&s.rig);
    }
}

static void unregistering_ends_all_of_a_name(void **state)
{
    REQ("TW-PROD-029");
    Tw__UnregisterDataSourceRequest req = TW__UNREGISTER_DATA_SOURCE_REQUEST__INIT;
    struct session_scene s;

    (void)state;
    session_peers(&s);
    assert_null(register_error(s.producer, "source", 7));
    assert_null(register_error(s.producer, "source", 8));
    assert_null(register_error(s.producer, "other", 9));
    rig_enable(s.consumer, s.config);
    req.data_source_name = tw_pbc_str("source");
    for (int i = 0; i < 2; i++) {
        assert_true(rig_call(s.producer, TW_PRODUCER_UNREGISTER_DATA_SOURCE, &req.base)->success);
        assert_int_equal(rig_commands(s.producer, STOP), 2);
    }
    assert_null(register_error(s.producer, "again", 7)); /* the id is free */
    assert_non_null(register_error(s.producer, "again", 9));
    rig_free(&s.rig);
}

/* museum 14: never registered, twice, of nothing, in any order. */
static void museum_14_writers_come_and_go_in_any_order(void **state)
{
    REQ("TW-PROD-030");
    static const uint32_t ids[] = {1, 0, 32767, 32768, 65535, 65536, 65537, UINT32_MAX};
    uint32_t random = 1;
    struct session_scene s;
    struct rig_trace trace;
    uint32_t buffer_id;

    (void)state;
    session_peers(&s);
    rig_register(s.producer, "source");
    rig_enable(s.consumer, s.config);
    buffer_id = rig_buffer(s.producer);
    for (int i = 0; i < 400; i++) {
        Tw__RegisterTraceWriterRequest in = TW__REGISTER_TRACE_WRITER_REQUEST__INIT;
        Tw__UnregisterTraceWriterRequest out = TW__UNREGISTER_TRACE_WRITER_REQUEST__INIT;

        random = random * 1103515245 + 12345;
        in.has_trace_writer_id = out.has_trace_writer_id = random >> 16 & 15;
        in.trace_writer_id = out.trace_writer_id = ids[random >> 20 & 7];
        in.has_target_buffer = true;
        in.target_buffer = random >> 23 & 1 ? buffer_id : ids[random >> 24 & 7];
        assert_true(
            random >> 28 & 1
                ? rig_call(s.producer, TW_PRODUCER_REGISTER_TRACE_WRITER, &in.base)->success
                : rig_call(s.producer, TW_PRODUCER_UNREGISTER_TRACE_WRITER, &out.base)->success);
    }
    rig_emit(s.producer, 0, buffer_id, "alive");
    trace = rig_read(s.consumer);
    assert_int_equal(rig_find(&trace, "alive", NULL), 1);
    rig_free(&s.rig);
}

static void notify(struct rig_peer *producer, uint64_t id, bool started)
{
    Tw__NotifyDataSourceStartedRequest start = TW__NOTIFY_DATA_SOURCE_STARTED_REQUEST__INIT;
    Tw__NotifyDataSourceStoppedRequest stop = TW__NOTIFY_DATA_SOURCE_STOPPED_REQUEST__INIT;

    start.has_data_source_id = stop.has_data_source_id = true;
    start.data_source_id = stop.data_source_id = id;
    assert_true(
        started ? rig_call(producer, TW_PRODUCER_NOTIFY_DATA_SOURCE_STARTED, &start.base)->success
                : rig_call(producer, TW_PRODUCER_NOTIFY_DATA_SOURCE_STOPPED, &stop.base)->success);
}

/* museum 15: a note that it has started, when it was told to stop; and every other wrong one. */
static void museum_15_notes_count_once_and_only_when_asked_for(void **state)
{
    REQ("TW-PROD-031");
    Tw__DataSourceDescriptor descriptor = TW__DATA_SOURCE_DESCRIPTOR__INIT;
    struct session_scene s;
    struct rig_peer *other;
    uint64_t id, instance;

    (void)state;
    session_peers(&s);
    other = rig_producer(&s.rig, "other");
    descriptor.name = tw_pbc_str("source");
    descriptor.has_will_notify_on_start = descriptor.will_notify_on_start = true;
    descriptor.has_will_notify_on_stop = descriptor.will_notify_on_stop = true;
    rig_register_with(s.producer, &descriptor);
    id = rig_enable(s.consumer, s.config);
    instance = rig_command(s.producer, START, 0)->start_data_source->new_instance_id;
    notify(s.producer, instance, false); /* early */
    notify(other, instance, true);       /* another's */
    notify(s.producer, instance, true);
    notify(s.producer, instance, true); /* again */
    rig_call(s.consumer, TW_CONSUMER_DISABLE_TRACING, NULL);
    notify(s.producer, instance, true); /* late */
    notify(other, instance, false);
    assert_null(rig_last(s.consumer, id));
    notify(s.producer, instance, false);
    assert_true(rig_last(s.consumer, id)->success);
    notify(s.producer, instance, false);
    notify(s.producer, instance, true);
    rig_free(&s.rig);
}

/* Two producers whose writers and chunks have the same numbers: patches know them apart. */
static void patches_are_for_own_chunks(void **state)
{
    REQ("TW-PROD-035");
    Tw__CommitDataRequest req = TW__COMMIT_DATA_REQUEST__INIT;
    Tw__CommitDataRequest__ChunkToPatch patches = TW__COMMIT_DATA_REQUEST__CHUNK_TO_PATCH__INIT;
    Tw__CommitDataRequest__ChunkToPatch *list[] = {&patches};
    Tw__CommitDataRequest__ChunkToPatch__Patch patch =
        TW__COMMIT_DATA_REQUEST__CHUNK_TO_PATCH__PATCH__INIT;
    Tw__CommitDataRequest__ChunkToPatch__Patch *patch_list[] = {&patch};
    struct rig_chunk chunk = {.writer_id = 1};
    uint8_t size[4] = {0x81, 0x80, 0x80, 0};
    struct rig_peer *other;
    struct rig_trace trace;
    struct tw_bytes packet;
    struct session_scene s;

    (void)state;
    session_peers(&s);
    other = rig_producer(&s.rig, "other");
    rig_register(s.producer, "source");
    rig_register(other, "source");
    rig_enable(s.consumer, s.config);
    packet = rig_packet(&s.rig, "mine");
    rig_write(s.producer, &chunk, &packet, 1);
    rig_commit(s.producer, 0, rig_buffer(s.producer));
    req.n_chunks_to_patch = 1;
    req.chunks_to_patch = list;
    patches.has_target_buffer = patches.has_writer_id = patches.has_chunk_id = true;
    patches.target_buffer = rig_buffer(s.producer);
    patches.writer_id = 1;
    patches.n_patches = 1;
    patches.patches = patch_list;
    patch.has_offset = patch.has_data = true;
    patch.data = (ProtobufCBinaryData){.len = sizeof(size), .data = size};
    rig_call(other, TW_PRODUCER_COMMIT_DATA, &req.base);
    trace = rig_read(s.consumer);
    assert_int_equal(rig_find(&trace, "mine", NULL), 1);
    rig_free(&s.rig);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        tw_unit_test(memory_is_adopted_only_as_it_has_to_be),
        tw_unit_test(sizes_of_memory_are_decided_once),
        tw_unit_test(scraping_is_the_producers_choice),
        tw_unit_test(an_id_is_taken_once),
        tw_unit_test(an_update_is_for_one_data_source),
        tw_unit_test(unregistering_ends_all_of_a_name),
        tw_unit_test(museum_14_writers_come_and_go_in_any_order),
        tw_unit_test(museum_15_notes_count_once_and_only_when_asked_for),
        tw_unit_test(patches_are_for_own_chunks),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
