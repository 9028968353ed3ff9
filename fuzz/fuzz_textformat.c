/* SPDX-License-Identifier: Apache-2.0 */
/* A trace config in text format. What is accepted must decode, unless it is too dear for that. */
#include "consumer/textformat.h"
#include "fuzz/check.h"
#include "trace_config.pb-c.h"
#include "wire/pbc.h"

enum { OUT_MAX = 1 << 20, ARENA_MAX = 64 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tw_buf out = TW_BUF_INIT(OUT_MAX);
    struct tw_arena arena = TW_ARENA_INIT(ARENA_MAX);
    struct tw_text_error error = {0};
    struct tw_bytes text = {.p = data, .n = size};
    ProtobufCMessage *msg;
    int r = tw_text_parse(&tw__trace_config__descriptor, text, &out, &error);

    if (r == 0)
        r = tw_pbc_unpack(&tw__trace_config__descriptor, &arena, tw_buf_bytes(&out), &msg);
    else
        CHECK(out.n == 0);
    CHECK(r != TW_E_PROTOCOL);
    if (r == TW_E_INVALID)
        CHECK(error.line > 0 && error.column > 0 && error.text[0]);
    tw_arena_deinit(&arena);
    tw_buf_deinit(&out);
    return 0;
}
