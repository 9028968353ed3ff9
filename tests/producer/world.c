/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/producer/world.h"

#include <stdio.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/sock.h"
#include "frame/pump.h"
#include "wire/reader.h"
#include "wire/writer.h"

enum { SHM_SIZE = 64 * 1024 };

static const uint8_t config_bytes[] = "\x0a\x07tw.test\x10\x07";
const struct tw_bytes world_config = {config_bytes, sizeof(config_bytes) - 1};
const struct tw_bytes world_no_bytes;

static void on_connected(void *user)
{
    struct world *w = user;

    assert_true(tw_producer_connected(w->producer));
    w->connects++;
}

static void on_disconnected(void *user)
{
    struct world *w = user;

    assert_false(tw_producer_connected(w->producer));
    w->disconnects++;
}

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

void world_prepare(struct world *w)
{
    *w = (struct world){.listener = -1, .conn = -1, .shm = TW_SHM_INIT};
    snprintf(w->name, sizeof(w->name), "@tracewire-test-producer-%d", (int)getpid());
    w->config.socket = w->name;
    w->config.name = "test";
    w->config.connected = on_connected;
    w->config.disconnected = on_disconnected;
    w->config.user = w;
}

void world_open(struct world *w)
{
    struct tw_data_source_config source = {
        .name = "tw.test",
        .ops = {.setup = on_setup,
                .start = on_start,
                .stop = on_stop,
                .flush = on_flush,
                .clear_incremental_state = on_clear},
        .user = w,
        .handles_incremental_state_clear = true,
    };

    assert_int_equal(tw_producer_open(&w->producer, &w->config), 0);
    assert_int_equal(tw_producer_register(w->producer, &source), 0);
    assert_int_equal(tw_producer_register(w->producer, &source), TW_E_EXISTS);
}

void world_listen(struct world *w)
{
    struct tw_sock_access access = {0600, (gid_t)-1};

    assert_int_equal(tw_sock_listen(w->name, &access, &w->listener), 0);
}

void world_serve(struct world *w, int conn)
{
    w->conn = conn;
    assert_int_equal(tw_host_init(&w->host, &tw_producer_port), 0);
}

void world_init(struct world *w)
{
    world_prepare(w);
    world_listen(w);
    world_open(w);
}

void world_hang_up(struct world *w)
{
    if (w->conn >= 0)
        tw_host_deinit(&w->host);
    tw_fd_close(&w->conn);
    tw_shm_deinit(&w->shm);
    w->async_id = 0;
    w->n_calls = 0;
}

void world_deinit(struct world *w)
{
    tw_instance_unref(w->instance);
    w->instance = NULL;
    tw_producer_close(w->producer);
    world_hang_up(w);
    tw_fd_close(&w->listener);
}

void world_reply(struct world *w, uint64_t id, struct tw_bytes body, bool more, int fd)
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

static void read_descriptor(struct world *w, struct tw_bytes descriptor)
{
    struct tw_reader r = tw_reader_of(descriptor);
    struct tw_field f;

    w->source_id = w->source_extra = 0;
    while (tw_read_field(&r, &f) == 0) {
        if (f.number == 7)
            w->source_id = f.value;
        if (f.number == 8)
            w->source_extra = f.bytes.n;
    }
}

static void answer(struct world *w, const struct tw_host_call *call)
{
    uint8_t buf[64];
    struct tw_writer body = tw_writer_of(buf, sizeof(buf));

    if (w->mute)
        return;
    if (call->method == TW_PRODUCER_GET_ASYNC_COMMAND && w->refused != call->method) {
        w->async_id = call->request_id;
        return;
    }
    if (call->drop_reply)
        return;
    if (w->refused == call->method) {
        assert_int_equal(tw_host_reply(&w->host, call->request_id, NULL, false, -1), 0);
        return;
    }
    if (call->method == TW_PRODUCER_INITIALIZE_CONNECTION && w->emulation)
        tw_put_bool(&body, 3, true);
    if (call->method == TW_PRODUCER_REGISTER_DATA_SOURCE && w->error)
        tw_put_str(&body, 1, w->error);
    world_reply(w, call->request_id, (struct tw_bytes){buf, tw_writer_size(&body)}, false, -1);
}

static void on_call(struct world *w, const struct tw_host_call *call)
{
    struct tw_reader r = tw_reader_of(call->args);
    struct tw_field f = {0};

    assert_true(w->n_calls < WORLD_CALLS_MAX);
    w->calls[w->n_calls++] = call->method;
    if (tw_read_field(&r, &f) == 0 && f.number == 1)
        w->last_arg[call->method] = f.value;
    if (call->method == TW_PRODUCER_REGISTER_DATA_SOURCE ||
        call->method == TW_PRODUCER_UPDATE_DATA_SOURCE)
        read_descriptor(w, f.bytes);
    if (call->method == TW_PRODUCER_COMMIT_DATA)
        read_commit(w, call->args);
    answer(w, call);
}

void world_hear(struct world *w)
{
    struct tw_host_call call;
    int r;

    if (w->conn < 0) {
        int conn = accept4(w->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

        if (conn < 0)
            return;
        world_serve(w, conn);
    }
    r = tw_pump_in(w->conn, &w->host.rx);
    while (tw_host_next(&w->host, &call) == 0)
        on_call(w, &call);
    if (tw_pump_out(w->conn, &w->host.tx) == TW_E_CLOSED || r == TW_E_CLOSED)
        world_hang_up(w);
}

void world_step(struct world *w, int wait_ms)
{
    w->ended = tw_producer_dispatch(w->producer, wait_ms);
    assert_true(w->ended >= 0);
    world_hear(w);
}

bool world_has_call(const struct world *w, uint32_t method)
{
    for (size_t i = 0; i < w->n_calls; i++)
        if (w->calls[i] == method)
            return true;
    return false;
}

/* One command: member with an id and a second field, a number or bytes. */
void world_command(struct world *w, uint32_t member, uint64_t id, uint64_t number,
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
    world_reply(w, w->async_id, (struct tw_bytes){buf, tw_writer_size(&body)}, true, fd);
}

void world_send_memory(struct world *w, uint64_t page_kb)
{
    int fd;

    assert_int_equal(tw_shm_create(&w->shm, SHM_SIZE), 0);
    fd = dup(w->shm.fd);
    world_command(w, 3, page_kb, 0, world_no_bytes, fd);
}

void world_bring_up(struct world *w)
{
    UNTIL(w, w->async_id && world_has_call(w, TW_PRODUCER_REGISTER_DATA_SOURCE));
    assert_true(tw_producer_connected(w->producer));
}

void world_start_instance(struct world *w, uint64_t id)
{
    int starts = w->starts;

    world_send_memory(w, 4);
    world_command(w, 6, id, 0, world_config, -1);
    world_command(w, 1, id, 0, world_config, -1);
    UNTIL(w, w->starts == starts + 1 && world_has_call(w, TW_PRODUCER_NOTIFY_DATA_SOURCE_STARTED));
    assert_int_equal(w->last_arg[TW_PRODUCER_NOTIFY_DATA_SOURCE_STARTED], id);
}
