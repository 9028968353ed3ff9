/* SPDX-License-Identifier: Apache-2.0 */
/* The pre-scan and the decoder of messages against the message vectors: verdict, rule and value of
 * each, the memory it may take, and canonical ones encoded again. */
#include <string.h>

#include "base/macros.h"
#include "base/req.h"
#include "tests/vectors/message_text.h"
#include "tests/vectors/vectors.h"
#include "wire/pbc.h"

static void check_refused(const struct vector *v, int rc, const char *why)
{
    if (rc <= 0 || strncmp(why, v->requirement, strlen(v->requirement)) != 0)
        fail_msg("%s: got %d, %s", v->id, rc, why);
    assert_int_equal(rc, strcmp(v->reason, "too_dear") == 0 ? TW_E_LIMIT : TW_E_PROTOCOL);
}

static void check_accepted(const struct vector *v, const ProtobufCMessage *message)
{
    struct tw_buf got = TEXT_INIT, want = TEXT_INIT, again = TEXT_INIT;

    text_add_message(&got, message);
    text_add_json(&want, json_object_get(v->json, "value"));
    assert_same_text(v, &got, &want);
    if (v->canonical) {
        assert_int_equal(tw_pbc_pack(message, &again), 0);
        assert_int_equal(again.n, v->n);
        if (v->n)
            assert_memory_equal(again.p, v->bytes, v->n);
    }
    tw_buf_deinit(&got);
    tw_buf_deinit(&want);
    tw_buf_deinit(&again);
}

static void check_message(const struct vector *v)
{
    const ProtobufCMessageDescriptor *d = message_named(v->message);
    struct tw_arena arena = TW_ARENA_INIT(TW_SCAN_COST_MAX(v->n));
    struct tw_scan_fault fault = {.why = "nothing"};
    ProtobufCMessage *message;
    size_t cost;
    int rc = tw_scan(d, (struct tw_bytes){v->bytes, v->n}, &cost, &fault);

    if (!vector_accepts(v)) {
        check_refused(v, rc, fault.why);
        rc = tw_pbc_unpack(d, &arena, (struct tw_bytes){v->bytes, v->n}, &message);
        check_refused(v, rc, fault.why);
        return;
    }
    if (rc)
        fail_msg("%s: got %d, %s", v->id, rc, fault.why);
    assert_int_equal(tw_pbc_unpack(d, &arena, (struct tw_bytes){v->bytes, v->n}, &message), 0);
    assert_true(arena.used <= cost);
    check_accepted(v, message);
    tw_arena_deinit(&arena);
}

static void messages_decode_as_they_say(void **state)
{
    size_t n = 0, canonical = 0;

    (void)state;
    REQ("TW-ENC-001");
    REQ("TW-ENC-003");
    REQ("TW-ENC-004");
    REQ("TW-ENC-006");
    REQ("TW-ENC-008");
    REQ("TW-ENC-009");
    REQ("TW-ENC-010");
    REQ("TW-ENC-011");
    REQ("TW-ENC-012");
    REQ("TW-ENC-013");
    REQ("TW-ENC-014");
    REQ("TW-ENC-015");
    REQ("TW-ENC-016");
    for (size_t i = 0; i < vectors.n; i++)
        if (strcmp(vectors.list[i].kind, "message") == 0) {
            check_message(&vectors.list[i]);
            canonical += vectors.list[i].canonical;
            n++;
        }
    assert_true(n > 0 && canonical > 0);
    print_message("%zu message vectors, %zu of them canonical\n", n, canonical);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        tw_unit_test(messages_decode_as_they_say),
    };

    return cmocka_run_group_tests(tests, vectors_load, vectors_free);
}
