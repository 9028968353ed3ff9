/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A whole session, in which one side goes away after each byte that it sends and after each step of
 * the other: whoever is left is served, and nothing of who went is left.
 */
#include <string.h>

#include "tests/harness.h"
#include "tests/service/rig.h"

struct scene {
    struct rig rig;
    struct rig_peer *producer, *consumer;
    Tw__TraceConfig *config;
};

static void send_commit(struct scene *s, uint64_t flush)
{
    Tw__CommitDataRequest req = TW__COMMIT_DATA_REQUEST__INIT;
    Tw__CommitDataRequest__ChunksToMove move = TW__COMMIT_DATA_REQUEST__CHUNKS_TO_MOVE__INIT;
    Tw__CommitDataRequest__ChunksToMove *moves[] = {&move};
    struct tw_bytes packet = rig_packet(&s->rig, "packet");
    struct rig_chunk chunk = {.writer_id = 1, .page = (uint32_t)flush, .chunk_id = (uint32_t)flush};

    if (s->producer->shm.p) {
        rig_write(s->producer, &chunk, &packet, 1);
        move.has_page = move.has_target_buffer = true;
        move.page = (uint32_t)flush;
        move.target_buffer = 1;
        req.n_chunks_to_move = 1;
        req.chunks_to_move = moves;
    }
    req.has_flush_request_id = true;
    req.flush_request_id = flush;
    rig_send(s->producer, TW_PRODUCER_COMMIT_DATA, &req.base);
}

static void initialize(struct scene *s)
{
    Tw__InitializeConnectionRequest req = TW__INITIALIZE_CONNECTION_REQUEST__INIT;

    req.has_smb_scraping_mode = true;
    req.smb_scraping_mode =
        TW__INITIALIZE_CONNECTION_REQUEST__PRODUCER_SMBSCRAPING_MODE__SMB_SCRAPING_ENABLED;
    rig_send(s->producer, TW_PRODUCER_INITIALIZE_CONNECTION, &req.base);
}

static void listen(struct scene *s)
{
    s->producer->commands_id = rig_send(s->producer, TW_PRODUCER_GET_ASYNC_COMMAND, NULL);
}

static void add_source(struct scene *s)
{
    Tw__RegisterDataSourceRequest req = TW__REGISTER_DATA_SOURCE_REQUEST__INIT;
    Tw__DataSourceDescriptor d = TW__DATA_SOURCE_DESCRIPTOR__INIT;

    d.name = tw_pbc_str("source");
    d.has_will_notify_on_start = d.will_notify_on_start = true;
    d.has_will_notify_on_stop = d.will_notify_on_stop = true;
    req.data_source_descriptor = &d;
    rig_send(s->producer, TW_PRODUCER_REGISTER_DATA_SOURCE, &req.base);
}

static void observe(struct scene *s)
{
    Tw__ObserveEventsRequest req = TW__OBSERVE_EVENTS_REQUEST__INIT;
    Tw__ObservableEvents__Type types[] = {
        TW__OBSERVABLE_EVENTS__TYPE__TYPE_DATA_SOURCES_INSTANCES,
        TW__OBSERVABLE_EVENTS__TYPE__TYPE_ALL_DATA_SOURCES_STARTED,
    };

    req.n_events_to_observe = 2;
    req.events_to_observe = types;
    rig_send(s->consumer, TW_CONSUMER_OBSERVE_EVENTS, &req.base);
}

static void enable(struct scene *s)
{
    rig_enable(s->consumer, s->config);
}

static void bind_writer(struct scene *s)
{
    Tw__RegisterTraceWriterRequest req = TW__REGISTER_TRACE_WRITER_REQUEST__INIT;

    req.has_trace_writer_id = req.has_target_buffer = true;
    req.trace_writer_id = req.target_buffer = 1;
    rig_send(s->producer, TW_PRODUCER_REGISTER_TRACE_WRITER, &req.base);
}

static void say_started(struct scene *s)
{
    Tw__NotifyDataSourceStartedRequest req = TW__NOTIFY_DATA_SOURCE_STARTED_REQUEST__INIT;

    req.has_data_source_id = true;
    req.data_source_id = 1;
    rig_send(s->producer, TW_PRODUCER_NOTIFY_DATA_SOURCE_STARTED, &req.base);
}

static void commit(struct scene *s)
{
    send_commit(s, 0);
}

static void ask_flush(struct scene *s)
{
    rig_send(s->consumer, TW_CONSUMER_FLUSH, NULL);
}

static void answer_flush(struct scene *s)
{
    send_commit(s, 1);
}

static void read(struct scene *s)
{
    rig_send(s->consumer, TW_CONSUMER_READ_BUFFERS, NULL);
}

static void disable(struct scene *s)
{
    rig_send(s->consumer, TW_CONSUMER_DISABLE_TRACING, NULL);
}

static void say_stopped(struct scene *s)
{
    Tw__NotifyDataSourceStoppedRequest req = TW__NOTIFY_DATA_SOURCE_STOPPED_REQUEST__INIT;

    req.has_data_source_id = true;
    req.data_source_id = 1;
    rig_send(s->producer, TW_PRODUCER_NOTIFY_DATA_SOURCE_STOPPED, &req.base);
}

static void query(struct scene *s)
{
    rig_send(s->consumer, TW_CONSUMER_QUERY_SERVICE_STATE, NULL);
}

static void free_buffers(struct scene *s)
{
    rig_send(s->consumer, TW_CONSUMER_FREE_BUFFERS, NULL);
}

static void remove_source(struct scene *s)
{
    Tw__UnregisterDataSourceRequest req = TW__UNREGISTER_DATA_SOURCE_REQUEST__INIT;

    req.data_source_name = tw_pbc_str("source");
    rig_send(s->producer, TW_PRODUCER_UNREGISTER_DATA_SOURCE, &req.base);
}

typedef void (*step_fn)(struct scene *);
static const step_fn steps[] = {
    initialize,  listen,      add_source, observe,      enable,        bind_writer,
    say_started, commit,      ask_flush,  answer_flush, read,          disable,
    query,       say_stopped, read,       free_buffers, remove_source,
};
enum { STEPS = sizeof(steps) / sizeof(steps[0]) };

static void begin(struct scene *s)
{
    rig_init(&s->rig);
    s->producer = rig_connect(&s->rig, TW_SERVICE_PRODUCER);
    s->consumer = rig_consumer(&s->rig);
    s->config = rig_config(&s->rig, "source");
    s->config->has_flush_period_ms = true;
    s->config->flush_period_ms = 1000;
}

static void run(struct scene *s, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++) {
        steps[i](s);
        rig_pump(&s->rig);
    }
}

/* Every timer that is left runs out, and another pair is served as if nothing had been. */
static void end(struct scene *s)
{
    struct rig_peer *producer, *consumer;
    struct rig_trace trace;

    rig_advance(&s->rig, 20000);
    producer = rig_producer(&s->rig, "next");
    rig_register(producer, "next");
    consumer = rig_consumer(&s->rig);
    rig_enable(consumer, rig_config(&s->rig, "next"));
    rig_emit(producer, 0, rig_buffer(producer), "next");
    trace = rig_read(consumer);
    assert_true(trace.whole);
    assert_int_equal(rig_find(&trace, "next", NULL), 1);
    rig_free(&s->rig);
}

static void a_peer_may_go_after_each_step(void **state)
{
    (void)state;
    for (size_t n = 0; n <= STEPS; n++)
        for (int who = 1; who <= 3; who++) {
            struct scene s;

            begin(&s);
            run(&s, 0, n);
            if (who & 1)
                rig_disconnect(s.producer);
            if (who & 2)
                rig_disconnect(s.consumer);
            run(&s, n, STEPS);
            end(&s);
        }
}

/* The same without a pause between the steps: everything is on its way when the peer goes. */
static void a_peer_may_go_with_everything_on_its_way(void **state)
{
    (void)state;
    for (size_t n = 0; n <= STEPS; n++)
        for (int who = 1; who <= 3; who++) {
            struct scene s;

            begin(&s);
            run(&s, 0, n / 2);
            for (size_t i = n / 2; i < n; i++)
                if (steps[i] != enable)
                    steps[i](&s);
            if (who & 1)
                rig_disconnect(s.producer);
            if (who & 2)
                rig_disconnect(s.consumer);
            end(&s);
        }
}

static size_t bytes_of_a_whole_run(bool producer)
{
    struct scene s;
    struct rig_peer *who;
    size_t left;

    begin(&s);
    who = producer ? s.producer : s.consumer;
    who->cut_after = SIZE_MAX / 2;
    run(&s, 0, STEPS);
    left = who->cut_after;
    end(&s);
    return SIZE_MAX / 2 - left;
}

static void cut_after_each_byte(bool producer)
{
    size_t all = bytes_of_a_whole_run(producer);

    assert_in_range(all, 100, 2000);
    for (size_t n = 0; n < all; n++) {
        struct scene s;
        struct rig_peer *who;

        begin(&s);
        who = producer ? s.producer : s.consumer;
        who->cut_after = n;
        run(&s, 0, STEPS);
        assert_null(who->conn);
        end(&s);
    }
}

static void a_producer_may_go_after_each_byte(void **state)
{
    (void)state;
    cut_after_each_byte(true);
}

static void a_consumer_may_go_after_each_byte(void **state)
{
    (void)state;
    cut_after_each_byte(false);
}

static void the_service_may_end_at_any_step(void **state)
{
    (void)state;
    for (size_t n = 0; n <= STEPS; n++) {
        struct scene s;

        begin(&s);
        run(&s, 0, n);
        /* The peers learn of it from their sockets; here they are only told not to come back. */
        s.producer->conn = s.consumer->conn = NULL;
        rig_free(&s.rig);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        tw_unit_test(a_peer_may_go_after_each_step),
        tw_unit_test(a_peer_may_go_with_everything_on_its_way),
        tw_unit_test(a_producer_may_go_after_each_byte),
        tw_unit_test(a_consumer_may_go_after_each_byte),
        tw_unit_test(the_service_may_end_at_any_step),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
