/* SPDX-License-Identifier: Apache-2.0 */
/* The service on real sockets; the loop runs in turns between what the test does. */
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/req.h"
#include "consumer_port.pb-c.h"
#include "frame/client_session.h"
#include "frame/pump.h"
#include "service/core.h"
#include "service/daemon.h"
#include "tests/harness.h"
#include "tests/service/daemon_scene.h"
#include "wire/pbc.h"

static void sockets_have_their_mode_and_go_with_the_daemon(void **state)
{
    REQ("TW-NET-006");
    struct daemon_scene s;
    struct stat st;

    (void)state;
    daemon_begin(&s, 0);
    assert_int_equal(stat(s.producer, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0640);
    assert_int_equal(stat(s.consumer, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    daemon_end(&s);
}

static void a_stale_socket_is_replaced(void **state)
{
    REQ("TW-NET-005");
    struct daemon_scene s;
    struct tw_sock_access access = {.mode = 0600, .group = (gid_t)-1};
    struct tw_bytes socket;
    int fd;

    (void)state;
    daemon_folder(&s);
    assert_int_equal(tw_sock_listen(s.producer, &access, &fd), 0);
    tw_fd_close(&fd); /* the file stays */
    assert_int_equal(daemon_start(&s, &s.daemon, &socket), 0);
    daemon_end(&s);
}

static void a_live_socket_is_left_alone(void **state)
{
    REQ("TW-NET-005");
    struct daemon_scene s;
    struct tw_daemon *second;
    struct client peer;
    struct tw_bytes socket;

    (void)state;
    daemon_begin(&s, 0);
    assert_int_equal(daemon_start(&s, &second, &socket), TW_E_EXISTS);
    assert_true(tw_bytes_eq_str(socket, s.producer));
    client_join(&peer, s.producer, &tw_producer_port);
    client_bound(&s, &peer);
    client_leave(&peer);
    daemon_end(&s);
}

static void a_file_that_is_no_socket_is_left_alone(void **state)
{
    REQ("TW-NET-005");
    struct daemon_scene s;
    struct tw_bytes socket;
    int fd;

    (void)state;
    daemon_folder(&s);
    fd = open(s.consumer, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    tw_fd_close(&fd);
    assert_int_equal(daemon_start(&s, &s.daemon, &socket), TW_E_EXISTS);
    assert_true(tw_bytes_eq_str(socket, s.consumer));
    assert_int_equal(access(s.producer, F_OK), -1); /* the first is taken back */
    assert_int_equal(unlink(s.consumer), 0);
    s.daemon = NULL;
    daemon_end(&s);
}

static void abstract_names_work(void **state)
{
    REQ("TW-NET-003");
    struct daemon_scene s;
    struct client peer;
    struct tw_bytes socket;

    (void)state;
    daemon_folder(&s);
    snprintf(s.producer, sizeof(s.producer), "@tracewire-test-%d-p", getpid());
    snprintf(s.consumer, sizeof(s.consumer), "@tracewire-test-%d-c", getpid());
    assert_int_equal(daemon_start(&s, &s.daemon, &socket), 0);
    client_join(&peer, s.consumer, &tw_consumer_port);
    client_bound(&s, &peer);
    client_leave(&peer);
    daemon_end(&s);
}

/* What the other socket is for is not to be had here. */
static void each_socket_offers_its_own_port(void **state)
{
    REQ("TW-NET-001");
    struct daemon_scene s;
    struct tw_client_event_out event;

    (void)state;
    daemon_begin(&s, 0);
    for (int own = 0; own < 2; own++) {
        const struct tw_port *consumers = own ? &tw_consumer_port : &tw_producer_port;
        const struct tw_port *producers = own ? &tw_producer_port : &tw_consumer_port;
        struct client peers[2];

        client_join(&peers[0], s.consumer, consumers);
        client_join(&peers[1], s.producer, producers);
        for (size_t i = 0; i < TW_ARRAY_LEN(peers); i++) {
            assert_true(client_await(&s, &peers[i], &event));
            assert_int_equal(event.kind, own ? TW_CLIENT_BOUND : TW_CLIENT_BIND_FAILED);
            client_leave(&peers[i]);
        }
    }
    daemon_end(&s);
}

static void who_connected_is_known_from_the_socket(void **state)
{
    REQ("TW-NET-007");
    struct daemon_scene s;
    struct client producer, consumer;
    struct tw_client_event_out event;
    struct tw_arena arena = TW_ARENA_INIT(1 << 20);
    Tw__QueryServiceStateRequest req = TW__QUERY_SERVICE_STATE_REQUEST__INIT;
    ProtobufCMessage *msg;
    const Tw__TracingServiceState *told;

    (void)state;
    daemon_begin(&s, 0);
    client_producer(&s, &producer);
    client_join(&consumer, s.consumer, &tw_consumer_port);
    client_bound(&s, &consumer);
    client_call(&consumer, TW_CONSUMER_QUERY_SERVICE_STATE, &req.base, false);
    assert_true(client_await(&s, &consumer, &event));
    assert_int_equal(
        tw_pbc_unpack(&tw__query_service_state_response__descriptor, &arena, event.reply, &msg), 0);
    told = ((Tw__QueryServiceStateResponse *)msg)->service_state;
    assert_int_equal(told->n_producers, 1);
    assert_int_equal(told->producers[0]->pid, getpid());
    assert_int_equal(told->producers[0]->uid, getuid());
    tw_arena_deinit(&arena);
    client_leave(&producer);
    client_leave(&consumer);
    daemon_end(&s);
}

/* How many producers and data sources a consumer sees. */
static void count(struct daemon_scene *s, size_t *ret_producers, size_t *ret_sources)
{
    struct client consumer;
    struct tw_client_event_out event;
    struct tw_arena arena = TW_ARENA_INIT(16 << 20);
    Tw__QueryServiceStateRequest req = TW__QUERY_SERVICE_STATE_REQUEST__INIT;

    *ret_producers = *ret_sources = 0;
    client_join(&consumer, s->consumer, &tw_consumer_port);
    client_bound(s, &consumer);
    client_call(&consumer, TW_CONSUMER_QUERY_SERVICE_STATE, &req.base, false);
    do {
        ProtobufCMessage *msg;
        const Tw__TracingServiceState *told;

        assert_true(client_await(s, &consumer, &event));
        assert_int_equal(
            tw_pbc_unpack(&tw__query_service_state_response__descriptor, &arena, event.reply, &msg),
            0);
        told = ((Tw__QueryServiceStateResponse *)msg)->service_state;
        *ret_producers += told->n_producers;
        *ret_sources += told->n_data_sources;
    } while (event.has_more);
    tw_arena_deinit(&arena);
    client_leave(&consumer);
}

static void what_a_producer_left_behind_is_worked_on(void **state)
{
    REQ("TW-NET-012");
    /* Either everything is dropped unanswered, or answers are on their way to nobody. */
    (void)state;
    for (int drop_reply = 0; drop_reply <= 1; drop_reply++) {
        enum { COMMITS = 200 }; /* more than are worked on in one turn */
        struct daemon_scene s;
        struct client producer, consumer;
        struct tw_client_event_out event;
        Tw__CommitDataRequest req = TW__COMMIT_DATA_REQUEST__INIT;
        Tw__CommitDataRequest__ChunksToMove move = TW__COMMIT_DATA_REQUEST__CHUNKS_TO_MOVE__INIT;
        Tw__CommitDataRequest__ChunksToMove *moves[] = {&move};
        Tw__EnableTracingRequest enable = TW__ENABLE_TRACING_REQUEST__INIT;
        Tw__GetTraceStatsRequest ask = TW__GET_TRACE_STATS_REQUEST__INIT;
        Tw__TraceConfig config = TW__TRACE_CONFIG__INIT;
        Tw__TraceConfig__BufferConfig buffer = TW__TRACE_CONFIG__BUFFER_CONFIG__INIT;
        Tw__TraceConfig__BufferConfig *buffers[] = {&buffer};
        struct tw_arena arena = TW_ARENA_INIT(1 << 20);
        ProtobufCMessage *msg;

        daemon_begin(&s, 0);
        client_join(&consumer, s.consumer, &tw_consumer_port);
        client_bound(&s, &consumer);
        buffer.has_size_kb = true;
        buffer.size_kb = 64;
        config.n_buffers = 1;
        config.buffers = buffers;
        enable.trace_config = &config;
        client_call(&consumer, TW_CONSUMER_ENABLE_TRACING, &enable.base, false);
        client_producer(&s, &producer);
        req.n_chunks_to_move = 1;
        req.chunks_to_move = moves;
        for (int i = 0; i < COMMITS; i++)
            client_call(&producer, TW_PRODUCER_COMMIT_DATA, &req.base, drop_reply);
        assert_int_equal(tw_pump_out(producer.fd, &producer.client.tx), 0);
        client_leave(&producer);
        for (int i = 0; i < 50; i++)
            daemon_turn(&s);
        client_call(&consumer, TW_CONSUMER_GET_TRACE_STATS, &ask.base, false);
        assert_true(client_await(&s, &consumer, &event));
        assert_int_equal(
            tw_pbc_unpack(&tw__get_trace_stats_response__descriptor, &arena, event.reply, &msg), 0);
        assert_int_equal(((Tw__GetTraceStatsResponse *)msg)->trace_stats->chunks_discarded,
                         COMMITS);
        assert_int_equal(((Tw__GetTraceStatsResponse *)msg)->trace_stats->producers_connected, 0);
        tw_arena_deinit(&arena);
        client_leave(&consumer);
        daemon_end(&s);
    }
}

static void a_producer_that_left_is_forgotten(void **state)
{
    struct daemon_scene s;
    struct client producer;
    size_t producers, sources;

    (void)state;
    daemon_begin(&s, 0);
    client_producer(&s, &producer);
    count(&s, &producers, &sources);
    assert_int_equal(producers, 1);
    client_leave(&producer);
    daemon_turn(&s);
    daemon_turn(&s);
    count(&s, &producers, &sources);
    assert_int_equal(producers, 0);
    daemon_end(&s);
}

/* Asks and never reads, until nothing moves any more or the connection has ended. */
static void ask_without_reading(struct daemon_scene *s, struct client *deaf)
{
    /* The service works on a few calls a turn: what its buffer holds keeps it busy for many. */
    enum { QUIET_TURNS = 1000, TURNS_MAX = 1000 * 1000, BATCH = 200 };
    int quiet = 0, rc = 0;

    for (int i = 0; quiet < QUIET_TURNS && rc != TW_E_CLOSED; i++) {
        assert_true(i < TURNS_MAX);
        for (int j = 0; j < BATCH && tw_tx_queued(&deaf->client.tx) < 16 * 1024; j++)
            assert_int_equal(tw_client_call(&deaf->client, TW_PRODUCER_SYNC, (struct tw_bytes){0},
                                            false, -1, NULL, NULL),
                             0);
        deaf->client.requests.n = 0; /* it does not wait for answers either */
        rc = tw_pump_out(deaf->fd, &deaf->client.tx);
        quiet = rc ? quiet + 1 : 0;
        daemon_turn(s);
    }
}

/* Its answers fill its socket and then the service's queue; nothing more is read from it then, and
 * so its requests fill its own socket in the end. */
static void a_peer_that_does_not_read_is_not_read_from(void **state)
{
    REQ("TW-LIM-026");
    struct daemon_scene s;
    struct client deaf;
    size_t producers, sources;

    (void)state;
    daemon_begin(&s, 3600 * 1000);
    client_producer(&s, &deaf);
    ask_without_reading(&s, &deaf);
    count(&s, &producers, &sources); /* others are served */
    assert_int_equal(producers, 1);
    client_leave(&deaf);
    daemon_end(&s);
}

static void a_peer_that_does_not_read_is_dropped_in_the_end(void **state)
{
    REQ("TW-NET-009");
    REQ("TW-LIM-031");
    struct daemon_scene s;
    struct client deaf;
    size_t producers = 1, sources;

    (void)state;
    daemon_begin(&s, 1);
    tw_log_set_level(TW_LOG_ERROR);
    client_producer(&s, &deaf);
    ask_without_reading(&s, &deaf);
    for (int i = 0; producers && i < DAEMON_ROUNDS; i++)
        count(&s, &producers, &sources);
    assert_int_equal(producers, 0);
    tw_log_set_level(TW_LOG_INFO);
    client_leave(&deaf);
    daemon_end(&s);
}

static void a_peer_that_says_nothing_is_dropped_in_the_end(void **state)
{
    REQ("TW-LIM-068");
    struct daemon_scene s;
    char byte;
    int fd;

    (void)state;
    daemon_begin_with(&s, 0, 1);
    tw_log_set_level(TW_LOG_ERROR);
    fd = daemon_dial(s.producer);
    do
        assert_int_equal(tw_loop_once(s.loop, 1), 0);
    while (recv(fd, &byte, 1, MSG_DONTWAIT) < 0);
    tw_log_set_level(TW_LOG_INFO);
    tw_fd_close(&fd);
    daemon_end(&s);
}

/* With no descriptor at all, not even the spare one, a connection stays in the backlog. It is
 * looked at again after a while, and does not keep the loop turning. */
static void a_full_table_does_not_keep_the_loop_turning(void **state)
{
    struct daemon_scene s;
    struct rlimit before, none;
    struct client peer;
    struct pollfd loop = {.events = POLLIN};

    REQ("TW-LIM-071");
    (void)state;
    daemon_begin(&s, 0);
    tw_log_set_level(TW_LOG_ERROR);
    loop.fd = tw_loop_fd(s.loop);
    client_join(&peer, s.producer, &tw_producer_port);
    assert_int_equal(poll(&loop, 1, 0), 1);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = before;
    none.rlim_cur = 3;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    daemon_turn(&s);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(poll(&loop, 1, 0), 0);
    assert_int_equal(tw_loop_once(s.loop, 10000), 0); /* the pause is over */
    client_bound(&s, &peer);
    client_leave(&peer);
    tw_log_set_level(TW_LOG_INFO);
    daemon_end(&s);
}

static void running_out_of_descriptors_is_survived(void **state)
{
    struct daemon_scene s;
    struct rlimit before, few;
    int fds[8], n_open = tw_fd_count_open();
    struct client peer;

    (void)state;
    daemon_begin(&s, 0);
    tw_log_set_level(TW_LOG_ERROR);
    for (int i = 0; i < 8; i++)
        fds[i] = daemon_dial(s.producer); /* in the backlog until the loop turns */
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    few = before;
    few.rlim_cur = (rlim_t)tw_fd_count_open() + 2;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    for (int i = 0; i < 20; i++)
        daemon_turn(&s);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    for (int i = 0; i < 8; i++)
        tw_fd_close(&fds[i]);
    for (int i = 0; i < 20; i++)
        daemon_turn(&s);
    client_join(&peer, s.producer, &tw_producer_port);
    client_bound(&s, &peer);
    client_leave(&peer);
    tw_log_set_level(TW_LOG_INFO);
    daemon_end(&s);
    assert_int_equal(tw_fd_count_open(), n_open);
}

static void garbage_ends_only_its_own_connection(void **state)
{
    REQ("TW-SEC-002");
    static const uint8_t large[] = {0xff, 0xff, 0xff, 0x7f};
    struct daemon_scene s;
    struct client good;
    char byte;
    int fd;

    (void)state;
    daemon_begin(&s, 0);
    tw_log_set_level(TW_LOG_ERROR);
    client_producer(&s, &good);
    fd = daemon_dial(s.producer);
    daemon_turn(&s);
    assert_int_equal(write(fd, large, sizeof(large)), sizeof(large));
    daemon_turn(&s);
    daemon_turn(&s);
    assert_int_equal(read(fd, &byte, 1), 0);
    tw_fd_close(&fd);
    tw_log_set_level(TW_LOG_INFO);
    {
        size_t producers, sources;

        count(&s, &producers, &sources);
        assert_int_equal(producers, 1);
    }
    client_leave(&good);
    daemon_end(&s);
}

enum { LARGE_CONFIG = 60 * 1000 }; /* bytes */

/* Producers of a data source x, waiting for commands. */
static void producers_of_x(struct daemon_scene *s, struct client *producers, size_t n)
{
    Tw__RegisterDataSourceRequest req = TW__REGISTER_DATA_SOURCE_REQUEST__INIT;
    Tw__DataSourceDescriptor x = TW__DATA_SOURCE_DESCRIPTOR__INIT;
    struct tw_client_event_out event;

    x.name = (char[]){"x"};
    req.data_source_descriptor = &x;
    for (size_t i = 0; i < n; i++) {
        client_producer(s, &producers[i]);
        client_call(&producers[i], TW_PRODUCER_REGISTER_DATA_SOURCE, &req.base, false);
        assert_true(client_await(s, &producers[i], &event));
        client_call(&producers[i], TW_PRODUCER_GET_ASYNC_COMMAND, NULL, false);
        assert_int_equal(tw_pump_out(producers[i].fd, &producers[i].client.tx), 0);
    }
}

static void enable_x_with_a_large_config(struct client *consumer)
{
    static char large[LARGE_CONFIG + 1];
    Tw__EnableTracingRequest enable = TW__ENABLE_TRACING_REQUEST__INIT;
    Tw__TraceConfig config = TW__TRACE_CONFIG__INIT;
    Tw__TraceConfig__BufferConfig buffer = TW__TRACE_CONFIG__BUFFER_CONFIG__INIT;
    Tw__TraceConfig__DataSource source = TW__TRACE_CONFIG__DATA_SOURCE__INIT;
    Tw__DataSourceConfig x = TW__DATA_SOURCE_CONFIG__INIT;

    memset(large, 'x', LARGE_CONFIG);
    x.name = (char[]){"x"};
    x.legacy_config = large;
    source.config = &x;
    buffer.has_size_kb = true;
    buffer.size_kb = 64;
    config.n_data_sources = config.n_buffers = 1;
    config.data_sources = (Tw__TraceConfig__DataSource *[]){&source};
    config.buffers = (Tw__TraceConfig__BufferConfig *[]){&buffer};
    enable.trace_config = &config;
    client_call(consumer, TW_CONSUMER_ENABLE_TRACING, &enable.base, false);
    assert_int_equal(tw_pump_out(consumer->fd, &consumer->client.tx), 0);
}

/* It goes to all producers of a user in one turn, more than may wait for them together: what their
 * sockets take at once does not wait. */
static void a_large_config_drops_no_producer(void **state)
{
    REQ("TW-LIM-064");
    struct daemon_scene s;
    struct client producers[8], consumer;
    struct tw_client_event_out event;
    struct tw_bytes socket;

    (void)state;
    daemon_folder(&s);
    s.output = (uint64_t)2 * LARGE_CONFIG;
    assert_int_equal(daemon_start(&s, &s.daemon, &socket), 0);
    producers_of_x(&s, producers, TW_ARRAY_LEN(producers));
    client_join(&consumer, s.consumer, &tw_consumer_port);
    client_bound(&s, &consumer);
    enable_x_with_a_large_config(&consumer);
    for (size_t i = 0; i < TW_ARRAY_LEN(producers); i++) {
        do
            assert_true(client_await(&s, &producers[i], &event));
        while (event.reply.n < LARGE_CONFIG);
        client_leave(&producers[i]);
    }
    client_leave(&consumer);
    daemon_end(&s);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        tw_unit_test(sockets_have_their_mode_and_go_with_the_daemon),
        tw_unit_test(a_stale_socket_is_replaced),
        tw_unit_test(a_live_socket_is_left_alone),
        tw_unit_test(a_file_that_is_no_socket_is_left_alone),
        tw_unit_test(abstract_names_work),
        tw_unit_test(each_socket_offers_its_own_port),
        tw_unit_test(who_connected_is_known_from_the_socket),
        tw_unit_test(what_a_producer_left_behind_is_worked_on),
        tw_unit_test(a_producer_that_left_is_forgotten),
        tw_unit_test(a_peer_that_does_not_read_is_not_read_from),
        tw_unit_test(a_peer_that_does_not_read_is_dropped_in_the_end),
        tw_unit_test(a_peer_that_says_nothing_is_dropped_in_the_end),
        tw_unit_test(a_full_table_does_not_keep_the_loop_turning),
        tw_unit_test(running_out_of_descriptors_is_survived),
        tw_unit_test(garbage_ends_only_its_own_connection),
        tw_unit_test(a_large_config_drops_no_producer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
