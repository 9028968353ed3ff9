/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/consumer/rig.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/bytes.h"
#include "base/fd.h"

static void keep(struct told *told, struct tw_bytes bytes)
{
    memset(told->text, 0, sizeof(told->text));
    told->n = bytes.n;
    if (bytes.n)
        memcpy(told->text, bytes.p, tw_min(bytes.n, sizeof(told->text) - 1));
}

static void maybe_free(struct told *told)
{
    struct tw_consumer *consumer = told->free_it;

    told->free_it = NULL;
    tw_consumer_free(consumer);
}

void on_done(void *user, int result)
{
    struct told *told = user;

    told->times++;
    told->result = result;
    maybe_free(told);
}

void on_reply(void *user, int result, struct tw_bytes body, bool more)
{
    struct told *told = user;

    told->times++;
    told->result = result;
    told->more = more;
    keep(told, body);
    maybe_free(told);
}

void on_ended(void *user, int result, struct tw_bytes error)
{
    on_reply(user, result, error, false);
}

void on_packet(void *user, struct tw_bytes packet)
{
    struct told *told = user;

    told->packets++;
    keep(told, packet);
    maybe_free(told);
}

void host_send_bytes(struct rig *rig, const void *p, size_t n)
{
    assert_int_equal(send(rig->host, p, n, MSG_NOSIGNAL), n);
}

void host_send(struct rig *rig, const struct tw_frame *frame)
{
    uint8_t bytes[4096];
    size_t n;

    assert_int_equal(tw_frame_encode(frame, bytes, sizeof(bytes), &n), 0);
    host_send_bytes(rig, bytes, n);
}

/* The next frame that the consumer has sent; false when there is none. */
bool host_receive(struct rig *rig, struct tw_frame *frame)
{
    struct tw_bytes payload;

    while (tw_rx_next(&rig->rx, &payload))
        if (tw_pump_in(rig->host, &rig->rx))
            return false;
    assert_int_equal(tw_frame_decode(payload, frame, NULL), 0);
    return true;
}

struct tw_frame host_expect(struct rig *rig, uint32_t method)
{
    struct tw_frame frame;

    assert_true(host_receive(rig, &frame));
    assert_int_equal(frame.kind, TW_FRAME_INVOKE);
    assert_int_equal(frame.invoke.service_id, 7);
    assert_int_equal(frame.invoke.method_id, 100 + method);
    assert_false(frame.invoke.drop_reply);
    return frame;
}

void host_reply(struct rig *rig, uint64_t id, bool success, bool more, const char *body, size_t n)
{
    struct tw_frame frame = {
        .kind = TW_FRAME_INVOKE_REPLY,
        .request_id = id,
        .invoke_reply = {.success = success,
                         .has_more = more,
                         .has_reply = body != NULL,
                         .reply = {.p = (const uint8_t *)body, .n = n}},
    };

    host_send(rig, &frame);
}

/* Numbers its methods from 101 on, so that nobody gets by with guessing. */
void host_bind_reply(struct rig *rig, uint64_t id, bool success)
{
    struct tw_method_info methods[TW_METHOD_MAX];
    struct tw_frame frame = {
        .kind = TW_FRAME_BIND_REPLY,
        .request_id = id,
        .bind_reply = {.success = success, .service_id = 7, .method = methods},
    };

    for (uint32_t i = 1; i <= tw_consumer_port.n_methods; i++)
        methods[frame.bind_reply.n_methods++] = (struct tw_method_info){
            .id = 100 + i, .name = tw_bytes_of_str(tw_consumer_port.method[i].name)};
    host_send(rig, &frame);
}

void host_close(struct rig *rig)
{
    tw_fd_close(&rig->host);
}

struct rig *rig_new(void)
{
    struct rig *rig = calloc(1, sizeof(*rig));
    int pair[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    rig->host = pair[1];
    assert_int_equal(tw_rx_init(&rig->rx), 0);
    assert_int_equal(tw_consumer_new(pair[0], on_done, &rig->bound, &rig->consumer), 0);
    return rig;
}

void rig_free(struct rig *rig)
{
    tw_consumer_free(rig->consumer);
    host_close(rig);
    tw_rx_deinit(&rig->rx);
    free(rig);
}

struct rig *rig_bound(void)
{
    struct rig *rig = rig_new();
    struct tw_frame frame;

    assert_int_equal(tw_consumer_dispatch(rig->consumer), 0);
    assert_true(host_receive(rig, &frame));
    assert_int_equal(frame.kind, TW_FRAME_BIND);
    assert_memory_equal(frame.bind.service_name.p, "ConsumerPort", frame.bind.service_name.n);
    host_bind_reply(rig, frame.request_id, true);
    assert_int_equal(tw_consumer_dispatch(rig->consumer), 0);
    assert_int_equal(rig->bound.times, 1);
    assert_int_equal(rig->bound.result, 0);
    return rig;
}

void assert_told(const struct told *told, int times, int result)
{
    assert_int_equal(told->times, times);
    assert_int_equal(told->result, result);
}

/* The connection is over, and stays over. */
void assert_over(struct rig *rig)
{
    assert_int_equal(tw_consumer_dispatch(rig->consumer), TW_E_CLOSED);
    assert_int_equal(tw_consumer_dispatch(rig->consumer), TW_E_CLOSED);
    assert_non_null(tw_consumer_why(rig->consumer));
    assert_int_equal(tw_consumer_flush(rig->consumer, 0, 0, on_done, NULL), TW_E_CLOSED);
}

/* The calls in the order of a session, those with answers last. */
static int call_plain_nth(struct tw_consumer *c, int which, struct told *told)
{
    switch (which) {
    case 1:
        return tw_consumer_start_tracing(c, on_done, told);
    case 2:
        return tw_consumer_disable_tracing(c, on_done, told);
    case 3:
        return tw_consumer_flush(c, 1, 0x34, on_done, told);
    case 4:
        return tw_consumer_read_buffers(c, on_packet, on_done, told);
    case 5:
        return tw_consumer_free_buffers(c, on_done, told);
    case 9:
        return tw_consumer_change_trace_config(c, tw_bytes_of_str("d"), on_done, told);
    default:
        return tw_consumer_detach(c, "key", on_done, told);
    }
}

static int call_replied_nth(struct tw_consumer *c, int which, struct told *told)
{
    struct tw_clone_args args = {.session_id = TW_CLONE_FOR_BUGREPORT, .for_bugreport = true};

    switch (which) {
    case 6:
        return tw_consumer_query_service_state(c, false, on_reply, told);
    case 7:
        return tw_consumer_query_capabilities(c, on_reply, told);
    case 8:
        return tw_consumer_observe_events(c, 2, on_reply, told);
    case 11:
        return tw_consumer_attach(c, "key", on_reply, told);
    case 12:
        return tw_consumer_get_trace_stats(c, on_reply, told);
    case 13:
        return tw_consumer_save_trace_for_bugreport(c, on_reply, told);
    default:
        return tw_consumer_clone_session(c, &args, -1, on_reply, told);
    }
}

int call_nth(struct rig *rig, int which, struct told *told)
{
    struct tw_consumer *c = rig->consumer;

    if (which == 0)
        return tw_consumer_enable_tracing(c, tw_bytes_of_str("c"), -1, on_ended, told);
    if (which == 15)
        return tw_consumer_await_end(c, on_ended, told);
    if (which <= 5 || which == 9 || which == 10)
        return call_plain_nth(c, which, told);
    return call_replied_nth(c, which, told);
}

static int wait_plain_nth(struct tw_consumer *c, int which, uint32_t ms, struct told *told)
{
    switch (which) {
    case 1:
        return tw_consumer_start_tracing_wait(c, ms);
    case 2:
        return tw_consumer_disable_tracing_wait(c, ms);
    case 3:
        return tw_consumer_flush_wait(c, 1, 0x34, ms);
    case 4:
        return tw_consumer_read_buffers_wait(c, on_packet, told, ms);
    case 5:
        return tw_consumer_free_buffers_wait(c, ms);
    case 9:
        return tw_consumer_change_trace_config_wait(c, tw_bytes_of_str("d"), ms);
    default:
        return tw_consumer_detach_wait(c, "key", ms);
    }
}

static int wait_answer_nth(struct tw_consumer *c, int which, uint32_t ms, struct tw_answer *answer)
{
    struct tw_clone_args args = {.session_id = TW_CLONE_FOR_BUGREPORT, .for_bugreport = true};

    switch (which) {
    case 0:
        return tw_consumer_enable_tracing_wait(c, tw_bytes_of_str("c"), -1, ms, answer);
    case 6:
        return tw_consumer_query_service_state_wait(c, false, ms, answer);
    case 7:
        return tw_consumer_query_capabilities_wait(c, ms, answer);
    case 8:
        return tw_consumer_observe_events_wait(c, 2, ms, answer);
    case 11:
        return tw_consumer_attach_wait(c, "key", ms, answer);
    case 12:
        return tw_consumer_get_trace_stats_wait(c, ms, answer);
    case 13:
        return tw_consumer_save_trace_for_bugreport_wait(c, ms, answer);
    case 14:
        return tw_consumer_clone_session_wait(c, &args, -1, ms, answer);
    default:
        return tw_consumer_await_end_wait(c, ms, answer);
    }
}

int wait_nth(struct tw_consumer *consumer, int which, uint32_t timeout_ms, struct told *told)
{
    struct tw_answer answer = {0};

    if ((which >= 1 && which <= 5) || which == 9 || which == 10) {
        told->result = wait_plain_nth(consumer, which, timeout_ms, told);
        return told->result;
    }
    told->result = wait_answer_nth(consumer, which, timeout_ms, &answer);
    if (told->result == 0)
        keep(told, (struct tw_bytes){.p = answer.p, .n = answer.n});
    free(answer.p);
    return told->result;
}

struct tw_frame any_request(struct rig *rig)
{
    struct tw_frame frame;

    assert_true(host_receive(rig, &frame));
    assert_int_equal(frame.kind, TW_FRAME_INVOKE);
    return frame;
}
