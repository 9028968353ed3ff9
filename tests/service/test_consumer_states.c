/* SPDX-License-Identifier: Apache-2.0 */
/* Every method of the consumer port in every state of a session, with and without a reply. */
#include <stdint.h>

#include "service/core.h"
#include "tests/harness.h"
#include "tests/service/rig.h"

enum state { NONE, CONFIGURED, STARTED, STOPPING, DISABLED, STATES };

struct scene {
    struct rig rig;
    struct rig_peer *producer, *consumer;
};

/* A session in that state, of a source that says when it has stopped. */
static void begin(struct scene *s, enum state state)
{
    Tw__DataSourceDescriptor d = TW__DATA_SOURCE_DESCRIPTOR__INIT;
    Tw__TraceConfig *config;

    rig_init(&s->rig);
    s->producer = rig_producer(&s->rig, "p");
    d.name = tw_pbc_str("source");
    d.has_will_notify_on_stop = d.will_notify_on_stop = true;
    rig_register_with(s->producer, &d);
    s->consumer = rig_consumer(&s->rig);
    config = rig_config(&s->rig, "source");
    config->has_deferred_start = config->deferred_start = true;
    if (state >= CONFIGURED)
        rig_enable(s->consumer, config);
    if (state >= STARTED)
        rig_call(s->consumer, TW_CONSUMER_START_TRACING, NULL);
    if (state >= STOPPING)
        rig_call(s->consumer, TW_CONSUMER_DISABLE_TRACING, NULL);
    if (state >= DISABLED)
        rig_advance(&s->rig, TW_STOP_TIMEOUT_MS);
}

static int state_of(const struct scene *s)
{
    const struct tw_session *session = s->consumer->conn->session;

    return session ? (int)(CONFIGURED + session->state) : NONE;
}

/* What a call without arguments is answered, and the state after it. */
struct expected {
    bool success;
    enum state then;
};

static const struct {
    uint32_t method;
    struct expected in[STATES];
} table[] = {
    {TW_CONSUMER_DISABLE_TRACING,
     {{true, NONE}, {true, DISABLED}, {true, STOPPING}, {true, STOPPING}, {true, DISABLED}}},
    {TW_CONSUMER_READ_BUFFERS,
     {{true, NONE}, {true, CONFIGURED}, {true, STARTED}, {true, STOPPING}, {true, DISABLED}}},
    {TW_CONSUMER_FREE_BUFFERS,
     {{true, NONE}, {true, NONE}, {true, NONE}, {true, NONE}, {true, NONE}}},
    {TW_CONSUMER_FLUSH,
     {{false, NONE}, {false, CONFIGURED}, {false, STARTED}, {false, STOPPING}, {false, DISABLED}}},
    {TW_CONSUMER_START_TRACING,
     {{false, NONE}, {true, STARTED}, {false, STARTED}, {false, STOPPING}, {false, DISABLED}}},
    {TW_CONSUMER_GET_TRACE_STATS,
     {{false, NONE}, {true, CONFIGURED}, {true, STARTED}, {true, STOPPING}, {true, DISABLED}}},
    {TW_CONSUMER_QUERY_CAPABILITIES,
     {{true, NONE}, {true, CONFIGURED}, {true, STARTED}, {true, STOPPING}, {true, DISABLED}}},
    {TW_CONSUMER_QUERY_SERVICE_STATE,
     {{true, NONE}, {true, CONFIGURED}, {true, STARTED}, {true, STOPPING}, {true, DISABLED}}},
};

static void each_call_is_answered_in_each_state(void **state)
{
    REQ("TW-CONS-005");
    REQ("TW-CONS-006");
    (void)state;
    for (size_t i = 0; i < TW_ARRAY_LEN(table); i++)
        for (int in = 0; in < STATES; in++) {
            const struct expected *expected = &table[i].in[in];
            struct scene s;
            uint64_t id;

            begin(&s, (enum state)in);
            assert_int_equal(state_of(&s), in);
            id = rig_send(s.consumer, table[i].method, NULL);
            rig_pump(&s.rig);
            assert_int_equal(state_of(&s), expected->then);
            rig_advance(&s.rig, TW_FLUSH_TIMEOUT_MS); /* a flush that nobody acknowledges fails */
            assert_non_null(rig_last(s.consumer, id));
            assert_int_equal(rig_last(s.consumer, id)->success, expected->success);
            assert_false(rig_last(s.consumer, id)->has_more);
            rig_free(&s.rig);
        }
}

static void without_a_reply_the_effect_is_the_same(void **state)
{
    (void)state;
    for (size_t i = 0; i < TW_ARRAY_LEN(table); i++)
        for (int in = 0; in < STATES; in++) {
            struct scene s;
            uint64_t id;

            begin(&s, (enum state)in);
            id = rig_send_raw(s.consumer, table[i].method, (struct tw_bytes){0}, true, -1);
            rig_pump(&s.rig);
            assert_int_equal(state_of(&s), table[i].in[in].then);
            rig_advance(&s.rig, TW_FLUSH_TIMEOUT_MS);
            assert_int_equal(rig_count(s.consumer, id), 0);
            rig_free(&s.rig);
        }
}

/* Two calls in one turn: the second meets what the first left. */
static void each_call_may_follow_each_other(void **state)
{
    (void)state;
    for (size_t i = 0; i < TW_ARRAY_LEN(table); i++)
        for (size_t k = 0; k < TW_ARRAY_LEN(table); k++)
            for (int in = 0; in < STATES; in++) {
                enum state then = table[i].in[in].then;
                struct scene s;
                uint64_t first, second;

                begin(&s, (enum state)in);
                first = rig_send(s.consumer, table[i].method, NULL);
                second = rig_send(s.consumer, table[k].method, NULL);
                rig_pump(&s.rig);
                assert_int_equal(state_of(&s), table[k].in[then].then);
                rig_advance(&s.rig, TW_FLUSH_TIMEOUT_MS);
                assert_non_null(rig_last(s.consumer, first));
                assert_false(rig_last(s.consumer, first)->has_more);
                assert_non_null(rig_last(s.consumer, second));
                assert_false(rig_last(s.consumer, second)->has_more);
                rig_free(&s.rig);
            }
}

static void a_flush_takes_any_figures(void **state)
{
    Tw__FlushRequest req = TW__FLUSH_REQUEST__INIT;
    Tw__GetAsyncCommandResponse *command;
    struct scene s;
    uint64_t id;

    (void)state;
    begin(&s, STARTED);
    req.has_timeout_ms = req.has_flags = true;
    req.timeout_ms = UINT32_MAX;
    req.flags = UINT64_MAX;
    id = rig_send(s.consumer, TW_CONSUMER_FLUSH, &req.base);
    rig_pump(&s.rig);
    command = rig_command(s.producer, TW__GET_ASYNC_COMMAND_RESPONSE__CMD_FLUSH, 0);
    assert_true(command->flush->flags == UINT64_MAX);
    rig_advance(&s.rig, 1000000);
    assert_int_equal(rig_count(s.consumer, id), 0);
    rig_call(s.consumer, TW_CONSUMER_FREE_BUFFERS, NULL);
    assert_int_equal(rig_count(s.consumer, id), 1);
    rig_free(&s.rig);
}

static void freeing_some_buffers_frees_all(void **state)
{
    uint32_t ids[] = {0, 77, UINT32_MAX};
    Tw__FreeBuffersRequest req = TW__FREE_BUFFERS_REQUEST__INIT;
    struct scene s;

    REQ("TW-CONS-007");
    (void)state;
    begin(&s, STARTED);
    req.n_buffer_ids = TW_ARRAY_LEN(ids);
    req.buffer_ids = ids;
    assert_true(rig_call(s.consumer, TW_CONSUMER_FREE_BUFFERS, &req.base)->success);
    assert_int_equal(state_of(&s), NONE);
    rig_free(&s.rig);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        tw_unit_test(each_call_is_answered_in_each_state),
        tw_unit_test(without_a_reply_the_effect_is_the_same),
        tw_unit_test(each_call_may_follow_each_other),
        tw_unit_test(a_flush_takes_any_figures),
        tw_unit_test(freeing_some_buffers_frees_all),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
