/* SPDX-License-Identifier: Apache-2.0 */
/* The mutator: it stays within bounds, does everything it can do, and what it makes is mostly valid
 * to the last byte, so that fuzzing gets behind the first check. */
#include "fuzz/mutator.h"

#include <string.h>

#include "fuzz/messages.h"
#include "fuzz/mutator_make.h"
#include "fuzz/mutator_place.h"
#include "fuzz/script.h"
#include "tests/harness.h"
#include "tracewire/frame.h"

enum { MAX = 4096, ROUNDS = 20000 };

/* A bind, a call with arguments, and an answer. */
static const uint8_t stream[] =
    "\x12\0\0\0\x10\x01\x1a\x0e\x0a\x0cProducerPort"
    "\x12\0\0\0\x10\x02\x2a\x0e\x08\x01\x10\x02\x1a\x08\x0a\x06\x0a\x04name"
    "\x0c\0\0\0\x10\x02\x32\x08\x08\x01\x10\x00\x1a\x02\x08\x01";

static struct tw_bytes stream_of(const uint8_t *p, size_t n)
{
    return (struct tw_bytes){.p = p, .n = n};
}

/* Mutates one input again and again, starting over when it becomes large; calls see for each. */
static struct mutator churn(const char *target, size_t seed_at, uint64_t seed,
                            void (*see)(struct tw_bytes input, void *user), void *user)
{
    struct mutator m = mutator_of(mutator_layout_of(target), seed);
    static uint8_t buf[MAX + 1], other[MAX];
    size_t n = 0, n_other = 0;

    for (int i = 0; i < ROUNDS; i++) {
        size_t changed;

        if (n > MAX / 2 || i % 8 == 0) {
            memset(buf, 0, seed_at);
            memcpy(buf + seed_at, stream, sizeof(stream) - 1);
            n = seed_at + sizeof(stream) - 1;
        }
        m.other = stream_of(other, n_other);
        buf[MAX] = 0xa5;
        changed = mutator_mutate(&m, buf, n, MAX);
        assert_true(changed <= MAX);
        assert_int_equal(buf[MAX], 0xa5);
        if (changed == 0)
            continue;
        n = changed;
        see(stream_of(buf, n), user);
        memcpy(other, buf, n);
        n_other = n;
    }
    return m;
}

struct seen {
    size_t whole, kinds[TW_FRAME_KIND_MAX], bad, reasons[TW_FRAME_REASON_MAX];
};

static void see_frames(struct tw_bytes input, void *user)
{
    struct seen *seen = user;
    struct tw_frame_fault fault;
    struct tw_bytes payload;
    struct tw_frame frame;

    (void)input_byte(&input);
    (void)input_list(&input);
    (void)input_list(&input);
    while (!tw_frame_split(input, &payload)) {
        if (tw_frame_decode(payload, &frame, &fault))
            seen->reasons[fault.reason]++;
        else
            seen->kinds[frame.kind]++;
        input.p = payload.p + payload.n;
        input.n -= TW_FRAME_HEADER + payload.n;
    }
    seen->whole += input.n == 0;
}

static void test_frames(void **state)
{
    struct seen seen = {0};
    struct mutator m;

    (void)state;
    m = churn("host_session", 3, 1, see_frames, &seen);
    for (int kind = TW_FRAME_BIND; kind < TW_FRAME_KIND_MAX; kind++)
        assert_true(seen.kinds[kind] > ROUNDS / 100);
    for (int reason = TW_FRAME_TRUNCATED; reason < TW_FRAME_REASON_MAX; reason++)
        if (seen.reasons[reason] < 20)
            fail_msg("only %zu frames for %s", seen.reasons[reason],
                     tw_frame_reason_name((enum tw_frame_reason)reason));
    assert_true(seen.whole > ROUNDS / 2);
    for (int what = MUTATE_FRAME_INSERT; what < MUTATE_MAX; what++)
        if (what != MUTATE_OP_HEAD && m.done[what] == 0)
            fail_msg("mutation %d was never done", what);
}

static void see_script(struct tw_bytes input, void *user)
{
    size_t *n_whole = user;

    while (input.n >= SCRIPT_HEADER) {
        size_t size = (size_t)input.p[2] | (size_t)input.p[3] << 8;

        if (size > input.n - SCRIPT_HEADER)
            return;
        input.p += SCRIPT_HEADER + size;
        input.n -= SCRIPT_HEADER + size;
    }
    *n_whole += input.n == 0;
}

/* Scripts that begin with so many zeros and grow from there. */
static struct mutator grow(const char *target, size_t n_zeros,
                           void (*see)(struct tw_bytes input, void *user), void *user)
{
    struct mutator m = mutator_of(mutator_layout_of(target), 3);
    static uint8_t buf[MAX];
    size_t n = 0;

    for (int i = 0; i < ROUNDS; i++) {
        if (n == 0 || n > MAX / 2) {
            memset(buf, 0, n_zeros);
            n = n_zeros;
        }
        n = mutator_mutate(&m, buf, n, MAX);
        assert_true(n <= MAX);
        see(stream_of(buf, n), user);
    }
    for (int what = MUTATE_OP_INSERT; what <= MUTATE_OP_SWAP; what++)
        if (m.done[what] == 0)
            fail_msg("%s: mutation %d was never done", target, what);
    assert_true(m.done[MUTATE_OP_HEAD] > 0);
    return m;
}

static void test_scripts(void **state)
{
    size_t n_whole = 0;

    (void)state;
    (void)grow("session_script", 0, see_script, &n_whole);
    assert_true(n_whole > ROUNDS / 2);
}

/* How many bytes an operation has, as its target reads them. */
static void test_shapes(void **state)
{
    static const struct {
        const char *target;
        size_t size;
        uint8_t bytes[16];
    } rows[] = {
        {"limits", 3, {6, 1, 2}},
        {"pump", 1, {2}},
        {"pump", 2, {12, 9}},
        {"pump", 5, {17, 3}},
        {"writer", 2, {6, 9}},
        {"writer", 7, {4, 255, 4}},
        {"fd_queue", 1, {255}},
        {"trace_buffer", 2, {16, 9}},
        {"trace_buffer", 8, {8, 0, 1, 2, 3, 4, 5, 6}},
        {"trace_buffer", 7, {7, 0, 255, 3 << 3 | 7}},
        {"buffer_model", 6, {0, 255, 2 << 3 | 0xc7, 255}},
        {"buffer_model", 6, {5, 255, 255, 1 << 3, 255}},
        {"buffer_model", 14, {8, 255, 255, 0xfe}},
        {"buffer_model", 2, {11, 9}},
        {"buffer_model", 1, {251, 9}},
        {"commit", 9, {0, 1, 5, 0}},
        {"commit", 6, {1, 255, 255, 2}},
        {"commit", 9, {2, 9, 9, 9, 9, 9, 2}},
        {"smb_race", 9, {4, 9, 9, 9, 9, 9, 9, 9, 9}},
    };

    (void)state;
    for (size_t i = 0; i < TW_ARRAY_LEN(rows); i++) {
        const struct mutator_layout *layout = mutator_layout_of(rows[i].target);

        assert_int_equal(shaped_size(layout, stream_of(rows[i].bytes, 16)), rows[i].size);
        assert_int_equal(shaped_size(layout, stream_of(rows[i].bytes, rows[i].size - 1)), 0);
    }
}

static void see_threes(struct tw_bytes input, void *user)
{
    size_t *n_whole = user;

    *n_whole += input.n % 3 == 1; /* four bytes, and operations of three */
}

static void see_bursts(struct tw_bytes input, void *user)
{
    size_t *n_frames = user;

    while (input.n) {
        static const uint8_t one_byte_more[8] = {[4] = 1};
        uint8_t what = input_byte(&input) & 7;
        struct tw_bytes burst = what < 2 ? input_list(&input) : (struct tw_bytes){0}, payload;

        *n_frames += burst.n && !tw_frame_split(burst, &payload);
        (void)script_take(&input, one_byte_more[what]);
    }
}

/* Any numbers would seldom be fields that CommitData has. */
static void see_commits(struct tw_bytes input, void *user)
{
    size_t *n_messages = user;
    struct tw_bytes op = {.p = input.p};

    for (; input.n; input.p += op.n, input.n -= op.n) {
        struct tw_reader r;
        struct tw_field f;
        bool known = true;
        int n_fields = 0;

        op.n = shaped_size(mutator_layout_of("commit"), input);
        if (op.n == 0)
            return;
        if (input.p[0] % 16 != 0)
            continue;
        r = tw_reader_of(stream_of(input.p + 4, op.n - 4));
        for (; !tw_read_field(&r, &f); n_fields++)
            known &= f.number <= 3 && f.type == (f.number < 3 ? TW_WIRE_LEN : TW_WIRE_VARINT);
        *n_messages += known && n_fields >= 2 && tw_reader_left(&r) == 0;
    }
}

static void test_shaped_scripts(void **state)
{
    static const struct {
        const char *target;
        size_t n_zeros, least;
        void (*see)(struct tw_bytes input, void *user);
    } rows[] = {
        {"limits", 4, ROUNDS / 2, see_threes},
        {"pump", 0, ROUNDS / 2, see_bursts},
        {"commit", 0, ROUNDS / 10, see_commits}, /* one operation of sixteen has a message */
    };

    (void)state;
    for (size_t i = 0; i < TW_ARRAY_LEN(rows); i++) {
        size_t n_good = 0;

        (void)grow(rows[i].target, rows[i].n_zeros, rows[i].see, &n_good);
        if (n_good < rows[i].least)
            fail_msg("%s: only %zu are as they should be", rows[i].target, n_good);
    }
}

static void see_hash(struct tw_bytes input, void *user)
{
    uint64_t *hash = user;

    for (size_t i = 0; i < input.n; i++)
        *hash = (*hash ^ input.p[i]) * UINT64_C(0x100000001b3);
}

static uint64_t hash_of(const char *target, uint64_t seed)
{
    uint64_t hash = 0;

    (void)churn(target, 1, seed, see_hash, &hash);
    return hash;
}

static void test_same_seed_same_inputs(void **state)
{
    (void)state;
    assert_int_equal(hash_of("client_session", 7), hash_of("client_session", 7));
    assert_int_not_equal(hash_of("client_session", 7), hash_of("client_session", 8));
}

/* No input is too short, none fills the room past its end. */
static void test_small_room(void **state)
{
    static const char *const targets[] = {"frame_split",    "frame_decode", "prescan",
                                          "session_script", "limits",       "pump",
                                          "smb_race",       "buffer_model", "read_buffers"};

    (void)state;
    for (size_t t = 0; t < TW_ARRAY_LEN(targets); t++) {
        struct mutator m = mutator_of(mutator_layout_of(targets[t]), t);

        for (size_t i = 0; i < ROUNDS; i++) {
            size_t max = i % 64, n = max ? mutator_below(&m, (uint32_t)max) : 0;
            uint8_t *exact = malloc(max + 1);

            assert_non_null(exact);
            memset(exact, (int)i, max + 1);
            assert_true(mutator_mutate(&m, exact, n, max) <= max);
            assert_int_equal(exact[max], (uint8_t)i);
            free(exact);
        }
    }
}

/* A field made for a message is one that the message knows, or is skipped. */
static void test_made_fields_unpack(void **state)
{
    struct mutator m = mutator_of(mutator_layout_of("prescan"), 5);
    uint8_t buf[MAX];

    (void)state;
    for (int i = 0; i < ROUNDS; i++) {
        const ProtobufCMessageDescriptor *d = fuzz_message((uint8_t)i);
        struct tw_writer w = tw_writer_of(buf, sizeof(buf));
        ProtobufCMessage *msg;

        make_field(&m, &w, d);
        assert_false(w.overflow);
        msg = protobuf_c_message_unpack(d, NULL, tw_writer_size(&w), buf);
        if (msg)
            protobuf_c_message_free_unpacked(msg, NULL);
        else /* only where an unknown field took a known number */
            m.done[0]++;
    }
    assert_true(m.done[0] < ROUNDS / 50);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_frames),
        cmocka_unit_test(test_scripts),
        cmocka_unit_test(test_shapes),
        cmocka_unit_test(test_shaped_scripts),
        cmocka_unit_test(test_same_seed_same_inputs),
        cmocka_unit_test(test_small_room),
        cmocka_unit_test(test_made_fields_unpack),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
