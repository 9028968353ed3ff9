/* SPDX-License-Identifier: Apache-2.0 */
/* Decoding a frame: the codec against protobuf-c on the same bytes in one run, as a ratio. */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "ipc_frame.pb-c.h"
#include "tracewire/frame.h"

enum { ROUNDS = 200000, REPEATS = 9 };

struct input {
    uint8_t bytes[256];
    struct tw_bytes payload;
};

static int make_input(struct input *in)
{
    static const uint8_t args[32] = "stands for a small CommitData";
    struct tw_frame frame = {.kind = TW_FRAME_INVOKE, .request_id = 1234};
    size_t n;

    frame.invoke.service_id = 1;
    frame.invoke.method_id = 4;
    frame.invoke.drop_reply = true;
    frame.invoke.args = (struct tw_bytes){.p = args, .n = sizeof(args)};
    if (tw_frame_encode(&frame, in->bytes, sizeof(in->bytes), &n))
        return 1;
    return tw_frame_split((struct tw_bytes){.p = in->bytes, .n = n}, &in->payload);
}

static uint64_t time_codec(const struct input *in)
{
    uint64_t begin = tw_clock_ns(CLOCK_MONOTONIC), sum = 0;

    for (int i = 0; i < ROUNDS; i++) {
        struct tw_frame frame;

        if (tw_frame_decode(in->payload, &frame, NULL))
            abort();
        sum += frame.request_id;
    }
    return sum ? tw_clock_ns(CLOCK_MONOTONIC) - begin : 0;
}

static uint64_t time_protobuf_c(const struct input *in)
{
    uint64_t begin = tw_clock_ns(CLOCK_MONOTONIC), sum = 0;

    for (int i = 0; i < ROUNDS; i++) {
        Tw__IPCFrame *frame = tw__ipcframe__unpack(NULL, in->payload.n, in->payload.p);

        if (!frame)
            abort();
        sum += frame->request_id;
        tw__ipcframe__free_unpacked(frame, NULL);
    }
    return sum ? tw_clock_ns(CLOCK_MONOTONIC) - begin : 0;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

int main(void)
{
    double ratio[REPEATS];
    uint64_t codec = 0;
    struct input in;

    if (make_input(&in))
        return 1;
    for (int i = 0; i < REPEATS; i++) { /* side by side, so that noise hits both */
        uint64_t other = time_protobuf_c(&in);

        codec = time_codec(&in);
        ratio[i] = (double)other / (double)codec;
    }
    qsort(ratio, REPEATS, sizeof(ratio[0]), compare);
    printf("decode InvokeMethod, %zu bytes: %.0f ns; protobuf-c takes %.1f times as long "
           "(%.1f to %.1f)\n",
           in.payload.n, (double)codec / ROUNDS, ratio[REPEATS / 2], ratio[0], ratio[REPEATS - 1]);
    return 0;
}
