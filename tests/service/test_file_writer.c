/* SPDX-License-Identifier: Apache-2.0 */
/* write_into_file: what is in the file, when, and what becomes of the session. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/harness.h"
#include "tests/service/file_scene.h"

#include "base/fd.h"
#include "service/core.h"

static void every_period_brings_what_there_is(void **state)
{
    REQ("TW-TRACE-011");
    REQ("TW-TRACE-012");
    struct file_scene s;
    struct rig_trace trace;
    int fd;

    (void)state;
    file_scene(&s, NULL);
    file_enable(&s, file_new(&fd));
    file_emit(&s, "one");
    rig_advance(&s.rig, 1);
    assert_int_equal(file_found(&s, fd, "one"), 0);
    rig_advance(&s.rig, PERIOD_MS);
    assert_int_equal(file_found(&s, fd, "one"), 1);
    file_emit(&s, "two");
    rig_advance(&s.rig, PERIOD_MS);
    assert_int_equal(file_found(&s, fd, "two"), 1);
    file_emit(&s, "three");
    assert_null(file_ended(&s));
    file_disable(&s);
    assert_string_equal(file_error(&s), "");
    trace = file_trace(&s, fd);
    assert_true(trace.whole);
    assert_int_equal(rig_find(&trace, "one", NULL), 1);
    assert_int_equal(rig_find(&trace, "three", NULL), 1);
    assert_non_null(rig_kind(&trace, TW__TRACE_PACKET__DATA_TRACE_CONFIG, 0));
    assert_null(rig_kind(&trace, TW__TRACE_PACKET__DATA_TRACE_CONFIG, 1));
    assert_non_null(rig_kind(&trace, TW__TRACE_PACKET__DATA_TRACE_STATS, 0));
    file_end(&s, fd);
}

static void periods_begin_at_multiples_of_themselves(void **state)
{
    REQ("TW-TRACE-012");
    struct file_scene s;
    int fd;

    (void)state;
    file_scene(&s, NULL);
    rig_advance(&s.rig, 700); /* the rig's clock begins at a whole second */
    file_enable(&s, file_new(&fd));
    file_emit(&s, "one");
    rig_advance(&s.rig, 299);
    assert_int_equal(file_found(&s, fd, "one"), 0);
    rig_advance(&s.rig, 2);
    assert_int_equal(file_found(&s, fd, "one"), 1);
    file_end(&s, fd);
}

/* How long it takes for a packet to be in the file, in steps of 50 ms. */
static uint64_t delay_with(uint32_t period_ms)
{
    struct file_scene s;
    uint64_t begin_ns, delay;
    int fd;

    file_scene(&s, NULL);
    s.config->file_write_period_ms = period_ms;
    rig_advance(&s.rig, 10000 - s.rig.now_ns / 1000000 % 10000);
    file_enable(&s, file_new(&fd));
    file_emit(&s, "one");
    begin_ns = s.rig.now_ns;
    for (int i = 0; i < 200 && !file_found(&s, fd, "one"); i++)
        rig_advance(&s.rig, 50);
    delay = (s.rig.now_ns - begin_ns) / 1000000;
    file_end(&s, fd);
    return delay;
}

static void periods_have_a_least_and_a_usual_length(void **state)
{
    REQ("TW-LIM-112");
    REQ("TW-LIM-113");
    (void)state;
    assert_in_range(delay_with(1), 100, 150);
    assert_in_range(delay_with(200), 200, 250);
    assert_in_range(delay_with(0), 5000, 5050);
}

static size_t flushes(struct file_scene *s)
{
    return rig_commands(s->producer, TW__GET_ASYNC_COMMAND_RESPONSE__CMD_FLUSH);
}

/* How often producers flush in 20 seconds. */
static size_t flushes_with(uint32_t period_ms, int mode, uint32_t flush_period_ms)
{
    struct file_scene s;
    size_t n;
    int fd;

    file_scene(&s, NULL);
    s.config->file_write_period_ms = period_ms;
    s.config->has_write_flush_mode = s.config->has_flush_period_ms = true;
    s.config->write_flush_mode = (Tw__TraceConfig__WriteFlushMode)mode;
    s.config->flush_period_ms = flush_period_ms;
    file_enable(&s, file_new(&fd));
    rig_advance(&s.rig, 20500);
    n = flushes(&s);
    file_end(&s, fd);
    return n;
}

static void producers_flush_as_the_mode_says(void **state)
{
    REQ("TW-TRACE-013");
    enum { AUTO = 1, DISABLED, ENABLED };

    (void)state;
    assert_int_equal(flushes_with(1000, AUTO, 100), 4);
    assert_int_equal(flushes_with(1000, 0, 0), 4);
    assert_int_equal(flushes_with(10000, AUTO, 100), 2);
    assert_int_equal(flushes_with(1000, DISABLED, 0), 0);
    assert_int_equal(flushes_with(1000, DISABLED, 2000), 10);
    assert_in_range(flushes_with(2000, ENABLED, 100), 3, 10);
}

/* Answered all the same, and once: a consumer waits for it. */
static void assert_nothing_to_read(struct file_scene *s)
{
    const struct rig_reply *reply = rig_call(s->consumer, TW_CONSUMER_READ_BUFFERS, NULL);

    assert_true(reply->success);
    assert_false(reply->has_more);
    assert_int_equal(rig_read(s->consumer).n, 0);
}

static void the_consumer_cannot_read_it_too(void **state)
{
    REQ("TW-TRACE-011");
    struct file_scene s;
    int fd;

    (void)state;
    file_scene(&s, NULL);
    file_enable(&s, file_new(&fd));
    file_emit(&s, "one");
    assert_nothing_to_read(&s);
    file_disable(&s);
    assert_nothing_to_read(&s);
    assert_int_equal(file_found(&s, fd, "one"), 1);
    file_end(&s, fd);
}

static void a_consumer_that_goes_leaves_a_whole_file(void **state)
{
    REQ("TW-TRACE-012");
    struct file_scene s;
    int fd;

    (void)state;
    file_scene(&s, NULL);
    file_enable(&s, file_new(&fd));
    file_emit(&s, "one");
    rig_disconnect(s.consumer);
    rig_advance(&s.rig, 10);
    assert_int_equal(file_found(&s, fd, "one"), 1);
    assert_true(TAILQ_EMPTY(&s.rig.service->sessions));
    file_end(&s, fd);
}

static void a_service_that_goes_leaves_a_whole_file(void **state)
{
    REQ("TW-TRACE-012");
    struct file_scene s;
    int fd;

    (void)state;
    file_scene(&s, NULL);
    file_enable(&s, file_new(&fd));
    file_emit(&s, "one");
    rig_free(&s.rig);
    rig_init(&s.rig);
    assert_int_equal(file_found(&s, fd, "one"), 1);
    file_end(&s, fd);
}

static void the_file_stays_under_its_size(void **state)
{
    REQ("TW-TRACE-017");
    enum { MAX = 20000 };
    char text[1001];
    struct file_scene s;
    struct stat st;
    int fd;

    (void)state;
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = 0;
    file_scene(&s, NULL);
    s.config->has_max_file_size_bytes = true;
    s.config->max_file_size_bytes = MAX;
    file_enable(&s, file_new(&fd));
    for (int i = 0; i < 30; i++)
        file_emit(&s, text);
    rig_advance(&s.rig, PERIOD_MS + 10);
    assert_string_equal(file_error(&s), "");
    assert_true(file_found(&s, fd, text) >= 10);
    assert_int_equal(fstat(fd, &st), 0);
    assert_in_range(st.st_size, MAX - 1100, MAX - 1);
    file_end(&s, fd);
}

/* The error of a session that is to write to fd. */
static void assert_refused(int fd, const char *error)
{
    struct file_scene s;

    assert_true(fd >= 0);
    file_scene(&s, NULL);
    file_enable(&s, fd);
    assert_non_null(strstr(file_error(&s), error));
    file_end(&s, -1);
}

static void what_cannot_be_written_to_is_refused(void **state)
{
    REQ("TW-TRACE-011");
    REQ("TW-TRACE-015");
    int ends[2];
    struct file_scene s;

    (void)state;
    assert_refused(open("/dev/null", O_RDONLY | O_CLOEXEC), "not open for writing");
    assert_refused(open("/dev/null", O_PATH | O_CLOEXEC), "not open for writing");
    assert_refused(open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC), "not open for writing");
    assert_refused(open("/dev/zero", O_WRONLY | O_CLOEXEC), "no file, pipe");
    assert_refused(open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC), "no file, pipe");
    assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, ends), 0);
    assert_refused(ends[0], "no file, pipe");
    tw_fd_close(&ends[1]);
    file_scene(&s, NULL);
    file_enable(&s, -1);
    assert_non_null(strstr(file_error(&s), "either a descriptor"));
    file_end(&s, -1);
}

static void a_descriptor_that_nobody_wants_is_closed(void **state)
{
    struct file_scene s;
    int fd;

    (void)state;
    file_scene(&s, NULL);
    s.config->write_into_file = false;
    file_enable(&s, file_new(&fd));
    file_emit(&s, "one");
    rig_advance(&s.rig, 10 * PERIOD_MS);
    assert_int_equal(file_found(&s, fd, "one"), 0);
    file_end(&s, fd);
}

/* Everything that comes through fd until its end. */
static struct rig_trace drain(struct file_scene *s, int fd)
{
    struct tw_buf got = TW_BUF_INIT((size_t)64 << 20);
    struct rig_trace trace;
    uint8_t *copy;

    for (;;) {
        uint8_t bytes[4096];
        ssize_t n = read(fd, bytes, sizeof(bytes));

        if (n == 0)
            break;
        if (n < 0 && s->consumer->conn)
            rig_advance(&s->rig, 100);
        assert_true(n > 0 || errno == EAGAIN);
        if (n > 0)
            assert_int_equal(tw_buf_append(&got, bytes, (size_t)n), 0);
    }
    copy = tw_arena_alloc(&s->rig.arena, got.n);
    memcpy(copy, got.p, got.n);
    trace = file_trace_of(s, (struct tw_bytes){copy, got.n});
    tw_buf_deinit(&got);
    return trace;
}

static void a_slow_reader_gets_everything(int write_fd, int read_fd)
{
    enum { PACKETS = 400 };
    char text[1001];
    struct file_scene s;
    struct rig_trace trace;

    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = 0;
    file_scene(&s, NULL);
    s.config->buffers[0]->size_kb = 1024;
    file_enable(&s, write_fd);
    for (int i = 0; i < PACKETS; i++)
        file_emit(&s, text);
    assert_true(rig_call(s.consumer, TW_CONSUMER_DISABLE_TRACING, NULL)->success);
    rig_advance(&s.rig, 1000);
    assert_null(file_ended(&s)); /* it is told when all is written, and the reader has not read */
    trace = drain(&s, read_fd);
    assert_true(trace.whole);
    assert_int_equal(rig_find(&trace, text, NULL), PACKETS);
    assert_string_equal(file_error(&s), "");
    file_end(&s, read_fd);
}

static void pipes_and_sockets_are_filled_without_waiting(void **state)
{
    REQ("TW-TRACE-016");
    int ends[2];

    (void)state;
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    assert_int_equal(fcntl(ends[0], F_SETFL, O_NONBLOCK), 0);
    a_slow_reader_gets_everything(ends[1], ends[0]);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    assert_int_equal(fcntl(ends[0], F_SETFL, O_NONBLOCK), 0);
    a_slow_reader_gets_everything(ends[1], ends[0]);
}

static void a_reader_that_reads_nothing_ends_the_session(void **state)
{
    REQ("TW-LIM-114");
    REQ("TW-LIM-115");
    REQ("TW-TRACE-018");
    struct file_scene s;
    int ends[2];

    (void)state;
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    file_scene(&s, NULL);
    s.config->buffers[0]->size_kb = 1024;
    file_enable(&s, ends[1]);
    for (int i = 0; i < 200; i++) {
        char text[1001];

        memset(text, 'x', sizeof(text) - 1);
        text[sizeof(text) - 1] = 0;
        file_emit(&s, text);
    }
    rig_advance(&s.rig, PERIOD_MS + 9000);
    assert_null(file_ended(&s));
    rig_advance(&s.rig, 3000);
    assert_non_null(strstr(file_error(&s), "timed out"));
    file_end(&s, ends[0]);
}

static void a_reader_that_has_gone_ends_the_session(void **state)
{
    REQ("TW-TRACE-018");
    void (*was)(int) = signal(SIGPIPE, SIG_IGN);
    struct file_scene s;
    int ends[2];

    (void)state;
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    tw_fd_close(&ends[0]);
    file_scene(&s, NULL);
    file_enable(&s, ends[1]);
    rig_advance(&s.rig, PERIOD_MS + 10);
    assert_non_null(strstr(file_error(&s), "Broken pipe"));
    file_end(&s, -1);
    signal(SIGPIPE, was);
}

static void a_full_disk_ends_the_session(void **state)
{
    REQ("TW-TRACE-018");
    void (*was)(int) = signal(SIGXFSZ, SIG_IGN);
    struct rlimit unlimited, some = {.rlim_cur = 100, .rlim_max = RLIM_INFINITY};
    struct file_scene s;
    int fd;

    (void)state;
    file_scene(&s, NULL);
    file_enable(&s, file_new(&fd));
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &unlimited), 0);
    some.rlim_max = unlimited.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &some), 0);
    rig_advance(&s.rig, PERIOD_MS + 10);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &unlimited), 0);
    assert_non_null(strstr(file_error(&s), "File too large"));
    file_end(&s, fd);
    signal(SIGXFSZ, was);
}

static void a_large_buffer_takes_many_turns(void **state)
{
    REQ("TW-LIM-110");
    REQ("TW-LIM-111");
    enum { PACKETS = 3000 };
    char text[1001];
    struct file_scene s;
    struct stat st;
    int fd;

    (void)state;
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = 0;
    file_scene(&s, NULL);
    s.rig.undecoded = true;
    s.config->buffers[0]->size_kb = 8192;
    file_enable(&s, file_new(&fd));
    for (int i = 0; i < PACKETS; i++)
        file_emit(&s, text);
    s.rig.now_ns += (uint64_t)PERIOD_MS * 1000000;
    tw_service_tick(s.rig.service); /* the period */
    s.rig.now_ns += 1;
    tw_service_tick(s.rig.service); /* one turn */
    assert_int_equal(fstat(fd, &st), 0);
    assert_in_range(st.st_size, 1024 * 1024, 1024 * 1024 + 8192);
    rig_advance(&s.rig, 10);
    assert_int_equal(file_found(&s, fd, text), PACKETS);
    file_end(&s, fd);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        tw_unit_test(every_period_brings_what_there_is),
        tw_unit_test(periods_begin_at_multiples_of_themselves),
        tw_unit_test(periods_have_a_least_and_a_usual_length),
        tw_unit_test(producers_flush_as_the_mode_says),
        tw_unit_test(the_consumer_cannot_read_it_too),
        tw_unit_test(a_consumer_that_goes_leaves_a_whole_file),
        tw_unit_test(a_service_that_goes_leaves_a_whole_file),
        tw_unit_test(the_file_stays_under_its_size),
        tw_unit_test(what_cannot_be_written_to_is_refused),
        tw_unit_test(a_descriptor_that_nobody_wants_is_closed),
        tw_unit_test(pipes_and_sockets_are_filled_without_waiting),
        tw_unit_test(a_reader_that_reads_nothing_ends_the_session),
        tw_unit_test(a_reader_that_has_gone_ends_the_session),
        tw_unit_test(a_full_disk_ends_the_session),
        tw_unit_test(a_large_buffer_takes_many_turns),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
