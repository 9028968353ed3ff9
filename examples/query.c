/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Asks a tracing service what it is able to do, with nothing but the frame codec and a socket:
 *
 *     example_query /tmp/perfetto-consumer
 *
 * It binds the service "ConsumerPort", learns from the answer by which numbers the service and its
 * methods are called, calls QueryCapabilities and prints the
 * encoded answer.
 */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "tracewire/frame.h"

static const char method_name[] = "QueryCapabilities";

/* One connection, and what of its stream has arrived. No frame is larger than this. */
struct connection {
    int fd;
    size_t n;    /* bytes received */
    size_t done; /* of them those of the frame that was handed out last */
    uint8_t bytes[TW_FRAME_MAX];
};

static struct tw_bytes bytes_of(const char *text)
{
    return (struct tw_bytes){.p = (const uint8_t *)text, .n = strlen(text)};
}

static int connect_to(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd;

    if (strlen(path) >= sizeof(address.sun_path))
        return -1;
    memcpy(address.sun_path, path, strlen(path) + 1);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (const struct sockaddr *)&address, sizeof(address))) {
        close(fd);
        return -1;
    }
    return fd;
}

static int send_frame(struct connection *c, const struct tw_frame *frame)
{
    uint8_t bytes[256];
    size_t n, sent = 0;

    if (tw_frame_encode(frame, bytes, sizeof(bytes), &n))
        return -1;
    while (sent < n) {
        ssize_t rc = send(c->fd, bytes + sent, n - sent, MSG_NOSIGNAL);

        if (rc < 0)
            return -1;
        sent += (size_t)rc;
    }
    return 0;
}

/* Waits for the next frame. It points into the connection's buffer until the next call. */
static int receive_frame(struct connection *c, struct tw_frame *ret_frame)
{
    struct tw_frame_fault fault;
    size_t n;
    int rc;

    memmove(c->bytes, c->bytes + c->done, c->n - c->done);
    c->n -= c->done;
    c->done = 0;
    while ((rc = tw_frame_next((struct tw_bytes){c->bytes, c->n}, ret_frame, &n, &fault)) ==
           TW_MORE) {
        ssize_t got = recv(c->fd, c->bytes + c->n, sizeof(c->bytes) - c->n, 0);

        if (got <= 0)
            return -1;
        c->n += (size_t)got;
    }
    if (rc) {
        fprintf(stderr, "no frame, at byte %u: %s\n", fault.offset,
                tw_frame_reason_text(fault.reason));
        return -1;
    }
    c->done = n;
    return 0;
}

/* Waits for the answer to a request. A frame may be empty, and means nothing then. */
static int receive_answer(struct connection *c, const struct tw_frame *request,
                          enum tw_frame_kind kind, struct tw_frame *ret_answer)
{
    do {
        if (receive_frame(c, ret_answer))
            return -1;
    } while (c->done == TW_FRAME_HEADER);
    return ret_answer->kind == kind && ret_answer->request_id == request->request_id ? 0 : -1;
}

/* Binds ConsumerPort; *call then calls the method. */
static int bind_port(struct connection *c, struct tw_frame *call)
{
    struct tw_frame bind = {.kind = TW_FRAME_BIND, .request_id = 1}, reply;
    struct tw_method_info method;
    struct tw_bytes left;

    bind.bind.service_name = bytes_of("ConsumerPort");
    if (send_frame(c, &bind) || receive_answer(c, &bind, TW_FRAME_BIND_REPLY, &reply))
        return -1;
    if (!reply.bind_reply.success)
        return -1;
    *call = (struct tw_frame){.kind = TW_FRAME_INVOKE, .request_id = 2};
    call->invoke.service_id = reply.bind_reply.service_id;
    left = reply.bind_reply.methods;
    while (!tw_frame_next_method(&left, &method))
        if (method.name.n == strlen(method_name) &&
            !memcmp(method.name.p, method_name, method.name.n))
            call->invoke.method_id = method.id;
    printf("ConsumerPort is service %u with %zu methods, %s is method %u\n",
           call->invoke.service_id, reply.bind_reply.n_methods, method_name,
           call->invoke.method_id);
    return call->invoke.method_id ? 0 : -1;
}

static int query(struct connection *c)
{
    struct tw_frame call, reply;

    if (bind_port(c, &call) || send_frame(c, &call) ||
        receive_answer(c, &call, TW_FRAME_INVOKE_REPLY, &reply))
        return -1;
    if (!reply.invoke_reply.success)
        return -1;
    printf("answer, a QueryCapabilitiesResponse of %zu bytes:", reply.invoke_reply.reply.n);
    for (size_t i = 0; i < reply.invoke_reply.reply.n; i++)
        printf(" %02x", reply.invoke_reply.reply.p[i]);
    printf("\n");
    return 0;
}

int main(int argc, char **argv)
{
    static struct connection c;
    int rc;

    if (argc != 2) {
        fprintf(stderr, "usage: example_query SOCKET\n");
        return 2;
    }
    c.fd = connect_to(argv[1]);
    if (c.fd < 0) {
        perror(argv[1]);
        return 1;
    }
    rc = query(&c);
    close(c.fd);
    if (rc)
        fprintf(stderr, "the service did not answer as it should\n");
    return rc ? 1 : 0;
}
