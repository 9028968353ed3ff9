/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tracing service inside of a program, without a socket, a thread or a loop: the transport is
 * memcpy(). A producer introduces itself, a consumer takes a trace, which holds what the service
 * itself has to say:
 *
 *     example_embed_service [TRACE-FILE]
 *
 * A transport of your own goes where deliver() and collect() are.
 */
#include <stdio.h>
#include <string.h>

#include "tracewire/frame.h"
#include "tracewire/service.h"

/* A client's end of a connection: what the service said and the client has not looked at yet. */
struct client {
    struct tw_service_conn *conn;
    uint32_t service_id;
    struct tw_bytes methods; /* in method_bytes: as the bind reply listed them */
    uint8_t method_bytes[4096];
    uint64_t last_request;
    size_t n, done; /* bytes received, and of them those of the frame that was taken last */
    uint8_t bytes[4 * TW_FRAME_MAX];
};

static struct tw_bytes bytes_of(const char *text)
{
    return (struct tw_bytes){.p = (const uint8_t *)text, .n = strlen(text)};
}

/* Another connection, or time, left something for this one. A loop would mark it here and collect()
 * in its next turn; this program does so with each call. */
static void on_wake(void *user)
{
    (void)user;
}

/* What the service has to say, until it has nothing more to do. -1: it closed the connection. */
static int collect(struct client *c)
{
    struct tw_bytes bytes;
    int fd, rc;

    do {
        rc = tw_service_run(c->conn);
        if (rc != 0 && rc != TW_MORE) {
            fprintf(stderr, "closed: %s\n", tw_service_why(c->conn));
            return -1;
        }
        while (!tw_service_peek(c->conn, &bytes, &fd)) {
            if (bytes.n > sizeof(c->bytes) - c->n)
                return -1;                             /* more than this example keeps */
            memcpy(c->bytes + c->n, bytes.p, bytes.n); /* a descriptor would be duplicated here */
            c->n += bytes.n;
            tw_service_sent(c->conn, bytes.n);
        }
    } while (rc == TW_MORE);
    return 0;
}

static int deliver(struct client *c, const struct tw_frame *frame)
{
    uint8_t bytes[512];
    size_t n, sent = 0;

    if (tw_frame_encode(frame, bytes, sizeof(bytes), &n))
        return -1;
    while (sent < n) {
        uint8_t *to;
        size_t room;

        tw_service_space(c->conn, &to, &room);
        if (room == 0)
            return -1;
        room = room < n - sent ? room : n - sent;
        memcpy(to, bytes + sent, room);
        tw_service_received(c->conn, room, NULL, 0);
        sent += room;
        if (collect(c))
            return -1;
    }
    return 0;
}

/* The next frame of the service, in the client's buffer until the next call. */
static int take(struct client *c, struct tw_frame *ret_frame)
{
    memmove(c->bytes, c->bytes + c->done, c->n - c->done);
    c->n -= c->done;
    c->done = 0;
    return tw_frame_next((struct tw_bytes){c->bytes, c->n}, ret_frame, &c->done, NULL);
}

static int bind_port(struct client *c, const char *port)
{
    struct tw_frame bind = {.kind = TW_FRAME_BIND, .request_id = ++c->last_request}, reply;

    bind.bind.service_name = bytes_of(port);
    if (deliver(c, &bind) || take(c, &reply) || reply.kind != TW_FRAME_BIND_REPLY ||
        !reply.bind_reply.success || reply.bind_reply.methods.n > sizeof(c->method_bytes))
        return -1;
    memcpy(c->method_bytes, reply.bind_reply.methods.p, reply.bind_reply.methods.n);
    c->methods = (struct tw_bytes){c->method_bytes, reply.bind_reply.methods.n};
    c->service_id = reply.bind_reply.service_id;
    return 0;
}

static int call(struct client *c, const char *name, struct tw_bytes args)
{
    struct tw_frame frame = {.kind = TW_FRAME_INVOKE, .request_id = ++c->last_request};
    struct tw_bytes left = c->methods, wanted = bytes_of(name);
    struct tw_method_info method;

    while (!tw_frame_next_method(&left, &method))
        if (method.name.n == wanted.n && !memcmp(method.name.p, wanted.p, wanted.n))
            frame.invoke.method_id = method.id;
    frame.invoke.service_id = c->service_id;
    frame.invoke.args = args;
    return deliver(c, &frame);
}

/* Whether the last call was answered with yes. Other answers are passed over. */
static int answered(struct client *c)
{
    struct tw_frame frame;
    int found = -1;

    while (!take(c, &frame))
        if (frame.kind == TW_FRAME_INVOKE_REPLY && frame.request_id == c->last_request)
            found = frame.invoke_reply.success ? 0 : -1;
    return found;
}

/* A varint of at most five bytes. */
static uint32_t varint(struct tw_bytes *in)
{
    uint32_t value = 0;

    for (unsigned shift = 0; in->n > 0 && shift < 32; shift += 7) {
        uint8_t octet = *in->p++;

        in->n--;
        value |= (uint32_t)(octet & 0x7f) << shift;
        if (octet < 0x80)
            break;
    }
    return value;
}

/* A trace file is packets, each as field 1 of the message Trace. */
static void write_packet(FILE *file, struct tw_bytes packet)
{
    size_t n = packet.n;

    fputc(1 << 3 | 2, file);
    for (; n >= 0x80; n >>= 7)
        fputc((int)(n & 0x7f) | 0x80, file);
    fputc((int)n, file);
    fwrite(packet.p, 1, packet.n, file);
}

/* The bytes of a field with this number at the start of *in, which is moved behind it. */
static int bytes_field(struct tw_bytes *in, uint32_t number, struct tw_bytes *ret_bytes)
{
    uint32_t tag = varint(in), n = varint(in);

    if (tag != (number << 3 | 2) || n > in->n)
        return -1;
    *ret_bytes = (struct tw_bytes){in->p, n};
    in->p += n;
    in->n -= n;
    return 0;
}

/* ReadBuffersResponses have slices (field 2) with data (field 1). The packets here are small: each
 * is one slice. The number of packets, or -1. */
static int read_trace(struct client *c, FILE *file)
{
    struct tw_frame frame;
    int n_packets = 0;

    if (call(c, "ReadBuffers", (struct tw_bytes){0}))
        return -1;
    while (!take(c, &frame)) {
        struct tw_bytes response = frame.invoke_reply.reply, slice, packet;

        if (frame.kind != TW_FRAME_INVOKE_REPLY || frame.request_id != c->last_request)
            continue;
        for (; response.n > 0; n_packets++) {
            if (bytes_field(&response, 2, &slice) || bytes_field(&slice, 1, &packet))
                return -1;
            write_packet(file, packet);
        }
    }
    return n_packets;
}

static int trace(struct client *producer, struct client *consumer, FILE *file)
{
    /* producer_name (field 3); a trace config (field 1) with a buffer (1) of 64 KiB (1) */
    static const uint8_t hello[] = {3 << 3 | 2, 8, 'e', 'm', 'b', 'e', 'd', 'd', 'e', 'd'};
    static const uint8_t config[] = {1 << 3 | 2, 4, 1 << 3 | 2, 2, 1 << 3, 64};
    const struct tw_bytes none = {0};

    if (bind_port(producer, "ProducerPort") ||
        call(producer, "InitializeConnection", (struct tw_bytes){hello, sizeof(hello)}) ||
        answered(producer))
        return -1;
    printf("the producer is known to the service\n");
    if (bind_port(consumer, "ConsumerPort") ||
        call(consumer, "EnableTracing", (struct tw_bytes){config, sizeof(config)}) ||
        call(consumer, "DisableTracing", none) || answered(consumer))
        return -1;
    return read_trace(consumer, file);
}

int main(int argc, char **argv)
{
    static struct client producer, consumer;
    const struct tw_peer who = {.pid = -1, .uid = -1}; /* nobody else's program is at the ends */
    FILE *file = fopen(argc > 1 ? argv[1] : "/dev/null", "wb");
    struct tw_service *service;
    int n_packets = -1;

    if (!file || tw_service_new(&service, NULL))
        return 1;
    if (!tw_service_connect(service, TW_SERVICE_PRODUCER, who, on_wake, NULL, &producer.conn) &&
        !tw_service_connect(service, TW_SERVICE_CONSUMER, who, on_wake, NULL, &consumer.conn))
        n_packets = trace(&producer, &consumer, file);
    tw_service_disconnect(producer.conn);
    tw_service_disconnect(consumer.conn);
    tw_service_free(service);
    if (n_packets > 0)
        printf("a trace of %d packets, all of them the service's own\n", n_packets);
    return fclose(file) || n_packets <= 0;
}
