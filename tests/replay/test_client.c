/* SPDX-License-Identifier: Apache-2.0 */
/* The service side of every recorded connection into the client's session, after the calls that
 * the recorded client made: the same events come out however the bytes are cut. */
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "frame/client_session.h"
#include "tests/replay/streams.h"

struct replay {
    const struct session *session;
    struct tw_frame *requests; /* of the recorded client, the bind first */
    size_t n_requests;
    struct tw_frame *replies; /* of the recorded service, the bind reply first */
    bool *has_fd;             /* with each reply */
    struct tw_client client;
    size_t sent, seen; /* of this run: requests and replies */
};

static void expect_fds(struct replay *replay)
{
    const struct stream *stream = &replay->session->service;
    struct tw_bytes left = tw_buf_bytes(&stream->bytes), payload;

    replay->has_fd = calloc(stream->n_frames + 1, sizeof(*replay->has_fd));
    assert_non_null(replay->has_fd);
    for (size_t i = 0; !tw_frame_split(left, &payload); i++) {
        for (size_t j = 0; j < stream->n_fds; j++)
            if (stream->fds[j].frame == stream->bytes.n - left.n)
                replay->has_fd[i] = true;
        left.p = payload.p + payload.n;
        left.n -= TW_FRAME_HEADER + payload.n;
    }
}

/* What the client wants to send next must be what the recorded one sent. */
static void check_sent(struct replay *replay)
{
    struct tw_bytes bytes, payload;
    int fd;

    while (!tw_tx_peek(&replay->client.tx, &bytes, &fd)) {
        const struct tw_frame *want = &replay->requests[replay->sent];
        struct tw_frame got;

        assert_int_equal(tw_frame_split(bytes, &payload), 0);
        assert_int_equal(tw_frame_decode(payload, &got, NULL), 0);
        assert_true(replay->sent < replay->n_requests);
        assert_int_equal(got.kind, want->kind);
        assert_true(got.request_id == want->request_id);
        if (got.kind == TW_FRAME_INVOKE) {
            assert_int_equal(got.invoke.service_id, want->invoke.service_id);
            assert_int_equal(got.invoke.method_id, want->invoke.method_id);
            assert_int_equal(got.invoke.drop_reply, want->invoke.drop_reply);
            assert_int_equal(got.invoke.args.n, want->invoke.args.n);
            if (got.invoke.args.n)
                assert_memory_equal(got.invoke.args.p, want->invoke.args.p, got.invoke.args.n);
        }
        replay->sent++;
        tw_tx_sent(&replay->client.tx, TW_FRAME_HEADER + payload.n);
    }
}

/* Our number of a method that the recorded service gave this id. */
static uint32_t our_method(const struct tw_client *client, uint32_t id)
{
    uint32_t method = 1;

    while (method <= client->port->n_methods && client->method_id[method] != id)
        method++;
    assert_true(method <= client->port->n_methods);
    return method;
}

/* Makes all calls of the recorded client, in its order. */
static void make_calls(struct replay *replay)
{
    for (size_t i = 1; i < replay->n_requests; i++) {
        const struct tw_frame *request = &replay->requests[i];
        uint32_t method = our_method(&replay->client, request->invoke.method_id);
        uint64_t id = 0;

        assert_int_equal(request->kind, TW_FRAME_INVOKE);
        assert_int_equal(tw_client_call(&replay->client, method, request->invoke.args,
                                        request->invoke.drop_reply, -1, replay, &id),
                         0);
        assert_true(id == request->request_id);
        check_sent(replay);
    }
}

static void check_event(struct replay *replay, const struct tw_client_event_out *event)
{
    const struct tw_frame *want = &replay->replies[replay->seen];
    int fd = tw_rx_take_fd(&replay->client.rx);

    assert_true(replay->seen < replay->session->service.n_frames);
    assert_true(event->request_id == want->request_id);
    assert_int_equal(fd >= 0, replay->has_fd[replay->seen]);
    tw_fd_close(&fd);
    replay->seen++;
    if (want->kind == TW_FRAME_BIND_REPLY) {
        assert_int_equal(event->kind, TW_CLIENT_BOUND);
        make_calls(replay);
        return;
    }
    assert_int_equal(event->kind, TW_CLIENT_REPLY);
    assert_ptr_equal(event->user, replay);
    assert_int_equal(event->success, want->invoke_reply.success);
    assert_int_equal(event->has_more, want->invoke_reply.has_more);
    assert_int_equal(event->reply.n, want->invoke_reply.reply.n);
    if (event->reply.n)
        assert_memory_equal(event->reply.p, want->invoke_reply.reply.p, event->reply.n);
}

static void replay_space(void *user, uint8_t **ret_p, size_t *ret_n)
{
    struct replay *replay = user;

    tw_rx_space(&replay->client.rx, ret_p, ret_n);
}

static void replay_filled(void *user, size_t n, const int *fds, size_t n_fds)
{
    struct replay *replay = user;

    tw_rx_filled(&replay->client.rx, n, fds, n_fds);
}

static void replay_run(void *user)
{
    struct replay *replay = user;
    struct tw_client_event_out event;
    int rc;

    while (!(rc = tw_client_next(&replay->client, &event)))
        check_event(replay, &event);
    assert_int_equal(rc, TW_MORE);
    assert_null(replay->client.why);
}

/* Calls that the recording ends without an answer to. */
static size_t count_open(const struct replay *replay)
{
    size_t open = 0;

    for (size_t i = 1; i < replay->n_requests; i++)
        open += !replay->requests[i].invoke.drop_reply;
    for (size_t i = 1; i < replay->session->service.n_frames; i++)
        open -= !replay->replies[i].invoke_reply.has_more;
    return open;
}

static void replay_once(struct cut cut, void *user)
{
    struct replay *replay = user;
    const struct sink sink = {replay, replay_space, replay_filled, replay_run};
    const struct session *session = replay->session;
    struct tw_client_event_out event;
    size_t refused = 0;

    replay->sent = replay->seen = 0;
    assert_int_equal(
        tw_client_init(&replay->client, session->producer ? &tw_producer_port : &tw_consumer_port),
        0);
    assert_int_equal(tw_client_bind(&replay->client), 0);
    check_sent(replay);
    stream_feed(&session->service, cut, &sink);
    assert_int_equal(replay->sent, replay->n_requests);
    assert_int_equal(replay->seen, session->service.n_frames);
    tw_client_end(&replay->client, "the recording ends");
    for (; !tw_client_next(&replay->client, &event); refused++)
        assert_int_equal(event.kind, TW_CLIENT_REFUSED);
    assert_int_equal(refused, count_open(replay));
    tw_client_deinit(&replay->client);
}

static void every_recorded_service_is_understood(void **state)
{
    struct sessions sessions;
    size_t with_fd = 0, n_replayed = 0;

    (void)state;
    sessions_load(&sessions);
    for (size_t i = 0; i < sessions.n; i++) {
        struct replay replay = {.session = &sessions.list[i]};

        if (replay.session->client.n_frames == 0)
            continue; /* a producer that only looked whether the socket is there */
        n_replayed++;
        print_message("%s\n", replay.session->path);
        replay.requests = stream_decode(&replay.session->client);
        replay.n_requests = replay.session->client.n_frames;
        replay.replies = stream_decode(&replay.session->service);
        expect_fds(&replay);
        with_fd += replay.session->service.n_fds;
        stream_every_cut(&replay.session->service, replay_once, &replay);
        free(replay.requests);
        free(replay.replies);
        free(replay.has_fd);
    }
    assert_true(with_fd >= 9); /* the shared memory of each producer that brought none */
    assert_int_equal(n_replayed, 28);
    sessions_free(&sessions);
}

int main(void)
{
    const struct CMUnitTest tests[] = {tw_unit_test(every_recorded_service_is_understood)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
