/* SPDX-License-Identifier: Apache-2.0 */
/* The client side of every recorded connection into the host's session: the same calls come out
 * however the bytes are cut. */
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "frame/host_session.h"
#include "tests/replay/streams.h"

struct expected_call {
    struct tw_host_call call;
    bool has_fd;
};

struct replay {
    const struct session *session;
    struct expected_call *calls; /* what the stream holds, from decoding it frame by frame */
    size_t n_calls, n_binds;
    struct tw_host host;
    size_t seen, replies; /* of this run */
};

static void expect_calls(struct replay *replay)
{
    const struct stream *stream = &replay->session->client;
    struct tw_bytes left = tw_buf_bytes(&stream->bytes), payload;

    replay->calls = calloc(stream->n_frames + 1, sizeof(*replay->calls));
    assert_non_null(replay->calls);
    while (!tw_frame_split(left, &payload)) {
        size_t at = stream->bytes.n - left.n;
        struct tw_frame frame;

        assert_int_equal(tw_frame_decode(payload, &frame, NULL), 0);
        left.p = payload.p + payload.n;
        left.n -= TW_FRAME_HEADER + payload.n;
        if (frame.kind == TW_FRAME_BIND) {
            replay->n_binds++;
            continue;
        }
        assert_int_equal(frame.kind, TW_FRAME_INVOKE);
        replay->calls[replay->n_calls].call = (struct tw_host_call){
            .request_id = frame.request_id,
            .method = frame.invoke.method_id,
            .drop_reply = frame.invoke.drop_reply,
            .args = frame.invoke.args,
        };
        for (size_t i = 0; i < stream->n_fds; i++)
            if (stream->fds[i].frame == at)
                replay->calls[replay->n_calls].has_fd = true;
        replay->n_calls++;
    }
}

static void check_call(struct replay *replay, const struct tw_host_call *call)
{
    const struct expected_call *want = &replay->calls[replay->seen];
    int fd = tw_rx_take_fd(&replay->host.rx);

    assert_true(replay->seen < replay->n_calls);
    assert_true(call->request_id == want->call.request_id);
    assert_int_equal(call->method, want->call.method);
    assert_int_equal(call->drop_reply, want->call.drop_reply);
    assert_int_equal(call->args.n, want->call.args.n);
    if (call->args.n)
        assert_memory_equal(call->args.p, want->call.args.p, call->args.n);
    assert_int_equal(fd >= 0, want->has_fd);
    tw_fd_close(&fd);
    replay->seen++;
}

/* All calls but the one that stays open for commands are answered at once. */
static void answer(struct replay *replay, const struct tw_host_call *call)
{
    const struct tw_bytes empty = {0};

    if (call->drop_reply ||
        (replay->session->producer && call->method == TW_PRODUCER_GET_ASYNC_COMMAND))
        return;
    assert_int_equal(tw_host_reply(&replay->host, call->request_id, &empty, false, -1), 0);
    replay->replies++;
}

static void replay_space(void *user, uint8_t **ret_p, size_t *ret_n)
{
    struct replay *replay = user;

    tw_rx_space(&replay->host.rx, ret_p, ret_n);
}

static void replay_filled(void *user, size_t n, const int *fds, size_t n_fds)
{
    struct replay *replay = user;

    tw_rx_filled(&replay->host.rx, n, fds, n_fds);
}

static void replay_run(void *user)
{
    struct replay *replay = user;
    struct tw_host_call call;
    int rc;

    while (!(rc = tw_host_next(&replay->host, &call))) {
        check_call(replay, &call);
        answer(replay, &call);
    }
    assert_int_equal(rc, TW_MORE);
    assert_null(replay->host.why);
    if (tw_tx_queued(&replay->host.tx))
        tw_tx_sent(&replay->host.tx, tw_tx_queued(&replay->host.tx));
}

static void replay_once(struct cut cut, void *user)
{
    struct replay *replay = user;
    const struct sink sink = {replay, replay_space, replay_filled, replay_run};
    const struct session *session = replay->session;

    replay->seen = replay->replies = 0;
    assert_int_equal(
        tw_host_init(&replay->host, session->producer ? &tw_producer_port : &tw_consumer_port), 0);
    stream_feed(&session->client, cut, &sink);
    assert_int_equal(replay->seen, replay->n_calls);
    assert_int_equal(replay->host.state, TW_HOST_STATE_BOUND);
    assert_int_equal(replay->host.rx.n_fds, 0);
    assert_int_equal(tw_rxbuf_pending(&replay->host.rx.buf).n, replay->host.rx.current);
    tw_host_deinit(&replay->host);
}

static void every_recorded_client_is_understood(void **state)
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
        expect_calls(&replay);
        assert_int_equal(replay.n_binds, 1);
        assert_int_equal(replay.n_binds + replay.n_calls, replay.session->client.n_frames);
        for (size_t j = 0; j < replay.n_calls; j++)
            with_fd += replay.calls[j].has_fd;
        stream_every_cut(&replay.session->client, replay_once, &replay);
        free(replay.calls);
    }
    assert_int_equal(with_fd, 4); /* of attach, clone, startup and wif */
    assert_int_equal(n_replayed, 28);
    sessions_free(&sessions);
}

int main(void)
{
    const struct CMUnitTest tests[] = {tw_unit_test(every_recorded_client_is_understood)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
