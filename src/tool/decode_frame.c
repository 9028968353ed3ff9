/* SPDX-License-Identifier: Apache-2.0 */
#include "tool/decode_frame.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/bytes.h"
#include "producer_port.pb-c.h"
#include "smb/shm.h"
#include "tool/port_messages.h"
#include "tool/print_message.h"
#include "wire/pbc.h"

enum { INDENT = 2 };
/* Bytes that decoding one message may cost. */
#define DECODED_MAX TW_SCAN_COST_MAX(TW_FRAME_PAYLOAD_MAX)

int tw_decoder_init(struct tw_decoder *decoder, FILE *out)
{
    int rc;

    *decoder = (struct tw_decoder){
        .out = out, .arena = TW_ARENA_INIT(DECODED_MAX), .page_size = TW_SHM_PAGE_SIZE_DEFAULT};
    rc = tw_rx_init(&decoder->stream[TW_RECORDING_FROM_CLIENT].rx);
    if (rc)
        return rc;
    rc = tw_rx_init(&decoder->stream[TW_RECORDING_FROM_SERVICE].rx);
    if (rc)
        tw_rx_deinit(&decoder->stream[TW_RECORDING_FROM_CLIENT].rx);
    return rc;
}

void tw_decoder_deinit(struct tw_decoder *decoder)
{
    tw_rx_deinit(&decoder->stream[TW_RECORDING_FROM_CLIENT].rx);
    tw_rx_deinit(&decoder->stream[TW_RECORDING_FROM_SERVICE].rx);
    tw_requests_deinit(&decoder->requests);
    tw_arena_deinit(&decoder->arena);
}

size_t tw_decoder_pending(const struct tw_decoder *decoder, enum tw_recording_dir dir)
{
    return tw_rxbuf_pending(&decoder->stream[dir].rx.buf).n;
}

/* A name is printed later: keep what is printable of it. */
static void copy_name(char dst[TW_DECODE_NAME_MAX], struct tw_bytes name)
{
    size_t n = tw_min(name.n, TW_DECODE_NAME_MAX - 1);

    for (size_t i = 0; i < n; i++) {
        dst[i] = (char)name.p[i];
        if (dst[i] <= ' ' || dst[i] > '~')
            dst[i] = '?';
    }
    dst[n] = '\0';
}

static const struct tw_port *port_of_name(struct tw_bytes name)
{
    if (tw_bytes_eq_str(name, tw_producer_port.service_name))
        return &tw_producer_port;
    return tw_bytes_eq_str(name, tw_consumer_port.service_name) ? &tw_consumer_port : NULL;
}

static uint32_t method_of_name(const struct tw_port *port, struct tw_bytes name)
{
    for (uint32_t i = 1; port && i <= port->n_methods; i++)
        if (tw_bytes_eq_str(name, port->method[i].name))
            return i;
    return 0;
}

static void learn_methods(struct tw_decoder *d, const struct tw_frame *frame)
{
    struct tw_bytes left = frame->bind_reply.methods;
    struct tw_method_info info;

    d->n_methods = 0;
    while (d->n_methods < TW_DECODE_METHODS_MAX && !tw_frame_next_method(&left, &info)) {
        d->methods[d->n_methods].id = info.id;
        d->methods[d->n_methods].method = method_of_name(d->port, info.name);
        copy_name(d->methods[d->n_methods++].name, info.name);
    }
}

/* 1 + the place in methods; 0: not there. */
static uint32_t find_method(const struct tw_decoder *d, uint32_t id)
{
    for (uint32_t i = 0; i < d->n_methods; i++)
        if (d->methods[i].id == id)
            return i + 1;
    return 0;
}

/* A client that never gets answers must not stop the decoder: the oldest request is forgotten. */
static int remember(struct tw_decoder *d, uint64_t id, uint32_t place)
{
    struct tw_request req = {.id = id, .method = place};
    struct tw_request *same = tw_requests_find(&d->requests, id);

    if (same)
        tw_requests_remove(&d->requests, same);
    else if (d->requests.n == TW_REQUESTS_MAX)
        tw_requests_remove(&d->requests, &d->requests.list[0]);
    return tw_requests_add(&d->requests, req);
}

/* The size of pages is agreed on the way. */
static void learn_page_size(struct tw_decoder *d, const ProtobufCMessage *msg)
{
    if (msg->descriptor == &tw__get_async_command_response__descriptor) {
        const Tw__GetAsyncCommandResponse *command = (const void *)msg;

        if (command->cmd_case == TW__GET_ASYNC_COMMAND_RESPONSE__CMD_SETUP_TRACING &&
            command->setup_tracing->shared_buffer_page_size_kb)
            d->page_size = (size_t)command->setup_tracing->shared_buffer_page_size_kb * 1024;
    } else if (msg->descriptor == &tw__initialize_connection_request__descriptor) {
        const Tw__InitializeConnectionRequest *init = (const void *)msg;

        if (init->shared_memory_page_size_hint_bytes)
            d->page_size = init->shared_memory_page_size_hint_bytes;
    }
}

static void print_body(struct tw_decoder *d, const ProtobufCMessageDescriptor *type,
                       struct tw_bytes body)
{
    struct tw_scan_fault fault = {0};
    ProtobufCMessage *msg;
    int rc;

    if (!type) {
        fprintf(d->out, "%*s", INDENT, "");
        tw_print_quoted(d->out, body, TW_PRINT_BYTES_MAX);
        fputc('\n', d->out);
        return;
    }
    rc = tw_pbc_unpack_why(type, &d->arena, body, &msg, &fault);
    if (rc) {
        fprintf(d->out, "%*s(%zu bytes that are no %s: %s", INDENT, "", body.n, type->name,
                fault.why ? fault.why : tw_err_str(rc));
        if (fault.field)
            fprintf(d->out, ", field %" PRIu32 " of %s at byte %zu", fault.field, fault.message,
                    fault.offset);
        fputs(")\n", d->out);
    } else {
        learn_page_size(d, msg);
        tw_print_message(d->out, msg, INDENT);
    }
    tw_arena_reset(&d->arena);
}

/* The messages of a method by its place; NULL when there is no schema for it. */
static const struct tw_port_messages *messages_of(const struct tw_decoder *d, uint32_t place)
{
    uint32_t method = place ? d->methods[place - 1].method : 0;

    return method ? tw_port_messages(d->port, method) : NULL;
}

static void print_method(const struct tw_decoder *d, uint32_t place)
{
    fprintf(d->out, " %s.%s", d->service, place ? d->methods[place - 1].name : "?");
}

static int print_invoke(struct tw_decoder *d, const struct tw_frame *frame)
{
    uint32_t place = find_method(d, frame->invoke.method_id);
    const struct tw_port_messages *messages = messages_of(d, place);

    print_method(d, place);
    if (!place)
        fprintf(d->out, " method %" PRIu32, frame->invoke.method_id);
    fprintf(d->out, "%s\n", frame->invoke.drop_reply ? " drop_reply" : "");
    print_body(d, messages ? messages->request : NULL, frame->invoke.args);
    return frame->invoke.drop_reply ? 0 : remember(d, frame->request_id, place);
}

static int print_reply(struct tw_decoder *d, const struct tw_frame *frame)
{
    struct tw_request *req = tw_requests_find(&d->requests, frame->request_id);
    uint32_t place = req ? req->method : 0;
    const struct tw_port_messages *messages = messages_of(d, place);

    print_method(d, place);
    fprintf(d->out, "%s%s%s\n", frame->invoke_reply.success ? "" : " failed",
            frame->invoke_reply.has_more ? " has_more" : "",
            frame->invoke_reply.has_reply ? "" : " without a body");
    if (frame->invoke_reply.has_reply)
        print_body(d, messages ? messages->reply : NULL, frame->invoke_reply.reply);
    if (req && !frame->invoke_reply.has_more)
        tw_requests_remove(&d->requests, req);
    return 0;
}

static void print_bind_reply(struct tw_decoder *d, const struct tw_frame *frame)
{
    fprintf(d->out, " %s%s, service id %" PRIu32 "\n", d->service,
            frame->bind_reply.success ? "" : " failed", frame->bind_reply.service_id);
    learn_methods(d, frame);
    for (size_t i = 0; i < d->n_methods; i++)
        fprintf(d->out, "%*smethod %" PRIu32 ": %s%s\n", INDENT, "", d->methods[i].id,
                d->methods[i].name, d->methods[i].method ? "" : " (unknown)");
}

static void print_identity(FILE *out, const struct tw_frame *frame)
{
    fprintf(out, " pid %" PRId32 ", uid %" PRId32 ", machine ", frame->peer_identity.pid,
            frame->peer_identity.uid);
    tw_print_quoted(out, frame->peer_identity.machine_name, TW_PRINT_STRING_MAX);
    fputc('\n', out);
}

static int print_frame(struct tw_decoder *d, const struct tw_frame *frame)
{
    switch (frame->kind) {
    case TW_FRAME_BIND:
        copy_name(d->service, frame->bind.service_name);
        d->port = port_of_name(frame->bind.service_name);
        d->n_methods = 0; /* what was learnt belongs to the service of before */
        fprintf(d->out, " %s\n", d->service);
        return 0;
    case TW_FRAME_BIND_REPLY:
        print_bind_reply(d, frame);
        return 0;
    case TW_FRAME_INVOKE:
        return print_invoke(d, frame);
    case TW_FRAME_INVOKE_REPLY:
        return print_reply(d, frame);
    case TW_FRAME_REQUEST_ERROR:
        fputc(' ', d->out);
        tw_print_quoted(d->out, frame->request_error.text, TW_PRINT_STRING_MAX);
        fputc('\n', d->out);
        return 0;
    case TW_FRAME_PEER_IDENTITY:
        print_identity(d->out, frame);
        return 0;
    case TW_FRAME_NONE:
    case TW_FRAME_KIND_MAX:
        break;
    }
    fputc('\n', d->out);
    return 0;
}

static const char *const kind_names[TW_FRAME_KIND_MAX] = {
    [TW_FRAME_NONE] = "empty",
    [TW_FRAME_BIND] = "bind",
    [TW_FRAME_BIND_REPLY] = "bind_reply",
    [TW_FRAME_INVOKE] = "invoke",
    [TW_FRAME_INVOKE_REPLY] = "reply",
    [TW_FRAME_REQUEST_ERROR] = "request_error",
    [TW_FRAME_PEER_IDENTITY] = "peer_identity",
};

static int decode_and_print(struct tw_decoder *d, const struct tw_recording_event *event,
                            struct tw_bytes payload, const char **ret_why)
{
    struct tw_frame_fault fault;
    struct tw_frame frame;
    int rc = tw_frame_decode(payload, &frame, &fault);

    if (rc) {
        *ret_why = tw_frame_reason_text(fault.reason);
        return rc;
    }
    fprintf(d->out, "%.6f %s #%" PRIu64 " %s", event->t,
            event->dir == TW_RECORDING_FROM_CLIENT ? "c>s" : "s>c", frame.request_id,
            kind_names[frame.kind] ? kind_names[frame.kind] : "unknown");
    return print_frame(d, &frame);
}

static int print_next(struct tw_decoder *d, const struct tw_recording_event *event,
                      const char **ret_why)
{
    struct tw_bytes payload;
    int rc = tw_rx_next(&d->stream[event->dir].rx, &payload);

    if (rc) {
        *ret_why = tw_frame_reason_text(TW_FRAME_TOO_LARGE);
        return rc;
    }
    rc = decode_and_print(d, event, payload, ret_why);
    d->stream[event->dir].printed += TW_FRAME_HEADER + payload.n;
    if (d->stream[event->dir].fds && d->stream[event->dir].printed > d->stream[event->dir].fds_at) {
        fprintf(d->out, "%*sdescriptors: %zu\n", INDENT, "", d->stream[event->dir].fds);
        d->stream[event->dir].fds = 0;
    }
    return rc;
}

int tw_decoder_feed(struct tw_decoder *decoder, const struct tw_recording_event *event,
                    const char **ret_why)
{
    struct tw_rx *rx = &decoder->stream[event->dir].rx;
    struct tw_bytes left = event->bytes;
    int rc = 0;

    if (event->n_fds && left.n) {
        decoder->stream[event->dir].fds += event->n_fds;
        decoder->stream[event->dir].fds_at = decoder->stream[event->dir].printed +
                                             tw_decoder_pending(decoder, event->dir) + left.n - 1;
    }
    while (left.n > 0 && (rc == 0 || rc == TW_MORE)) {
        uint8_t *p;
        size_t n;

        tw_rx_space(rx, &p, &n);
        n = tw_min(n, left.n);
        memcpy(p, left.p, n);
        tw_rx_filled(rx, n, NULL, 0);
        left.p += n;
        left.n -= n;
        do
            rc = print_next(decoder, event, ret_why);
        while (rc == 0);
    }
    return rc == TW_MORE ? 0 : rc;
}
