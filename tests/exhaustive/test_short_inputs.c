/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every input of up to two bytes, or with the argument "long" of up to three, to the codec, to a
 * stream and to the pre-scan of one message of each shape. Each lies in memory of exactly its size.
 */
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"
#include "base/req.h"
#include "consumer_port.pb-c.h"
#include "producer_port.pb-c.h"
#include "tests/exhaustive/compare.h"

static size_t size_max = 2;

/* Calls try() with each input of n bytes; they lie behind `ahead` bytes, which hold n. */
static void each_of_size(size_t ahead, size_t n, void (*try)(struct tw_bytes in, void *user),
                         void *user)
{
    uint8_t *p = malloc(ahead + n ? ahead + n : 1);

    assert_non_null(p);
    memset(p, 0, ahead);
    if (ahead)
        p[0] = (uint8_t)n;
    for (uint32_t value = 0; value >> (8 * n) == 0; value++) {
        for (size_t i = 0; i < n; i++)
            p[ahead + i] = (uint8_t)(value >> (8 * i));
        try((struct tw_bytes){p, ahead + n}, user);
    }
    free(p);
}

static void each_input(size_t ahead, void (*try)(struct tw_bytes in, void *user), void *user)
{
    for (size_t n = 0; n <= size_max; n++)
        each_of_size(ahead, n, try, user);
}

static void try_payload(struct tw_bytes in, void *user)
{
    struct compared *c = user;

    compare_payload(c, in);
}

static void try_stream(struct tw_bytes in, void *user)
{
    struct compared *c = user;

    compare_stream(c, in);
}

static void every_payload(void **state)
{
    struct compared c = COMPARED_INIT;

    (void)state;
    REQ("TW-ENC-001");
    REQ("TW-ENC-002");
    REQ("TW-ENC-005");
    REQ("TW-ENC-006");
    each_input(0, try_payload, &c);
    compared_done(&c, "payloads");
}

static void every_stream_of_one_frame(void **state)
{
    struct compared c = COMPARED_INIT;

    (void)state;
    REQ("TW-FRAME-001");
    REQ("TW-FRAME-003");
    REQ("TW-FRAME-004");
    each_input(4, try_stream, &c);
    compared_done(&c, "streams of one frame");
}

/* Every size up to twice the largest, with no payload behind it. */
static void every_size(void **state)
{
    struct compared c = COMPARED_INIT;
    uint8_t *p = malloc(4);

    (void)state;
    REQ("TW-FRAME-002");
    assert_non_null(p);
    for (uint32_t size = 0; size < 2 * 131072; size++) {
        for (size_t i = 0; i < 4; i++)
            p[i] = (uint8_t)(size >> (8 * i));
        compare_stream(&c, (struct tw_bytes){p, 4});
    }
    compared_done(&c, "sizes");
    assert_int_equal(c.accepted, 131069);
    free(p);
}

struct message_run {
    struct compared compared;
    const ProtobufCMessageDescriptor *d;
};

static void try_message(struct tw_bytes in, void *user)
{
    struct message_run *run = user;

    compare_message(&run->compared, run->d, in);
}

/* Nested and repeated messages, strings, oneofs of messages and of scalars, lists of numbers. */
static void every_message(void **state)
{
    static const ProtobufCMessageDescriptor *const shapes[] = {
        &tw__commit_data_request__descriptor,        &tw__initialize_connection_request__descriptor,
        &tw__get_async_command_response__descriptor, &tw__clone_session_request__descriptor,
        &tw__free_buffers_request__descriptor,
    };

    (void)state;
    REQ("TW-ENC-011");
    REQ("TW-ENC-012");
    REQ("TW-ENC-013");
    REQ("TW-ENC-015");
    for (size_t i = 0; i < TW_ARRAY_LEN(shapes); i++) {
        struct message_run run = {.compared = COMPARED_INIT, .d = shapes[i]};

        each_input(0, try_message, &run);
        compared_done(&run.compared, run.d->name);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        tw_unit_test(every_payload),
        tw_unit_test(every_stream_of_one_frame),
        tw_unit_test(every_size),
        tw_unit_test(every_message),
    };

    if (argc > 1 && strcmp(argv[1], "long") == 0)
        size_max = 3;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
