/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/service/daemon_scene.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "frame/pump.h"
#include "producer_port.pb-c.h"
#include "service/core.h"
#include "tests/harness.h"

int daemon_start(struct daemon_scene *s, struct tw_daemon **ret_daemon, struct tw_bytes *ret_socket)
{
    struct tw_daemon_options options = {
        .producer_socket = s->producer,
        .consumer_socket = s->consumer,
        .access = {{0640, (gid_t)-1}, {0600, (gid_t)-1}},
        .service.patience_ms = s->patience_ms,
        .service.limits[TW_QUOTA_OUTPUT] = s->output,
        .stall_ms = s->stall_ms,
    };
    int rc = s->loop ? 0 : tw_loop_new(&s->loop);

    return rc ? rc : tw_daemon_new(s->loop, &options, ret_daemon, ret_socket);
}

void daemon_folder(struct daemon_scene *s)
{
    *s = (struct daemon_scene){0};
    snprintf(s->folder, sizeof(s->folder), "/tmp/tracewire-test-XXXXXX");
    assert_non_null(mkdtemp(s->folder));
    snprintf(s->producer, sizeof(s->producer), "%s/p", s->folder);
    snprintf(s->consumer, sizeof(s->consumer), "%s/c", s->folder);
}

void daemon_begin_with(struct daemon_scene *s, uint32_t stall_ms, uint32_t patience_ms)
{
    struct tw_bytes socket;

    daemon_folder(s);
    s->stall_ms = stall_ms;
    s->patience_ms = patience_ms;
    assert_int_equal(daemon_start(s, &s->daemon, &socket), 0);
}

void daemon_begin(struct daemon_scene *s, uint32_t stall_ms)
{
    daemon_begin_with(s, stall_ms, 0);
}

void daemon_end(struct daemon_scene *s)
{
    tw_daemon_free(s->daemon);
    tw_loop_free(s->loop);
    assert_int_equal(access(s->producer, F_OK), -1);
    assert_int_equal(access(s->consumer, F_OK), -1);
    assert_int_equal(rmdir(s->folder), 0);
}

int daemon_dial(const char *name)
{
    struct sockaddr_un addr;
    socklen_t len;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    assert_int_equal(tw_sock_address(name, &addr, &len), 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)&addr, len), 0);
    return fd;
}

void daemon_turn(struct daemon_scene *s)
{
    if (s->elsewhere)
        poll(NULL, 0, 1);
    else
        assert_int_equal(tw_loop_once(s->loop, 0), 0);
}

void client_join(struct client *peer, const char *name, const struct tw_port *port)
{
    peer->fd = daemon_dial(name);
    assert_int_equal(tw_client_init(&peer->client, port), 0);
    assert_int_equal(tw_client_bind(&peer->client), 0);
}

void client_leave(struct client *peer)
{
    tw_fd_close(&peer->fd);
    tw_client_deinit(&peer->client);
}

bool client_await(struct daemon_scene *s, struct client *peer, struct tw_client_event_out *event)
{
    for (int i = 0; i < DAEMON_ROUNDS; i++) {
        int rc = tw_client_next(&peer->client, event);

        if (rc != TW_MORE)
            return !rc;
        rc = tw_pump_out(peer->fd, &peer->client.tx);
        assert_true(!rc || rc == TW_MORE || rc == TW_E_CLOSED);
        daemon_turn(s);
        if (tw_pump_in(peer->fd, &peer->client.rx) == TW_E_CLOSED)
            tw_client_end(&peer->client, "closed");
    }
    fail();
    return false;
}

void client_call(struct client *peer, uint32_t method, const ProtobufCMessage *req, bool drop_reply)
{
    struct tw_buf buf = TW_BUF_INIT(TW_FRAME_PAYLOAD_MAX);

    if (req)
        assert_int_equal(tw_pbc_pack(req, &buf), 0);
    assert_int_equal(
        tw_client_call(&peer->client, method, tw_buf_bytes(&buf), drop_reply, -1, NULL, NULL), 0);
    tw_buf_deinit(&buf);
}

void client_bound(struct daemon_scene *s, struct client *peer)
{
    struct tw_client_event_out event;

    assert_true(client_await(s, peer, &event));
    assert_int_equal(event.kind, TW_CLIENT_BOUND);
}

void client_producer(struct daemon_scene *s, struct client *peer)
{
    Tw__InitializeConnectionRequest hello = TW__INITIALIZE_CONNECTION_REQUEST__INIT;
    struct tw_client_event_out event;

    client_join(peer, s->producer, &tw_producer_port);
    client_bound(s, peer);
    client_call(peer, TW_PRODUCER_INITIALIZE_CONNECTION, &hello.base, false);
    assert_true(client_await(s, peer, &event));
    assert_true(event.success);
}
