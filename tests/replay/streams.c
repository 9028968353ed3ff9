/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/replay/streams.h"

#include <fcntl.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>

#include "tool/recording.h"

/* Bytes of a stream up to which each position is a cut of its own: the time for that grows with
 * their square. */
enum { ALONE_MAX = 8 * 1024 };
/* Bytes from one cut of a comb to the next, and so the runs that a stream takes: primes, so that
 * cuts and the boundaries of frames meet in every way; the second one for the largest streams. */
enum { TOOTH = 251, TOOTH_LARGE = 61, LARGE_MIN = 1024 * 1024 };

/* More than any recorded stream has. */
#define STREAM_MAX ((size_t)64 * 1024 * 1024)

static void stream_add(struct stream *stream, const struct tw_recording_event *event)
{
    assert_int_equal(tw_buf_append(&stream->bytes, event->bytes.p, event->bytes.n), 0);
    stream->ends = reallocarray(stream->ends, stream->n_ends + 1, sizeof(*stream->ends));
    assert_non_null(stream->ends);
    stream->ends[stream->n_ends++] = stream->bytes.n;
    if (event->n_fds) {
        assert_true(stream->n_fds < STREAM_FDS_MAX);
        stream->fds[stream->n_fds++] =
            (struct stream_fds){.end = stream->bytes.n, .n = event->n_fds};
    }
}

/* Counts the frames and finds those that descriptors belong to. */
static void stream_index(struct stream *stream)
{
    struct tw_bytes left = tw_buf_bytes(&stream->bytes), payload;

    while (left.n) {
        size_t at = stream->bytes.n - left.n, end;

        assert_int_equal(tw_frame_split(left, &payload), 0); /* streams end with a whole frame */
        end = at + TW_FRAME_HEADER + payload.n;
        for (size_t i = 0; i < stream->n_fds; i++)
            if (stream->fds[i].end > at && stream->fds[i].end <= end)
                stream->fds[i].frame = at;
        left.p += TW_FRAME_HEADER + payload.n;
        left.n -= TW_FRAME_HEADER + payload.n;
        stream->n_frames++;
    }
}

static void session_load(struct session *session, const char *path)
{
    struct tw_recording *recording;
    struct tw_recording_event event;
    int rc;

    *session = (struct session){.path = strdup(path), .producer = strstr(path, "/producer.")};
    session->client.bytes = session->service.bytes = TW_BUF_INIT(STREAM_MAX);
    assert_non_null(session->path);
    assert_int_equal(tw_recording_open(path, &recording), 0);
    while (!(rc = tw_recording_next(recording, &event)))
        if (event.kind == TW_RECORDING_BYTES)
            stream_add(event.dir == TW_RECORDING_FROM_CLIENT ? &session->client : &session->service,
                       &event);
    assert_int_equal(rc, TW_MORE);
    tw_recording_close(recording);
    stream_index(&session->client);
    stream_index(&session->service);
}

struct tw_frame *stream_decode(const struct stream *stream)
{
    struct tw_bytes left = tw_buf_bytes(&stream->bytes), payload;
    struct tw_frame *list = calloc(stream->n_frames + 1, sizeof(*list));

    assert_non_null(list);
    for (size_t i = 0; !tw_frame_split(left, &payload); i++) {
        assert_int_equal(tw_frame_decode(payload, &list[i], NULL), 0);
        left.p = payload.p + payload.n;
        left.n -= TW_FRAME_HEADER + payload.n;
    }
    return list;
}

void sessions_load(struct sessions *sessions)
{
    glob_t found;

    assert_int_equal(glob("tests/data/captures/*/*.jsonl.gz", 0, NULL, &found), 0);
    assert_true(found.gl_pathc > 0);
    sessions->n = found.gl_pathc;
    sessions->list = calloc(sessions->n, sizeof(*sessions->list));
    assert_non_null(sessions->list);
    for (size_t i = 0; i < sessions->n; i++)
        session_load(&sessions->list[i], found.gl_pathv[i]);
    globfree(&found);
}

static void stream_free(struct stream *stream)
{
    tw_buf_deinit(&stream->bytes);
    free(stream->ends);
}

void sessions_free(struct sessions *sessions)
{
    for (size_t i = 0; i < sessions->n; i++) {
        stream_free(&sessions->list[i].client);
        stream_free(&sessions->list[i].service);
        free(sessions->list[i].path);
    }
    free(sessions->list);
}

static void put(const struct sink *sink, struct tw_bytes bytes, size_t n_fds)
{
    int fds[STREAM_FDS_MAX];

    assert_true(n_fds <= STREAM_FDS_MAX);
    for (size_t i = 0; i < n_fds; i++) {
        fds[i] = open("/dev/null", O_RDWR | O_CLOEXEC);
        assert_true(fds[i] >= 0);
    }
    while (bytes.n) {
        uint8_t *p;
        size_t n;

        sink->space(sink->user, &p, &n);
        assert_true(n > 0);
        n = tw_min(n, bytes.n);
        memcpy(p, bytes.p, n);
        sink->filled(sink->user, n, fds, n_fds);
        n_fds = 0; /* they came with the first bytes */
        bytes.p += n;
        bytes.n -= n;
        sink->run(sink->user);
    }
}

/* Where the piece that starts at `at` ends, by the cut alone. */
static size_t next_cut(const struct stream *stream, struct cut cut, size_t at)
{
    switch (cut.how) {
    case CUT_AS_RECORDED:
        for (size_t i = 0; i < stream->n_ends; i++)
            if (stream->ends[i] > at)
                return stream->ends[i];
        break;
    case CUT_BYTES:
        return at + 1;
    case CUT_ONCE:
        if (at < cut.at)
            return cut.at;
        break;
    case CUT_COMB:
        if (at < cut.at)
            return cut.at;
        return at + cut.tooth - (at - cut.at) % cut.tooth;
    }
    return stream->bytes.n;
}

void stream_feed(const struct stream *stream, struct cut cut, const struct sink *sink)
{
    size_t at = 0, fds = 0;

    while (at < stream->bytes.n) {
        const struct stream_fds *next = fds < stream->n_fds ? &stream->fds[fds] : NULL;
        size_t end = tw_min(next_cut(stream, cut, at), stream->bytes.n), n = 0;

        if (next && end > next->frame) {
            /* it may begin with bytes of frames before, but a socket never delivers what was sent
             * behind the descriptor together with it */
            end = tw_min(end, next->end);
            n = next->n;
            fds++;
        }
        put(sink, (struct tw_bytes){stream->bytes.p + at, end - at}, n);
        at = end;
    }
}

void stream_every_cut(const struct stream *stream, void (*try)(struct cut cut, void *user),
                      void *user)
{
    size_t n = stream->bytes.n, tooth = n < LARGE_MIN ? TOOTH : TOOTH_LARGE;

    try((struct cut){.how = CUT_AS_RECORDED}, user);
    try((struct cut){.how = CUT_BYTES}, user);
    if (n <= ALONE_MAX)
        for (size_t at = 0; at <= n; at++)
            try((struct cut){.how = CUT_ONCE, .at = at}, user);
    else
        for (size_t at = 1; at <= tooth; at++)
            try((struct cut){.how = CUT_COMB, .at = at, .tooth = tooth}, user);
}
