/* SPDX-License-Identifier: Apache-2.0 */
/* What one user may hold: user A takes all there is of each quota and is refused, user B goes on,
 * and what A gives back A can have again. That nothing is charged at the end is the rig's to say.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fd.h"
#include "service/core.h"
#include "tests/harness.h"
#include "tests/service/rig.h"

enum { A = 1000, B = 1001 };

static void limit(struct rig *rig, enum tw_quota quota, uint64_t n)
{
    uint64_t limits[TW_QUOTAS] = {0};

    limits[quota] = n;
    rig_init_limited(rig, limits);
    rig->uid = A;
}

static uint64_t used(const struct rig_peer *peer, enum tw_quota quota)
{
    return peer->conn->charge.account->used[quota];
}

/* The connection is closed, and for this rule. */
static void ended(const struct rig_peer *peer, const char *rule)
{
    assert_null(peer->conn);
    assert_memory_equal(peer->why, rule, strlen(rule));
}

/* B can do all of it: connect, be set up with memory, enable a session, read. */
static void b_goes_on(struct rig *rig)
{
    struct rig_peer *producer, *consumer;
    struct rig_trace trace;

    rig->uid = B;
    producer = rig_producer(rig, "of B");
    consumer = rig_consumer(rig);
    rig_register(producer, "of B");
    rig_enable(consumer, rig_config(rig, "of B"));
    rig_emit(producer, 0, rig_buffer(producer), "B was here");
    trace = rig_read(consumer);
    assert_int_equal(rig_find(&trace, "B was here", NULL), 1);
    assert_non_null(producer->conn);
    rig_disconnect(producer);
    rig_disconnect(consumer);
    rig->uid = A;
}

static void connections(void **state)
{
    struct rig rig;
    struct rig_peer *first;
    struct tw_service_conn *conn;
    struct tw_peer a = {.uid = A, .pid = 1};

    REQ("TW-LIM-062");
    (void)state;
    limit(&rig, TW_QUOTA_CONNECTIONS, 3);
    first = rig_consumer(&rig);
    rig_consumer(&rig);
    rig_producer(&rig, "third");
    assert_int_equal(tw_service_connect(rig.service, TW_SERVICE_PRODUCER, a, NULL, NULL, &conn),
                     TW_E_LIMIT);
    assert_memory_equal(rig.refused, "TW-LIM-062", 10);
    b_goes_on(&rig);
    rig_disconnect(first);
    assert_non_null(rig_call(rig_consumer(&rig), TW_CONSUMER_QUERY_CAPABILITIES, NULL));
    rig_free(&rig);
}

static bool enables(struct rig *rig)
{
    struct rig_peer *consumer = rig_consumer(rig);
    const struct rig_reply *reply = rig_last(consumer, rig_enable(consumer, rig_config(rig, "x")));
    Tw__EnableTracingResponse *response =
        rig_decode(consumer, reply, &tw__enable_tracing_response__descriptor);

    assert_true(!response || response->error);
    if (response)
        assert_memory_equal(response->error, "TW-LIM-011", 10);
    return !response;
}

static void sessions(void **state)
{
    struct rig rig;

    REQ("TW-LIM-011");
    (void)state;
    limit(&rig, TW_QUOTA_SESSIONS, 2);
    assert_true(enables(&rig));
    assert_true(enables(&rig));
    assert_false(enables(&rig));
    b_goes_on(&rig);
    rig_disconnect(&rig.peers[0]);
    assert_true(enables(&rig));
    assert_false(enables(&rig));
    rig_free(&rig);
}

static void shared_memory(void **state)
{
    struct rig rig;
    struct rig_peer *consumer, *producer[3];

    REQ("TW-LIM-063");
    (void)state;
    limit(&rig, TW_QUOTA_SHM, 150 * 1024); /* two have 64 KiB each */
    consumer = rig_consumer(&rig);
    rig_enable(consumer, rig_config(&rig, "x"));
    for (int i = 0; i < 3; i++) {
        producer[i] = rig_producer(&rig, "p");
        assert_null(rig.refused);
        rig_register(producer[i], "x");
    }
    assert_memory_equal(rig.refused, "TW-LIM-063", 10);
    assert_non_null(producer[1]->shm.p);
    assert_null(producer[2]->shm.p);
    assert_int_equal(
        rig_commands(producer[2], TW__GET_ASYNC_COMMAND_RESPONSE__CMD_SETUP_DATA_SOURCE), 0);
    assert_int_equal(used(consumer, TW_QUOTA_SHM), 128 * 1024);
    b_goes_on(&rig);
    rig_disconnect(producer[0]);
    rig_register(producer[2], "x");
    assert_non_null(producer[2]->shm.p);
    rig_free(&rig);
}

/* Memory that a producer brings counts as well, and is not adopted past the limit. */
static void shared_memory_of_the_producers_own(void **state)
{
    Tw__InitializeConnectionRequest hello = TW__INITIALIZE_CONNECTION_REQUEST__INIT;
    struct rig rig;
    bool adopted[2];

    REQ("TW-LIM-063");
    (void)state;
    limit(&rig, TW_QUOTA_SHM, 150 * 1024);
    hello.has_producer_provided_shmem = hello.producer_provided_shmem = true;
    hello.has_shared_memory_page_size_hint_bytes = true;
    hello.shared_memory_page_size_hint_bytes = 4096;
    for (int i = 0; i < 2; i++) {
        struct tw_shm shm;
        struct rig_peer *producer;

        assert_int_equal(tw_shm_create(&shm, 128 * 1024), 0);
        producer = rig_producer_with(&rig, &hello, fcntl(shm.fd, F_DUPFD_CLOEXEC, 3));
        tw_shm_deinit(&shm);
        adopted[i] = producer->conn->producer->shm_is_its_own;
        assert_int_equal(used(producer, TW_QUOTA_SHM), 128 * 1024);
    }
    assert_true(adopted[0]);
    assert_false(adopted[1]);
    rig_free(&rig);
}

static const char *registers(struct rig_peer *producer, const char *filler)
{
    Tw__RegisterDataSourceRequest req = TW__REGISTER_DATA_SOURCE_REQUEST__INIT;
    Tw__DataSourceDescriptor descriptor = TW__DATA_SOURCE_DESCRIPTOR__INIT;
    Tw__RegisterDataSourceResponse *response;

    req.data_source_descriptor = &descriptor;
    descriptor.name = tw_pbc_str(filler);
    response = rig_decode(producer, rig_call(producer, TW_PRODUCER_REGISTER_DATA_SOURCE, &req.base),
                          &tw__register_data_source_response__descriptor);
    assert_non_null(response);
    return response->error;
}

static void binds(struct rig_peer *producer, uint32_t writer_id)
{
    Tw__RegisterTraceWriterRequest req = TW__REGISTER_TRACE_WRITER_REQUEST__INIT;

    req.has_trace_writer_id = req.has_target_buffer = true;
    req.trace_writer_id = writer_id;
    req.target_buffer = rig_buffer(producer);
    assert_true(rig_call(producer, TW_PRODUCER_REGISTER_TRACE_WRITER, &req.base)->success);
}

/* What producers register is remembered for them, all of a user's together. */
static void memory(void **state)
{
    Tw__UnregisterDataSourceRequest un = TW__UNREGISTER_DATA_SOURCE_REQUEST__INIT;
    char filler[400] = "";
    struct rig rig;
    struct rig_peer *producer[2];

    REQ("TW-LIM-178");
    (void)state;
    memset(filler, 'x', sizeof(filler) - 1);
    limit(&rig, TW_QUOTA_MEMORY, 1024);
    for (int i = 0; i < 2; i++)
        producer[i] = rig_producer(&rig, "p");
    assert_null(registers(producer[0], filler));
    assert_null(registers(producer[1], filler));
    assert_in_range(used(producer[0], TW_QUOTA_MEMORY), 800, 900);
    assert_null(rig.refused);
    assert_non_null(registers(producer[0], filler));
    assert_memory_equal(rig.refused, "TW-LIM-178", 10);
    b_goes_on(&rig);
    un.data_source_name = tw_pbc_str(filler);
    rig_call(producer[1], TW_PRODUCER_UNREGISTER_DATA_SOURCE, &un.base);
    assert_null(registers(producer[0], filler));
    assert_in_range(used(producer[0], TW_QUOTA_MEMORY), 800, 900);
    rig_free(&rig);
}

/* A table of bindings counts as well; a writer that finds no room in it is not bound. */
static void memory_of_writers(void **state)
{
    struct rig rig;
    struct rig_peer *producer;

    REQ("TW-LIM-178");
    (void)state;
    limit(&rig, TW_QUOTA_MEMORY, 1024);
    rig_enable(rig_consumer(&rig), rig_config(&rig, "x"));
    producer = rig_producer(&rig, "p");
    rig_register(producer, "x");
    binds(producer, 1);
    binds(producer, TW_WRITER_ID_MAX);
    assert_memory_equal(rig.refused, "TW-LIM-178", 10);
    assert_non_null(producer->conn);
    assert_int_equal(producer->conn->producer->writers[1].buffer, rig_buffer(producer));
    assert_in_range(producer->conn->producer->n_writers, 2, 255);
    b_goes_on(&rig);
    rig_free(&rig);
}

/* Asks for the same again and again, reading nothing. */
static void ask_deaf(struct rig_peer *peer, int times)
{
    peer->deaf = true;
    for (int i = 0; i < times && peer->conn; i++) {
        rig_send(peer, TW_CONSUMER_QUERY_CAPABILITIES, NULL);
        rig_pump(peer->rig);
    }
}

static void output(void **state)
{
    struct rig rig;
    struct rig_peer *deaf, *also;

    REQ("TW-LIM-064");
    (void)state;
    limit(&rig, TW_QUOTA_OUTPUT, 8 * 1024);
    deaf = rig_consumer(&rig);
    also = rig_consumer(&rig);
    ask_deaf(deaf, 200);
    assert_non_null(deaf->conn);
    assert_in_range(used(deaf, TW_QUOTA_OUTPUT), 3000, 8 * 1024);
    ask_deaf(also, 200);
    ended(also, "TW-LIM-064");
    b_goes_on(&rig);
    deaf->deaf = false;
    rig_pump(&rig);
    assert_int_equal(used(deaf, TW_QUOTA_OUTPUT), 0);
    rig_free(&rig);
}

/* GetAsyncCommand stays open: one call a producer. */
static void requests(void **state)
{
    struct rig rig;
    struct rig_peer *producer[3];

    REQ("TW-LIM-065");
    (void)state;
    limit(&rig, TW_QUOTA_REQUESTS, 2);
    for (int i = 0; i < 3; i++)
        producer[i] = rig_producer(&rig, "p");
    assert_int_equal(used(producer[0], TW_QUOTA_REQUESTS), 2);
    ended(producer[2], "TW-LIM-065");
    b_goes_on(&rig);
    rig_disconnect(producer[0]);
    assert_non_null(rig_producer(&rig, "p")->conn);
    rig_free(&rig);
}

/* Sends the first byte of a frame, and a descriptor with it: it waits for the rest. */
static void send_descriptor(struct rig_peer *peer)
{
    int fd = memfd_create("x", MFD_CLOEXEC);
    uint8_t *p;
    size_t n;

    assert_true(fd >= 0);
    tw_service_space(peer->conn, &p, &n);
    p[0] = 100;
    tw_service_received(peer->conn, 1, &fd, 1);
    rig_pump(peer->rig);
}

static void descriptors(void **state)
{
    struct rig rig;
    struct rig_peer *first, *second;
    struct tw_service_conn *conn;

    REQ("TW-LIM-066");
    (void)state;
    limit(&rig, TW_QUOTA_DESCRIPTORS, 4);
    first = rig_consumer(&rig);
    second = rig_consumer(&rig);
    send_descriptor(first);
    send_descriptor(second);
    assert_int_equal(used(first, TW_QUOTA_DESCRIPTORS), 4);
    assert_int_equal(
        tw_service_connect(rig.service, TW_SERVICE_PRODUCER, first->who, NULL, NULL, &conn),
        TW_E_LIMIT);
    b_goes_on(&rig);
    send_descriptor(second);
    ended(second, "TW-LIM-066");
    assert_int_equal(used(first, TW_QUOTA_DESCRIPTORS), 2);
    rig_free(&rig);
}

/* A producer has its socket, its memory, and a moment long the descriptor that is sent to it. */
static void the_memory_of_a_producer_is_a_descriptor(void **state)
{
    struct rig rig;
    struct rig_peer *producer;

    REQ("TW-LIM-066");
    (void)state;
    rig_init(&rig);
    producer = rig_producer(&rig, "p");
    assert_int_equal(used(producer, TW_QUOTA_DESCRIPTORS), 1);
    rig_register(producer, "x");
    rig.uid = B;
    producer->deaf = true;
    rig_enable(rig_consumer(&rig), rig_config(&rig, "x"));
    assert_int_equal(used(producer, TW_QUOTA_DESCRIPTORS), 3);
    producer->deaf = false;
    rig_pump(&rig);
    assert_int_equal(used(producer, TW_QUOTA_DESCRIPTORS), 2);
    rig_free(&rig);
}

static uint64_t used_by(const struct rig *rig, int32_t uid, enum tw_quota quota)
{
    const struct tw_account *account;

    TAILQ_FOREACH (account, &rig->service->accounts.list, next)
        if (account->uid == uid)
            return account->used[quota];
    return 0;
}

static void detach(struct rig_peer *consumer)
{
    Tw__DetachRequest request = TW__DETACH_REQUEST__INIT;

    request.key = tw_pbc_str("key");
    assert_true(rig_call(consumer, TW_CONSUMER_DETACH, &request.base)->success);
    rig_disconnect(consumer);
}

/* A session is its user's, with or without a consumer, and so is a copy of it. */
static void sessions_nobody_is_connected_to(void **state)
{
    struct rig rig;
    struct rig_peer *cloner;

    REQ("TW-LIM-011");
    (void)state;
    limit(&rig, TW_QUOTA_SESSIONS, 2);
    assert_true(enables(&rig));
    detach(&rig.peers[0]);
    assert_int_equal(used_by(&rig, A, TW_QUOTA_SESSIONS), 1);
    cloner = rig_consumer(&rig);
    rig_clone_by_id(cloner, 1);
    rig_advance(&rig, 10);
    assert_int_equal(used_by(&rig, A, TW_QUOTA_SESSIONS), 2);
    assert_false(enables(&rig));
    b_goes_on(&rig);
    rig_disconnect(cloner);
    assert_int_equal(used_by(&rig, A, TW_QUOTA_SESSIONS), 1);
    rig_free(&rig);
}

/* EnableTracing with a pipe to write into: for that the service opens two descriptors more. */
static const char *enable_into(struct rig_peer *consumer, int *ret_read)
{
    Tw__TraceConfig *config = rig_config(consumer->rig, "x");
    Tw__EnableTracingResponse *response;
    int fds[2];
    uint64_t id;

    assert_int_equal(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
    config->has_write_into_file = config->write_into_file = true;
    id = rig_enable_with(consumer, config, fds[1]);
    *ret_read = fds[0];
    response =
        rig_decode(consumer, rig_last(consumer, id), &tw__enable_tracing_response__descriptor);
    return response ? response->error : NULL;
}

static void the_file_of_a_session_is_descriptors(void **state)
{
    struct rig rig;
    struct rig_peer *first;
    int fds[2];

    REQ("TW-LIM-066");
    (void)state;
    limit(&rig, TW_QUOTA_DESCRIPTORS, 7);
    first = rig_consumer(&rig);
    assert_null(enable_into(first, &fds[0]));
    assert_int_equal(used_by(&rig, A, TW_QUOTA_DESCRIPTORS), 4);
    detach(first);
    assert_int_equal(used_by(&rig, A, TW_QUOTA_DESCRIPTORS), 3);
    rig_consumer(&rig);
    assert_memory_equal(enable_into(rig_consumer(&rig), &fds[1]), "TW-LIM-066", 10);
    assert_int_equal(used_by(&rig, A, TW_QUOTA_DESCRIPTORS), 5);
    b_goes_on(&rig);
    rig_free(&rig);
    tw_fd_close(&fds[0]);
    tw_fd_close(&fds[1]);
}

/* Users beyond the number of accounts, and those nobody vouches for, are counted as one. */
static void accounts_are_bounded(void **state)
{
    static struct tw_charge charges[TW_ACCOUNTS_MAX];
    struct tw_charge known, late, unknown;
    struct rig rig;
    struct tw_accounts *accounts;

    REQ("TW-LIM-067");
    (void)state;
    limit(&rig, TW_QUOTA_SESSIONS, 2);
    accounts = &rig.service->accounts;
    for (size_t i = 0; i < TW_ACCOUNTS_MAX; i++)
        assert_int_equal(tw_charge_open(&charges[i], accounts, (int32_t)i), 0);
    assert_int_equal(tw_charge_open(&known, accounts, 7), 0);
    assert_int_equal(tw_charge_open(&late, accounts, TW_ACCOUNTS_MAX), 0);
    assert_int_equal(tw_charge_open(&unknown, accounts, -1), 0);
    assert_ptr_equal(known.account, charges[7].account);
    assert_ptr_equal(late.account, unknown.account);
    assert_int_equal(accounts->n, TW_ACCOUNTS_MAX);
    assert_int_equal(tw_charge_set(&late, TW_QUOTA_SESSIONS, 2), 0);
    assert_int_equal(tw_charge_set(&unknown, TW_QUOTA_SESSIONS, 1), TW_E_LIMIT);
    assert_int_equal(tw_charge_set(&known, TW_QUOTA_SESSIONS, 1), 0);
    assert_false(tw_accounts_empty(accounts));
    tw_charge_close(&known);
    tw_charge_close(&late);
    tw_charge_close(&unknown);
    for (size_t i = 0; i < TW_ACCOUNTS_MAX; i++)
        tw_charge_close(&charges[i]);
    rig_free(&rig);
}

/* The arithmetic does not run over, whatever limit an administrator writes. */
static void large_figures(void **state)
{
    struct tw_charge one, two;
    struct rig rig;

    REQ("TW-SEC-005");
    (void)state;
    limit(&rig, TW_QUOTA_SHM, UINT64_MAX);
    assert_int_equal(tw_charge_open(&one, &rig.service->accounts, A), 0);
    assert_int_equal(tw_charge_open(&two, &rig.service->accounts, A), 0);
    assert_int_equal(tw_charge_set(&one, TW_QUOTA_SHM, UINT64_MAX - 1), 0);
    assert_int_equal(tw_charge_set(&two, TW_QUOTA_SHM, 2), TW_E_LIMIT);
    assert_int_equal(tw_charge_set(&two, TW_QUOTA_SHM, 1), 0);
    assert_int_equal(tw_charge_set(&one, TW_QUOTA_SHM, UINT64_MAX), TW_E_LIMIT);
    assert_int_equal(tw_charge_set(&one, TW_QUOTA_SHM, 0), 0);
    assert_int_equal(one.account->used[TW_QUOTA_SHM], 1);
    tw_charge_close(&one);
    tw_charge_close(&two);
    rig_free(&rig);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        tw_unit_test(connections),
        tw_unit_test(sessions),
        tw_unit_test(shared_memory),
        tw_unit_test(shared_memory_of_the_producers_own),
        tw_unit_test(memory),
        tw_unit_test(memory_of_writers),
        tw_unit_test(output),
        tw_unit_test(requests),
        tw_unit_test(descriptors),
        tw_unit_test(the_memory_of_a_producer_is_a_descriptor),
        tw_unit_test(sessions_nobody_is_connected_to),
        tw_unit_test(the_file_of_a_session_is_descriptors),
        tw_unit_test(accounts_are_bounded),
        tw_unit_test(large_figures),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
