/* SPDX-License-Identifier: Apache-2.0 */
/* The service side of every recorded consumer connection into our consumer, which makes the calls
 * that the recorded one made: each ends as it did then, and the packets are those of the trace that
 * the recorded consumer wrote, however the bytes are cut. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <zlib.h>

#include "base/fd.h"
#include "frame/ports.h"
#include "tests/replay/streams.h"
#include "tracewire/consumer.h"
#include "tracewire/frame.h"
#include "wire/reader.h"
#include "wire/writer.h"

enum { CALLS_MAX = 64, PIECE_MAX = 4096, KEY_MAX = 64 };
enum { TRACE_MAX = 8 * 1024 * 1024, HEAD_MAX = 16 /* bytes of a packet's tag and size */ };

struct call {
    struct replay *replay;
    bool reads;
    size_t times;
    int result;
};

struct replay {
    const struct session *session;
    struct tw_frame *requests; /* of the recorded client, the bind first */
    struct tw_consumer *consumer;
    int host;
    uint8_t piece[PIECE_MAX];
    struct call calls[CALLS_MAX]; /* by request id */
    struct tw_buf trace;          /* the packets that were read */
    size_t n_packets;
};

/* ---- the calls ---- */

static void on_done(void *user, int result)
{
    struct call *call = user;

    call->times++;
    call->result = result;
}

static void on_reply(void *user, int result, struct tw_bytes body, bool more)
{
    (void)body;
    if (!more)
        on_done(user, result);
}

static void on_ended(void *user, int result, struct tw_bytes error)
{
    assert_true(result || error.n == 0); /* no recorded session failed */
    on_done(user, result);
}

static void on_packet(void *user, struct tw_bytes packet)
{
    struct replay *replay = ((struct call *)user)->replay;
    uint8_t head[HEAD_MAX];
    struct tw_writer w = tw_writer_of(head, sizeof(head));

    tw_put_varint(&w, 1 << 3 | 2);
    tw_put_varint(&w, packet.n);
    assert_int_equal(tw_buf_append(&replay->trace, head, tw_writer_size(&w)), 0);
    if (packet.n)
        assert_int_equal(tw_buf_append(&replay->trace, packet.p, packet.n), 0);
    replay->n_packets++;
}

/* The first field of the arguments, whatever it is. */
static struct tw_field first_field(struct tw_bytes args)
{
    struct tw_reader r = tw_reader_of(args);
    struct tw_field f = {0};

    if (args.n)
        assert_int_equal(tw_read_field(&r, &f), 0);
    return f;
}

static int call_with_key(struct tw_consumer *c, uint32_t method, struct tw_bytes key,
                         struct call *call)
{
    char text[KEY_MAX] = {0};

    assert_true(key.n < sizeof(text));
    memcpy(text, key.p, key.n);
    if (method == TW_CONSUMER_DETACH)
        return tw_consumer_detach(c, text, on_done, call);
    return tw_consumer_attach(c, text, on_reply, call);
}

/* What the recorded consumer called, by our name for it. */
static int make_call(struct tw_consumer *c, uint32_t method, struct tw_bytes args,
                     struct call *call)
{
    struct tw_clone_args clone = {.unique_session_name = "a"};
    struct tw_field first = first_field(args);

    switch (method) {
    case TW_CONSUMER_ENABLE_TRACING:
        if (first.number != 1)
            return tw_consumer_await_end(c, on_ended, call);
        return tw_consumer_enable_tracing(c, first.bytes, -1, on_ended, call);
    case TW_CONSUMER_START_TRACING:
        return tw_consumer_start_tracing(c, on_done, call);
    case TW_CONSUMER_DISABLE_TRACING:
        return tw_consumer_disable_tracing(c, on_done, call);
    case TW_CONSUMER_READ_BUFFERS:
        call->reads = true;
        return tw_consumer_read_buffers(c, on_packet, on_done, call);
    case TW_CONSUMER_FREE_BUFFERS:
        return tw_consumer_free_buffers(c, on_done, call);
    case TW_CONSUMER_FLUSH:
        return tw_consumer_flush(c, 1000, 0, on_done, call);
    case TW_CONSUMER_DETACH:
    case TW_CONSUMER_ATTACH:
        return call_with_key(c, method, first.bytes, call);
    case TW_CONSUMER_QUERY_SERVICE_STATE:
        return tw_consumer_query_service_state(c, false, on_reply, call);
    case TW_CONSUMER_QUERY_CAPABILITIES:
        return tw_consumer_query_capabilities(c, on_reply, call);
    case TW_CONSUMER_OBSERVE_EVENTS:
        return tw_consumer_observe_events(c, 2, on_reply, call);
    case TW_CONSUMER_CLONE_SESSION:
        return tw_consumer_clone_session(c, &clone, -1, on_reply, call);
    case TW_CONSUMER_GET_TRACE_STATS:
        return tw_consumer_get_trace_stats(c, on_reply, call);
    default:
        return TW_E_NOT_FOUND;
    }
}

/* The number of a method in the recorded service's bind reply, by its name. */
static uint32_t method_of(const struct session *session, uint32_t id)
{
    struct tw_bytes payload;
    struct tw_frame frame;
    struct tw_method_info info;

    assert_int_equal(tw_frame_split(tw_buf_bytes(&session->service.bytes), &payload), 0);
    assert_int_equal(tw_frame_decode(payload, &frame, NULL), 0);
    assert_int_equal(frame.kind, TW_FRAME_BIND_REPLY);
    while (tw_frame_next_method(&frame.bind_reply.methods, &info) == 0) {
        for (uint32_t m = 1; info.id == id && m <= tw_consumer_port.n_methods; m++)
            if (strlen(tw_consumer_port.method[m].name) == info.name.n &&
                memcmp(tw_consumer_port.method[m].name, info.name.p, info.name.n) == 0)
                return m;
    }
    fail_msg("the recorded service has no method %u", id);
    return 0;
}

/* All that the recorded consumer called, in its order: so the numbers of requests are its, too. */
static void on_bound(void *user, int result)
{
    struct replay *replay = user;

    assert_int_equal(result, 0);
    for (size_t i = 1; i < replay->session->client.n_frames; i++) {
        const struct tw_frame *request = &replay->requests[i];
        uint32_t method = method_of(replay->session, request->invoke.method_id);
        struct call *call = &replay->calls[request->request_id];

        assert_true(request->request_id < CALLS_MAX);
        call->replay = replay;
        assert_int_equal(make_call(replay->consumer, method, request->invoke.args, call), 0);
    }
}

/* ---- the bytes ---- */

static void replay_space(void *user, uint8_t **ret_p, size_t *ret_n)
{
    struct replay *replay = user;

    *ret_p = replay->piece;
    *ret_n = sizeof(replay->piece);
}

static void replay_filled(void *user, size_t n, const int *fds, size_t n_fds)
{
    struct replay *replay = user;

    (void)fds;
    assert_int_equal(n_fds, 0); /* a consumer is handed none */
    assert_int_equal(send(replay->host, replay->piece, n, MSG_NOSIGNAL), n);
}

static void replay_run(void *user)
{
    struct replay *replay = user;

    assert_int_equal(tw_consumer_dispatch(replay->consumer), 0);
}

/* ---- what came of it ---- */

/* Each call ended once, as the recorded one, and those that the recording leaves open have not. */
static void check_ends(const struct replay *replay)
{
    struct tw_bytes left = tw_buf_bytes(&replay->session->service.bytes), payload;
    size_t expected = 0, ended = 0;
    struct tw_frame frame;

    while (!tw_frame_split(left, &payload)) {
        assert_int_equal(tw_frame_decode(payload, &frame, NULL), 0);
        left.p = payload.p + payload.n;
        left.n -= TW_FRAME_HEADER + payload.n;
        if (frame.kind != TW_FRAME_INVOKE_REPLY || frame.invoke_reply.has_more)
            continue;
        expected++;
        assert_int_equal(replay->calls[frame.request_id].times, 1);
        assert_int_equal(replay->calls[frame.request_id].result,
                         frame.invoke_reply.success ? 0 : TW_E_REFUSED);
    }
    for (size_t i = 0; i < CALLS_MAX; i++)
        ended += replay->calls[i].times;
    assert_int_equal(ended, expected);
}

/* Whether the file beside the recording holds just these packets. */
static bool is_trace(const struct replay *replay, const char *name)
{
    static uint8_t want[TRACE_MAX];
    char path[256];
    gzFile file;
    int n;

    snprintf(path, sizeof(path), "%.*s/%s",
             (int)(strrchr(replay->session->path, '/') - replay->session->path),
             replay->session->path, name);
    file = gzopen(path, "rb");
    if (!file)
        return false;
    n = gzread(file, want, sizeof(want));
    gzclose(file);
    return n >= 0 && (size_t)n == replay->trace.n && memcmp(want, replay->trace.p, (size_t)n) == 0;
}

static void replay_once(struct cut cut, void *user)
{
    struct replay *replay = user;
    const struct sink sink = {replay, replay_space, replay_filled, replay_run};
    int pair[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    replay->host = pair[1];
    replay->n_packets = 0;
    replay->trace = TW_BUF_INIT(TRACE_MAX);
    memset(replay->calls, 0, sizeof(replay->calls));
    assert_int_equal(tw_consumer_new(pair[0], on_bound, replay, &replay->consumer), 0);
    stream_feed(&replay->session->service, cut, &sink);
    check_ends(replay);
    if (replay->n_packets)
        assert_true(is_trace(replay, "result.pftrace.gz") || is_trace(replay, "source.pftrace.gz"));
    tw_consumer_free(replay->consumer);
    tw_fd_close(&replay->host);
    tw_buf_deinit(&replay->trace);
}

static void every_recorded_consumer_gets_its_trace(void **state)
{
    static const struct cut cuts[] = {
        {.how = CUT_AS_RECORDED}, {.how = CUT_COMB, .at = 5, .tooth = 1021}, {.how = CUT_BYTES}};
    struct sessions sessions;
    size_t n_replayed = 0, n_traces = 0;

    (void)state;
    sessions_load(&sessions);
    for (size_t i = 0; i < sessions.n; i++) {
        struct replay replay = {.session = &sessions.list[i]};
        bool is_long = replay.session->service.bytes.n > 16 * 1024;

        if (replay.session->producer)
            continue;
        print_message("%s\n", replay.session->path);
        replay.requests = stream_decode(&replay.session->client);
        for (size_t k = 0; k < sizeof(cuts) / sizeof(cuts[0]) - is_long; k++)
            replay_once(cuts[k], &replay);
        n_traces += replay.n_packets > 0;
        n_replayed++;
        free(replay.requests);
    }
    assert_int_equal(n_replayed, 15);
    assert_int_equal(n_traces, 9);
    sessions_free(&sessions);
}

int main(void)
{
    const struct CMUnitTest tests[] = {tw_unit_test(every_recorded_consumer_gets_its_trace)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
