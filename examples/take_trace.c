/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A consumer: one second of everybody's track events, into a file that viewers open.
 *
 *     example_take_trace /tmp/perfetto-consumer out.pftrace
 *
 * It has nothing else to do meanwhile, and so uses the calls that wait. The file gets its name when
 * all of the trace is in it.
 */
#include <stdio.h>
#include <stdlib.h>

#include "tracewire/consumer.h"

enum { WAIT_MS = 10000 }; /* for any answer */

/* A TraceConfig: buffers (1) with size_kb (1) 4096; data_sources (2) with config (1) with name (1);
 * duration_ms (3) 1000. */
static const uint8_t config[] = {1 << 3 | 2, 3,    1 << 3,     0x80, 0x20,           /* buffers */
                                 2 << 3 | 2, 15,   1 << 3 | 2, 13,   1 << 3 | 2, 11, /* sources */
                                 't',        'r',  'a',        'c',  'k',        '_',
                                 'e',        'v',  'e',        'n',  't', /* */
                                 3 << 3,     0xe8, 7};

/* A failure is said again when the file is closed. */
static void on_packet(void *user, struct tw_bytes packet)
{
    if (tw_trace_file_packet(user, packet))
        return;
}

static int take(struct tw_consumer *consumer, struct tw_trace_file *file)
{
    struct tw_answer error;
    int rc = tw_consumer_enable_tracing_wait(consumer, (struct tw_bytes){config, sizeof(config)},
                                             -1, WAIT_MS, &error);

    if (rc)
        return rc;
    if (error.n)
        fprintf(stderr, "the service says: %.*s\n", (int)error.n, (const char *)error.p);
    free(error.p);
    return tw_consumer_read_buffers_wait(consumer, on_packet, file, WAIT_MS);
}

int main(int argc, char **argv)
{
    struct tw_consumer *consumer = NULL;
    struct tw_trace_file *file = NULL;
    int rc, closed;

    if (argc != 3) {
        fprintf(stderr, "usage: example_take_trace SOCKET FILE\n");
        return 2;
    }
    rc = tw_consumer_connect_wait(argv[1], WAIT_MS, &consumer);
    if (!rc)
        rc = tw_trace_file_open(argv[2], NULL, &file);
    if (!rc) {
        rc = take(consumer, file);
        closed = tw_trace_file_close(file, rc == 0);
        rc = rc ? rc : closed;
    }
    if (rc)
        fprintf(stderr, "no trace (%d)\n", rc);
    else
        printf("%llu packets\n", (unsigned long long)tw_trace_file_packets(file));
    tw_trace_file_free(file);
    tw_consumer_free(consumer);
    return rc != 0;
}
