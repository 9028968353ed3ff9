/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Drives a trace buffer and the model of it with the same script, and compares whatever they give
 * back: results, packets with their order, bytes and losses, statistics. What writes is hostile,
 * but not so that nothing ever fits together: chunks are cut from a stream of fragments, ids go on
 * by themselves, and may be moved.
 *
 *   script := u8 size and policy, operation*
 */
#include <stdlib.h>
#include <string.h>

#include "fuzz/buffer_script.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    buffer_script_run((struct tw_bytes){.p = data, .n = size});
    return 0;
}
