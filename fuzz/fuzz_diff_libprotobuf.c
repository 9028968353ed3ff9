/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Our pre-scan and codec against libprotobuf. The first byte of the input chooses the message
 * (fuzz/messages.h), the rest is its encoding. What both accept must mean the same: what protobuf-c
 * makes of it, encoded again, is for libprotobuf the same message.
 */
#include "fuzz/diff.h"
#include "fuzz/oracle.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct diff_allowed allowed[] = {
    {"TW-ENC-008", "keeps the NUL and what is behind it", NULL},
    {"TW-ENC-012", "merges messages that come twice, and takes the last member of a oneof", NULL},
    {"TW-ENC-015", "has no bound on memory", NULL},
    {"TW-ENC-011: a packed value", "drops the bits over 64", NULL},
    {"TW-ENC-011: a known field", "takes another wire type for another, unknown field", NULL},
    {"TW-ENC-001: a varint", "drops the bits over 64", NULL},
    {"TW-ENC-001: there is a group", "skips a well-formed one", NULL},
    {"TW-ENC-001: a field number", "drops the bits over 32", diff_wide_tag},
};

static void check_same_meaning(const ProtobufCMessageDescriptor *d, struct tw_bytes in)
{
    struct tw_arena arena = TW_ARENA_INIT(SIZE_MAX);
    struct tw_buf again = TW_BUF_INIT(TW_SCAN_MESSAGE_MAX);
    enum oracle_verdict verdict;
    ProtobufCMessage *msg;

    CHECK(!tw_pbc_unpack(d, &arena, in, &msg));
    if (!tw_pbc_pack(msg, &again)) {
        verdict = oracle_compare(d->name, in.p, in.n, again.p, again.n);
        REQ("TW-ENC-003");
        REQ("TW-ENC-004");
        REQ("TW-ENC-010");
        REQ("TW-ENC-013");
        REQ("TW-ENC-014"); /* unknown numbers of enums: ours keeps them in the field */
        CHECK(verdict == ORACLE_SAME || verdict == ORACLE_ENUM);
    }
    tw_buf_deinit(&again);
    tw_arena_deinit(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tw_bytes in = {data, size};
    const ProtobufCMessageDescriptor *d = fuzz_message(input_byte(&in));
    struct tw_scan_fault fault;
    size_t cost;
    bool ours = diff_ours(d, in, &cost, &fault);
    bool theirs = oracle_accepts(d->name, in.p, in.n);

    REQ("TW-ENC-001");
    REQ("TW-ENC-009");
    REQ("TW-ENC-011");
    REQ("TW-ENC-016");
    diff_judge(d, in, ours, &fault, theirs, allowed, TW_ARRAY_LEN(allowed));
    if (ours)
        check_same_meaning(d, in);
    return 0;
}
