/* SPDX-License-Identifier: Apache-2.0 */
/* CloneSession of a session that writes into a file: the clone's trace goes into one, too. */
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/harness.h"
#include "tests/service/file_scene.h"

#include "base/fd.h"
#include "service/core.h"
#include "service/file_writer.h"

enum { LONG = 1000, MANY = 6000 }; /* bytes of a text, packets with one */

struct scene {
    struct file_scene f;
    int file; /* the session's, to read it by */
    struct rig_peer *cloner;
    int copy; /* the clone's */
    uint64_t id;
};

static void begin(struct scene *s)
{
    file_scene(&s->f, NULL);
    s->f.config->unique_session_name = tw_pbc_str("name");
    s->cloner = rig_consumer(&s->f.rig);
    s->copy = -1;
    file_enable(&s->f, file_new(&s->file));
}

static void end(struct scene *s)
{
    tw_fd_close(&s->copy);
    file_end(&s->f, s->file);
}

static uint64_t ask(struct scene *s, int fd)
{
    static const char args[] = "\x22\x04name"; /* unique_session_name */
    struct tw_bytes bytes = {(const uint8_t *)args, sizeof(args) - 1};

    s->id = rig_send_raw(s->cloner, TW_CONSUMER_CLONE_SESSION, bytes, false, fd);
    rig_pump(&s->f.rig);
    return s->id;
}

static void ask_with_file(struct scene *s)
{
    ask(s, file_new(&s->copy));
}

/* The flush for the clone is the producer's last command. */
static void acknowledge(struct scene *s)
{
    const Tw__GetAsyncCommandResponse__CmdCase kind = TW__GET_ASYNC_COMMAND_RESPONSE__CMD_FLUSH;
    Tw__CommitDataRequest req = TW__COMMIT_DATA_REQUEST__INIT;
    size_t n = rig_commands(s->f.producer, kind);

    req.has_flush_request_id = true;
    req.flush_request_id = rig_command(s->f.producer, kind, n - 1)->flush->request_id;
    rig_call(s->f.producer, TW_PRODUCER_COMMIT_DATA, &req.base);
}

static void turn(struct scene *s)
{
    s->f.rig.now_ns += 1;
    tw_service_tick(s->f.rig.service);
}

static Tw__CloneSessionResponse *answer(struct scene *s)
{
    return rig_decode(s->cloner, rig_last(s->cloner, s->id),
                      &tw__clone_session_response__descriptor);
}

static bool fails(struct scene *s, const char *why)
{
    const Tw__CloneSessionResponse *response = answer(s);

    return response && !response->success && strstr(response->error, why) &&
           !s->cloner->conn->session;
}

static bool fails_with(struct scene *s, int fd, const char *why)
{
    ask(s, fd);
    return fails(s, why);
}

/* So much that a pass takes several turns. */
static void emit_much(struct scene *s, char text[LONG + 1])
{
    memset(text, 'x', LONG);
    text[LONG] = '\0';
    for (int i = 0; i < MANY; i++)
        file_emit(&s->f, text);
}

static void begin_large(struct scene *s)
{
    file_scene(&s->f, NULL);
    s->f.rig.undecoded = true;
    s->f.config->unique_session_name = tw_pbc_str("name");
    s->f.config->buffers[0]->size_kb = 8192;
    s->cloner = rig_consumer(&s->f.rig);
    s->copy = -1;
    file_enable(&s->f, file_new(&s->file));
}

static void a_clone_has_what_is_in_the_file_and_the_rest(void **state)
{
    REQ("TW-CONS-091");
    Tw__CloneSessionResponse *response;
    Tw__TracePacket *uuid;
    struct rig_trace trace;
    struct scene s;

    (void)state;
    begin(&s);
    file_emit(&s.f, "one");
    rig_advance(&s.f.rig, PERIOD_MS + 10);
    assert_int_equal(file_found(&s.f, s.file, "one"), 1);
    file_emit(&s.f, "two");
    ask_with_file(&s);
    acknowledge(&s);
    assert_null(answer(&s));
    rig_advance(&s.f.rig, 10);
    response = answer(&s);
    assert_true(response->success);
    assert_true(response->was_write_into_file);
    file_emit(&s.f, "three");
    rig_advance(&s.f.rig, PERIOD_MS + 10);

    trace = file_trace(&s.f, s.copy);
    assert_true(trace.whole);
    assert_int_equal(rig_find(&trace, "one", NULL), 1);
    assert_int_equal(rig_find(&trace, "two", NULL), 1);
    assert_int_equal(rig_find(&trace, "three", NULL), 0);
    uuid = rig_kind(&trace, TW__TRACE_PACKET__DATA_TRACE_UUID, 1); /* the second is the clone's */
    assert_true(uuid->trace_uuid->msb == response->uuid_msb);
    assert_int_equal(rig_read(s.cloner).n, 0);
    assert_true(rig_read(s.cloner).whole);
    assert_int_equal(file_found(&s.f, s.file, "one"), 1); /* the original goes on where it was */
    assert_int_equal(file_found(&s.f, s.file, "two"), 1);
    assert_int_equal(file_found(&s.f, s.file, "three"), 1);
    end(&s);
}

static void what_reaches_the_file_meanwhile_is_there_once(void **state)
{
    REQ("TW-CONS-092");
    struct scene s;

    (void)state;
    begin(&s);
    file_emit(&s.f, "one");
    ask_with_file(&s);
    rig_advance(&s.f.rig, PERIOD_MS + 10); /* a pass, before the producer has flushed */
    assert_int_equal(file_found(&s.f, s.file, "one"), 1);
    file_emit(&s.f, "two");
    acknowledge(&s);
    rig_advance(&s.f.rig, 10);
    assert_true(answer(&s)->success);
    assert_int_equal(file_found(&s.f, s.copy, "one"), 1);
    assert_int_equal(file_found(&s.f, s.copy, "two"), 1);
    end(&s);
}

static void a_pass_is_not_cut_in_two(void **state)
{
    REQ("TW-CONS-092");
    char text[LONG + 1];
    struct scene s;
    struct stat st;

    (void)state;
    begin_large(&s);
    emit_much(&s, text);
    ask_with_file(&s);
    s.f.rig.now_ns += (uint64_t)PERIOD_MS * 1000000;
    turn(&s);
    acknowledge(&s);
    for (int i = 0; i < 3 && s.cloner->conn->cloning->n_flushes; i++)
        turn(&s);
    assert_int_equal(fstat(s.file, &st), 0);
    assert_in_range(st.st_size, 1, LONG * MANY - 1);
    assert_non_null(s.cloner->conn->cloning); /* flushed, but in the middle of the pass */
    assert_int_equal(s.cloner->conn->cloning->n_flushes, 0);
    rig_advance(&s.f.rig, 10);
    assert_true(answer(&s)->success);
    assert_int_equal(file_found(&s.f, s.file, text), MANY);
    assert_int_equal(file_found(&s.f, s.copy, text), MANY);
    end(&s);
}

/* A clone whose original has some megabytes in its file, after one turn of copying them. */
static void begin_to_copy(struct scene *s)
{
    char text[LONG + 1];

    begin_large(s);
    emit_much(s, text);
    rig_advance(&s->f.rig, PERIOD_MS + 10);
    ask_with_file(s);
    acknowledge(s);
    turn(s);
    turn(s);
    assert_null(s->cloner->conn->cloning);
    assert_non_null(s->cloner->conn->session);
    assert_null(answer(s));
}

static void a_large_file_takes_many_turns(void **state)
{
    REQ("TW-LIM-110");
    struct scene s;
    struct stat st;

    (void)state;
    begin_to_copy(&s);
    turn(&s);
    assert_int_equal(fstat(s.copy, &st), 0);
    assert_in_range(st.st_size, 1024 * 1024, 2 * 1024 * 1024);
    rig_advance(&s.f.rig, 10);
    assert_true(answer(&s)->success);
    assert_true(file_trace(&s.f, s.copy).whole);
    end(&s);
}

static void who_ends_a_clone_before_it_is_written_is_told(void **state)
{
    REQ("TW-CONS-091");
    struct scene s;

    (void)state;
    begin_to_copy(&s);
    rig_call(s.cloner, TW_CONSUMER_FREE_BUFFERS, NULL);
    assert_true(fails(&s, "before its file was complete"));
    rig_advance(&s.f.rig, 10);
    assert_true(file_trace(&s.f, s.copy).whole); /* it becomes complete all the same */
    assert_null(TAILQ_NEXT(TAILQ_FIRST(&s.f.rig.service->sessions), next));
    end(&s);
}

static void a_consumer_that_goes_leaves_a_whole_file(void **state)
{
    REQ("TW-CONS-091");
    struct scene s;

    (void)state;
    begin_to_copy(&s);
    rig_disconnect(s.cloner);
    rig_advance(&s.f.rig, 10);
    assert_true(file_trace(&s.f, s.copy).whole);
    assert_null(TAILQ_NEXT(TAILQ_FIRST(&s.f.rig.service->sessions), next));
    end(&s);
}

static void an_original_that_goes_is_not_missed(void **state)
{
    REQ("TW-CONS-091");
    struct scene s;

    (void)state;
    begin_to_copy(&s);
    rig_disconnect(s.f.consumer);
    rig_advance(&s.f.rig, 10);
    assert_true(answer(&s)->success);
    assert_true(file_trace(&s.f, s.copy).whole);
    end(&s);
}

static void an_exclusive_session_ends_it_at_once(void **state)
{
    REQ("TW-CONS-035");
    Tw__TraceConfig *config;
    struct scene s;

    (void)state;
    begin_to_copy(&s);
    config = rig_config(&s.f.rig, "source");
    config->has_exclusive_prio = true;
    config->exclusive_prio = 1;
    rig_enable(rig_consumer(&s.f.rig), config);
    assert_true(fails(&s, "before its file was complete"));
    assert_null(TAILQ_NEXT(TAILQ_FIRST(&s.f.rig.service->sessions), next));
    end(&s);
}

static void without_files_that_fit_there_is_no_clone(void **state)
{
    REQ("TW-CONS-091");
    REQ("TW-CONS-092");
    int ends[2], fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    struct scene s;

    (void)state;
    begin(&s);
    assert_true(fails_with(&s, -1, "TW-CONS-091"));
    assert_true(fails_with(&s, fd, "not open for writing"));
    rig_call(s.f.consumer, TW_CONSUMER_FREE_BUFFERS, NULL);
    rig_advance(&s.f.rig, 10);
    tw_fd_close(&s.file);

    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    file_enable(&s.f, ends[1]);
    assert_true(fails_with(&s, file_new(&s.copy), "TW-CONS-092"));
    rig_call(s.f.consumer, TW_CONSUMER_FREE_BUFFERS, NULL);
    rig_advance(&s.f.rig, 10);
    tw_fd_close(&s.copy);

    file_enable(&s.f, open("/dev/null", O_WRONLY | O_CLOEXEC));
    assert_true(fails_with(&s, file_new(&s.copy), "TW-CONS-092"));
    tw_fd_close(&ends[0]);
    end(&s);
}

static void a_file_that_others_changed_is_no_trace(void **state)
{
    REQ("TW-CONS-092");
    struct scene s;

    (void)state;
    begin(&s);
    rig_advance(&s.f.rig, PERIOD_MS + 10);
    assert_int_equal(ftruncate(s.file, 10), 0);
    ask_with_file(&s);
    acknowledge(&s);
    rig_advance(&s.f.rig, 10);
    assert_true(fails(&s, "No data available"));
    tw_fd_close(&s.copy);
    assert_int_equal(lseek(s.file, 0, SEEK_SET), 0); /* the position is the service's as well */
    ask_with_file(&s);
    acknowledge(&s);
    rig_advance(&s.f.rig, 10);
    assert_true(fails(&s, "TW-CONS-092"));
    end(&s);
}

static void limit_files(rlim_t bytes)
{
    struct rlimit limit;

    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = bytes;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void a_full_disk_is_told(void **state)
{
    REQ("TW-CONS-092");
    void (*was)(int) = signal(SIGXFSZ, SIG_IGN);
    struct scene s;

    (void)state;
    begin(&s);
    rig_advance(&s.f.rig, PERIOD_MS + 10);
    ask_with_file(&s);
    acknowledge(&s);
    limit_files(100);
    rig_advance(&s.f.rig, 10);
    limit_files(RLIM_INFINITY);
    assert_true(fails(&s, "File too large"));
    tw_fd_close(&s.copy);
    ask_with_file(&s);
    acknowledge(&s);
    limit_files(100);
    rig_advance(&s.f.rig, PERIOD_MS + 10); /* the original comes first to feel it */
    limit_files(RLIM_INFINITY);
    assert_non_null(answer(&s));
    assert_false(answer(&s)->success);
    end(&s);
    signal(SIGXFSZ, was);
}

static void a_session_without_a_file_leaves_the_descriptor(void **state)
{
    REQ("TW-CONS-093");
    struct scene s;
    struct stat st;

    (void)state;
    begin(&s);
    file_disable(&s.f); /* its file is complete */
    ask_with_file(&s);
    rig_advance(&s.f.rig, 10);
    assert_true(answer(&s)->success);
    assert_false(answer(&s)->was_write_into_file);
    assert_true(rig_read(s.cloner).n > 0);
    assert_int_equal(fstat(s.copy, &st), 0);
    assert_int_equal(st.st_size, 0);
    end(&s);
}

static void its_descriptors_are_charged(void **state)
{
    REQ("TW-LIM-066");
    struct scene s;
    uint64_t before;

    (void)state;
    begin(&s);
    before = s.cloner->conn->charge.held[TW_QUOTA_DESCRIPTORS];
    ask_with_file(&s);
    assert_int_equal(s.cloner->conn->charge.held[TW_QUOTA_DESCRIPTORS], before + 2);
    acknowledge(&s);
    rig_advance(&s.f.rig, 10);
    assert_int_equal(s.cloner->conn->charge.held[TW_QUOTA_DESCRIPTORS], before);
    end(&s);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        tw_unit_test(a_clone_has_what_is_in_the_file_and_the_rest),
        tw_unit_test(what_reaches_the_file_meanwhile_is_there_once),
        tw_unit_test(a_pass_is_not_cut_in_two),
        tw_unit_test(a_large_file_takes_many_turns),
        tw_unit_test(who_ends_a_clone_before_it_is_written_is_told),
        tw_unit_test(a_consumer_that_goes_leaves_a_whole_file),
        tw_unit_test(an_original_that_goes_is_not_missed),
        tw_unit_test(an_exclusive_session_ends_it_at_once),
        tw_unit_test(without_files_that_fit_there_is_no_clone),
        tw_unit_test(a_file_that_others_changed_is_no_trace),
        tw_unit_test(a_full_disk_is_told),
        tw_unit_test(a_session_without_a_file_leaves_the_descriptor),
        tw_unit_test(its_descriptors_are_charged),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
