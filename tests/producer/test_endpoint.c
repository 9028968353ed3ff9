/* SPDX-License-Identifier: Apache-2.0 */
/* The endpoint against a service made of the host's session, in one thread. */
#include "tests/harness.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/sock.h"
#include "frame/host_session.h"
#include "frame/pump.h"
#include "producer/instance.h"
#include "smb/smb.h"
#include "wire/reader.h"
#include "wire/writer.h"

enum {
    SHM_SIZE = 64 * 1024,
    STEPS_MAX = 5000, /* of a millisecond each, until what is waited for has to have come */
    CALLS_MAX = 64,
};

struct world {
    char name[64];
    int listener, conn;
    struct tw_host host;
    struct tw_producer *producer;
    struct tw_shm shm;
    uint64_t async_id; /* of GetAsyncCommand */
    uint32_t calls[CALLS_MAX];
    size_t n_calls;
    uint64_t last_arg[TW_PRODUCER_METHOD_MAX]; /* field 1 of the last call */
    uint64_t flush_done;
    uint32_t moves, emulation;
    /* what the callbacks saw */
    int setups, starts, stops, flushes, clears;
    struct tw_instance *instance;
    bool stop_later;
};

static void on_setup(void *user, struct tw_instance *instance)
{
    (void)instance;
    ((struct world *)user)->setups++;
}

static void on_start(void *user, struct tw_instance *instance)
{
    struct world *w = user;

    w->starts++;
    assert_true(tw_instance_active(instance));
    tw_instance_unref(w->instance);
    w->instance = tw_instance_ref(instance);
}

static void on_stop(void *user, struct tw_instance *instance)
{
    struct world *w = user;

    w->stops++;
    assert_false(tw_instance_active(instance));
    if (!w->stop_later)
        tw_instance_done(instance);
}

static void on_flush(void *user, struct tw_instance *instance)
{
    (void)instance;
    ((struct world *)user)->flushes++;
}

static void on_clear(void *user, struct tw_instance *instance)
{
    (void)instance;
    ((struct world *)user)->clears++;
}

static void world_init(struct world *w)
{
    struct tw_producer_config config = {.socket = w->name, .name = "test"};
    struct tw_data_source_config source = {
        .name = "tw.test",
        .ops = {on_setup, on_start, on_stop, on_flush, on_clear},
        .user = w,
        .handles_incremental_state_clear = true,
    };

    *w = (struct world){.listener = -1, .conn = -1, .shm = TW_SHM_INIT};
    snprintf(w->name, sizeof(w->name), "@tracewire-test-endpoint-%d", (int)getpid());
    assert_int_equal(tw_producer_open(&w->producer, &config), 0);
    assert_int_equal(tw_producer_register(w->producer, &source), 0);
    assert_int_equal(tw_producer_register(w->producer, &source), TW_E_EXISTS);
    assert_int_equal(
        tw_sock_listen(w->name, &(struct tw_sock_access){0600, (gid_t)-1}, &w->listener), 0);
}

static void hang_up(struct world *w)
{
    if (w->conn >= 0)
        tw_host_deinit(&w->host);
    tw_fd_close(&w->conn);
    tw_shm_deinit(&w->shm);
    w->async_id = 0;
    w->n_calls = 0;
}

static void world_deinit(struct world *w)
{
    tw_instance_unref(w->instance);
    w->instance = NULL;
    tw_producer_close(w->producer);
    hang_up(w);
    tw_fd_close(&w->listener);
}

static void reply(struct world *w, uint64_t id, struct tw_bytes body, bool more, int fd)
{
    assert_int_equal(tw_host_reply(&w->host, id, &body, more, fd), 0);
}

static void read_commit(struct world *w, struct tw_bytes args)
{
    struct tw_reader r = tw_reader_of(args);
    struct tw_field f;
    int rc;

    while ((rc = tw_read_field(&r, &f)) == 0) {
        w->moves += f.number == 1;
        if (f.number == 3)
            w->flush_done = f.value;
    }
    assert_int_equal(rc, TW_MORE);
}

static void on_call(struct world *w, const struct tw_host_call *call)
{
    struct tw_reader r = tw_reader_of(call->args);
    uint8_t buf[16];
    struct tw_writer body = tw_writer_of(buf, sizeof(buf));
    struct tw_field f;

    assert_true(w->n_calls < CALLS_MAX);
    w->calls[w->n_calls++] = call->method;
    if (tw_read_field(&r, &f) == 0 && f.number == 1)
        w->last_arg[call->method] = f.value;
    if (call->method == TW_PRODUCER_COMMIT_DATA)
        read_commit(w, call->args);
    if (call->method == TW_PRODUCER_GET_ASYNC_COMMAND)
        w->async_id = call->request_id;
    else if (!call->drop_reply) {
        if (call->method == TW_PRODUCER_INITIALIZE_CONNECTION && w->emulation)
            tw_put_bool(&body, 3, true);
        reply(w, call->request_id, (struct tw_bytes){buf, tw_writer_size(&body)}, false, -1);
    }
}

static void step(struct world *w, int wait_ms)
{
    struct tw_host_call call;
    int r;

    assert_int_equal(tw_producer_dispatch(w->producer, wait_ms), 0);
    if (w->conn < 0) {
        w->conn = accept4(w->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (w->conn < 0)
            return;
        assert_int_equal(tw_host_init(&w->host, &tw_producer_port), 0);
    }
    r = tw_pump_in(w->conn, &w->host.rx);
    while (tw_host_next(&w->host, &call) == 0)
        on_call(w, &call);
    if (tw_pump_out(w->conn, &w->host.tx) == TW_E_CLOSED || r == TW_E_CLOSED)
        hang_up(w);
}

#define UNTIL(w, condition)                                                                        \
    do {                                                                                           \
        for (int i_ = 0; i_ < STEPS_MAX && !(condition); i_++)                                     \
            step((w), 1);                                                                          \
        assert_true(condition);                                                                    \
    } while (0)

static bool has_call(const struct world *w, uint32_t method)
{
    for (size_t i = 0; i < w->n_calls; i++)
        if (w->calls[i] == method)
            return true;
    return false;
}

/* One command: member with an id and a second field, a number or bytes. */
static void command(struct world *w, uint32_t member, uint64_t id, uint64_t number,
                    struct tw_bytes bytes, int fd)
{
    uint8_t buf[256];
    struct tw_writer body = tw_writer_of(buf, sizeof(buf));
    uint8_t *nested = tw_put_begin(&body, member);

    tw_put_u64(&body, 1, id);
    if (number)
        tw_put_u64(&body, 2, number);
    if (bytes.n)
        tw_put_bytes(&body, 2, bytes);
    tw_put_end(&body, nested);
    assert_false(body.overflow);
    reply(w, w->async_id, (struct tw_bytes){buf, tw_writer_size(&body)}, true, fd);
}

static const struct tw_bytes no_bytes;
/* DataSourceConfig: name "tw.test", target_buffer 7. */
static const uint8_t config_bytes[] = "\x0a\x07tw.test\x10\x07";
static const struct tw_bytes config = {config_bytes, sizeof(config_bytes) - 1};

static void send_memory(struct world *w, uint64_t page_kb)
{
    int fd;

    assert_int_equal(tw_shm_create(&w->shm, SHM_SIZE), 0);
    fd = dup(w->shm.fd);
    command(w, 3, page_kb, 0, no_bytes, fd);
}

static void bring_up(struct world *w)
{
    UNTIL(w, w->async_id && has_call(w, TW_PRODUCER_REGISTER_DATA_SOURCE));
    assert_true(tw_producer_connected(w->producer));
}

static void start_instance(struct world *w, uint64_t id)
{
    int starts = w->starts;

    send_memory(w, 4);
    command(w, 6, id, 0, config, -1);
    command(w, 1, id, 0, config, -1);
    UNTIL(w, w->starts == starts + 1 && has_call(w, TW_PRODUCER_NOTIFY_DATA_SOURCE_STARTED));
    assert_int_equal(w->last_arg[TW_PRODUCER_NOTIFY_DATA_SOURCE_STARTED], id);
}

static void the_calls_come_in_upstreams_order(void **state)
{
    REQ("TW-PROD-001");
    struct world w;

    (void)state;
    world_init(&w);
    bring_up(&w);
    assert_int_equal(w.calls[0], TW_PRODUCER_INITIALIZE_CONNECTION);
    assert_int_equal(w.calls[1], TW_PRODUCER_GET_ASYNC_COMMAND);
    assert_int_equal(w.calls[2], TW_PRODUCER_REGISTER_DATA_SOURCE);
    world_deinit(&w);
}

static void an_instance_is_set_up_started_flushed_cleared_and_stopped(void **state)
{
    struct tw_trace_writer *writer;
    struct world w;

    (void)state;
    world_init(&w);
    bring_up(&w);
    start_instance(&w, 5);
    assert_int_equal(w.setups, 1);
    assert_int_equal(tw_instance_id(w.instance), 5);
    assert_int_equal(tw_instance_config_bytes(w.instance).n, config.n);

    assert_int_equal(tw_writer_new(&writer, w.instance, TW_EXHAUSTED_DEFAULT), 0);
    UNTIL(&w, has_call(&w, TW_PRODUCER_REGISTER_TRACE_WRITER));
    tw_writer_begin(writer);
    assert_int_equal(tw_writer_end(writer), 0);
    tw_writer_flush(writer);
    UNTIL(&w, w.moves == 1);

    command(&w, 5, 5, 33, no_bytes, -1);
    UNTIL(&w, w.flush_done == 33);
    assert_int_equal(w.flushes, 1);
    command(&w, 7, 5, 0, no_bytes, -1);
    UNTIL(&w, w.clears == 1);
    assert_int_equal(tw_instance_state_generation(w.instance), 1);

    w.stop_later = true;
    command(&w, 2, 5, 0, no_bytes, -1);
    UNTIL(&w, w.stops == 1);
    assert_false(has_call(&w, TW_PRODUCER_NOTIFY_DATA_SOURCE_STOPPED));
    tw_writer_begin(writer);
    assert_int_equal(tw_writer_end(writer), 0);
    tw_writer_free(writer);
    tw_instance_done(w.instance);
    tw_instance_done(w.instance);
    UNTIL(&w, has_call(&w, TW_PRODUCER_NOTIFY_DATA_SOURCE_STOPPED));
    /* What was written goes before the word that it is over. */
    assert_int_equal(w.moves, 2);
    assert_true(has_call(&w, TW_PRODUCER_UNREGISTER_TRACE_WRITER));
    assert_int_equal(w.calls[w.n_calls - 1], TW_PRODUCER_NOTIFY_DATA_SOURCE_STOPPED);
    UNTIL(&w, tw_producer_idle(w.producer));
    world_deinit(&w);
}

static void after_a_disconnect_everything_is_registered_again(void **state)
{
    struct tw_trace_writer *writer;
    struct world w;

    (void)state;
    world_init(&w);
    bring_up(&w);
    start_instance(&w, 5);
    assert_int_equal(tw_writer_new(&writer, w.instance, TW_EXHAUSTED_STALL), 0);
    hang_up(&w);
    UNTIL(&w, w.stops == 1);
    tw_writer_begin(writer);
    assert_int_equal(tw_writer_end(writer), TW_E_CLOSED);
    bring_up(&w);
    start_instance(&w, 6);
    assert_int_equal(tw_instance_id(w.instance), 6);
    tw_writer_free(writer); /* of the connection before */
    world_deinit(&w);
    assert_int_equal(w.stops, 2);
}

static void commands_that_make_no_sense_are_counted_and_ignored(void **state)
{
    static const uint8_t broken[] = {0x0a, 0x7f, 0x01};
    struct tw_producer_stats stats;
    struct world w;

    (void)state;
    world_init(&w);
    bring_up(&w);
    command(&w, 6, 5, 0, config, -1); /* set up without memory */
    command(&w, 1, 5, 0, config, -1); /* start of what is not set up */
    command(&w, 2, 99, 0, no_bytes, -1);
    command(&w, 4, 1, 0, no_bytes, -1); /* a member that does not exist */
    reply(&w, w.async_id, (struct tw_bytes){broken, sizeof(broken)}, true, -1);
    reply(&w, w.async_id, no_bytes, true, -1);
    send_memory(&w, 4);
    command(&w, 6, 5, 0, config, -1);
    command(&w, 6, 5, 0, config, -1);   /* twice */
    command(&w, 3, 4, 0, no_bytes, -1); /* memory, twice */
    command(&w, 6, 6, 0, (struct tw_bytes){broken, sizeof(broken)}, -1);
    command(&w, 6, 7, 0, (struct tw_bytes){(const uint8_t *)"\x0a\x01x", 3}, -1);
    command(&w, 1, 5, 0, config, -1);
    UNTIL(&w, w.starts == 1);
    tw_producer_stats(w.producer, &stats);
    assert_int_equal(stats.bad_commands, 10);
    assert_int_equal(stats.connects, 1);
    assert_int_equal(w.setups, 1);
    world_deinit(&w);
}

static void a_program_registers_so_many_data_sources(void **state)
{
    char name[16];
    struct tw_data_source_config source = {.name = name};
    struct tw_producer_config c = {.socket = "@x", .name = "x"};
    struct tw_producer *p;

    REQ("TW-LIM-060");
    (void)state;
    assert_int_equal(tw_producer_open(&p, &c), 0);
    for (int i = 0; i <= TW_PRODUCER_SOURCES_MAX; i++) {
        snprintf(name, sizeof(name), "source %d", i);
        assert_int_equal(tw_producer_register(p, &source),
                         i < TW_PRODUCER_SOURCES_MAX ? 0 : TW_E_LIMIT);
    }
    tw_producer_close(p);
}

static void a_service_sets_up_so_many_instances(void **state)
{
    struct tw_producer_stats stats;
    struct world w;

    REQ("TW-LIM-061");
    (void)state;
    world_init(&w);
    bring_up(&w);
    send_memory(&w, 4);
    for (uint64_t id = 1; id <= TW_PRODUCER_INSTANCES_MAX + 2; id++)
        command(&w, 6, id, 0, config, -1);
    command(&w, 1, 1, 0, config, -1); /* the others are served */
    UNTIL(&w, w.starts == 1);
    assert_int_equal(w.setups, TW_PRODUCER_INSTANCES_MAX);
    tw_producer_stats(w.producer, &stats);
    assert_int_equal(stats.bad_commands, 2);
    world_deinit(&w);
}

static void memory_that_is_not_as_it_must_be_ends_the_connection(void **state)
{
    struct world w;
    int pair[2];

    (void)state;
    world_init(&w);
    for (int i = 0; i < 3; i++) {
        bring_up(&w);
        if (i == 0) {
            command(&w, 3, 4, 0, no_bytes, -1); /* no descriptor */
        } else if (i == 1) {
            assert_int_equal(pipe2(pair, O_CLOEXEC), 0);
            command(&w, 3, 4, 0, no_bytes, pair[0]);
            close(pair[1]);
        } else {
            send_memory(&w, 60); /* does not divide 64 KiB */
        }
        UNTIL(&w, w.conn < 0);
        assert_int_equal(w.setups, 0);
    }
    world_deinit(&w);
}

static void a_service_without_shared_memory_is_left(void **state)
{
    struct tw_producer_stats stats;
    struct world w;

    (void)state;
    world_init(&w);
    w.emulation = 1;
    UNTIL(&w, w.conn >= 0);
    UNTIL(&w, w.conn < 0);
    tw_producer_stats(w.producer, &stats);
    assert_int_equal(stats.connects, 0);
    world_deinit(&w);
}

static void bad_configs_are_refused(void **state)
{
    struct tw_producer_config c = {.socket = "@x", .name = "x", .chunks_per_page = 3};
    struct tw_producer *p;

    (void)state;
    assert_int_equal(tw_producer_open(&p, &c), TW_E_INVALID);
    c.chunks_per_page = 15;
    assert_int_equal(tw_producer_open(&p, &c), TW_E_INVALID);
    c.chunks_per_page = 14;
    c.name = NULL;
    assert_int_equal(tw_producer_open(&p, &c), TW_E_INVALID);
    c.name = "x";
#if SIZE_MAX > UINT32_MAX
    c.shm_size = (size_t)UINT32_MAX + 1; /* the protocol says it in 32 bits */
    assert_int_equal(tw_producer_open(&p, &c), TW_E_INVALID);
#endif
    c = (struct tw_producer_config){.socket = "@", .name = "x"};
    assert_int_equal(tw_producer_open(&p, &c), TW_E_INVALID);
    tw_producer_close(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        tw_unit_test(the_calls_come_in_upstreams_order),
        tw_unit_test(an_instance_is_set_up_started_flushed_cleared_and_stopped),
        tw_unit_test(after_a_disconnect_everything_is_registered_again),
        tw_unit_test(commands_that_make_no_sense_are_counted_and_ignored),
        tw_unit_test(a_program_registers_so_many_data_sources),
        tw_unit_test(a_service_sets_up_so_many_instances),
        tw_unit_test(memory_that_is_not_as_it_must_be_ends_the_connection),
        tw_unit_test(a_service_without_shared_memory_is_left),
        tw_unit_test(bad_configs_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
