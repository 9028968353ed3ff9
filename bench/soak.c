/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A long life in a short time: `tracewire serve` sees a thousand sessions one after another, two
 * thousand producers that all take part in one, as many consumers, and tens of thousands of
 * connections that come and go. Then its memory and its descriptors must be what they were. Ends
 * with status 1 when they are not. Nothing here is timed to be judged; the figures are for the
 * reader.
 */
#include <stdlib.h>

#include "base/macros.h"
#include "bench/measure.h"
#include "bench/serve.h"
#include "consumer_port.pb-c.h"
#include "producer_port.pb-c.h"
#include "wire/pbc.h"

enum { SESSIONS = 1000, PEERS = 2000, CHURN = 50000 };

/* KiB of private memory that may be left: what an allocator keeps for the next time does not grow
 * with what has been. */
#define LEFT_AT_MOST 128

static struct serve serve;
static struct peer peers[PEERS];

/* How long each part took, and what the service holds after it. */
static void tell(const char *what, uint64_t since_ns)
{
    serve_settle(&serve);
    printf("%-52s %6.2f s %6ld KiB %5ld descriptors\n", what,
           (double)(tw_clock_ns(CLOCK_MONOTONIC) - since_ns) / (double)TW_NS_PER_S,
           serve_figure(&serve, "smaps_rollup", "Anonymous"), serve_descriptors(&serve));
    fflush(stdout);
}

static void enable(struct peer *consumer)
{
    static char name[] = SERVE_DATA_SOURCE;
    Tw__EnableTracingRequest request = TW__ENABLE_TRACING_REQUEST__INIT;
    Tw__TraceConfig config = TW__TRACE_CONFIG__INIT;
    Tw__TraceConfig__BufferConfig buffer = TW__TRACE_CONFIG__BUFFER_CONFIG__INIT;
    Tw__TraceConfig__BufferConfig *buffers[] = {&buffer};
    Tw__TraceConfig__DataSource source = TW__TRACE_CONFIG__DATA_SOURCE__INIT;
    Tw__TraceConfig__DataSource *sources[] = {&source};
    Tw__DataSourceConfig source_config = TW__DATA_SOURCE_CONFIG__INIT;

    source_config.name = name;
    source.config = &source_config;
    buffer.has_size_kb = true;
    buffer.size_kb = 64;
    config.n_buffers = TW_ARRAY_LEN(buffers);
    config.buffers = buffers;
    config.n_data_sources = TW_ARRAY_LEN(sources);
    config.data_sources = sources;
    request.trace_config = &config;
    peer_call(consumer, TW_CONSUMER_ENABLE_TRACING, &request.base, false);
}

/* The session ends, what is in its buffers is read, and it is forgotten. */
static void finish(struct peer *consumer)
{
    Tw__DisableTracingRequest disable = TW__DISABLE_TRACING_REQUEST__INIT;
    Tw__ReadBuffersRequest read = TW__READ_BUFFERS_REQUEST__INIT;
    Tw__FreeBuffersRequest forget = TW__FREE_BUFFERS_REQUEST__INIT;

    peer_call(consumer, TW_CONSUMER_DISABLE_TRACING, &disable.base, false);
    peer_await(consumer, TW_CONSUMER_ENABLE_TRACING);
    peer_ask(consumer, TW_CONSUMER_READ_BUFFERS, &read.base);
    while (consumer->event.has_more)
        peer_await(consumer, TW_CONSUMER_READ_BUFFERS);
    peer_ask(consumer, TW_CONSUMER_FREE_BUFFERS, &forget.base);
}

static void producer_join(struct peer *peer)
{
    producer_open(peer, &serve);
    producer_register(peer);
    producer_listen(peer);
}

/* One session from its beginning to its end. */
static void session(struct peer *producer)
{
    struct peer consumer;

    peer_open(&consumer, &serve, &tw_consumer_port);
    enable(&consumer);
    finish(&consumer);
    peer_close(&consumer);
    producer_sync(producer); /* takes the commands that came meanwhile */
}

static void sessions(int n)
{
    uint64_t since = tw_clock_ns(CLOCK_MONOTONIC);
    struct peer producer;

    producer_join(&producer);
    for (int i = 0; i < n; i++)
        session(&producer);
    peer_close(&producer);
    tell("sessions one after another", since);
}

/* Takes commands until it is asked to flush, and answers. */
static void acknowledge_flush(struct peer *producer)
{
    Tw__CommitDataRequest commit = TW__COMMIT_DATA_REQUEST__INIT;
    uint64_t id = 0;

    while (!id) {
        Tw__GetAsyncCommandResponse *command;

        peer_await(producer, TW_PRODUCER_GET_ASYNC_COMMAND);
        command = tw__get_async_command_response__unpack(NULL, producer->event.reply.n,
                                                         producer->event.reply.p);
        serve_must(command, "a command that is none");
        if (command->cmd_case == TW__GET_ASYNC_COMMAND_RESPONSE__CMD_FLUSH)
            id = command->flush->request_id;
        tw__get_async_command_response__free_unpacked(command, NULL);
    }
    commit.has_flush_request_id = true;
    commit.flush_request_id = id;
    peer_call(producer, TW_PRODUCER_COMMIT_DATA, &commit.base, true);
}

/* All of them in one session with shared memory each, and a flush that all have to answer. */
static void many_producers(void)
{
    Tw__FlushRequest flush = TW__FLUSH_REQUEST__INIT;
    uint64_t since = tw_clock_ns(CLOCK_MONOTONIC);
    struct peer consumer;

    for (int i = 0; i < PEERS; i++)
        producer_join(&peers[i]);
    tell("2,000 producers join", since);
    since = tw_clock_ns(CLOCK_MONOTONIC);
    peer_open(&consumer, &serve, &tw_consumer_port);
    enable(&consumer);
    for (int i = 0; i < PEERS; i++)
        producer_sync(&peers[i]);
    tell("a session sets all of them up", since);
    since = tw_clock_ns(CLOCK_MONOTONIC);
    peer_call(&consumer, TW_CONSUMER_FLUSH, &flush.base, false);
    for (int i = 0; i < PEERS; i++)
        acknowledge_flush(&peers[i]);
    peer_await(&consumer, TW_CONSUMER_FLUSH);
    tell("all of them answer a flush", since);
    since = tw_clock_ns(CLOCK_MONOTONIC);
    finish(&consumer);
    peer_close(&consumer);
    for (int i = 0; i < PEERS; i++)
        peer_close(&peers[i]);
    tell("the session ends and they go", since);
}

static void many_consumers(void)
{
    Tw__QueryCapabilitiesRequest query = TW__QUERY_CAPABILITIES_REQUEST__INIT;
    uint64_t since = tw_clock_ns(CLOCK_MONOTONIC);

    for (int i = 0; i < PEERS; i++) {
        peer_open(&peers[i], &serve, &tw_consumer_port);
        peer_ask(&peers[i], TW_CONSUMER_QUERY_CAPABILITIES, &query.base);
    }
    tell("2,000 consumers", since);
    for (int i = 0; i < PEERS; i++)
        peer_close(&peers[i]);
}

static void churn(int n)
{
    uint64_t since = tw_clock_ns(CLOCK_MONOTONIC);

    for (int i = 0; i < n; i++) {
        struct peer peer;

        peer_open(&peer, &serve, i % 2 ? &tw_producer_port : &tw_consumer_port);
        peer_close(&peer);
    }
    tell("connections come and go", since);
}

int main(int argc, char **argv)
{
    long private, descriptors;
    bool good;

    serve_must(argc == 1, "usage: soak");
    serve_many_descriptors(PEERS);
    serve_start(&serve, argv[0]);
    sessions(1); /* what is fetched once stays */
    private = serve_figure(&serve, "smaps_rollup", "Anonymous");
    descriptors = serve_descriptors(&serve);
    sessions(SESSIONS);
    many_producers();
    many_consumers();
    churn(CHURN);
    good = tw_bench_at_most("descriptors more than at the start",
                            (double)(serve_descriptors(&serve) - descriptors), 0);
    good = tw_bench_at_most("KiB of private memory more than at the start",
                            (double)(serve_figure(&serve, "smaps_rollup", "Anonymous") - private),
                            LEFT_AT_MOST) &&
           good;
    serve_stop(&serve);
    return good ? 0 : 1;
}
