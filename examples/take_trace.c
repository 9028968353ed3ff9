/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A consumer: one second of everybody's track events, into a file that viewers open.
 *
 *     example_take_trace /tmp/perfetto-consumer out.pftrace
 *
 * Each call to the service is answered later, in a function of ours: bound, ended, done in this
 * order. Between them the program only waits.
 */
#include <poll.h>
#include <stdio.h>

#include "tracewire/consumer.h"

struct trace {
    struct tw_consumer *consumer;
    FILE *file;
    int n_packets, result;
    bool over;
};

static void on_done(void *user, int result)
{
    struct trace *trace = user;

    trace->result = result;
    trace->over = true;
}

/* A trace file is packets, each as field 1 of the message Trace. */
static void on_packet(void *user, struct tw_bytes packet)
{
    struct trace *trace = user;
    size_t n = packet.n;

    fputc(1 << 3 | 2, trace->file);
    for (; n >= 0x80; n >>= 7)
        fputc((int)(n & 0x7f) | 0x80, trace->file);
    fputc((int)n, trace->file);
    fwrite(packet.p, 1, packet.n, trace->file);
    trace->n_packets++;
}

static void on_ended(void *user, int result, struct tw_bytes error)
{
    struct trace *trace = user;

    if (error.n)
        fprintf(stderr, "the service says: %.*s\n", (int)error.n, (const char *)error.p);
    if (!result)
        result = tw_consumer_read_buffers(trace->consumer, on_packet, on_done, trace);
    if (result)
        on_done(trace, result);
}

static void on_bound(void *user, int result)
{
    /* A TraceConfig: buffers (1) with size_kb (1) 4096; data_sources (2) with config (1) with name
     * (1); duration_ms (3) 1000. */
    static const uint8_t config[] = {
        1 << 3 | 2, 3,    1 << 3,     0x80, 0x20,                                     /* buffers */
        2 << 3 | 2, 15,   1 << 3 | 2, 13,   1 << 3 | 2, 11,                           /* sources */
        't',        'r',  'a',        'c',  'k',        '_', 'e', 'v', 'e', 'n', 't', /* */
        3 << 3,     0xe8, 7};
    struct trace *trace = user;

    if (!result)
        result = tw_consumer_enable_tracing(
            trace->consumer, (struct tw_bytes){config, sizeof(config)}, -1, on_ended, trace);
    if (result)
        on_done(trace, result);
}

static void run(struct trace *trace)
{
    while (!trace->over && !tw_consumer_dispatch(trace->consumer)) {
        struct pollfd fd = {.fd = tw_consumer_fd(trace->consumer),
                            .events = (short)tw_consumer_events(trace->consumer)};

        if (!trace->over)
            poll(&fd, 1, -1);
    }
}

int main(int argc, char **argv)
{
    struct trace trace = {.result = TW_E_CLOSED};

    if (argc != 3) {
        fprintf(stderr, "usage: example_take_trace SOCKET FILE\n");
        return 2;
    }
    trace.file = fopen(argv[2], "wbe");
    if (!trace.file || tw_consumer_connect(argv[1], on_bound, &trace, &trace.consumer)) {
        perror(trace.file ? argv[1] : argv[2]);
        return 1;
    }
    run(&trace);
    tw_consumer_free(trace.consumer);
    if (fclose(trace.file) || trace.result) {
        fprintf(stderr, "no trace (%d)\n", trace.result);
        return 1;
    }
    printf("%d packets\n", trace.n_packets);
    return 0;
}
