/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is close to every vector: each truncation, each edit of one byte, and a sample of edits of
 * two, of vectors of up to 48 bytes, or with the argument "long" of up to 512. Each input lies in
 * memory of exactly its size.
 */
#include <stdlib.h>
#include <string.h>

#include "base/req.h"
#include "tests/exhaustive/compare.h"
#include "tests/vectors/message_text.h"
#include "tests/vectors/vectors.h"

enum { PAIRS = 2000 }; /* edits of two bytes of each vector */

static size_t size_max = 48, pairs = PAIRS / 10;

struct run {
    struct compared compared;
    const struct vector *vector;
    const ProtobufCMessageDescriptor *d; /* of a message vector */
};

static void compare(struct run *run, struct tw_bytes in)
{
    if (run->d)
        compare_message(&run->compared, run->d, in);
    else if (strcmp(run->vector->kind, "stream") == 0)
        compare_stream(&run->compared, in);
    else
        compare_payload(&run->compared, in);
}

static void every_truncation(struct run *run)
{
    for (size_t n = 0; n <= run->vector->n; n++) {
        uint8_t *copy = exact_copy(run->vector->bytes, n);

        compare(run, (struct tw_bytes){copy, n});
        free(copy);
    }
}

static void every_edit(struct run *run)
{
    const struct vector *v = run->vector;

    for (size_t at = 0; at < v->n; at++) {
        uint8_t before = v->bytes[at];

        for (unsigned i = 1; i < 256; i++) {
            v->bytes[at] = (uint8_t)(before + i);
            compare(run, (struct tw_bytes){v->bytes, v->n});
        }
        v->bytes[at] = before;
    }
}

/* xorshift64: any sequence will do, as long as it is the same one in every run. */
static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static void some_pairs(struct run *run)
{
    const struct vector *v = run->vector;
    uint64_t random = UINT64_C(0x9e3779b97f4a7c15) + v->n;

    for (size_t i = 0; v->n > 1 && i < pairs; i++) {
        uint64_t r = next_random(&random);
        size_t a = (r >> 32) % v->n, b = (r >> 16 & 0xffff) % v->n;
        uint8_t was_a = v->bytes[a], was_b = v->bytes[b];

        v->bytes[a] = (uint8_t)r;
        v->bytes[b] = (uint8_t)(r >> 8);
        compare(run, (struct tw_bytes){v->bytes, v->n});
        v->bytes[b] = was_b;
        v->bytes[a] = was_a;
    }
}

static void edit_all(const char *kind)
{
    struct run run = {.compared = COMPARED_INIT};
    size_t n = 0;

    for (size_t i = 0; i < vectors.n; i++) {
        run.vector = &vectors.list[i];
        if (strcmp(run.vector->kind, kind) != 0 || run.vector->n > size_max)
            continue;
        run.d = run.vector->message ? message_named(run.vector->message) : NULL;
        every_truncation(&run);
        every_edit(&run);
        some_pairs(&run);
        n++;
    }
    print_message("%zu vectors; ", n);
    compared_done(&run.compared, kind);
}

static void payloads(void **state)
{
    (void)state;
    REQ("TW-ENC-001");
    REQ("TW-ENC-002");
    REQ("TW-ENC-005");
    REQ("TW-ENC-008");
    REQ("TW-ENC-009");
    edit_all("payload");
}

static void streams(void **state)
{
    (void)state;
    REQ("TW-FRAME-001");
    REQ("TW-FRAME-002");
    REQ("TW-FRAME-003");
    edit_all("stream");
}

static void messages(void **state)
{
    (void)state;
    REQ("TW-ENC-008");
    REQ("TW-ENC-011");
    REQ("TW-ENC-012");
    REQ("TW-ENC-013");
    REQ("TW-ENC-015");
    edit_all("message");
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        tw_unit_test(payloads),
        tw_unit_test(streams),
        tw_unit_test(messages),
    };

    if (argc > 1 && strcmp(argv[1], "long") == 0) {
        size_max = 512;
        pairs = PAIRS;
    }
    return cmocka_run_group_tests(tests, vectors_load, vectors_free);
}
