/* SPDX-License-Identifier: Apache-2.0 */
/* Why a call gets no success: in the reply where there are words for it, else to the embedder. That
 * none is without a reason the rig asserts of every reply in every test. */
#include <string.h>

#include "service/core.h"
#include "tests/harness.h"
#include "tests/service/rig.h"

struct refusal {
    enum tw_service_port port;
    bool initialised; /* producers */
    uint32_t method;
    const char *args, *why;
    bool dropped; /* nobody wants the reply */
};

static const struct refusal refusals[] = {
    {TW_SERVICE_PRODUCER, false, TW_PRODUCER_SYNC, "", "TW-PROD-001", false},
    {TW_SERVICE_PRODUCER, false, TW_PRODUCER_SYNC, "", "TW-PROD-001", true},
    {TW_SERVICE_PRODUCER, true, TW_PRODUCER_INITIALIZE_CONNECTION, "", "TW-PROD-001", false},
    {TW_SERVICE_PRODUCER, true, TW_PRODUCER_GET_ASYNC_COMMAND, "", "TW-PROD-034", false},
    {TW_SERVICE_PRODUCER, true, TW_PRODUCER_COMMIT_DATA, "\x0a\x7f", "TW-SESS-016", false},
    {TW_SERVICE_PRODUCER, true, TW_PRODUCER_REGISTER_DATA_SOURCE, "\x0a\x7f", "TW-SESS-016", false},
    {TW_SERVICE_CONSUMER, false, TW_CONSUMER_ENABLE_TRACING, "\x0a\x7f", "TW-SESS-016", false},
    {TW_SERVICE_CONSUMER, false, TW_CONSUMER_CHANGE_TRACE_CONFIG, "\x0a\x7f", "TW-SESS-016", false},
    {TW_SERVICE_CONSUMER, false, TW_CONSUMER_CHANGE_TRACE_CONFIG, "", "TW-CONS-021", false},
    {TW_SERVICE_CONSUMER, false, TW_CONSUMER_START_TRACING, "", "TW-CONS-005", false},
    {TW_SERVICE_CONSUMER, false, TW_CONSUMER_FLUSH, "", "TW-CONS-005", false},
    {TW_SERVICE_CONSUMER, false, TW_CONSUMER_GET_TRACE_STATS, "", "TW-CONS-005", false},
    {TW_SERVICE_CONSUMER, false, TW_CONSUMER_DETACH, "", "TW-CONS-010", false},
    {TW_SERVICE_CONSUMER, false, TW_CONSUMER_ATTACH, "", "TW-CONS-011", false},
};

static struct rig_peer *connect_for(struct rig *rig, const struct refusal *r)
{
    if (r->port == TW_SERVICE_PRODUCER && r->initialised)
        return rig_producer(rig, "p");
    return rig_connect(rig, r->port);
}

static void a_refusal_says_why(void **state)
{
    struct rig rig;

    (void)state;
    rig_init(&rig);
    for (size_t i = 0; i < TW_ARRAY_LEN(refusals); i++) {
        const struct refusal *r = &refusals[i];
        struct tw_bytes args = {(const uint8_t *)r->args, strlen(r->args)};
        struct rig_peer *peer = connect_for(&rig, r);
        uint64_t id;

        rig.why = "";
        id = rig_send_raw(peer, r->method, args, r->dropped, -1);
        rig_pump(&rig);
        assert_int_equal(strncmp(rig.why, r->why, strlen(r->why)), 0);
        assert_int_equal(rig_count(peer, id), !r->dropped);
    }
    rig_free(&rig);
}

static void enabling_without_a_config_is_an_error_with_words(void **state)
{
    REQ("TW-CONS-080");
    Tw__EnableTracingResponse *response;
    struct rig_peer *consumer;
    struct rig rig;

    (void)state;
    rig_init(&rig);
    consumer = rig_consumer(&rig);
    response = rig_decode(consumer, rig_call(consumer, TW_CONSUMER_ENABLE_TRACING, NULL),
                          &tw__enable_tracing_response__descriptor);
    assert_non_null(response);
    assert_true(response->disabled);
    assert_memory_equal(response->error, "TW-CONS-080", 11);
    assert_memory_equal(rig.why, "TW-CONS-080", 11);
    assert_true(TAILQ_EMPTY(&rig.service->sessions));
    rig_free(&rig);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        tw_unit_test(a_refusal_says_why),
        tw_unit_test(enabling_without_a_config_is_an_error_with_words),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
