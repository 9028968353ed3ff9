/* SPDX-License-Identifier: Apache-2.0 */
/* libprotobuf, as C sees it. Messages go by their name in the schema, "tw.IPCFrame". */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum oracle_verdict {
    ORACLE_SAME,
    ORACLE_DIFFERENT,
    ORACLE_ENUM, /* different, but a number that its enum does not know was set aside */
};

bool oracle_accepts(const char *message, const uint8_t *p, size_t n);
/* Whether two encodings, both accepted, have the same meaning. */
enum oracle_verdict oracle_compare(const char *message, const uint8_t *a, size_t n_a,
                                   const uint8_t *b, size_t n_b);

/* Text format to an encoding in the order of field numbers, its bytes there until the next call.
 * False, and ret_why says why, when it is not accepted. */
bool oracle_encode_text(const char *message, const uint8_t *text, size_t n, const uint8_t **ret_p,
                        size_t *ret_n, const char **ret_why);

#ifdef __cplusplus
}
#endif
