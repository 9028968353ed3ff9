/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether the codec, as the two files that others vendor, does here what it does everywhere: every
 * vector of spec/vectors that is bytes of frames, decoded, and encoded again where its bytes are
 * what an encoder makes. In the subset of C and C++. portable.py writes the file.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tw_frame.h"

struct vector {
    char id[64], kind[16]; /* "stream": frames with their sizes; "payload": one without */
    int canonical;         /* 1: encoding gives these bytes again */
    char reason[32];       /* "fine", "more" or the name of a reason */
};

static int failures;

static void expect(int fine, const struct vector *v, const char *what)
{
    if (fine)
        return;
    printf("%s: %s\n", v->id, what);
    failures++;
}

static void *allocate(size_t n)
{
    void *p = malloc(n ? n : 1);

    if (!p)
        abort();
    return p;
}

/* The encoder takes methods as a list. */
static struct tw_method_info *list_methods(const struct vector *v, struct tw_frame *frame)
{
    struct tw_bytes left = frame->bind_reply.methods;
    size_t n = frame->bind_reply.n_methods;
    struct tw_method_info *list = (struct tw_method_info *)allocate(n * sizeof(*list));

    for (size_t i = 0; i < n; i++)
        expect(!tw_frame_next_method(&left, &list[i]), v, "methods are lost");
    frame->bind_reply.method = list;
    return list;
}

/* n bytes at want: the frame, or only its payload. */
static void check_encoding(const struct vector *v, struct tw_frame frame, const uint8_t *want,
                           size_t n, size_t skip)
{
    uint8_t *out = (uint8_t *)allocate(n + skip);
    struct tw_method_info *list = NULL;
    size_t size = 0;

    if (frame.kind == TW_FRAME_BIND_REPLY)
        list = list_methods(v, &frame);
    expect(!tw_frame_encode(&frame, out, n + skip, &size) && size == n + skip &&
               !memcmp(out + skip, want, n),
           v, "encodes to other bytes");
    free(list);
    free(out);
}

static void check_payload(const struct vector *v, struct tw_bytes payload)
{
    struct tw_frame_fault fault = {TW_FRAME_FINE, 0, 0};
    struct tw_frame frame;
    int rc = tw_frame_decode(payload, &frame, &fault);

    expect(rc == 0 || rc == TW_E_PROTOCOL, v, "another result");
    expect(!strcmp(tw_frame_reason_name(fault.reason), v->reason), v, "another reason");
    if (!rc && v->canonical)
        check_encoding(v, frame, payload.p, payload.n, TW_FRAME_HEADER);
}

static void check_stream(const struct vector *v, struct tw_bytes left)
{
    struct tw_frame_fault fault = {TW_FRAME_FINE, 0, 0};
    struct tw_frame frame;
    const char *got = "fine";
    size_t n = 0;
    int rc;

    while (!(rc = tw_frame_next(left, &frame, &n, &fault))) {
        if (v->canonical)
            check_encoding(v, frame, left.p, n, 0);
        left.p += n;
        left.n -= n;
    }
    if (rc == TW_E_PROTOCOL)
        got = tw_frame_reason_name(fault.reason);
    else if (left.n)
        got = "more";
    expect(!strcmp(got, v->reason), v, "another end");
}

/* The next vector of file. *ret_bytes has no slack, so that a tool that watches reads sees one too
 * many. */
static int next_vector(FILE *file, struct vector *v, uint8_t **ret_bytes, size_t *ret_n)
{
    unsigned n;

    if (fscanf(file, "%63s %15s %d %31s %u", v->id, v->kind, &v->canonical, v->reason, &n) != 5)
        return 0;
    *ret_bytes = (uint8_t *)allocate(n);
    *ret_n = n;
    if (fgetc(file) != '\n' || fread(*ret_bytes, 1, n, file) != n)
        abort();
    return 1;
}

int main(int argc, char **argv)
{
    FILE *file = argc == 2 ? fopen(argv[1], "rb") : NULL;
    const uint16_t one = 1;
    uint8_t first, *bytes;
    struct vector v;
    size_t n, count = 0;

    if (!file)
        return 2;
    for (; next_vector(file, &v, &bytes, &n); count++) {
        struct tw_bytes b = {bytes, n};

        if (!strcmp(v.kind, "stream"))
            check_stream(&v, b);
        else
            check_payload(&v, b);
        free(bytes);
    }
    fclose(file);
    memcpy(&first, &one, 1);
    printf("%u vectors, %d failures, %s-endian, pointers of %u bits\n", (unsigned)count, failures,
           first ? "little" : "big", (unsigned)sizeof(void *) * 8);
    return failures || count == 0;
}
