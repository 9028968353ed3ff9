/* SPDX-License-Identifier: Apache-2.0 */
/* A daemon on sockets of several families: what each of them offers to whom. */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/net.h"
#include "frame/client_session.h"
#include "frame/pump.h"
#include "producer_port.pb-c.h"
#include "service/daemon.h"
#include "tests/harness.h"
#include "wire/pbc.h"

enum { ROUNDS_MAX = 100000 };

struct scene {
    struct tw_loop *loop;
    struct tw_daemon *daemon;
    char unix_name[64], tcp[64], other_tcp[64], relay[64], consumer[64], list[300];
};

/* A port on an address that is this process's alone: on 127.0.0.1 somebody else may take one
 * between finding it free and listening there. */
static void own_name(char name[64])
{
    enum { FIRST_PORT = 20000 };
    static int n;
    int pid = getpid();

    snprintf(name, 64, "127.%d.%d.%d:%d", 1 + pid / 65536 % 128, pid / 256 % 256, pid % 256,
             FIRST_PORT + n++);
}

static void make_names(struct scene *s)
{
    *s = (struct scene){0};
    assert_int_equal(tw_loop_new(&s->loop), 0);
    snprintf(s->unix_name, sizeof(s->unix_name), "@tracewire-listen-%d-p", getpid());
    snprintf(s->consumer, sizeof(s->consumer), "@tracewire-listen-%d-c", getpid());
    own_name(s->tcp);
    own_name(s->other_tcp);
    own_name(s->relay);
    snprintf(s->list, sizeof(s->list), "%s,%s,%s", s->unix_name, s->tcp, s->other_tcp);
}

static int start(struct scene *s, struct tw_bytes *ret_socket)
{
    struct tw_daemon_options options = {
        .producer_socket = s->list,
        .consumer_socket = s->consumer,
        .relay_socket = s->relay,
        .access = {{0600, (gid_t)-1}, {0600, (gid_t)-1}},
    };

    return tw_daemon_new(s->loop, &options, &s->daemon, ret_socket);
}

static void begin(struct scene *s)
{
    struct tw_bytes socket;

    make_names(s);
    assert_int_equal(start(s, &socket), 0);
}

static void end(struct scene *s)
{
    tw_daemon_free(s->daemon);
    tw_loop_free(s->loop);
}

struct peer {
    int fd;
    struct tw_client client;
};

static void join(struct peer *peer, const char *name, const struct tw_port *port)
{
    struct tw_net_address a;

    assert_int_equal(tw_net_resolve(name, &a), 0);
    peer->fd = socket(a.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(peer->fd >= 0);
    assert_int_equal(connect(peer->fd, &a.any, a.len), 0);
    assert_int_equal(tw_client_init(&peer->client, port), 0);
    assert_int_equal(tw_client_bind(&peer->client), 0);
}

static void leave(struct peer *peer)
{
    tw_fd_close(&peer->fd);
    tw_client_deinit(&peer->client);
}

static struct tw_client_event_out await(struct scene *s, struct peer *peer)
{
    struct tw_client_event_out event = {.kind = TW_CLIENT_REFUSED};

    for (int i = 0; i < ROUNDS_MAX && tw_client_next(&peer->client, &event) == TW_MORE; i++) {
        int rc = tw_pump_out(peer->fd, &peer->client.tx);

        assert_true(!rc || rc == TW_MORE);
        assert_int_equal(tw_loop_once(s->loop, 0), 0);
        if (tw_pump_in(peer->fd, &peer->client.rx) == TW_E_CLOSED)
            tw_client_end(&peer->client, "closed");
    }
    return event;
}

static bool binds(struct scene *s, const char *name, const struct tw_port *port)
{
    struct peer peer;
    bool bound;

    join(&peer, name, port);
    bound = await(s, &peer).kind == TW_CLIENT_BOUND;
    leave(&peer);
    return bound;
}

static void every_socket_of_the_lists_offers_its_ports(void **state)
{
    REQ("TW-NET-014");
    REQ("TW-NET-001");
    REQ("TW-RELAY-001");
    struct scene s;
    const char *names[] = {s.unix_name, s.tcp, s.other_tcp, s.relay, s.consumer};

    (void)state;
    begin(&s);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        assert_int_equal(binds(&s, names[i], &tw_producer_port), names[i] != s.consumer);
        assert_int_equal(binds(&s, names[i], &tw_consumer_port), names[i] == s.consumer);
        assert_int_equal(binds(&s, names[i], &tw_relay_port), names[i] == s.relay);
    }
    end(&s);
}

/* Memory is shared on the one kind of socket and emulated on the other. */
static void tcp_producers_emulate_memory(void **state)
{
    REQ("TW-SHM-032");
    REQ("TW-NET-015");
    struct scene s;
    const char *names[] = {s.unix_name, s.tcp, s.relay};

    (void)state;
    begin(&s);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        Tw__InitializeConnectionRequest hello = TW__INITIALIZE_CONNECTION_REQUEST__INIT;
        struct tw_buf buf = TW_BUF_INIT(1024);
        struct tw_arena arena = TW_ARENA_INIT(1 << 20);
        struct tw_client_event_out event;
        ProtobufCMessage *msg;
        struct peer peer;

        join(&peer, names[i], &tw_producer_port);
        assert_int_equal(await(&s, &peer).kind, TW_CLIENT_BOUND);
        assert_int_equal(tw_pbc_pack(&hello.base, &buf), 0);
        assert_int_equal(tw_client_call(&peer.client, TW_PRODUCER_INITIALIZE_CONNECTION,
                                        tw_buf_bytes(&buf), false, -1, NULL, NULL),
                         0);
        event = await(&s, &peer);
        assert_true(event.kind == TW_CLIENT_REPLY && event.success);
        assert_int_equal(tw_pbc_unpack(&tw__initialize_connection_response__descriptor, &arena,
                                       event.reply, &msg),
                         0);
        assert_int_equal(((Tw__InitializeConnectionResponse *)msg)->use_shmem_emulation, i > 0);
        tw_arena_deinit(&arena);
        tw_buf_deinit(&buf);
        leave(&peer);
    }
    end(&s);
}

static void no_relay_is_served_on_a_unix_socket(void **state)
{
    REQ("TW-RELAY-001");
    struct scene s;
    struct tw_bytes socket;

    (void)state;
    make_names(&s);
    snprintf(s.relay, sizeof(s.relay), "@tracewire-listen-%d-r", getpid());
    assert_int_equal(start(&s, &socket), TW_E_INVALID);
    assert_true(tw_bytes_eq_str(socket, s.relay));
    end(&s);
}

static void the_name_at_fault_is_told(void **state)
{
    REQ("TW-NET-014");
    struct scene s;
    struct tw_bytes socket;

    (void)state;
    make_names(&s);
    snprintf(s.list, sizeof(s.list), "%s,,%s", s.unix_name, s.tcp);
    assert_int_equal(start(&s, &socket), TW_E_INVALID);
    assert_int_equal(socket.n, 0);
    snprintf(s.list, sizeof(s.list), "%s,%s,%s", s.unix_name, s.tcp, s.tcp);
    assert_int_equal(start(&s, &socket), TW_E_EXISTS);
    assert_true(tw_bytes_eq_str(socket, s.tcp));
    end(&s);
}

static void lists_are_bounded(void **state)
{
    REQ("TW-LIM-123");
    struct scene s;
    struct tw_bytes socket;
    size_t n = 0;

    (void)state;
    make_names(&s);
    for (int i = 0; i < 17; i++)
        n += (size_t)snprintf(s.list + n, sizeof(s.list) - n, "%s@t%d-%d", i ? "," : "", getpid(),
                              i);
    assert_int_equal(start(&s, &socket), TW_E_LIMIT);
    end(&s);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        tw_unit_test(every_socket_of_the_lists_offers_its_ports),
        tw_unit_test(tcp_producers_emulate_memory),
        tw_unit_test(no_relay_is_served_on_a_unix_socket),
        tw_unit_test(the_name_at_fault_is_told),
        tw_unit_test(lists_are_bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
