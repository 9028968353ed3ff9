/* SPDX-License-Identifier: Apache-2.0 */
/* Every call with our service, which is a process of its own. */
#include "tests/harness.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/fd.h"
#include "consumer_port.pb-c.h"
#include "tests/service/daemon_scene.h"
#include "tracewire/consumer.h"
#include "wire/pbc.h"

enum { LONG_MS = 60000, EVENT_ALL_STARTED = 2 };

struct scene {
    struct daemon_scene daemon;
    pid_t service;
    struct tw_consumer *consumer;
    struct tw_buf config;
    int n_ended, n_packets;
};

_Noreturn static void serve(struct scene *s, int ready)
{
    struct tw_bytes socket;

    prctl(PR_SET_PDEATHSIG, SIGKILL); /* a test that fails ends it, too */
    if (daemon_start(&s->daemon, &s->daemon.daemon, &socket) || write(ready, "", 1) != 1)
        _exit(1);
    while (!tw_loop_once(s->daemon.loop, -1))
        ;
    _exit(1);
}

/* One buffer, and a data source that nobody has: the service's own packets are enough. */
static void configure(struct scene *s, uint32_t duration_ms, bool into_file)
{
    Tw__TraceConfig config = TW__TRACE_CONFIG__INIT;
    Tw__TraceConfig__BufferConfig buffer = TW__TRACE_CONFIG__BUFFER_CONFIG__INIT;
    Tw__TraceConfig__BufferConfig *buffers[] = {&buffer};
    char name[] = "with service";

    buffer.has_size_kb = true;
    buffer.size_kb = 64;
    config.n_buffers = 1;
    config.buffers = buffers;
    config.unique_session_name = name;
    config.has_duration_ms = config.has_deferred_start = config.has_write_into_file = true;
    config.duration_ms = duration_ms;
    config.deferred_start = duration_ms == 0;
    config.write_into_file = into_file;
    s->config.n = 0;
    assert_int_equal(tw_pbc_pack(&config.base, &s->config), 0);
}

static void begin(struct scene *s)
{
    int ready[2];
    char c;

    *s = (struct scene){.config = TW_BUF_INIT(TW_FRAME_PAYLOAD_MAX)};
    daemon_folder(&s->daemon);
    assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
    s->service = fork();
    assert_true(s->service >= 0);
    if (s->service == 0)
        serve(s, ready[1]);
    tw_fd_close(&ready[1]);
    assert_int_equal(read(ready[0], &c, 1), 1);
    tw_fd_close(&ready[0]);
    assert_int_equal(tw_consumer_connect_wait(s->daemon.consumer, LONG_MS, &s->consumer), 0);
}

static void end(struct scene *s)
{
    tw_consumer_free(s->consumer);
    assert_int_equal(kill(s->service, SIGKILL), 0);
    assert_int_equal(waitpid(s->service, NULL, 0), s->service);
    assert_int_equal(unlink(s->daemon.producer), 0);
    assert_int_equal(unlink(s->daemon.consumer), 0);
    assert_int_equal(rmdir(s->daemon.folder), 0);
    tw_buf_deinit(&s->config);
}

static void on_ended(void *user, int result, struct tw_bytes error)
{
    struct scene *s = user;

    assert_int_equal(error.n, 0);
    assert_true(result == 0 || result == TW_E_CLOSED);
    s->n_ended++;
}

static void on_packet(void *user, struct tw_bytes packet)
{
    struct scene *s = user;

    assert_true(packet.n > 0);
    s->n_packets++;
}

/* Of these, the answer is a message with something in field 1. */
static void assert_answers(const struct tw_answer *answer, int rc)
{
    assert_int_equal(rc, 0);
    assert_true(answer->n > 2);
    assert_int_equal(answer->p[0], 0x0a);
    free(answer->p);
}

static void the_service_is_asked(struct scene *s)
{
    struct tw_answer answer;
    struct tw_clone_result result;

    assert_answers(&answer, tw_consumer_query_capabilities_wait(s->consumer, LONG_MS, &answer));
    assert_answers(&answer,
                   tw_consumer_query_service_state_wait(s->consumer, false, LONG_MS, &answer));
    assert_answers(&answer, tw_consumer_get_trace_stats_wait(s->consumer, LONG_MS, &answer));
    assert_answers(
        &answer, tw_consumer_observe_events_wait(s->consumer, EVENT_ALL_STARTED, LONG_MS, &answer));
    assert_int_equal(tw_consumer_save_trace_for_bugreport_wait(s->consumer, LONG_MS, &answer), 0);
    assert_int_equal(tw_clone_result_read((struct tw_bytes){answer.p, answer.n}, &result), 0);
    assert_false(result.success);
    assert_true(result.error.n > 0);
    free(answer.p);
}

static void a_clone_is_made(struct scene *s)
{
    static const struct tw_clone_args args = {.unique_session_name = "with service"},
                                      none = {.session_id = 4711};
    struct tw_consumer *other;
    struct tw_clone_result result;
    struct tw_answer answer;
    int before = s->n_packets;

    assert_int_equal(tw_consumer_connect_wait(s->daemon.consumer, LONG_MS, &other), 0);
    assert_int_equal(tw_consumer_clone_session_wait(other, &none, -1, LONG_MS, &answer), 0);
    assert_int_equal(tw_clone_result_read((struct tw_bytes){answer.p, answer.n}, &result), 0);
    assert_false(result.success);
    free(answer.p);
    assert_int_equal(tw_consumer_clone_session_wait(other, &args, -1, LONG_MS, &answer), 0);
    assert_int_equal(tw_clone_result_read((struct tw_bytes){answer.p, answer.n}, &result), 0);
    assert_true(result.success);
    assert_true(result.uuid_msb || result.uuid_lsb);
    free(answer.p);
    assert_int_equal(tw_consumer_read_buffers_wait(other, on_packet, s, LONG_MS), 0);
    assert_true(s->n_packets > before);
    assert_int_equal(tw_consumer_free_buffers_wait(other, LONG_MS), 0);
    tw_consumer_free(other);
}

/* The session changes its connection. */
static void it_is_detached_and_attached(struct scene *s)
{
    struct tw_answer answer;

    assert_int_equal(tw_consumer_detach_wait(s->consumer, "key", LONG_MS), 0);
    assert_int_equal(tw_consumer_get_trace_stats_wait(s->consumer, LONG_MS, NULL), TW_E_REFUSED);
    tw_consumer_free(s->consumer);
    assert_int_equal(tw_consumer_connect_wait(s->daemon.consumer, LONG_MS, &s->consumer), 0);
    assert_int_equal(tw_consumer_attach_wait(s->consumer, "lock", LONG_MS, NULL), TW_E_REFUSED);
    assert_answers(&answer, tw_consumer_attach_wait(s->consumer, "key", LONG_MS, &answer));
}

static void a_session_has_every_call(void **state)
{
    struct scene s;
    struct tw_answer error;

    (void)state;
    begin(&s);
    configure(&s, 0, false);
    assert_int_equal(
        tw_consumer_enable_tracing(s.consumer, tw_buf_bytes(&s.config), -1, on_ended, &s), 0);
    assert_int_equal(tw_consumer_start_tracing_wait(s.consumer, LONG_MS), 0);
    assert_int_equal(tw_consumer_start_tracing_wait(s.consumer, LONG_MS), TW_E_REFUSED);
    assert_int_equal(
        tw_consumer_change_trace_config_wait(s.consumer, tw_buf_bytes(&s.config), LONG_MS), 0);
    assert_int_equal(tw_consumer_flush_wait(s.consumer, 0, 0x34, LONG_MS), 0);
    the_service_is_asked(&s);
    a_clone_is_made(&s);
    it_is_detached_and_attached(&s);
    assert_int_equal(s.n_ended, 1); /* the first connection was closed */
    assert_int_equal(tw_consumer_disable_tracing_wait(s.consumer, LONG_MS), 0);
    assert_int_equal(tw_consumer_await_end_wait(s.consumer, LONG_MS, &error), 0);
    assert_int_equal(error.n, 0);
    free(error.p);
    s.n_packets = 0;
    assert_int_equal(tw_consumer_read_buffers_wait(s.consumer, on_packet, &s, LONG_MS), 0);
    assert_true(s.n_packets > 0);
    assert_int_equal(tw_consumer_free_buffers_wait(s.consumer, LONG_MS), 0);
    end(&s);
}

static int count_packets(const char *path)
{
    struct tw_trace_reader *reader;
    struct tw_trace_packet packet;
    int n = 0, rc;

    assert_int_equal(tw_trace_reader_open(path, &reader), 0);
    while (!(rc = tw_trace_reader_next(reader, &packet)))
        n++;
    assert_int_equal(rc, TW_MORE);
    tw_trace_reader_free(reader);
    return n;
}

static void the_service_writes_into_our_file(void **state)
{
    char path[128];
    struct scene s;
    struct tw_trace_file *file;
    struct tw_answer error;

    (void)state;
    begin(&s);
    configure(&s, 100, true);
    snprintf(path, sizeof(path), "%s/trace", s.daemon.folder);
    assert_int_equal(tw_trace_file_open(path, NULL, &file), 0);
    assert_int_equal(tw_consumer_enable_tracing_wait(s.consumer, tw_buf_bytes(&s.config),
                                                     tw_trace_file_fd(file), LONG_MS, &error),
                     0);
    assert_int_equal(error.n, 0);
    free(error.p);
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(tw_trace_file_close(file, true), 0);
    tw_trace_file_free(file);
    assert_true(count_packets(path) > 0);
    assert_int_equal(unlink(path), 0);
    end(&s);
}

static void what_is_no_config_is_an_error(void **state)
{
    struct scene s;
    struct tw_answer error;

    (void)state;
    begin(&s);
    assert_int_equal(
        tw_consumer_enable_tracing_wait(s.consumer, tw_bytes_of_str(""), -1, LONG_MS, &error), 0);
    assert_true(error.n > 0);
    free(error.p);
    end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        tw_unit_test(a_session_has_every_call),
        tw_unit_test(the_service_writes_into_our_file),
        tw_unit_test(what_is_no_config_is_an_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
