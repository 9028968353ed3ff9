/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A whole session over real sockets, again and again: each time one call by which the service moves
 * bytes ends early, behind another byte of all that it reads, sends or writes into the file. What
 * comes out must be the same. One byte in so many, with the argument "long" every one.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "fuzz/faults.h"
#include "tests/harness.h"
#include "tests/service/daemon_scene.h"
#include "trace_config.pb-c.h"
#include "tracewire/consumer.h"
#include "tracewire/producer.h"
#include "wire/reader.h"

enum {
    FIELD_DROPPED = 42,  /* TracePacket.previous_packet_dropped */
    FIRST_OF_ALL = 1,    /* in it: nothing was lost, it is the first of its sequence */
    FIELD_TESTING = 900, /* TracePacket.for_testing, and in it */
    FIELD_TEXT = 1,
    PACKETS = 3,
    SAMPLE = 7, /* one byte in so many */
};

static const char text[] = "what is written must be read";
static size_t stride = SAMPLE;

/* What a session is for: its packets, by ReadBuffers or in a file. */
struct sink {
    struct tw_consumer *consumer;
    bool bound, ended, read;
    int file; /* what came */
    struct tw_trace_file *out;
};

struct scene {
    struct daemon_scene daemon;
    struct tw_producer *producer;
    unsigned n_starts;
    struct sink sinks[2];
};

/* ---- the peers ---- */

static void on_start(void *user, struct tw_instance *instance)
{
    struct scene *s = user;
    struct tw_trace_writer *writer;

    assert_int_equal(tw_writer_new(&writer, instance, TW_EXHAUSTED_DROP), 0);
    for (int i = 0; i < PACKETS; i++) {
        tw_writer_begin(writer);
        tw_writer_nest(writer, FIELD_TESTING);
        tw_writer_bytes(writer, FIELD_TEXT, (struct tw_bytes){(const uint8_t *)text, strlen(text)});
        tw_writer_unnest(writer);
        assert_int_equal(tw_writer_end(writer), 0);
    }
    tw_writer_free(writer);
    s->n_starts++;
}

static void on_bound(void *user, int result)
{
    assert_int_equal(result, 0);
    ((struct sink *)user)->bound = true;
}

static void on_ended(void *user, int result, struct tw_bytes error)
{
    assert_int_equal(result, 0);
    assert_int_equal(error.n, 0);
    ((struct sink *)user)->ended = true;
}

static void on_packet(void *user, struct tw_bytes packet)
{
    assert_int_equal(tw_trace_file_packet(((struct sink *)user)->out, packet), 0);
}

static void on_read(void *user, int result)
{
    assert_int_equal(result, 0);
    ((struct sink *)user)->read = true;
}

static void on_disabled(void *user, int result)
{
    (void)user;
    assert_int_equal(result, 0);
}

static void turn(struct scene *s)
{
    daemon_turn(&s->daemon);
    assert_int_equal(tw_producer_dispatch(s->producer, 0), 0);
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(tw_consumer_dispatch(s->sinks[i].consumer), 0);
}

#define TURN_UNTIL(s, what)                                                                        \
    for (int round = 0; !(what); round++) {                                                        \
        assert_true(round < DAEMON_ROUNDS);                                                        \
        turn(s);                                                                                   \
    }

/* ---- a session ---- */

static void enable(struct sink *sink, bool into_file)
{
    Tw__TraceConfig config = TW__TRACE_CONFIG__INIT;
    Tw__TraceConfig__BufferConfig buffer = TW__TRACE_CONFIG__BUFFER_CONFIG__INIT;
    Tw__TraceConfig__BufferConfig *buffers[] = {&buffer};
    Tw__TraceConfig__DataSource source = TW__TRACE_CONFIG__DATA_SOURCE__INIT;
    Tw__TraceConfig__DataSource *sources[] = {&source};
    Tw__DataSourceConfig inner = TW__DATA_SOURCE_CONFIG__INIT;
    struct tw_buf buf = TW_BUF_INIT(TW_FRAME_PAYLOAD_MAX);
    char name[] = "cut";
    int fd = into_file ? fcntl(sink->file, F_DUPFD_CLOEXEC, 0) : -1;

    buffer.has_size_kb = config.has_write_into_file = true;
    buffer.size_kb = 64;
    config.write_into_file = into_file;
    config.n_buffers = config.n_data_sources = 1;
    config.buffers = buffers;
    config.data_sources = sources;
    source.config = &inner;
    inner.name = name;
    assert_int_equal(tw_pbc_pack(&config.base, &buf), 0);
    assert_int_equal(
        tw_consumer_enable_tracing(sink->consumer, tw_buf_bytes(&buf), fd, on_ended, sink), 0);
    tw_buf_deinit(&buf);
}

static void begin(struct scene *s)
{
    const struct tw_data_source_config source = {
        .name = "cut", .ops = {.start = on_start}, .user = s};
    struct tw_producer_config config = {.name = "cut"};

    *s = (struct scene){0};
    daemon_begin(&s->daemon, 0);
    config.socket = s->daemon.producer;
    assert_int_equal(tw_producer_open(&s->producer, &config), 0);
    assert_int_equal(tw_producer_register(s->producer, &source), 0);
    for (size_t i = 0; i < 2; i++) {
        struct sink *sink = &s->sinks[i];

        sink->file = memfd_create("trace", MFD_CLOEXEC);
        assert_true(sink->file >= 0);
        assert_int_equal(tw_consumer_connect(s->daemon.consumer, on_bound, sink, &sink->consumer),
                         0);
    }
}

static void end(struct scene *s)
{
    for (size_t i = 0; i < 2; i++) {
        tw_consumer_free(s->sinks[i].consumer);
        tw_fd_close(&s->sinks[i].file);
    }
    tw_producer_close(s->producer);
    daemon_end(&s->daemon);
}

/* The packets are there, each once, and none says that one was lost before it. */
static void judge(const struct sink *sink)
{
    struct tw_trace_reader *reader;
    struct tw_trace_packet packet;
    char path[64];
    size_t n = 0;
    int rc;

    snprintf(path, sizeof(path), "/proc/self/fd/%d", sink->file);
    assert_int_equal(tw_trace_reader_open(path, &reader), 0);
    while (!(rc = tw_trace_reader_next(reader, &packet))) {
        struct tw_reader r = tw_reader_of(packet.packet);
        struct tw_field field;

        while (!(rc = tw_read_field(&r, &field))) {
            if (field.number == FIELD_DROPPED)
                assert_int_equal(field.value, FIRST_OF_ALL);
            if (field.number == FIELD_TESTING) {
                assert_non_null(memmem(field.bytes.p, field.bytes.n, text, strlen(text)));
                n++;
            }
        }
        assert_int_equal(rc, TW_MORE);
    }
    assert_int_equal(rc, TW_MORE);
    assert_int_equal(n, PACKETS);
    tw_trace_reader_free(reader);
}

/* One is read and one writes into a file, at the same time. */
static void whole_session(void)
{
    struct scene s;
    struct sink *reads = &s.sinks[0], *writes = &s.sinks[1];

    begin(&s);
    TURN_UNTIL(&s, reads->bound && writes->bound && tw_producer_idle(s.producer));
    enable(reads, false);
    enable(writes, true);
    TURN_UNTIL(&s, s.n_starts == 2 && tw_producer_idle(s.producer));
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(tw_consumer_disable_tracing(s.sinks[i].consumer, on_disabled, NULL), 0);
    TURN_UNTIL(&s, reads->ended && writes->ended);
    assert_int_equal(tw_trace_file_new(fcntl(reads->file, F_DUPFD_CLOEXEC, 0), &reads->out), 0);
    assert_int_equal(tw_consumer_read_buffers(reads->consumer, on_packet, on_read, reads), 0);
    TURN_UNTIL(&s, reads->read);
    assert_int_equal(tw_trace_file_close(reads->out, true), 0);
    tw_trace_file_free(reads->out);
    judge(reads);
    judge(writes);
    end(&s);
}

/* ---- the cuts ---- */

static void cut_everywhere(enum fault what)
{
    struct fault_plan plan = {.what = what};
    size_t n, n_cuts = 0;

    faults_plan(&plan);
    whole_session();
    n = faults_moved(what);
    for (plan.at = 1; plan.at < n; plan.at += stride) {
        faults_plan(&plan);
        whole_session();
        n_cuts += faults_disarm();
    }
    printf("%s: %zu bytes, %zu cuts\n", fault_rows[what].name, n, n_cuts);
    assert_true(n_cuts > n / stride / 2); /* the others are where a call ends anyhow */
}

static void every_byte_read_may_be_the_last_of_a_call(void **state)
{
    (void)state;
    cut_everywhere(FAULT_recvmsg);
}

static void every_byte_sent_may_be_the_last_of_a_call(void **state)
{
    (void)state;
    cut_everywhere(FAULT_sendmsg);
}

static void every_byte_of_a_file_may_be_the_last_of_a_call(void **state)
{
    (void)state;
    cut_everywhere(FAULT_writev);
}

int main(int argc, char **argv)
{
    static const struct CMUnitTest tests[] = {
        tw_unit_test(every_byte_read_may_be_the_last_of_a_call),
        tw_unit_test(every_byte_sent_may_be_the_last_of_a_call),
        tw_unit_test(every_byte_of_a_file_may_be_the_last_of_a_call),
    };
    int depth = 0;

    if (argc > 1 && strcmp(argv[1], "long") == 0)
        stride = 1;
    faults_only_inside(&depth);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
