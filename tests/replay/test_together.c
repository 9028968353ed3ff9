/* SPDX-License-Identifier: Apache-2.0 */
/* All recorded clients of one session against one service, in the order and at the pace of the
 * recording: none is closed, and each request that ended well with upstream's service ends well
 * with ours. */
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/macros.h"
#include "frame/ports.h"
#include "tests/harness.h"
#include "tool/recording.h"
#include "tracewire/frame.h"
#include "tracewire/service.h"

enum { CONNS_MAX = 8, STEPS_MAX = 4096, IDS_MAX = 512, FDS_MAX = 8 };

/* Longer than any of the service's own time limits. The clients stay for so long after their last
 * words: they acknowledge when upstream's service asked them to, and where ours asks at another
 * moment only its time limit brings it on. */
#define WAIT_NS (30 * TW_NS_PER_S)

/* What became of a request. */
enum fate { FATE_OPEN, FATE_GOOD, FATE_REFUSED };

struct outcome {
    enum fate fate;
    size_t n; /* bytes of all answers */
};

struct step {
    uint64_t at_ns;
    size_t order, conn;
    uint8_t *p;
    size_t n, n_fds;
};

struct conn {
    bool producer;
    char *path;
    struct tw_service_conn *conn; /* NULL before its first bytes */
    struct tw_buf replies;        /* of the recorded service, while loading */
    uint32_t method[IDS_MAX];     /* by request id; 0 for a bind or none */
    struct outcome theirs[IDS_MAX], ours[IDS_MAX];
};

struct show {
    struct tw_service *service;
    uint64_t now_ns;
    struct conn conns[CONNS_MAX];
    size_t n_conns;
    struct step steps[STEPS_MAX];
    size_t n_steps;
};

static uint64_t clock_of(clockid_t id, void *user)
{
    const struct show *show = user;

    return show->now_ns + (id == CLOCK_REALTIME ? 1700000000 : 1000) * TW_NS_PER_S;
}

static void note_reply(struct outcome outcomes[IDS_MAX], const struct tw_frame *frame)
{
    struct outcome *o;

    assert_true(frame->request_id < IDS_MAX);
    o = &outcomes[frame->request_id];
    assert_int_equal(o->fate, FATE_OPEN); /* nothing follows the last */
    if (frame->kind == TW_FRAME_BIND_REPLY) {
        o->fate = frame->bind_reply.success ? FATE_GOOD : FATE_REFUSED;
        return;
    }
    assert_int_equal(frame->kind, TW_FRAME_INVOKE_REPLY);
    o->n += frame->invoke_reply.reply.n;
    if (!frame->invoke_reply.has_more)
        o->fate = frame->invoke_reply.success ? FATE_GOOD : FATE_REFUSED;
}

static struct step *new_step(struct show *show, double t)
{
    struct step *step = &show->steps[show->n_steps];

    assert_true(show->n_steps < STEPS_MAX);
    *step = (struct step){.at_ns = (uint64_t)(t * 1e9), .order = show->n_steps++};
    return step;
}

/* The clock of one recording is behind those beside it: what its producer is asked is there 9.9 to
 * 10.1 ms before the calls of consumers that ask for it, and their replies come 10.6 to 10.9 ms
 * after what it answers. */
static uint64_t clock_is_behind_ns(const char *path)
{
    return strstr(path, "/clone/producer.") ? UINT64_C(10350000) : 0;
}

static void load_event(struct show *show, size_t c, const struct tw_recording_event *event)
{
    struct tw_buf *replies = &show->conns[c].replies;
    struct step *step;

    if (event->kind != TW_RECORDING_BYTES)
        return;
    if (event->dir == TW_RECORDING_FROM_SERVICE) {
        assert_int_equal(tw_buf_append(replies, event->bytes.p, event->bytes.n), 0);
        return;
    }
    step = new_step(show, event->t);
    step->at_ns += clock_is_behind_ns(show->conns[c].path);
    step->conn = c;
    step->p = malloc(event->bytes.n);
    assert_non_null(step->p);
    memcpy(step->p, event->bytes.p, event->bytes.n);
    step->n = event->bytes.n;
    step->n_fds = event->n_fds;
}

static void load_conn(struct show *show, const char *path)
{
    struct conn *conn = &show->conns[show->n_conns];
    struct tw_recording *recording;
    struct tw_recording_event event;
    struct tw_bytes left, payload;
    struct tw_frame frame;
    int rc;

    assert_true(show->n_conns < CONNS_MAX);
    conn->producer = strstr(path, "/producer.");
    conn->path = strdup(path);
    assert_non_null(conn->path);
    conn->replies = TW_BUF_INIT((size_t)64 * 1024 * 1024);
    assert_int_equal(tw_recording_open(path, &recording), 0);
    while (!(rc = tw_recording_next(recording, &event)))
        load_event(show, show->n_conns, &event);
    assert_int_equal(rc, TW_MORE);
    tw_recording_close(recording);
    for (left = tw_buf_bytes(&conn->replies); !tw_frame_split(left, &payload);) {
        assert_int_equal(tw_frame_decode(payload, &frame, NULL), 0);
        note_reply(conn->theirs, &frame);
        left.p += TW_FRAME_HEADER + payload.n;
        left.n -= TW_FRAME_HEADER + payload.n;
    }
    tw_buf_deinit(&conn->replies);
    show->n_conns++;
}

static int compare_steps(const void *a, const void *b)
{
    const struct step *sa = a, *sb = b;

    if (sa->at_ns != sb->at_ns)
        return sa->at_ns < sb->at_ns ? -1 : 1;
    return sa->order < sb->order ? -1 : 1;
}

static void take_replies(struct conn *conn)
{
    struct tw_bytes bytes, payload;
    struct tw_frame frame;
    int fd;

    while (!tw_service_peek(conn->conn, &bytes, &fd)) {
        assert_int_equal(tw_frame_split(bytes, &payload), 0);
        assert_int_equal(tw_frame_decode(payload, &frame, NULL), 0);
        note_reply(conn->ours, &frame);
        tw_service_sent(conn->conn, TW_FRAME_HEADER + payload.n);
    }
}

/* Lets every connection work and read until nothing moves. */
static void run_all(struct show *show)
{
    for (size_t i = 0; i < show->n_conns; i++) {
        struct conn *conn = &show->conns[i];
        int rc = 0;

        if (!conn->conn)
            continue;
        do {
            rc = tw_service_run(conn->conn);
            take_replies(conn);
        } while (rc == TW_MORE);
        if (rc)
            print_message("%s: %s\n", conn->path, tw_service_why(conn->conn));
        assert_int_equal(rc, 0);
    }
}

static void pass_time(struct show *show, uint64_t until_ns)
{
    for (;;) {
        uint64_t due = tw_service_next_tick_ns(show->service), base = 1000 * TW_NS_PER_S;

        if (due > until_ns + base)
            break;
        show->now_ns = due - base > show->now_ns ? due - base : show->now_ns;
        tw_service_tick(show->service);
        run_all(show);
    }
    show->now_ns = until_ns;
}

/* The requests in what a client says, for the check at the end. */
static void note_requests(struct conn *conn, struct tw_bytes bytes)
{
    struct tw_bytes payload;
    struct tw_frame frame;

    while (!tw_frame_split(bytes, &payload)) { /* recorded calls hold whole frames */
        assert_int_equal(tw_frame_decode(payload, &frame, NULL), 0);
        assert_true(frame.request_id < IDS_MAX);
        if (frame.kind == TW_FRAME_INVOKE)
            conn->method[frame.request_id] = frame.invoke.method_id;
        bytes.p += TW_FRAME_HEADER + payload.n;
        bytes.n -= TW_FRAME_HEADER + payload.n;
    }
    assert_int_equal(bytes.n, 0);
}

static void say(struct show *show, const struct step *step)
{
    struct conn *conn = &show->conns[step->conn];
    int fds[FDS_MAX];
    uint8_t *p;
    size_t n;

    assert_true(step->n_fds <= FDS_MAX);
    for (size_t i = 0; i < step->n_fds; i++) {
        fds[i] = open("/dev/null", O_RDWR | O_CLOEXEC);
        assert_true(fds[i] >= 0);
    }
    tw_service_space(conn->conn, &p, &n);
    assert_true(n >= step->n);
    memcpy(p, step->p, step->n);
    tw_service_received(conn->conn, step->n, fds, step->n_fds);
    note_requests(conn, (struct tw_bytes){step->p, step->n});
}

static void perform(struct show *show, const struct step *step)
{
    struct conn *conn = &show->conns[step->conn];
    enum tw_service_port port = conn->producer ? TW_SERVICE_PRODUCER : TW_SERVICE_CONSUMER;
    struct tw_peer peer = {.pid = 4000 + (int32_t)step->conn, .uid = 1000};

    pass_time(show, step->at_ns);
    if (!conn->conn)
        assert_int_equal(tw_service_connect(show->service, port, peer, NULL, NULL, &conn->conn), 0);
    say(show, step);
    run_all(show);
}

/* A trace that is empty there is empty here, and only such a one. */
static bool is_worse(const struct outcome *theirs, const struct outcome *ours, uint32_t method,
                     bool producer)
{
    bool reads = !producer && method == TW_CONSUMER_READ_BUFFERS;

    return theirs->fate == FATE_GOOD &&
           (ours->fate != FATE_GOOD || (reads && (theirs->n == 0) != (ours->n == 0)));
}

/* Prints and counts the requests that fared worse here. */
static size_t count_worse(const struct show *show)
{
    static const char *const fates[] = {"never answered", "answered", "refused"};
    size_t worse = 0;

    for (size_t c = 0; c < show->n_conns; c++)
        for (size_t id = 0; id < IDS_MAX; id++) {
            const struct conn *conn = &show->conns[c];

            if (!is_worse(&conn->theirs[id], &conn->ours[id], conn->method[id], conn->producer))
                continue;
            print_message("%s: request %zu, method %u: %s with %zu bytes, not with %zu\n",
                          conn->path, id, conn->method[id], fates[conn->ours[id].fate],
                          conn->ours[id].n, conn->theirs[id].n);
            worse++;
        }
    return worse;
}

static size_t play(const char *folder)
{
    static struct show show;
    const struct tw_service_options options = {.clock_ns = clock_of, .user = &show};
    char pattern[256];
    glob_t found;
    size_t worse;

    show = (struct show){0};
    (void)snprintf(pattern, sizeof(pattern), "%s/*.jsonl.gz", folder);
    assert_int_equal(glob(pattern, 0, NULL, &found), 0);
    for (size_t i = 0; i < found.gl_pathc; i++)
        load_conn(&show, found.gl_pathv[i]);
    globfree(&found);
    qsort(show.steps, show.n_steps, sizeof(show.steps[0]), compare_steps);
    assert_int_equal(tw_service_new(&show.service, &options), 0);
    for (size_t i = 0; i < show.n_steps; i++)
        perform(&show, &show.steps[i]);
    pass_time(&show, show.now_ns + WAIT_NS);
    worse = count_worse(&show);
    for (size_t i = 0; i < show.n_conns; i++)
        tw_service_disconnect(show.conns[i].conn);
    tw_service_free(show.service);
    for (size_t i = 0; i < show.n_steps; i++)
        free(show.steps[i].p);
    for (size_t i = 0; i < show.n_conns; i++)
        free(show.conns[i].path);
    return worse;
}

static void every_recorded_session_goes_as_well_as_it_did(void **state)
{
    glob_t found;
    size_t worse = 0;

    (void)state;
    assert_int_equal(glob("tests/data/captures/*/producer.0.jsonl.gz", 0, NULL, &found), 0);
    assert_int_equal(found.gl_pathc, 12);
    for (size_t i = 0; i < found.gl_pathc; i++) {
        *strrchr(found.gl_pathv[i], '/') = 0;
        if (play(found.gl_pathv[i]))
            worse++;
    }
    globfree(&found);
    assert_int_equal(worse, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {tw_unit_test(every_recorded_session_goes_as_well_as_it_did)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
