/* SPDX-License-Identifier: Apache-2.0 */
/* The service side of every recorded producer connection into our producer, which offers what the
 * recorded one offered: it does what it is told, and says so, however the bytes are cut. */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "frame/ports.h"
#include "frame/pump.h"
#include "smb/shm.h"
#include "tests/replay/streams.h"
#include "tracewire/producer.h"
#include "wire/reader.h"

enum { PIECE_MAX = 4096, NAME_MAX_BYTES = 64, SHM_SIZE = 256 * 1024, IDLE_TURNS = 10 };

/* Members of GetAsyncCommandResponse. */
enum { CMD_START = 1, CMD_STOP = 2, CMD_FLUSH = 5, CMD_SETUP = 6, CMD_MAX = 8 };

struct replay {
    const struct session *session;
    struct tw_frame *requests; /* of the recorded client, the bind first */
    struct tw_producer *producer;
    int host;
    struct tw_rx rx;
    uint8_t piece[PIECE_MAX];
    struct tw_trace_writer *writer;
    size_t called[TW_PRODUCER_METHOD_MAX];
    uint64_t flush_done;
    /* What the recorded service wants. */
    uint64_t commands[CMD_MAX], last_flush;
};

/* ---- the program ---- */

static void on_start(void *user, struct tw_instance *instance)
{
    struct replay *replay = user;

    tw_writer_free(replay->writer);
    assert_int_equal(tw_writer_new(&replay->writer, instance, TW_EXHAUSTED_DROP), 0);
    tw_writer_begin(replay->writer);
    assert_int_equal(tw_writer_end(replay->writer), 0);
}

static void on_flush(void *user, struct tw_instance *instance)
{
    struct replay *replay = user;

    (void)instance;
    tw_writer_flush(replay->writer);
}

static void on_stop(void *user, struct tw_instance *instance)
{
    on_flush(user, instance);
    tw_instance_done(instance);
}

/* The first field of this number, of bytes. */
static struct tw_bytes bytes_of(struct tw_bytes message, uint32_t number)
{
    struct tw_reader r = tw_reader_of(message);
    struct tw_field f;

    while (tw_read_field(&r, &f) == 0)
        if (f.number == number && f.type == TW_WIRE_LEN)
            return f.bytes;
    return (struct tw_bytes){0};
}

/* Every data source that the recorded producer registered. */
static void offer_all(struct replay *replay)
{
    for (size_t i = 1; i < replay->session->client.n_frames; i++) {
        const struct tw_frame_invoke *call = &replay->requests[i].invoke;
        char text[NAME_MAX_BYTES] = {0};
        struct tw_data_source_config config = {
            .name = text,
            .ops = {.start = on_start, .stop = on_stop, .flush = on_flush},
            .user = replay};
        struct tw_bytes name;

        if (call->method_id != TW_PRODUCER_REGISTER_DATA_SOURCE)
            continue;
        name = bytes_of(bytes_of(call->args, 1), 1);
        assert_in_range(name.n, 1, sizeof(text) - 1);
        memcpy(text, name.p, name.n);
        assert_int_equal(tw_producer_register(replay->producer, &config), 0);
    }
}

/* One that handed over memory of its own had traced before it was connected. */
static void begin_early(struct replay *replay)
{
    const struct tw_startup_config config = {.name = "track_event"};

    if (replay->session->client.n_fds)
        assert_int_equal(tw_producer_startup(replay->producer, &config), 0);
}

/* ---- the bytes ---- */

static void replay_space(void *user, uint8_t **ret_p, size_t *ret_n)
{
    struct replay *replay = user;

    *ret_p = replay->piece;
    *ret_n = sizeof(replay->piece);
}

/* With memory for whatever descriptor was recorded. */
static void send_with_memory(struct replay *replay, size_t n)
{
    union {
        struct cmsghdr head;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control = {.head = {.cmsg_level = SOL_SOCKET,
                          .cmsg_type = SCM_RIGHTS,
                          .cmsg_len = CMSG_LEN(sizeof(int))}};
    struct iovec iov = {replay->piece, n};
    struct msghdr msg = {.msg_iov = &iov,
                         .msg_iovlen = 1,
                         .msg_control = &control,
                         .msg_controllen = sizeof(control)};
    struct tw_shm shm;

    assert_int_equal(tw_shm_create(&shm, SHM_SIZE), 0);
    memcpy(CMSG_DATA(&control.head), &shm.fd, sizeof(shm.fd));
    assert_int_equal(sendmsg(replay->host, &msg, MSG_NOSIGNAL), n);
    tw_shm_deinit(&shm);
}

static void replay_filled(void *user, size_t n, const int *fds, size_t n_fds)
{
    struct replay *replay = user;

    if (n_fds)
        send_with_memory(replay, n);
    else
        assert_int_equal(send(replay->host, replay->piece, n, MSG_NOSIGNAL), n);
    for (size_t i = 0; i < n_fds; i++)
        close(fds[i]);
}

static void see_call(struct replay *replay, const struct tw_frame_invoke *call)
{
    struct tw_reader r = tw_reader_of(call->args);
    struct tw_field f;

    assert_in_range(call->method_id, 1, TW_PRODUCER_METHOD_MAX - 1);
    replay->called[call->method_id]++;
    while (call->method_id == TW_PRODUCER_COMMIT_DATA && tw_read_field(&r, &f) == 0)
        if (f.number == 3)
            replay->flush_done = f.value;
}

static void replay_run(void *user)
{
    struct replay *replay = user;
    struct tw_bytes payload;
    struct tw_frame frame;

    assert_int_equal(tw_producer_dispatch(replay->producer, 0), 0);
    assert_in_range(tw_pump_in(replay->host, &replay->rx), 0, TW_MORE);
    while (tw_rx_next(&replay->rx, &payload) == 0) {
        assert_int_equal(tw_frame_decode(payload, &frame, NULL), 0);
        if (frame.kind == TW_FRAME_INVOKE)
            see_call(replay, &frame.invoke);
    }
}

/* ---- what came of it ---- */

static void read_command(struct replay *replay, struct tw_bytes reply)
{
    struct tw_reader r = tw_reader_of(reply), args;
    struct tw_field f, arg;

    while (tw_read_field(&r, &f) == 0) {
        assert_in_range(f.number, 1, CMD_MAX - 1);
        replay->commands[f.number]++;
        args = tw_reader_of(f.bytes);
        while (f.number == CMD_FLUSH && tw_read_field(&args, &arg) == 0)
            if (arg.number == 2)
                replay->last_flush = arg.value;
    }
}

/* All that the recorded service wanted. */
static void read_commands(struct replay *replay, const struct tw_frame *replies)
{
    for (size_t i = 1; i < replay->session->service.n_frames; i++)
        if (replies[i].invoke_reply.has_more) /* which only the commands have */
            read_command(replay, replies[i].invoke_reply.reply);
}

static void check_done(const struct replay *replay)
{
    struct tw_producer_stats stats;

    tw_producer_stats(replay->producer, &stats);
    assert_int_equal(stats.bad_commands, 0);
    assert_int_equal(stats.setups, replay->commands[CMD_SETUP]);
    assert_int_equal(stats.starts, replay->commands[CMD_START]);
    assert_int_equal(stats.stops, replay->commands[CMD_STOP]);
    assert_int_equal(stats.flushes, replay->commands[CMD_FLUSH]);
    assert_int_equal(replay->called[TW_PRODUCER_NOTIFY_DATA_SOURCE_STARTED], stats.starts);
    assert_int_equal(replay->called[TW_PRODUCER_NOTIFY_DATA_SOURCE_STOPPED], stats.stops);
    assert_int_equal(replay->flush_done, replay->last_flush);
    assert_true(replay->called[TW_PRODUCER_COMMIT_DATA] > 0 || stats.starts == 0);
}

static void replay_once(struct cut cut, void *user)
{
    struct replay *replay = user;
    const struct sink sink = {replay, replay_space, replay_filled, replay_run};
    struct tw_producer_config config = {.name = "replay"};
    int pair[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
    replay->host = pair[1];
    config.fd = &pair[0];
    memset(replay->called, 0, sizeof(replay->called));
    replay->flush_done = 0;
    assert_int_equal(tw_rx_init(&replay->rx), 0);
    assert_int_equal(tw_producer_open(&replay->producer, &config), 0);
    offer_all(replay);
    begin_early(replay);
    replay_run(replay);
    stream_feed(&replay->session->service, cut, &sink);
    for (int i = 0; i < IDLE_TURNS; i++)
        replay_run(replay);
    check_done(replay);
    tw_writer_free(replay->writer);
    replay->writer = NULL;
    tw_producer_close(replay->producer);
    tw_rx_deinit(&replay->rx);
    tw_fd_close(&replay->host);
}

static void every_recorded_service_gets_what_it_wants(void **state)
{
    static const struct cut cuts[] = {
        {.how = CUT_AS_RECORDED}, {.how = CUT_COMB, .at = 5, .tooth = 13}, {.how = CUT_BYTES}};
    struct sessions sessions;
    size_t n_replayed = 0;

    (void)state;
    sessions_load(&sessions);
    for (size_t i = 0; i < sessions.n; i++) {
        struct replay replay = {.session = &sessions.list[i]};
        struct tw_frame *replies;

        if (!replay.session->producer || replay.session->client.n_frames == 0)
            continue;
        print_message("%s\n", replay.session->path);
        replay.requests = stream_decode(&replay.session->client);
        replies = stream_decode(&replay.session->service);
        read_commands(&replay, replies);
        for (size_t k = 0; k < sizeof(cuts) / sizeof(cuts[0]); k++)
            replay_once(cuts[k], &replay);
        n_replayed++;
        free(replay.requests);
        free(replies);
    }
    assert_int_equal(n_replayed, 13);
    sessions_free(&sessions);
}

int main(void)
{
    const struct CMUnitTest tests[] = {tw_unit_test(every_recorded_service_gets_what_it_wants)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
