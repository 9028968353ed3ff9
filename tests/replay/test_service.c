/* SPDX-License-Identifier: Apache-2.0 */
/* The client side of every recorded connection into the real service: it is served to the end, and
 * gets the same answers however its bytes are cut. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "frame/ports.h"
#include "tests/replay/streams.h"
#include "tracewire/frame.h"
#include "tracewire/service.h"

struct answer {
    enum tw_frame_kind kind;
    uint64_t id;
    bool success, has_more;
};

struct replay {
    const struct session *session;
    struct tw_service *service;
    struct tw_service_conn *conn;
    struct answer *answers; /* of this run */
    size_t n_answers, cap;
    struct answer *first; /* of the first run */
    size_t n_first;
};

/* Time stands still: answers must depend on the bytes alone. */
static uint64_t still(clockid_t id, void *user)
{
    (void)user;
    return (id == CLOCK_REALTIME ? 1700000000 : 1000) * TW_NS_PER_S;
}

static void keep_answer(struct replay *replay, const struct tw_frame *frame)
{
    struct answer *answer;

    assert_true(frame->kind == TW_FRAME_BIND_REPLY || frame->kind == TW_FRAME_INVOKE_REPLY);
    if (replay->n_answers == replay->cap) {
        replay->cap = replay->cap ? 2 * replay->cap : 64;
        replay->answers = reallocarray(replay->answers, replay->cap, sizeof(*answer));
        assert_non_null(replay->answers);
    }
    answer = &replay->answers[replay->n_answers++];
    *answer = (struct answer){.kind = frame->kind, .id = frame->request_id};
    if (frame->kind == TW_FRAME_BIND_REPLY) {
        answer->success = frame->bind_reply.success;
    } else {
        answer->success = frame->invoke_reply.success;
        answer->has_more = frame->invoke_reply.has_more;
    }
}

static void take_answers(struct replay *replay)
{
    struct tw_bytes bytes, payload;
    struct tw_frame frame;
    int fd;

    while (!tw_service_peek(replay->conn, &bytes, &fd)) {
        assert_int_equal(tw_frame_split(bytes, &payload), 0);
        assert_int_equal(tw_frame_decode(payload, &frame, NULL), 0);
        keep_answer(replay, &frame);
        tw_service_sent(replay->conn, TW_FRAME_HEADER + payload.n);
    }
}

static void replay_space(void *user, uint8_t **ret_p, size_t *ret_n)
{
    struct replay *replay = user;

    tw_service_space(replay->conn, ret_p, ret_n);
}

static void replay_filled(void *user, size_t n, const int *fds, size_t n_fds)
{
    struct replay *replay = user;

    tw_service_received(replay->conn, n, fds, n_fds);
}

static void replay_run(void *user)
{
    struct replay *replay = user;
    int rc;

    do {
        rc = tw_service_run(replay->conn);
        take_answers(replay);
    } while (rc == TW_MORE);
    if (rc)
        print_message("closed: %s\n", tw_service_why(replay->conn));
    assert_int_equal(rc, 0);
    assert_null(tw_service_why(replay->conn));
}

/* Time may pass once all is said: what the service puts off to its next turn happens now. */
static void settle(struct replay *replay)
{
    for (int i = 0;
         i < 10 && tw_service_next_tick_ns(replay->service) <= still(CLOCK_MONOTONIC, NULL); i++) {
        tw_service_tick(replay->service);
        replay_run(replay);
    }
}

/* The last answers to a request: none or one. */
static size_t count_last(const struct replay *replay, uint64_t id)
{
    size_t n = 0;

    for (size_t i = 0; i < replay->n_answers; i++)
        n += replay->answers[i].id == id && !replay->answers[i].has_more;
    return n;
}

/* Every request is answered as it asked to be; only those that wait for something that never
 * happens here, a trace's end or a command, may go without. */
static void check_answers(const struct replay *replay)
{
    struct tw_bytes left = tw_buf_bytes(&replay->session->client.bytes), payload;
    struct tw_frame frame;

    while (!tw_frame_split(left, &payload)) {
        size_t n;
        bool waits;

        assert_int_equal(tw_frame_decode(payload, &frame, NULL), 0);
        left.p = payload.p + payload.n;
        left.n -= TW_FRAME_HEADER + payload.n;
        n = count_last(replay, frame.request_id);
        if (frame.kind == TW_FRAME_BIND) {
            assert_int_equal(n, 1);
            continue;
        }
        waits = replay->session->producer
                    ? frame.invoke.method_id == TW_PRODUCER_GET_ASYNC_COMMAND
                    : frame.invoke.method_id == TW_CONSUMER_ENABLE_TRACING ||
                          frame.invoke.method_id == TW_CONSUMER_OBSERVE_EVENTS;
        assert_true(frame.invoke.drop_reply ? n == 0 : n == 1 || (n == 0 && waits));
    }
}

static void check_same_answers(const struct replay *replay)
{
    assert_int_equal(replay->n_answers, replay->n_first);
    for (size_t i = 0; i < replay->n_answers; i++) {
        const struct answer *a = &replay->answers[i], *b = &replay->first[i];

        assert_int_equal(a->kind, b->kind);
        assert_true(a->id == b->id);
        assert_int_equal(a->success, b->success);
        assert_int_equal(a->has_more, b->has_more);
    }
}

static void replay_once(struct cut cut, void *user)
{
    const struct tw_service_options options = {.clock_ns = still};
    struct replay *replay = user;
    const struct sink sink = {replay, replay_space, replay_filled, replay_run};
    const struct session *session = replay->session;

    replay->n_answers = 0;
    assert_int_equal(tw_service_new(&replay->service, &options), 0);
    assert_int_equal(
        tw_service_connect(replay->service,
                           session->producer ? TW_SERVICE_PRODUCER : TW_SERVICE_CONSUMER,
                           (struct tw_peer){.pid = 4000, .uid = 1000}, NULL, NULL, &replay->conn),
        0);
    stream_feed(&session->client, cut, &sink);
    settle(replay);
    if (replay->first) {
        check_same_answers(replay);
    } else {
        check_answers(replay);
        replay->n_first = replay->n_answers;
        replay->first = calloc(replay->n_first + 1, sizeof(*replay->first));
        assert_non_null(replay->first);
        memcpy(replay->first, replay->answers, replay->n_first * sizeof(*replay->first));
    }
    tw_service_disconnect(replay->conn);
    tw_service_free(replay->service);
}

static void every_recorded_client_is_served(void **state)
{
    struct sessions sessions;
    size_t n_replayed = 0;

    (void)state;
    sessions_load(&sessions);
    for (size_t i = 0; i < sessions.n; i++) {
        struct replay replay = {.session = &sessions.list[i]};

        if (replay.session->client.n_frames == 0)
            continue; /* a producer that only looked whether the socket is there */
        n_replayed++;
        print_message("%s\n", replay.session->path);
        stream_every_cut(&replay.session->client, replay_once, &replay);
        free(replay.answers);
        free(replay.first);
    }
    assert_int_equal(n_replayed, 28);
    sessions_free(&sessions);
}

int main(void)
{
    const struct CMUnitTest tests[] = {tw_unit_test(every_recorded_client_is_served)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
