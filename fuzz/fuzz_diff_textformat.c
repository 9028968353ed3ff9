/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A trace config in text format against libprotobuf: what both accept has the same encoding, and
 * what one of them refuses alone is in the table of docs/fuzzing.md.
 */
#include <string.h>

#include "consumer/textformat.h"
#include "fuzz/check.h"
#include "fuzz/oracle.h"
#include "trace_config.pb-c.h"

enum { OUT_MAX = 1 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Our reasons to refuse what libprotobuf accepts. */
static const char *const stricter[] = {
    "extensions are not supported",           "NUL character",
    "an octal escape larger than a byte",     "half a surrogate pair",
    "an escape that is no Unicode character", "messages nested more than",
};

static bool may_refuse(const char *why)
{
    for (size_t i = 0; i < sizeof(stricter) / sizeof(stricter[0]); i++)
        if (strstr(why, stricter[i]))
            return true;
    return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const ProtobufCMessageDescriptor *d = &tw__trace_config__descriptor;
    struct tw_buf out = TW_BUF_INIT(OUT_MAX);
    struct tw_text_error error = {0};
    const char *why;
    const uint8_t *p = NULL;
    size_t n = 0;
    int r = tw_text_parse(d, (struct tw_bytes){.p = data, .n = size}, &out, &error);
    bool theirs = oracle_encode_text(d->name, data, size, &p, &n, &why);

    CHECK(r != 0 || theirs);
    CHECK(r == 0 || !theirs || may_refuse(error.text));
    CHECK(r != 0 || (out.n == n && (n == 0 || memcmp(out.p, p, n) == 0)));
    tw_buf_deinit(&out);
    return 0;
}
