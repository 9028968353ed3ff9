/* SPDX-License-Identifier: Apache-2.0 */
/* Which trace configs are refused, and how many sessions there may be. */
#include <stdlib.h>
#include <string.h>

#include "base/req.h"
#include "service/limits.h"
#include "tests/harness.h"
#include "tests/service/rig.h"

/* What EnableTracing said at once, NULL when nothing: the session runs. */
static const char *error_of(struct rig *rig, const Tw__TraceConfig *config)
{
    struct rig_peer *consumer = rig_consumer(rig);
    uint64_t id = rig_enable(consumer, config);
    Tw__EnableTracingResponse *response =
        rig_decode(consumer, rig_last(consumer, id), &tw__enable_tracing_response__descriptor);
    const char *error = response ? response->error : NULL;

    assert_non_null(consumer->conn);
    if (response)
        assert_true(response->disabled);
    rig_disconnect(consumer);
    return error;
}

static void too_long(Tw__TraceConfig *c)
{
    c->has_duration_ms = true;
    c->duration_ms = UINT32_MAX;
}

static void no_buffers(Tw__TraceConfig *c)
{
    c->n_buffers = 0;
}

static void many_buffers(Tw__TraceConfig *c)
{
    static Tw__TraceConfig__BufferConfig *list[TW_SESSION_BUFFERS_MAX + 1];

    for (size_t i = 0; i < TW_SESSION_BUFFERS_MAX + 1; i++)
        list[i] = c->buffers[0];
    c->buffers = list;
    c->n_buffers = TW_SESSION_BUFFERS_MAX + 1;
}

static void buffer_without_a_size(Tw__TraceConfig *c)
{
    c->buffers[0]->has_size_kb = false;
}

static void empty_buffer(Tw__TraceConfig *c)
{
    c->buffers[0]->size_kb = 0;
}

static void buffer_over_4_gib(Tw__TraceConfig *c)
{
    c->buffers[0]->size_kb = 4 * 1024 * 1024 + 1;
}

static void buffer_that_wraps(Tw__TraceConfig *c)
{
    c->buffers[0]->size_kb = UINT32_MAX;
}

static void many_sources(Tw__TraceConfig *c)
{
    static Tw__TraceConfig__DataSource *list[TW_CONFIG_DATA_SOURCES_MAX + 1];

    for (size_t i = 0; i < TW_CONFIG_DATA_SOURCES_MAX + 1; i++)
        list[i] = c->data_sources[0];
    c->data_sources = list;
    c->n_data_sources = TW_CONFIG_DATA_SOURCES_MAX + 1;
}

static void large_source(Tw__TraceConfig *c)
{
    static char text[TW_NESTED_MAX + 1];

    memset(text, 'x', sizeof(text) - 1);
    c->data_sources[0]->config->name = text;
}

static void target_out_of_range(Tw__TraceConfig *c)
{
    c->data_sources[0]->config->has_target_buffer = true;
    c->data_sources[0]->config->target_buffer = 1;
}

static void target_of_another_name(Tw__TraceConfig *c)
{
    c->buffers[0]->name = tw_pbc_str("here");
    c->data_sources[0]->config->target_buffer_name = tw_pbc_str("there");
}

static void target_of_two_buffers(Tw__TraceConfig *c)
{
    static Tw__TraceConfig__BufferConfig other, *list[2];

    other = *c->buffers[0];
    other.name = tw_pbc_str("here");
    list[0] = &other;
    list[1] = c->buffers[0];
    c->buffers = list;
    c->n_buffers = 2;
    c->data_sources[0]->config->target_buffer_name = tw_pbc_str("here");
    target_out_of_range(c);
}

static void buffers_of_one_name(Tw__TraceConfig *c)
{
    static Tw__TraceConfig__BufferConfig *list[2];

    c->buffers[0]->name = tw_pbc_str("both");
    list[0] = list[1] = c->buffers[0];
    c->buffers = list;
    c->n_buffers = 2;
}

static void bugreport_elsewhere(Tw__TraceConfig *c)
{
    c->bugreport_filename = tw_pbc_str("../trace");
}

static void into_file(Tw__TraceConfig *c)
{
    c->has_write_into_file = c->write_into_file = true;
}

static void compressed_otherwise(Tw__TraceConfig *c)
{
    static Tw__TraceConfig__CompressionConfig z = TW__TRACE_CONFIG__COMPRESSION_CONFIG__INIT;

    c->compression = &z; /* only with a codec of a later version */
}

static void filtered(Tw__TraceConfig *c)
{
    static Tw__TraceConfig__TraceFilter f = TW__TRACE_CONFIG__TRACE_FILTER__INIT;

    c->trace_filter = &f;
}

static void long_name(Tw__TraceConfig *c)
{
    static char text[TW_NAME_MAX + 2];

    memset(text, 'x', sizeof(text) - 1);
    c->unique_session_name = text;
}

static void what_cannot_be_done_is_refused_with_a_text(void **state)
{
    REQ("TW-CONS-080");
    REQ("TW-LIM-012");
    REQ("TW-LIM-014");
    REQ("TW-LIM-019");
    REQ("TW-LIM-030");
    REQ("TW-LIM-034");
    static const struct {
        void (*spoil)(Tw__TraceConfig *c);
        const char *text;
    } rows[] = {
        {too_long, "duration_ms"},
        {no_buffers, "no buffers"},
        {many_buffers, "128 buffers"},
        {buffer_without_a_size, "size_kb"},
        {empty_buffer, "size_kb"},
        {buffer_over_4_gib, "size_kb"},
        {buffer_that_wraps, "size_kb"},
        {many_sources, "1024 data sources"},
        {large_source, "120 KiB"},
        {target_out_of_range, "target_buffer"},
        {target_of_another_name, "target_buffer"},
        {target_of_two_buffers, "target_buffer"},
        {buffers_of_one_name, "same name"},
        {bugreport_elsewhere, "bugreport_filename"},
        {into_file, "write_into_file"},
        {compressed_otherwise, "no compression but deflate"},
        {filtered, "trace_filter"},
        {long_name, "unique_session_name"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct rig rig;
        Tw__TraceConfig *config;
        const char *error;

        rig_init(&rig);
        config = rig_config(&rig, "source");
        assert_null(error_of(&rig, config));
        rows[i].spoil(config);
        error = error_of(&rig, config);
        assert_non_null(error);
        assert_non_null(strstr(error, rows[i].text));
        assert_null(error_of(&rig, rig_config(&rig, "source")));
        rig_free(&rig);
    }
}

static void what_is_at_the_limit_is_accepted(void **state)
{
    REQ("TW-LIM-012");
    REQ("TW-LIM-014");
    REQ("TW-LIM-030");
    struct rig rig;
    Tw__TraceConfig *config;

    (void)state;
    rig_init(&rig);
    config = rig_config(&rig, "source");
    config->has_duration_ms = true;
    config->duration_ms = TW_DURATION_MAX_MS;
    config->buffers[0]->name = tw_pbc_str("here");
    config->data_sources[0]->config->target_buffer_name = tw_pbc_str("here");
    assert_null(error_of(&rig, config));
    config->buffers[0]->name = config->data_sources[0]->config->target_buffer_name = NULL;
    many_buffers(config);
    config->n_buffers = TW_SESSION_BUFFERS_MAX;
    assert_null(error_of(&rig, config));
    many_sources(config);
    config->n_data_sources = TW_CONFIG_DATA_SOURCES_MAX;
    assert_null(error_of(&rig, config));
    rig_free(&rig);
}

static void a_config_near_the_frame_limit_reaches_its_producer(void **state)
{
    REQ("TW-LIM-034");
    static char text[119 * 1024 + 1];
    struct rig rig;
    struct rig_peer *producer;
    Tw__TraceConfig *config;

    (void)state;
    rig_init(&rig);
    producer = rig_producer(&rig, "p");
    rig_register(producer, "source");
    memset(text, 'x', sizeof(text) - 1);
    config = rig_config(&rig, "source");
    config->data_sources[0]->config->legacy_config = text;
    rig_enable(rig_consumer(&rig), config);
    assert_non_null(producer->conn);
    assert_string_equal(
        rig_command(producer, TW__GET_ASYNC_COMMAND_RESPONSE__CMD_START_DATA_SOURCE, 0)
            ->start_data_source->config->legacy_config,
        text);
    rig_free(&rig);
}

static void a_session_name_is_unique(void **state)
{
    struct rig rig;
    Tw__TraceConfig *config;
    struct rig_peer *first;

    (void)state;
    rig_init(&rig);
    config = rig_config(&rig, "source");
    config->unique_session_name = tw_pbc_str("mine");
    first = rig_consumer(&rig);
    rig_enable(first, config);
    assert_non_null(error_of(&rig, config));
    rig_call(first, TW_CONSUMER_FREE_BUFFERS, NULL);
    assert_null(error_of(&rig, config));
    rig_free(&rig);
}

static struct rig_peer *session_of(struct rig *rig, int32_t uid)
{
    struct rig_peer *consumer = rig_connect_silent(rig, TW_SERVICE_CONSUMER, uid);

    assert_int_equal(tw_client_bind(&consumer->client), 0);
    rig_pump(rig);
    rig_enable(consumer, rig_config(rig, "source"));
    return consumer;
}

static void there_are_15_sessions_and_5_of_a_user(void **state)
{
    REQ("TW-LIM-010");
    REQ("TW-LIM-011");
    struct rig rig;
    struct rig_peer *last;

    (void)state;
    rig_init(&rig);
    for (int i = 0; i < 5; i++)
        assert_int_equal(session_of(&rig, 1)->n_replies, 0);
    last = session_of(&rig, 1);
    assert_int_equal(last->n_replies, 1);
    rig_disconnect(last);
    for (int i = 0; i < 10; i++)
        assert_int_equal(session_of(&rig, 2 + i / 5)->n_replies, 0);
    assert_int_equal(session_of(&rig, 4)->n_replies, 1);
    rig_free(&rig);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        tw_unit_test(what_cannot_be_done_is_refused_with_a_text),
        tw_unit_test(what_is_at_the_limit_is_accepted),
        tw_unit_test(a_config_near_the_frame_limit_reaches_its_producer),
        tw_unit_test(a_session_name_is_unique),
        tw_unit_test(there_are_15_sessions_and_5_of_a_user),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
