/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Speed of the frame layer, as ratios within one run: decoding a frame against protobuf-c, taking a
 * stream apart against copying it. Fails when a bound is missed or a frame costs an allocation.
 */
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"
#include "bench/measure.h"
#include "frame/rx.h"
#include "ipc_frame.pb-c.h"
#include "tracewire/frame.h"

enum {
    DECODES = 500,          /* a slice */
    FRAMES = 16,            /* of the stream */
    FRAME_SIZE = 32 * 1024, /* bytes, with the header */
    ARGS_OVERHEAD = 21,     /* bytes of such a frame that are not its argument */
};

/* The linker sends our own calls of the allocators here (CMakeLists.txt). */
static size_t n_allocations;

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);

void *__wrap_malloc(size_t n)
{
    n_allocations++;
    return __real_malloc(n);
}

void *__wrap_calloc(size_t n, size_t size)
{
    n_allocations++;
    return __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t n)
{
    n_allocations++;
    return __real_realloc(p, n);
}

static void must(bool fine, const char *what)
{
    if (fine)
        return;
    fprintf(stderr, "bench_frame: %s\n", what);
    exit(1);
}

static size_t encode_invoke(uint8_t *p, size_t cap, size_t args)
{
    static const uint8_t zeroes[FRAME_SIZE];
    struct tw_frame frame = {.kind = TW_FRAME_INVOKE, .request_id = 1234};
    size_t n = 0;

    frame.invoke.service_id = 1;
    frame.invoke.method_id = 4;
    frame.invoke.drop_reply = true;
    frame.invoke.args = (struct tw_bytes){.p = zeroes, .n = args};
    must(!tw_frame_encode(&frame, p, cap, &n), "cannot encode");
    return n;
}

static void decode_with_codec(void *arg)
{
    const struct tw_bytes *payload = arg;

    for (int i = 0; i < DECODES; i++) {
        struct tw_frame frame;

        must(!tw_frame_decode(*payload, &frame, NULL) && frame.invoke.method_id == 4, "decode");
    }
}

static void decode_with_protobuf_c(void *arg)
{
    const struct tw_bytes *payload = arg;

    for (int i = 0; i < DECODES; i++) {
        Tw__IPCFrame *frame = tw__ipcframe__unpack(NULL, payload->n, payload->p);

        must(frame && frame->msg_invoke_method->method_id == 4, "unpack");
        tw__ipcframe__free_unpacked(frame, NULL);
    }
}

static bool bench_decode(void)
{
    uint8_t bytes[128];
    size_t n = encode_invoke(bytes, sizeof(bytes), 48);
    struct tw_bytes payload = {.p = bytes + TW_FRAME_HEADER, .n = n - TW_FRAME_HEADER};
    struct tw_bench_result r = tw_bench(decode_with_codec, decode_with_protobuf_c, &payload);

    must(payload.n == 61, "not the frame that was meant");
    printf("decode InvokeMethod of %zu bytes: %.1f ns, protobuf-c %.1f ns\n", payload.n,
           (double)r.ns[0] / DECODES, (double)r.ns[1] / DECODES);
    return tw_bench_at_least("times as fast as unpack and free", (double)r.ns[1] / (double)r.ns[0],
                             5);
}

struct stream {
    uint8_t bytes[FRAMES * FRAME_SIZE];
    uint8_t copy[FRAMES * FRAME_SIZE];
    struct tw_rx rx;
};

static void copy_stream(void *arg)
{
    struct stream *s = arg;

    memcpy(s->copy, s->bytes, sizeof(s->bytes));
    __asm__ volatile("" : : "r"(s->copy) : "memory"); /* the copy is wanted */
}

static void split_stream(void *arg)
{
    struct stream *s = arg;
    struct tw_bytes left = {.p = s->bytes, .n = sizeof(s->bytes)};
    size_t frames = 0, n;
    struct tw_frame frame;

    while (!tw_frame_next(left, &frame, &n, NULL)) {
        left.p += n;
        left.n -= n;
        frames++;
    }
    must(frames == FRAMES && left.n == 0, "split");
}

/* The whole way in: bytes are put where a socket would have put them. */
static void receive_stream(void *arg)
{
    struct stream *s = arg;
    struct tw_bytes left = {.p = s->bytes, .n = sizeof(s->bytes)}, payload;
    size_t frames = 0;
    struct tw_frame frame;

    while (left.n) {
        uint8_t *p;
        size_t n;

        tw_rx_space(&s->rx, &p, &n);
        n = tw_min(n, left.n);
        memcpy(p, left.p, n);
        tw_rx_filled(&s->rx, n, NULL, 0);
        left.p += n;
        left.n -= n;
        while (!tw_rx_next(&s->rx, &payload) && !tw_frame_decode(payload, &frame, NULL))
            frames++;
    }
    must(frames == FRAMES, "receive");
}

/* How many times as fast as memcpy over the same bytes. */
static double bench_stream(struct stream *s, const char *what, void (*take)(void *))
{
    struct tw_bench_result r = tw_bench(take, copy_stream, s);

    printf("%s %d frames of 32 KiB: %.1f us, memcpy %.1f us\n", what, FRAMES, (double)r.ns[0] / 1e3,
           (double)r.ns[1] / 1e3);
    return (double)r.ns[1] / (double)r.ns[0];
}

int main(void)
{
    static struct stream s;
    bool fine = true;
    size_t before;

    must(!tw_rx_init(&s.rx), "no memory");
    for (size_t i = 0; i < FRAMES; i++)
        must(encode_invoke(s.bytes + i * FRAME_SIZE, FRAME_SIZE, FRAME_SIZE - ARGS_OVERHEAD) ==
                 FRAME_SIZE,
             "not the frame that was meant");
    fine = bench_decode() && fine;
    before = n_allocations;
    fine = tw_bench_at_least("of memcpy's throughput",
                             bench_stream(&s, "split and decode", split_stream), 0.2) &&
           fine;
    fine = tw_bench_at_least("of memcpy's throughput",
                             bench_stream(&s, "receive, split and decode", receive_stream), 0.2) &&
           fine;
    printf("%-4s allocations: %zu\n", n_allocations == before ? "ok" : "FAIL",
           n_allocations - before);
    fine = fine && n_allocations == before;
    tw_rx_deinit(&s.rx);
    return fine ? 0 : 1;
}
